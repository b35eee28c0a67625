"""Fields of arrays, and of what an estimator knows of columns: names, words, levels, labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...arrays import Array
from ...saving.model_file import Tensor, shown
from ...saving.parts import Custom, require
from ...saving.plain import value_of
from ...settings import is_count
from .fields import Cell, Field, Node, Promises, Scope, Source, as_list, bind

LARGEST_TEXT = 10_000_000  # characters of an array of texts, its longest entry times their number


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
