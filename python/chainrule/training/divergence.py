"""Losses and parameters that are not finite: where they were found, in words.

The loss of a step is looked at before its update. What the last update of a stretch left is seen
by no later loss: the parameters themselves are looked at where they come back to Python.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from ..errors import label_of
from ..layers.parameters import slots_of
from .passes import learning


def is_finite(array: Any) -> bool:
    """Tell whether all numbers of a parameter are finite."""
    try:
        return _core.all_finite(array)
    except (RuntimeError, TypeError):  # no plain array of floats
        return bool(np.isfinite(np.asarray(array)).all())


def nonfinite_parameter(model: Any) -> str | None:
    """Return ``inf in weights of Layer_Dense 2`` for the first one that learns; None if none is."""
    for layer in learning(model.trainable_layers):
        for slot in slots_of(layer):
            array = getattr(layer, slot.name)
            if not is_finite(array):
                return f"{first_of(np.asarray(array))} in {slot.name} of {named(model, layer)}"
    return None


def first_of(array: Array) -> float:
    """Return the first number that is not finite."""
    return float(array[~np.isfinite(array)][0])


def named(model: Any, layer: Any) -> str:
    """Return a layer's class and position; its label where it is a part of another layer."""
    position = next((k for k, each in enumerate(model.layers, 1) if each is layer), None)
    return label_of(layer) if position is None else f"{type(layer).__name__} {position}"


def nonfinite_update(where: str, found: str | None) -> FloatingPointError:
    """Return the error of a step whose update has left parameters, or penalties, not finite."""
    return FloatingPointError(
        f"{where}: expected finite parameters after the update, got {found}; they are those after "
        "this step: a lower learning rate, or clip_norm, keeps them finite"
    )
