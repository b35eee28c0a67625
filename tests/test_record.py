"""train(record=): norms of gradients and steps, and dead units, of some steps; no bit changes."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.parameters import slots_of
from chainrule.training.passes import learning
from plan_cases import (
    ENDS,
    WAYS,
    Case,
    all_arrays,
    few_of_all,
    going,
    layers_with_parameters,
    make_data,
    make_model,
)
from teams import TEAM, Each, assert_equal
from tolerance import gamma

CASES = few_of_all(sizes=(4, 7, 5, 3))
N, BATCH = 23, 6


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", range(len(CASES)))
def test_no_bit_changes(way: str, place: int) -> None:
    case = CASES[place]
    X, y = make_data(case, N)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": BATCH, "shuffle": True, "rng": 1}
    settings |= [{}, {"clip_norm": 0.05}, {"accumulate": 3}, {"drop_last": True}][place % 4]
    plain, noted = make_model(case), make_model(case)
    with going(way):
        plain.train(X, y, **settings)
        history = noted.train(X, y, record=cr.Record(every=2), **settings)
    assert_equal(all_arrays(noted), all_arrays(plain))
    assert plain.optimizer.iterations == noted.optimizer.iterations
    count = noted.optimizer.iterations
    np.testing.assert_array_equal(history.layers.steps, np.arange(1, count + 1, 2))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", range(len(CASES)))
def test_what_is_noted_is_what_the_step_was(way: str, place: int) -> None:
    case = CASES[place]
    X, y = make_data(case, N)
    model = make_model(case)
    with going(way):
        e = model.explain(X, y)
        layers = model.train(X, y, record=cr.Record()).layers
    learners = {id(layer) for layer in learning(model.trainable_layers)}
    expected = set()
    for k, layer in enumerate(model.layers):
        for number, slot in enumerate(slots_of(layer) if id(layer) in learners else ()):
            entry = e[k]
            arrays = {
                f"d{slot.name}": getattr(entry, f"d{slot.name}"),
                f"step_{slot.name}": getattr(entry, f"step_{slot.name}"),
                slot.name: getattr(entry, slot.name),
            }
            for name, array in arrays.items():
                (found,) = layers[k, name]
                size = np.linalg.norm(array.astype(np.float64))
                assert abs(found - size) <= gamma(array.size, np.float64) * size
            expected |= {(k, name) for name in arrays}
            if number == 0:
                np.testing.assert_array_equal(
                    layers[k, "ratio"], layers[k, f"step_{slot.name}"] / layers[k, slot.name]
                )
                expected.add((k, "ratio"))
        if type(layer) is cr.Activation_ReLU:
            dead = (e[k].output == 0).all(axis=0)
            assert layers[k, "dead"] == [np.count_nonzero(dead)]
            expected.add((k, "dead"))
    assert set(layers) == expected


@pytest.mark.parametrize("way", WAYS)
def test_dead_units_of_a_step_from_several_batches(way: str) -> None:
    case = Case(ENDS[0], hidden="relu", sizes=(4, 20, 3), dropout="hidden", dtype=np.float32)
    X, y = make_data(case, 30)
    model = make_model(case)
    model.layers[0].biases -= np.float32(2)  # most units are seldom above 0
    with going(way):
        dead = (model.explain(X, y)[1].output == 0).all(axis=0)
        layers = model.train(X, y, batch_size=5, accumulate=6, record=cr.Record()).layers
    assert 0 < np.count_nonzero(dead) < 20
    assert layers[1, "dead"] == [np.count_nonzero(dead)]


def test_threads_note_the_same(restore_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAINRULE_TEAM", "always")
    X, y = make_data(TEAM, 700)
    found = []
    for threads in (1, 2, 3):
        cr.set_num_threads(threads)
        model = make_model(TEAM)
        layers = model.train(X, y, epochs=2, batch_size=100, record=cr.Record(every=3)).layers
        found.append([np.stack(list(layers.values())), *all_arrays(model)])
    for other in found[1:]:
        assert_equal(other, found[0])


def test_many_steps_and_callbacks_that_change_the_plan() -> None:
    case = Case(ENDS[0], hidden="relu", rule="momentum", sizes=(4, 7, 3))
    X, y = make_data(case, N)
    settings: dict[str, Any] = {"epochs": 9000, "batch_size": 12}

    def regularize(model: Any, epoch: int) -> None:
        if epoch in (2, 3):
            layer = layers_with_parameters(model)[0]
            layer.weight_regularizer_l2 = 0.01 * (3 - epoch)

    plain, noted = make_model(case), make_model(case)
    settings["callbacks"] = [Each(regularize)]
    plain.train(X, y, **settings)
    layers = noted.train(X, y, record=cr.Record(every=1), **settings).layers
    assert_equal(all_arrays(noted), all_arrays(plain))
    np.testing.assert_array_equal(layers.steps, np.arange(1, 18001))
    assert not any(np.isnan(column).any() for column in layers.values())


def test_trainings_with_and_without_a_record_take_turns() -> None:
    case = Case(ENDS[0], hidden="relu", rule="momentum", sizes=(4, 7, 3))
    X, y = make_data(case, N)
    plain, noted = make_model(case), make_model(case)
    for batch_size in (6, 6, N, N):
        for record in (None, cr.Record(every=2), None, cr.Record(every=3)):
            plain.train(X, y, epochs=2, batch_size=batch_size)
            history = noted.train(X, y, epochs=2, batch_size=batch_size, record=record)
            assert bool(history.layers) == (record is not None)
            assert_equal(all_arrays(noted), all_arrays(plain))


def test_a_layer_that_learns_later_is_nan_before() -> None:
    case = Case(ENDS[0], sizes=(4, 7, 3), frozen=0)
    X, y = make_data(case, N)
    model = make_model(case)

    def thaw(model: Any, epoch: int) -> None:
        model.layers[0].trainable = True

    layers = model.train(X, y, epochs=3, callbacks=[Each(thaw)], record=cr.Record(every=1)).layers
    np.testing.assert_array_equal(np.isnan(layers[0, "dweights"]), [True, False, False])
    assert not np.isnan(layers[2, "dweights"]).any()


def test_notes_are_kept_by_copies_pickles_and_files(tmp_path: Path) -> None:
    case = Case(ENDS[0], hidden="relu", sizes=(4, 7, 3))
    X, y = make_data(case, N)
    model = make_model(case)
    assert not len(model.train(X, y).layers)
    layers = model.train(X, y, epochs=12, batch_size=5, record=cr.Record(every=4)).layers
    model.save(tmp_path / "model.safetensors")
    loaded = cr.Model.load(tmp_path / "model.safetensors")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        found = other.history.layers
        assert list(found) == list(layers)
        np.testing.assert_array_equal(found.steps, layers.steps)
        for key in layers:
            np.testing.assert_array_equal(found[key], layers[key])


def test_columns_are_a_table() -> None:
    pd = pytest.importorskip("pandas")
    case = Case(ENDS[0], hidden="relu", sizes=(4, 7, 3))
    X, y = make_data(case, N)
    layers = make_model(case).train(X, y, epochs=5, record=cr.Record(every=2)).layers
    table = pd.DataFrame(dict(layers), index=layers.steps)
    assert table.shape == (3, 15)
    assert list(table[2]) == [
        "dweights", "step_weights", "weights", "ratio", "dbiases", "step_biases", "biases"
    ]  # fmt: skip
    with pytest.raises(KeyError, match=r"expected one of \(0, 'dweights'\), .* got 3"):
        layers[3]  # type: ignore[index]


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: cr.Record("outputs"), "Record: kind: expected 'gradients', got 'outputs'"),
        (lambda: cr.Record(every=0), "Record: every: expected .* got 0"),
        (lambda: cr.Record(every=1.5), "Record: every: expected .* got 1.5"),  # type: ignore[arg-type]
    ],
)
def test_wrong_records_are_refused(make: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        make()


def test_train_refuses_what_is_no_record() -> None:
    case = Case(ENDS[0], sizes=(4, 7, 3))
    model = make_model(case)
    with pytest.raises(TypeError, match="record: expected a Record or None, got 'gradients'"):
        model.train(*make_data(case, N), record="gradients")
