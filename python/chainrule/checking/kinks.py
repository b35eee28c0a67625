"""Where a network's loss has no derivative: the kinks that a gradient check steps round.

A kink lies between two regions of a value: ReLU's input at 0, a prediction at its target
(absolute error), a weight at 0 (L1), a clipped prediction. Within one region the loss is smooth.
A step that changes a region has crossed a kink, so its difference quotient says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..activations import Activation_ReLU
from ..losses import (
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_MeanAbsoluteError,
)

CLIP = 1e-7
PARAMETER_STRENGTHS = {"weights": "weight_regularizer", "biases": "bias_regularizer"}


@dataclass(frozen=True)
class Branch:
    """Values, the region each lies in, and those whose gradient is not meant to be the slope."""

    values: NDArray[Any]
    region: NDArray[Any]
    apart: NDArray[np.bool_]

    def doubtful(self, other: Branch, eps: float) -> Branch:
        """Set apart as well what rounding alone may move to the other side of the kink."""
        near = np.abs(self.values) <= 32 * eps * np.max(np.abs(self.values), initial=0.0)
        near &= self.region.dtype == np.bool_
        return Branch(self.values, self.region, self.apart | near | (self.region != other.region))


def one_hot(y: NDArray[Any], n_classes: int) -> NDArray[Any]:
    """Targets (n, m) of labels (n,); targets are returned as they are."""
    if y.ndim == 2:
        return y
    targets = np.zeros((len(y), n_classes), dtype=np.float64)
    targets[np.arange(len(y)), y] = 1.0
    return targets


def layer_branches(layers: list[Any]) -> list[Branch]:
    """The branches taken in the last forward of `layers`, and the signs of L1's parameters."""
    found = []
    for layer in layers:
        if isinstance(layer, Activation_ReLU):
            values = np.array(layer.inputs)
            found.append(Branch(values, values > 0, np.zeros(values.shape, dtype=np.bool_)))
        for name, strength in PARAMETER_STRENGTHS.items():
            if getattr(layer, f"{strength}_l1", 0):
                values = np.array(getattr(layer, name))
                apart = np.zeros(values.shape, dtype=np.bool_)
                found.append(Branch(values, (values >= 0).astype(np.int8), apart))
    return found


def loss_branches(
    loss: Any, y_pred: NDArray[Any], y_true: NDArray[Any], y_from: NDArray[Any]
) -> list[Branch]:
    """The branches of a loss at `y_pred`.

    A clipped prediction is set apart: its gradient is taken at the clip, where the loss is flat.
    Whether it moves is seen from `y_from`, what it is computed from (or itself): close to 1 a
    prediction stays where it is, although its gradient is not 0.
    """
    if isinstance(loss, Loss_MeanAbsoluteError):
        error = y_pred - y_true.reshape(y_pred.shape)
        return [Branch(error, np.sign(error), np.zeros(error.shape, dtype=np.bool_))]
    if isinstance(loss, (Loss_BinaryCrossentropy, Loss_CategoricalCrossentropy)):
        clipped = (y_pred < CLIP) | (y_pred > 1 - CLIP)
        if isinstance(loss, Loss_CategoricalCrossentropy):
            clipped &= one_hot(y_true, y_pred.shape[1]) != 0
        values = np.array(y_from if np.shape(y_from) == y_pred.shape else y_pred)
        return [Branch(values, clipped.astype(np.int8), clipped)]
    return []


def crossed(base: list[Branch], moved: list[Branch]) -> bool:
    """True if a step from `base` to `moved` changed a region, or moved a value set apart."""
    return any(
        bool(np.any(a.region != b.region)) or bool(np.any(a.apart & (a.values != b.values)))
        for a, b in zip(base, moved, strict=True)
    )
