"""A long validation ends a plan's stretch where the clock says so and goes on in the next one."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import loop
from chainrule.training.plan_runner import PlanRunner
from plan_cases import ENDS, ENGINES, Case, all_arrays, going, make_data, make_model
from teams import Each, assert_equal

CASE = Case(ENDS[0], "tanh", "adam", sizes=(5, 7, 4))
N, HELD, BATCH = 33, 29, 8


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    with going(request.param):
        yield request.param


def train(model: cr.Model, epochs: int = 3, **arguments: Any) -> list[list[float]]:
    """Train with a validation; return the History's columns but for the seconds."""
    history = model.train(
        *make_data(CASE, N),
        epochs=epochs,
        batch_size=BATCH,
        validation_data=make_data(CASE, HELD, seed=7),
        **arguments,
    )
    assert all(each >= 0 for each in history.seconds)
    return [list(history[name]) for name in loop.COLUMNS if name != "seconds"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Of each stretch: how many steps it did, and whether it ended within a validation."""
    found: list[tuple[int, bool]] = []
    run = PlanRunner.run

    def spied(self: PlanRunner, max_steps: int, seconds: float) -> int:
        steps = run(self, max_steps, seconds)
        found.append((steps, self.validating))
        return steps

    monkeypatch.setattr(PlanRunner, "run", spied)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"shuffle": True, "rng": 3},
        {"print_every": 2},
        {"best_epoch": "validation_loss"},
        {"sample_weight": np.linspace(0, 1, N)},
        {"clip_norm": 0.1, "callbacks": "counted"},
    ],
    ids=lambda each: "-".join(each) or "plain",
)
@pytest.mark.parametrize("schedule", [None, cr.schedules.Exponential(0.5)])
def test_a_validation_in_parts_is_the_same(
    engine: str,
    schedule: Any,
    arguments: dict[str, Any],
    calls: list[tuple[int, bool]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = []
    for stretch in (60.0, 0.0):
        calls.clear()
        model, epochs_seen = make_model(CASE), []
        model.optimizer.schedule = schedule
        if "callbacks" in arguments:
            hook = Each(lambda _, epoch, seen=epochs_seen: seen.append(epoch))
            arguments = {**arguments, "callbacks": hook}
        monkeypatch.setattr(loop, "STRETCH", stretch)
        columns = train(model, **arguments)
        results.append((columns, all_arrays(model), epochs_seen, capsys.readouterr()))
        within = [steps for steps, validating in calls if validating]
        # every batch of a validation but the last one ends a stretch where time is up at once,
        # and so does the step before the first
        parts = -(-HELD // BATCH)
        assert len(within) == (0 if stretch else 3 * parts)
        assert stretch or within.count(0) == 3 * (parts - 1)
    (columns, arrays, epochs, printed), (*others, seen, text) = results
    np.testing.assert_array_equal(columns, others[0])
    assert_equal(arrays, others[1])
    assert epochs == seen and printed == text
    assert epochs == ([1, 2, 3] if "callbacks" in arguments else [])


def test_an_interrupt_within_a_validation_is_answered_there(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "STRETCH", 0.0)
    run = PlanRunner.run
    parts = 0

    def interrupted(self: PlanRunner, max_steps: int, seconds: float) -> int:
        nonlocal parts
        steps = run(self, max_steps, seconds)
        if self.validating:
            parts += 1
            if parts == 2:
                signal.raise_signal(signal.SIGINT)
        return steps

    monkeypatch.setattr(PlanRunner, "run", interrupted)
    model = make_model(CASE)
    with pytest.raises(KeyboardInterrupt):
        train(model)
    assert parts == 2 and len(model.history) == 0
    monkeypatch.undo()
    twin = make_model(CASE)
    twin.train(*make_data(CASE, N), epochs=1, batch_size=BATCH)
    assert_equal(all_arrays(twin), all_arrays(model))  # whole steps
