"""The gradient that `train` follows: parameters before minus after one step of plain SGD.

The step's rate is a power of two that makes the step about as large as the parameters, so that
subtracting them loses no more than a rounding of the gradient:

    gradient = (before - after) / rate
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layers.parameters import is_trainable
from ..optimizers import Optimizer_SGD
from .copies import Copies
from .gradients import Parameter
from .noise import largest

Step = tuple[NDArray[Any], float]  # a gradient, and how far rounding may have moved it


def plan_gradients(
    copies: Copies, gradients: dict[str, NDArray[Any]]
) -> tuple[dict[str, Step], str, tuple[str, ...]]:
    """Return the gradients by label, the plan's text, and notes on layers that do not learn.

    `gradients` are those of the layers; they give the rates.
    """
    found: dict[str, Step] = {}
    text, still = "", {}
    for rate, parameters in _rates(copies, gradients).items():
        model, before = _trained(copies, rate)
        text = f"plan: {model.plan}"
        for parameter in parameters:
            layer = model.layers[parameter.position]
            why = _why_unseen(model, layer, parameter.label in before)
            if why:
                still[parameter.position] = why
                continue
            old, new = before[parameter.label], getattr(layer, parameter.name)
            with np.errstate(all="ignore"):
                step = (old - new) / old.dtype.type(rate)
            eps = float(np.finfo(old.dtype).eps)
            found[parameter.label] = step, eps * (largest(old) + largest(new)) / rate
    notes = [
        f"{type(copies.thing.layers[k]).__name__} {k + 1}: {why}"
        for k, why in sorted(still.items())
    ]
    return found, text, tuple(notes)


def _why_unseen(model: Any, layer: Any, before: bool) -> str:
    """Say why no step of a layer's parameter can be seen; nothing where it can."""
    if not is_trainable(layer):
        return "`train` leaves it as it is: trainable is False"
    if not any(each is layer for each in model.trainable_layers):
        return "`train` leaves it as it is: it is not in trainable_layers"
    return "" if before else "the step of `train` is not seen: a forward makes the parameters first"


def _rates(copies: Copies, gradients: dict[str, NDArray[Any]]) -> dict[float, list[Parameter]]:
    """Return the parameters to be read off after a step at each rate."""
    layers = copies.thing.layers
    found: dict[float, list[Parameter]] = {}
    for parameter in copies.parameters:
        held = getattr(layers[parameter.position], parameter.name, None)
        size = 0.0 if held is None else largest(held)
        slope = largest(gradients[parameter.label])
        usable = size > 0 and 0 < slope < np.inf
        power = int(np.clip(np.round(np.log2(size / slope)), -60, 60)) if usable else 0
        found.setdefault(2.0**power, []).append(parameter)
    return found or {1.0: []}


def _trained(copies: Copies, rate: float) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Return a copy of the model after one step, and its parameters before."""
    copies.outer.rewind()
    model = copy.deepcopy(copies.thing)
    for layer in model.layers:
        if hasattr(layer, "learning_rate_factor"):
            layer.learning_rate_factor = 1.0
        if getattr(layer, "schedule", None) is not None:
            layer.schedule = None
    model.set(optimizer=Optimizer_SGD(rate))
    before = {
        p.label: np.array(held)
        for p in copies.parameters
        if (held := getattr(model.layers[p.position], p.name, None)) is not None
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.train(copies.inputs.copy(), np.array(copies.y), epochs=1, progress=False)
    return model, before
