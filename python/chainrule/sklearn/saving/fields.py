"""Kinds of attributes, and how each stands in a file: a node of JSON, and tensors.

A field describes a value, checks a node, and builds the value again. `where` is the attribute's
place, ``members/0/encoding/medians``, which is also its tensor's name. Sizes have names: the first
field that mentions one fixes it, the others must agree; ``numbers+marked`` is the sum of two.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...arrays import Array
from ...model import Model
from ...saving.architecture import describe_model
from ...saving.model_file import FORMAT, VERSION, Tensor, check_version, shown
from ...saving.parts import Custom, require
from ...saving.plain import Encoder, tensors_in, value_of
from ...saving.saving import finished_model, promised
from ...settings import Check, is_count
from ...stack import check_part

Node = Any
Scope = dict[str, Any]  # the sizes known so far
Promises = Iterator[tuple[str, Tensor]]

LARGEST_TEXT = 10_000_000  # characters of an array of texts, its longest entry times their number


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


# --- single values and lists ----------------------------------------------------------------------


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


# --- arrays ---------------------------------------------------------------------------------------


class Floats(Field):
    """An array of floats with named sizes; as_list: a list of Python floats in the object."""

    def __init__(self, *sizes: str, dtype: str = "float64", as_list: bool = False) -> None:
        self.sizes, self.dtype, self.as_list = sizes, dtype, as_list

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        array = np.require(value, dtype=self.dtype, requirements=["C", "A"])
        if array.ndim != len(self.sizes):
            raise ValueError(f"save: {where}: expected rank {len(self.sizes)}, got {array.shape}")
        tensors[where] = array
        return list(array.shape)

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        if len(as_list(node, where)) != len(self.sizes):
            raise ValueError(f"{where}: expected {len(self.sizes)} sizes, got {shown(node)}")
        for name, size in zip(self.sizes, node, strict=True):
            bind(scope, name, require(is_count, size, where), where)
        yield where, Tensor(self.dtype, tuple(node))

    def build(self, node: Node, where: str, source: Source) -> Any:
        array = source.tensors[where]
        return array.tolist() if self.as_list else array


class FloatsOfLevels(Field):
    """A list of float32 arrays (levels + 1, width), one for each column of words."""

    ROW = Floats("rows", "", dtype="float32")

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        return [self.ROW.describe(one, f"{where}/{k}", tensors) for k, one in enumerate(value)]

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        bind(scope, "words", len(as_list(node, where)), where)
        for k, (one, count) in enumerate(zip(node, scope["levels"], strict=True)):
            yield from self.ROW.check(one, f"{where}/{k}", {"rows": count + 1}, custom)

    def build(self, node: Node, where: str, source: Source) -> Any:
        return [source.tensors[f"{where}/{k}"] for k in range(len(node))]


class Ints(Field):
    """An array (size,) of ints from 0; below the size `below`, if that is named."""

    def __init__(self, size: str, below: str = "") -> None:
        self.size, self.below = size, below

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        return np.asarray(value).tolist()

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        bind(scope, self.size, len(as_list(node, where)), where)
        for each in node:
            require(is_count, each, where)
            if self.below and each >= scope[self.below]:
                raise ValueError(f"{where}: expected ints below {scope[self.below]}, got {each}")
        yield from ()

    def build(self, node: Node, where: str, source: Source) -> Any:
        return np.array(node, dtype=np.int64)


class WordMask(Field):
    """Which of the columns hold words (d,); fixes the sizes `numbers` and `words`."""

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        return np.asarray(value).tolist()

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        bind(scope, "columns", len(as_list(node, where)), where)
        if not all(type(each) is bool for each in node):
            raise ValueError(f"{where}: expected true and false, got something else")
        bind(scope, "words", sum(node), where)
        bind(scope, "numbers", len(node) - sum(node), where)
        yield from ()

    def build(self, node: Node, where: str, source: Source) -> Any:
        return np.array(node, dtype=np.bool_)


class Levels(Field):
    """The levels of each column of words, different ones; fixes their counts."""

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        return [
            [Cell().describe(each, f"{where}/{k}", tensors) for each in levels]
            for k, levels in enumerate(value)
        ]

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        bind(scope, "words", len(as_list(node, where)), where)
        for k, levels in enumerate(node):
            place = f"{where}/{k}"
            for each in as_list(levels, place):
                yield from Cell().check(each, place, scope, custom)
            found = self._built(levels)
            if len(set(found)) != len(found) or any(each != each for each in found):
                raise ValueError(f"{place}: expected different levels, got one twice")
        scope["levels"] = [len(levels) for levels in node]

    def _built(self, levels: list[Node]) -> list[Any]:
        return [value_of(each, {}, lambda part: None) for each in levels]

    def build(self, node: Node, where: str, source: Source) -> Any:
        return [self._built(levels) for levels in node]


class Texts(Field):
    """A list of texts, or (in_array) an array of objects."""

    def __init__(self, size: str, in_array: bool = False) -> None:
        self.size, self.in_array = size, in_array

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        return [str(each) for each in value]

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        bind(scope, self.size, len(as_list(node, where)), where)
        if not all(isinstance(each, str) for each in node):
            raise ValueError(f"{where}: expected texts, got something else")
        yield from ()

    def build(self, node: Node, where: str, source: Source) -> Any:
        return np.array(node, dtype=object) if self.in_array else list(node)


class LabelArray(Field):
    """Sorted labels (K,): an array of texts, objects that are texts, ints, bools or floats."""

    KINDS: Mapping[str, tuple[type, ...]] = {
        "U": (str,), "O": (str,), "b": (bool,), "i": (int,), "u": (int,), "f": (int, float),
    }  # fmt: skip

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        dtype, entries = value.dtype.newbyteorder("="), value.tolist()
        if dtype.kind not in self.KINDS or not self._fit(entries, dtype.kind):
            raise TypeError(
                f"save: {where}: expected labels that are texts, ints, truth values or floats, "
                f"got {value.dtype} with {entries[0]!r}"
            )
        return {"dtype": dtype.str.lstrip("<>=|"), "values": entries}

    def _fit(self, entries: list[Any], kind: str) -> bool:
        return all(type(each) in self.KINDS[kind] for each in entries)

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        if not isinstance(node, dict) or set(node) != {"dtype", "values"}:
            raise ValueError(f"{where}: expected dtype and values, got {shown(node)}")
        labels = self._array(node, where)
        if not len(labels) or any(labels[1:] <= labels[:-1]) or any(labels != labels):
            raise ValueError(f"{where}: expected labels in ascending order, each once")
        bind(scope, "classes", len(labels), where)
        yield from ()

    def _array(self, node: Node, where: str) -> Array:
        """Return the labels; refuse those that do not fit their dtype."""
        name, entries = node["dtype"], as_list(node["values"], where)
        kind, digits = (name[:1], name[1:]) if isinstance(name, str) else ("", "")
        plain = digits.isascii() and digits.isdecimal() and len(digits) < 9
        known = kind in self.KINDS and (plain or name == "O") and kind + digits == name
        if not known or (kind == "O") != (not digits) or not self._fit(entries, kind):
            raise ValueError(f"{where}: expected labels of one dtype, got {shown(name)}")
        if kind == "U":
            width = int(digits)
            if width * len(entries) > LARGEST_TEXT or max(map(len, entries), default=0) > width:
                raise ValueError(f"{where}: expected texts that fit {shown(name)}")
        try:
            labels: Array = np.array(entries, dtype=name)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{where}: expected labels of {shown(name)}: {error}") from None
        if labels.tolist() != entries:
            raise ValueError(f"{where}: expected labels that {shown(name)} holds")
        return labels

    def build(self, node: Node, where: str, source: Source) -> Any:
        return self._array(node, where)


# --- objects --------------------------------------------------------------------------------------


class Net(Field):
    """A `Model`: its document as a file of its own would have it, with that file's tensors."""

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        document, found = describe_model(value, Model)
        tensors.update({f"{where}/{name}": array for name, array in found.items()})
        return {"format": FORMAT, "version": VERSION, **document}

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        if not isinstance(node, dict):
            raise ValueError(f"{where}: expected an object, got {shown(node)}")
        try:
            check_version(node)
            found = promised(node, custom)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        for name, tensor in found.items():
            yield f"{where}/{name}", tensor

    def build(self, node: Node, where: str, source: Source) -> Any:
        begin = f"{where}/"
        arrays = {
            name.removeprefix(begin): array
            for name, array in source.tensors.items()
            if name.startswith(begin)
        }
        return finished_model(node, arrays, Model, check_part, source.custom)


class Record(Field):
    """An object of a known class: its attributes, each with its field.

    Parameters
    ----------
    kind : type
        A NamedTuple is called, another class's object gets its attributes without a constructor.
    fields : mapping
        Attribute -> field, in an order in which sizes are fixed before they are added up.
    finish : callable, optional
        Sets what follows from the attributes, and refuses what does not go together.
    """

    def __init__(
        self,
        kind: type,
        fields: Mapping[str, Field | Maybe],
        finish: Callable[[Any], None] | None = None,
    ) -> None:
        self.kind, self.finish = kind, finish
        self.fields = {
            name: field.field if isinstance(field, Maybe) else field
            for name, field in fields.items()
        }
        self.optional = {name for name, field in fields.items() if isinstance(field, Maybe)}

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        begin = f"{where}/" if where else ""
        return {
            name: field.describe(getattr(value, name), f"{begin}{name}", tensors)
            for name, field in self.fields.items()
            if name not in self.optional or hasattr(value, name)
        }

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        if not isinstance(node, dict):
            raise ValueError(f"{where}: expected an object, got {shown(node)}")
        wrong = (set(node) - set(self.fields)) | (set(self.fields) - self.optional - set(node))
        if wrong:
            text = ", ".join(shown(name) for name in sorted(wrong))
            raise ValueError(
                f"{where or 'fitted'}: expected what a {self.kind.__name__} has; check {text}"
            )
        begin = f"{where}/" if where else ""
        for name, field in self.fields.items():
            if name in node:
                yield from field.check(node[name], f"{begin}{name}", scope, custom)

    def attributes(self, node: Node, where: str, source: Source) -> dict[str, Any]:
        """Return the attributes of a checked node."""
        begin = f"{where}/" if where else ""
        return {
            name: self.fields[name].build(node[name], f"{begin}{name}", source)
            for name in self.fields
            if name in node
        }

    def build(self, node: Node, where: str, source: Source) -> Any:
        found = self.attributes(node, where, source)
        if issubclass(self.kind, tuple):
            made: Any = self.kind(**found)
        else:
            made = object.__new__(self.kind)
            vars(made).update(found)
        if self.finish is not None:
            self.finish(made)
        return made
