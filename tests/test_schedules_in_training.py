"""Schedules in a training: where they begin, how long they last, and that they go on."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Activation_Linear,
    Layer_Dense,
    Layer_Dropout,
    Loss_HalfSquaredError,
    Model,
    Optimizer_Adam,
    Optimizer_SGD,
    schedules,
)
from plan_cases import WAYS, all_arrays, going
from test_model import OwnOptimizer, data, drift, net, twin_of

STEPS = 3  # an epoch of 22 samples in batches of 8


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    """Force one engine, or the classes, for the whole test."""
    with going(request.param):
        yield request.param


SCHEDULES: dict[str, tuple[Any, Any]] = {
    "cosine": (schedules.Cosine(), reference.cosine_schedule),
    "one cycle": (schedules.OneCycle(), reference.one_cycle_schedule),
    "own": (lambda t: 1 + t, lambda t: 1 + t),
}


def scheduled(schedule: Any, optimizer: Any = Optimizer_SGD, dropout: bool = False) -> Model:
    model = net(dropout=dropout)
    model.optimizer = optimizer(0.1, 0.01, schedule=schedule)
    return model


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_training_follows_its_schedule_as_the_reference_does(way: str, name: str) -> None:
    schedule, formula = SCHEDULES[name]
    X, y = data()
    model = scheduled(schedule)
    spec = twin_of(model, "categorical_crossentropy", "sgd")
    spec.optimizer.schedule = formula
    spec.optimizer.schedule_over(4 * STEPS)
    history = model.train(X, y, epochs=4, batch_size=8)
    rows = reference.train(spec, X, y, epochs=4, batch_size=8)
    np.testing.assert_allclose(history.loss, [r["loss"] for r in rows], rtol=0, atol=drift(12))
    t = np.arange(STEPS - 1, 4 * STEPS, STEPS) / (4 * STEPS)
    rates = 0.1 / (1 + 0.01 * np.arange(STEPS - 1, 4 * STEPS, STEPS)) * formula(t)
    np.testing.assert_allclose(history.learning_rate, rates, rtol=1e-14)
    assert (model.optimizer.schedule_start, model.optimizer.schedule_steps) == (0, 12)


@pytest.mark.parametrize("optimizer", [Optimizer_SGD, Optimizer_Adam])
def test_halves_that_know_the_whole_give_its_bits(way: str, optimizer: Any) -> None:
    X, y = data()
    whole, halves = (scheduled(schedules.CosineWarmup(0.2), optimizer, True) for _ in range(2))
    a = whole.train(X, y, epochs=6, batch_size=8)
    halves.optimizer.schedule_steps = 6 * STEPS
    b = halves.train(X, y, epochs=3, batch_size=8)
    assert (halves.optimizer.schedule_start, halves.optimizer.schedule_steps) == (0, 18)
    halves = pickle.loads(pickle.dumps(halves))
    c = halves.train(X, y, epochs=3, batch_size=8)
    np.testing.assert_array_equal(a.loss, [*b.loss, *c.loss])
    for one, other in zip(all_arrays(whole), all_arrays(halves), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_schedule_that_is_used_up_begins_anew(way: str) -> None:
    X, y = data()
    model = scheduled(schedules.Cosine())
    first = model.train(X, y, epochs=2, batch_size=8)
    second = model.train(X, y, epochs=3, batch_size=8)
    assert (model.optimizer.schedule_start, model.optimizer.schedule_steps) == (6, 9)
    rates = 0.1 / (1 + 0.01 * np.array([8, 11, 14])) * schedules.Cosine()(np.array([2, 5, 8]) / 9)
    np.testing.assert_allclose(second.learning_rate, rates, rtol=1e-14)
    assert len(first) == 2


def test_one_without_room_for_the_training_begins_anew(way: str) -> None:
    """What was stopped early leaves a rest; a longer training does not run out of it."""

    class Stop:
        model: Any

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.model.stop_training = epoch == 2

    X, y = data()
    model = scheduled(schedules.Cosine())
    model.train(X, y, epochs=5, batch_size=8, callbacks=Stop())
    assert (model.optimizer.schedule_start, model.optimizer.schedule_steps) == (0, 15)
    model.train(X, y, epochs=3, batch_size=8)  # the rest is enough
    assert (model.optimizer.schedule_start, model.optimizer.schedule_steps) == (0, 15)
    model.train(X, y, epochs=4, batch_size=8)
    assert (model.optimizer.schedule_start, model.optimizer.schedule_steps) == (15, 12)


def test_without_schedules_nothing_is_set() -> None:
    X, y = data()
    model = net()
    model.train(X, y)
    assert model.optimizer.schedule_start is None and model.optimizer.schedule_steps is None


@pytest.mark.parametrize("own", [False, True], ids=["ours", "own optimizer"])
def test_dropout_follows_its_schedule(way: str, own: bool) -> None:
    X, y = data("half_squared_error")

    def build() -> Model:
        model = Model()
        model.add(Layer_Dropout(0.4, rng=1, schedule=lambda t: 1 - t))
        model.add(Layer_Dense(4, 3, rng=2))
        model.add(Activation_Linear())
        model.set(loss=Loss_HalfSquaredError(), optimizer=Optimizer_SGD(0.1))
        if own:
            model.set(optimizer=OwnOptimizer())
        return model

    model, by_hand = build(), build()
    model.train(X, y, epochs=2, batch_size=8)
    dropout = by_hand.layers[0]
    for epoch in range(2):
        for step in range(STEPS):
            rows = slice(8 * step, 8 * step + 8)
            dropout.training_share = (epoch * STEPS + step) / (2 * STEPS)
            by_hand.backward(by_hand.forward(X[rows], True), y[rows])
            for layer in by_hand.trainable_layers:
                by_hand.optimizer.update_params(layer)
    weights = [each.layers[1].weights for each in (model, by_hand)]
    np.testing.assert_allclose(*weights, rtol=0, atol=drift(6))
    assert model.layers[0].rate == 0.6 and model.layers[0].step == 6


def test_batches_that_are_no_steps_do_not_move_a_schedule(way: str) -> None:
    X, y = data()
    weight = np.ones(22)
    weight[8:16] = 0
    model, fewer = (scheduled(schedules.Cosine()) for _ in range(2))
    a = model.train(X, y, epochs=2, batch_size=8, sample_weight=weight)
    rows = np.r_[0:8, 16:22]
    fewer.optimizer.schedule_steps = 6
    b = fewer.train(X[rows], y[rows], epochs=2, batch_size=8)
    np.testing.assert_allclose(a.loss, b.loss, rtol=0, atol=drift(4))
    assert model.optimizer.iterations == 4


def test_a_new_optimizer_of_a_callback_begins_its_schedule_there(way: str) -> None:
    class Change:
        model: Any

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            if epoch == 2:
                self.model.optimizer = Optimizer_SGD(0.5, schedule=schedules.Exponential(0.1))

    X, y = data()
    model = scheduled(schedules.Cosine())
    history = model.train(X, y, epochs=5, batch_size=8, callbacks=Change())
    assert (model.optimizer.schedule_start, model.optimizer.schedule_steps) == (0, 9)
    rates = 0.5 * 0.1 ** (np.array([2, 5, 8]) / 9)
    np.testing.assert_allclose(history.learning_rate[2:], rates, rtol=1e-14)


def test_a_schedule_that_gives_nonsense_is_refused(way: str) -> None:
    X, y = data()
    model = scheduled(lambda t: -t - 1)
    before = model.get_parameters()[0][0]
    with pytest.raises(ValueError, match=r"expected .*at least 0, got -1\.0"):
        model.train(X, y, epochs=2, batch_size=8)
    np.testing.assert_array_equal(model.get_parameters()[0][0], before)
