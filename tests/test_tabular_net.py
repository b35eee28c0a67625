"""The tabular nets: their parametrisation, their steps, their folding, their encoding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Layer_Dense, Loss_MeanSquaredError, schedules
from chainrule.sklearn.tabular.encoding import Encoding
from chainrule.sklearn.tabular.net import Columns, Recipe, folded, new_net
from chainrule.sklearn.tabular.table import Table
from tabular_cases import Array


def recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {
        "sizes": [5, 4],
        "activation": "tanh",
        "n_outputs": 1,
        "loss": Loss_MeanSquaredError(),
        "learning_rate": 0.05,
        "dropout": 0.0,
        "weight_decay": 0.0,
        "batch_size": None,
        "epochs": 12,
        "metric": "validation_loss",
        "class_weight": None,
    }
    return Recipe(**{**settings, **changes})


def numbers(d: int) -> Columns:
    """Return inputs that are all numbers."""
    return Columns(d, d, ())


class Reference:
    """The net in its own parametrisation, in float64: ``z = (s x) W / sqrt(d) + b``."""

    def __init__(self, net: Any, settings: Recipe) -> None:
        layers = [layer for layer in net.layers if isinstance(layer, Layer_Dense)]
        self.settings = settings
        self.values = [net.layers[0].weights.astype(float)]
        for layer in layers:
            self.values.append(layer.weights.astype(float) * np.sqrt(layer.n_inputs))
            self.values.append(layer.biases.astype(float))
        # (factor of the rate, whether it decays): scale layer 6, weights 1, biases 0.1
        self.kinds = [(6.0, True)] + [(1.0, True), (0.1, False)] * len(layers)
        self.first = [np.zeros_like(value) for value in self.values]
        self.second = [np.zeros_like(value) for value in self.values]

    def gradients(self, X: Array, y: Array) -> list[Array]:
        factor, *rest = self.values
        inputs, outputs = [], X * factor
        for place in range(0, len(rest), 2):
            inputs.append(outputs)
            outputs = outputs @ rest[place] / np.sqrt(len(rest[place])) + rest[place + 1]
            if place < len(rest) - 2:
                outputs = np.tanh(outputs)
        found: list[Array] = []
        back = 2 * (outputs - y) / y.size
        for place in reversed(range(0, len(rest), 2)):
            root = np.sqrt(len(rest[place]))
            into = inputs[place // 2]
            found = [into.T @ back / root, back.sum(axis=0, keepdims=True), *found]
            back = back @ rest[place].T / root
            if place:
                back = back * (1 - into**2)
        return [(back * X).sum(axis=0, keepdims=True), *found]

    def step(self, X: Array, y: Array, t: int) -> None:
        share = t / self.settings.epochs
        rate = self.settings.learning_rate * float(schedules.CosineLog(4)(share))
        decay = self.settings.weight_decay * float(schedules.FlatCosine()(share))
        for k, gradient in enumerate(self.gradients(X, y)):
            factor, decays = self.kinds[k]
            self.first[k] = 0.9 * self.first[k] + 0.1 * gradient
            self.second[k] = 0.95 * self.second[k] + 0.05 * gradient**2
            mean = self.first[k] / (1 - 0.9 ** (t + 1))
            square = self.second[k] / (1 - 0.95 ** (t + 1))
            if decays:  # without the factor of the rate
                self.values[k] = self.values[k] * (1 - rate * decay)
            self.values[k] = self.values[k] - factor * rate * mean / (np.sqrt(square) + 1e-8)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_training_follows_the_steps_of_the_scaled_parametrisation(decay: float) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(16, 3)).astype(np.float32)
    y = np.sin(X.sum(axis=1, keepdims=True)).astype(np.float32)
    settings = recipe(weight_decay=decay)
    net = new_net(settings, numbers(3), rng)
    last = [layer for layer in net.layers if isinstance(layer, Layer_Dense)][-1]
    last.weights[...] = rng.normal(size=last.weights.shape)  # else first gradients are 0
    reference = Reference(net, settings)
    net.train(X, y, epochs=settings.epochs, progress=False)
    for t in range(settings.epochs):
        reference.step(X.astype(float), y.astype(float), t)
    after = Reference(net, settings).values
    # Adam divides a gradient by its own size: an error of eps in it moves a step by eps at most
    # times the condition of the gradient, about 100 here, in each of the steps' `rate * 6`
    tolerance = 100 * np.finfo(np.float32).eps * settings.epochs * settings.learning_rate * 6
    tolerance += settings.epochs * np.finfo(np.float32).eps * 4
    for mine, other in zip(after, reference.values, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance)


def test_the_first_parameters_have_the_recipes_spread_and_the_last_layer_gives_0() -> None:
    net = new_net(recipe(sizes=[400, 300]), numbers(100), np.random.default_rng(0))
    dense = [layer for layer in net.layers if isinstance(layer, Layer_Dense)]
    assert (net.layers[0].weights == 1).all()
    for layer in dense[:-1]:
        # the standard deviation of k normal numbers is known to 1 / sqrt(2 k): five of them
        weights, biases = layer.weights * np.sqrt(layer.n_inputs), layer.biases
        assert abs(weights.std() - 1) < 5 / np.sqrt(2 * weights.size)
        assert abs(biases.std() - 1) < 5 / np.sqrt(2 * biases.size)
    assert not dense[-1].weights.any() and not dense[-1].biases.any()


def test_a_folded_net_gives_the_trained_nets_outputs() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(64, 7)).astype(np.float32)
    y = X[:, :1] * X[:, 1:2]
    net = new_net(recipe(dropout=0.2), numbers(7), rng)
    net.train(X, y, epochs=12, progress=False)
    assert np.ptp(net.layers[0].weights) > 0  # the factors have learned
    (plain,) = folded(net)
    assert len(plain.layers) == 5  # three dense layers, two activations
    np.testing.assert_allclose(plain.predict(X), net.predict(X), rtol=1e-5, atol=1e-5)


# --- encoding -------------------------------------------------------------------------------------


def bent(z: Array) -> Array:
    return z / np.sqrt(1 + (z / 3) ** 2)


def test_missing_numbers_are_medians_with_a_mark() -> None:
    numbers = np.array([[1.0, 0], [2, 1], [np.nan, 2], [4, 3], [5, 4]])
    table = Table(numbers, np.empty((5, 0), dtype=np.int32))
    encoding = Encoding(table, [])
    inputs = encoding(table)
    assert encoding.width == 3 and inputs.dtype == np.float32
    assert inputs[2, 0] == 0  # the median, 3
    assert inputs[2, 2] == pytest.approx(bent(np.array(2.0))) and not inputs[[0, 1, 3, 4], 2].any()
    # a gap where the fit saw none: the median, without a mark
    gap = Table(np.array([[1.0, np.nan]]), np.empty((1, 0), dtype=np.int32))
    assert encoding(gap)[0, 1] == 0


def test_two_levels_are_one_column_and_more_are_one_each() -> None:
    codes = np.array([[0, 0], [1, 1], [0, 2], [1, -1], [0, 1], [1, 0]], dtype=np.int32)
    table = Table(np.empty((6, 0)), codes)
    encoding = Encoding(table, [2, 3])
    inputs = encoding(table)
    assert encoding.width == 1 + 3
    assert inputs[0, 0] == -inputs[1, 0] < 0
    assert not (inputs[3, 1:] - inputs[3, 1:].min()).any()  # missing: each column's 0
    for row, code in enumerate(codes[:3, 1]):
        assert inputs[row, 1:].argmax() == code


def test_a_level_that_the_training_rows_lack_counts_as_missing() -> None:
    seen = Table(np.empty((4, 0)), np.array([[0], [2], [3], [0]], dtype=np.int32))
    encoding = Encoding(seen, [4])
    other = Table(np.empty((2, 0)), np.array([[1], [-1]], dtype=np.int32))
    inputs = encoding(other)
    assert encoding.width == 3 and np.array_equal(inputs[0], inputs[1])
