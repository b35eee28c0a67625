"""Randomness held fixed: every generator that a forward draws from is put back before it.

So a layer of the user's own that draws a mask draws the same one in each forward. The generators
are those that a part holds, those that its methods name, `numpy.random` and `random`.
"""

from __future__ import annotations

import random
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..catalogue import own_class

SHARED = (type, types.FunctionType, types.MethodType, types.ModuleType)
Source = tuple[Callable[[], Any], Callable[[Any], None]]  # reads its state, sets it


def leaves(value: Any, seen: set[int] | None = None) -> Iterator[Any]:
    """Yield what is reached from `value` by attributes, lists, tuples and dicts, itself too."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    elif has_attributes(value):
        inner = vars(value).values()
    for each in inner:
        yield from leaves(each, seen)


def has_attributes(value: Any) -> bool:
    """Tell whether `value` is an object that keeps its state in a ``__dict__`` of its own."""
    return hasattr(value, "__dict__") and not isinstance(value, SHARED)


def _named_by(part: Any) -> Iterator[Any]:
    """Yield the globals and closed-over values that a part's methods name."""
    for method in ("forward", "backward"):
        function = getattr(getattr(part, method, None), "__func__", None)
        code = getattr(function, "__code__", None)
        if function is None or code is None:
            continue
        for name in code.co_names:
            yield function.__globals__.get(name)
        for cell in function.__closure__ or ():
            yield getattr(cell, "cell_contents", None)


def _source(value: Any) -> Source | None:
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        return lambda: bits.state, lambda state: setattr(bits, "state", state)
    if isinstance(value, np.random.RandomState):
        return value.get_state, value.set_state
    if isinstance(value, random.Random):
        return value.getstate, value.setstate
    return None


class Randomness:
    """The generators that `parts` may draw from, and the states that they have now."""

    def __init__(self, parts: list[Any]) -> None:
        foreign = [part for part in parts if own_class(part) is None]
        found = [value for part in foreign for value in [*leaves(part), *_named_by(part)]]
        sources = [source for value in found if (source := _source(value)) is not None]
        if foreign:
            sources.append((np.random.get_state, np.random.set_state))
            sources.append((random.getstate, random.setstate))
        self._held = [(read, write, read()) for read, write in sources]

    def rewind(self) -> None:
        """Put every state back."""
        for _, write, state in self._held:
            write(state)

    def settle(self) -> None:
        """Forget the generators that still stand where they stood: nobody draws from them."""
        self._held = [held for held in self._held if not _same(held[0](), held[2])]


def _same(one: Any, other: Any) -> bool:
    """Tell whether two states are equal: nested dicts, tuples and arrays."""
    if isinstance(one, dict):
        return all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return all(_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(np.array_equal(one, other))
