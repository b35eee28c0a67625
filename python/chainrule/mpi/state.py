"""What a training begins with, from rank 0 to all: parameters, the optimizer's state, generators.

So a checkpoint needs to be loaded by nobody but rank 0, and random numbers that ranks have drawn
each for itself make no difference.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from ..arrays import Array
from ..layers import Layer_Dropout
from ..layers.parameters import slots_of
from ..optimizers import Optimizer
from ..optimizers.state import drop_arrays, state_kinds
from ..training.busy import parameter_lock
from ..training.passes import parametric_layers

OF_OPTIMIZER = (
    "learning_rate",
    "decay",
    "weight_decay",
    "iterations",
    "current_learning_rate",
    "current_weight_decay",
    "schedule_start",
    "schedule_steps",
    "token",
)
OF_LAYER = ("optimizer_token", "optimizer_steps")
OF_DROPOUT = ("key", "step", "training_share")


def structure_of(model: Any) -> list[str]:
    """Return what must be the same on all ranks: each layer's class, shapes and dtypes."""
    found = []
    for layer in model.layers:
        arrays = [getattr(layer, slot.name) for slot in slots_of(layer)]
        shapes = ", ".join(f"{each.shape} {each.dtype}" for each in arrays)
        found.append(f"{type(layer).__name__}({shapes})")
    return [*found, type(model.loss).__name__, type(model.optimizer).__name__]


def state_of(model: Any) -> dict[str, Any]:
    """Return the state of a training as plain values and arrays."""
    layers = []
    for layer in parametric_layers(model):
        arrays = {slot.name: getattr(layer, slot.name) for slot in slots_of(layer)}
        kept = {name: vars(layer)[name] for name in OF_LAYER if name in vars(layer)}
        layers.append((arrays, states_of(layer), kept))
    optimizer = model.optimizer
    known = {name: vars(optimizer)[name] for name in OF_OPTIMIZER if name in vars(optimizer)}
    dropouts = [
        {name: vars(layer)[name] for name in OF_DROPOUT if name in vars(layer)}
        for layer in dropouts_of(model)
    ]
    return {"layers": layers, "optimizer": known, "dropouts": dropouts, "rng": model.rng}


def states_of(layer: Any) -> dict[str, Array]:
    """Return the optimizer's arrays on a layer."""
    names = [slot.state(kind) for slot in slots_of(layer) for kind in state_kinds()]
    return {name: vars(layer)[name] for name in names if vars(layer).get(name) is not None}


def dropouts_of(model: Any) -> list[Layer_Dropout]:
    """Return the model's dropout layers."""
    return [layer for layer in model.layers if isinstance(layer, Layer_Dropout)]


def put_state(model: Any, state: dict[str, Any]) -> None:
    """Give a model of the same structure the state of another one; parameters in place."""
    with parameter_lock(model):
        for layer, (arrays, states, kept) in zip(
            parametric_layers(model), state["layers"], strict=True
        ):
            for name, values in arrays.items():
                getattr(layer, name)[...] = values
            drop_arrays(layer)
            for name in OF_LAYER:
                vars(layer).pop(name, None)
            vars(layer).update({**states, **kept})
    if isinstance(model.optimizer, Optimizer):
        vars(model.optimizer).update(state["optimizer"])
    for layer, values in zip(dropouts_of(model), state["dropouts"], strict=True):
        vars(layer).update(values)
    put_generator(model, state["rng"])


def put_generator(model: Any, rng: Any) -> None:
    """Let the model's generator stand where another one does, as the object that it is."""
    mine = model.rng
    if mine is None or rng is None:
        model.rng = rng
    elif type(mine.bit_generator) is type(rng.bit_generator):
        mine.bit_generator.state = rng.bit_generator.state
    else:
        model.rng = rng


def checksum(model: Any) -> int:
    """Return a number that differs where parameters, or the optimizer's rate, do."""
    found = 0
    for layer in parametric_layers(model):
        for slot in slots_of(layer):
            found = zlib.crc32(np.ascontiguousarray(getattr(layer, slot.name)).data, found)
    rate = getattr(model.optimizer, "learning_rate", 0.0)
    return zlib.crc32(np.float64(rate).tobytes(), found)
