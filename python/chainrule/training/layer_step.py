"""What one layer made of a step: as the plan or the classes computed it, on a copy of the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Array
from ..layers.parameters import slots_of


@dataclass
class LayerStep:
    """What one layer made of a step; None where there is none.

    Attributes
    ----------
    layer : object
        A copy.
    position : int
        From 1.
    inputs, output, dvalues, dinputs : array
        A last activation that has one gradient with the loss gets no `dvalues`.
    gradients, before, after : dict
        By the parameter's name: its gradient, penalties included and before clipping, and the
        parameter before and after the step.
    """

    layer: Any
    position: int
    inputs: Any = None
    output: Any = None
    dvalues: Any = None
    dinputs: Any = None
    gradients: dict[str, Array] = field(default_factory=dict)
    before: dict[str, Array] = field(default_factory=dict)
    after: dict[str, Array] = field(default_factory=dict)

    @property
    def steps(self) -> dict[str, Array]:
        """What the update added, by the parameter's name."""
        return {name: after - self.before[name] for name, after in self.after.items()}


def parameters_of(layer: Any) -> dict[str, Array]:
    """Return copies of a layer's parameters by their names."""
    return {slot.name: np.array(getattr(layer, slot.name)) for slot in slots_of(layer)}
