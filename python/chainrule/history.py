"""What training recorded: one row per epoch, one column per quantity.

Columns are float64. A column doubles when it is full, so that a million epochs cost a million
constant-time appends; one that says the same for all epochs is a single number until it is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .record import LayerHistory

__all__ = ["History"]

COLUMNS = (
    "loss",
    "data_loss",
    "regularization_loss",
    "accuracy",
    "learning_rate",
    "seconds",
    "validation_loss",
    "validation_accuracy",
)


class Values:
    """The values of one quantity, one an epoch: an array with room to grow, or one number."""

    def __init__(self) -> None:
        self.number = math.nan
        self.array: NDArray[np.float64] | None = None

    def extend(self, length: int, new: NDArray[np.float64] | float, count: int) -> None:
        """Put `count` values behind the first `length`: an array, or a number for all."""
        if self.array is None:
            if isinstance(new, float) and (length == 0 or same(new, self.number)):
                self.number = new
                return
            self.array = np.full(max(length, 16), self.number)
        needed = length + count
        if needed > len(self.array):
            grown = np.empty(max(needed, 2 * len(self.array)))
            grown[:length] = self.array[:length]
            self.array = grown
        self.array[length:needed] = new

    def first(self, length: int) -> NDArray[np.float64]:
        """Return the first `length` values: a view, or a new array of the one number."""
        return np.full(length, self.number) if self.array is None else self.array[:length]

    def copy(self, length: int) -> Values:
        """Return the first `length` values, without the room behind them."""
        twin = Values()
        twin.number = self.number
        twin.array = None if self.array is None else self.array[:length].copy()
        return twin


def same(a: float, b: float) -> bool:
    """Tell whether two numbers are equal, or both NaN."""
    return a == b or (a != a and b != b)


class Column:
    """Descriptor: the recorded part of one column."""

    def __init__(self, meaning: str) -> None:
        self.__doc__ = meaning

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, history: Any, owner: type | None = None) -> Any:
        if history is None:
            return self
        return history._columns[self.name].first(history._length)


class History:
    """Per-epoch values of a training: ``history.loss`` or ``history["loss"]``.

    ``len(history)`` is the number of whole epochs. What was not computed (an accuracy,
    validation) is NaN. ``dict(history)`` gives all columns, for a data frame say.

    Attributes
    ----------
    loss, data_loss, regularization_loss : ndarray (epochs,)
        ``loss = data_loss + regularization_loss`` over the training samples.
    accuracy : ndarray (epochs,)
    learning_rate : ndarray (epochs,)
        Rate of the epoch's last step.
    seconds : ndarray (epochs,)
        Wall time of the epoch's steps and validation.
    validation_loss, validation_accuracy : ndarray (epochs,)
    best_epoch : int or None
        The epoch, from 1, whose parameters a training with `best_epoch` has kept.
    layers : LayerHistory
        What a training with `record` has noted of the layers.
    """

    best_epoch: int | None = None
    _layers: LayerHistory | None = None

    loss = Column("Data loss and regularisation terms.")
    data_loss = Column("Mean of the samples' losses over the epoch.")
    regularization_loss = Column("Regularisation terms at the end of the epoch.")
    accuracy = Column("Share of right predictions over the epoch.")
    learning_rate = Column("Rate of the epoch's last step.")
    seconds = Column("Wall time of the epoch's steps and validation.")
    validation_loss = Column("Data loss of the validation samples after the epoch.")
    validation_accuracy = Column("Accuracy of the validation samples after the epoch.")

    def __init__(self) -> None:
        self._columns = {name: Values() for name in COLUMNS}
        self._length = 0

    @property
    def layers(self) -> LayerHistory:
        """What was noted of the layers: columns by layer and name."""
        if self._layers is None:
            self._layers = LayerHistory()
        return self._layers

    def append(self, rows: Any) -> None:
        """Add epochs: rows (k, 8) in the order of the attributes above.

        Raises
        ------
        ValueError
            Another number of columns.
        """
        new = np.asarray(rows, dtype=np.float64)
        if new.ndim != 2 or new.shape[1] != len(COLUMNS):
            raise ValueError(f"History: rows: expected (k, {len(COLUMNS)}), got {new.shape}")
        self.extend(len(new), new.T)

    def extend(self, count: int, columns: Iterable[NDArray[np.float64] | float]) -> None:
        """Add `count` epochs: for each attribute above an array (count,), or one number."""
        if count == 0:
            return
        for values, new in zip(self._columns.values(), columns, strict=True):
            values.extend(self._length, new, count)
        self._length += count

    def last_row(self) -> list[float]:
        """Return the last epoch's values in the order of the columns, NaN where absent."""
        last = self._length - 1
        return [
            values.number if values.array is None else float(values.array[last])
            for values in self._columns.values()
        ]

    def __len__(self) -> int:
        return self._length

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return COLUMNS

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in COLUMNS:
            raise KeyError(f"expected one of {', '.join(COLUMNS)}, got {name!r}")
        column: NDArray[np.float64] = getattr(self, name)
        return column

    def __contains__(self, name: object) -> bool:
        return name in COLUMNS

    def __iter__(self) -> Any:
        return iter(COLUMNS)

    def recorded(self) -> tuple[str, ...]:
        """Return the names of the columns that hold at least one value."""
        return tuple(name for name in COLUMNS if not np.isnan(self[name]).all())

    def epoch(self, number: int) -> dict[str, float]:
        """Return the recorded values of epoch `number`, counted from 1."""
        if not 1 <= number <= self._length:
            raise IndexError(f"epoch: expected 1 to {self._length}, got {number}")
        return {name: float(self[name][number - 1]) for name in self.recorded()}

    def __getstate__(self) -> dict[str, Any]:
        columns = {name: values.copy(self._length) for name, values in self._columns.items()}
        state = {"_columns": columns, "_length": self._length, "best_epoch": self.best_epoch}
        return state if self._layers is None else {**state, "_layers": self._layers}

    def __repr__(self) -> str:
        if not self._length:
            return "History(0 epochs)"
        last = self.epoch(self._length)
        values = ", ".join(f"{name}={value:.4g}" for name, value in last.items())
        return f"History({self._length} epochs; last: {values})"

    def _repr_html_(self) -> str:
        from .seeing.cards import history_card

        return history_card(self).html()

    def plot(self, axes: Any = None) -> Any:
        """Draw losses and, where there are any, accuracies over the epochs.

        Parameters
        ----------
        axes : matplotlib.axes.Axes or a pair of them, optional
            Where to draw; a new figure without it. See `chainrule.plot.history`.

        Returns
        -------
        matplotlib.axes.Axes
            Those of the loss.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        ValueError
            No epoch.
        """
        from .plot.curves import history

        return history(self, axes=axes)
