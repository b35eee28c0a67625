"""`model.plan` says which way training goes and why; either way gives the same results."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import reference
from plan_cases import (
    ENDS,
    ENGINES,
    Case,
    all_arrays,
    dense_layers,
    going,
    make_data,
    make_model,
    reference_of,
)
from rounding import Step
from test_plan_engines import assert_step

N = 19


class OwnDense(cr.Layer_Dense):
    def forward(self, inputs: Any, training: bool = False) -> Any:
        return super().forward(inputs, training)


class OwnActivation(cr.Activation_Tanh):
    def backward(self, dvalues: Any) -> Any:
        return super().backward(dvalues)


class OwnLoss(cr.Loss_CategoricalCrossentropy):
    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return super().forward(y_pred, y_true)


class OwnOptimizer(cr.Optimizer_Adam):
    def update_params(self, layer: Any) -> None:
        super().update_params(layer)


class OwnAccuracy(cr.Accuracy_Categorical):
    def compare(self, predictions: Any, y: Any) -> Any:
        return super().compare(predictions, y)


class RenamedDense(cr.Layer_Dense):
    """A subclass that changes no method of ours."""

    def describe(self) -> str:
        return "mine"


def own_dense(model: Any) -> None:
    model.layers[0] = replaced(model.layers[0], OwnDense)


def replaced(layer: Any, kind: type) -> Any:
    new = kind(layer.n_inputs, layer.n_neurons, dtype=layer.dtype)
    vars(new).update(vars(layer))
    return new


def own_activation(model: Any) -> None:
    model.layers[1] = OwnActivation()


def own_loss(model: Any) -> None:
    model.loss = OwnLoss()


def own_optimizer(model: Any) -> None:
    optimizer = OwnOptimizer()
    vars(optimizer).update(vars(model.optimizer))
    model.optimizer = optimizer


def own_accuracy(model: Any) -> None:
    model.accuracy = OwnAccuracy()


def own_method_of_one_object(model: Any) -> None:
    layer = model.layers[0]
    layer.forward = lambda inputs, training=False: cr.Layer_Dense.forward(layer, inputs, training)


OWN: dict[str, tuple[Callable[[Any], None], str]] = {
    "dense": (own_dense, "layer 1, OwnDense, has methods of its own"),
    "activation": (own_activation, "layer 2, OwnActivation, has methods of its own"),
    "loss": (own_loss, "the loss, OwnLoss, has methods of its own"),
    "optimizer": (own_optimizer, "the optimizer, OwnOptimizer, has methods of its own"),
    "accuracy": (own_accuracy, "the accuracy, OwnAccuracy, has methods of its own"),
    "object": (own_method_of_one_object, "layer 1, Layer_Dense, has methods of its own"),
}


@pytest.mark.parametrize("part", list(OWN))
def test_own_parts_are_trained_layer_by_layer_with_the_same_results(part: str, dtype: Any) -> None:
    change, reason = OWN[part]
    case = Case(ENDS[0], "tanh", "adam", "all", dtype=dtype)
    X, y = make_data(case, N)
    model, plain = make_model(case), make_model(case)
    assert model.plan.startswith("compiled plan, ")
    change(model)
    assert model.plan == f"layer by layer: {reason}"
    with going("layers"):
        expected = plain.train(X, y, epochs=3, batch_size=8)
    history = model.train(X, y, epochs=3, batch_size=8)
    for one, other in zip(all_arrays(model), all_arrays(plain), strict=True):
        if part != "loss":  # a loss of the user's own is not joined with softmax
            np.testing.assert_array_equal(one, other)
    if part != "loss":
        np.testing.assert_array_equal(history.loss, expected.loss)
        np.testing.assert_array_equal(history.accuracy, expected.accuracy)


class Apart(reference.Spec):
    """Softmax and cross-entropy, each differentiated by itself."""

    def joint(self) -> bool:
        return False


def test_a_loss_of_ones_own_is_not_joined_with_softmax(dtype: Any) -> None:
    case = Case(ENDS[0], "tanh", "momentum", dtype=dtype)
    X, y = make_data(case, N)
    model = make_model(case)
    model.loss = OwnLoss()
    twin = reference_of(model, case)
    step = Step(Apart(twin.layers, twin.loss, twin.optimizer, twin.accuracy), X, y, dtype)
    model.train(X, y)
    assert_step(model, step, "apart")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_subclass_that_overrides_nothing_has_a_plan(engine: str) -> None:
    case = Case(ENDS[0], rule="adam")
    X, y = make_data(case, N)
    model, plain = make_model(case), make_model(case)
    model.layers[0] = replaced(model.layers[0], RenamedDense)
    with going(engine):
        for one in (model, plain):
            one.train(X, y, epochs=2)
            assert one.plan == f"compiled plan, float64, engine {engine} for batches of {N}"
    for one, other in zip(all_arrays(model), all_arrays(plain), strict=True):
        np.testing.assert_array_equal(one, other)


# Structures that the core does not know


def activation_first(layers: list[Any]) -> list[Any]:
    return [cr.Activation_Tanh(), *layers]


def two_activations(layers: list[Any]) -> list[Any]:
    return [*layers[:2], cr.Activation_Sigmoid(), *layers[2:]]


def activation_after_dropout(layers: list[Any]) -> list[Any]:
    return [layers[0], cr.Layer_Dropout(0.2, rng=1), *layers[1:]]


def two_dropouts(layers: list[Any]) -> list[Any]:
    return [*layers[:2], cr.Layer_Dropout(0.2, rng=1), cr.Layer_Dropout(0.1, rng=2), *layers[2:]]


def dropout_last(layers: list[Any]) -> list[Any]:
    return [*layers, cr.Layer_Dropout(0.2, rng=1)]


STRUCTURES: dict[str, tuple[Callable[[list[Any]], list[Any]], str]] = {
    "activation first": (
        activation_first,
        "layer 1, Activation_Tanh, does not follow a dense layer",
    ),
    "two activations": (
        two_activations,
        "layer 3, Activation_Sigmoid, does not follow a dense layer",
    ),
    "activation after dropout": (
        activation_after_dropout,
        "layer 3, Activation_Tanh, does not follow a dense layer",
    ),
    "two dropouts": (two_dropouts, "layer 4, Layer_Dropout, follows another dropout"),
    "dropout last": (dropout_last, "the last layer is a dropout"),
}


@pytest.mark.parametrize("name", list(STRUCTURES))
def test_other_structures_are_trained_layer_by_layer(name: str, dtype: Any) -> None:
    build, reason = STRUCTURES[name]
    case = Case(ENDS[5], "tanh", "adam", "all", dtype=dtype, accuracy=False)
    X, y = make_data(case, N)
    model = make_model(case)
    model.layers = build(model.layers)
    assert model.plan == f"layer by layer: {reason}"
    for number in range(3):
        step = Step(reference_of(model, case), X, y, dtype)
        model.train(X, y)
        assert_step(model, step, f"{name}, step {number}")


def by_hand(model: cr.Model, X: Any, y: Any, steps: int) -> None:
    for _ in range(steps):
        model.backward(model.forward(X, training=True), y)
        model.optimizer.pre_update_params()
        for layer in model.trainable_layers:
            model.optimizer.update_params(layer)
        model.optimizer.post_update_params()


def test_parameters_that_share_memory_are_trained_layer_by_layer() -> None:
    """A tied pair: each update of one acts on the other at once, as in a loop by hand."""
    case = Case(ENDS[5], "tanh", "momentum", sizes=(4, 4, 4))
    X, y = make_data(case, N)
    tied, hand = make_model(case), make_model(case)
    for model in (tied, hand):
        model.layers[2].weights = model.layers[0].weights
        assert model.plan == "layer by layer: two parameters share memory"
    tied.train(X, y, epochs=3)
    by_hand(hand, X, y, 3)
    for one, other in zip(all_arrays(tied), all_arrays(hand), strict=True):
        np.testing.assert_array_equal(one, other)
    assert tied.layers[0].weights is tied.layers[2].weights


def test_layers_of_two_dtypes_are_trained_layer_by_layer() -> None:
    case = Case(ENDS[5], "tanh", "adam")
    X, y = make_data(case, N)
    mixed, hand = make_model(case), make_model(case)
    for model in (mixed, hand):
        last = dense_layers(model)[1]
        model.layers[2] = cr.Layer_Dense(last.n_inputs, last.n_neurons, dtype=np.float32, rng=0)
        model.finalize()
        assert model.plan == "layer by layer: the layers have several dtypes"
    mixed.train(X, y, epochs=3)
    by_hand(hand, X, y, 3)
    for one, other in zip(all_arrays(mixed), all_arrays(hand), strict=True):
        np.testing.assert_array_equal(one, other)


MISFITS = {
    "regression of classes": (ENDS[0], cr.Accuracy_Regression, "a last softmax"),
    "classes of numbers": (ENDS[5], cr.Accuracy_Categorical, "a last linear"),
    "classes of probabilities": (ENDS[3], cr.Accuracy_Categorical, "a last sigmoid"),
}


@pytest.mark.parametrize("name", list(MISFITS))
def test_an_accuracy_that_does_not_fit_is_named(name: str) -> None:
    end, accuracy, last = MISFITS[name]
    model = make_model(Case(end))
    model.accuracy = accuracy()
    reason = f"the accuracy, {accuracy.__name__}, is not counted by the core after {last}"
    assert model.plan == f"layer by layer: {reason}"


def test_a_model_without_a_dense_layer_or_a_loss_says_so() -> None:
    model = make_model(Case(ENDS[0]))
    model.layers = model.layers[1:2]
    assert model.plan == "layer by layer: layer 1, Activation_Tanh, does not follow a dense layer"
    model.layers = [cr.Layer_Dropout(0.5)]
    assert model.plan == "layer by layer: there is no dense layer"
    unset = cr.Model()
    unset.add(cr.Layer_Dense(2, 3))
    assert isinstance(unset.plan, str) and unset.plan.startswith("layer by layer: ")


def test_the_plan_names_dtype_engine_and_batch(dtype: Any) -> None:
    model = make_model(Case(ENDS[0], dtype=dtype))
    X, y = make_data(Case(ENDS[0]), N)
    model.train(X, y, batch_size=8)
    kind = np.dtype(dtype).name
    before, name, after = re.split("engine ([a-z]+) ", model.plan)
    assert (before, after) == (f"compiled plan, {kind}, ", "for batches of 8") and name in ENGINES
