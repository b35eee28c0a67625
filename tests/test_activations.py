"""Activations: their object rules, and values and slopes of all in the catalogue."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Activation_ELU,
    Activation_GELU,
    Activation_LeakyReLU,
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Tanh,
    catalogue,
)
from part_cases import examples, name_of, slopes
from tolerance import unit

MAKES = examples("activation")


@pytest.fixture(params=MAKES, ids=name_of)
def activation(request: pytest.FixtureRequest) -> Any:
    return request.param()


def settings_of(activation: Any) -> dict[str, Any]:
    """What a fresh activation holds."""
    return {name: getattr(activation, name) for name in activation.settings}


def test_the_vocabulary_is_that_of_the_contract() -> None:
    names = {cls.__name__.removeprefix("Activation_") for cls in catalogue.classes("activation")}
    assert names >= {
        "ELU", "Exponential", "GELU", "LeakyReLU", "Linear", "Mish", "ReLU", "SELU", "SiLU",
        "Sigmoid", "Softmax", "Softplus", "Tanh",
    }  # fmt: skip


def test_forward_and_backward_keep_what_they_return(
    activation: Any, rng: np.random.Generator, dtype: Any
) -> None:
    assert activation.__dict__ == settings_of(activation)
    inputs = rng.standard_normal((6, 5)).astype(dtype)
    output = activation.forward(inputs)
    dinputs = activation.backward(output)
    assert activation.inputs is inputs
    assert activation.output is output and activation.dinputs is dinputs
    assert output.dtype == dtype and dinputs.dtype == dtype
    name, wide = activation.name_in_core(), inputs.astype(np.float64)
    expected = reference.FORWARD[name](wide, *activation.parameters())
    # 16 roundings of values of at most 30 (e^3.4) and of their arguments, of at most 4.
    bound = 32 * unit(dtype) * (1 + 4 * abs(expected))
    assert (abs(output - expected) <= bound).all()
    backward = reference.activation_backward
    expected = backward(name, expected, wide, expected, activation.parameters())
    assert (abs(dinputs - expected) <= 128 * unit(dtype) * (1 + abs(expected))).all()


def test_backward_is_the_derivative(activation: Any, rng: np.random.Generator) -> None:
    inputs = rng.uniform(0.25, 2.0, (4, 5)) * rng.choice([-1.0, 1.0], (4, 5))  # off the kinks
    dvalues = rng.standard_normal((4, 5))
    activation.forward(inputs)
    dinputs = activation.backward(dvalues).copy()
    twin, probe = copy.copy(activation), inputs.copy()
    expected, error = slopes(lambda: twin.forward(probe), probe, dvalues)
    assert (abs(dinputs - expected) <= error).all()


@pytest.mark.parametrize(
    "inputs",
    [[[1, -2], [3, 0]], np.array([[1, -2], [3, 0]]), np.asfortranarray([[1.0, -2], [3, 0]])],
)
def test_other_inputs_become_float64(activation: Any, inputs: Any) -> None:
    plain = copy.copy(activation).forward(np.array([[1.0, -2.0], [3.0, 0.0]]))
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
    with pytest.raises(TypeError, match=f"^{type(activation).__name__}: dvalues: expected real"):
        activation.backward("text")
    assert "dinputs" not in activation.__dict__


@pytest.mark.parametrize("inputs", [None, "text", np.ones((2, 2), dtype=complex), [[None]]])
def test_what_is_no_number_is_refused(activation: Any, inputs: Any) -> None:
    with pytest.raises(TypeError, match=f"^{type(activation).__name__}: inputs: expected real"):
        activation.forward(inputs)
    assert activation.__dict__ == settings_of(activation)


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


def test_slopes_at_zero_are_those_below() -> None:
    """As PyTorch has them; a LeakyReLU that does not leak is ReLU."""
    zeros = np.zeros((1, 2))
    for activation, slope in (
        (Activation_LeakyReLU(0.25), 0.25),
        (Activation_LeakyReLU(0), 0.0),
        (Activation_ELU(0.5), 0.5),
        (Activation_ELU(0), 0.0),
    ):
        activation.forward(zeros)
        np.testing.assert_array_equal(activation.backward(np.ones((1, 2))), [[slope, slope]])


def test_linear_output_is_the_input_object() -> None:
    linear = Activation_Linear()
    inputs = np.ones((4, 4))[::2]
    assert linear.forward(inputs) is inputs and linear.output is inputs
    dvalues = np.ones((2, 4))
    dinputs = linear.backward(dvalues)
    assert dinputs is not dvalues and not np.shares_memory(dinputs, dvalues)


def test_predictions_mean_what_the_activation_says(activation: Any) -> None:
    outputs = np.array([[0.2, 0.5, 0.6]])
    predictions = activation.predictions(outputs)
    if activation.predicts == "shares":
        assert isinstance(activation, Activation_Sigmoid)
        assert predictions.tolist() == [[0, 0, 1]] and predictions.dtype.kind == "i"
    elif activation.predicts == "classes":
        assert isinstance(activation, Activation_Softmax) and predictions.tolist() == [2]
    else:
        assert activation.predicts == "values" and predictions is outputs


def test_outputs_are_in_the_codomain(activation: Any, rng: np.random.Generator) -> None:
    inputs = 6 * rng.standard_normal((400, 3))
    output = activation.forward(inputs)
    least = {"any": -np.inf, "nonnegative": 0.0, "positive": np.finfo(float).tiny}
    most = {"shares": 1.0, "probabilities": 1.0}
    assert output.min() >= least.get(activation.codomain, 0.0)
    assert output.max() <= most.get(activation.codomain, np.inf)
    assert (output.min() < 0) == (activation.codomain == "any")
    sums = output.sum(axis=1)
    add_up = bool((abs(sums - 1) <= 8 * np.finfo(float).eps).all())
    assert add_up == (activation.codomain == "probabilities")


def test_regions_are_told_where_the_slope_jumps(activation: Any) -> None:
    """Just below and above 0 the slopes differ by more than 1e-6 only where there is a kink."""
    inputs = np.array([[-1e-9, 1e-9]])
    regions = activation.regions(inputs)
    if regions is not None:
        np.testing.assert_array_equal(regions, [[0, 1]])
    activation.forward(inputs)
    below, above = activation.backward(np.array([[1.0, 1.0]]))[0]
    if activation.predicts != "classes" and abs(above - below) > 1e-6:
        assert regions is not None


def test_softmax_and_sigmoid_are_stable(dtype: Any) -> None:
    logits = np.array([[1e4, -1e4, 0.0]], dtype=dtype)
    np.testing.assert_array_equal(Activation_Softmax().forward(logits), [[1, 0, 0]])
    np.testing.assert_array_equal(Activation_Sigmoid().forward(logits), [[1, 0, 0.5]])


def test_any_rank_for_elementwise_and_none_but_two_for_softmax(activation: Any) -> None:
    if isinstance(activation, Activation_Softmax):
        with pytest.raises(ValueError, match=r"^Activation_Softmax: inputs: expected"):
            activation.forward(np.zeros(3))
        return
    for shape in ((2, 3, 4), (0, 3), ()):
        assert activation.forward(np.zeros(shape)).shape == shape


def test_copies_and_repr(activation: Any) -> None:
    activation.forward(np.ones((2, 2)))
    for twin in (pickle.loads(pickle.dumps(activation)), copy.deepcopy(activation)):
        assert not hasattr(twin, "output")  # what a pass left stays behind
        np.testing.assert_array_equal(twin.forward(np.ones((2, 2))), activation.output)
        assert repr(twin) == repr(activation) and twin.parameters() == activation.parameters()
    shown = ", ".join(f"{name}={value!r}" for name, value in settings_of(activation).items())
    assert repr(activation) == f"{type(activation).__name__}({shown})"


def test_settings_are_kept_as_numbers() -> None:
    assert repr(Activation_LeakyReLU()) == "Activation_LeakyReLU(negative_slope=0.01)"
    assert Activation_LeakyReLU(np.float32(0.25)).parameters() == (0.25,)
    assert type(Activation_ELU(np.int8(2)).alpha) is float
    assert Activation_GELU("tanh").name_in_core() == "gelu_tanh"


@pytest.mark.parametrize(
    ("kind", "value", "error", "text"),
    [
        (Activation_LeakyReLU, -0.1, ValueError, "negative_slope: expected a number of at least 0"),
        (Activation_LeakyReLU, np.nan, ValueError, "negative_slope: expected a number of at least"),
        (Activation_LeakyReLU, np.inf, ValueError, "negative_slope: expected a number of at least"),
        (Activation_LeakyReLU, "much", TypeError, "negative_slope: expected a number of at least"),
        (Activation_ELU, -1, ValueError, "alpha: expected a number of at least 0, got -1"),
        (Activation_ELU, None, TypeError, "alpha: expected a number of at least 0, got None"),
        (Activation_GELU, "sigmoid", ValueError, "approximate: expected 'none' or 'tanh', got 's"),
        (Activation_GELU, True, ValueError, "approximate: expected 'none' or 'tanh', got True"),
    ],
)
def test_settings_out_of_range_are_refused(
    kind: type, value: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=f"^{kind.__name__}: {text}"):
        kind(value)


def test_objects_from_before_a_setting_was_added_have_its_default() -> None:
    old = Activation_GELU.__new__(Activation_GELU)
    inputs = np.array([[1.0, -1.0]])
    np.testing.assert_array_equal(old.forward(inputs), Activation_GELU().forward(inputs))


def test_a_method_of_ones_own_makes_it_a_part_of_ones_own() -> None:
    class Renamed(Activation_Tanh):
        def describe(self) -> str:
            return "mine"

    class Own(Activation_Tanh):
        def backward(self, dvalues: Any) -> Any:
            return super().backward(dvalues)

    changed = Activation_Tanh()
    changed.predictions = lambda outputs: outputs  # type: ignore[method-assign]
    assert catalogue.own_class(Renamed()) is Activation_Tanh
    assert catalogue.own_class(Own()) is None and catalogue.own_class(changed) is None
    assert catalogue.own_class(changed, "forward", "backward") is Activation_Tanh
    assert catalogue.own_class(Own(), "forward") is Activation_Tanh
