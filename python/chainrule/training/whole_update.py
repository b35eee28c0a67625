"""The update of all layers that learn: whole, or none of it.

An optimizer may fail at any layer: one of the user's own raises, a gradient has another shape, an
array is read-only, memory ends. What it has changed by then is put back, in place, so that the
parameters are always those of a whole step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..layers.parameters import slots_of
from .busy import parameter_lock
from .passes import update_pass


class WholeUpdate:
    """Updates layers by an optimizer, with copies of what it may change.

    These are the parameters and what stands beside them on the layer, such as ``weight_cache``.
    What an optimizer of the user's own keeps elsewhere is its own affair. The copies' memory stays
    for the next update.
    """

    def __init__(self) -> None:
        self._memory: dict[tuple[int, str], Array] = {}

    def make(self, model: Any, layers: list[Any]) -> None:
        """Let the model's optimizer make its step on these layers."""
        optimizer = model.optimizer
        with parameter_lock(model):
            attributes = [dict(getattr(part, "__dict__", {})) for part in (optimizer, *layers)]
            steps = [dict(getattr(layer, "optimizer_steps", None) or {}) for layer in layers]
            copies = [copy for layer in layers for copy in self._copies(layer)]
            try:
                update_pass(optimizer, layers)
            except BaseException:
                for array, copy in copies:
                    array[...] = copy
                for part, before in zip((optimizer, *layers), attributes, strict=True):
                    put_back_attributes(part, before)
                for layer, counts in zip(layers, steps, strict=True):
                    put_back_steps(layer, counts)
                raise

    def _copies(self, layer: Any) -> list[tuple[Array, Array]]:
        """Return each array that an optimizer may write to, with a copy."""
        names = {slot.name for slot in slots_of(layer)}
        prefixes = tuple(f"{slot.prefix}_" for slot in slots_of(layer))
        found = []
        for name, value in getattr(layer, "__dict__", {}).items():
            if not isinstance(value, np.ndarray) or not value.flags.writeable:
                continue
            if name in names or name.startswith(prefixes):
                found.append((value, self._copied(value, (id(layer), name))))
        return found

    def _copied(self, array: Array, place: tuple[int, str]) -> Array:
        kept = self._memory.get(place)
        if kept is None or kept.shape != array.shape or kept.dtype != array.dtype:
            kept = self._memory[place] = np.empty(array.shape, array.dtype)
        np.copyto(kept, array)
        return kept


def put_back_attributes(part: Any, before: dict[str, Any]) -> None:
    """Give an object the attributes back that it had, and no others."""
    held = getattr(part, "__dict__", None)
    if held is not None:
        held.update(before)
        for name in held.keys() - before.keys():
            del held[name]


def put_back_steps(layer: Any, before: dict[str, int]) -> None:
    """Let a layer's parameters have seen so many steps as before."""
    counts = getattr(layer, "optimizer_steps", None)
    if isinstance(counts, dict):
        counts.clear()
        counts.update(before)
