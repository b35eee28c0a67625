"""A training's bits: the same for any number of threads, fused target, process, and division."""

from __future__ import annotations

import copy
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import training_hashes
from other_process import both_fused_targets, differences, hashes_of_target
from plan_cases import (
    ENDS,
    ENGINES,
    RULES,
    WAYS,
    Case,
    all_arrays,
    end_name,
    few_of_all,
    going,
    make_data,
    make_model,
)

N = 23


def test_the_hashes_go_through_every_engine() -> None:
    assert training_hashes.ENGINES == ("automatic", *ENGINES)


@pytest.mark.parametrize("engine", training_hashes.ENGINES)
def test_trainings_give_the_same_bits_for_any_number_of_threads(
    engine: str, restore_threads: None
) -> None:
    alone = training_hashes.hashes(engine, 1)
    for threads in training_hashes.THREADS[1:]:
        assert differences(alone, training_hashes.hashes(engine, threads)) == []


@functools.cache
def elsewhere(target: str, threads: int, **environment: str) -> dict[str, str]:
    """Hashes of all engines from another process, which forms teams for the smallest nets."""
    environment["CHAINRULE_TEAM"] = "always"
    found = hashes_of_target(training_hashes, target, str(threads), **environment)
    return {f"{engine}: {name}": value for engine in found for name, value in found[engine].items()}


def test_trainings_give_the_same_bits_on_both_fused_targets() -> None:
    first, second = both_fused_targets()
    assert differences(elsewhere(first, 1), elsewhere(second, 2)) == []


def test_trainings_give_the_same_bits_with_any_caches() -> None:
    small = elsewhere(cr.cpu_target(), 2, CHAINRULE_CACHES="4,16")
    large = elsewhere(cr.cpu_target(), 2, CHAINRULE_CACHES="512,65536")
    assert differences(small, large) == []


def test_trainings_give_the_same_bits_whatever_memory_held_before() -> None:
    usual = elsewhere(cr.cpu_target(), 2)
    assert differences(usual, elsewhere(cr.cpu_target(), 2, CHAINRULE_MEMORY="nan")) == []


def test_a_large_training_finds_nothing_of_the_one_before(restore_threads: None) -> None:
    """Its memory is the other's, where both are of one size."""
    case = Case(ENDS[6], "relu", "adam", dtype=np.float32, sizes=(700, 901, 333))
    X, y = make_data(case, N)

    def trained(X: Any) -> list[Any]:
        model = make_model(case)
        model.train(X, y, epochs=2, batch_size=7, on_nonfinite="ignore")
        return all_arrays(model)

    before = trained(X)
    assert any(np.isnan(a).any() for a in trained(np.full_like(X, 3e38)))
    for a, b in zip(trained(X), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("caches", ["32", "32,", "32,512,1", "32,-1", "0,512", "large,512"])
def test_caches_that_are_none_are_refused(caches: str) -> None:
    program = (
        "import chainrule as cr, numpy as np\n"
        "model = cr.Model()\n"
        "model.add(cr.Layer_Dense(40, 40, rng=0))\n"
        "model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD())\n"
        "x = np.zeros((40, 40), np.float32)\n"
        "for _ in range(2):\n"
        "    try: model.train(x, x, epochs=1, progress=False)\n"
        "    except RuntimeError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "CHAINRULE_CACHES": caches, "CHAINRULE_ENGINE": "panels"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = f"CHAINRULE_CACHES: expected kilobytes of L1 and L2, as in 32,512, got '{caches}'"
    assert run.stdout.splitlines() == [said, said], run.stderr


def assert_equal_bits(one: cr.Model, other: cr.Model) -> None:
    for a, b in zip(all_arrays(one), all_arrays(other), strict=True):
        np.testing.assert_array_equal(a, b)
    settings = [
        {name: repr(value) for name, value in vars(model.optimizer).items() if name != "token"}
        for model in (one, other)
    ]
    assert settings[0] == settings[1]
    steps = [[getattr(layer, "step", 0) for layer in model.layers] for model in (one, other)]
    assert steps[0] == steps[1]


def assert_equal_history(whole: cr.History, parts: list[cr.History]) -> None:
    for name in whole.keys():
        if name != "seconds":
            joined = np.concatenate([part[name] for part in parts])
            np.testing.assert_array_equal(whole[name], joined, err_msg=name)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_parts_of_a_training_give_the_bits_of_the_whole(
    way: str, rule: str, shuffle: bool, dtype: Any
) -> None:
    case = Case(ENDS[0], "relu", rule, "all", "both", dtype)
    X, y = make_data(case, N)
    whole, divided = make_model(case), make_model(case)
    rng = np.random.default_rng(5)
    arguments: dict[str, Any] = {"batch_size": 9, "shuffle": shuffle, "validation_data": (X, y)}
    with going(way):
        history = whole.train(X, y, epochs=7, rng=np.random.default_rng(5), **arguments)
        parts = [
            divided.train(X, y, epochs=2, rng=rng, **arguments),
            divided.train(X, y, epochs=1, rng=rng, **arguments),
            divided.train(X, y, epochs=0, **arguments),
            divided.train(X, y, epochs=4, **arguments),  # the last generator goes on
        ]
    assert_equal_bits(whole, divided)
    assert_equal_history(history, parts)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", few_of_all(), ids=lambda case: f"{end_name(case.end)}-{case.rule}")
def test_a_training_goes_on_from_a_file_with_the_bits_of_the_whole(
    case: Case, way: str, tmp_path: Path
) -> None:
    """With every part that is listed, and every setting of layers."""
    X, y = make_data(case, N)
    whole, first = make_model(case), make_model(case)
    arguments: dict[str, Any] = {"batch_size": 9, "validation_data": (X, y)}
    with going(way):
        history = whole.train(X, y, epochs=4, **arguments)
        parts = [first.train(X, y, epochs=2, **arguments)]
        first.save(tmp_path / "model")
        second = cr.Model.load(tmp_path / "model")
        assert repr(second) == repr(first)
        parts.append(second.train(X, y, epochs=2, **arguments))
    assert_equal_bits(whole, second)
    assert_equal_history(history, parts)
    np.testing.assert_array_equal(whole.predict(X), second.predict(X))


class Each:
    """A callback that calls `action(model, epoch)` after each epoch."""

    model: Any

    def __init__(self, action: Any) -> None:
        self.action = action

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.action(self.model, epoch)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_looking_callbacks_and_copies_change_no_bit(way: str, rule: str, dtype: Any) -> None:
    """A copy made in mid-training and trained to the end gives the same, too."""
    case = Case(ENDS[0], "tanh", rule, "l2", "hidden", dtype)
    X, y = make_data(case, N)
    plain, watched = make_model(case), make_model(case)
    copies = []

    def look(model: Any, epoch: int) -> None:
        model.predict(X)
        model.evaluate(X, y, quiet=True)
        model.forward(X)
        if epoch == 3:
            copies.append(copy.deepcopy(model))

    with going(way):
        history = plain.train(X, y, epochs=5, batch_size=9)
        seen = watched.train(X, y, epochs=5, batch_size=9, callbacks=Each(look))
        rest = copies[0].train(X, y, epochs=2, batch_size=9)
    assert_equal_bits(plain, watched)
    assert_equal_bits(plain, copies[0])
    assert_equal_history(history, [seen])
    np.testing.assert_array_equal(history.loss[3:], rest.loss)
