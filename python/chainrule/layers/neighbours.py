"""`layer.prev` and `layer.next`, as the notebooks' models have them.

They are looked up in the model that a layer belongs to, which is held weakly and beside the layer:
a pickle or a copy of one layer does not carry the others along, and nothing keeps a model alive.
"""

from __future__ import annotations

import weakref
from typing import Any

_MODELS: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


class Neighbour:
    """Descriptor: the layer so many places on in the model; assigning another one hides it.

    Before the first layer stands the model's `input_layer`, behind the last one its loss. None
    where the layer is in no model that was finalized.
    """

    def __init__(self, distance: int) -> None:
        self.distance = distance

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        model = model_of(layer)
        layers = [] if model is None else model.layers
        place = next((k for k, each in enumerate(layers) if each is layer), None)
        if model is None or place is None:
            return None
        place += self.distance
        if place < 0:
            return model.input_layer
        return layers[place] if place < len(layers) else model.loss


def model_of(layer: Any) -> Any:
    """Return the model that a layer was last linked with, None where there is none (any more)."""
    try:
        reference = _MODELS.get(layer)
    except TypeError:  # a class of the user's own that has no hash
        return None
    return None if reference is None else reference()


def link(model: Any, *, again: bool) -> None:
    """Tell the model's layers where they belong; those of another model only if `again`."""
    reference = weakref.ref(model)
    for layer in model.layers:
        if again or model_of(layer) is None:
            try:
                _MODELS[layer] = reference
            except TypeError:  # no hash, or no weak references: a class of the user's own
                continue
