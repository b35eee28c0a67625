"""Optimizers: their rules over several steps, the arrays they leave on a layer, refusals."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Layer_Dense,
    Optimizer_Adagrad,
    Optimizer_Adam,
    Optimizer_RMSprop,
    Optimizer_SGD,
)

MOMENTUMS = {"weight_momentums", "bias_momentums"}
CACHES = {"weight_cache", "bias_cache"}
CASES: dict[str, tuple[Any, dict[str, Any], set[str]]] = {
    "sgd": (lambda: Optimizer_SGD(0.1, 0.1), {"rule": "sgd"}, set()),
    "momentum": (lambda: Optimizer_SGD(0.1, 0.1, 0.9), {"rule": "sgd", "momentum": 0.9}, MOMENTUMS),
    "nesterov": (
        lambda: Optimizer_SGD(0.1, 0.1, 0.9, nesterov=True),
        {"rule": "sgd", "momentum": 0.9, "nesterov": True},
        MOMENTUMS,
    ),
    "adagrad": (lambda: Optimizer_Adagrad(0.1, 0.1), {"rule": "adagrad"}, CACHES),
    "rmsprop": (
        lambda: Optimizer_RMSprop(0.1, 0.1, rho=0.8),
        {"rule": "rmsprop", "rho": 0.8},
        CACHES,
    ),
    "adam": (lambda: Optimizer_Adam(0.1, 0.1), {"rule": "adam"}, MOMENTUMS | CACHES),
    "adamw": (
        lambda: Optimizer_Adam(0.1, 0.1, weight_decay=0.5),
        {"rule": "adam", "weight_decay": 0.5},
        MOMENTUMS | CACHES,
    ),
}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Any:
    make, settings, names = CASES[request.param]
    return make(), reference.Optimizer(learning_rate=0.1, decay=0.1, **settings), names


def layer_with_gradients(rng: np.random.Generator, dtype: Any = np.float64) -> Layer_Dense:
    layer = Layer_Dense(3, 2, dtype=dtype, rng=rng, init="torch")
    layer.dweights = rng.standard_normal((3, 2)).astype(dtype)
    layer.dbiases = rng.standard_normal((1, 2)).astype(dtype)
    return layer


def step(optimizer: Any, layer: Any) -> None:
    optimizer.pre_update_params()
    optimizer.update_params(layer)
    optimizer.post_update_params()


def test_steps_are_those_of_the_reference(case: Any, rng: np.random.Generator, dtype: Any) -> None:
    optimizer, expected, names = case
    layer = layer_with_gradients(rng, dtype)
    twin = reference.Dense(layer.weights.astype(np.float64), layer.biases.astype(np.float64))
    weights, steps = layer.weights, 10
    for iteration in range(steps):
        layer.dweights = rng.standard_normal((3, 2)).astype(dtype)
        layer.dbiases = rng.standard_normal((1, 2)).astype(dtype)
        rate = expected.rate
        expected.update(twin, layer.dweights.astype(np.float64), layer.dbiases.astype(np.float64))
        expected.iterations += 1
        step(optimizer, layer)
        assert optimizer.current_learning_rate == rate
        assert optimizer.iterations == iteration + 1
    # Each step adds less than 1 to entries below 10, with a handful of roundings.
    bound = steps * 32 * np.finfo(dtype).eps
    assert layer.weights is weights and layer.weights.dtype == dtype
    assert abs(layer.weights - twin.weights).max() <= bound
    assert abs(layer.biases - twin.biases).max() <= bound
    assert {name for name in layer.__dict__ if name.endswith(("momentums", "cache"))} == names
    for name in names:
        assert getattr(layer, name).dtype == dtype
        assert abs(getattr(layer, name) - twin.state[name]).max() <= bound


def test_weight_decay_leaves_biases_alone(rng: np.random.Generator) -> None:
    layer = layer_with_gradients(rng)
    layer.dweights[...] = 0
    layer.dbiases[...] = 0
    weights, biases = layer.get_parameters()
    step(Optimizer_Adam(0.5, weight_decay=0.25), layer)
    np.testing.assert_array_equal(layer.weights, weights - 0.125 * weights)
    np.testing.assert_array_equal(layer.biases, biases)


def test_decay_follows_the_formula_and_a_new_rate_acts_at_once() -> None:
    optimizer = Optimizer_SGD(0.02, 0.5)
    rates = []
    for _ in range(3):
        optimizer.pre_update_params()
        rates.append(optimizer.current_learning_rate)
        optimizer.post_update_params()
    assert rates == [0.02 * (1.0 / (1.0 + 0.5 * k)) for k in range(3)]
    optimizer.decay, optimizer.learning_rate = 0.0, 0.3
    optimizer.pre_update_params()
    assert optimizer.current_learning_rate == 0.3


def test_awkward_arrays_are_updated_in_place(case: Any, rng: np.random.Generator) -> None:
    optimizer, _, names = case
    plain = layer_with_gradients(rng)

    class Own:
        pass

    own: Any = Own()
    own.weights = np.asfortranarray(plain.weights.astype(">f8"))
    own.biases = np.repeat(plain.biases, 2, axis=1)[:, ::2]
    own.dweights, own.dbiases = plain.dweights.tolist(), plain.dbiases.astype(np.float64)
    weights, biases = own.weights, own.biases
    twin = pickle.loads(pickle.dumps(optimizer))
    for _ in range(3):
        step(optimizer, plain)
        step(twin, own)
    assert own.weights is weights and own.biases is biases
    np.testing.assert_array_equal(own.weights, plain.weights)
    np.testing.assert_array_equal(own.biases, plain.biases)
    for name in names:
        np.testing.assert_array_equal(getattr(own, name), getattr(plain, name))


def test_a_gradient_may_be_the_parameter_itself() -> None:
    layer = Layer_Dense(3, 2, rng=1)
    layer.dweights, layer.dbiases = layer.weights, layer.biases
    expected = layer.weights * 0.5
    step(Optimizer_SGD(0.5), layer)
    np.testing.assert_array_equal(layer.weights, expected)


def test_a_layer_with_slots_and_without_biases_is_updated(case: Any) -> None:
    optimizer, _, _ = case

    class Scale:
        __slots__ = ("dweights", "weight_cache", "weight_momentums", "weights")

    layer: Any = Scale()
    layer.weights, layer.dweights = np.ones((2, 2)), np.ones((2, 2))
    step(optimizer, layer)
    assert (layer.weights < 1).all()


@pytest.mark.parametrize("name", ["dweights", "dbiases"])
def test_a_wrong_gradient_changes_nothing(name: str, case: Any, rng: np.random.Generator) -> None:
    optimizer, _, _ = case
    layer = layer_with_gradients(rng)
    step(optimizer, layer)
    state = {key: np.copy(value) for key, value in layer.__dict__.items() if key != name}
    setattr(layer, name, np.ones((5, 5)))
    with pytest.raises(ValueError, match=rf"Layer_Dense\(3, 2\): {name}: expected .*\(5, 5\)"):
        optimizer.update_params(layer)
    for key, value in state.items():
        np.testing.assert_array_equal(getattr(layer, key), value)


def test_update_before_backward_and_bad_parameters_are_refused(case: Any) -> None:
    optimizer, _, _ = case
    layer = Layer_Dense(3, 2)
    with pytest.raises(ValueError, match="dweights: expected a backward call before the update"):
        optimizer.update_params(layer)

    class Own:
        weights = np.ones((2, 2), dtype=int)
        biases = np.ones((1, 2))
        dweights, dbiases = np.ones((2, 2)), np.ones((1, 2))

    with pytest.raises(TypeError, match="Own: weights: expected an array of floats, got int64"):
        optimizer.update_params(Own())
    layer.forward(np.ones((1, 3)))
    layer.backward(np.ones((1, 2)))
    layer.weights.flags.writeable = False
    with pytest.raises(ValueError, match="weights: expected a writeable array"):
        optimizer.update_params(layer)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Optimizer_SGD(-1), ValueError, "Optimizer_SGD: learning_rate: expected a number"),
        (lambda: Optimizer_SGD(1, float("nan")), ValueError, "decay: expected a number"),
        (lambda: Optimizer_SGD(1, 0, "fast"), TypeError, "momentum: expected a number"),
        (lambda: Optimizer_RMSprop(rho=1.0), ValueError, "rho: .* below 1, got 1.0"),
        (lambda: Optimizer_Adam(beta_1=-0.1), ValueError, "beta_1: expected a number of at least"),
        (lambda: Optimizer_Adam(epsilon=None), TypeError, "epsilon: expected a number"),
        (lambda: Optimizer_Adagrad(float("inf")), ValueError, "learning_rate: expected a number"),
    ],
)
def test_bad_settings_are_named(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def test_repr_names_the_settings() -> None:
    text = "Optimizer_SGD(learning_rate=0.5, decay=0.0, momentum=0.9, nesterov=False)"
    assert repr(Optimizer_SGD(0.5, momentum=0.9)) == text
    assert repr(Optimizer_Adam()).startswith("Optimizer_Adam(learning_rate=0.001, decay=0.0")
