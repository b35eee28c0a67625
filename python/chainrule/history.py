"""What training recorded: one row per epoch, one column per quantity.

Columns are float64; they lie in one block that doubles when it is full, so that a million
epochs cost a million constant-time appends.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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


class Column:
    """Descriptor: the recorded part of one column, a view."""

    def __init__(self, meaning: str) -> None:
        self.__doc__ = meaning

    def __set_name__(self, owner: type, name: str) -> None:
        self.index = COLUMNS.index(name)

    def __get__(self, history: Any, owner: type | None = None) -> Any:
        if history is None:
            return self
        return history._block[self.index, : history._length]


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
    """

    loss = Column("Data loss and regularisation terms.")
    data_loss = Column("Mean of the samples' losses over the epoch.")
    regularization_loss = Column("Regularisation terms at the end of the epoch.")
    accuracy = Column("Share of right predictions over the epoch.")
    learning_rate = Column("Rate of the epoch's last step.")
    seconds = Column("Wall time of the epoch's steps and validation.")
    validation_loss = Column("Data loss of the validation samples after the epoch.")
    validation_accuracy = Column("Accuracy of the validation samples after the epoch.")

    def __init__(self) -> None:
        self._block: NDArray[np.float64] = np.empty((len(COLUMNS), 16), dtype=np.float64)
        self._length = 0

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
        if len(new) == 0:
            return
        needed = self._length + len(new)
        if needed > self._block.shape[1]:
            capacity = max(needed, 2 * self._block.shape[1])
            grown = np.empty((len(COLUMNS), capacity), dtype=np.float64)
            grown[:, : self._length] = self._block[:, : self._length]
            self._block = grown
        self._block[:, self._length : needed] = new.T
        self._length = needed

    def last_row(self) -> list[float]:
        """Return the last epoch's values in the order of the columns, NaN where absent."""
        values: list[float] = self._block[:, self._length - 1].tolist()
        return values

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
        return {"_block": self._block[:, : self._length].copy(), "_length": self._length}

    def __repr__(self) -> str:
        if not self._length:
            return "History(0 epochs)"
        last = self.epoch(self._length)
        values = ", ".join(f"{name}={value:.4g}" for name, value in last.items())
        return f"History({self._length} epochs; last: {values})"

    def plot(self, axes: Any = None) -> Any:
        """Draw losses and, where there are any, accuracies over the epochs.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; a new figure without it.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        if axes is None:
            try:
                import matplotlib.pyplot as plt
            except ImportError:
                raise ImportError(
                    "History.plot: expected matplotlib, which is not installed: "
                    "pip install 'chainrule[plot]'"
                ) from None
            axes = plt.subplots()[1]
        epochs = np.arange(1, self._length + 1)
        recorded = self.recorded()
        for name, style in (("loss", "C0-"), ("validation_loss", "C1-")):
            if name in recorded:
                axes.plot(epochs, self[name], style, label=name.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        lines = list(axes.get_lines())
        if "accuracy" in recorded or "validation_accuracy" in recorded:
            right = axes.twinx()
            right.set_ylabel("accuracy")
            right.set_ylim(0, 1.02)
            for name, style in (("accuracy", "C0--"), ("validation_accuracy", "C1--")):
                if name in recorded:
                    right.plot(epochs, self[name], style, label=name.replace("_", " "))
            lines += list(right.get_lines())
        axes.legend(lines, [line.get_label() for line in lines], loc="best")
        return axes
