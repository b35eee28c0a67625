"""Cross-entropies: minus the log likelihood of the targets, of probabilities or of logits."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..arrays import Array, as_class_targets, as_number
from ..errors import labelled
from ..settings import Settings, is_flag, is_fraction
from .base import Regions
from .compiled_loss import CLIP, CompiledLoss
from .domains import check_labels

_forward = _core.categorical_crossentropy_forward
_backward = _core.categorical_crossentropy_backward


class Loss_BinaryCrossentropy(CompiledLoss):
    """``mean_j -(y log p + (1 - y) log(1 - p))`` of targets in [0, 1].

    Gradient ``-(y / p - (1 - y) / (1 - p)) / m / n``; p is clipped to [1e-7, 1 - 1e-7] in both.

    Parameters
    ----------
    from_logits : bool
        The outputs are logits z, of which ``p = 1 / (1 + exp(-z))``; the last layer is linear:
        ``mean_j (max(z, 0) - y z + log(1 + exp(-|z|)))``, gradient ``(p - y) / m / n``. Nothing
        is clipped. Outputs above 0 predict 1.
    joined : bool
        With a last `Activation_Sigmoid` the two have one gradient, ``(p - y) / m / n``, as softmax
        and the categorical loss have: it does not vanish where a sigmoid is wrong and saturated.
    """

    core_name = "binary_crossentropy"
    settings: ClassVar[Settings] = {"from_logits": is_flag, "joined": is_flag}
    missing_layer = "add Activation_Sigmoid(), or take logits: from_logits=True"
    from_logits: bool = False
    joined: bool = False

    def __init__(self, from_logits: bool = False, *, joined: bool = False) -> None:
        self.from_logits = bool(from_logits)
        self.joined = bool(joined)
        if self.from_logits and self.joined:
            raise ValueError(
                f"{type(self).__name__}: joined: expected False with from_logits, whose last layer "
                "is linear, got True"
            )

    @property
    def joins(self) -> Mapping[str, str]:  # type: ignore[override]
        """The compiled loss that includes a last sigmoid, where they are joined."""
        return {"sigmoid": "sigmoid_crossentropy"} if self.joined else {}

    def name_in_core(self) -> str:
        """Return ``"binary_crossentropy"`` or ``"binary_crossentropy_logits"``."""
        return "binary_crossentropy_logits" if self.from_logits else "binary_crossentropy"

    @property
    def output_domain(self) -> str:
        """Probabilities, or logits."""
        return "logits" if self.from_logits else "probabilities"

    @property
    def predicts(self) -> str | None:
        """A logit above 0 predicts 1."""
        return "logits" if self.from_logits else None

    def predictions(self, outputs: Any, y: Any) -> Any:
        """Return 1 where a logit is above 0, else 0; None for probabilities."""
        return (np.asarray(outputs) > 0) * 1 if self.from_logits else None

    def joint_value(self, inputs: Any, y_true: Any) -> Array:
        """Return the loss of each row of logits: what the gradient joined with a sigmoid is of."""
        z, y = self.converted(inputs, y_true, "inputs")
        losses = np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))
        value: Array = losses.mean(axis=1)
        return value

    def regions(self, y_pred: Any, y_true: Any) -> Regions | None:
        """Return 1 where a prediction is clipped; such an entry's gradient is not the slope."""
        if self.from_logits:
            return None
        predictions = np.asarray(y_pred)
        clipped = (predictions < CLIP) | (predictions > 1 - CLIP)
        return clipped.astype(np.int8), clipped


class Loss_CategoricalCrossentropy(CompiledLoss):
    """``-log p_target`` for labels (n,); ``-sum_j y log p`` for targets (n, m) in [0, 1].

    Gradient ``-y / p / n``. p is clipped to [1e-7, 1 - 1e-7] in the value and at 1e-7 in the
    gradient. Labels may have any integer dtype; rows of targets may be one-hot or soft, with any
    sum. With a last `Activation_Softmax` the two are joined: ``(p sum_k y_k - y) / n``.

    Parameters
    ----------
    label_smoothing : float
        With e, ``(1 - e) y + e / m`` is taken for y in value and gradient; at least 0, below 1.
    """

    core_name = "categorical_crossentropy"
    settings: ClassVar[Settings] = {"label_smoothing": is_fraction}
    joins: ClassVar[Mapping[str, str]] = {"softmax": "softmax_crossentropy"}
    missing_layer = "add Activation_Softmax()"
    label_smoothing: float = 0.0

    def __init__(self, label_smoothing: float = 0.0) -> None:
        with labelled(type(self).__name__):
            self.label_smoothing = as_number(label_smoothing, "label_smoothing", below=1.0)

    def parameters(self) -> tuple[float, ...]:
        """Return ``(label_smoothing,)``."""
        return (self.label_smoothing,)

    # As `compiled.fixed` makes them, but sooner: classification loops call these in each step.

    def _compiled_forward(self, y_pred: Any, y_true: Any) -> Array:
        return _forward(y_pred, y_true, self.label_smoothing)

    def _compiled_backward(self, dvalues: Any, y_true: Any) -> Array:
        return _backward(dvalues, y_true, self.label_smoothing)

    @property
    def output_domain(self) -> str:
        """Probabilities."""
        return "probabilities"

    def converted_targets(
        self, y: Any, name: str, n_outputs: int | None, dtype: np.dtype[Any] | None
    ) -> Array:
        """Return labels (n,) as int64, or targets (n, m)."""
        return as_class_targets(y, name, n_outputs, dtype)

    def checked_targets(
        self, y: Any, name: str, n_outputs: int | None, dtype: np.dtype[Any] | None
    ) -> Array:
        """Return labels (n,) as int64, or targets (n, m).

        The parameters and errors are those of `Loss.checked_targets`.
        """
        targets = self.converted_targets(y, name, n_outputs, dtype)
        if targets.ndim != 1:
            return super().checked_targets(targets, name, n_outputs, dtype)
        check_labels(targets, name, n_outputs)
        return targets

    def joint_value(self, inputs: Any, y_true: Any) -> Array:
        """Return ``sum_j y_j (log sum_k exp z_k - z_j)`` of each row of logits z, unclipped.

        It is what the gradient joined with softmax is of, by NumPy, in the dtype of the logits.
        """
        z, y = self.converted(inputs, y_true, "inputs")
        if not z.shape[1]:
            raise ValueError(f"inputs: expected at least one column, got {z.shape}")
        if y.ndim == 1:
            check_labels(y, "y_true", z.shape[1])
            y = (y[:, None] == np.arange(z.shape[1])).astype(z.dtype)
        y = (1 - self.label_smoothing) * y + self.label_smoothing / z.shape[1]
        below = z - z.max(axis=1, keepdims=True)
        losses = y * (np.log(np.exp(below).sum(axis=1, keepdims=True)) - below)
        value: Array = losses.sum(axis=1)
        return value

    def without_smoothing(self) -> Loss_CategoricalCrossentropy:
        """Return a loss like this one that takes targets as they are."""
        if not self.label_smoothing:
            return self
        plain = copy.copy(self)
        plain.label_smoothing = 0.0
        plain.new_pass()
        return plain

    def regions(self, y_pred: Any, y_true: Any) -> Regions | None:
        """Return 1 where a prediction is clipped; such an entry's gradient is not the slope."""
        predictions, y = self.converted(y_pred, y_true, "y_pred")
        clipped = (predictions < CLIP) | (predictions > 1 - CLIP)
        if not self.label_smoothing:
            columns = np.arange(predictions.shape[1])
            clipped &= y != 0 if y.ndim == 2 else y[:, None] == columns
        return clipped.astype(np.int8), clipped
