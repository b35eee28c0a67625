"""Where a value has no derivative: the kinks that a gradient check steps round.

A kink lies between two regions of a value: ReLU's input at 0, a prediction at its target
(absolute error), a weight at 0 (L1), a clipped prediction. Layers and losses tell their regions
themselves: `regions(inputs)` and `regions(y_pred, y_true)`. Within one region the value is smooth.
A step that changes a region has crossed a kink, so its difference quotient says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .subjects import ModelSubject, Subject

NEAR = 32  # roundings: what lies nearer to a kink may be on its other side in another dtype


@dataclass(frozen=True)
class Branch:
    """Values, the region each lies in, and those whose gradient is not meant to be the slope.

    `find` gives the regions of values that are moved by `scale` roundings.
    """

    values: NDArray[Any]
    region: NDArray[Any]
    apart: NDArray[np.bool_]
    find: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    scale: NDArray[Any] | float = 0.0

    def doubtful(self, other: Branch, eps: float) -> Branch:
        """Set apart as well what rounding alone may move to the other side of the kink."""
        apart = self.apart | (self.region != other.region)
        if self.find is not None:
            reach = np.asarray(NEAR * eps * self.scale)
            for sign in (-1, 1):
                apart |= self.find(sign * reach) != self.region
        return Branch(self.values, self.region, apart)


def branches_of(subject: Subject) -> list[Branch]:
    """The branches that the last forward of `subject` took, and the signs of L1's parameters."""
    found = []
    for layer, inputs in zip(subject.walk.layers, subject.walk.inputs, strict=True):
        found += _of_layer(layer, np.asarray(inputs))
    for parameter in subject.parameters:
        if subject.strengths(parameter)[0]:
            values = np.array(subject.held(parameter))
            apart = np.zeros(values.shape, dtype=np.bool_)
            found.append(Branch(values, (values >= 0).astype(np.int8), apart))
    return found + _of_loss(subject)


def _of_layer(layer: Any, inputs: NDArray[Any]) -> list[Branch]:
    regions: Any = getattr(layer, "regions", None)
    region = None if regions is None else regions(inputs)
    if region is None:
        return []
    values = np.array(inputs)
    apart = np.zeros(values.shape, dtype=np.bool_)
    scale = float(np.max(np.abs(values), initial=0.0))
    return [Branch(values, np.array(region), apart, lambda by: regions(values + by), scale)]


def _of_loss(subject: Subject) -> list[Branch]:
    """The branches of the loss at its predictions.

    A clipped prediction is set apart: its gradient is taken at the clip, where the loss is flat.
    Whether it moves is seen from what it is computed from: close to 1 a prediction stays where
    it is, although its gradient is not 0.
    """
    regions: Any = getattr(subject.loss, "regions", None)
    if regions is None or getattr(subject, "joint", None):
        return []
    y_pred, y_true = np.array(subject.output), subject.y
    found = regions(y_pred, y_true)
    if found is None:
        return []
    region, apart = found

    def find(by: NDArray[Any]) -> NDArray[Any]:
        beside, flat = regions(y_pred + by, y_true)
        kept: NDArray[Any] = np.where(flat, region, beside)  # no jump towards a clip
        return kept

    y_from = subject.walk.inputs[-1] if isinstance(subject, ModelSubject) else y_pred
    values = np.array(y_from if np.shape(y_from) == y_pred.shape else y_pred)
    return [
        Branch(
            values,
            np.array(region),
            np.array(apart, dtype=np.bool_),
            find,
            np.abs(y_pred),
        )
    ]


def crossed(base: list[Branch], moved: list[Branch]) -> bool:
    """True if a step from `base` to `moved` changed a region, or moved a value set apart."""
    return any(
        bool(np.any(a.region != b.region)) or bool(np.any(a.apart & (a.values != b.values)))
        for a, b in zip(base, moved, strict=True)
    )
