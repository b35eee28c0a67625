"""Losses of real targets: errors of predictions, counts, quantiles, signs.

One value per sample; each class is a thin skin over two compiled functions. The losses of classes
are in crossentropies.py and joint.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_number, as_targets, distinct
from ..errors import label_of, labelled
from ..settings import Settings, is_positive, is_quantiles
from .base import Regions
from .compiled_loss import CLIP, CompiledLoss, smooth_within

__all__ = [
    "Loss_HalfSquaredError",
    "Loss_Hinge",
    "Loss_Huber",
    "Loss_LogCosh",
    "Loss_MeanAbsoluteError",
    "Loss_MeanSquaredError",
    "Loss_Poisson",
    "Loss_Quantile",
]


class Loss_HalfSquaredError(CompiledLoss):
    """``sum_j (p - y)^2 / 2``; gradient ``(p - y) / n``."""

    core_name = "half_squared_error"


class Loss_MeanSquaredError(CompiledLoss):
    """``mean_j (p - y)^2``; gradient ``2 (p - y) / m / n``."""

    core_name = "mean_squared_error"


class Loss_MeanAbsoluteError(CompiledLoss):
    """``mean_j |p - y|``; gradient ``sign(p - y) / m / n``, 0 where they are equal.

    Notes
    -----
    The published book has ``sign(y - p)``, which climbs: a known error.
    """

    core_name = "mean_absolute_error"

    def regions(self, y_pred: Any, y_true: Any) -> Regions | None:
        """Return on which side of its target each prediction lies."""
        predictions, targets = self.converted(y_pred, y_true, "y_pred")
        return smooth_within(np.sign(predictions - targets))


class Loss_Huber(CompiledLoss):
    """``mean_j`` of ``d^2 / 2`` where ``|d| <= delta``, else ``delta (|d| - delta / 2)``.

    With ``d = p - y``; gradient ``clip(d, -delta, delta) / m / n``.

    Parameters
    ----------
    delta : float
        Where the parabola goes on as a line; above 0.

    References
    ----------
    Huber (1964).
    """

    core_name = "huber"
    settings: ClassVar[Settings] = {"delta": is_positive}
    delta: float = 1.0

    def __init__(self, delta: float = 1.0) -> None:
        with labelled(type(self).__name__):
            self.delta = as_number(delta, "delta")
            if self.delta == 0:
                raise ValueError("delta: expected a number above 0, got 0")

    def parameters(self) -> tuple[float, ...]:
        """Return ``(delta,)``."""
        return (self.delta,)

    def regions(self, y_pred: Any, y_true: Any) -> Regions | None:
        """Return -1 and 1 on the lines, 0 on the parabola."""
        predictions, targets = self.converted(y_pred, y_true, "y_pred")
        difference = predictions - targets
        return smooth_within(np.sign(difference) * (np.abs(difference) > self.delta))


class Loss_LogCosh(CompiledLoss):
    """``mean_j log cosh(p - y)``, stable for large differences; gradient ``tanh(p - y) / m / n``.

    Half the squared error near 0, the absolute error less log 2 far from it.
    """

    core_name = "log_cosh"


class Loss_Poisson(CompiledLoss):
    """``mean_j (p - y log p)``: minus the log likelihood of counts y, but for ``log y!``.

    Gradient ``(1 - y / p) / m / n``; p is at least 1e-7 in logarithm and quotient. Targets are at
    least 0, and the last layer must yield rates, at least 0. With a last `Activation_Exponential`
    the two are joined: ``(p - y) / m / n``.
    """

    core_name = "poisson"
    joins: ClassVar[Mapping[str, str]] = {"exponential": "exponential_poisson"}
    missing_layer = "add Activation_Exponential()"

    @property
    def output_domain(self) -> str:
        """Rates."""
        return "positive"

    def joint_value(self, inputs: Any, y_true: Any) -> Array:
        """Return ``mean_j (exp z - y z)`` of each row: what the joined gradient is of."""
        z, y = self.converted(inputs, y_true, "inputs")
        losses: Array = (np.exp(z) - y * z).mean(axis=1)
        return losses

    def regions(self, y_pred: Any, y_true: Any) -> Regions | None:
        """Return 1 where a prediction is clipped; such an entry's gradient is not the slope."""
        predictions, targets = self.converted(y_pred, y_true, "y_pred")
        clipped = (predictions < CLIP) & (targets != 0)
        return clipped.astype(np.int8), clipped


class Loss_Quantile(CompiledLoss):
    """Mean over quantiles q, one output each, of ``max(q d, (q - 1) d)`` with ``d = y - p``.

    Gradient ``(1[p >= y] - q) / m / n``. Targets have one column, whatever the number of outputs.

    Parameters
    ----------
    quantiles : float or sequence of float
        Each above 0 and below 1.

    References
    ----------
    Koenker, Bassett (1978).
    """

    core_name = "quantile"
    settings: ClassVar[Settings] = {"quantiles": is_quantiles}
    quantiles: tuple[float, ...]

    def __init__(self, quantiles: float | Iterable[float]) -> None:
        given = np.atleast_1d(np.asarray(quantiles)).tolist()
        with labelled(type(self).__name__):
            self.quantiles = tuple(as_number(each, "quantiles", below=1.0) for each in given)
            if not is_quantiles(self.quantiles):
                raise ValueError(f"quantiles: expected numbers above 0 and below 1, got {given}")

    def parameters(self) -> tuple[float, ...]:
        """Return the quantiles."""
        return tuple(self.quantiles)

    def converted(self, y_pred: Any, y_true: Any, name: str) -> tuple[Array, Array]:
        """Return predictions, one column a quantile, and targets (n, 1)."""
        predictions, targets = super().converted(y_pred, y_true, name)
        self.check_outputs(predictions.shape[1])
        return predictions, targets

    def converted_targets(
        self, y: Any, name: str, n_outputs: int | None, dtype: np.dtype[Any] | None
    ) -> Array:
        """Return targets (n, 1); (n,) will do."""
        return as_targets(y, name, 1, dtype)

    def checked_targets(
        self, y: Any, name: str, n_outputs: int | None, dtype: np.dtype[Any] | None
    ) -> Array:
        """Return targets (n, 1).

        The parameters and errors are those of `Loss.checked_targets`.
        """
        if n_outputs is not None:
            with labelled(label_of(self)):
                self.check_outputs(n_outputs)
        return super().checked_targets(y, name, 1, dtype)

    def check_outputs(self, n_outputs: int) -> None:
        """Refuse another number of outputs than there are quantiles."""
        if n_outputs != len(self.quantiles):
            raise ValueError(
                f"expected {len(self.quantiles)} outputs, one for each quantile, got {n_outputs}"
            )

    def regions(self, y_pred: Any, y_true: Any) -> Regions | None:
        """Return on which side of its target each prediction lies."""
        predictions, targets = self.converted(y_pred, y_true, "y_pred")
        return smooth_within(np.sign(predictions - targets))


class Loss_Hinge(CompiledLoss):
    """``mean_j max(0, 1 - y p)``; gradient ``-y / m / n`` where ``y p < 1``.

    Labels are -1 and 1, or 0 and 1 (0 means -1 then). Outputs above 0 predict 1; the last layer
    should be linear.
    """

    core_name = "hinge"

    @property
    def output_domain(self) -> str:
        """Any number: the sign decides."""
        return "logits"

    @property
    def predicts(self) -> str | None:
        """The sign of an output is the prediction."""
        return "signs"

    def predictions(self, outputs: Any, y: Any) -> Array:
        """Return 1 where the output is above 0, else -1, or 0 if no label in y is -1."""
        other = -1 if np.min(distinct(np.asarray(y)), initial=0) < 0 else 0
        return np.where(np.asarray(outputs) > 0, 1, other)

    def regions(self, y_pred: Any, y_true: Any) -> Regions | None:
        """Return 1 where a prediction is beyond its margin."""
        predictions, targets = self.converted(y_pred, y_true, "y_pred")
        return smooth_within(np.where(targets > 0, predictions, -predictions) >= 1)
