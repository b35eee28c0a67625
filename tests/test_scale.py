"""Scale layers: values and gradients against the formula, the reference and the slopes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference
from chainrule import Layer_Scale
from tolerance import assert_within, central_differences, difference_bound, gamma, wider


def test_scale_computes_the_reference(rng: np.random.Generator, dtype: Any) -> None:
    layer = Layer_Scale(5, dtype=dtype)
    np.testing.assert_array_equal(layer.weights, np.ones((1, 5)))
    layer.weights = rng.standard_normal((1, 5))
    inputs, dvalues = (rng.standard_normal((9, 5)).astype(dtype) for _ in range(2))
    x, w, g = map(wider, (inputs, layer.weights, dvalues))
    output, dinputs = layer.forward(inputs), layer.backward(dvalues)
    assert_within(output, x * w, gamma(1, dtype) * abs(x * w))
    assert_within(dinputs, g * w, gamma(1, dtype) * abs(g * w))
    expected, _ = reference.scale_backward(x, g, w)
    magnitude = abs(g * x).sum(axis=0, keepdims=True)
    assert_within(layer.dweights, expected, gamma(10, dtype) * magnitude)
    assert layer.output is output and layer.inputs is inputs and layer.weights.dtype == dtype
    assert layer.forward(inputs) is not output
    (weights,) = layer.get_parameters()
    layer.set_parameters(2 * weights[0])
    np.testing.assert_array_equal(layer.weights, 2 * weights)
    assert layer.forward(np.ones((0, 5))).shape == (0, 5)


def test_scale_gradients_are_the_slopes(rng: np.random.Generator) -> None:
    layer = Layer_Scale(4)
    layer.weights = rng.standard_normal((1, 4))
    inputs, dvalues = rng.standard_normal((6, 4)), rng.standard_normal((6, 4))
    bound = difference_bound(0.0, dvalues, layer.forward(inputs))
    layer.backward(dvalues)
    dweights, dinputs = layer.dweights.copy(), layer.dinputs.copy()
    slope = central_differences(lambda: layer.forward(inputs), layer.weights, dvalues)
    assert abs(slope - dweights).max() <= bound
    slope = central_differences(lambda: layer.forward(inputs), inputs, dvalues)
    assert abs(slope - dinputs).max() <= bound


def test_many_rows_leave_a_float32_scale_gradient_exact() -> None:
    """Its exact value is 1: a chain of float32 additions would be off by 1e-3."""
    n = 100_000
    layer = Layer_Scale(1, dtype=np.float32)
    layer.forward(np.ones((n, 1), dtype=np.float32))
    layer.backward(np.full((n, 1), 1 / n, dtype=np.float32))
    exact = n * float(np.float32(1 / n))
    # n float64 additions and one rounding to float32
    bound = gamma(n, np.float64) * exact + gamma(1, np.float32) * exact
    assert abs(float(layer.dweights[0, 0]) - exact) <= bound


def test_penalties_that_a_user_sets_on_a_scale_reach_its_gradient() -> None:
    layer = Layer_Scale(3)
    layer.weights = [[2.0, 0.0, -1.0]]
    layer.weight_regularizer_l1, layer.weight_regularizer_l2 = 0.5, 0.25
    layer.forward(np.zeros((2, 3)))
    layer.backward(np.zeros((2, 3)))
    np.testing.assert_array_equal(layer.dweights, [[1.5, 0.5, -1.0]])


def test_scale_refuses_by_name() -> None:
    layer = Layer_Scale(3)
    with pytest.raises(
        ValueError, match=r"^Layer_Scale\(3\): inputs: expected \(n, 3\), got \(2, 4"
    ):
        layer.forward(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"inputs: expected \(n, 3\), got \(1, 2, 3\)"):
        layer.forward(np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="backward: expected a forward call before it"):
        layer.backward(np.ones((2, 3)))
    layer.forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"dvalues: expected \(2, 3\), got \(3, 2\)"):
        layer.backward(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"Layer_Scale\(3\): weights: expected \(1, 3\), got"):
        layer.weights = np.ones((3, 1))
    with pytest.raises(ValueError, match="Layer_Scale: n: expected an int of at least 1"):
        Layer_Scale(0)
    with pytest.raises(ValueError, match="Layer_Scale: dtype: expected float32 or float64"):
        Layer_Scale(3, dtype=int)
