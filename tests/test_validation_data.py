"""Validation: targets of either form, weights, a share of the samples; refusals change nothing."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import Model
from chainrule.training import loop
from plan_cases import WAYS, going
from test_errors import state
from test_model import M, data, drift, net, twin_of

EYE = np.eye(M)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    """Force one engine, or the classes, for the whole test."""
    with going(request.param):
        yield request.param


# Labels here, one-hot rows there


@pytest.mark.parametrize("training", ["labels", "one-hot"])
@pytest.mark.parametrize("validation", ["labels", "one-hot", "one-hot ints", "soft"])
def test_labels_and_one_hot_rows_may_stand_side_by_side(
    way: str, training: str, validation: str, dtype: Any
) -> None:
    X, y = data()
    held_X, held_y = data(n=9, seed=6)
    soft = np.random.default_rng(3).dirichlet(np.ones(M), 9)
    forms = {
        "labels": held_y,
        "one-hot": EYE[held_y],
        "one-hot ints": np.eye(M, dtype=int)[held_y],
        "soft": soft,
    }
    same, mixed = net(dtype=dtype), net(dtype=dtype)
    targets = y if training == "labels" else EYE[y]
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 8}
    history = mixed.train(X, targets, validation_data=(held_X, forms[validation]), **settings)
    same.train(X, targets, **settings)
    bound = drift(6, dtype)
    for one, other in zip(same.trainable_layers, mixed.trainable_layers, strict=True):
        np.testing.assert_allclose(one.weights, other.weights, rtol=0, atol=bound)
    p = mixed.predict(held_X).astype(np.float64)
    expected = -(soft if validation == "soft" else EYE[held_y]) * np.log(p)
    right = p.argmax(axis=1) == (soft.argmax(axis=1) if validation == "soft" else held_y)
    assert history.validation_loss[-1] == pytest.approx(expected.sum(axis=1).mean(), abs=bound)
    assert history.validation_accuracy[-1] == pytest.approx(right.mean())


def test_soft_validation_targets_leave_the_training_on_labels_as_it_is(way: str) -> None:
    """No labels say what they say, so the classes do it; the plan takes one form."""
    X, y = data()
    soft = np.random.default_rng(3).dirichlet(np.ones(M), len(X))
    history = net().train(X, y, epochs=2, validation_data=(X, soft))
    expected = net().train(X, y, epochs=2, validation_data=(X, EYE[y]))
    np.testing.assert_allclose(history.loss, expected.loss, rtol=0, atol=drift(2))


@pytest.mark.parametrize(
    ("held", "text"),
    [
        (np.array([0, 1, 3]), "validation y: label 3 at index 2: expected 0 to 2"),
        (np.array([[0.0, 0.5, 1.0]] * 2), "validation y: expected 3 samples, as X has"),
        (np.eye(4)[:3], r"validation y: expected \(3, 3\), got \(3, 4\)"),
        (np.array([[0.0, 0.5, 2.0]] * 3), r"validation y: expected values in \[0, 1\], got 2.0"),
    ],
)
def test_validation_targets_that_do_not_fit_change_nothing(way: str, held: Any, text: str) -> None:
    X, y = data()
    model = net(dropout=True)
    model.train(X, y, rng=1, shuffle=True)
    before = state(model)
    with pytest.raises(ValueError, match=text):
        model.train(X, y, rng=2, shuffle=True, validation_data=(X[:3], held))
    assert state(model) == before


def test_a_plan_that_cannot_be_made_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Want of memory, say: everything was checked, history and keys had been replaced."""

    def fail(*arguments: Any) -> None:
        raise MemoryError("no room")

    X, y = data()
    model = net(dropout=True)
    model.train(X, y, rng=1, shuffle=True)
    before, rng = state(model), np.random.default_rng(5)
    drawn = rng.bit_generator.state
    monkeypatch.setattr(loop, "runner_for", fail)
    with pytest.raises(MemoryError, match="no room"):
        model.train(X, y, rng=rng, shuffle=True)
    assert state(model) == before and rng.bit_generator.state == drawn


# Weights


def test_validation_weights_weigh_the_loss_as_in_the_reference(way: str) -> None:
    X, y = data()
    held = data(n=9, seed=6)
    weight = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.5, 0.0, 3.0])
    model = net()
    spec = twin_of(model, "categorical_crossentropy", "sgd")
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 4, "validation_data": (*held, weight)}
    history = model.train(X, y, **settings)
    rows = reference.train(spec, X, y, **settings)
    for name in ("validation_loss", "validation_accuracy"):
        expected = [row[name] for row in rows]
        np.testing.assert_allclose(history[name], expected, rtol=0, atol=drift(12), err_msg=name)
    evaluated = model.evaluate(*held, batch_size=4, sample_weight=weight, quiet=True)
    assert evaluated[0] == pytest.approx(history.validation_loss[-1], abs=drift(1))
    assert evaluated[1] == history.validation_accuracy[-1]
    plain = model.evaluate(*held, quiet=True)
    assert plain[0] != evaluated[0] and plain[1] == evaluated[1]


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (np.ones(8), r"validation weights: expected \(9,\), got \(8,\)"),
        (np.zeros(9), "validation weights: expected a sum above 0, got 0"),
        (-np.ones(9), "validation weights: expected values of at least 0, got -1.0 at index 0"),
    ],
)
def test_validation_weights_that_do_not_fit_are_refused(weight: Any, text: str) -> None:
    X, y = data()
    with pytest.raises(ValueError, match=text):
        net().train(X, y, validation_data=(*data(n=9, seed=6), weight))


# A share of the samples


@pytest.mark.parametrize(("share", "left"), [(0.1, 19), (0.25, 16), (0.5, 11), (0.9, 2), (0.95, 1)])
def test_a_split_is_the_last_share(way: str, share: float, left: int) -> None:
    X, y = data()
    weight = np.random.default_rng(4).uniform(0.1, 2, len(X))
    split, by_hand = net(), net()
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 8}
    a = split.train(X, y, validation_split=share, sample_weight=weight, **settings)
    b = by_hand.train(
        X[:left],
        y[:left],
        sample_weight=weight[:left],
        validation_data=(X[left:], y[left:], weight[left:]),
        **settings,
    )
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    np.testing.assert_array_equal(split.layers[0].weights, by_hand.layers[0].weights)


def test_a_split_comes_before_shuffling(way: str) -> None:
    X, y = data()
    a = net().train(X, y, epochs=2, validation_split=0.25, shuffle=True, rng=3)
    b = net().train(X[:16], y[:16], epochs=2, shuffle=True, rng=3, validation_data=(X[16:], y[16:]))
    np.testing.assert_array_equal(a.loss, b.loss)
    np.testing.assert_array_equal(a.validation_loss, b.validation_loss)


def test_shares_that_are_binary_fractions_off_are_meant() -> None:
    """10 * (1 - 0.9) is a little below 1 in floating point."""
    X, y = data(n=10)
    a = net().train(X, y, validation_split=0.9)
    b = net().train(X[:1], y[:1], validation_data=(X[1:], y[1:]))
    assert a.loss[0] == b.loss[0] and a.validation_loss[0] == b.validation_loss[0]


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"validation_split": 0}, ValueError, "expected samples on both sides, got 22 of 22"),
        ({"validation_split": 0.99}, ValueError, "expected samples on both sides, got 0 of 22"),
        ({"validation_split": 1}, ValueError, "validation_split: expected a number of at least 0"),
        ({"validation_split": "half"}, TypeError, "validation_split: expected a number"),
        (
            {"validation_split": 0.5, "validation_data": data()},
            ValueError,
            "validation_split: expected no validation_data with it, got both",
        ),
        (
            {"validation_split": 0.25, "sample_weight": np.r_[np.ones(16), np.zeros(6)]},
            ValueError,
            "sample_weight of the validation's samples: expected a sum above 0",
        ),
        (
            {"validation_split": 0.25, "sample_weight": np.r_[np.zeros(16), np.ones(6)]},
            ValueError,
            "sample_weight: expected a sum above 0",
        ),
    ],
)
def test_splits_that_make_no_sense_are_refused(
    settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    X, y = data()
    model = net()
    before = state(model)
    with pytest.raises(error, match=text):
        model.train(X, y, **settings)
    assert state(model) == before


def test_models_of_one_dtype_validate_on_data_of_the_other(way: str) -> None:
    X, y = data()
    model = net(dtype=np.float32)
    twin: Model = copy.deepcopy(model)
    a = model.train(X, y, validation_data=(X, y))
    b = twin.train(X, y, validation_data=(X.astype(np.float32), y.astype(np.uint8)))
    assert a.validation_loss[0] == b.validation_loss[0]
