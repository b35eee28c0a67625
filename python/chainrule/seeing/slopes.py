"""Slopes of activations where a pass has put them: which units are dead, what is saturated."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..catalogue import own_class
from ..layers.activation import Activation
from ..training.layer_step import LayerStep

FLAT = 0.05  # of the steepest slope: below that an entry counts as saturated
FAR = np.array([[-60.0, -20.0, -8.0, -3.0, -1.0, -0.3, 0.0, 0.3, 1.0, 3.0, 8.0, 20.0, 60.0]])


def slopes_of(layer: Any, inputs: Any, output: Any) -> Array | None:
    """Return the slope of an activation in each entry; None where it is none of its own kind.

    Softmax has no slope of a single entry, and of a class of the user's own nothing is known.
    """
    own = own_class(layer)
    if own is None or not issubclass(own, Activation) or own.core_name == "softmax":
        return None
    twin = copy.copy(layer)
    twin.inputs, twin.output = inputs, output
    slopes: Array = twin.backward(np.ones_like(output))
    return slopes


def steepest(layer: Any) -> float | None:
    """Return the steepest slope of an activation that is flat on both sides; else None."""
    twin = copy.copy(layer)
    slopes = slopes_of(twin, FAR, twin.forward(FAR))
    if slopes is None:
        return None
    greatest = float(np.abs(slopes).max())
    flat = max(abs(float(slopes[0, 0])), abs(float(slopes[0, -1]))) < FLAT * greatest
    return greatest if flat else None


def saturated(layer: Any, inputs: Any, output: Any) -> NDArray[np.bool_] | None:
    """Return where a sigmoid or tanh is flat: below 5 % of its steepest slope; else None."""
    slopes = slopes_of(layer, inputs, output) if isinstance(output, np.ndarray) else None
    if slopes is None:
        return None
    greatest = steepest(layer)
    if greatest is None:
        return None
    flat: NDArray[np.bool_] = np.abs(slopes) < FLAT * greatest
    return flat


def dead_units(steps: list[LayerStep]) -> list[Array | None]:
    """Return for each layer the units whose slope is 0 for every sample; None: no activation.

    A dense layer in front of an activation has that one's.
    """
    found: list[Array | None] = [None] * len(steps)
    for place, step in enumerate(steps):
        if not isinstance(step.output, np.ndarray) or step.output.ndim != 2:
            continue
        slopes = slopes_of(step.layer, step.inputs, step.output)
        if slopes is None:
            continue
        dead = np.flatnonzero((slopes == 0).all(axis=0))
        found[place] = dead
        if place and steps[place - 1].before and found[place - 1] is None:
            found[place - 1] = dead
    return found
