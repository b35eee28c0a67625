"""Constructor parameters <-> plain values: numbers, texts, lists, dicts, and parts of nets."""

from __future__ import annotations

from typing import Any

from ...catalogue import Part
from ...saving.model_file import Tensor, shown
from ...saving.parts import (
    Custom,
    build_own,
    build_part,
    check_own,
    check_part,
    class_named,
    describe_part,
    find_own,
    own_classes,
)
from ...saving.plain import Encoder, tensors_in, value_of
from ..settings import check_each
from .fields import Node, Promises

LEFT_OUT = ("callbacks",)  # they belong to a fit
# Parameters that may be parts of a net, or hold some: what stands there
KINDS = {
    "activation": "layer", "loss": "loss", "optimizer": "optimizer", "schedule": "schedule",
}  # fmt: skip


def describe_parameters(estimator: Any, tensors: dict[str, Any]) -> dict[str, Node]:
    """Return the nodes of an estimator's parameters.

    Raises
    ------
    TypeError
        One that is no plain setting and no part; says how to save without it.
    """
    found = {}
    for name, value in estimator.get_params(deep=False).items():
        if name in LEFT_OUT:
            continue
        where = f"parameters/{name}"

        def node_of(part: Any, name: str = name, where: str = where) -> Node:
            return part_node(part, KINDS.get(name, ""), f"{where}/part", tensors)

        try:
            found[name] = Encoder(tensors, where, node_of).node(value, name)
        except TypeError as error:
            text = f"save: {error}; set_params({name}=...) to a plain one before saving"
            raise TypeError(text) from None
    return found


def part_node(part: Any, kind: str, where: str, tensors: dict[str, Any]) -> Node:
    """Return the node of a part, or of an activation's class; None for anything else."""
    if isinstance(part, type):
        known = kind == "layer" and part in own_classes(kind)
        return {"type": part.__name__} if known else None
    own = kind in ("layer", "loss") and callable(getattr(part, "backward", None))
    if not kind or not (own or isinstance(part, Part)):
        return None
    return {"part": describe_part(part, kind, where, tensors)}


def check_parameters(nodes: Any, names: list[str], custom: Custom) -> Promises:
    """Refuse parameters that are not those of the class; yield the tensors that they promise."""
    if not isinstance(nodes, dict) or set(nodes) != set(names):
        raise ValueError(f"parameters: expected {', '.join(names)}, got {shown(nodes)}")
    for name, node in nodes.items():
        kind = KINDS.get(name, "")

        def check(node: Node, where: str, kind: str = kind) -> Promises:
            return check_node(node, kind, where, custom)

        yield from tensors_in(node, f"parameters/{name}", check)


def check_node(node: Node, kind: str, where: str, custom: Custom) -> Promises:
    """Check the node of a part; yield its tensors."""
    if not kind or set(node) not in ({"part"}, {"type"}):
        raise ValueError(f"{where}: expected a plain value, got {shown(node)}")
    if "type" in node:
        class_named(node["type"], kind, where)
        return
    entry = node["part"]
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, got {shown(entry)}")
    if "own" not in entry:
        check_part(entry, kind, where, {})
        return
    promises: list[tuple[str, Tensor]] = list(check_own(entry, where, {}))
    find_own(entry, custom, where)
    yield from promises


def build_parameters(
    nodes: dict[str, Node], tensors: dict[str, Any], custom: Custom
) -> dict[str, Any]:
    """Return the parameters of checked nodes."""
    found = {}
    for name, node in nodes.items():
        kind = KINDS.get(name, "")

        def build(node: Node, name: str = name, kind: str = kind) -> Any:
            if "type" in node:
                return class_named(node["type"], kind, name)
            entry = node["part"]
            if "own" in entry:
                return build_own(find_own(entry, custom, name), entry, tensors, name)
            return build_part(entry, kind)

        found[name] = value_of(node, tensors, build)
    return found


def check_values(estimator: Any, checks: Any) -> None:
    """Refuse parameters that a fit would refuse, as what is wrong with a file.

    Raises
    ------
    ValueError
        In the words of the check.
    """
    try:
        check_each(estimator, checks)
    except TypeError as error:
        raise ValueError(str(error)) from None
