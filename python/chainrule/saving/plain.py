"""Plain values <-> JSON: what the attributes of a user's own class may be.

Numbers, texts, bools and None stand for themselves; what JSON does not tell apart is an object with
one name: ``{"tuple": [...]}``, ``{"list": [...]}``, ``{"dict": [[key, value], ...]}``,
``{"float": "nan"}``. Any other name is that of a part, ``{"schedule": {...}}``, which whoever calls
knows. Arrays of float32 and float64 are tensors of the
file, ``{"tensor": name, "dtype": ..., "shape": [...]}``; small ones of ints and bools stand in
place, ``{"array": [...], "dtype": ..., "shape": [...]}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..arrays import Array
from .model_file import LARGEST_RANK, Tensor, shown

Node = Any
WORDS = "numbers, texts, bools, None, lists, tuples and dicts of them, real arrays"
LARGEST_INLINE = 10_000  # entries of an int or bool array, which the document holds itself
INLINE_DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip
TENSOR_DTYPES = ("float32", "float64")
SPECIAL_FLOATS = ("nan", "inf", "-inf")

Describe = Callable[[Any], Node]
Check = Callable[[Any, str], Iterable[tuple[str, Tensor]]]


class Encoder:
    """Turns values into nodes; arrays go to `tensors` under ``<prefix>/<number>``.

    `describe` gives the node of a part, None for anything else.
    """

    def __init__(self, tensors: dict[str, Array], prefix: str, describe: Describe) -> None:
        self.tensors, self.prefix, self.describe = tensors, prefix, describe
        self.count = 0

    def node(self, value: Any, where: str, depth: int = 0) -> Node:
        """Return the node of a value.

        Raises
        ------
        TypeError
            The value, or one in it, is not plain; says which.
        """
        if depth > 50:
            raise TypeError(f"{where}: expected plain settings, got some nested too deep")
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if type(value) in (list, tuple):
            nodes = [
                self.node(each, f"{where}[{index}]", depth + 1) for index, each in enumerate(value)
            ]
            return {type(value).__name__: nodes}
        if type(value) is dict:
            pairs = [
                [self.key(key, where), self.node(each, f"{where}[{key!r}]", depth + 1)]
                for key, each in value.items()
            ]
            return {"dict": pairs}
        if type(value) in (np.ndarray, np.memmap):
            return self.array(np.asarray(value), where)
        described = self.describe(value)
        if described is None:
            raise TypeError(f"{where}: expected plain settings ({WORDS}), got {named(value)}")
        return described

    def key(self, value: Any, where: str) -> Node:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float and math.isfinite(value):
            return value
        raise TypeError(f"{where}: expected keys that are texts or numbers, got {named(value)}")

    def array(self, value: Array, where: str) -> Node:
        name = value.dtype.newbyteorder("=").name
        shape = list(value.shape)
        if len(shape) > LARGEST_RANK:
            raise TypeError(f"{where}: expected at most {LARGEST_RANK} dimensions, got {shape}")
        if name in TENSOR_DTYPES:
            tensor = f"{self.prefix}/{self.count}"
            self.count += 1
            self.tensors[tensor] = np.require(value, dtype=name, requirements=["C", "A"])
            return {"tensor": tensor, "dtype": name, "shape": shape}
        if name not in INLINE_DTYPES:
            raise TypeError(f"{where}: expected an array of float32 or float64, got {value.dtype}")
        if value.size > LARGEST_INLINE:
            raise TypeError(
                f"{where}: expected at most {LARGEST_INLINE} entries of {value.dtype}, got "
                f"{value.size}; as float64 there is no limit"
            )
        return {"array": value.ravel().tolist(), "dtype": name, "shape": shape}


def named(value: Any) -> str:
    """Return the class of a value that cannot be kept."""
    return f"a {type(value).__name__}" if not isinstance(value, type) else f"the class {value!r}"


def tensors_in(node: Node, where: str, check: Check) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that a node promises, after checking it; `check` does so for a part.

    Raises
    ------
    ValueError
        It is no node.
    """
    if node is None or isinstance(node, bool | int | float | str):
        return
    if not isinstance(node, dict) or not node:
        raise ValueError(f"{where}: expected a plain value, got {shown(node)}")
    if set(node) == {"tensor", "dtype", "shape"}:
        check_shape(node, TENSOR_DTYPES, where)
        yield str(node["tensor"]), Tensor(node["dtype"], tuple(node["shape"]))
    elif set(node) == {"array", "dtype", "shape"}:
        check_shape(node, INLINE_DTYPES, where)
        check_entries(node, where)
    elif set(node) == {"float"} and node["float"] in SPECIAL_FLOATS:
        return
    elif set(node) in ({"list"}, {"tuple"}) and isinstance(next(iter(node.values())), list):
        for each in next(iter(node.values())):
            yield from tensors_in(each, where, check)
    elif set(node) == {"dict"} and isinstance(node["dict"], list):
        for pair in node["dict"]:
            simple = isinstance(pair, list) and len(pair) == 2
            if not simple or isinstance(pair[0], list | dict):
                raise ValueError(f"{where}: expected pairs of key and value, got {shown(pair)}")
            yield from tensors_in(pair[1], where, check)
    else:
        yield from check(node, where)


def check_shape(node: dict[str, Any], dtypes: tuple[str, ...], where: str) -> None:
    """Refuse a node of an array with another dtype, or with sizes that are none."""
    shape = node["shape"]
    if not isinstance(node["dtype"], str) or node["dtype"] not in dtypes:
        raise ValueError(
            f"{where}: dtype: expected {', '.join(dtypes)}, got {shown(node['dtype'])}"
        )
    sizes = isinstance(shape, list) and len(shape) <= LARGEST_RANK
    if not sizes or not all(type(size) is int and 0 <= size < 2**63 for size in shape):
        raise ValueError(f"{where}: shape: expected sizes of at least 0, got {shown(shape)}")
    if "tensor" in node and not isinstance(node["tensor"], str):
        raise ValueError(f"{where}: tensor: expected a name, got {shown(node['tensor'])}")


def check_entries(node: dict[str, Any], where: str) -> None:
    """Refuse entries that are not those of an array of this dtype and shape."""
    entries, dtype = node["array"], np.dtype(node["dtype"])
    if not isinstance(entries, list) or len(entries) != math.prod(node["shape"]):
        raise ValueError(f"{where}: expected {math.prod(node['shape'])} entries, got another count")
    wanted = bool if dtype.kind == "b" else int
    least, most = (0, 1) if wanted is bool else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    for entry in entries:
        if type(entry) is not wanted or not least <= entry <= most:
            raise ValueError(f"{where}: expected entries of {dtype}, got {shown(entry)}")


def value_of(node: Node, tensors: dict[str, Array], build: Callable[[Any], Any]) -> Any:
    """Return the value of a node that `tensors_in` has passed; `build` makes a part."""
    if not isinstance(node, dict):
        return node
    if "tensor" in node:
        return tensors[node["tensor"]]
    if "array" in node:
        return np.array(node["array"], dtype=node["dtype"]).reshape(node["shape"])
    ((form, inner),) = node.items()
    if form == "float":
        return float(inner)
    if form == "dict":
        return {key: value_of(each, tensors, build) for key, each in inner}
    if form not in ("list", "tuple"):
        return build(node)
    values = [value_of(each, tensors, build) for each in inner]
    return tuple(values) if form == "tuple" else values
