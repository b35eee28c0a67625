"""Activations: their object rules; the values are tested with the kernels."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Tanh,
)
from tolerance import STEP, central_differences

KINDS = [
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Tanh,
    Activation_Linear,
    Activation_Softmax,
]
FORWARD = dict(zip(KINDS, ["relu", "sigmoid", "tanh", "linear", "softmax"], strict=True))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def activation(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_forward_and_backward_keep_what_they_return(
    activation: Any, rng: np.random.Generator, dtype: Any
) -> None:
    assert not activation.__dict__
    inputs = rng.standard_normal((6, 5)).astype(dtype)
    output = activation.forward(inputs)
    dinputs = activation.backward(output)
    assert activation.inputs is inputs
    assert activation.output is output and activation.dinputs is dinputs
    assert output.dtype == dtype and dinputs.dtype == dtype
    # A value of at most 1 in size is off by at most 4 ulp of 1 + those of the reference.
    expected = reference.FORWARD[FORWARD[type(activation)]](inputs.astype(np.float64))
    assert abs(output - expected).max() <= 16 * np.finfo(dtype).eps * max(1, abs(expected).max())


def test_backward_is_the_derivative(activation: Any, rng: np.random.Generator) -> None:
    inputs = rng.uniform(0.25, 2.0, (4, 5)) * rng.choice([-1.0, 1.0], (4, 5))  # off ReLU's kink
    dvalues = rng.standard_normal((4, 5))
    activation.forward(inputs)
    dinputs = activation.backward(dvalues).copy()
    twin = type(activation)()
    probe = inputs.copy()
    slopes = central_differences(lambda: twin.forward(probe).copy(), probe, dvalues)
    # Truncation h^2 f''' / 6 and rounding eps / h, with |f|, |f'''| and the sums of order 1.
    bound = 8 * (STEP**2 + np.finfo(np.float64).eps / STEP) * abs(dvalues).sum()
    assert abs(dinputs - slopes).max() <= bound


@pytest.mark.parametrize(
    "inputs",
    [[[1, -2], [3, 0]], np.array([[1, -2], [3, 0]]), np.asfortranarray([[1.0, -2], [3, 0]])],
)
def test_other_inputs_become_float64(activation: Any, inputs: Any) -> None:
    plain = type(activation)().forward(np.array([[1.0, -2.0], [3.0, 0.0]]))
    output = activation.forward(inputs)
    assert output.dtype == np.float64 and activation.inputs is inputs
    np.testing.assert_array_equal(output, plain)
    np.testing.assert_array_equal(
        activation.backward([[1, 1], [1, 1]]), activation.backward(np.ones((2, 2)))
    )


def test_single_precision_stays_with_double_dvalues(activation: Any) -> None:
    activation.forward(np.ones((2, 3), dtype=np.float32))
    assert activation.backward(np.ones((2, 3))).dtype == np.float32


def test_backward_before_forward_is_refused(activation: Any) -> None:
    name = type(activation).__name__
    with pytest.raises(ValueError, match=f"{name}: backward: expected a forward call before it"):
        activation.backward(np.ones((2, 2)))


def test_wrong_dvalues_are_refused_and_change_nothing(activation: Any) -> None:
    activation.forward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=f"^{type(activation).__name__}: dvalues: expected"):
        activation.backward(np.ones((3, 2)))
    assert "dinputs" not in activation.__dict__


@pytest.mark.parametrize("inputs", [None, "text", np.ones((2, 2), dtype=complex), [[None]]])
def test_what_is_no_number_is_refused(activation: Any, inputs: Any) -> None:
    with pytest.raises(TypeError, match=f"^{type(activation).__name__}: inputs: expected real"):
        activation.forward(inputs)
    assert not activation.__dict__


def test_relu_backward_without_argument_passes_its_own_output() -> None:
    relu = Activation_ReLU()
    relu.forward(np.array([[1.0, -2.0, 0.0]]))
    np.testing.assert_array_equal(relu.backward(), [[1.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match="backward: expected a forward call before it"):
        Activation_ReLU().backward()


def test_relu_gradient_is_zero_at_zero() -> None:
    relu = Activation_ReLU()
    relu.forward(np.array([0.0, -0.0, 1.0, -1.0, np.nan]))
    np.testing.assert_array_equal(relu.backward(np.ones(5))[:4], [0, 0, 1, 0])
    assert np.isnan(relu.output[4])


def test_linear_output_is_the_input_object() -> None:
    linear = Activation_Linear()
    inputs = np.ones((4, 4))[::2]
    assert linear.forward(inputs) is inputs and linear.output is inputs
    dvalues = np.ones((2, 4))
    dinputs = linear.backward(dvalues)
    assert dinputs is not dvalues and not np.shares_memory(dinputs, dvalues)


def test_predictions_mean_what_the_activation_says() -> None:
    outputs = np.array([[0.2, 0.5, 0.6]])
    binary = Activation_Sigmoid().predictions(outputs)
    assert binary.tolist() == [[0, 0, 1]] and binary.dtype.kind == "i"
    assert Activation_Softmax().predictions(outputs).tolist() == [2]
    for kind in (Activation_ReLU, Activation_Tanh, Activation_Linear):
        assert kind().predictions(outputs) is outputs


def test_softmax_and_sigmoid_are_stable(dtype: Any) -> None:
    logits = np.array([[1e4, -1e4, 0.0]], dtype=dtype)
    np.testing.assert_array_equal(Activation_Softmax().forward(logits), [[1, 0, 0]])
    np.testing.assert_array_equal(Activation_Sigmoid().forward(logits), [[1, 0, 0.5]])


def test_any_rank_for_elementwise_and_none_but_two_for_softmax() -> None:
    for kind in KINDS[:4]:
        assert kind().forward(np.zeros((2, 3, 4))).shape == (2, 3, 4)
        assert kind().forward(np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(ValueError, match=r"^Activation_Softmax: inputs: expected"):
        Activation_Softmax().forward(np.zeros(3))


def test_copies_and_repr(activation: Any) -> None:
    activation.forward(np.ones((2, 2)))
    for twin in (pickle.loads(pickle.dumps(activation)), copy.deepcopy(activation)):
        np.testing.assert_array_equal(twin.output, activation.output)
    assert repr(activation) == f"{type(activation).__name__}()"
