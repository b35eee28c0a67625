"""How a training is steered and how it ends: Ctrl-C, callbacks, losses that are not finite."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import reference
from plan_cases import (
    ENDS,
    RULES,
    STATE,
    WAYS,
    Case,
    all_arrays,
    dense_layers,
    going,
    make_data,
    make_model,
)

N, BATCH = 23, 9
STEPS = 3


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    """Force one engine, or the classes, for the whole test."""
    with going(request.param):
        yield request.param


class Each:
    """A callback that calls `action(model, epoch)` after each epoch."""

    model: Any

    def __init__(self, action: Callable[[Any, int], Any]) -> None:
        self.action = action

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.action(self.model, epoch)


def assert_equal_bits(one: cr.Model, other: cr.Model) -> None:
    for a, b in zip(all_arrays(one), all_arrays(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.optimizer.iterations == other.optimizer.iterations


def train_steps(model: cr.Model, X: Any, y: Any, batch_size: int, count: int) -> None:
    """Do `count` steps of a training in order: whole epochs, then the first batches of one."""
    steps = -(-len(X) // batch_size)
    model.train(X, y, epochs=count // steps, batch_size=batch_size)
    rest = count % steps * batch_size
    if rest:
        model.train(X[:rest], y[:rest], batch_size=batch_size)


# Ctrl-C


class Press:
    """Sends Ctrl-C from another thread a moment after training began."""

    def on_train_begin(self) -> None:
        threading.Timer(0.08, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_ctrl_c_leaves_the_last_whole_step(way: str, rule: str, dtype: Any) -> None:
    case = Case(ENDS[0], "relu", rule, "all", "hidden", dtype)
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        model.train(X, y, epochs=10**9, batch_size=BATCH, callbacks=Press())
    assert signal.getsignal(signal.SIGINT) is handler
    count = model.optimizer.iterations
    assert model.history is not None and len(model.history) == count // STEPS > 0
    train_steps(twin, X, y, BATCH, count)
    assert_equal_bits(model, twin)
    assert np.isfinite(model.history.loss).all()
    assert len(model.train(X, y, epochs=2)) == 2  # usable


@pytest.mark.parametrize("threads", [1, 3])
def test_ctrl_c_ends_a_team_after_a_whole_step(threads: int, restore_threads: None) -> None:
    cr.set_num_threads(threads)
    case = Case(ENDS[0], "relu", "momentum", dtype=np.float32, sizes=(64, 128, 64, 10))
    X, y = make_data(case, 200)
    model, twin = make_model(case), make_model(case)
    with pytest.raises(KeyboardInterrupt):
        model.train(X, y, epochs=10**9, batch_size=128, callbacks=Press())
    train_steps(twin, X, y, 128, model.optimizer.iterations)
    assert_equal_bits(model, twin)


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_end", "on_train_end"])
def test_ctrl_c_in_a_callback_acts_there(way: str, hook: str) -> None:
    class Interrupting:
        went_on = False

        def __init__(self) -> None:
            setattr(self, hook, self.press)

        def press(self, *_: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            self.went_on = True

    case = Case(ENDS[0], rule="adam")
    X, y = make_data(case, N)
    model, twin, callback = make_model(case), make_model(case), Interrupting()
    with pytest.raises(KeyboardInterrupt):
        model.train(X, y, epochs=4, batch_size=BATCH, callbacks=[callback])
    assert not callback.went_on
    epochs = {"on_train_begin": 0, "on_epoch_end": 1, "on_train_end": 4}[hook]
    assert model.history is not None and len(model.history) == epochs
    if epochs:
        twin.train(X, y, epochs=epochs, batch_size=BATCH)
    assert_equal_bits(model, twin)


# Stopping and going on


@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(way: str, shuffle: bool) -> None:
    case = Case(ENDS[0], "relu", "adam", "l2", "both", np.float32)
    X, y = make_data(case, N)
    model, whole = make_model(case), make_model(case)

    def stop(model: Any, epoch: int) -> None:
        model.stop_training = epoch == 3

    arguments: dict[str, Any] = {"batch_size": BATCH, "shuffle": shuffle}
    first = model.train(X, y, epochs=50, rng=7, callbacks=Each(stop), **arguments)
    second = model.train(X, y, epochs=4, **arguments)
    history = whole.train(X, y, epochs=7, rng=7, **arguments)
    assert (len(first), len(second)) == (3, 4)
    np.testing.assert_array_equal(history.loss, [*first.loss, *second.loss])
    assert_equal_bits(model, whole)


def test_an_error_in_a_callback_leaves_that_epochs_parameters(way: str) -> None:
    def fail(model: Any, epoch: int) -> None:
        if epoch == 2:
            model.layers[0].biases += 1
            raise ArithmeticError("mine")

    case = Case(ENDS[0], rule="momentum")
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    with pytest.raises(ArithmeticError, match="mine"):
        model.train(X, y, epochs=5, batch_size=BATCH, callbacks=Each(fail))
    twin.train(X, y, epochs=2, batch_size=BATCH)
    twin.layers[0].biases += 1  # what the callback did stays
    assert_equal_bits(model, twin)


# What callbacks change


def scale_in_place(model: Any) -> None:
    model.layers[0].weights *= 0.5
    model.layers[2].biases[0, 1] = 3


def rebind(model: Any) -> None:
    model.layers[0].weights = model.layers[0].weights * 2
    model.layers[2].biases = [0.25, 0.5, 0.75]


def forget_momentums(model: Any) -> None:
    for layer in dense_layers(model):
        layer.weight_momentums = np.zeros_like(layer.weights)
        layer.bias_momentums[...] = 0


def setting(**values: Any) -> Callable[[Any], None]:
    return lambda model: vars(model.optimizer).update(values)


def strengthen(model: Any) -> None:
    model.layers[0].weight_regularizer_l2 = 0.05
    model.layers[2].bias_regularizer_l1 = 0.01


def new_optimizer(model: Any) -> None:
    model.optimizer = cr.Optimizer_Adam(0.01)


CHANGES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "rate and decay": ("momentum", setting(learning_rate=0.03, decay=0.2)),
    "momentum from 0": ("sgd", setting(momentum=0.7)),
    "momentum to 0": ("momentum", setting(momentum=0.0)),
    "nesterov": ("momentum", setting(nesterov=True)),
    "iterations": ("adam", setting(iterations=100)),
    "betas": ("adam", setting(beta_1=0.5, beta_2=0.8, epsilon=1e-3)),
    "weight decay": ("adam", setting(weight_decay=0.3)),
    "rho": ("rmsprop", setting(rho=0.3)),
    "in place": ("adam", scale_in_place),
    "rebinding": ("momentum", rebind),
    "optimizer arrays": ("momentum", forget_momentums),
    "regularisation": ("adagrad", strengthen),
    "optimizer": ("momentum", new_optimizer),
}


@pytest.mark.parametrize("name", list(CHANGES))
@pytest.mark.parametrize("last", [False, True], ids=["in between", "at the end"])
def test_what_a_callback_changes_holds_from_then_on(way: str, name: str, last: bool) -> None:
    rule, change = CHANGES[name]
    case = Case(ENDS[5], "tanh", rule, "l2")
    X, y = make_data(case, N)
    changed, by_hand = make_model(case), make_model(case)

    def act(model: Any, epoch: int) -> None:
        if epoch == 2:
            change(model)
            model.stop_training = last

    history = changed.train(X, y, epochs=5, batch_size=BATCH, callbacks=Each(act))
    first = by_hand.train(X, y, epochs=2, batch_size=BATCH)
    change(by_hand)
    second = by_hand.train(X, y, epochs=0 if last else 3, batch_size=BATCH)
    np.testing.assert_array_equal(history.loss, [*first.loss, *second.loss])
    assert_equal_bits(changed, by_hand)
    after = [model.train(X, y, batch_size=BATCH).loss[0] for model in (changed, by_hand)]
    assert after[0] == after[1]


def test_a_callback_that_takes_the_plan_away_is_told(dtype: Any) -> None:
    class OwnOptimizer(cr.Optimizer_SGD):
        def update_params(self, layer: Any) -> None:
            super().update_params(layer)

    def act(model: Any, epoch: int) -> None:
        model.optimizer = OwnOptimizer(0.1)

    case = Case(ENDS[0], dtype=dtype)
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    reason = "the optimizer, OwnOptimizer, has methods of its own"
    with pytest.raises(RuntimeError, match=f"expected callbacks to leave .* cannot: {reason}"):
        model.train(X, y, epochs=3, callbacks=Each(act))
    twin.train(X, y)
    np.testing.assert_array_equal(model.layers[0].weights, twin.layers[0].weights)
    assert len(model.train(X, y, epochs=2)) == 2


def test_rebinding_in_a_callback_leaves_the_old_array_alone(way: str) -> None:
    case = Case(ENDS[0], rule="adam")
    X, y = make_data(case, N)
    model = make_model(case)
    old, new = model.layers[0].weights, np.full((4, 7), 0.125)
    seen = []

    def act(model: Any, epoch: int) -> None:
        if epoch == 1:
            seen.append(old.copy())
            model.layers[0].weights = new

    model.train(X, y, epochs=3, batch_size=BATCH, callbacks=Each(act))
    assert model.layers[0].weights is new and not np.all(new == 0.125)
    np.testing.assert_array_equal(old, seen[0])


@pytest.mark.parametrize("rule", list(RULES))
def test_older_references_to_all_arrays_stay_valid(way: str, rule: str) -> None:
    case = Case(ENDS[0], rule=rule)
    X, y = make_data(case, N)
    model = make_model(case)
    model.train(X, y)
    states = reference.RULES[model.optimizer.rule][1]
    arrays_of_rule = {f"{prefix}_{kind}" for prefix in ("weight", "bias") for kind in states}
    names = ["weights", "biases", *arrays_of_rule]
    for layer in dense_layers(model):
        assert set(vars(layer)) & set(STATE) == arrays_of_rule
    kept = [{name: vars(layer)[name] for name in names} for layer in dense_layers(model)]
    before = [{name: array.copy() for name, array in arrays.items()} for arrays in kept]
    model.train(X, y, epochs=2)
    for layer, arrays, values in zip(dense_layers(model), kept, before, strict=True):
        for name in names:
            assert vars(layer)[name] is arrays[name]
            assert not np.array_equal(arrays[name], values[name])
