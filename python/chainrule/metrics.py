"""Accuracy: the share of right predictions.

Subclass `Accuracy` with your own ``compare(predictions, y)`` that returns an array of
right (1) and wrong (0).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, as_real
from .errors import label_of, labelled

__all__ = ["Accuracy", "Accuracy_Categorical", "Accuracy_Regression"]


class Accuracy:
    """Base of the accuracies; subclasses define `compare`.

    Attributes
    ----------
    accumulated_sum, accumulated_count : float, int
        Sums over the calls of `calculate` since `new_pass`.
    """

    accumulated_sum: float
    accumulated_count: int

    def init(self, y: Any, reinit: bool = False) -> None:
        """Learn from the targets what `compare` needs; here nothing."""

    def compare(self, predictions: Any, y: Any) -> Any:
        """Return what is right, entry by entry. Subclasses define it."""
        raise NotImplementedError(f"{label_of(self)}: expected a compare(predictions, y)")

    def calculate(self, predictions: Any, y: Any) -> float:
        """Return the share of right predictions and add them to the accumulated sums.

        Raises
        ------
        ValueError
            No prediction, or shapes that do not fit.
        """
        comparisons = np.asarray(self.compare(predictions, y))
        if comparisons.size == 0:
            raise ValueError(f"{label_of(self)}: expected at least one prediction, got none")
        if comparisons.dtype == bool:
            right = float(np.count_nonzero(comparisons))
        else:
            right = float(np.add.reduce(comparisons, axis=None, dtype=np.float64))
        state = self.__dict__
        self.accumulated_sum = state.get("accumulated_sum", 0.0) + right
        self.accumulated_count = state.get("accumulated_count", 0) + comparisons.size
        return right / comparisons.size

    def calculate_accumulated(self) -> float:
        """Return the share of right predictions since `new_pass`.

        Raises
        ------
        ValueError
            Nothing was calculated since `new_pass`.
        """
        count = self.__dict__.get("accumulated_count", 0)
        if count == 0:
            raise ValueError(
                f"{label_of(self)}: calculate_accumulated: expected a calculate call before it, "
                "got none since new_pass"
            )
        return self.accumulated_sum / int(count)

    def new_pass(self) -> None:
        """Set the accumulated sums to 0."""
        self.accumulated_sum = 0.0
        self.accumulated_count = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def same_shape(predictions: Any, y: Any) -> tuple[Array, Array]:
    """Return both as arrays of one shape; targets (n,) serve predictions (n, 1).

    Raises
    ------
    ValueError
        Other differences, which NumPy would broadcast to (n, n).
    """
    predicted, targets = as_real(predictions, "predictions"), as_real(y, "y")
    if targets.ndim == 1 and predicted.shape == (*targets.shape, 1):
        targets = targets.reshape(predicted.shape)
    if targets.shape != predicted.shape:
        hint = "; flatten the labels: y.ravel()" if targets.shape == (*predicted.shape, 1) else ""
        raise ValueError(f"y: expected {predicted.shape}, got {targets.shape}{hint}")
    return predicted, targets


class Accuracy_Categorical(Accuracy):
    """A prediction is right if it equals the label.

    Parameters
    ----------
    binary : bool
        Compare 0s and 1s entry by entry. Otherwise targets (n, m) mean the class of their
        largest entry.
    """

    def __init__(self, *, binary: bool = False) -> None:
        self.binary = bool(binary)

    def compare(self, predictions: Any, y: Any) -> Array:
        """Return where `predictions` equal `y`: labels (n,), one-hot (n, m), or binary."""
        with labelled(label_of(self)):
            targets = as_real(y, "y")
            if not self.binary and targets.ndim == 2 and np.ndim(predictions) == 1:
                if targets.shape[1] > 1:
                    targets = np.argmax(targets, axis=1)
            predicted, targets = same_shape(predictions, targets)
        right: Array = predicted == targets
        return right

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'binary=True' if self.binary else ''})"


class Accuracy_Regression(Accuracy):
    """A prediction is right if ``|prediction - y| < precision``, ``precision = std(y) / 250``.

    Attributes
    ----------
    precision : float or None
        None until `init`.
    """

    precision: float | None

    def __init__(self) -> None:
        self.precision = None

    def init(self, y: Any, reinit: bool = False) -> None:
        """Set `precision` from the targets, the first time or if `reinit`."""
        if self.precision is None or reinit:
            with labelled(label_of(self)):
                self.precision = float(np.std(as_real(y, "y"), dtype=np.float64)) / 250

    def compare(self, predictions: Any, y: Any) -> Array:
        """Return where predictions are within `precision` of `y`.

        Raises
        ------
        ValueError
            `init` was not called.
        """
        if self.precision is None:
            raise ValueError(f"{label_of(self)}: expected an init(y) call before compare, got none")
        with labelled(label_of(self)):
            predicted, targets = same_shape(predictions, y)
        right: Array = np.abs(predicted - targets) < self.precision
        return right

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
