"""A layer's entry: beside the part, its parameters, the optimizer's arrays and whose they are.

``parameters`` names what the layer has; for the package's layers the sizes stand in the attributes
that its class names (``n_inputs``, ...) and ``dtype``, for a user's own layer they are an object,
name -> dtype and shape. ``arrays`` are the optimizer's, ``steps`` what they have seen, ``owner``
tells whether they are those of the model's optimizer (null: of one that kept no token). The
tensors of the i-th layer with parameters are ``i.weights``, ``i.weight_momentums``, ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..arrays import Array, as_parameter
from ..layers.parameters import Slot, slots_named, slots_of
from ..optimizers.state import new_token, own_token, state_kinds, steps_of
from ..settings import Check, is_count, is_dtype, is_size
from .model_file import Document, Tensor, shown
from .parts import (
    Custom,
    build_own,
    build_part,
    check_own,
    check_part,
    class_named,
    describe_part,
    find_own,
    put,
)

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Shapes = dict[str, Tensor]


def is_own_shapes(value: Any) -> bool:
    """An object of dtypes and shapes."""
    return isinstance(value, dict) and all(
        WORD.fullmatch(name)
        and isinstance(each, dict)
        and set(each) == {"dtype", "shape"}
        and is_dtype(each["dtype"])
        and isinstance(each["shape"], list)
        and all(type(size) is int and 0 <= size < 2**63 for size in each["shape"])
        for name, each in value.items()
    )


def is_words(value: Any) -> bool:
    """A list of names."""
    return isinstance(value, list) and all(
        isinstance(each, str) and WORD.fullmatch(each) for each in value
    )


def is_array_list(value: Any) -> bool:
    """A list of names of optimizer arrays."""
    return is_words(value) and len(set(value)) == len(value)


def is_steps(value: Any) -> bool:
    """An object of ints from 0."""
    return isinstance(value, dict) and all(is_count(each) for each in value.values())


def is_owner(value: Any) -> bool:
    """True, false or null."""
    return value is None or type(value) is bool


OWNED: dict[str, Check] = {"arrays": is_array_list, "steps": is_steps, "owner": is_owner}


# --- layer -> entry -----------------------------------------------------------------------------


def describe_layer(
    layer: Any, where: str, index: int, model: Any, tensors: dict[str, Array]
) -> Document:
    """Return a layer's entry; its arrays go to `tensors`, as those of layer `index`."""
    slots = slots_of(layer)
    kinds = (*state_kinds(), *own_states(model.optimizer))
    left_out = {name for slot in slots for name in (slot.name, slot.gradient)}
    left_out |= {slot.state(kind) for slot in slots for kind in kinds}
    entry = describe_part(layer, "layer", where, tensors, frozenset(left_out))
    if not slots:
        return entry
    if "class" in entry:
        shapes = type(layer).parameter_shapes
        entry.update({name: getattr(layer, name) for name in sizes_in(shapes)})
        entry.update(dtype=layer.dtype.name, parameters=[slot.name for slot in slots])
    else:
        entry["parameters"] = {slot.name: describe_array(layer, slot, where) for slot in slots}
    held = [
        (slot, slot.state(kind))
        for kind in kinds
        for slot in slots
        if getattr(layer, slot.state(kind), None) is not None
    ]
    for slot, name in [*((slot, slot.name) for slot in slots), *held]:
        parameter, place = getattr(layer, slot.name), f"save: trainable layer {index}: {name}"
        array = as_parameter(getattr(layer, name), place, parameter.shape, parameter.dtype)
        tensors[f"{index}.{name}"] = array
    token = getattr(layer, "optimizer_token", None)
    owner = None if token is None else token == getattr(model.optimizer, "token", None)
    steps = {slot.name: steps_of(layer, slot) for slot in slots} if owner else {}
    return {**entry, "arrays": [name for _, name in held], "steps": steps, "owner": owner}


def describe_array(layer: Any, slot: Slot, where: str) -> Document:
    """Return dtype and shape of a parameter of a user's own layer."""
    array = getattr(layer, slot.name)
    dtype = getattr(array, "dtype", type(array).__name__)
    if not is_dtype(str(dtype)):
        raise TypeError(
            f"save: {where}: {slot.name}: expected an array of float32 or float64, got {dtype}"
        )
    return {"dtype": str(dtype), "shape": list(array.shape)}


def own_states(optimizer: Any) -> list[str]:
    """Return the kinds of arrays that an optimizer of the user's own names in ``states``."""
    states = getattr(optimizer, "states", ())
    if not isinstance(states, tuple | list):
        return []
    return [kind for kind in states if isinstance(kind, str) and kind not in state_kinds()]


# --- entry -> layer -----------------------------------------------------------------------------


def sizes_in(shapes: Mapping[str, tuple[int | str, ...]]) -> list[str]:
    """Return the attributes that tell the sizes of a class's parameters."""
    names = (name for shape in shapes.values() for name in shape if isinstance(name, str))
    return list(dict.fromkeys(names))


def check_layer(
    entry: Any, where: str, index: int, kinds: list[str]
) -> Iterator[tuple[str, Tensor]]:
    """Check a layer's entry; yield the tensors that it promises, as those of layer `index`."""
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, got {shown(entry)}")
    if "own" in entry:
        more: dict[str, Check] = {}
        if "parameters" in entry:
            more = {"parameters": is_own_shapes, **OWNED}
        yield from check_own(entry, where, more)
    else:
        shapes = getattr(class_named(entry.get("class"), "layer", where), "parameter_shapes", {})
        more = dict.fromkeys(sizes_in(shapes), is_size)
        if shapes:
            more |= {"dtype": is_dtype, "parameters": is_words, **OWNED}
        check_part(entry, "layer", where, more)
    if "parameters" not in entry:
        return
    parameters = shapes_of(entry, where)
    slots = slots_named(tuple(parameters))
    allowed = {slot.state(kind): slot for kind in kinds for slot in slots}
    if "class" in entry:
        known = class_named(entry["class"], "layer", where)
        allowed = {name: slot for name, slot in allowed.items() if not hasattr(known, name)}
    if entry["arrays"] != [name for name in allowed if name in entry["arrays"]]:
        text = f"{where}: arrays: expected a list of names of optimizer arrays"
        raise ValueError(f"{text}, got {shown(', '.join(entry['arrays']))}")
    if set(entry["steps"]) != (set(parameters) if entry["owner"] else set()):
        raise ValueError(
            f"{where}: steps: expected those of each parameter where they have an owner"
        )
    for name, tensor in parameters.items():
        yield f"{index}.{name}", tensor
    for name in entry["arrays"]:
        yield f"{index}.{name}", parameters[allowed[name].name]


def shapes_of(entry: Document, where: str) -> Shapes:
    """Return the parameters of a checked entry with their dtypes and shapes."""
    if "own" in entry:
        return {
            name: Tensor(each["dtype"], tuple(each["shape"]))
            for name, each in entry["parameters"].items()
        }
    known: Any = class_named(entry["class"], "layer", where)
    names = list(known.parameter_shapes)
    if entry["parameters"] not in [names[: count + 1] for count in range(len(names))]:
        raise ValueError(
            f"{where}: parameters: expected {', '.join(names)}, "
            f"got {shown(', '.join(entry['parameters']))}"
        )
    return {
        name: Tensor(
            entry["dtype"],
            tuple(entry[size] if size != 1 else 1 for size in known.parameter_shapes[name]),
        )
        for name in entry["parameters"]
    }


def build_layer(
    entry: Document,
    where: str,
    index: int,
    optimizer: Any,
    custom: Custom,
    arrays: dict[str, Array],
) -> Any:
    """Return the layer of a checked entry."""
    if "own" in entry:
        layer = build_own(find_own(entry, custom, where), entry, arrays, where)
    else:
        layer = build_part(entry, "layer")
    if "parameters" not in entry:
        return layer
    for name in (*entry["parameters"], *entry["arrays"]):
        put(layer, name, arrays[f"{index}.{name}"], where)
    if "class" in entry:
        for name in type(layer).parameter_shapes:
            if name not in entry["parameters"]:
                put(layer, name, None, where)
    if entry["owner"] is not None:
        has_token = entry["owner"] and hasattr(optimizer, "token")
        put(layer, "optimizer_token", own_token(optimizer) if has_token else new_token(), where)
        put(layer, "optimizer_steps", dict(entry["steps"]), where)
    return layer
