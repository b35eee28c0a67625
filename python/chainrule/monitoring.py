"""Callbacks that watch a value of the epochs: early stopping, a reduced rate, checkpoints."""

from __future__ import annotations

import os
from typing import Any

from .arrays import as_count, as_number
from .callbacks import Callback
from .errors import labelled
from .history import COLUMNS

__all__ = ["Checkpoint", "EarlyStopping", "ReduceLearningRateOnPlateau"]


class Monitoring(Callback):
    """Base of callbacks that watch one value of the epochs for its best.

    Accuracies improve upwards, everything else downwards, by more than `min_delta`; NaN is no
    improvement.

    Attributes
    ----------
    monitor : str
        A column of `History`.
    best : float or None
        The best value so far; `best_epoch` is its epoch.
    """

    def __init__(self, monitor: str, min_delta: float) -> None:
        with labelled(type(self).__name__):
            if monitor not in COLUMNS:
                raise ValueError(f"monitor: expected one of {', '.join(COLUMNS)}, got {monitor!r}")
            self.min_delta = as_number(min_delta, "min_delta")
        self.monitor = monitor

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch: int | None = None

    def on_train_begin(self) -> None:
        """Forget an earlier training."""
        self._forget()

    def improves(self, epoch: int, logs: dict[str, float]) -> bool:
        """Tell whether the epoch is the best so far, and keep its value then.

        Raises
        ------
        ValueError
            The monitored value is not recorded.
        """
        if self.monitor not in logs:
            raise ValueError(
                f"{type(self).__name__}: monitor: expected a recorded value "
                f"({', '.join(logs)}), got {self.monitor!r}"
            )
        value = logs[self.monitor]
        gain = 0.0 if self.best is None else self.best - value
        if self.monitor.endswith("accuracy"):
            gain = -gain
        better = value == value and (self.best is None or gain > self.min_delta)
        if better:
            self.best, self.best_epoch = value, epoch
        return better


class EarlyStopping(Monitoring):
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
        super().__init__(monitor, min_delta)
        with labelled(type(self).__name__):
            self.patience = as_count(patience, "patience", 0)
        self.restore_best_weights = bool(restore_best_weights)
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        self.stopped_epoch: int | None = None
        self.best_parameters: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Compare with the best epoch; stop the model's training when patience is over."""
        if self.improves(epoch, logs):
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


class ReduceLearningRateOnPlateau(Monitoring):
    """Multiply the rate by `factor` where the monitored value has not improved for a while.

    Accuracies improve upwards, everything else downwards; NaN is no improvement.

    Parameters
    ----------
    monitor : str
        A column of `History`.
    factor : float
        Above 0 and below 1.
    patience : int
        Epochs without improvement that are waited for, at least 0.
    min_delta : float
        What counts as an improvement.
    cooldown : int
        Epochs after a reduction in which none is counted as one without improvement.
    least : float
        The rate is not made smaller than this.

    Attributes
    ----------
    best : float or None
        The best value so far; `best_epoch` is its epoch.
    reduced_epochs : list of int
        The epochs after which the rate was reduced.

    Raises
    ------
    ValueError
        In training: the monitored value is not recorded.
    """

    def __init__(
        self,
        monitor: str = "validation_loss",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 0.0,
        cooldown: int = 0,
        least: float = 0.0,
    ) -> None:
        super().__init__(monitor, min_delta)
        with labelled(type(self).__name__):
            self.factor = as_number(factor, "factor", below=1.0)
            if self.factor == 0:
                raise ValueError("factor: expected a number above 0 and below 1, got 0")
            self.patience = as_count(patience, "patience", 0)
            self.cooldown = as_count(cooldown, "cooldown", 0)
            self.least = as_number(least, "least")
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        self.reduced_epochs: list[int] = []
        self._waited = 0
        self._cooling = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Compare with the best epoch; reduce the optimizer's rate when patience is over."""
        better = self.improves(epoch, logs)
        if better or self._cooling > 0:
            self._waited = 0
            self._cooling = max(self._cooling - 1, 0)
            return
        self._waited += 1
        if self._waited < max(self.patience, 1):
            return
        if self.reduce(self.model.optimizer):
            self.reduced_epochs.append(epoch)
        self._waited, self._cooling = 0, self.cooldown

    def reduce(self, optimizer: Any) -> bool:
        """Multiply the rate by `factor`, down to `least`; tell whether it became smaller."""
        rate = max(optimizer.learning_rate * self.factor, self.least)
        if not rate < optimizer.learning_rate:
            return False
        optimizer.learning_rate = rate
        return True

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(monitor={self.monitor!r}, factor={self.factor:g}, "
            f"patience={self.patience})"
        )


class Checkpoint(Monitoring):
    """Save the model to a file between epochs; a kill at any moment leaves a whole file.

    Parameters
    ----------
    path : str or path-like
        ``{epoch}`` in it becomes the number of the epoch, ``{epoch:03d}`` with three digits;
        without it each file takes the place of the one before.
    every : int
        Look at every so many epochs, at least 1.
    best_only : bool
        Save only where the monitored value is the best so far, of the epochs looked at.
    monitor : str
        A column of `History`, for `best_only`.

    Attributes
    ----------
    writes : bool
        Whether this process writes the files; in a parallel training rank 0 does.
    saved_path : str or None
        The last file written; `saved_epoch` is its epoch.

    Raises
    ------
    TypeError, ValueError
        No path, one with other names in braces, a bad number; in training, with `best_only`: the
        monitored value is not recorded. What `Model.save` raises.
    """

    def __init__(
        self,
        path: Any,
        *,
        every: int = 1,
        best_only: bool = False,
        monitor: str = "validation_loss",
    ) -> None:
        super().__init__(monitor, 0.0)
        with labelled(type(self).__name__):
            self.every = as_count(every, "every", 1)
            try:
                self.path = os.fsdecode(path)
            except TypeError:
                raise TypeError(f"path: expected a str or a path-like, got {path!r}") from None
            try:
                self.path.format(epoch=1)
            except (KeyError, IndexError, ValueError, AttributeError):
                raise ValueError(
                    f"path: expected no braces but those of {{epoch}}, got {self.path!r}"
                ) from None
        self.best_only = bool(best_only)
        self.writes = True
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        self.saved_path: str | None = None
        self.saved_epoch: int | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Save where it is time to."""
        if epoch % self.every or (self.best_only and not self.improves(epoch, logs)):
            return
        path = self.path.format(epoch=epoch)
        if self.writes:
            self.model.save(path)
        self.saved_path, self.saved_epoch = path, epoch

    def __repr__(self) -> str:
        best = f", best_only=True, monitor={self.monitor!r}" if self.best_only else ""
        every = f", every={self.every}" if self.every > 1 else ""
        return f"{type(self).__name__}({self.path!r}{every}{best})"
