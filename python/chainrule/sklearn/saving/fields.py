"""Kinds of attributes, and how each stands in a file: a node of JSON, and tensors.

Here are what they have in common, single values and lists; arrays.py has arrays and what else comes
from columns, objects.py nets and objects of known classes.

A field describes a value, checks a node, and builds the value again. `where` is the attribute's
place, ``members/0/encoding/medians``, which is also its tensor's name. Sizes have names: the first
field that mentions one fixes it, the others must agree; ``numbers+marked`` is the sum of two.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...arrays import Array
from ...saving.model_file import Tensor, shown
from ...saving.parts import Custom, require
from ...saving.plain import Encoder, tensors_in, value_of
from ...settings import Check

Node = Any
Scope = dict[str, Any]  # the sizes known so far
Promises = Iterator[tuple[str, Tensor]]


class Source(NamedTuple):
    """What values are built from beside nodes: the file's tensors, classes that were given."""

    tensors: dict[str, Array]
    custom: Custom


class Field(ABC):
    """A kind of attribute."""

    @abstractmethod
    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        """Return the node of a value; its arrays go to `tensors`."""

    @abstractmethod
    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        """Refuse a node with ValueError; yield the tensors that it promises."""

    @abstractmethod
    def build(self, node: Node, where: str, source: Source) -> Any:
        """Return the value of a checked node."""


def bind(scope: Scope, name: str, size: int, where: str) -> None:
    """Fix a size, or refuse one that is not what it was fixed to; "" is any."""
    if not name:
        return
    if "+" in name:
        wanted = sum(scope[each] for each in name.split("+"))
    else:
        wanted = scope.setdefault(name, size)
    if size != wanted:
        raise ValueError(f"{where}: expected {wanted} entries, got {size}")


def as_list(node: Node, where: str) -> list[Any]:
    """Return a node that is a list; refuse another one."""
    if not isinstance(node, list):
        raise ValueError(f"{where}: expected a list, got {shown(node)}")
    return node


class Plain(Field):
    """A number, text or truth value as it is; `size` is the name of the size that it is."""

    def __init__(self, is_right: Check, size: str = "") -> None:
        self.is_right, self.size = is_right, size

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        value = value.item() if isinstance(value, np.generic) else value
        return require(self.is_right, value, f"save: {where}")

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        require(self.is_right, node, where)
        bind(scope, self.size, node, where)
        yield from ()

    def build(self, node: Node, where: str, source: Source) -> Any:
        return node


class Cell(Field):
    """A text, truth value or number, also one that is not finite."""

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        value = value.item() if isinstance(value, np.generic) else value
        if type(value) not in (str, bool, int, float):
            raise TypeError(
                f"save: {where}: expected texts, truth values and numbers, got {value!r}, "
                f"a {type(value).__name__}"
            )
        return Encoder(tensors, where, lambda _: None).node(value, where)

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        special = isinstance(node, dict) and set(node) == {"float"}
        if not special and type(node) not in (str, bool, int, float):
            raise ValueError(f"{where}: expected a text or a number, got {shown(node)}")
        return tensors_in(node, where, lambda each, place: iter(()))

    def build(self, node: Node, where: str, source: Source) -> Any:
        return value_of(node, {}, lambda each: None)


class ListOf(Field):
    """A list, or a tuple, of values of one kind; sizes that one fixes do not bind the others."""

    def __init__(self, each: Field, size: str = "", kind: type = list) -> None:
        self.each, self.size, self.kind = each, size, kind

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        return [self.each.describe(one, f"{where}/{k}", tensors) for k, one in enumerate(value)]

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        bind(scope, self.size, len(as_list(node, where)), where)
        for k, one in enumerate(node):
            yield from self.each.check(one, f"{where}/{k}", dict(scope), custom)

    def build(self, node: Node, where: str, source: Source) -> Any:
        return self.kind(self.each.build(one, f"{where}/{k}", source) for k, one in enumerate(node))


class OrNone(Field):
    """A value, or None."""

    def __init__(self, field: Field) -> None:
        self.field = field

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        return None if value is None else self.field.describe(value, where, tensors)

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        return iter(()) if node is None else self.field.check(node, where, scope, custom)

    def build(self, node: Node, where: str, source: Source) -> Any:
        return None if node is None else self.field.build(node, where, source)


class Maybe(NamedTuple):
    """In a record: an attribute that may be absent."""

    field: Field
