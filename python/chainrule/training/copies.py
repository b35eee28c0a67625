"""Copies of layer objects that share the arrays: what runs through them leaves nothing behind."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..layers.parameters import slots_of


@contextmanager
def copies_of(layers: list[Any]) -> Iterator[list[Any]]:
    """Lend copies of the layers for one pass; layers within layers are copied too.

    A layer of the user's own that makes its parameters in this pass keeps them, and all that the
    pass has left with them.
    """
    seen: dict[int, Any] = {}
    copies = [copy_of(layer, seen) for layer in layers]
    yield copies
    for layer, twin in zip(layers, copies, strict=True):
        if twin is not layer and len(slots_of(twin)) > len(slots_of(layer)):
            layer.__dict__.update(twin.__dict__)


def copy_of(layer: Any, seen: dict[int, Any]) -> Any:
    """Return the layer's copy; itself where it is of a kind that cannot be copied."""
    if id(layer) in seen:
        return seen[id(layer)]
    try:
        twin = copy.copy(layer)
    except TypeError:
        return layer
    seen[id(layer)] = twin
    state = getattr(twin, "__dict__", {})
    for name, value in list(state.items()):
        inner = with_copies(value, seen)
        if inner is not value:
            state[name] = inner
    return twin


def with_copies(value: Any, seen: dict[int, Any]) -> Any:
    """Return an attribute's value with copies in place of layers."""
    if type(value) in (list, tuple):
        parts = [with_copies(each, seen) for each in value]
        same = all(part is each for part, each in zip(parts, value, strict=True))
        return value if same else type(value)(parts)
    if type(value) is dict:
        return dict(zip(value, with_copies(list(value.values()), seen), strict=True))
    return copy_of(value, seen) if is_layer(value) else value


def is_layer(thing: Any) -> bool:
    """Tell whether a thing runs forward and backward, and is no class."""
    if isinstance(thing, type):
        return False
    return all(callable(getattr(thing, name, None)) for name in ("forward", "backward"))
