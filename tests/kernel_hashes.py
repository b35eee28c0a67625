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

Array = np.ndarray[Any, Any]
Call = Callable[..., Any]

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
    for name in ("relu", "sigmoid", "tanh"):
        output = call(getattr(core, f"{name}_forward"), inputs)
        kept = inputs if name == "relu" else output
        yield name, [output, call(getattr(core, f"{name}_backward"), dvalues, kept)]
    yield "multiply", [call(core.multiply, inputs, dvalues)]
    yield "dropout", list(call(core.dropout_forward, inputs, 0.7, 2**60 + 3, 2**40 + 1))
    gradient = data((1, count), dtype, 7)
    call(core.regularize, gradient, inputs, 0.01, 0.02)
    yield "regularize", [gradient]


def updates(call: Call, dtype: Any, count: int) -> Iterator[tuple[str, list[Array]]]:
    def state() -> list[Array]:
        w, g, v, c = (data((1, count), dtype, stream) for stream in (8, 9, 10, 11))
        return [w, g, v, c * c]

    w, g, v, c = state()
    call(core.sgd_update, w, g, 0.1)
    yield "sgd", [w]
    for nesterov in (False, True):
        w, g, v, c = state()
        call(core.sgd_momentum_update, w, g, v, 0.1, 0.9, nesterov)
        yield f"momentum, nesterov {nesterov}", [w, v]
    w, g, v, c = state()
    call(core.adagrad_update, w, g, c, 0.1, 1e-7)
    yield "adagrad", [w, c]
    w, g, v, c = state()
    call(core.rmsprop_update, w, g, c, 0.1, 1e-7, 0.9)
    yield "rmsprop", [w, c]
    w, g, v, c = state()
    call(core.adam_update, w, g, v, c, 0.1, 0.9, 0.999, 0.271, 0.003, 1e-7, 0.001)
    yield "adam", [w, v, c]


def rows(call: Call, dtype: Any, shape: tuple[int, int]) -> Iterator[tuple[str, list[Array]]]:
    """Softmax and the losses: sums along rows."""
    n, m = shape
    inputs, dvalues = data(shape, dtype, 12), data(shape, dtype, 13)
    output = call(core.softmax_forward, inputs)
    yield "softmax", [output, call(core.softmax_backward, dvalues, output)]
    labels = np.arange(n, dtype=np.int64) % m
    share = call(core.sigmoid_forward, dvalues)
    for name in (
        "half_squared_error",
        "mean_squared_error",
        "mean_absolute_error",
        "binary_crossentropy",
        "categorical_crossentropy",
    ):
        forward, backward = getattr(core, f"{name}_forward"), getattr(core, f"{name}_backward")
        yield name, [call(forward, output, share), call(backward, output, share)]
    yield (
        "categorical_crossentropy, labels",
        [
            call(core.categorical_crossentropy_forward, output, labels),
            call(core.categorical_crossentropy_backward, output, labels),
        ],
    )
    for y_true in (labels, share):
        kind = "labels" if y_true is labels else "targets"
        yield (
            f"softmax_crossentropy, {kind}",
            [
                *call(core.softmax_crossentropy_forward, inputs, y_true),
                call(core.softmax_crossentropy_backward, output, y_true),
            ],
        )


def results(call: Call, large: bool) -> Iterator[tuple[str, list[Array]]]:
    """Name and result arrays of every function in both dtypes; ``large`` adds work for threads."""
    for dtype in (np.float32, np.float64):
        kind = np.dtype(dtype).name
        for shape in [*DENSE_SHAPES, *(LARGE if large else [])]:
            yield f"dense {shape} {kind}", dense(call, dtype, shape)
        for count in [*COUNTS, *([LARGE_COUNT] if large else [])]:
            for name, arrays in (*elementwise(call, dtype, count), *updates(call, dtype, count)):
                yield f"{name} {count} {kind}", arrays
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
