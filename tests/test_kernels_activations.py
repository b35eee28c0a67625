"""ReLU, sigmoid, tanh, softmax, multiply and dropout against the reference one precision up.

The 4 ulp of exp, tanh and sigmoid over their whole range: test_elementary_functions.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import reference as ref
from chainrule import _core as core
from tolerance import (
    assert_within,
    central_differences,
    difference_bound,
    gamma,
    smallest,
    unit,
    wider,
)

Array = np.ndarray[Any, Any]
Team = Callable[..., Any]

ELEMENTWISE = ["relu", "sigmoid", "tanh"]
COUNTS = [0, 1, *range(2, 68, 3), 10007, 120_011]
RANKS = [(), (5,), (3, 4), (2, 3, 7), (0, 4), (4, 0)]
MATRICES = [
    (0, 3),
    (1, 1),
    (7, 1),
    *(((5 * i + 1) % 16 + 1, i + 16 * (i % 4) + 1) for i in range(16)),
    (67, 67),
    (300, 129),
    (33, 1030),
    (2003, 130),
]


def normal(rng: np.random.Generator, shape: Any, dtype: Any, scale: float = 3.0) -> Array:
    return np.asarray(scale * rng.standard_normal(shape)).astype(dtype)


def shape_id(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("count", COUNTS)
def test_forward(name: str, count: int, dtype: Any, team: Team, rng: np.random.Generator) -> None:
    inputs = normal(rng, (1, count), dtype)
    output = team(getattr(core, f"{name}_forward"), inputs)
    assert output.dtype == dtype and output is not inputs
    expected = ref.FORWARD[name](wider(inputs))
    ulps_allowed = 0 if name == "relu" else 4
    assert_within(output, expected, ulps_allowed * 2 * unit(dtype) * np.abs(expected))


def backward_magnitude(name: str, dvalues: Array, kept: Array) -> Array:
    """Sum of the absolute terms of each derivative: dv (1 + o^2), dv (o + o^2), dv."""
    size, kept = np.abs(dvalues), np.abs(kept)
    factors = {"relu": 0 * kept, "sigmoid": kept + kept * kept, "tanh": 1 + kept * kept}
    return size * factors[name]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("count", COUNTS)
def test_backward(name: str, count: int, dtype: Any, team: Team, rng: np.random.Generator) -> None:
    """``kept`` is the inputs for ReLU, the output for sigmoid and tanh."""
    dvalues = normal(rng, (count, 1), dtype)
    kept = normal(rng, (count, 1), dtype)
    if name != "relu":
        kept = getattr(core, f"{name}_forward")(kept)
    dinputs = team(getattr(core, f"{name}_backward"), dvalues, kept)
    expected = getattr(ref, f"{name}_backward")(wider(dvalues), wider(kept))
    magnitude = backward_magnitude(name, wider(dvalues), wider(kept))
    assert_within(dinputs, expected, gamma(4, dtype) * magnitude)


@pytest.mark.parametrize("shape", RANKS, ids=shape_id)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions_take_any_rank(
    name: str, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator
) -> None:
    inputs = normal(rng, shape, dtype)
    flat = np.ascontiguousarray(inputs.reshape(1, -1))
    output = getattr(core, f"{name}_forward")(inputs)
    assert output.shape == shape
    np.testing.assert_array_equal(output.ravel(), getattr(core, f"{name}_forward")(flat).ravel())
    dinputs = getattr(core, f"{name}_backward")(inputs, output)
    assert dinputs.shape == shape


def test_relu_at_zero_and_beyond(dtype: Any) -> None:
    inputs = np.array([[-np.inf, -1, -0.0, 0.0, smallest(dtype), 2, np.inf, np.nan]], dtype=dtype)
    output = core.relu_forward(inputs)
    np.testing.assert_array_equal(output, [[0, 0, 0, 0, smallest(dtype), 2, np.inf, np.nan]])
    dinputs = core.relu_backward(np.full_like(inputs, 3), inputs)
    np.testing.assert_array_equal(dinputs[:, :7], [[0, 0, 0, 0, 3, 3, 3]])


def test_relu_passes_nan_in_every_lane(dtype: Any) -> None:
    for position in range(37):
        inputs = np.ones((1, 37), dtype=dtype)
        inputs[0, position] = np.nan
        assert np.flatnonzero(np.isnan(core.relu_forward(inputs))).tolist() == [position]


def softmax_bound(inputs: Array, dtype: Any) -> Array:
    """Rounded: the shift (u |x - max| in the exponent), exp (4 ulp = 8 u), sum, quotient."""
    shifted = inputs - inputs.max(axis=1, keepdims=True, initial=-np.inf)
    power = unit(dtype) * (np.abs(shifted) + 8)
    output = ref.softmax_forward(inputs) if len(inputs) else inputs
    of_sum = (output * power).sum(axis=1, keepdims=True) + gamma(inputs.shape[1], dtype)
    return 1.01 * output * (power + of_sum + 2 * unit(dtype)) + 4 * smallest(dtype)


@pytest.mark.parametrize("shape", MATRICES, ids=shape_id)
def test_softmax_forward(
    shape: tuple[int, int], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    inputs = normal(rng, shape, dtype)
    output = team(core.softmax_forward, inputs)
    assert output.dtype == dtype
    exact = wider(inputs)
    assert_within(output, ref.softmax_forward(exact), softmax_bound(exact, dtype))


@pytest.mark.parametrize("shape", MATRICES, ids=shape_id)
def test_softmax_backward(
    shape: tuple[int, int], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    output = core.softmax_forward(normal(rng, shape, dtype))
    dvalues = normal(rng, shape, dtype)
    dinputs = team(core.softmax_backward, dvalues, output)
    expected = ref.softmax_backward(wider(dvalues), wider(output))
    size = np.abs(wider(dvalues))
    magnitude = wider(output) * (size + (size * wider(output)).sum(axis=1, keepdims=True))
    bound = gamma(shape[1] + 4, dtype) * magnitude + (shape[1] + 4) * smallest(dtype)
    assert_within(dinputs, expected, bound)


def test_softmax_does_not_overflow(dtype: Any) -> None:
    """Logits of +-1e4 in both dtypes, and the largest finite ones."""
    huge = float(np.finfo(dtype).max)
    inputs = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [huge, -huge, 0]], dtype=dtype)
    output = core.softmax_forward(inputs)
    third = dtype(1) / dtype(3)
    np.testing.assert_array_equal(output, [[1, 0, 0], [third, third, third], [1, 0, 0]])


def test_softmax_passes_nan_in_its_row_only(dtype: Any) -> None:
    for columns in (1, 3, 16, 35):
        inputs = np.zeros((4, columns), dtype=dtype)
        inputs[2, columns - 1] = np.nan
        output = core.softmax_forward(inputs)
        assert np.isnan(output[2]).all()
        assert np.isfinite(np.delete(output, 2, axis=0)).all()


def test_softmax_rows_do_not_depend_on_the_batch(dtype: Any, rng: np.random.Generator) -> None:
    for columns in (1, 3, 10, 16, 37, 130):
        inputs = normal(rng, (67, columns), dtype)
        whole = core.softmax_forward(inputs)
        for rows in (slice(0, 1), slice(5, 21), slice(33, 67), slice(66, 67)):
            np.testing.assert_array_equal(core.softmax_forward(inputs[rows]), whole[rows])


@pytest.mark.parametrize(
    ("name", "third"), [("relu", 0.0), ("sigmoid", 1.0), ("tanh", 2.0), ("softmax", 1.0)]
)
def test_gradients_agree_with_central_differences(
    name: str, third: float, rng: np.random.Generator
) -> None:
    inputs, direction = rng.standard_normal((6, 7)), rng.standard_normal((6, 7))
    forward = getattr(core, f"{name}_forward")
    output = forward(inputs)
    actual = getattr(core, f"{name}_backward")(direction, inputs if name == "relu" else output)
    expected = central_differences(lambda: forward(inputs), inputs, direction)
    assert np.abs(actual - expected).max() <= difference_bound(third, direction, output)


# multiply and dropout


@pytest.mark.parametrize("shape", [*RANKS, (67, 65), (120_011, 1)], ids=shape_id)
def test_multiply_rounds_once(
    shape: tuple[int, ...], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    a, b = normal(rng, shape, dtype), normal(rng, shape, dtype)
    product = team(core.multiply, a, b)
    assert product.shape == shape and product.dtype == dtype
    np.testing.assert_array_equal(product, a * b)


@pytest.mark.parametrize(
    ("key", "step"), [(0, 0), (2**64 - 1, 2**64 - 1), (0x123456789ABCDEF0, 2**32 + 7)]
)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 67), (64, 64), (501, 103)], ids=shape_id)
def test_dropout_draws_the_documented_stream(
    shape: tuple[int, int], key: int, step: int, dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    inputs = normal(rng, shape, dtype)
    output, mask = team(core.dropout_forward, inputs, 0.7, key, step)
    expected_output, expected_mask = ref.dropout_forward(inputs, 0.7, key, step)
    assert output.dtype == mask.dtype == dtype
    np.testing.assert_array_equal(mask, expected_mask)
    np.testing.assert_array_equal(output, expected_output)


@pytest.mark.parametrize("keep", [2.0**-24, 0.1, 1 / 3, 0.5, 1 - 2.0**-24, 1.0])
def test_dropout_keeps_u_below_keep(keep: float, dtype: Any) -> None:
    """Decided in double precision: u takes the value keep exactly for some of these."""
    ones = np.ones((100, 101), dtype=dtype)
    _, mask = core.dropout_forward(ones, keep, 7, 3)
    np.testing.assert_array_equal(mask, ref.dropout_forward(ones, keep, 7, 3)[1])
    if keep == 1.0:
        np.testing.assert_array_equal(mask, ones)


@pytest.mark.parametrize("keep", [0.0, -0.5, 1.5, np.nan, np.inf])
def test_dropout_refuses_a_share_outside_0_to_1(keep: float) -> None:
    with pytest.raises(ValueError, match="keep"):
        core.dropout_forward(np.ones((2, 2)), keep, 0, 0)


@pytest.mark.parametrize(("key", "step"), [(-1, 0), (0, -1), (2**64, 0), (0, 2**64)])
def test_dropout_refuses_numbers_beyond_64_bits(key: int, step: int) -> None:
    with pytest.raises((ValueError, OverflowError, TypeError)):
        core.dropout_forward(np.ones((2, 2)), 0.5, key, step)
