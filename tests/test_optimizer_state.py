"""Whose an optimizer's arrays are, how many steps they have seen; all or nothing."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Layer_Dense,
    Optimizer_Adagrad,
    Optimizer_Adam,
    Optimizer_RMSprop,
    Optimizer_SGD,
)
from chainrule.layers.parameters import slots_of
from chainrule.optimizers.state import (
    claim,
    claim_layers,
    set_steps,
    state_arrays,
    state_kinds,
    steps_of,
)
from chainrule.schedules import Cosine

OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda: Optimizer_SGD(0.1),
    "momentum": lambda: Optimizer_SGD(0.1, momentum=0.9),
    "adagrad": lambda: Optimizer_Adagrad(0.1),
    "rmsprop": lambda: Optimizer_RMSprop(0.1),
    "adam": lambda: Optimizer_Adam(0.1),
    "amsgrad": lambda: Optimizer_Adam(0.1, amsgrad=True, weight_decay=0.1),
}
ARRAYS = [f"{prefix}_{kind}" for kind in state_kinds() for prefix in ("weight", "bias")]


@pytest.fixture(params=list(OPTIMIZERS))
def make(request: pytest.FixtureRequest) -> Any:
    return OPTIMIZERS[request.param]


def dense(rng: np.random.Generator, dtype: Any = np.float64) -> Layer_Dense:
    layer = Layer_Dense(3, 2, dtype=dtype, rng=1, init="torch")
    layer.dweights = rng.standard_normal((3, 2)).astype(dtype)
    layer.dbiases = rng.standard_normal((1, 2)).astype(dtype)
    return layer


def step(optimizer: Any, *layers: Any, count: int = 1) -> None:
    for _ in range(count):
        optimizer.pre_update_params()
        for layer in layers:
            optimizer.update_params(layer)
        optimizer.post_update_params()


def arrays_of(layer: Any) -> dict[str, Any]:
    return {name: vars(layer)[name] for name in ARRAYS if name in vars(layer)}


def assert_same(layer: Any, twin: Any) -> None:
    np.testing.assert_array_equal(layer.weights, twin.weights)
    np.testing.assert_array_equal(layer.biases, twin.biases)
    assert arrays_of(layer).keys() == arrays_of(twin).keys()
    for name, array in arrays_of(layer).items():
        np.testing.assert_array_equal(array, getattr(twin, name))
    assert layer.optimizer_steps == twin.optimizer_steps


def test_adam_does_not_take_over_the_momenta_of_another_optimizer() -> None:
    """From momenta of 0.5 the step would be -4.5; it is the rate, -0.001."""
    layer = Layer_Dense(2, 1, weights=np.zeros((2, 1)))
    layer.weight_momentums, layer.bias_momentums = np.full((2, 1), 0.5), np.full((1, 1), 0.5)
    layer.dweights, layer.dbiases = np.full((2, 1), 1e-3), np.full((1, 1), 1e-3)
    step(Optimizer_Adam(0.001), layer)
    # m_hat / (sqrt(c_hat) + 1e-7) is 1 / (1 + 1e-4) for a gradient of 1e-3
    assert abs(layer.weights + 0.001 / (1 + 1e-4)).max() <= 1e-9
    assert abs(layer.biases + 0.001 / (1 + 1e-4)).max() <= 1e-9


@pytest.mark.parametrize("before", list(OPTIMIZERS))
def test_a_new_optimizer_starts_fresh_whatever_came_before(
    before: str, make: Any, rng: np.random.Generator
) -> None:
    layer = dense(rng)
    step(OPTIMIZERS[before](), layer, count=3)
    twin = Layer_Dense(weights=layer.weights.copy(), biases=layer.biases.copy())
    twin.dweights, twin.dbiases = layer.dweights, layer.dbiases
    step(make(), layer, count=2)
    step(make(), twin, count=2)
    assert_same(layer, twin)


@pytest.mark.parametrize(
    "again",
    [lambda thing: thing, copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))],
    ids=["itself", "copied", "pickled"],
)
def test_the_same_optimizer_goes_on_with_its_arrays(
    again: Any, make: Any, rng: np.random.Generator
) -> None:
    layer, optimizer = dense(rng), make()
    twin, whole = copy.deepcopy(layer), make()
    step(optimizer, layer, count=2)
    layer, optimizer = again((layer, optimizer))
    step(optimizer, layer, count=3)
    step(whole, twin, count=5)
    assert_same(layer, twin)
    assert optimizer.iterations == 5


def test_an_optimizer_that_comes_back_to_dropped_arrays_starts_anew(
    make: Any, rng: np.random.Generator
) -> None:
    layer, first = dense(rng), make()
    first.decay = 0.5
    step(first, layer, count=3)
    step(Optimizer_Adam(0.01), layer)
    twin, fresh = Layer_Dense(weights=layer.weights.copy(), biases=layer.biases.copy()), make()
    twin.dweights, twin.dbiases = layer.dweights, layer.dbiases
    fresh.decay = 0.5
    step(first, layer, count=2)
    step(fresh, twin, count=2)
    assert_same(layer, twin)
    assert first.iterations == 2 and first.current_learning_rate == fresh.current_learning_rate


def test_a_schedule_starts_anew_with_its_optimizer(rng: np.random.Generator) -> None:
    layer, first = dense(rng), Optimizer_SGD(0.5, schedule=Cosine())
    first.schedule_start, first.schedule_steps = 0, 4
    step(first, layer, count=3)
    step(Optimizer_SGD(0.1), layer)
    step(first, layer)
    assert (first.iterations, first.schedule_start, first.current_learning_rate) == (1, 0, 0.5)


def test_two_layers_and_two_optimizers_do_not_disturb_each_other(rng: np.random.Generator) -> None:
    one, other = dense(rng), dense(rng)
    first, second = Optimizer_Adam(0.1), Optimizer_Adam(0.1)
    for _ in range(3):
        step(first, one)
        step(second, other)
    assert one.optimizer_token != other.optimizer_token
    assert one.optimizer_steps == other.optimizer_steps == {"weights": 3, "biases": 3}
    assert first.iterations == second.iterations == 3


def test_tokens_draw_nothing_from_a_seeded_generator() -> None:
    np.random.seed(3)  # noqa: NPY002
    tokens = {Optimizer_SGD().token for _ in range(20)}
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert np.random.random() == drawn and len(tokens) == 20  # noqa: NPY002


# Each array's own steps


@pytest.mark.parametrize("amsgrad", [False, True])
def test_an_array_that_joins_late_has_its_own_bias_correction(
    amsgrad: bool, rng: np.random.Generator
) -> None:
    """A layer that was frozen for 10 steps then moves as in its first: by the rate."""
    early, late = dense(rng), dense(rng)
    late.trainable = False
    optimizer = Optimizer_Adam(0.1, epsilon=0.0, amsgrad=amsgrad)
    weights = late.weights.copy()
    step(optimizer, early, late, count=10)
    np.testing.assert_array_equal(late.weights, weights)
    assert not arrays_of(late) and not hasattr(late, "optimizer_steps")
    late.trainable = True
    step(optimizer, early, late)
    moved = abs(late.weights - weights)
    assert abs(moved - 0.1).max() <= 8 * np.finfo(np.float64).eps
    assert (steps_of(early, slots_of(early)[0]), steps_of(late, slots_of(late)[0])) == (11, 1)


def test_a_parameter_that_joins_late_counts_its_own_steps(rng: np.random.Generator) -> None:
    layer = Layer_Dense(3, 2, bias=False, rng=1)
    layer.dweights = rng.standard_normal((3, 2))
    optimizer = Optimizer_Adam(0.1, epsilon=0.0)
    step(optimizer, layer, count=5)
    layer.biases, layer.dbiases = np.zeros((1, 2)), np.ones((1, 2))
    step(optimizer, layer)
    assert abs(layer.biases + 0.1).max() <= 8 * np.finfo(np.float64).eps
    assert layer.optimizer_steps == {"weights": 6, "biases": 1}


def test_arrays_that_were_removed_start_at_step_one(rng: np.random.Generator) -> None:
    layer, optimizer = dense(rng), Optimizer_Adam(0.1, epsilon=0.0)
    step(optimizer, layer, count=4)
    del layer.weight_momentums, layer.weight_cache
    weights = layer.weights.copy()
    step(optimizer, layer)
    assert abs(abs(layer.weights - weights) - 0.1).max() <= 8 * np.finfo(np.float64).eps
    assert layer.optimizer_steps == {"weights": 1, "biases": 5}


def test_frozen_layers_are_left_alone(make: Any, rng: np.random.Generator) -> None:
    layer = dense(rng)
    layer.trainable = False
    before = copy.deepcopy(vars(layer))
    step(make(), layer, count=2)
    assert vars(layer).keys() == before.keys()
    np.testing.assert_array_equal(layer.weights, before["weights"])
    del layer.dweights
    make().update_params(layer)


# All or nothing


def spoiled(layer: Any, name: str, how: str) -> Any:
    """The layer with one array that cannot be updated."""
    held = vars(layer)[name]
    if how == "read-only":
        held.flags.writeable = False
    elif how == "absent":
        del vars(layer)[name]
    else:
        vars(layer)[name] = {
            "other shape": np.ones((4, 4)),
            "objects": np.full(held.shape, None),
            "a list": held.tolist(),
            "masked": np.ma.masked_array(held),
            "None": None,
        }[how]
    return layer


@pytest.mark.parametrize("first", [False, True], ids=["later step", "first step"])
@pytest.mark.parametrize(
    ("name", "how", "text"),
    [
        ("biases", "read-only", "biases: expected a writeable array, got a read-only one"),
        ("weights", "read-only", "weights: expected a writeable array, got a read-only one"),
        ("biases", "objects", "biases: expected an array of floats, got object"),
        ("dbiases", "absent", "dbiases: expected a backward call before the update, got none"),
        ("dbiases", "None", "dbiases: expected a backward call before the update, got none"),
        ("dbiases", "other shape", r"dbiases: expected \(1, 2\), got \(4, 4\)"),
        ("dbiases", "objects", "dbiases: expected real numbers, got an array of dtype object"),
        ("dweights", "other shape", r"dweights: expected \(3, 2\), got \(4, 4\)"),
        ("bias_*", "read-only", "bias_.*: expected a writeable array, got a read-only one"),
        ("bias_*", "other shape", r"bias_.*: expected \(1, 2\), got \(4, 4\)"),
        ("bias_*", "objects", "bias_.*: expected an array of floats, got object"),
        ("bias_*", "a list", "bias_.*: expected an array of floats, got list"),
        ("bias_*", "masked", "bias_.*: expected a plain array, got a masked array"),
        ("biases", "masked", "biases: expected a plain array, got a masked array"),
        ("weight_*", "other shape", r"weight_.*: expected \(3, 2\), got \(4, 4\)"),
    ],
)
def test_a_refused_step_changes_nothing(
    name: str, how: str, text: str, first: bool, make: Any, rng: np.random.Generator
) -> None:
    layer, optimizer = dense(rng), make()
    kinds = optimizer.states
    if name.endswith("*") and (first or not kinds):
        return  # there are no such arrays
    if not first:
        step(optimizer, layer, count=2)
    for kind in kinds if name.endswith("*") else [""]:
        broken = spoiled(copy.deepcopy(layer), name.replace("*", kind), how)
        broken_too = copy.deepcopy(optimizer)
        held = dict(vars(broken))
        before = copy.deepcopy(vars(broken))
        with pytest.raises((TypeError, ValueError), match=rf"^Layer_Dense\(3, 2\): {text}"):
            step(broken_too, broken)
        assert vars(broken) == held  # the very objects: compared by identity first
        for key, value in before.items():
            np.testing.assert_array_equal(vars(broken)[key], value)
        assert broken_too.iterations == optimizer.iterations


def test_another_optimizers_arrays_stay_where_a_step_is_refused(rng: np.random.Generator) -> None:
    layer, first = dense(rng), Optimizer_Adam(0.1)
    step(first, layer, count=2)
    before = copy.deepcopy(vars(layer))
    layer.dbiases = np.ones((4, 4))
    with pytest.raises(ValueError, match="dbiases"):
        step(Optimizer_SGD(0.1, momentum=0.9), layer)
    layer.dbiases = before["dbiases"]
    assert vars(layer).keys() == before.keys()
    for key, value in before.items():
        np.testing.assert_array_equal(vars(layer)[key], value)


def test_arrays_of_another_dtype_are_updated_in_place(make: Any, rng: np.random.Generator) -> None:
    layer, optimizer = dense(rng, np.float32), make()
    twin, plain = copy.deepcopy(layer), make()
    step(optimizer, layer)
    step(plain, twin)
    for name, array in arrays_of(layer).items():
        setattr(layer, name, np.asfortranarray(array.astype(">f8")))
    held = arrays_of(layer)
    step(optimizer, layer, count=2)
    step(plain, twin, count=2)
    np.testing.assert_array_equal(layer.weights, twin.weights)
    for name, array in held.items():
        assert getattr(layer, name) is array and array.dtype == ">f8"
        np.testing.assert_array_equal(array, getattr(twin, name))


# What a plan asks for


def test_state_arrays_are_made_converted_and_counted(rng: np.random.Generator) -> None:
    layer, optimizer = dense(rng, np.float32), Optimizer_Adam(0.1)
    claim(optimizer, layer)
    weights, biases = slots_of(layer)
    set_steps(layer, weights, 7)
    layer.weight_cache = np.asfortranarray(np.ones((3, 2)))
    momentums, cache = state_arrays(layer, weights, optimizer.states)
    assert momentums is layer.weight_momentums and cache is layer.weight_cache
    assert momentums.dtype == cache.dtype == np.float32 and cache.flags.carray
    assert not momentums.any() and (cache == 1).all()
    assert steps_of(layer, weights) == 7
    again = state_arrays(layer, weights, ("momentums", "cache"))
    assert again[0] is momentums and again[1] is cache
    set_steps(layer, biases, 7)
    assert [array.shape for array in state_arrays(layer, biases, optimizer.states)] == [(1, 2)] * 2
    assert steps_of(layer, biases) == 0
    frozen = np.ones((1, 2), dtype=np.float32)
    frozen.flags.writeable = False
    layer.bias_cache = frozen
    assert (
        state_arrays(layer, biases, optimizer.states)[1].flags.writeable
        and not frozen.flags.writeable
    )
    layer.bias_cache = np.full((1, 2), None)
    with pytest.raises(TypeError, match="bias_cache: expected an array of floats, got object"):
        state_arrays(layer, biases, optimizer.states)
    layer.bias_cache = np.ones(5)
    with pytest.raises(ValueError, match=r"Layer_Dense\(3, 2\): bias_cache: expected \(1, 2\)"):
        state_arrays(layer, biases, optimizer.states)


def test_an_optimizer_in_another_model_says_so_once(rng: np.random.Generator) -> None:
    first, second, third = ([dense(rng), dense(rng)] for _ in range(3))
    optimizer = Optimizer_Adam(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        claim_layers(optimizer, first)
        step(optimizer, *first, count=3)
        claim_layers(optimizer, [*first, dense(rng)])
    with pytest.warns(UserWarning, match="Optimizer_Adam: goes on from its 3 iterations of anoth"):
        claim_layers(optimizer, second)
    step(optimizer, *second)
    assert optimizer.iterations == 4 and second[0].optimizer_steps["weights"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        claim_layers(optimizer, third)
        claim_layers(optimizer, first)
        step(Optimizer_SGD(), *third)
        claim_layers(optimizer, third)
    assert optimizer.iterations == 0


def test_arrays_from_before_tokens_are_adopted(rng: np.random.Generator) -> None:
    """A pickle of the first release, layer and optimizer: the bias correction goes on too."""
    layer, optimizer = dense(rng), Optimizer_Adam(0.1)
    twin, whole = copy.deepcopy(layer), copy.deepcopy(optimizer)
    step(optimizer, layer, count=3)
    step(whole, twin, count=6)
    for name in ("optimizer_token", "optimizer_steps"):
        del vars(layer)[name]
    del vars(optimizer)["token"]
    layer, optimizer = pickle.loads(pickle.dumps((layer, optimizer)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        claim_layers(optimizer, [layer])
    step(optimizer, layer, count=3)
    assert_same(layer, twin)
    assert optimizer.token is not None and layer.optimizer_token == optimizer.token
