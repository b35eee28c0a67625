"""Optimizers: their rules over several steps, the arrays they leave on a layer, refusals."""

from __future__ import annotations

import copy
import functools
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
from chainrule.schedules import Cosine

MOMENTUMS = {"weight_momentums", "bias_momentums"}
CACHES = {"weight_cache", "bias_cache"}
MAXIMA = {"weight_cache_max", "bias_cache_max"}
CASES: dict[str, tuple[Any, dict[str, Any], set[str]]] = {
    "sgd": (Optimizer_SGD, {"rule": "sgd"}, set()),
    "momentum": (Optimizer_SGD, {"rule": "sgd", "momentum": 0.9}, MOMENTUMS),
    "nesterov": (
        Optimizer_SGD,
        {"rule": "sgd", "momentum": 0.9, "nesterov": True},
        MOMENTUMS,
    ),
    "adagrad": (Optimizer_Adagrad, {"rule": "adagrad", "epsilon": 1e-4}, CACHES),
    "rmsprop": (Optimizer_RMSprop, {"rule": "rmsprop", "rho": 0.8}, CACHES),
    "adam": (Optimizer_Adam, {"rule": "adam"}, MOMENTUMS | CACHES),
    "amsgrad": (
        Optimizer_Adam,
        {"rule": "adam", "amsgrad": True, "beta_2": 0.9},
        MOMENTUMS | CACHES | MAXIMA,
    ),
    "epsilon_hat": (
        Optimizer_Adam,
        {"rule": "adam", "epsilon_hat": True, "epsilon": 1e-2},
        MOMENTUMS | CACHES,
    ),
}


@pytest.fixture(params=[0.0, 0.5], ids=["", "decayed"])
def weight_decay(request: pytest.FixtureRequest) -> float:
    value: float = request.param
    return value


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest, weight_decay: float) -> Any:
    make, settings, names = CASES[request.param]
    given = {**settings, "weight_decay": weight_decay}
    expected = reference.Optimizer(learning_rate=0.1, decay=0.1, **given)
    del given["rule"]
    return make(0.1, 0.1, **given), expected, names


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
    assert {name for name in vars(layer) if name in MOMENTUMS | CACHES | MAXIMA} == names
    assert layer.optimizer_steps == {"weights": steps, "biases": steps}
    for name in names:
        assert getattr(layer, name).dtype == dtype
        assert abs(getattr(layer, name) - twin.state[name]).max() <= bound


@pytest.mark.parametrize(
    "factors",
    [
        {"learning_rate_factor": 0.5},
        {"learning_rate_factor": (2.0, 0.25), "weight_decay_factor": 3.0},
        {"weight_decay_factor": (0.5, 2.0)},
        {"weight_decay_factor": 0.0, "epsilon_factor": 100.0},
        {"epsilon_factor": (10.0, 1000.0), "learning_rate_factor": (0.0, 1.0)},
    ],
    ids=str,
)
def test_factors_multiply_rate_decay_and_epsilon(
    case: Any, factors: dict[str, Any], rng: np.random.Generator
) -> None:
    optimizer, expected, _ = case
    layer = layer_with_gradients(rng)
    for name, factor in factors.items():
        setattr(layer, name, factor)
    twin = reference.Dense(layer.weights.copy(), layer.biases.copy(), **factors)
    for _ in range(4):
        expected.update(twin, layer.dweights, layer.dbiases)
        expected.iterations += 1
        step(optimizer, layer)
    bound = 4 * 32 * np.finfo(np.float64).eps
    assert abs(layer.weights - twin.weights).max() <= bound
    assert abs(layer.biases - twin.biases).max() <= bound


def test_weight_decay_leaves_biases_alone_unless_they_have_their_own_factor(
    case: Any, weight_decay: float, rng: np.random.Generator
) -> None:
    optimizer, _, _ = case
    for factor, share in ((1.0, 0.0), (0.5, 0.0), ((1.0, 0.25), 0.25)):
        layer = layer_with_gradients(rng)
        layer.dweights[...] = 0
        layer.dbiases[...] = 0
        layer.weight_decay_factor = factor
        weights, biases = layer.get_parameters()
        optimizer.iterations = 0
        step(optimizer, layer)
        decay = 0.1 * weight_decay
        first = factor[0] if isinstance(factor, tuple) else factor
        bound = 2 * np.finfo(np.float64).eps * abs(weights)
        assert (abs(layer.weights - weights * (1 - decay * first)) <= bound).all()
        bound = 2 * np.finfo(np.float64).eps * abs(biases)
        assert (abs(layer.biases - biases * (1 - decay * share)) <= bound).all()
        if weight_decay == 0.0 or share == 0.0:
            np.testing.assert_array_equal(layer.biases, biases)


def test_a_factor_that_cannot_be_used_is_named(case: Any, rng: np.random.Generator) -> None:
    optimizer, _, _ = case
    layer = layer_with_gradients(rng)
    before = copy.deepcopy(vars(layer))
    for name, bad in (
        ("learning_rate_factor", (1.0,)),
        ("weight_decay_factor", -1.0),
        ("epsilon_factor", [1.0, "x"]),
    ):
        setattr(layer, name, bad)
        with pytest.raises((TypeError, ValueError), match=rf"{name}: expected"):
            step(optimizer, layer)
        delattr(layer, name)
        for key, value in before.items():
            np.testing.assert_array_equal(vars(layer)[key], value)
        assert vars(layer).keys() == before.keys()


def test_a_layer_takes_one_compiled_call(
    case: Any, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the first, and where the core takes the arrays as they are."""
    from chainrule.optimizers import base

    careful = []
    monkeypatch.setattr(base, "checked_update", lambda *each: careful.append(each))
    optimizer, _, _ = case
    layers = [layer_with_gradients(rng), layer_with_gradients(rng, np.float32)]
    layers[1].learning_rate_factor, layers[1].weight_decay_factor = 2, (0.5, 1.0)
    layers.append(Layer_Dense(3, 2, bias=False, rng=1))
    layers[2].dweights = np.ones((3, 2))
    for layer in layers:
        optimizer.update_params(layer)
    assert [layer for _, layer in careful] == layers
    monkeypatch.undo()
    for layer in layers:
        optimizer.update_params(layer)
    monkeypatch.setattr(base, "checked_update", lambda *each: careful.append(each))
    before = [layer.weights.copy() for layer in layers]
    for layer in layers:
        optimizer.update_params(layer)
    assert len(careful) == len(layers)
    for layer, weights in zip(layers, before, strict=True):
        assert (layer.weights != weights).all()
        assert set(layer.optimizer_steps.values()) == {2}


@pytest.mark.parametrize(
    "factor",
    [1, 2.0, 0.5, (0.25, 3.0), (1, 0), [2.0, 1.0], np.float64(2.0), np.float32(0.5)],
    ids=str,
)
@pytest.mark.parametrize("name", ["learning_rate_factor", "weight_decay_factor", "epsilon_factor"])
def test_both_ways_of_an_update_know_the_same_factors(
    case: Any, name: str, factor: Any, rng: np.random.Generator
) -> None:
    from chainrule.optimizers.updates import checked_update

    optimizer, _, _ = case
    layer = layer_with_gradients(rng)
    setattr(layer, name, factor)
    careful, twin = copy.deepcopy((layer, optimizer))
    for _ in range(3):
        step(optimizer, layer)
        twin.pre_update_params()
        checked_update(twin, careful)
        twin.post_update_params()
    np.testing.assert_array_equal(layer.weights, careful.weights)
    np.testing.assert_array_equal(layer.biases, careful.biases)
    assert layer.optimizer_steps == careful.optimizer_steps == {"weights": 3, "biases": 3}


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

    class Own:
        __slots__ = (
            "dweights",
            "weight_cache",
            "weight_cache_max",
            "weight_momentums",
            "weights",
        )

    layer: Any = Own()
    plain = Layer_Dense(2, 2, weights=np.ones((2, 2)), bias=False)
    layer.weights, layer.dweights = np.ones((2, 2)), np.ones((2, 2))
    plain.dweights = np.ones((2, 2))
    twin = copy.deepcopy(optimizer)
    for _ in range(3):
        step(optimizer, layer)
        step(twin, plain)
    np.testing.assert_array_equal(layer.weights, plain.weights)
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
    text = "Optimizer_Adam(learning_rate=0.001, decay=0.0, epsilon=1e-07, beta_1=0.9, beta_2=0.999"
    assert repr(Optimizer_Adam()) == f"{text}, weight_decay=0.0)"
    more = "weight_decay=0.0, amsgrad=True, schedule=Cosine(end=0.0)"
    assert repr(Optimizer_Adam(amsgrad=True, schedule=Cosine())) == f"{text}, {more})"
    text = "Optimizer_Adagrad(learning_rate=1.0, decay=0.0, epsilon=1e-07, weight_decay=0.25)"
    assert repr(Optimizer_Adagrad(weight_decay=0.25)) == text


def test_rule_states_and_constants_are_those_of_the_core(case: Any) -> None:
    from chainrule import _core

    optimizer, expected, names = case
    row = next(row for row in _core.catalogue()["rules"] if row["name"] == optimizer.rule)
    assert optimizer.rule == expected.update_rule
    assert optimizer.states == tuple(row["states"]) == tuple(reference.RULES[optimizer.rule][1])
    assert {f"weight_{kind}" for kind in row["states"]} == {
        name for name in names if name.startswith("weight")
    }
    values = [getattr(expected, name) for name in row["parameters"]]
    assert optimizer.hyper() == tuple(values)
    scaled = [
        4 * value if name == "epsilon" else value
        for name, value in zip(row["parameters"], values, strict=True)
    ]
    assert optimizer.hyper(4.0) == tuple(scaled)


@pytest.mark.parametrize(
    "make",
    [
        Optimizer_Adagrad,
        Optimizer_RMSprop,
        Optimizer_Adam,
        functools.partial(Optimizer_Adam, amsgrad=True),
        functools.partial(Optimizer_Adam, epsilon_hat=True),
    ],
)
def test_epsilon_may_be_zero_and_nothing_divided_by_nothing_is_no_step(
    make: Any, dtype: Any
) -> None:
    optimizer = make(0.1, epsilon=0)
    layer = Layer_Dense(2, 1, dtype=dtype, weights=np.ones((2, 1)))
    layer.dweights = np.array([[0.0], [3.0]], dtype=dtype)
    layer.dbiases = np.zeros((1, 1), dtype=dtype)
    for _ in range(3):
        step(optimizer, layer)
    assert layer.weights[0, 0] == 1 and layer.weights[1, 0] < 1 and layer.biases[0, 0] == 0
    assert np.isfinite(layer.weights).all()
    with pytest.raises(ValueError, match="epsilon: expected a number of at least 0, got -1"):
        make(epsilon=-1)


# What a user's own layers and optimizers may be


class Convolution:
    """Parameters of other names and ranks, and a third one."""

    parameter_names = ("kernel", "offset", "gain")

    def __init__(self, rng: np.random.Generator) -> None:
        shapes = {"kernel": (2, 3, 1, 4), "offset": (4,), "gain": ()}
        for name, shape in shapes.items():
            setattr(self, name, np.asarray(rng.standard_normal(shape)))
            setattr(self, f"d{name}", np.asarray(rng.standard_normal(shape)))


def test_parameters_of_other_names_are_updated_with_arrays_beside_them(
    case: Any, weight_decay: float, rng: np.random.Generator
) -> None:
    optimizer, _, names = case
    layer: Any = Convolution(rng)
    kinds = [name.removeprefix("weight_") for name in names if name.startswith("weight_")]
    twins = {
        name: Layer_Dense(1, max(getattr(layer, name).size, 1)) for name in layer.parameter_names
    }
    for name, twin in twins.items():
        twin.weights = getattr(layer, name).reshape(1, -1)
        twin.dweights = getattr(layer, f"d{name}").reshape(1, -1)
        twin.dbiases = np.zeros_like(twin.biases)
    others = {name: copy.deepcopy(optimizer) for name in twins}
    for _ in range(3):
        step(optimizer, layer)
        for name, twin in twins.items():
            step(others[name], twin)
    for name, twin in twins.items():
        np.testing.assert_array_equal(getattr(layer, name).reshape(1, -1), twin.weights)
        for kind in kinds:
            array = getattr(layer, f"{name}_{kind}")
            assert array.shape == getattr(layer, name).shape
            np.testing.assert_array_equal(array.reshape(1, -1), getattr(twin, f"weight_{kind}"))
    assert layer.optimizer_steps == {"kernel": 3, "offset": 3, "gain": 3}


def test_a_factor_for_each_of_three_parameters(rng: np.random.Generator) -> None:
    layer: Any = Convolution(rng)
    layer.learning_rate_factor = (0.0, 1.0, 2.0)
    layer.weight_decay_factor = [1.0, 0.0, 1.0]
    before = {name: getattr(layer, name).copy() for name in layer.parameter_names}
    step(Optimizer_SGD(0.5, weight_decay=0.5), layer)
    expected = {
        "kernel": before["kernel"] * 0.75,
        "offset": before["offset"] - 0.5 * layer.doffset,
        "gain": before["gain"] * 0.75 - 1.0 * layer.dgain,
    }
    for name, value in expected.items():
        bound = 4 * np.finfo(np.float64).eps * (abs(before[name]) + abs(getattr(layer, f"d{name}")))
        assert (abs(getattr(layer, name) - value) <= bound).all()


def test_one_name_may_stand_alone(rng: np.random.Generator) -> None:
    layer: Any = Convolution(rng)
    layer.parameter_names = "gain"
    kernel, gain = layer.kernel.copy(), layer.gain.copy()
    step(Optimizer_SGD(1.0), layer)
    np.testing.assert_array_equal(layer.kernel, kernel)
    np.testing.assert_array_equal(layer.gain, gain - layer.dgain)


def test_an_optimizer_of_the_users_own_overrides_the_step(rng: np.random.Generator) -> None:
    class Halved(Optimizer_SGD):
        def update_params(self, layer: Any) -> None:
            layer.dweights = layer.dweights / 2
            super().update_params(layer)

    class Plain(Optimizer_SGD):
        def update_params(self, layer: Any) -> None:
            layer.weights += -self.current_learning_rate * layer.dweights

    for kind, share in ((Halved, 0.5), (Plain, 1.0)):
        layer = layer_with_gradients(rng)
        weights, gradient = layer.weights.copy(), layer.dweights.copy()
        step(kind(0.25), layer)
        bound = 4 * np.finfo(np.float64).eps * (abs(weights) + abs(gradient))
        assert (abs(layer.weights - (weights - 0.25 * share * gradient)) <= bound).all()
