"""Loss and last layer: joined, refused or warned of, and what outputs predict."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_Exponential,
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Sigmoid_Loss_BinaryCrossentropy,
    Activation_Softmax,
    Activation_Softplus,
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_Hinge,
    Loss_MeanSquaredError,
    Loss_Poisson,
    catalogue,
)
from chainrule.losses.last_layer import check_last_layer
from part_cases import examples, name_of
from tolerance import unit


@pytest.fixture(params=examples("loss"), ids=name_of)
def loss(request: pytest.FixtureRequest) -> Any:
    return request.param()


# Joined with the last layer


class OwnSoftmax(Activation_Softmax):
    def backward(self, dvalues: Any) -> Any:
        return super().backward(dvalues)


class OwnLoss(Loss_CategoricalCrossentropy):
    def backward(self, dvalues: Any, y_true: Any) -> Any:
        return super().backward(dvalues, y_true)


def test_joined_where_both_are_the_packages_own() -> None:
    loss, softmax = Loss_CategoricalCrossentropy(), Activation_Softmax()
    assert loss.joint_with(softmax) == "softmax_crossentropy"
    assert Loss_Poisson().joint_with(Activation_Exponential()) == "exponential_poisson"
    for other in (Activation_Sigmoid(), Activation_Linear(), OwnSoftmax(), object(), None):
        assert loss.joint_with(other) is None
    assert OwnLoss().joint_with(softmax) is None
    assert Loss_BinaryCrossentropy().joint_with(Activation_Sigmoid()) is None
    assert Loss().joint_with(softmax) is None


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_method_put_on_an_object_is_not_passed_over(method: str) -> None:
    loss, softmax = Loss_CategoricalCrossentropy(), Activation_Softmax()
    setattr(softmax, method, lambda *arguments: None)
    assert loss.joint_with(softmax) is None
    loss, softmax = Loss_CategoricalCrossentropy(), Activation_Softmax()
    setattr(loss, method, lambda *arguments: None)
    assert loss.joint_with(softmax) is None


def test_what_the_joint_gradient_does_not_replace_may_be_ones_own() -> None:
    class Counting(Loss_CategoricalCrossentropy):
        def calculate(self, *arguments: Any, **keywords: Any) -> Any:
            return super().calculate(*arguments, **keywords)

    softmax = Activation_Softmax()
    softmax.predictions = lambda outputs: outputs  # type: ignore[method-assign]
    assert Counting().joint_with(softmax) == "softmax_crossentropy"
    assert catalogue.own_class(Counting()) is None


def test_joint_sigmoid_matches_the_two_parts(rng: np.random.Generator, dtype: Any) -> None:
    logits = (2 * rng.standard_normal((6, 4))).astype(dtype)
    y = rng.uniform(0, 1, (6, 4)).astype(dtype)
    joint = Activation_Sigmoid_Loss_BinaryCrossentropy()
    value = joint.forward(logits, y)
    np.testing.assert_array_equal(joint.output, Activation_Sigmoid().forward(logits))
    apart = Loss_BinaryCrossentropy().calculate(joint.output, y)
    from_logits = Loss_BinaryCrossentropy(from_logits=True)
    # log(1 - p), p rounded, is off by up to u / (1 - p) <= 1000 u
    assert value == pytest.approx(float(apart), rel=1000 * unit(dtype))
    assert value == pytest.approx(float(from_logits.calculate(logits, y)), rel=8 * unit(dtype))
    dinputs = joint.backward(joint.output, y)
    np.testing.assert_allclose(dinputs, (joint.output - y) / 24, atol=4 * unit(dtype) / 24)
    np.testing.assert_allclose(from_logits.backward(logits, y), dinputs, atol=8 * unit(dtype) / 24)


def test_logits_of_any_size_have_a_finite_loss(dtype: Any) -> None:
    logits, y = np.array([[-1e4, 1e4, 0.0]], dtype=dtype), np.array([[1.0, 1.0, 0.0]], dtype=dtype)
    expected = (1e4 + np.log(2)) / 3
    for part in (
        Loss_BinaryCrossentropy(from_logits=True),
        Activation_Sigmoid_Loss_BinaryCrossentropy(),
    ):
        value = part.calculate(logits, y) if isinstance(part, Loss) else part.forward(logits, y)
        assert value == pytest.approx(expected, rel=4 * unit(dtype))


# Predictions


def test_logits_and_signs_are_predictions() -> None:
    outputs = np.array([[-0.5], [0.0], [0.25]])
    logits = Loss_BinaryCrossentropy(from_logits=True)
    assert logits.predicts == "logits" and logits.predictions(outputs, None).tolist() == [
        [0],
        [0],
        [1],
    ]
    hinge = Loss_Hinge()
    assert hinge.predicts == "signs"
    assert hinge.predictions(outputs, np.array([0, 1, 1])).tolist() == [[0], [0], [1]]
    assert hinge.predictions(outputs, np.array([-1, 1, 1])).tolist() == [[-1], [-1], [1]]
    for loss in (Loss_MeanSquaredError(), Loss_BinaryCrossentropy(), Loss()):
        assert loss.predicts is None and loss.predictions(outputs, outputs) is None


# The last layer


class OwnLayer:
    def forward(self, inputs: Any) -> Any:
        return inputs


PROBABLE = [Activation_Softmax(), Activation_Sigmoid()]
RATES = [Activation_Exponential(), Activation_Softplus(), Activation_ReLU(), *PROBABLE]
LINEAR = [Activation_Linear(), Activation_Tanh(), Layer_Dense(2, 2)]


@pytest.mark.parametrize("layer", [*RATES, *LINEAR], ids=lambda layer: type(layer).__name__)
def test_last_layers_that_yield_no_probabilities_are_refused(layer: Any) -> None:
    for loss, missing in (
        (Loss_CategoricalCrossentropy(), "add Activation_Softmax()"),
        (Loss_BinaryCrossentropy(), "add Activation_Sigmoid(), or take logits: from_logits=True"),
    ):
        if layer in PROBABLE:
            check_last_layer(loss, layer)
            continue
        name, got = type(loss).__name__, type(layer).__name__
        text = f"{name}: expected a last layer that yields probabilities, got {got}; {missing}"
        with pytest.raises(ValueError) as caught:
            check_last_layer(loss, layer)
        assert str(caught.value) == text


@pytest.mark.parametrize("layer", [*RATES, *LINEAR], ids=lambda layer: type(layer).__name__)
def test_counts_need_rates(layer: Any) -> None:
    if layer in RATES:
        check_last_layer(Loss_Poisson(), layer)
        return
    with pytest.raises(
        ValueError,
        match=r"^Loss_Poisson: expected a last layer that yields rates of at least 0, got",
    ):
        check_last_layer(Loss_Poisson(), layer)


def test_any_last_layer_will_do_for_errors_and_any_of_ones_own_for_all(loss: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for layer in (OwnLayer(), OwnTanh(), Layer_Dropout(0.5), None):
            check_last_layer(loss, layer)
        if loss.output_domain == "any":
            for layer in (*RATES, *LINEAR):
                check_last_layer(loss, layer)
        check_last_layer(OwnLoss(), Activation_ReLU())
        check_last_layer(object(), Activation_ReLU())


class OwnTanh(Activation_Tanh):
    def forward(self, inputs: Any, training: bool = False) -> Any:
        return super().forward(inputs, training)


def test_labels_of_a_last_sigmoid_are_warned_of() -> None:
    loss = Loss_CategoricalCrossentropy()
    with pytest.warns(
        UserWarning, match="Loss_CategoricalCrossentropy: the outputs of Activation_S"
    ):
        check_last_layer(loss, Activation_Sigmoid(), labels=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_last_layer(loss, Activation_Sigmoid(), labels=False)
        check_last_layer(loss, Activation_Softmax(), labels=True)


@pytest.mark.parametrize("loss", [Loss_BinaryCrossentropy(from_logits=True), Loss_Hinge()])
def test_squashed_logits_are_warned_of(loss: Any) -> None:
    for layer in RATES:
        with pytest.warns(
            UserWarning, match="expected outputs of any sign, got those of Activation"
        ):
            check_last_layer(loss, layer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for layer in LINEAR:
            check_last_layer(loss, layer)
