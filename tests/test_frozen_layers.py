"""Layers that do not learn: `trainable = False`, or left out of `model.trainable_layers`."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Activation_Softmax,
    Activation_Tanh,
    EarlyStopping,
    Layer_Dense,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_Adam,
    Optimizer_SGD,
)
from plan_cases import WAYS, going
from test_model import LOSSES, data, drift, net, twin_of

STRENGTHS = (1e-3, 2e-3, 3e-3, 4e-3)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    """Force one engine, or the classes, for the whole test."""
    with going(request.param):
        yield request.param


def freeze(model: Model, how: str, position: int) -> Any:
    """Freeze a layer by its flag, or by taking it off the list."""
    layer = model.layers[position]
    if how == "flag":
        layer.trainable = False
    else:
        model.trainable_layers = [each for each in model.trainable_layers if each is not layer]
    return layer


@pytest.mark.parametrize("how", ["flag", "list"])
@pytest.mark.parametrize("position", [0, 3], ids=["first", "last"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_training_is_that_of_the_reference(
    way: str, how: str, position: int, optimizer: str
) -> None:
    """The frozen layer keeps its bits and adds no penalty; the other one learns as ever."""
    X, y = data()
    model = net(optimizer=optimizer, strengths=STRENGTHS, dropout=True)
    spec = twin_of(model, "categorical_crossentropy", optimizer)
    layer = freeze(model, how, position)
    spec.layers[model.layers.index(layer)].trainable = False
    before = copy.deepcopy(vars(layer))
    history = model.train(X, y, epochs=3, batch_size=8, validation_data=(X, y))
    rows = reference.train(spec, X, y, epochs=3, batch_size=8, validation_data=(X, y))
    for name in ("weights", "biases"):
        np.testing.assert_array_equal(vars(layer)[name], before[name])
    assert not {name for name in vars(layer) if name.endswith(("momentums", "cache"))}
    for name in ("loss", "data_loss", "regularization_loss", "validation_loss"):
        expected = [row[name] for row in rows]
        np.testing.assert_allclose(history[name], expected, rtol=0, atol=drift(9), err_msg=name)
    for one, twin in zip(model.layers, spec.layers, strict=True):
        if isinstance(one, Layer_Dense):
            np.testing.assert_allclose(one.weights, twin.weights, rtol=0, atol=drift(9))
            np.testing.assert_allclose(one.biases, twin.biases, rtol=0, atol=drift(9))


def test_a_model_without_a_layer_that_learns_keeps_everything(way: str) -> None:
    X, y = data()
    model = net(strengths=STRENGTHS)
    for layer in model.trainable_layers:
        layer.trainable = False
    before = model.get_parameters()
    history = model.train(X, y, epochs=2, batch_size=8)
    assert history.loss[0] == history.data_loss[0] == pytest.approx(history.loss[1], abs=drift(3))
    for pair, old in zip(model.get_parameters(), before, strict=True):
        np.testing.assert_array_equal(pair[0], old[0])
    assert model.optimizer.iterations == 6


def test_clipping_takes_only_the_gradients_that_count(way: str) -> None:
    X, y = data()
    model, clipped = net(), net()
    model.backward(model.forward(X, True), y)
    last = model.layers[-2]
    norm = float(np.sqrt((last.dweights**2).sum() + (last.dbiases**2).sum()))
    clipped.optimizer = Optimizer_SGD(1.0)
    clipped.layers[0].trainable = False
    before = clipped.layers[-2].weights.copy()
    clipped.train(X, y, clip_norm=norm / 4)
    moved = before - clipped.layers[-2].weights
    np.testing.assert_allclose(moved, last.dweights / 4, rtol=0, atol=drift(1))


class Spy(Layer_Dense):
    """Counts how often a gradient was asked for."""

    calls = 0

    def backward(self, dvalues: Any) -> Any:
        self.calls += 1
        return super().backward(dvalues)


def spied(*frozen: int) -> Model:
    model = Model()
    for sizes in ((4, 6), (6, 5), (5, 3)):
        model.add(Spy(*sizes, rng=1))
        model.add(Activation_Tanh())
    model.layers[-1] = Activation_Softmax()
    model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam())
    for position in frozen:
        model.layers[position].trainable = False
    return model


@pytest.mark.parametrize(
    ("frozen", "calls"),
    [((), (2, 2, 2)), ((0,), (0, 2, 2)), ((0, 2), (0, 0, 2)), ((2,), (2, 2, 2)),
     ((4,), (2, 2, 2)), ((0, 2, 4), (0, 0, 0))],
)  # fmt: skip
def test_no_gradient_is_computed_below_the_lowest_layer_that_learns(
    frozen: tuple[int, ...], calls: tuple[int, ...]
) -> None:
    X, y = data()
    model = spied(*frozen)
    model.train(X, y, epochs=2)
    assert tuple(layer.calls for layer in model.layers[::2]) == calls


def test_a_hand_made_loop_gets_all_gradients() -> None:
    """`backward` does not know which of them are wanted."""
    X, y = data()
    model = spied(0, 2)
    model.backward(model.forward(X, True), y)
    assert all(layer.dinputs.shape[0] == len(X) for layer in model.layers)


def test_thawing_goes_on(way: str) -> None:
    """Adam's correction counts the steps of each array by itself."""
    X, y = data()
    model, fresh = net(optimizer="adam"), net(optimizer="adam")
    frozen = model.layers[0]
    frozen.trainable = False
    model.train(X, y, epochs=50)
    frozen.trainable = True
    before = frozen.weights.copy()
    model.train(X, y, epochs=1)
    rate = model.optimizer.current_learning_rate
    step = before - frozen.weights
    model.backward(model.forward(X), y)
    # the first step of an array is rate * sign(g), but for epsilon
    assert np.abs(step).max() <= rate * (1 + 1e-12)
    assert np.median(np.abs(step)) > 0.9 * rate
    assert fresh.optimizer.iterations == 0


class ThawAfter:
    """Lets the first layer learn from the third epoch on."""

    model: Any

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.model.layers[0].trainable = epoch >= 2


def test_a_callback_may_thaw_a_layer(way: str) -> None:
    X, y = data()
    model, by_hand = net(), net()
    for each in (model, by_hand):
        each.layers[0].trainable = False
    history = model.train(X, y, epochs=4, batch_size=8, callbacks=ThawAfter())
    first = by_hand.train(X, y, epochs=2, batch_size=8)
    by_hand.layers[0].trainable = True
    second = by_hand.train(X, y, epochs=2, batch_size=8)
    np.testing.assert_array_equal(history.loss, [*first.loss, *second.loss])
    np.testing.assert_array_equal(model.layers[0].weights, by_hand.layers[0].weights)


# Which layers the model knows


def test_finalize_finds_all_again_and_train_leaves_a_shortened_list() -> None:
    X, y = data()
    model = net()
    first, last = model.trainable_layers
    model.trainable_layers = [last]
    model.train(X, y)
    assert model.trainable_layers == [last] and model.loss.trainable_layers == [last]
    model.evaluate(X, y, quiet=True)
    model.predict(X)
    assert model.trainable_layers == [last]
    model.finalize()
    assert model.trainable_layers == [first, last]


def test_train_adds_layers_that_are_new_and_drops_those_that_are_gone() -> None:
    X, y = data()
    model = net()
    first, last = model.trainable_layers
    model.trainable_layers = [last]
    model.layers.insert(2, Layer_Dense(6, 6, rng=3))
    model.train(X, y)
    assert model.trainable_layers == [model.layers[2], last]
    replaced = model.layers[3] = Layer_Dense(6, 3, rng=4)
    assert model.layers[3] is not last
    model.train(X, y)
    assert model.trainable_layers == [model.layers[2], replaced]
    assert first in model.layers and first not in model.trainable_layers


def test_a_list_in_a_copy_stays_shortened() -> None:
    X, y = data()
    model = net()
    model.trainable_layers = model.trainable_layers[1:]
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        before = twin.layers[0].weights.copy()
        twin.train(X, y)
        np.testing.assert_array_equal(twin.layers[0].weights, before)
        assert len(twin.trainable_layers) == 1


def test_frozen_layers_stay_in_parameters_files_and_early_stopping(tmp_path: Any) -> None:
    X, y = data()
    model, other = net(1), net(2)
    for each in (model, other):
        each.layers[0].trainable = False
        each.trainable_layers = each.trainable_layers[1:]
    assert [pair[0].shape for pair in model.get_parameters()] == [(4, 6), (6, 3)]
    other.set_parameters(model.get_parameters())
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    model.save_parameters(tmp_path / "parameters")
    third = net(3)
    third.load_parameters(tmp_path / "parameters")
    np.testing.assert_array_equal(third.predict(X), model.predict(X))

    class Disturb:
        model: Any

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.model.layers[0].weights += 1

    stopping = EarlyStopping(patience=1)
    before = model.layers[0].weights.copy()
    model.train(X, y, epochs=3, validation_data=(X, y), callbacks=[stopping, Disturb()])
    best = stopping.best_epoch
    assert best is not None
    np.testing.assert_array_equal(model.layers[0].weights, before + (best - 1))


@pytest.mark.parametrize("loss", LOSSES)
def test_freezing_works_with_every_loss(way: str, loss: str) -> None:
    X, y = data(loss)
    model = net(loss=loss)
    model.layers[0].trainable = False
    before = [pair[0] for pair in model.get_parameters()]
    model.train(X, y, epochs=2)
    after = [pair[0] for pair in model.get_parameters()]
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[1] != before[1]).any()
