"""Callbacks: code of yours that runs between epochs.

Any object serves; the methods it lacks are skipped. `model` is set before the first call.
A callback may read and change parameters, the rate, momentum and decay, call `evaluate`,
`predict`, `save` and `forward`, and set ``model.stop_training = True``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .arrays import as_count, as_number
from .errors import labelled
from .history import COLUMNS

__all__ = ["Callback", "EarlyStopping", "LearningRateSchedule"]


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


class EarlyStopping(Callback):
    """Stop when the monitored value has not improved for `patience` epochs.

    Accuracies improve upwards, everything else downwards; NaN is no improvement.

    Parameters
    ----------
    monitor : str
        A column of `History`.
    patience : int
        Epochs without improvement that are waited for, at least 0.
    min_delta : float
        What counts as an improvement.
    restore_best_weights : bool
        Put the parameters of the best epoch back when training ends, early or not.

    Attributes
    ----------
    best : float or None
        The best value so far; `best_epoch` is its epoch.
    stopped_epoch : int or None
        The epoch after which training was stopped.

    Raises
    ------
    ValueError
        In training: the monitored value is not recorded.

    References
    ----------
    Prechelt (1998), "Early stopping, but when?".
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best_weights: bool = True,
    ) -> None:
        with labelled(type(self).__name__):
            if monitor not in COLUMNS:
                raise ValueError(f"monitor: expected one of {', '.join(COLUMNS)}, got {monitor!r}")
            self.patience = as_count(patience, "patience", 0)
            self.min_delta = as_number(min_delta, "min_delta")
        self.monitor = monitor
        self.restore_best_weights = bool(restore_best_weights)
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None
        self.best_parameters: Any = None

    def on_train_begin(self) -> None:
        """Forget an earlier training."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Compare with the best epoch; stop the model's training when patience is over."""
        if self.monitor not in logs:
            raise ValueError(
                f"{type(self).__name__}: monitor: expected a recorded value "
                f"({', '.join(logs)}), got {self.monitor!r}"
            )
        value = logs[self.monitor]
        gain = 0.0 if self.best is None else self.best - value
        if self.monitor.endswith("accuracy"):
            gain = -gain
        if value == value and (self.best is None or gain > self.min_delta):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_parameters = self.model.get_parameters()
        elif epoch - (self.best_epoch or 0) >= max(self.patience, 1):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self) -> None:
        """Put the best parameters back."""
        if self.best_parameters is not None:
            self.model.set_parameters(self.best_parameters)
            self.best_parameters = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(monitor={self.monitor!r}, patience={self.patience})"


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
