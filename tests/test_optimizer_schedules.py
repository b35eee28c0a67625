"""Schedules of optimizers: the rate of each step, what a loop of one's own must say."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from chainrule import Layer_Dense, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD
from chainrule.multipliers import begin_schedule, decay_multipliers, rate_multipliers
from chainrule.schedules import Cosine, CosineLog, CosineWarmup, OneCycle, Step


def scheduled(schedule: Any, steps: int | None = 10, start: int = 0, **settings: Any) -> Any:
    optimizer = Optimizer_SGD(0.5, schedule=schedule, **settings)
    optimizer.schedule_start, optimizer.schedule_steps = start, steps
    return optimizer


def rates_of(optimizer: Any, count: int) -> list[float]:
    rates = []
    for _ in range(count):
        optimizer.pre_update_params()
        rates.append(optimizer.current_learning_rate)
        optimizer.post_update_params()
    return rates


@pytest.mark.parametrize(
    "schedule",
    [Cosine(0.1), CosineLog(), CosineWarmup(), OneCycle(), Step(), lambda t: 1 - t],
)
def test_the_rate_is_that_of_the_share_done(schedule: Any) -> None:
    shares = np.arange(10) / 10
    multipliers = schedule(shares)
    expected = [0.5 * (1.0 / (1.0 + 0.25 * k)) * multipliers[k] for k in range(10)]
    assert rates_of(scheduled(schedule, decay=0.25), 10) == expected
    optimizer = scheduled(schedule)
    np.testing.assert_array_equal(rate_multipliers(optimizer, 0, 10), multipliers)
    np.testing.assert_array_equal(rate_multipliers(optimizer, 4, 3), multipliers[4:7])
    np.testing.assert_array_equal(decay_multipliers(optimizer, 4, 3), np.ones(3))


def test_a_schedule_begins_where_it_is_told() -> None:
    optimizer = scheduled(lambda t: t, steps=4, start=6)
    optimizer.iterations = 6
    assert rates_of(optimizer, 4) == [0.0, 0.125, 0.25, 0.375]


def test_a_weight_decay_schedule_multiplies_the_decay_alone() -> None:
    layer = Layer_Dense(1, 1, weights=[[1.0]])
    layer.dweights, layer.dbiases = np.zeros((1, 1)), np.zeros((1, 1))
    optimizer = Optimizer_SGD(0.5, weight_decay=0.5, weight_decay_schedule=lambda t: 1 - t)
    optimizer.schedule_start, optimizer.schedule_steps = 0, 2
    for expected in (0.75, 0.75 * 0.875):
        optimizer.pre_update_params()
        assert optimizer.current_learning_rate == 0.5
        optimizer.update_params(layer)
        optimizer.post_update_params()
        assert layer.weights[0, 0] == expected
    assert optimizer.current_weight_decay == 0.25
    np.testing.assert_array_equal(decay_multipliers(optimizer, 0, 2), [1.0, 0.5])


def test_rates_and_their_schedule_multiply_the_decay_too() -> None:
    layer = Layer_Dense(1, 1, weights=[[1.0]])
    layer.dweights, layer.dbiases = np.zeros((1, 1)), np.zeros((1, 1))
    optimizer = scheduled(lambda t: 0.5 + 0 * t, steps=1, weight_decay=0.5)
    optimizer.pre_update_params()
    optimizer.update_params(layer)
    assert layer.weights[0, 0] == 1 - 0.25 * 0.5


@pytest.mark.parametrize("name", ["schedule", "weight_decay_schedule"])
def test_a_loop_of_ones_own_must_say_how_long_it_is(name: str) -> None:
    optimizer = Optimizer_RMSprop(0.1, **{name: Cosine()})
    text = "Optimizer_RMSprop: schedule_start, schedule_steps: expected "
    with pytest.raises(ValueError, match=text + "the iteration .* got none; train sets them"):
        optimizer.pre_update_params()
    optimizer.schedule_start, optimizer.schedule_steps = 0, 2
    rates_of(optimizer, 2)
    with pytest.raises(ValueError, match=text + "iterations from 0 to 1, got 2; set schedule_s"):
        optimizer.pre_update_params()
    assert optimizer.iterations == 2
    optimizer.schedule_start = 3
    with pytest.raises(ValueError, match=text + "iterations from 3 to 4, got 2"):
        optimizer.pre_update_params()
    optimizer.schedule_start = 2
    rates_of(optimizer, 2)
    ahead = rate_multipliers if name == "schedule" else decay_multipliers
    with pytest.raises(ValueError, match="iterations from 2 to 3, got 5"):
        ahead(optimizer, 2, 4)


@pytest.mark.parametrize(
    ("start", "steps", "error"),
    [(0, 0, ValueError), (0, 2.5, TypeError), (-1, 5, ValueError), ("0", 5, TypeError)],
)
def test_a_length_that_is_none_is_refused(start: Any, steps: Any, error: type[Exception]) -> None:
    optimizer = scheduled(Cosine(), steps=steps, start=start)
    with pytest.raises(error, match="Optimizer_SGD: schedule_st"):
        optimizer.pre_update_params()


@pytest.mark.parametrize(
    ("schedule", "error", "text"),
    [
        (lambda t: t - 1, ValueError, "multipliers of at least 0, got -1.0 at the share 0"),
        (lambda t: t * np.nan, ValueError, "got nan at the share 0"),
        (lambda t: t + np.inf, ValueError, "got inf at the share 0"),
        (lambda t: np.ones(3), ValueError, r"for each share, \(1,\), got \(3,\)"),
        (lambda t: None, TypeError, "expected real numbers, got NoneType"),
    ],
)
def test_what_a_schedule_gives_is_checked(schedule: Any, error: type[Exception], text: str) -> None:
    optimizer = scheduled(schedule)
    with pytest.raises(error, match=f"Optimizer_SGD: schedule: .*{text}"):
        optimizer.pre_update_params()
    assert optimizer.current_learning_rate == 0.5


def test_what_is_no_schedule_is_refused() -> None:
    with pytest.raises(TypeError, match="Optimizer_SGD: schedule: expected a function of an arr"):
        Optimizer_SGD(schedule=0.5)
    with pytest.raises(TypeError, match=r"got the class Cosine; write Cosine\(\.\.\.\)"):
        Optimizer_Adam(weight_decay_schedule=Cosine)


def test_training_begins_a_schedule_where_there_is_none_or_it_is_used_up() -> None:
    optimizer = Optimizer_SGD(0.5, schedule=Cosine())
    begin_schedule(optimizer, 4)
    assert (optimizer.schedule_start, optimizer.schedule_steps) == (0, 4)
    rates_of(optimizer, 3)
    begin_schedule(optimizer, 100)
    assert (optimizer.schedule_start, optimizer.schedule_steps) == (0, 4)
    rates_of(optimizer, 1)
    begin_schedule(optimizer, 100)
    assert (optimizer.schedule_start, optimizer.schedule_steps) == (4, 100)
    optimizer.iterations = 2
    begin_schedule(optimizer, 7)
    assert (optimizer.schedule_start, optimizer.schedule_steps) == (2, 7)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_go_on_with_the_schedule(again: Any) -> None:
    whole, begun = scheduled(Cosine()), scheduled(Cosine())
    rates = rates_of(whole, 10)
    first = rates_of(begun, 4)
    assert first + rates_of(again(begun), 6) == rates
