"""Trainings and threads: shares, teams, several models at once, one user at a time."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from chainrule.runtime import threads_limited_to
from plan_cases import ENDS, WAYS, Case, all_arrays, going, make_data, make_model
from teams import HEAVY, TEAM, Each, assert_equal, needs_proc, run_script, trained

# Shares of a team's work


def shares_after(windows: int, shares: list[float], speeds: list[float]) -> list[float]:
    for _ in range(windows):
        shares = _core.follow_speeds(
            shares, [share / speed for share, speed in zip(shares, speeds, strict=True)]
        )
    return shares


@pytest.mark.parametrize(
    "speeds", [[1, 0.6], [1, 1, 1, 0.5], [1, 1, 0.4, 0.4, 0.4, 0.4], [1, 0.9, 0.8]]
)
def test_workers_of_different_speeds_come_to_end_together(speeds: list[float]) -> None:
    shares = shares_after(12, [1 / len(speeds)] * len(speeds), speeds)
    busy = np.array(shares) / speeds
    assert sum(shares) == pytest.approx(1, abs=1e-14)
    assert busy.max() <= 1.03 * busy.mean()


def test_shares_stay_as_they_are_where_workers_end_almost_together() -> None:
    assert _core.follow_speeds([0.5, 0.5], [1.02, 0.98]) == [0.5, 0.5]
    assert _core.follow_speeds([0.25, 0.75], [1.0, 1.0]) == [0.25, 0.75]
    assert _core.follow_speeds([1.0], [3.0]) == [1.0]


def test_an_interruption_costs_a_worker_a_fifth_of_its_share_and_is_forgotten() -> None:
    shares = _core.follow_speeds([0.5, 0.5], [100.0, 1.0])
    assert 0.5 / 1.25 / (0.5 / 1.25 + 0.5 * 1.25) <= shares[0] < 0.5
    assert min(shares_after(6, shares, [1, 1])) >= 0.485


def test_a_worker_without_a_core_keeps_enough_to_show_that_it_is_back() -> None:
    starved = shares_after(100, [0.25] * 4, [1e-6, 1, 1, 1])
    assert 0.02 < starved[0] < 0.03
    assert max(shares_after(20, starved, [1, 1, 1, 1])) <= 1.03 * 0.25


def test_shares_and_times_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="busy: expected 2 times, one a share, got 3"):
        _core.follow_speeds([0.5, 0.5], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="busy: expected 0 times"):
        _core.follow_speeds([], [])


# Teams


@pytest.mark.several_threads
@needs_proc
def test_a_team_comes_for_heavy_steps_alone() -> None:
    """OpenMP makes its threads when a region first wants them: none for small steps."""
    code = "small = train(4, 8, 3, n=20, threads=3, epochs=5000)\n"
    found = run_script(code + "print(small[0], heavy(1)[0], heavy(3)[0])")
    assert found == ["0", "0", "2"]


def test_a_change_in_training_acts_at_the_next_call(restore_threads: None) -> None:
    cr.set_num_threads(1)
    expected = trained(TEAM, 150, epochs=12)
    model = make_model(TEAM)
    change = Each(lambda _, epoch: cr.set_num_threads(1 + epoch % 3))
    model.train(*make_data(TEAM, 150), epochs=12, callbacks=change)
    assert_equal(expected, all_arrays(model))


def test_a_limit_bounds_this_thread_alone_and_ends_with_its_block(restore_threads: None) -> None:
    cr.set_num_threads(5)
    elsewhere: list[int] = []

    def found() -> int:
        return cr.get_num_threads()

    with threads_limited_to(3):
        assert found() == 3
        other = threading.Thread(target=lambda: elsewhere.append(found()))
        other.start()
        other.join()
        with threads_limited_to(4):
            assert found() == 3  # the outer one bounds it
        with pytest.raises(KeyError), threads_limited_to(2):
            assert found() == 2
            raise KeyError
        with threads_limited_to(None):
            assert found() == 3
        cr.set_num_threads(2)
        assert found() == 2
    assert elsewhere == [5]
    assert found() == 2
    cr.set_num_threads(5)
    assert found() == 5


# Several models at once


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("threads", [1, 2])
def test_models_in_several_threads_train_as_if_alone(
    way: str, threads: int, restore_threads: None
) -> None:
    cr.set_num_threads(threads)
    cases = [TEAM, HEAVY, Case(ENDS[3], "tanh", "adam", "all", "both"), TEAM]
    if way == "nano":
        cases[1] = cases[2]
    arguments: dict[str, Any] = {"epochs": 4, "batch_size": 150, "shuffle": True, "rng": 3}
    found: dict[int, list[Any]] = {}

    def work(index: int) -> None:
        found[index] = trained(cases[index], 200, **arguments)

    with going(way):
        alone = [trained(case, 200, **arguments) for case in cases]
        workers = [threading.Thread(target=work, args=(index,)) for index in range(len(cases))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=120)
    assert sorted(found) == list(range(len(cases)))
    for index, expected in enumerate(alone):
        assert_equal(expected, found[index])


def test_one_of_two_trainings_of_a_model_is_refused() -> None:
    model = make_model(TEAM)
    X, y = make_data(TEAM, 150)
    started, tried = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def wait(_: Any, epoch: int) -> None:
        if epoch == 1:
            started.set()
            assert tried.wait(60)

    def attempt() -> None:
        assert started.wait(60)
        for _ in range(3):
            try:
                model.train(X, y)
            except RuntimeError as error:
                errors.append(error)
        tried.set()

    other = threading.Thread(target=attempt)
    other.start()
    history = model.train(X, y, epochs=3, callbacks=Each(wait))
    other.join(timeout=60)
    assert len(history) == 3 and len(errors) == 3
    assert all("expected a model that is not in use" in str(error) for error in errors)
    assert_equal(all_arrays(model), trained(TEAM, 150, epochs=3))


def test_training_runs_in_any_thread() -> None:
    """Signals belong to the main thread; elsewhere training does without them."""
    found: list[Any] = []
    worker = threading.Thread(target=lambda: found.append(trained(TEAM, 150, epochs=3)))
    worker.start()
    worker.join(timeout=60)
    assert_equal(found[0], trained(TEAM, 150, epochs=3))
