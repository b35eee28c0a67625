"""Every update rule against the reference one precision up; in place, any rank, any threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import reference as ref
from chainrule import _core as core
from tolerance import assert_within, gamma, smallest, unit, wider

Array = np.ndarray[Any, Any]
Team = Callable[..., Any]

SHAPES = [(0, 4), (1, 1), *((1, k) for k in range(2, 68, 5)), (67, 65), (784, 129)]
RANKS = [(), (7,), (2, 3, 5)]

RATE, MOMENTUM, EPSILON, RHO = 0.3, 0.9, 1e-7, 0.9
ADAM = (0.01, 0.9, 0.999, 1 - 0.9**3, 1 - 0.999**3, 1e-7, 0.01 * 0.02)


def shape_id(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def operands(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> list[Array]:
    """parameter, gradient, momentums and a cache that is not negative."""
    w, g, v, c = (np.asarray(rng.standard_normal(shape)).astype(dtype) for _ in range(4))
    return [w, g, v, np.asarray(c * c)]


def relative_step(dtype: Any) -> float:
    """rate * g / (sqrt(c) + epsilon) with c off by 3 u and each constant by u: below 8 u."""
    return gamma(8, dtype)


def sgd(w: Array, g: Array, v: Array, c: Array) -> tuple[tuple[Any, ...], list[Array]]:
    """Arguments and the magnitudes of the terms of w."""
    return (w, g, RATE), [abs(w) + RATE * abs(g)]


def momentum(nesterov: bool) -> Callable[..., tuple[tuple[Any, ...], list[Array]]]:
    def rule(w: Array, g: Array, v: Array, c: Array) -> tuple[tuple[Any, ...], list[Array]]:
        velocity = MOMENTUM * abs(v) + RATE * abs(g)
        return (w, g, v, RATE, MOMENTUM, nesterov), [abs(w) + velocity + RATE * abs(g), velocity]

    return rule


def adagrad(w: Array, g: Array, v: Array, c: Array) -> tuple[tuple[Any, ...], list[Array]]:
    cache = c + g * g
    return (w, g, c, RATE, EPSILON), [abs(w) + RATE * abs(g) / (cache**0.5 + EPSILON), cache]


def rmsprop(w: Array, g: Array, v: Array, c: Array) -> tuple[tuple[Any, ...], list[Array]]:
    cache = RHO * c + (1 - RHO) * g * g
    size = abs(w) + RATE * abs(g) / (cache**0.5 + EPSILON)
    return (w, g, c, RATE, EPSILON, RHO), [size, cache]


def adam(w: Array, g: Array, v: Array, c: Array) -> tuple[tuple[Any, ...], list[Array]]:
    rate, beta_1, beta_2, correction_1, correction_2, epsilon, _ = ADAM
    mean, cache = beta_1 * abs(v) + (1 - beta_1) * abs(g), beta_2 * c + (1 - beta_2) * g * g
    step = rate * mean / correction_1 / ((cache / correction_2) ** 0.5 + epsilon)
    return (w, g, v, c, *ADAM), [abs(w) + step, mean, cache]


RULES: dict[str, tuple[str, Callable[..., tuple[tuple[Any, ...], list[Array]]]]] = {
    "sgd": ("sgd_update", sgd),
    "momentum": ("sgd_momentum_update", momentum(False)),
    "nesterov": ("sgd_momentum_update", momentum(True)),
    "adagrad": ("adagrad_update", adagrad),
    "rmsprop": ("rmsprop_update", rmsprop),
    "adam": ("adam_update", adam),
}
by_rule = pytest.mark.parametrize("rule", list(RULES))


@by_rule
@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_one_step(
    rule: str, shape: tuple[int, ...], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    name, describe = RULES[rule]
    arrays = operands(rng, shape, dtype)
    wide = [wider(a) for a in arrays]
    _, magnitudes = describe(*[a.copy() for a in wide])
    arguments, _ = describe(*arrays)
    wide_arguments, _ = describe(*wide)
    gradient = arrays[1].copy()
    assert team(getattr(core, name), *arguments) is None
    getattr(ref, name)(*wide_arguments)
    np.testing.assert_array_equal(arrays[1], gradient)
    changed = [i for i, a in enumerate(arguments) if isinstance(a, np.ndarray) and i != 1]
    for i, magnitude in zip(changed, magnitudes, strict=True):
        bound = relative_step(dtype) * magnitude + smallest(dtype)
        assert_within(arguments[i], wide_arguments[i], bound)


@by_rule
@pytest.mark.parametrize("shape", RANKS, ids=shape_id)
def test_any_rank(rule: str, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> None:
    name, describe = RULES[rule]
    arrays = operands(rng, shape, dtype)
    rows = [a.reshape(1, -1).copy() for a in arrays]
    getattr(core, name)(*describe(*arrays)[0])
    getattr(core, name)(*describe(*rows)[0])
    for a, b in zip(arrays, rows, strict=True):
        np.testing.assert_array_equal(a.ravel(), b.ravel())


@by_rule
def test_an_entry_does_not_depend_on_its_place(
    rule: str, dtype: Any, rng: np.random.Generator
) -> None:
    """Whole vectors, tails and offsets compute alike, and neighbours are left alone."""
    name, describe = RULES[rule]
    arrays = operands(rng, (67,), dtype)
    single = [a.copy() for a in arrays]
    getattr(core, name)(*describe(*arrays)[0])
    untouched = [a.copy() for a in single]
    for i in range(1, 66, 2):
        getattr(core, name)(*describe(*[a[i : i + 1] for a in single])[0])
    for whole, part, before in zip(arrays, single, untouched, strict=True):
        np.testing.assert_array_equal(part[1:66:2], whole[1:66:2])
        np.testing.assert_array_equal(part[::2], before[::2])


@by_rule
def test_a_gradient_of_zero_from_rest_changes_nothing(rule: str, dtype: Any) -> None:
    """Weight decay aside, and without a division of zero by zero."""
    name, describe = RULES[rule]
    w = np.arange(1, 38, dtype=dtype)
    arguments = list(describe(w, *(np.zeros_like(w) for _ in range(3)))[0])
    if rule == "adam":
        arguments[-1] = 0.0
    getattr(core, name)(*arguments)
    np.testing.assert_array_equal(w, np.arange(1, 38, dtype=dtype))


def test_weight_decay_comes_first(dtype: Any) -> None:
    w = np.full(19, 2.0, dtype=dtype)
    state = [np.zeros_like(w) for _ in range(3)]
    core.adam_update(w, *state, 0.5, 0.9, 0.999, 0.1, 0.001, 1e-7, 0.25)
    np.testing.assert_array_equal(w, np.full(19, 1.5, dtype=dtype))


def test_one_minus_beta_is_not_rounded_before_the_difference() -> None:
    """In float32 1 - float32(0.999) is off by 1e-5 of its value; the cache shows it bare."""
    w, g = np.zeros((2, 1), dtype=np.float32)
    v, c = np.zeros((2, 1), dtype=np.float32)
    core.adam_update(w, np.ones_like(g), v, c, 0.1, 0.9, 0.999, 0.1, 0.001, 1e-7, 0.0)
    assert c[0] == np.float32(0.001) and v[0] == np.float32(0.1)
    c[:] = 0
    core.rmsprop_update(w, np.ones_like(g), c, 0.1, 1e-7, 0.999)
    assert c[0] == np.float32(0.001)


@by_rule
def test_a_step_follows_the_reference_for_many_steps(rule: str, rng: np.random.Generator) -> None:
    """Twenty steps in float64 on the same gradients: errors add up, at most one bound a step."""
    name, describe = RULES[rule]
    arrays = operands(rng, (5, 7), np.float64)
    arrays[3][...] = 1.0  # a cache away from zero keeps the steps' derivatives below 1
    mine, theirs = [a.copy() for a in arrays], [wider(a) for a in arrays]
    total = np.zeros((5, 7), dtype=np.longdouble)
    for _ in range(20):
        gradient = rng.standard_normal((5, 7))
        mine[1][...], theirs[1][...] = gradient, gradient
        total += describe(*[a.copy() for a in theirs])[1][0]
        getattr(core, name)(*describe(*mine)[0])
        getattr(ref, name)(*describe(*theirs)[0])
    # momentum hands each error on 1 / (1 - 0.9) times
    assert_within(mine[0], theirs[0], 10 * relative_step(np.float64) * total)


def test_gradient_may_be_the_parameter_itself(dtype: Any, rng: np.random.Generator) -> None:
    """w -= rate * w as in NumPy: each entry is read before it is written."""
    w = rng.standard_normal((37, 3)).astype(dtype)
    expected = wider(w) * (1 - RATE)
    core.sgd_update(w, w, RATE)
    assert_within(w, expected, 3 * unit(dtype) * np.abs(expected) / (1 - RATE) * 2)


@pytest.mark.parametrize("shift", [1, 7, 16])
def test_overlapping_arrays_are_refused_or_come_out_right(shift: int, dtype: Any) -> None:
    """Views of one array, shifted against each other: as NumPy has it, or not at all."""
    for first, second in ((slice(shift, None), slice(-shift)), (slice(-shift), slice(shift, None))):
        block = np.arange(100, dtype=dtype)
        expected = block.copy()
        expected[first] -= dtype(0.5) * block[second]
        before = block.copy()
        try:
            core.sgd_update(block[first], block[second], 0.5)
        except (ValueError, core.ConversionNeeded):
            expected = before
        np.testing.assert_array_equal(block, expected)


@by_rule
def test_a_refused_call_changes_nothing(rule: str, dtype: Any, rng: np.random.Generator) -> None:
    """Wrong shape, other dtype, read-only, not an array: for each array argument in turn."""
    name, describe = RULES[rule]
    count = sum(isinstance(a, np.ndarray) for a in describe(*operands(rng, (3, 4), dtype))[0])
    other = np.float64 if dtype is np.float32 else np.float32
    for position in range(count):
        for spoil in (
            lambda a: np.zeros((4, 3), dtype=dtype),
            lambda a: np.zeros((3, 5), dtype=dtype),
            lambda a: a.astype(other),
            lambda a: np.asfortranarray(a),
            lambda a: a[:, ::2],
            lambda a: a.tolist(),
            lambda a: None,
        ):
            arguments = list(describe(*operands(rng, (3, 4), dtype))[0])
            arguments[position] = spoil(arguments[position])
            arrays = [a for a in arguments if isinstance(a, np.ndarray)]
            before = [a.copy() for a in arrays]
            with pytest.raises((ValueError, core.ConversionNeeded)):
                getattr(core, name)(*arguments)
            for a, b in zip(arrays, before, strict=True):
                np.testing.assert_array_equal(a, b)


@by_rule
def test_read_only_arrays_are_refused_unless_only_read(
    rule: str, dtype: Any, rng: np.random.Generator
) -> None:
    name, describe = RULES[rule]
    arguments = describe(*operands(rng, (3, 4), dtype))[0]
    arguments[1].flags.writeable = False
    getattr(core, name)(*arguments)
    for position, argument in enumerate(arguments):
        if position == 1 or not isinstance(argument, np.ndarray):
            continue
        argument.flags.writeable = False
        before = argument.copy()
        with pytest.raises(core.ConversionNeeded):
            getattr(core, name)(*arguments)
        np.testing.assert_array_equal(argument, before)
        argument.flags.writeable = True


def test_shape_errors_name_the_array(dtype: Any) -> None:
    parameter, gradient = np.zeros((3, 4), dtype=dtype), np.zeros((3, 5), dtype=dtype)
    with pytest.raises(ValueError) as caught:
        core.sgd_update(parameter, gradient, RATE)
    assert str(caught.value) == "gradient: expected (3, 4), got (3, 5)"
    with pytest.raises(ValueError) as caught:
        core.sgd_momentum_update(parameter, parameter.copy(), gradient, RATE, MOMENTUM, False)
    assert str(caught.value) == "momentums: expected (3, 4), got (3, 5)"
    with pytest.raises(ValueError) as caught:
        core.adagrad_update(parameter, parameter.copy(), gradient, RATE, EPSILON)
    assert str(caught.value) == "cache: expected (3, 4), got (3, 5)"
