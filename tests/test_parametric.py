"""Parametric activations: against the reference, their slopes, round kinks, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
import reference as ref
from chainrule import Layer_ParametricActivation
from part_cases import examples, name_of, slopes
from tolerance import assert_within, gamma, wider

Array = np.ndarray[Any, Any]

SMOOTH = [
    make
    for make in examples("activation")
    if make.func not in (cr.Activation_Linear, cr.Activation_Softmax)
]


@pytest.mark.parametrize("shape", [(1, 1), (9, 5), (48, 16), (49, 33), (500, 3), (0, 4)], ids=str)
def test_values_and_gradients_are_the_references(shape: Any, dtype: Any, team: Any) -> None:
    """The activation's own values, as the core gives them, are taken as they are.

    Two products, a difference and a sum; chunks of 48 samples, which add up by eights.
    """
    rng = np.random.default_rng(shape)
    inputs, dvalues = (2 * rng.standard_normal(shape).astype(dtype) for _ in range(2))
    mish = cr.Activation_Mish()
    layer = Layer_ParametricActivation(shape[1], mish, dtype=dtype)
    layer.weights = rng.standard_normal((1, shape[1]))
    output, dinputs = team(layer.forward, inputs), team(layer.backward, dvalues)
    assert "output" not in vars(mish)
    activated = mish.forward(inputs)
    through = mish.backward(dvalues)
    assert layer.activated.tobytes() == activated.tobytes()
    x, f, g, t, a = map(wider, (inputs, activated, dvalues, through, layer.weights))
    rest = abs(1 - a) + 1  # what 1 - a is rounded from
    bound = gamma(4, dtype) * (rest * abs(x) + abs(a * f))
    assert_within(output, ref.parametric_forward(x, f, a), bound)
    dweights, expected = ref.parametric_backward(g, t, x, f, a)
    assert_within(dinputs, expected, gamma(4, dtype) * (rest * abs(g) + abs(a * t)))
    terms = (abs(g) * (abs(f) + abs(x))).sum(axis=0, keepdims=True)
    assert_within(layer.dweights, dweights, gamma(2 * 48 + 8 * 4 + 2, dtype) * terms)


@pytest.mark.parametrize("make", SMOOTH, ids=name_of)
def test_at_the_start_it_is_the_plain_activation(make: Any, dtype: Any, rng: Any) -> None:
    activation, inputs = make(), (3 * rng.standard_normal((7, 5))).astype(dtype)
    dvalues = rng.standard_normal((7, 5)).astype(dtype)
    layer = Layer_ParametricActivation(5, make(), dtype=dtype)
    np.testing.assert_array_equal(layer.forward(inputs), activation.forward(inputs))
    np.testing.assert_array_equal(layer.backward(dvalues), activation.backward(dvalues))


@pytest.mark.parametrize("make", SMOOTH, ids=name_of)
def test_gradients_pass_gradcheck_at_any_share(make: Any, dtype: Any, rng: Any) -> None:
    layer = Layer_ParametricActivation(4, make(), dtype=dtype)
    layer.weights = [[0.3, 1.0, -0.5, 1.7]]
    X = 2 * rng.standard_normal((9, 4))
    X[0] = [0.0, -3.0, 3.0, 1e-6]  # at a kink, and beside it
    report = cr.gradcheck(layer, X)
    assert report, report
    kinks = report.rows[0].at_kinks
    assert kinks >= 1 if layer.activation.kink else kinks == 0
    assert report.rows[0].checked >= X.size - 2


def test_the_gradients_are_the_slopes(rng: np.random.Generator) -> None:
    layer = Layer_ParametricActivation(3, "tanh", dtype=np.float64)
    layer.weights = [[0.5, -1.0, 2.0]]
    inputs, dvalues = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    layer.forward(inputs)
    layer.backward(dvalues)
    for array, gradient in ((inputs, layer.dinputs.copy()), (layer.weights, layer.dweights.copy())):
        slope, bound = slopes(lambda: layer.forward(inputs), array, dvalues)
        assert (abs(slope - gradient) <= bound).all()


def test_many_rows_leave_a_float32_gradient_exact() -> None:
    """f - x of relu at -1 is 1: the sum is that of the dvalues. 2084 chunks are 4 levels of 8."""
    n = 100_000
    layer = Layer_ParametricActivation(1, "relu", dtype=np.float32)
    layer.forward(np.full((n, 1), -1, np.float32))
    layer.backward(np.full((n, 1), 1 / n, np.float32))
    exact = n * float(np.float32(1 / n))
    bound = gamma(48 + 8 * 4, np.float32) * exact
    assert abs(float(layer.dweights[0, 0]) - exact) <= bound


def test_an_activation_is_taken_by_name_or_as_an_object() -> None:
    assert isinstance(Layer_ParametricActivation(2, "selu").activation, cr.Activation_SELU)
    leaky = cr.Activation_LeakyReLU(0.25)
    layer = Layer_ParametricActivation(2, leaky, dtype=np.float32)
    assert layer.activation is leaky
    text = "Layer_ParametricActivation(2, Activation_LeakyReLU(negative_slope=0.25), dtype=float32)"
    assert repr(layer) == text
    np.testing.assert_array_equal(layer.forward([[-4.0, 4.0]]), [[-1, 4]])
    assert (layer.n_inputs, layer.n_neurons) == (2, 2)
    (weights,) = layer.get_parameters()
    layer.set_parameters(3 * weights)
    np.testing.assert_array_equal(layer.weights, [[3, 3]])


class Own(cr.Activation_Mish):
    """A class of the user's own."""


def test_the_layer_refuses_by_name() -> None:
    for value, error, words in (
        ("swish", ValueError, "activation: expected one of 'relu', .*, got 'swish'"),
        ("softmax", ValueError, "activation: expected one of 'relu', .*, got 'softmax'"),
        ("linear", ValueError, "activation: expected one of 'relu', .*, got 'linear'"),
        (
            cr.Activation_Softmax(),
            ValueError,
            "works element by element and is not linear, got Act",
        ),
        (cr.Activation_Mish, TypeError, "an activation of chainrule or its name, got Activation_M"),
        (Own(), TypeError, "an activation of chainrule or its name, got Own"),
        (cr.Layer_Dense(2, 2), TypeError, "an activation of chainrule or its name, got Layer_De"),
        (None, TypeError, "an activation of chainrule or its name, got NoneType"),
    ):
        with pytest.raises(error, match=f"^Layer_ParametricActivation: .*{words}"):
            Layer_ParametricActivation(3, value)
    with pytest.raises(ValueError, match="n: expected an int of at least 1, got 0"):
        Layer_ParametricActivation(0, "relu")
    layer = Layer_ParametricActivation(3, "relu")
    with pytest.raises(ValueError, match=r"\(3\): inputs: expected \(n, 3\), got \(2, 4\)"):
        layer.forward(np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"inputs: expected .*, got \(1, 2, 3\)"):
        layer.forward(np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="backward: expected a forward call before it"):
        layer.backward(np.ones((2, 3)))
    layer.forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"dvalues: expected \(2, 3\), got \(3, 2\)"):
        layer.backward(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"weights: expected \(1, 3\), got"):
        layer.weights = np.ones((3, 1))
