"""What the library's losses share: two compiled functions and the conversions before them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..arrays import Array, as_floats, as_targets, is_variable
from ..catalogue import own_class
from ..compiled import Compiled, core_rows
from ..errors import label_of, labelled
from ..recorded import record_loss
from .base import Loss, Regions
from .domains import check_domain

ROWS = core_rows("losses")
CLIP = 1e-7  # probabilities and rates are kept at least so far above 0 (and below 1)


class CompiledLoss(Compiled, Loss):
    """What the library's losses share: two compiled functions and the conversions.

    Attributes
    ----------
    target_domain : {"real", "unit_interval", "not_negative", "signs"}
        What targets may be, as the core says.
    """

    target_domain: ClassVar[str] = "real"

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "core_name" in vars(cls):
            cls.target_domain = ROWS[cls.core_name]["domain"]

    def forward(self, y_pred: Any, y_true: Any) -> Array:
        """Return the loss of each sample, (n,).

        Parameters
        ----------
        y_pred : array_like (n, m)
            Predictions: float32 or float64, else converted to float64.
        y_true : array_like
            Targets (n, m), converted to the predictions' dtype; (n,) where m is 1.

        Raises
        ------
        TypeError, ValueError
            Targets that do not fit the predictions, or lie outside the loss's domain.
        """
        try:
            return self._compiled_forward(y_pred, y_true)
        except (TypeError, ValueError):
            if is_variable(y_pred):
                return record_loss(CompiledLoss.forward, self, y_pred, y_true)
            with labelled(label_of(self)):
                return self._compiled_forward(*self.converted(y_pred, y_true, "y_pred"))

    _converting = staticmethod(forward)

    def backward(self, dvalues: Any, y_true: Any) -> Array:
        """Compute, keep and return `dinputs` (n, m), the gradient of the mean loss.

        Parameters
        ----------
        dvalues : array_like (n, m)
            The predictions.
        y_true : array_like
            Targets as in `forward`.

        Raises
        ------
        TypeError, ValueError
            Targets that do not fit the predictions, or lie outside the loss's domain.
        """
        try:
            dinputs = self._compiled_backward(dvalues, y_true)
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                dinputs = self._compiled_backward(*self.converted(dvalues, y_true, "dvalues"))
        self.dinputs = dinputs
        return dinputs

    def joint_backward(self, joint: str, dvalues: Any, y_true: Any) -> Array:
        """Return the gradient of the last activation's inputs; `joint` is from `joint_with`.

        Parameters
        ----------
        joint : str
        dvalues : array_like (n, m)
            The last activation's output.
        y_true : array_like
            Targets as in `forward`.

        Raises
        ------
        TypeError, ValueError
            Targets that do not fit the predictions, or lie outside the loss's domain.
        """
        backward = getattr(_core, f"{joint}_backward")
        try:
            dinputs: Array = backward(dvalues, y_true, *self.parameters())
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                arrays = self.converted(dvalues, y_true, "dvalues")
                dinputs = backward(*arrays, *self.parameters())
        return dinputs

    def joint_value(self, inputs: Any, y_true: Any) -> Array:
        """Return the loss of each sample that the gradient of `joint_backward` is of, unclipped.

        Parameters
        ----------
        inputs : array_like (n, m)
            The last activation's inputs.
        y_true : array_like
            Targets as in `forward`.
        """
        raise TypeError(f"{label_of(self)}: expected a loss that joins its activation, got another")

    def converted(self, y_pred: Any, y_true: Any, name: str) -> tuple[Array, Array]:
        """Return predictions (n, m) and targets as the compiled functions take them."""
        predictions = as_matrix(y_pred, name)
        n_outputs = predictions.shape[1]
        return predictions, self.converted_targets(y_true, "y_true", n_outputs, predictions.dtype)

    def converted_targets(
        self, y: Any, name: str, n_outputs: int | None, dtype: np.dtype[Any] | None
    ) -> Array:
        """Return targets as the compiled functions take them, their shape not yet checked."""
        return as_targets(y, name, n_outputs, dtype)

    def checked_targets(
        self, y: Any, name: str, n_outputs: int | None, dtype: np.dtype[Any] | None
    ) -> Array:
        """Return y as the compiled functions take it: float targets (n, m), or labels (n,).

        The parameters and errors are those of `Loss.checked_targets`.
        """
        targets = self.converted_targets(y, name, n_outputs, dtype)
        if targets.ndim != 2 or n_outputs not in (None, targets.shape[1]):
            n = len(targets) if targets.ndim else "n"
            expected = "m" if n_outputs is None else n_outputs
            raise ValueError(f"{name}: expected ({n}, {expected}), got {targets.shape}")
        if own_class(self, "forward", "backward") is not None:
            check_domain(targets, name, self.target_domain)
        return targets


def as_matrix(values: Any, name: str) -> Array:
    """Return (n, m) floats; another rank is a ValueError."""
    matrix = as_floats(values, name)
    if matrix.ndim != 2:
        raise ValueError(f"{name}: expected (n, m), got {matrix.shape}")
    return matrix


def smooth_within(region: Any) -> Regions:
    """Return the regions where every gradient is the slope."""
    return np.asarray(region).astype(np.int8), np.zeros(np.shape(region), dtype=np.bool_)
