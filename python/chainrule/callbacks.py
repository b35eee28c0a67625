"""Callbacks: code of yours that runs between epochs; monitoring.py has some ready.

Any object serves; the methods it lacks are skipped. `model` is set before the first call.
A callback may read and change parameters, the rate, momentum and decay, call `evaluate`,
`predict`, `save` and `forward`, and set ``model.stop_training = True``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .arrays import as_number
from .errors import labelled

__all__ = ["Callback", "LearningRateSchedule"]


class Callback:
    """Base with empty methods; override what you need.

    Attributes
    ----------
    model : Model
        The model in training.
    """

    model: Any = None

    def on_train_begin(self) -> None:
        """Run before the first step."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Run after each epoch.

        Parameters
        ----------
        epoch : int
            Counted from 1.
        logs : dict
            The epoch's values under the names of `History`; what was not computed is absent.
        """

    def on_train_end(self) -> None:
        """Run after the last epoch, or where training was stopped; not after an exception."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class LearningRateSchedule(Callback):
    """Set the optimizer's `learning_rate` before each epoch: ``function(epoch) -> rate``.

    Parameters
    ----------
    function : callable
        Takes the epoch, from 1, and returns its rate.

    Raises
    ------
    TypeError
        `function` cannot be called, or returns no number.
    """

    def __init__(self, function: Callable[[int], float]) -> None:
        if not callable(function):
            raise TypeError(
                f"{type(self).__name__}: function: expected a callable, got {function!r}"
            )
        self.function = function

    def on_train_begin(self) -> None:
        """Set the rate of epoch 1."""
        self._set_rate(1)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Set the rate of the next epoch."""
        self._set_rate(epoch + 1)

    def _set_rate(self, epoch: int) -> None:
        with labelled(type(self).__name__):
            rate = as_number(self.function(epoch), f"function({epoch})")
        self.model.optimizer.learning_rate = rate

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self.function, '__name__', self.function)})"
