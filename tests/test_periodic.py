"""Periodic features: against the reference one precision up, its slopes, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference as ref
from chainrule import Layer_PeriodicFeatures
from part_cases import slopes
from tolerance import assert_within, gamma, unit, wider

Array = np.ndarray[Any, Any]

TAU = 2 * np.pi
COSINE = 8  # roundings: 4 ulp of cosine and sine
TURNS = 4  # roundings of a number of turns, products with what was rounded before included
# (n, p, q, k, m): samples, periodic columns, columns that pass, frequencies, mixtures
SHAPES = [
    (1, 1, 0, 1, 1),
    (5, 3, 2, 16, 3),
    (16, 16, 1, 8, 3),
    (17, 17, 0, 5, 1),
    (67, 9, 5, 3, 6),
    (385, 2, 3, 16, 3),
    (0, 2, 1, 4, 2),
]


def operands(shape: tuple[int, ...], dtype: Any) -> tuple[Array, ...]:
    """inputs, dvalues, frequencies, phases, weights, biases."""
    n, p, q, k, m = shape
    rng = np.random.default_rng(shape)
    shapes = ((n, p + q), (n, p * (m + 1) + q), (p, k), (p, k), (p, k, m), (p, m))
    return tuple(rng.standard_normal(each).astype(dtype) for each in shapes)


def layer_of(shape: tuple[int, ...], dtype: Any) -> Layer_PeriodicFeatures:
    _, p, q, k, m = shape
    layer = Layer_PeriodicFeatures(p + q, p, n_frequencies=k, n_outputs=m + 1, dtype=dtype, rng=0)
    for name, array in zip(layer.parameter_names, operands(shape, dtype)[2:], strict=True):
        setattr(layer, name, array)
    return layer


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients_are_the_references(
    shape: tuple[int, ...], dtype: Any, team: Any
) -> None:
    n, p, q, k, m = shape
    inputs, dvalues, *parameters = operands(shape, dtype)
    layer = layer_of(shape, dtype)
    output, dinputs = team(layer.forward, inputs), team(layer.backward, dvalues)
    exact = [wider(each) for each in parameters]
    x, g = wider(inputs), wider(dvalues)
    frequencies, phases, weights, biases = (np.abs(each) for each in exact)
    sizes = np.abs(x[:, :p, None])
    turns = frequencies * sizes + phases / TAU  # the terms of each number of turns
    wave = TAU * gamma(TURNS, dtype) * turns + COSINE * unit(dtype)  # error of cosine and sine
    d = np.abs(g[:, : p * (m + 1)].reshape(n, p, m + 1))
    mixed, dmixed = d[..., m], d[..., None, :m]

    bound = np.zeros((n, p, m + 1))
    bound[..., :m] = (wave[..., None] * weights).sum(axis=2)
    bound[..., :m] += gamma(2 * k + 2, dtype) * (weights.sum(axis=1) + biases)
    bound = np.concatenate([bound.reshape(n, p * (m + 1)), np.zeros((n, q))], axis=1)
    assert_within(output, ref.periodic_forward(x, *exact, q), bound)

    dwave = (dmixed * weights).sum(axis=-1)
    s = dwave * (wave + gamma(2 * m + 2, dtype))  # error of the angle's gradient
    sums, ends = gamma(n + 20, dtype), gamma(2 * k + 6, dtype)
    bounds = (
        TAU * (sizes * (s + sums * dwave)).sum(axis=0),
        (s + sums * dwave).sum(axis=0),
        ((wave + sums)[..., None] * dmixed).sum(axis=0),
        sums * d[..., :m].sum(axis=0),
    )
    expected = ref.periodic_backward(x, g, *exact, q)
    for name, value, limit in zip(layer.parameter_names, expected, bounds, strict=False):
        assert_within(getattr(layer, f"d{name}"), value, limit)
    dx = mixed * ends + TAU * (frequencies * (s + ends * dwave)).sum(axis=-1)
    assert_within(dinputs, expected[4], np.concatenate([dx, np.zeros((n, q))], axis=1))
    assert {getattr(layer, f"d{name}").dtype for name in layer.parameter_names} == {output.dtype}


def test_the_gradients_are_the_slopes(rng: np.random.Generator) -> None:
    shape = (5, 2, 1, 3, 2)
    inputs, dvalues, *_ = operands(shape, np.float64)
    layer = layer_of(shape, np.float64)
    layer.forward(inputs)
    layer.backward(dvalues)
    found = {name: getattr(layer, f"d{name}").copy() for name in layer.parameter_names}
    found["inputs"] = layer.dinputs.copy()
    for name, gradient in found.items():
        array = inputs if name == "inputs" else getattr(layer, name)
        slope, bound = slopes(lambda: layer.forward(inputs), array, dvalues)
        assert (abs(slope - gradient) <= bound).all(), name


def test_backward_parameters_leaves_the_same_gradients_and_no_dinputs(dtype: Any) -> None:
    shape = SHAPES[1]
    inputs, dvalues, *_ = operands(shape, dtype)
    layer, other = layer_of(shape, dtype), layer_of(shape, dtype)
    for each in (layer, other):
        each.forward(inputs)
        each.backward(dvalues)
    other.backward_parameters(dvalues)
    assert not hasattr(other, "dinputs")
    for name in layer.parameter_names:
        assert getattr(layer, f"d{name}").tobytes() == getattr(other, f"d{name}").tobytes()


def test_many_rows_leave_float32_gradients_exact() -> None:
    """With phase 0 and x = 0 each cosine is 1: the sum is that of the dvalues, 1 / n each.

    A group of 384 samples is a chain of 24 in each of 16 lanes, which 4 additions join; groups add
    up by eights on 4 levels.
    """
    n = 100_003
    layer = Layer_PeriodicFeatures(1, n_frequencies=1, n_outputs=2, dtype=np.float32, rng=0)
    layer.phases *= 0
    layer.forward(np.zeros((n, 1), np.float32))
    layer.backward(np.full((n, 2), 1 / n, np.float32))
    exact = n * float(np.float32(1 / n))
    bound = gamma(24 + 4 + 4 * 8, np.float32) * exact
    assert abs(float(layer.dweights[0, 0, 0]) - exact) <= bound
    assert abs(float(layer.dbiases[0, 0]) - exact) <= bound


def test_large_arguments_lose_only_what_their_own_rounding_loses() -> None:
    """A quarter of a turn beside a million turns is still a quarter."""
    layer = Layer_PeriodicFeatures(1, n_frequencies=1, n_outputs=2, dtype=np.float64, rng=0)
    layer.frequencies, layer.phases = np.ones((1, 1)), np.zeros((1, 1))
    layer.weights, layer.biases = np.ones((1, 1, 1)), np.zeros((1, 1))
    turns = np.array([[1e6], [1e6 + 0.25], [1e6 + 0.5], [-1e6 - 0.75]])
    np.testing.assert_array_equal(layer.forward(turns)[:, 0], [1, 0, -1, 0])


def test_initial_values_are_drawn_as_the_docstring_says() -> None:
    layer = Layer_PeriodicFeatures(200, n_frequencies=25, n_outputs=4, frequency_scale=0.3, rng=1)
    assert layer.frequencies.shape == layer.phases.shape == (200, 25)
    assert layer.weights.shape == (200, 25, 3) and layer.biases.shape == (200, 3)
    n = layer.frequencies.size
    # five standard errors of a normal deviation, and of a uniform mean
    assert abs(layer.frequencies.std() / 0.3 - 1) < 5 / np.sqrt(2 * n)
    for array, bound in ((layer.phases, np.pi), (layer.weights, 0.2), (layer.biases, 0.2)):
        assert abs(array).max() <= bound
        assert abs(array.mean()) < 5 * bound / np.sqrt(3 * array.size)
        assert abs(array).max() > 0.95 * bound
    again = Layer_PeriodicFeatures(200, n_frequencies=25, n_outputs=4, frequency_scale=0.3, rng=1)
    for name in layer.parameter_names:
        np.testing.assert_array_equal(getattr(layer, name), getattr(again, name))
    np.random.seed(5)  # noqa: NPY002
    one = Layer_PeriodicFeatures(3)
    np.random.seed(5)  # noqa: NPY002
    np.testing.assert_array_equal(one.phases, Layer_PeriodicFeatures(3).phases)


def test_sizes_and_columns() -> None:
    layer = Layer_PeriodicFeatures(5, 2, n_frequencies=3, n_outputs=4, dtype=np.float32, rng=0)
    assert (layer.n_inputs, layer.n_periodic, layer.n_passed) == (5, 2, 3)
    assert (layer.n_frequencies, layer.n_outputs, layer.n_neurons) == (3, 4, 11)
    text = "Layer_PeriodicFeatures(5, 2, n_frequencies=3, n_outputs=4, dtype=float32)"
    assert repr(layer) == text
    x = np.arange(10.0).reshape(2, 5)
    output = layer.forward(x)
    np.testing.assert_array_equal(output[:, [3, 7, 8, 9, 10]], x)
    np.testing.assert_array_equal(layer.forward(x[0])[0], output[0])
    np.testing.assert_array_equal(layer.forward(x.tolist()), output)
    values = layer.get_parameters()
    layer.set_parameters(*(2 * each for each in values))
    np.testing.assert_array_equal(layer.biases, 2 * values[3])


def test_the_layer_refuses_by_name() -> None:
    with pytest.raises(ValueError, match="n_periodic: expected at most n_inputs, 3, got 4"):
        Layer_PeriodicFeatures(3, 4)
    for sizes, words in (
        ({"n_inputs": 0}, "n_inputs: expected an int of at least 1, got 0"),
        ({"n_inputs": 3, "n_periodic": 0}, "n_periodic: expected an int of at least 1"),
        ({"n_inputs": 3, "n_frequencies": 0}, "n_frequencies: expected an int of at least 1"),
        ({"n_inputs": 3, "n_outputs": 1}, "n_outputs: expected an int of at least 2, got 1"),
        ({"n_inputs": 3, "frequency_scale": -1}, "frequency_scale: expected a number of at least"),
        ({"n_inputs": 3, "dtype": int}, "dtype: expected float32 or float64"),
    ):
        with pytest.raises(ValueError, match=f"^Layer_PeriodicFeatures: {words}"):
            Layer_PeriodicFeatures(**sizes)
    names = r"one each \(frequencies, phases, weights, biases\)"
    with pytest.raises(ValueError, match=f"learning_rate_factor: expected a number or {names}"):
        Layer_PeriodicFeatures(3, learning_rate_factor=(1, 2))
    layer = Layer_PeriodicFeatures(3, 2, rng=0)
    with pytest.raises(
        ValueError, match=r"^Layer_PeriodicFeatures\(2, 16\): inputs: expected \(n, 3"
    ):
        layer.forward(np.ones((2, 4)))
    with pytest.raises(ValueError, match="backward: expected a forward call before it"):
        layer.backward(np.ones((2, 9)))
    layer.forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"dvalues: expected \(2, 9\), got \(2, 3\)"):
        layer.backward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"phases: expected \(2, 16\), got \(16, 2\)"):
        layer.phases = np.ones((16, 2))
