"""Shuffled samples: the bits of the same rows put in that order; an order is read once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import loop
from chainrule.training.plan_runner import PlanRunner
from chainrule.training.request import TrainingRequest
from plan_cases import ENGINES, all_arrays, going
from teams import assert_equal

N, D, BATCH = 70_000, 24, 96  # float32: 6.7 MB, more than a core's cache; the last batch is smaller


def data(kind: str) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((N, D), dtype=np.float32)
    found: dict[str, Any] = {"X": X, "y": rng.standard_normal((N, 2), dtype=np.float32)}
    if kind == "labels":
        found["y"] = rng.integers(0, 2, N)
    if kind == "whole numbers":
        found["X"] = rng.integers(-2000, 2000, (N, 4 * D)).astype(np.int16)
    if kind == "weights":
        found["sample_weight"] = rng.random(N)
    return found


def net(samples: dict[str, Any]) -> cr.Model:
    rng = np.random.default_rng(1)
    model = cr.Model()
    model.add(cr.Layer_Dense(samples["X"].shape[1], 5, rng=rng, dtype=np.float32))
    model.add(cr.Activation_Tanh())
    model.add(cr.Layer_Dense(5, 2, rng=rng, dtype=np.float32))
    classes = samples["y"].ndim == 1
    if classes:
        model.add(cr.Activation_Softmax())
    loss = cr.Loss_CategoricalCrossentropy() if classes else cr.Loss_MeanSquaredError()
    model.set(loss=loss, optimizer=cr.Optimizer_SGD(1e-4))
    return model


@pytest.mark.parametrize("kind", ["targets", "labels", "whole numbers", "weights"])
@pytest.mark.parametrize("team", ["", "always"])
@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_are_fetched_ahead_are_the_rows_of_the_order(
    engine: str, team: str, kind: str, monkeypatch: pytest.MonkeyPatch, restore_threads: None
) -> None:
    if team:
        monkeypatch.setenv("CHAINRULE_TEAM", team)
        cr.set_num_threads(3)
    samples = data(kind)
    order = np.random.default_rng(7).permutation(N)
    in_order = {name: array[order] for name, array in samples.items()}
    shuffled, twin = net(samples), net(samples)
    with going(engine):
        one = shuffled.train(**samples, batch_size=BATCH, shuffle=True, rng=7)
        other = twin.train(**in_order, batch_size=BATCH)
    assert_equal(all_arrays(shuffled), all_arrays(twin))
    assert one.loss == other.loss


def test_an_order_is_read_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = {name: array[:300] for name, array in data("targets").items()}
    expected = net(samples)
    expected.train(**samples, epochs=3, batch_size=BATCH, shuffle=True, rng=7)
    run = PlanRunner.run
    edits = 0

    def edited(self: PlanRunner, max_steps: int, seconds: float) -> int:
        nonlocal edits
        steps = run(self, max_steps, seconds)
        if self._order is not None and self.step > 0:
            self._order[:] = -1
            edits += 1
        return steps

    monkeypatch.setattr(PlanRunner, "run", edited)
    monkeypatch.setattr(loop, "STRETCH", 0.0)
    model = net(samples)
    model.train(**samples, epochs=3, batch_size=BATCH, shuffle=True, rng=7)
    assert edits == 3 * 3  # after each step but an epoch's last
    assert_equal(all_arrays(model), all_arrays(expected))


@pytest.mark.parametrize("place", [-1, 300, 2**62])
def test_an_order_that_is_none_is_refused_each_time(
    place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = {name: array[:300] for name, array in data("targets").items()}
    model = net(samples)
    before = [array.copy() for array in all_arrays(model)]
    order = np.arange(300)
    order[17] = place
    monkeypatch.setattr(TrainingRequest, "next_order", lambda self: order)
    for _ in range(2):
        with pytest.raises(ValueError, match="order: expected places of samples"):
            model.train(**samples, batch_size=BATCH, shuffle=True)
    assert_equal(before, all_arrays(model))
