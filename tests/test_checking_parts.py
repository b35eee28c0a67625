"""Every part of the catalogue passes gradcheck, alone and in models: what is listed is tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Layer_Scale,
    Loss_MeanSquaredError,
    Model,
    Optimizer_Adam,
    gradcheck,
    schedules,
)
from part_cases import examples, name_of

SAMPLES = 9
LAST = {"probabilities": "softmax", "positive": "exponential"}  # what suits a loss's output_domain


def targets_of(loss: Any, rng: Any, n_outputs: int) -> Any:
    """Targets all over the loss's domain."""
    shape = (SAMPLES, 1 if hasattr(loss, "quantiles") else n_outputs)
    domain = loss.target_domain
    if domain == "signs":
        return rng.choice([-1.0, 1.0], shape)
    if domain == "unit_interval":
        return rng.uniform(0, 1, shape)
    if domain == "not_negative":
        return rng.poisson(2.0, shape).astype(float)
    return 2 * rng.standard_normal(shape)


def outputs_of(loss: Any) -> int:
    return len(getattr(loss, "quantiles", (0, 0, 0)))


def layer_of(core_name: str) -> Any:
    return next(make() for make in examples("activation") if make.func.core_name == core_name)


@pytest.mark.parametrize("make", examples("activation"), ids=name_of)
def test_every_activation_passes(make: Any, dtype: Any, rng: Any) -> None:
    X = 2 * rng.standard_normal((SAMPLES, 4))
    X[0] = [0.0, -40.0, 40.0, 1e-6]
    report = gradcheck(make(), X.astype(dtype))
    assert report, report
    assert report.rows[0].checked >= X.size - 2


@pytest.mark.parametrize("make", examples("loss"), ids=name_of)
def test_every_loss_passes(make: Any, dtype: Any, rng: Any) -> None:
    loss = make()
    y = targets_of(loss, rng, outputs_of(loss))
    low, high = {"any": (-3, 3), "logits": (-3, 3), "positive": (0.1, 5)}.get(
        loss.output_domain, (0.05, 0.95)
    )
    p = rng.uniform(low, high, (SAMPLES, outputs_of(loss))).astype(dtype)
    report = gradcheck(loss, p, y)
    assert report, report
    assert report.rows[0].checked == p.size


@pytest.mark.parametrize("make", examples("joint"), ids=name_of)
def test_every_activation_joined_with_its_loss_passes(make: Any, dtype: Any, rng: Any) -> None:
    pair = make()
    y = targets_of(pair.loss, rng, 3)
    for scale in (1, 30):  # also where the value itself is clipped
        z = (scale * rng.standard_normal((SAMPLES, 3))).astype(dtype)
        report = gradcheck(pair, z, y)
        assert report, report


@pytest.mark.parametrize("make", examples("loss"), ids=name_of)
def test_every_loss_passes_in_models(make: Any, dtype: Any, rng: Any) -> None:
    loss = make()
    m = outputs_of(loss)
    for strength in (0.0, 0.02):
        model = Model()
        settings = {f"{kind}_regularizer_l1": strength for kind in ("weight", "bias")}
        for k, (n_inputs, n_neurons) in enumerate(((4, 6), (6, m))):
            model.add(Layer_Dense(n_inputs, n_neurons, weight_scale=0.6, dtype=dtype, rng=k,
                                  **settings))  # fmt: skip
            model.layers[-1].biases += 0.1
            model.add(Activation_Tanh())
        model.layers.pop()
        if loss.output_domain in LAST:
            model.add(layer_of(LAST[loss.output_domain]))
        model.set(loss=loss)
        report = gradcheck(model, rng.standard_normal((SAMPLES, 4)), targets_of(loss, rng, m))
        assert report, report
        assert {row.way for row in report.rows} == {"layers", "plan"}
        assert all(row.checked for row in report.rows)


@pytest.mark.parametrize("make", examples("loss"), ids=name_of)
def test_a_joined_value_is_the_loss_of_the_activations_output(make: Any, rng: Any) -> None:
    loss = make()
    for name in loss.joins:
        activation = layer_of(name)
        z = rng.standard_normal((SAMPLES, 3))
        y = targets_of(loss, rng, 3)
        expected = loss.forward(activation.forward(z), y)
        np.testing.assert_allclose(loss.joint_value(z, y), expected, rtol=1e-13)
        assert loss.joint_value(z.astype(np.float32), y).dtype == np.float32


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "softmax"])
def test_a_copy_of_an_activation_without_its_derivative_is_found(name: str, rng: Any) -> None:
    base = type(layer_of(name))

    class Bare(base):  # type: ignore[misc,valid-type]
        def backward(self, dvalues: Any = None) -> Any:
            self.dinputs = np.array(dvalues)
            return self.dinputs

    report = gradcheck(Bare(), rng.standard_normal((SAMPLES, 4)))
    assert not report
    words = "dinputs equals dvalues: the activation's derivative is missing"
    assert report.rows[0].hint == words


def test_layers_with_settings_pass_in_both_ways(dtype: Any, rng: Any) -> None:
    model = Model()
    for layer in (
        Layer_Scale(4),
        Layer_Dense(4, 6, weight_scale=0.6, dtype=dtype, rng=0, bias=False),
        Activation_Tanh(),
        Layer_Dropout(0.3, rng=1, schedule=schedules.Cosine()),
        Layer_Dense(6, 2, 0.1, 0.2, 0.3, 0.4, weight_scale=0.6, dtype=dtype, rng=2,
                    learning_rate_factor=(0.25, 0.0), weight_decay_factor=3.0),
    ):  # fmt: skip
        model.add(layer)
    model.set(loss=Loss_MeanSquaredError(), optimizer=Optimizer_Adam(weight_decay=0.1))
    report = gradcheck(model, rng.standard_normal((SAMPLES, 4)), rng.standard_normal((SAMPLES, 2)))
    assert report, report
    parameters = ["Layer_Scale 1: weights", "Layer_Dense 2: weights", "Layer_Dense 5: weights",
                  "Layer_Dense 5: biases"]  # fmt: skip
    assert [row.array for row in report.rows] == ["inputs", *parameters, *parameters]
    assert report.notes == ()
