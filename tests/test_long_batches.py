"""Gradients over many samples keep float32's accuracy: the error stays within 1e-6 sum |a| |b|.

The bound does not grow with the number of samples. Expected values are sums in float64 of the
very same float32 numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core as core
from plan_cases import going

Array = np.ndarray[Any, Any]

SHARE = 1e-6
COUNTS = (1, 47, 48, 49, 96, 383, 384, 385, 3072, 3073, 30_000, 250_000)


def share_of_magnitudes(actual: Array, a: Array, b: Array) -> float:
    """The largest error of ``a^T . b``, in shares of ``|a|^T . |b|``."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    magnitude = np.abs(wide_a).T @ np.abs(wide_b)
    return float((np.abs(actual - wide_a.T @ wide_b) / magnitude).max())


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("d, m", [(3, 5), (70, 65)])  # read in place, packed
def test_layers_keep_the_accuracy_of_long_sums(n: int, d: int, m: int) -> None:
    if n > 30_000 and d > 3:
        n = 30_000
    rng = np.random.default_rng(n)
    inputs = rng.uniform(0.5, 1.0, (n, d)).astype(np.float32)
    dvalues = rng.uniform(0.5, 1.0, (n, m)).astype(np.float32)
    dweights, dbiases, _ = core.dense_backward(inputs, dvalues, np.zeros((d, m), np.float32))
    ones = np.ones((n, 1), np.float32)
    assert share_of_magnitudes(dweights, inputs, dvalues) <= SHARE
    assert share_of_magnitudes(dbiases, ones, dvalues) <= SHARE


@pytest.mark.parametrize("value", [1.0, 1.1, 1.3, 1.5, 1.9])
@pytest.mark.parametrize("n", [48, 64, 128, 384, 5_000, 100_000, 10_000_000])
def test_equal_values_add_up(n: int, value: float) -> None:
    """The worst case of a chain: every rounding goes the same way."""
    each = np.float32(value / n)
    dvalues = np.full((n, 1), each)
    column = np.ones((n, 1), np.float32)
    _, dbiases, _ = core.dense_backward(column, dvalues, np.zeros((1, 1), np.float32))
    exact = n * float(each)
    assert abs(float(dbiases[0, 0]) - exact) <= SHARE * exact


@pytest.mark.parametrize("engine", ["nano", "panels"])
@pytest.mark.parametrize("n", [48, 385, 3_073, 60_000])
def test_plans_keep_the_accuracy_of_long_sums(engine: str, n: int) -> None:
    """One step at rate 1 from zeros leaves minus the gradient."""
    rng = np.random.default_rng(n)
    X = rng.uniform(0.5, 1.0, (n, 4)).astype(np.float32)
    y = -rng.uniform(0.5, 1.0, (n, 3)).astype(np.float32)
    layer = cr.Layer_Dense(4, 3, dtype=np.float32)
    layer.weights[:] = 0
    model = cr.Model()
    model.add(layer)
    model.set(loss=cr.Loss_HalfSquaredError(), optimizer=cr.Optimizer_SGD(1.0))
    with going(engine):
        model.train(X, y, progress=False)
    dvalues = -y.astype(np.float64) * float(np.float32(1 / n))
    ones = np.ones((n, 1), np.float32)
    # one rounding more an entry: dvalues are rounded themselves
    bound = SHARE + float(np.finfo(np.float32).eps)
    assert share_of_magnitudes(-layer.weights, X, dvalues) <= bound
    assert share_of_magnitudes(-layer.biases, ones, dvalues) <= bound


@pytest.mark.parametrize("engine", ["nano", "panels"])
@pytest.mark.parametrize("n", [48, 49, 768, 769, 3_073, 60_000, 1_000_000])
def test_plans_keep_the_accuracy_of_long_sums_of_factors(engine: str, n: int) -> None:
    """The gradient of a column's factor; `dvalues` times one weight is what is summed."""
    rng = np.random.default_rng(n)
    X = rng.uniform(0.5, 1.0, (n, 5)).astype(np.float32)
    y = -rng.uniform(0.5, 1.0, (n, 1)).astype(np.float32)
    model = cr.Model()
    model.add(cr.Layer_Scale(5, dtype=np.float32))
    model.add(cr.Layer_Dense(weights=np.ones((5, 1), np.float32)))
    model.layers[0].weights[:] = 0  # so that the output is 0
    model.layers[1].trainable = False
    model.set(loss=cr.Loss_HalfSquaredError(), optimizer=cr.Optimizer_SGD(1.0))
    with going(engine):
        model.train(X, y, progress=False)
    dvalues = -y.astype(np.float64) * float(np.float32(1 / n))
    bound = SHARE + float(np.finfo(np.float32).eps)
    assert share_of_magnitudes(-model.layers[0].weights.T, X, dvalues) <= bound


@pytest.mark.parametrize("n", [48, 385, 60_000, 1_000_000])
def test_plans_keep_the_accuracy_of_long_sums_of_shares(n: int) -> None:
    """The gradient of a neuron's share, of ReLU where it is -product below 0."""
    rng = np.random.default_rng(n)
    X = -rng.uniform(0.5, 1.0, (n, 1)).astype(np.float32)
    y = -rng.uniform(1.0, 2.0, (n, 1)).astype(np.float32)
    model = cr.Model()
    model.add(cr.Layer_Dense(weights=np.ones((1, 1), np.float32)))
    model.add(cr.Layer_ParametricActivation(1, "relu", dtype=np.float32))
    model.add(cr.Layer_Dense(weights=np.ones((1, 1), np.float32)))
    model.layers[0].trainable = model.layers[2].trainable = False
    model.set(loss=cr.Loss_HalfSquaredError(), optimizer=cr.Optimizer_SGD(1.0))
    with going("panels"):
        model.train(X, y, progress=False)  # output 0: each share is 1
    dvalues = -y.astype(np.float64) * float(np.float32(1 / n))
    bound = SHARE + float(np.finfo(np.float32).eps)
    assert share_of_magnitudes(1 - model.layers[1].weights.astype(np.float64), -X, dvalues) <= bound


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [48, 49, 400, 3_500])
def test_chunks_do_not_depend_on_threads(n: int, dtype: Any, threads: int) -> None:
    rng = np.random.default_rng(n)
    inputs, dvalues = (rng.standard_normal((n, k)).astype(dtype) for k in (70, 130))
    weights = np.zeros((70, 130), dtype)
    many = core.dense_backward(inputs, dvalues, weights)
    cr.set_num_threads(1)
    for one, other in zip(core.dense_backward(inputs, dvalues, weights), many, strict=True):
        np.testing.assert_array_equal(one, other)
