"""ONNX nodes of the layers that tables of rows and columns need, and of words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from .onnx_graph import CALLER, ML, Nodes
from .steps import Blend, Periodic, Tables


def columns(nodes: Nodes, x: str, first: int, last: int) -> str:
    """Add the columns from `first` up to `last`."""
    return nodes.op("Slice", x, *(np.array([each]) for each in (first, last, 1)))


def add_periodic(nodes: Nodes, step: Periodic, x: str) -> str:
    """Add periodic features; the angles as the core rounds them, their cosines in double."""
    count, _, mixed = step.weights.shape
    double, kind = nodes.onnx.TensorProto.DOUBLE, nodes.onnx_type
    numbers = columns(nodes, x, 0, count) if step.n_passed else x
    each = nodes.op("Unsqueeze", numbers, np.array([2]))
    turn = step.phases * step.phases.dtype.type(1 / (2 * math.pi))
    angles = nodes.op("Mul", nodes.op("Cast", each, to=double), step.frequencies.astype(np.float64))
    angles = nodes.op("Cast", nodes.op("Add", angles, turn.astype(np.float64)), to=kind)
    angles = nodes.op("Mul", nodes.op("Cast", angles, to=double), np.array(2 * math.pi))
    waves = nodes.op("Cast", nodes.op("Cos", angles), to=kind)  # (n, count, k)
    waves = nodes.op("Transpose", waves, perm=[1, 0, 2])
    features = nodes.op("Add", nodes.op("MatMul", waves, step.weights), step.biases[:, None])
    features = nodes.op("Transpose", features, perm=[1, 0, 2])
    features = nodes.op("Concat", features, each, axis=2)
    features = nodes.op("Reshape", features, np.array([0, count * (mixed + 1)]))
    if not step.n_passed:
        return features
    passed = columns(nodes, x, count, count + step.n_passed)
    return nodes.op("Concat", features, passed, axis=1)


def add_tables(nodes: Nodes, step: Tables, x: str) -> str:
    """Add the rows of the tables in place of codes."""
    count, width = len(step.sizes), step.weights.shape[1]
    codes = columns(nodes, x, step.n_passed, step.n_passed + count)
    codes = nodes.op("Cast", codes, to=nodes.onnx.TensorProto.INT64)
    begins = np.concatenate([[0], np.cumsum(step.sizes)[:-1]]).astype(np.int64)
    rows = nodes.op("Gather", step.weights, nodes.op("Add", codes, begins), axis=0)
    rows = nodes.op("Reshape", rows, np.array([0, count * width]))
    if not step.n_passed:
        return rows
    return nodes.op("Concat", columns(nodes, x, 0, step.n_passed), rows, axis=1)


def add_blend(nodes: Nodes, step: Blend, x: str) -> str:
    """Add a parametric activation."""
    activated = nodes.activation(step.name, step.parameters, x)
    plain = nodes.op("Mul", x, 1 - step.shares)
    return nodes.op("Add", plain, nodes.op("Mul", activated, step.shares))


def add_levels(nodes: Nodes, place: int, texts: list[str], inputs: Array) -> str:
    """Add the inputs of column `place` of ``words``: a row a level, the last for all else."""
    cells = columns(nodes, "words", place, place + 1)
    cells = nodes.op("Squeeze", cells, np.array([1]))
    if not texts:  # a column without a level: every cell is missing
        texts, inputs = [""], inputs[[-1, -1]]
    codes = nodes.op(
        "LabelEncoder", cells, domain=ML, keys_strings=texts,
        values_int64s=list(range(len(texts))), default_int64=len(texts),
    )  # fmt: skip
    return nodes.op("Gather", np.ascontiguousarray(inputs), codes, axis=0)


def texts_of(levels: list[Any], name: str) -> list[str]:
    """Return the levels of a column of words as texts.

    Raises
    ------
    ValueError
        Two have the same, or one has none, which is what a missing cell has.
    """
    texts = [str(level) for level in levels]
    for place, text in enumerate(texts):
        if not text or text in texts[:place]:
            raise ValueError(
                f"{CALLER}: column {name!r}: expected levels with different texts, got "
                f"{levels[place]!r}"
            )
    return texts
