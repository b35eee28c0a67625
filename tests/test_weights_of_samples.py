"""Weights of samples and classes: batches that weigh nothing, the three forms of targets."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Activation_Linear,
    Activation_Sigmoid,
    Layer_Dense,
    Layer_Dropout,
    Loss_BinaryCrossentropy,
    Loss_Hinge,
    Model,
    Optimizer_SGD,
)
from plan_cases import WAYS, going
from test_errors import state
from test_model import LOSSES, M, N, data, drift, net, twin_of

SKLEARN = {0: 22 / (3 * 4), 1: 22 / (3 * 6), 2: 22 / (3 * 12)}  # of 4, 6 and 12 samples


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    """Force one engine, or the classes, for the whole test."""
    with going(request.param):
        yield request.param


# Batches that weigh nothing


def weights_with_gaps() -> Any:
    """0/1 weights: of the batches of 4 in order, the second and the last weigh nothing."""
    weight = np.random.default_rng(8).integers(0, 2, N).astype(np.float64)
    weight[[0, 9, 12, 16]] = 1
    weight[4:8] = weight[20:] = 0
    return weight


@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_batch_that_weighs_nothing_is_no_step(way: str, optimizer: str, dropout: bool) -> None:
    X, y = data()
    model = net(optimizer=optimizer, dropout=dropout)
    spec = twin_of(model, "categorical_crossentropy", optimizer)
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 4, "sample_weight": weights_with_gaps()}
    history = model.train(X, y, **settings)
    rows = reference.train(spec, X, y, **settings)
    assert model.optimizer.iterations == spec.optimizer.iterations == 8
    np.testing.assert_allclose(history.loss, [r["loss"] for r in rows], rtol=0, atol=drift(8))
    expected = [row["accuracy"] for row in rows]
    np.testing.assert_allclose(history.accuracy, expected, rtol=0, atol=drift(8))
    for one, twin in zip(model.layers, spec.layers, strict=True):
        if isinstance(one, Layer_Dense):
            np.testing.assert_allclose(one.weights, twin.weights, rtol=0, atol=drift(8))
        if isinstance(one, Layer_Dropout):
            assert one.step == twin.step == 8


@pytest.mark.parametrize("seed", range(4))
def test_zeros_and_ones_may_be_shuffled(way: str, seed: int) -> None:
    """Whatever the order, the samples that count are the steps' only ones."""
    X, y = data()
    weight = np.zeros(N)
    weight[:3] = 1
    settings: dict[str, Any] = {"epochs": 5, "batch_size": 2, "shuffle": True}
    model, by_hand = net(), net()
    model.train(X, y, sample_weight=weight, rng=seed, **settings)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        order = rng.permutation(N)
        for start in range(0, N, 2):
            rows = order[start : start + 2]
            rows = rows[weight[rows] > 0]
            if len(rows):
                by_hand.train(X[rows], y[rows])
    assert model.optimizer.iterations == by_hand.optimizer.iterations
    for one, other in zip(model.trainable_layers, by_hand.trainable_layers, strict=True):
        np.testing.assert_allclose(one.weights, other.weights, rtol=0, atol=drift(15))


def test_the_line_of_a_batch_that_is_no_step_repeats_the_last_one(
    way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y = data(n=12)
    weight = np.ones(12)
    weight[4:8] = 0
    net().train(X, y, batch_size=4, sample_weight=weight, print_every=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == lines[1].replace("step: 0", "step: 1") and lines[3] != lines[2]


def test_the_line_of_a_regularised_model_knows_its_penalty_there(
    way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y = data(n=24)
    weight = np.ones(24)
    weight[8:12] = 0
    model = net(strengths=(0.0, 1e-2))
    model.train(X, y, batch_size=4, sample_weight=weight, print_every=2)
    found = re.findall(r"step: (\d), .*reg_loss: (\S+)\)", capsys.readouterr().out)
    assert [step for step, _ in found] == ["0", "2", "4", "5"]
    penalty = sum(1e-2 * (layer.weights**2).sum() for layer in model.trainable_layers)
    assert [float(text) for _, text in found] == pytest.approx([penalty] * 4, abs=3e-3)


@pytest.mark.parametrize(
    ("weight", "settings"),
    [
        (np.zeros(N), {}),
        (np.zeros(N), {"shuffle": True}),
        (np.r_[np.zeros(16), np.ones(6)], {"batch_size": 8, "drop_last": True}),
    ],
)
def test_weights_that_are_all_zero_are_refused(
    way: str, weight: Any, settings: dict[str, Any]
) -> None:
    X, y = data()
    model = net()
    before = state(model)
    with pytest.raises(ValueError, match="sample_weight: expected a sum above 0, got 0"):
        model.train(X, y, sample_weight=weight, **settings)
    assert state(model) == before


# Weights in the classes' own calls


@pytest.mark.parametrize("loss", LOSSES)
def test_backward_weighs_rows_as_the_reference_does(loss: str) -> None:
    X, y = data(loss)
    model = net(loss=loss)
    spec = twin_of(model, loss, "sgd")
    weight = np.random.default_rng(2).uniform(0, 2, N)
    model.backward(model.forward(X), y, sample_weight=weight)
    trace = reference.forward(spec, X, training=False)
    (_, dweights, dbiases), _ = reference.backward(spec, trace, y, weight)
    np.testing.assert_allclose(model.layers[-2].dweights, dweights, rtol=0, atol=drift(1))
    np.testing.assert_allclose(model.layers[-2].dbiases, dbiases, rtol=0, atol=drift(1))
    with pytest.raises(ValueError, match=r"sample_weight: expected \(22,\), got \(3,\)"):
        model.backward(model.forward(X), y, sample_weight=[1, 2, 3])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch_size", [None, 5])
def test_evaluate_weighs_the_loss(loss: str, batch_size: int | None) -> None:
    X, y = data(loss)
    model = net(loss=loss)
    spec = twin_of(model, loss, "sgd")
    spec.accuracy = None
    weight = np.random.default_rng(2).uniform(0, 2, N)
    weight[5:10] = 0  # a whole batch
    found, _ = model.evaluate(X, y, sample_weight=weight, batch_size=batch_size, quiet=True)
    expected, _ = reference.evaluate(spec, X, y, batch_size, sample_weight=weight)
    assert found == pytest.approx(expected, abs=drift(1))
    with pytest.raises(ValueError, match="sample_weight: expected a sum above 0, got 0"):
        model.evaluate(X, y, sample_weight=np.zeros(N))


# Weights of classes

LABELS = np.repeat([0, 1, 2], [4, 6, 12])


@pytest.mark.parametrize("form", ["labels", "list", "one-hot", "one-hot ints"])
@pytest.mark.parametrize("class_weight", [{0: 2.0, 2: 0.5}, {np.int64(0): 2, 2.0: 0.5}, "balanced"])
def test_weights_of_classes_are_weights_of_their_samples(
    way: str, form: str, class_weight: Any
) -> None:
    X, _ = data()
    forms = {
        "labels": LABELS,
        "list": LABELS.tolist(),
        "one-hot": np.eye(M)[LABELS],
        "one-hot ints": np.eye(M, dtype=np.uint8)[LABELS],
    }
    known = SKLEARN if class_weight == "balanced" else {0: 2.0, 1: 1.0, 2: 0.5}
    weight = np.array([known[label] for label in LABELS])
    own = np.random.default_rng(6).uniform(0.5, 1.5, N)
    for given, expected in ((None, weight), (own, own * weight)):
        model, by_hand = net(), net()
        settings: dict[str, Any] = {"epochs": 2, "batch_size": 8, "validation_data": (X, LABELS)}
        a = model.train(X, forms[form], class_weight=class_weight, sample_weight=given, **settings)
        b = by_hand.train(X, forms[form], sample_weight=expected, **settings)
        np.testing.assert_array_equal(a.loss, b.loss)
        np.testing.assert_array_equal(a.validation_loss, b.validation_loss)  # not weighed
        np.testing.assert_array_equal(model.layers[0].weights, by_hand.layers[0].weights)


def binary_net(loss: Any, last: Any) -> Model:
    model = Model()
    model.add(Layer_Dense(4, 1, rng=1))
    model.add(last)
    model.set(loss=loss, optimizer=Optimizer_SGD(0.1))
    return model


@pytest.mark.parametrize("shape", ["column", "flat", "flags"])
def test_two_classes_may_be_zeros_and_ones(way: str, shape: str) -> None:
    X, _ = data()
    y = (LABELS == 2).astype(np.float64)
    forms = {"column": y[:, None], "flat": y, "flags": y.astype(bool)}
    model, by_hand = (binary_net(Loss_BinaryCrossentropy(), Activation_Sigmoid()) for _ in range(2))
    a = model.train(X, forms[shape], epochs=2, class_weight={0: 3, True: 0.25})
    b = by_hand.train(X, forms[shape], epochs=2, sample_weight=np.where(y, 0.25, 3.0))
    np.testing.assert_array_equal(a.loss, b.loss)
    balanced = binary_net(Loss_BinaryCrossentropy(), Activation_Sigmoid())
    c = balanced.train(X, forms[shape], epochs=2, class_weight="balanced")
    weight = np.where(y, 22 / (2 * 12), 22 / (2 * 10))
    twin = binary_net(Loss_BinaryCrossentropy(), Activation_Sigmoid())
    np.testing.assert_array_equal(c.loss, twin.train(X, y, epochs=2, sample_weight=weight).loss)


@pytest.mark.parametrize("lower", [-1, 0])
def test_two_classes_may_be_signs(lower: int) -> None:
    X, _ = data()
    y = np.where(LABELS == 2, 1, lower)
    model, by_hand = (binary_net(Loss_Hinge(), Activation_Linear()) for _ in range(2))
    a = model.train(X, y, epochs=2, class_weight={lower: 3, 1: 0.25})
    b = by_hand.train(X, y, epochs=2, sample_weight=np.where(y == 1, 0.25, 3.0))
    np.testing.assert_array_equal(a.loss, b.loss)


def test_balance_is_that_of_the_samples_left_for_training(way: str) -> None:
    X, _ = data()
    y = np.r_[LABELS[::-1][:16], LABELS[:6]]
    kept = y[:16]
    counts = np.bincount(kept, minlength=3)
    present = np.count_nonzero(counts)
    model, by_hand = net(), net()
    a = model.train(X, y, epochs=2, validation_split=0.25, class_weight="balanced")
    weight = 16 / (present * counts[kept])
    held = (X[16:], y[16:])
    b = by_hand.train(X[:16], kept, epochs=2, sample_weight=weight, validation_data=held)
    np.testing.assert_array_equal(a.loss, b.loss)
    np.testing.assert_array_equal(a.validation_loss, b.validation_loss)


def test_balance_agrees_with_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    from chainrule.training.weights import class_factors

    expected = sklearn.compute_sample_weight("balanced", LABELS)
    np.testing.assert_array_equal(class_factors("balanced", LABELS, 3), expected)
    some = sklearn.compute_sample_weight({0: 2.0, 1: 3.0, 2: 1.0}, LABELS)
    np.testing.assert_array_equal(class_factors({0: 2.0, 1: 3.0}, LABELS, 3), some)


@pytest.mark.parametrize(
    ("class_weight", "y", "error", "text"),
    [
        ({3: 1.0}, LABELS, ValueError, "class_weight: expected classes of y, got 3"),
        ({"cat": 1.0}, LABELS, TypeError, "class_weight: expected ints as classes, got 'cat'"),
        ({0.5: 1.0}, LABELS, TypeError, "class_weight: expected ints as classes, got 0.5"),
        ({0: -1.0}, LABELS, ValueError, r"class_weight\[0\]: expected a number of at least 0"),
        ({0: "much"}, LABELS, TypeError, r"class_weight\[0\]: expected a number of at least 0"),
        ([1, 2, 3], LABELS, TypeError, "class_weight: expected a dict of class and weight, or"),
        ("even", LABELS, TypeError, "class_weight: expected a dict of class and weight, or"),
        ({0: 0, 1: 0, 2: 0}, LABELS, ValueError, "sample_weight: expected a sum above 0, got 0"),
        (
            "balanced",
            np.full((N, M), 1 / 3),
            ValueError,
            "class_weight: expected y to hold class labels, one-hot rows or 0/1 targets",
        ),
    ],
)
def test_weights_of_classes_that_do_not_fit_are_refused(
    class_weight: Any, y: Any, error: type[Exception], text: str
) -> None:
    X, _ = data()
    model = net()
    before = state(model)
    with pytest.raises(error, match=text):
        model.train(X, y, class_weight=class_weight)
    assert state(model) == before


def test_real_targets_have_no_classes() -> None:
    X, y = data("half_squared_error")
    with pytest.raises(ValueError, match="class_weight: expected y to hold class labels"):
        net(loss="half_squared_error").train(X, y, class_weight="balanced")
