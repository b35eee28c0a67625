"""Findings of an explanation: planted faults are named with number and limit, nothing else is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.demo.demo import digits_model, sine_model, spiral_model, split_digits
from chainrule.seeing import findings

ROOT = Path(__file__).resolve().parents[1]
DIGITS = split_digits()[0]


def sine_data() -> tuple[Any, Any]:
    X = np.random.default_rng(0).uniform(-10, 10, (25, 1))
    return X, np.sin(X)


def spiral_data() -> tuple[Any, Any]:
    X, y = cr.datasets.spiral_data(100, 3, rng=0)
    return X.astype(np.float32), y


def kinds(explanation: Any) -> list[str]:
    return [each.kind for each in explanation.findings]


def only(explanation: Any, kind: str) -> Any:
    """The one finding of this kind; its text has number and limit, its link leads somewhere."""
    (found,) = [each for each in explanation.findings if each.kind == kind]
    assert re.search(r"\d", found.text)
    page, _, place = found.link.partition("#")
    if (ROOT / "docs").is_dir():
        assert f"## {place.replace('-', ' ')}" in (ROOT / page).read_text().lower()
    assert found.text in str(explanation)
    assert found.text.split(":")[0].replace("'", "&#x27;") in explanation._repr_html_()
    return found


# --- no false alarms ------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [0, 1, 4, 40])
@pytest.mark.parametrize("n", [8, 32, 256, 1437])
def test_nothing_is_found_in_the_digits_demo(epochs: int, n: int) -> None:
    X, y = DIGITS
    model = digits_model()
    model.train(X, y, epochs=epochs, batch_size=32)
    assert model.explain(X[:n], y[:n]).findings == ()


@pytest.mark.parametrize("epochs", [0, 10, 1000, 20_000])
def test_nothing_is_found_in_the_sine_demo(epochs: int) -> None:
    X, y = sine_data()
    model = sine_model()
    model.train(X, y, epochs=epochs)
    assert model.explain(X, y).findings == ()


@pytest.mark.parametrize("epochs", [0, 10, 100, 2000])
def test_nothing_is_found_in_the_spiral_demo(epochs: int) -> None:
    X, y = spiral_data()
    model = spiral_model()
    model.train(X, y, epochs=epochs)
    assert model.explain(X, y).findings == ()


def deep(activation: str, factor: float = 1.0) -> cr.Model:
    model = cr.mlp(64, *[32] * 9, 10, activation=activation, output="softmax", seed=0)
    for layer in model.trainable_layers:
        layer.weights *= np.float32(factor)
    return model


def test_ten_layers_of_relu_with_their_initial_weights_are_no_finding() -> None:
    X, y = DIGITS
    assert deep("relu").explain(X[:500], y[:500]).findings == ()


# --- planted faults -------------------------------------------------------------------------------


def test_ten_layers_of_sigmoid_vanish() -> None:
    X, y = DIGITS
    found = only(deep("sigmoid").explain(X[:200], y[:200]), "vanishing")
    assert found.value < found.limit == findings.VANISHING
    assert found.layer == 0


def test_large_weights_explode() -> None:
    X, y = DIGITS
    e = deep("relu", 5.0).explain(X[:200], y[:200])
    found = only(e, "exploding")
    assert found.value > found.limit == findings.EXPLODING


def test_planted_dead_units_are_found_by_their_indices() -> None:
    X, y = DIGITS
    model = cr.mlp(64, 40, 30, 10, output="softmax", seed=1)
    planted = [0, 3, 7, 11, 12, 21, 29, 30, 38, 39]
    model.layers[0].biases[0, planted] = -1e3
    e = model.explain(X, y)
    dead = np.flatnonzero((model.layers[0].forward(X) <= 0).all(axis=0))  # some were so before
    assert set(planted) <= set(dead)
    np.testing.assert_array_equal(e[1].dead, dead)
    np.testing.assert_array_equal(e[0].dead, dead)
    found = only(e, "dead")
    assert (found.layer, found.value) == (1, len(dead) / 40)
    assert e.unit(1, 3).dead
    assert not e.unit(1, 4).dead


def test_a_few_dead_units_are_shown_and_are_no_finding() -> None:
    X, y = DIGITS
    model = cr.mlp(64, 40, 10, output="softmax", seed=1)
    before = set(model.explain(X, y)[1].dead)
    model.layers[0].biases[0, 5] = -1e3
    e = model.explain(X, y)
    assert set(e[1].dead) == {*before, 5} != before
    assert e.findings == ()


def test_saturated_tanhs() -> None:
    X, y = DIGITS
    model = cr.mlp(64, 40, 10, activation="tanh", output="softmax", seed=1)
    model.layers[0].weights *= np.float32(1000)
    found = only(model.explain(X[:300], y[:300]), "saturated")
    assert found.layer == 1
    assert found.value > found.limit


@pytest.mark.parametrize("rate, kind", [(30.0, "step too large"), (1e-9, "step too small")])
def test_rates_far_off(rate: float, kind: str) -> None:
    X, y = DIGITS
    model = digits_model()
    model.set(optimizer=cr.Optimizer_SGD(rate))
    found = only(model.explain(X[:300], y[:300]), kind)
    assert (found.value > found.limit) == (kind == "step too large")


def test_a_step_that_overshoots() -> None:
    X = np.linspace(-1, 1, 20)[:, None]
    model = cr.Model()
    model.add(cr.Layer_Dense(1, 1, weights=[[5.0]], biases=[[0.0]]))
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(3.2))
    e = model.explain(X, 4.8 * X)
    assert e.rows[0].ratio < findings.LARGE_STEP
    assert e.loss_after > e.loss
    assert only(e, "step too large").value > findings.RISE


@pytest.mark.parametrize("factor, beyond", [(255.0, True), (1e-5, False)])
def test_inputs_that_are_not_scaled(factor: float, beyond: bool) -> None:
    X, y = DIGITS
    found = only(digits_model().explain(X[:300] * factor, y[:300]), "inputs")
    assert (found.value > found.limit) == beyond


def test_targets_out_of_reach() -> None:
    X, y = sine_data()
    model = sine_model()
    model.layers[-1] = cr.Activation_Sigmoid()
    found = only(model.explain(X, y), "ends")
    assert found.value == np.mean(y < 0)


def test_outputs_that_no_label_names() -> None:
    X, y = DIGITS
    few = y < 4
    found = only(digits_model().explain(X[few], y[few]), "ends")
    assert found.value == 0.6
