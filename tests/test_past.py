"""Objects from the past: pickled by a script's own classes, or by the first release."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_ReLU,
    Activation_Softmax,
    Layer_Dense,
    Layer_Dropout,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_Adagrad,
    Optimizer_Adam,
    Optimizer_RMSprop,
    Optimizer_SGD,
)
from chainrule.layers.parameters import copy_parameters
from plan_cases import refuse_plans


def past(thing: Any, *kept: str) -> Any:
    """An object as a pickle of an older class leaves it: with these attributes alone."""
    twin = object.__new__(type(thing))
    twin.__dict__.update({name: vars(thing)[name] for name in kept})
    return pickle.loads(pickle.dumps(twin))


def test_a_dense_layer_pickled_by_a_scripts_own_class_works() -> None:
    """The first chapters' layers know no penalties, and none of the later settings."""
    layer, inputs = Layer_Dense(3, 2, rng=1), np.ones((4, 3))
    old = past(layer, "weights", "biases")
    np.testing.assert_array_equal(old.forward(inputs), layer.forward(inputs))
    np.testing.assert_array_equal(old.backward(np.ones((4, 2))), layer.backward(np.ones((4, 2))))
    np.testing.assert_array_equal(old.dweights, layer.dweights)
    assert repr(old) == repr(layer)
    weights, biases = old.get_parameters()
    np.testing.assert_array_equal(weights, layer.weights)
    assert biases.shape == (1, 2) and len(copy_parameters(old)) == 2


def test_a_dropout_layer_of_the_first_release_works() -> None:
    layer, inputs = Layer_Dropout(0.25, rng=1), np.ones((4, 3))
    old = past(layer, "rate", "key", "step")
    np.testing.assert_array_equal(old.forward(inputs), layer.forward(inputs))
    assert repr(old) == repr(layer) and old.trainable


# What the classes of the published book keep, the first chapters' before the last one's
BOOK = ("learning_rate", "current_learning_rate", "decay", "iterations")
OPTIMIZERS: list[tuple[Any, tuple[str, ...]]] = [
    (Optimizer_SGD(0.1), ("learning_rate",)),
    (Optimizer_SGD(0.1), BOOK),
    (Optimizer_SGD(0.1, 0.5, 0.9), (*BOOK, "momentum")),
    (Optimizer_Adagrad(0.1, 0.5, 1e-6), (*BOOK, "epsilon")),
    (Optimizer_RMSprop(0.1, 0.5, rho=0.8), (*BOOK, "epsilon", "rho")),
    (Optimizer_Adam(0.1, 0.5, beta_1=0.8), (*BOOK, "epsilon", "beta_1", "beta_2")),
]


@pytest.mark.parametrize(("optimizer", "kept"), OPTIMIZERS, ids=lambda each: str(each)[:24])
def test_an_optimizer_pickled_by_a_scripts_own_class_steps(
    optimizer: Any, kept: tuple[str, ...]
) -> None:
    twin, old = pickle.loads(pickle.dumps(optimizer)), past(optimizer, *kept)
    layers = [Layer_Dense(2, 2, rng=1), past(Layer_Dense(2, 2, rng=1), "weights", "biases")]
    for layer in layers:
        layer.dweights, layer.dbiases = np.ones((2, 2)), np.ones((1, 2))
    for _ in range(3):
        for each, layer in zip((twin, old), layers, strict=True):
            each.pre_update_params()
            each.update_params(layer)
            each.post_update_params()
    np.testing.assert_array_equal(layers[0].weights, layers[1].weights)
    assert old.current_learning_rate == twin.current_learning_rate
    assert repr(old) == repr(twin) and old.iterations == 3


@pytest.mark.parametrize("way", ["plan", "layers"])
@pytest.mark.parametrize(("optimizer", "kept"), OPTIMIZERS[2:], ids=lambda each: str(each)[:24])
def test_a_whole_model_from_the_past_trains_saves_and_loads(
    way: str,
    optimizer: Any,
    kept: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way == "layers":
        refuse_plans(monkeypatch)

    def build(old: bool) -> Model:
        model = Model()
        for layer, names in (
            (Layer_Dense(2, 4, rng=1), ("weights", "biases")),
            (Activation_ReLU(), ()),
            (Layer_Dense(4, 3, rng=2), ("weights", "biases")),
            (Activation_Softmax(), ()),
        ):
            model.add(past(layer, *names) if old else layer)
        step = past(optimizer, *kept) if old else pickle.loads(pickle.dumps(optimizer))
        model.set(loss=Loss_CategoricalCrossentropy(), optimizer=step)
        return model

    X, y = np.random.default_rng(1).standard_normal((12, 2)), np.arange(12) % 3
    model, twin = build(old=True), build(old=False)
    for each in (model, twin):
        each.train(X, y, epochs=2, batch_size=5)
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    for each in (loaded, twin):
        each.train(X, y, epochs=2, batch_size=5)
    for one, two in zip(loaded.trainable_layers, twin.trainable_layers, strict=True):
        np.testing.assert_array_equal(one.weights, two.weights)
        np.testing.assert_array_equal(one.biases, two.biases)
