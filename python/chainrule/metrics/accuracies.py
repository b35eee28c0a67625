"""Accuracy: the share of right predictions, or another number that is better when larger.

Subclass `Accuracy` with your own ``compare(predictions, y)`` that returns an array of
right (1) and wrong (0). Numbers that only a whole pass has are in scores.py.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..accumulation import Accumulator
from ..arrays import Array, as_real, distinct
from ..catalogue import Part
from ..errors import label_of, labelled
from ..frames import flattened
from ..settings import Settings, is_flag, is_number_or_none

__all__ = ["Accuracy", "Accuracy_Categorical", "Accuracy_Regression"]


class Accuracy(Accumulator, Part):
    """Base of the accuracies; subclasses define `compare`.

    Attributes
    ----------
    accumulated_sum, accumulated_count : float, int
        Sums over the calls of `calculate` since `new_pass`.
    takes_outputs : bool
        `calculate` gets the outputs themselves, not what the last layer predicts from them.
    """

    kind: ClassVar[str] = "accuracy"
    mathematics: ClassVar[tuple[str, ...]] = (
        "init",
        "compare",
        "calculate",
        "calculate_accumulated",
        "new_pass",
    )
    takes_outputs: ClassVar[bool] = False

    def init(self, y: Any, reinit: bool = False) -> None:
        """Learn from the targets what `compare` needs; here nothing."""

    def start_training(self, y: Any) -> None:
        """Learn from a training's own targets, again for each training; `init` by default."""
        self.init(y)

    def core_metric(self, predicts: str) -> str | None:
        """Return the core's name of this accuracy for outputs that mean `predicts`.

        Parameters
        ----------
        predicts : {"values", "classes", "shares", "logits", "signs"}

        Returns
        -------
        str or None
            None where the core does not know it.
        """
        return None

    def compare(self, predictions: Any, y: Any) -> Any:
        """Return what is right, entry by entry. Subclasses define it."""
        raise NotImplementedError(f"{label_of(self)}: expected a compare(predictions, y)")

    def calculate(self, predictions: Any, y: Any) -> Any:
        """Return the share of right predictions (float64) and add them to the accumulated sums.

        Raises
        ------
        ValueError
            No prediction, or shapes that do not fit.
        """
        comparisons = np.asarray(self.compare(predictions, y))
        if comparisons.dtype == bool:
            right = float(np.count_nonzero(comparisons))
        else:
            right = float(np.add.reduce(comparisons, axis=None, dtype=np.float64))
        return np.float64(self.accumulate(right, comparisons.size, "prediction"))

    def calculate_accumulated(self) -> Any:
        """Return the share of right predictions since `new_pass`.

        Raises
        ------
        ValueError
            Nothing was calculated since `new_pass`.
        """
        return np.float64(self.accumulated_mean())


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
        hint = ""
        if targets.shape == (*predicted.shape, 1):
            hint = f"; flatten the labels: {flattened(y, 'y')}"
        elif targets.ndim == 1 and predicted.ndim == 2:
            hint = "; labels need a last layer that predicts classes: add Activation_Softmax()"
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

    settings: ClassVar[Settings] = {"binary": is_flag}
    binary: bool = False

    def __init__(self, *, binary: bool = False) -> None:
        self.binary = bool(binary)

    def core_metric(self, predicts: str) -> str | None:
        """Return "categorical", "binary", "binary_logits" or "signs"; None for values."""
        if predicts == "classes":
            return None if self.binary else "categorical"
        if predicts == "shares":
            return "binary" if self.binary else None
        return {"logits": "binary_logits", "signs": "signs"}.get(predicts)

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


class Accuracy_Regression(Accuracy):
    """A prediction is right if ``|prediction - y| < precision``, ``precision = std(y) / 250``.

    Attributes
    ----------
    precision : float or None
        None until `init`. Each training sets it from its own targets, unless it was set by hand
        or by a call of `init`.
    """

    settings: ClassVar[Settings] = {
        "precision": is_number_or_none,
        "learned_precision": is_number_or_none,
    }
    precision: float | None = None
    learned_precision: float | None = None  # the one that a training found

    def __init__(self) -> None:
        self.precision = None

    def init(self, y: Any, reinit: bool = False) -> None:
        """Set `precision` from the targets, the first time or if `reinit`."""
        if self.precision is None or reinit:
            with labelled(label_of(self)):
                targets = distinct(as_real(y, "y"))
                self.precision = float(np.std(targets, dtype=np.float64)) / 250

    def start_training(self, y: Any) -> None:
        """Set `precision` from a training's targets, unless the user has set it."""
        if self.precision is None or self.precision == self.learned_precision:
            self.init(y, reinit=True)
            self.learned_precision = self.precision

    def core_metric(self, predicts: str) -> str | None:
        """Return "regression" for values, else None."""
        return "regression" if predicts == "values" else None

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
