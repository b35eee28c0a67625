"""Every function of ``_core`` on fixed data; as a program it prints the hashes of the results.

    CHAINRULE_TARGET=x86_64_v3 python tests/kernel_hashes.py

prints one JSON object, name -> SHA-256; with the argument ``large`` also of larger shapes. Equal
hashes mean equal bits. The data come from integer arithmetic and exact divisions alone, so that
they are the same on every machine.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule import _core as core
from part_cases import numbers_for

Array = np.ndarray[Any, Any]
Call = Callable[..., Any]

CATALOGUE = core.catalogue()
SETTINGS = {"epsilon": 1e-7, "beta_2": 0.999, "epsilon_hat": 0.0}  # of rules; others are 0.9

DENSE_SHAPES = [
    (1, 1, 1),
    (5, 3, 17),
    (33, 65, 17),
    (67, 45, 67),
    (130, 257, 33),
    (300, 64, 10),
    (150, 70, 150),
]
LARGE = [(303, 257, 129), (37, 784, 1030), (5, 1500, 700), (513, 70, 65)]  # work for threads
# samples, periodic columns, columns that pass, frequencies, mixtures
PERIODIC_SHAPES = [(1, 1, 0, 1, 1), (37, 17, 3, 16, 3), (901, 3, 1, 5, 2)]
LARGE_PERIODIC = (3001, 40, 5, 16, 3)
COUNTS = [1, 15, 67, 10007]
LARGE_COUNT = 120_011
MATRICES = [(1, 1), (5, 3), (33, 10), (67, 65), (2003, 130)]


def data(shape: tuple[int, ...], dtype: Any, stream: int, scale: float = 4.0) -> Array:
    """Numbers in [-scale, scale) from the multiplicative generator of Knuth (MMIX)."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(stream << 32)
    word = index * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    word = (word ^ (word >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    unit = (word >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1
    return (scale * unit).astype(dtype).reshape(shape)


def dense(call: Call, dtype: Any, shape: tuple[int, int, int]) -> list[Array]:
    n, d, m = shape
    inputs, weights = data((n, d), dtype, 1), data((d, m), dtype, 2)
    biases, dvalues = data((1, m), dtype, 3), data((n, m), dtype, 4)
    return [
        call(core.dense_forward, inputs, weights, biases),
        *call(core.dense_backward, inputs, dvalues, weights),
    ]


def elementwise(call: Call, dtype: Any, count: int) -> Iterator[tuple[str, list[Array]]]:
    inputs, dvalues = data((1, count), dtype, 5, 30.0), data((1, count), dtype, 6)
    for row in CATALOGUE["activations"]:
        if not row["rows"]:
            name, numbers = row["name"], numbers_for(row, count)
            output = call(getattr(core, f"{name}_forward"), inputs, *numbers)
            saved = inputs if row["needs_inputs"] else output
            yield name, [output, call(getattr(core, f"{name}_backward"), dvalues, saved, *numbers)]
    yield "multiply", [call(core.multiply, inputs, dvalues)]
    yield "dropout", list(call(core.dropout_forward, inputs, 0.7, 2**60 + 3, 2**40 + 1))
    gradient = data((1, count), dtype, 7)
    call(core.regularize, gradient, inputs, 0.01, 0.02)
    yield "regularize", [gradient]
    yield "sum", [np.array([call(core.sum, inputs)])]


def periodic(call: Call, dtype: Any, shape: tuple[int, ...]) -> list[Array]:
    n, p, q, k, m = shape
    inputs, dvalues = data((n, p + q), dtype, 14), data((n, p * (m + 1) + q), dtype, 15)
    parameters = [
        data(each, dtype, 16 + stream)
        for stream, each in enumerate(((p, k), (p, k), (p, k, m), (p, m)))
    ]
    return [
        call(core.periodic_forward, inputs, *parameters, q),
        *call(core.periodic_backward, inputs, dvalues, *parameters, q),
    ]


def embedding(call: Call, dtype: Any, count: int) -> list[Array]:
    """Two numbers and codes of three tables."""
    sizes, width = (1, 7, 40), 8
    codes = np.arange(3 * count).reshape(count, 3) * 2654435761 % 1000003 % sizes
    inputs = np.concatenate([data((count, 2), dtype, 20), codes.astype(dtype)], axis=1)
    weights, dvalues = data((48, width), dtype, 21), data((count, 2 + 24), dtype, 22)
    return [
        call(core.embedding_forward, inputs, weights, sizes, 2),
        *call(core.embedding_backward, inputs, dvalues, weights, sizes, 2),
    ]


def parametric(call: Call, dtype: Any, shape: tuple[int, int]) -> list[Array]:
    inputs, activated, dvalues, through = (data(shape, dtype, 23 + k) for k in range(4))
    weights = data((1, shape[1]), dtype, 27)
    return [
        call(core.parametric_forward, inputs, activated, weights),
        *call(core.parametric_backward, dvalues, through, inputs, activated, weights),
    ]


def updates(call: Call, dtype: Any, count: int) -> Iterator[tuple[str, list[Array]]]:
    """The third step of each rule, with weight decay."""
    for row in CATALOGUE["rules"]:
        w, g, *states = (data((1, count), dtype, 8 + k) for k in range(2 + len(row["states"])))
        for name, state in zip(row["states"], states, strict=True):
            if name != "momentums":
                state *= state
        settings = tuple(SETTINGS.get(name, 0.9) for name in row["parameters"])
        call(core.update, row["name"], ((w, g, tuple(states), 0.1, 0.001, 3, settings),))
        yield f"update {row['name']}", [w, *states]


def rows(call: Call, dtype: Any, shape: tuple[int, int]) -> Iterator[tuple[str, list[Array]]]:
    """Softmax and the losses: sums along rows."""
    n, m = shape
    inputs, dvalues = data(shape, dtype, 12), data(shape, dtype, 13)
    output = call(core.softmax_forward, inputs)
    yield "softmax", [output, call(core.softmax_backward, dvalues, output)]
    labels = np.arange(n, dtype=np.int64) % m
    for row in CATALOGUE["losses"]:
        targets = targets_of(call, row, dvalues)
        for kind, y_true in (("targets", targets), ("labels", labels)):
            if kind == "targets" or row["labels"]:
                yield f"{row['name']}, {kind}", losses(call, row, inputs, output, y_true)


def targets_of(call: Call, row: dict[str, Any], values: Array) -> Array:
    """Targets that a loss takes."""
    if row["domain"] == "signs":
        targets = np.where(values > 0, 1, -1).astype(values.dtype)
    elif row["domain"] == "real":
        targets = values
    else:
        targets = call(core.sigmoid_forward, values)
    return np.ascontiguousarray(targets[:, :1]) if row["one_target"] else targets


def losses(
    call: Call, row: dict[str, Any], inputs: Array, output: Array, y_true: Array
) -> list[Array]:
    """Of logits where the loss is joined with its activation, else of shares."""
    forward, backward = (getattr(core, f"{row['name']}_{way}") for way in ("forward", "backward"))
    numbers = numbers_for(row, inputs.shape[1])
    if row["joins"]:
        found = list(call(forward, inputs, y_true, *numbers))
        return [*found, call(backward, found[0], y_true, *numbers)]
    return [call(forward, output, y_true, *numbers), call(backward, output, y_true, *numbers)]


def results(call: Call, large: bool) -> Iterator[tuple[str, list[Array]]]:
    """Name and result arrays of every function in both dtypes; ``large`` adds work for threads."""
    for dtype in (np.float32, np.float64):
        kind = np.dtype(dtype).name
        for shape in [*DENSE_SHAPES, *(LARGE if large else [])]:
            yield f"dense {shape} {kind}", dense(call, dtype, shape)
        for count in [*COUNTS, *([LARGE_COUNT] if large else [])]:
            for name, arrays in (*elementwise(call, dtype, count), *updates(call, dtype, count)):
                yield f"{name} {count} {kind}", arrays
        for shape in [*PERIODIC_SHAPES, *([LARGE_PERIODIC] if large else [])]:
            yield f"periodic {shape} {kind}", periodic(call, dtype, shape)
        for count in [*COUNTS, *([LARGE_COUNT] if large else [])]:
            yield f"embedding {count} {kind}", embedding(call, dtype, count)
        for matrix in [*MATRICES, *([(15011, 40)] if large else [])]:
            yield f"parametric {matrix} {kind}", parametric(call, dtype, matrix)
        for matrix in [*MATRICES, *([(15011, 10)] if large else [])]:
            for name, arrays in rows(call, dtype, matrix):
                yield f"{name} {matrix} {kind}", arrays


def directly(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def hashes(call: Call = directly, large: bool = False) -> dict[str, str]:
    """``call(function, *arguments)`` makes each call."""
    found = {}
    for name, arrays in results(call, large):
        digest = hashlib.sha256()
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        found[name] = digest.hexdigest()
    return found


if __name__ == "__main__":
    found = hashes(large="large" in sys.argv)
    json.dump({"target": core.cpu_target(), "hashes": found}, sys.stdout)
