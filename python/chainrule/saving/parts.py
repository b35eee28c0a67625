"""A part of a model <-> an entry of plain values: its class and its settings.

An entry of the package's own class holds ``class`` and the settings that the class names
(`catalogue.Part.settings`); one that only the class itself holds is left out. An entry of a class
of the user's own holds ``own``, the class's name, and ``attributes``, its ``__dict__`` as plain
values (plain.py). Objects are built without running a constructor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .. import catalogue
from ..arrays import Array
from ..settings import Check, is_activation, is_schedule
from .model_file import Document, Tensor, shown
from .plain import Encoder, Node, named, tensors_in, value_of

KINDS = {"layer": ("layer", "activation")}  # which kinds of classes stand where; else the same
SAVE_PARAMETERS = "save_parameters keeps the weights and biases of any model"
# What passes and models leave on any part, unless it is a number or text of the user's own.
LEFT_BY_A_PASS = ("inputs", "output", "dinputs", "prev", "next", "trainable_layers")
LEFT_BY_OPTIMIZERS = frozenset({"optimizer_token", "optimizer_steps"})  # on layers
# What the package's bases put on their objects beside the settings.
LEFT_BY_BASES: dict[str, frozenset[str]] = {
    "loss": frozenset({"accumulated_sum", "accumulated_count"}),
    "accuracy": frozenset({"accumulated_sum", "accumulated_count"}),
    "optimizer": frozenset({"token", "told_of_another_model", "current_weight_decay"}),
}
# Settings that are parts themselves: the check that names one, and its kind.
INNER: dict[Check, str] = {is_schedule: "schedule", is_activation: "activation"}
Custom = Mapping[str, type]


def own_classes(kind: str) -> list[type[catalogue.Part]]:
    """Return the package's classes that may stand where a layer, loss, ... is expected."""
    return [each for found in KINDS.get(kind, (kind,)) for each in catalogue.classes(found)]


def require(check: Check, value: Any, where: str) -> Any:
    """Return the value, or refuse it in the words of the check's docstring."""
    if not check(value):
        expected = str(check.__doc__).rstrip(".")
        raise ValueError(
            f"{where}: expected {expected[0].lower()}{expected[1:]}, got {shown(value)}"
        )
    return value


# --- part -> entry ------------------------------------------------------------------------------


def describe_part(
    part: Any,
    kind: str,
    where: str,
    tensors: dict[str, Array],
    left_out: frozenset[str] = frozenset(),
) -> Document:
    """Return the entry of a layer, loss, optimizer, accuracy or schedule.

    `left_out` are attributes that a user's own class is described without.

    Raises
    ------
    TypeError
        A method put on the object, or attributes of a user's own class that are not plain.
    ValueError
        A setting that is out of range.
    """
    kept = getattr(part, "__dict__", {})
    for name, value in kept.items():
        if callable(value) and callable(getattr(type(part), name, None)):
            raise TypeError(
                f"save: {where}: expected the methods of {type(part).__name__}, got a {name} of "
                f"its own; {SAVE_PARAMETERS}"
            )
    if type(part) in own_classes(kind):
        return {"class": type(part).__name__, **describe_settings(part, where)}
    left_out |= LEFT_BY_OPTIMIZERS if kind == "layer" else frozenset()
    if isinstance(part, catalogue.Part):
        left_out |= LEFT_BY_BASES.get(kind, frozenset())
    left_out |= {name for name in LEFT_BY_A_PASS if is_left_by_a_pass(kept.get(name))}
    return describe_own(part, where, tensors, left_out)


def is_left_by_a_pass(value: Any) -> bool:
    return value is not None and not isinstance(value, str | bool | int | float)


def describe_settings(part: Any, where: str) -> Document:
    """Return the settings that a part of the package holds itself."""
    entry: Document = {}
    for field, check in type(part).settings.items():
        if field not in vars(part) and has_default(type(part), field):
            continue  # the class's own
        value = vars(part).get(field)
        if check in INNER and value is not None:
            value = describe_inner(value, INNER[check])
            if value is None:
                home = ".schedules" if check is is_schedule else ""
                raise TypeError(
                    f"save: {where}: {field}: expected {article(INNER[check])} of chainrule{home}, "
                    f"got {named(vars(part)[field])}; {SAVE_PARAMETERS}"
                )
        value = value.item() if isinstance(value, np.generic | np.ndarray) else value
        value = list(value) if isinstance(value, tuple) else value
        entry[field] = require(check, value, f"save: {where}: {field}")
    return entry


def has_default(known: type, name: str) -> bool:
    """Tell whether a class itself has a setting's value; a descriptor that guards it is none."""
    return hasattr(known, name) and not hasattr(getattr(known, name), "__set__")


def describe_schedule(value: Any) -> Node:
    """Return the entry of one of the package's schedules; None for anything else."""
    return describe_inner(value, "schedule")


def describe_inner(value: Any, kind: str) -> Node:
    """Return the entry of a part within a part; None for what is none of the package's."""
    return describe_part(value, kind, kind, {}) if type(value) in own_classes(kind) else None


def article(noun: str) -> str:
    """Return a noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def schedule_node(value: Any) -> Node:
    """Return a schedule as one of the plain values of an own class; None for anything else."""
    entry = describe_schedule(value)
    return None if entry is None else {"schedule": entry}


def describe_own(
    part: Any, where: str, tensors: dict[str, Array], left_out: frozenset[str]
) -> Document:
    """Return the entry of an object of a user's own class: its attributes as plain values."""
    name = type(part).__name__
    slots = [slot for each in type(part).__mro__ for slot in vars(each).get("__slots__", ())]
    if not hasattr(part, "__dict__") or set(slots) - {"__dict__", "__weakref__"}:
        raise TypeError(
            f"save: {where}: {name}: expected attributes in a __dict__, got __slots__; "
            f"{SAVE_PARAMETERS}"
        )
    encoder = Encoder(tensors, where, schedule_node)
    attributes: Document = {}
    for attribute, value in vars(part).items():
        if attribute in left_out:
            continue
        try:
            if attribute.startswith("__"):
                raise TypeError(f"{name}.{attribute}: expected a name without leading underscores")
            attributes[attribute] = encoder.node(value, f"{name}.{attribute}")
        except TypeError as error:
            raise TypeError(f"save: {where}: {error}; {SAVE_PARAMETERS}") from None
    return {"own": name, "attributes": attributes}


# --- entry -> part ------------------------------------------------------------------------------


def class_named(name: Any, kind: str, where: str) -> type[catalogue.Part]:
    """Return the class that the file names, if the package has it."""
    for known in own_classes(kind):
        if known.__name__ == name:
            return known
    raise ValueError(f"{where}: expected {article(kind)} class of chainrule, got {shown(name)}")


def check_part(entry: Any, kind: str, where: str, more: Mapping[str, Check]) -> None:
    """Refuse an unknown class of the package, missing and unknown fields, values out of range.

    `more` are the fields that the entry holds beside its settings.
    """
    known = class_named(entry.get("class"), kind, where)
    optional = {name for name in known.settings if has_default(known, name)}
    fields = {**known.settings, **more}
    names = set(entry) - {"class"}
    wrong = (names - set(fields)) | (set(fields) - names - optional)
    if wrong:
        text = ", ".join(shown(name) for name in sorted(wrong))
        raise ValueError(f"{where}: {known.__name__}: expected its own settings; check {text}")
    for field in names:
        place = f"{where}: {known.__name__}: {field}"
        require(fields[field], entry[field], place)
        if fields[field] in INNER and entry[field] is not None:
            check_inner(entry[field], INNER[fields[field]], place)


def check_schedule(entry: Any, where: str) -> None:
    """Refuse what is no entry of one of the package's schedules."""
    check_inner(entry, "schedule", where)


def check_inner(entry: Any, kind: str, where: str) -> None:
    """Refuse what is no entry of one of the package's parts of a kind."""
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, got {shown(entry)}")
    check_part(entry, kind, where, {})


def check_schedule_node(node: Node, where: str) -> Iterator[tuple[str, Tensor]]:
    """Refuse a node of anything but a schedule; it has no tensors."""
    if set(node) != {"schedule"}:
        raise ValueError(f"{where}: expected a plain value, got {shown(node)}")
    check_schedule(node["schedule"], where)
    yield from ()


def check_own(
    entry: Document, where: str, more: Mapping[str, Check]
) -> Iterator[tuple[str, Tensor]]:
    """Check the entry of a user's own class; yield the tensors that its attributes promise."""
    if set(entry) != {"own", "attributes", *more} or not isinstance(entry["own"], str):
        wrong = ", ".join(shown(name) for name in sorted(set(entry) ^ {"own", "attributes", *more}))
        raise ValueError(f"{where}: expected a class and its attributes; check {wrong or 'own'}")
    for field, check in more.items():
        require(check, entry[field], f"{where}: {field}")
    if not isinstance(entry["attributes"], dict):
        raise ValueError(
            f"{where}: attributes: expected an object, got {shown(entry['attributes'])}"
        )
    for name, node in entry["attributes"].items():
        if name.startswith("__"):
            raise ValueError(f"{where}: expected attributes of an object, got {shown(name)}")
        yield from tensors_in(node, f"{where}: {name}", check_schedule_node)


def find_own(entry: Document, custom: Custom, where: str) -> type:
    """Return the user's class that an entry names, if it was given."""
    name = entry["own"]
    if name not in custom:
        call = name if name.isidentifier() and len(name) <= 60 else "..."
        raise ValueError(
            f"{where}: expected a class that was given, got {shown(name)}, a class of the user's "
            f"own; pass custom=[{call}] if you trust the file with it"
        )
    return custom[name]


def build_part(entry: Document, kind: str) -> Any:
    """Return an object of the package's class with the settings, its constructor not run."""
    known = class_named(entry["class"], kind, kind)
    part: Any = object.__new__(known)
    for field, check in known.settings.items():
        if field in entry:
            value = entry[field]
            if check in INNER and value is not None:
                value = build_part(value, INNER[check])
            setattr(part, field, tuple(value) if isinstance(value, list) else value)
    return part


def build_schedule(node: Node) -> Any:
    """Return the schedule of a checked node."""
    return build_part(node["schedule"], "schedule")


def build_own(
    known: type,
    entry: Document,
    tensors: dict[str, Array],
    where: str,
    attributes: Mapping[str, Any] | None = None,
) -> Any:
    """Return an object of a user's class with its attributes, its constructor not run.

    `attributes` are there before those of the entry are set.
    """
    part: Any = new_object(known, where)
    vars(part).update(attributes or {})
    for name, node in entry["attributes"].items():
        put(part, name, value_of(node, tensors, build_schedule), where)
    return part


def new_object(known: type, where: str) -> Any:
    """Return an empty object of a user's class."""
    try:
        return object.__new__(known)
    except TypeError as error:
        raise ValueError(f"{where}: {known.__name__}: cannot be built: {error}") from None


def put(part: Any, name: str, value: Any, where: str) -> None:
    """Set an attribute of a part; what its class refuses is wrong with the file."""
    try:
        setattr(part, name, value)
    except Exception as error:
        text = f"{where}: {type(part).__name__}: {name}: cannot be set: {error}"
        raise ValueError(text) from None
