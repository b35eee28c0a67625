"""A model's fingerprint: one hash of its layers, their settings and their parameters.

SHA-256 of a JSON document, one entry a layer, and behind it the parameters' little-endian bytes in
the same order. A setting that has its class's default is left out, so that a setting that comes
later changes no old fingerprint; 1 and 1.0 are the same. A subclass that leaves the mathematics
alone counts as the package's class. A layer of the user's own is described by its class's name and
its plain attributes; arrays that are no parameters are taken for what a pass has left.
"""

from __future__ import annotations

import hashlib
import json
import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..arrays import Array
from ..catalogue import Part, own_class
from ..errors import label_of
from ..layers.parameters import slots_named, slots_of
from ..optimizers.state import state_kinds
from ..training.copies import is_layer
from .model_file import Document
from .parts import INNER, LEFT_BY_A_PASS, LEFT_BY_OPTIMIZERS
from .plain import WORDS, named

VERSION = 1
LARGEST_EXACT = 2**53  # the largest whole number up to which floats have them all


def fingerprint(layers: Iterable[Any]) -> str:
    """Return the fingerprint of layers in a row, 64 hexadecimal digits.

    Raises
    ------
    TypeError
        A setting that is not plain; says which.
    """
    parameters: list[Array] = []
    entries = [
        described(layer, f"fingerprint: layer {position}", parameters)
        for position, layer in enumerate(layers, 1)
    ]
    document = {"chainrule fingerprint": VERSION, "layers": entries}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    found = hashlib.sha256(text.encode())
    for array in parameters:
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def described(layer: Any, where: str, parameters: list[Array]) -> Document:
    """Return a layer's entry; its parameters are put behind those that are there."""
    slots, arrays = slots_of(layer), []
    for slot in slots:
        held = np.asarray(getattr(layer, slot.name))
        if held.dtype.kind not in "biufc":
            text = f"{where}: {label_of(layer)}: {slot.name}: expected an array of numbers"
            raise TypeError(f"{text}, got {named(getattr(layer, slot.name))}")
        arrays.append(np.asarray(held, dtype=held.dtype.newbyteorder("<"), order="C"))
    parameters += arrays
    own = own_class(layer)
    settings = settings_of(layer, own, where) if own else attributes_of(layer, where, parameters)
    return {
        "class" if own else "own class": own.__name__ if own else type(layer).__name__,
        "settings": settings,
        "parameters": [
            [slot.name, array.dtype.str, list(array.shape)]
            for slot, array in zip(slots, arrays, strict=True)
        ],
    }


def settings_of(part: Any, own: type[Part], where: str) -> Document:
    """Return the settings of a part of the package that are not its class's defaults."""
    found = {name: getattr(part, name, None) for name in own.settings if name not in own.passing}
    return {
        name: plain(value, f"{where}: {label_of(part)}: {name}")
        for name, value in found.items()
        if not hasattr(own, name) or value != getattr(own, name)
    }


def attributes_of(layer: Any, where: str, parameters: list[Array]) -> Document:
    """Return the attributes of a layer of the user's own, without what passes leave on it."""
    slots = slots_named(tuple(slot.name for slot in slots_of(layer)))
    left = {name for slot in slots for name in (slot.name, slot.gradient)} | LEFT_BY_OPTIMIZERS
    left |= {slot.state(kind) for slot in slots for kind in state_kinds()}
    entry: Document = {}
    for name, value in getattr(layer, "__dict__", {}).items():
        if name in left or isinstance(value, np.ndarray):
            continue
        if name in LEFT_BY_A_PASS and not isinstance(value, str | bool | int | float):
            continue
        place = f"{where}: {label_of(layer)}: {name}"
        inner = is_layer(value)
        entry[name] = described(value, place, parameters) if inner else plain(value, place)
    return entry


def plain(value: Any, where: str) -> Any:
    """Return a setting as JSON has it: numbers as floats, tuples as lists.

    Raises
    ------
    TypeError
        Something else than numbers, texts, bools, None, lists, tuples, dicts, schedules and
        activations.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        return value
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, list | tuple):
        return [plain(each, where) for each in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(each, f"{where}[{key!r}]") for key, each in value.items()}
    own = own_class(value)
    if own is not None and own.kind in INNER.values():
        return {own.kind: own.__name__, **settings_of(value, own, where)}
    raise TypeError(f"{where}: expected plain settings ({WORDS}), got {named(value)}")
