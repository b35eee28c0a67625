"""Compiled activations against the reference one precision up; multiply and dropout.

Every activation of the catalogue is tried, by its name and its parameters alone. The 4 ulp of
elementary functions over their whole range: test_elementary_functions.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import reference as ref
from chainrule import _core as core
from part_cases import activation_rows, numbers_for, relative_slope, row_id, slopes
from tolerance import assert_within, gamma, smallest, unit, wider

Array = np.ndarray[Any, Any]
Team = Callable[..., Any]
Row = dict[str, Any]

ROWS = activation_rows()
FOUR_ULP = {"relu": 0, "sigmoid": 4, "tanh": 4, "exponential": 4, "softplus": 4}
COUNTS = [(0, 1, *range(2, 68, 3)), (10007,), (120_011,)]
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
# A formula of at most 16 roundings beside two elementary functions of 4 ulp = 8 u each: its
# result is off by so many u, and so may be its argument. A subnormal intermediate result is off by
# half the smallest number, which dvalues and up to three factors x (gelu_tanh) multiply.
ROUNDINGS = 32

each_row = pytest.mark.parametrize("row", ROWS, ids=row_id)


def normal(rng: np.random.Generator, shape: Any, dtype: Any, scale: float = 3.0) -> Array:
    return np.asarray(scale * rng.standard_normal(shape)).astype(dtype)


def shape_id(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def call(row: Row, direction: str, *arrays: Array) -> Array:
    """The compiled function with parameters that suit it."""
    return getattr(core, f"{row['name']}_{direction}")(*arrays, *numbers_for(row, 1))


def exact(row: Row, direction: str, *arrays: Array) -> Array:
    return getattr(ref, f"{row['name']}_{direction}")(*map(wider, arrays), *numbers_for(row, 1))


def saved_of(row: Row, inputs: Array) -> Array:
    """What the derivative is written in."""
    return inputs if row["needs_inputs"] else call(row, "forward", inputs)


def test_the_reference_knows_what_is_compiled() -> None:
    names = {row["name"] for row in core.catalogue()["activations"]}
    assert set(ref.FORWARD) <= names
    for row in core.catalogue()["activations"]:
        assert row["name"] not in ref.FORWARD or row["needs_inputs"] == (
            row["name"] in ref.NEEDS_INPUTS
        )


each_count = pytest.mark.parametrize("counts", COUNTS, ids=["few", "some", "many"])


@each_row
@each_count
def test_forward(
    row: Row, counts: tuple[int, ...], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    for count in counts:
        inputs = normal(rng, (1, count), dtype)
        output = team(call, row, "forward", inputs)
        assert output.dtype == dtype and output is not inputs
        check_forward(row, inputs, output)


def check_forward(row: Row, inputs: Array, output: Array) -> None:
    dtype, expected = inputs.dtype, exact(row, "forward", inputs)
    if row["name"] in FOUR_ULP:
        bound = FOUR_ULP[row["name"]] * 2 * unit(dtype) * np.abs(expected)
    else:
        slope = relative_slope(lambda x: exact(row, "forward", x), wider(inputs))
        bound = gamma(ROUNDINGS, dtype) * (np.abs(expected) + slope)
    assert_within(output, expected, bound + smallest(dtype) * (1 + np.abs(wider(inputs))))


@each_row
@each_count
def test_backward(
    row: Row, counts: tuple[int, ...], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    for count in counts:
        check_backward(row, count, dtype, team, rng)


def check_backward(row: Row, count: int, dtype: Any, team: Team, rng: np.random.Generator) -> None:
    dvalues = normal(rng, (count, 1), dtype)
    saved = saved_of(row, normal(rng, (count, 1), dtype))
    dinputs = team(call, row, "backward", dvalues, saved)
    assert dinputs.dtype == dtype
    expected = exact(row, "backward", dvalues, saved)
    slope = relative_slope(lambda x: exact(row, "backward", dvalues, x), wider(saved))
    bound = gamma(ROUNDINGS, dtype) * (np.abs(expected) + slope)
    factors = (1 + np.abs(wider(dvalues))) * (1 + np.abs(wider(saved))) ** 3
    assert_within(dinputs, expected, bound + smallest(dtype) * factors)


@pytest.mark.parametrize("shape", RANKS, ids=shape_id)
@each_row
def test_elementwise_functions_take_any_rank(
    row: Row, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator
) -> None:
    inputs = normal(rng, shape, dtype)
    flat = np.ascontiguousarray(inputs.reshape(1, -1))
    output = call(row, "forward", inputs)
    assert output.shape == shape
    np.testing.assert_array_equal(output.ravel(), call(row, "forward", flat).ravel())
    dinputs = call(row, "backward", inputs, saved_of(row, inputs))
    assert dinputs.shape == shape


@each_row
def test_infinities_give_limits_and_nan_passes(row: Row, dtype: Any) -> None:
    """In every lane; the finite neighbours keep their values."""
    limits = np.array([-np.inf, -1e30, -1.0, 1.0, 1e30, np.inf, np.nan])
    inputs = np.tile(limits.astype(dtype), 11)[None, :]
    ones = np.ones_like(inputs)
    with np.errstate(over="ignore", invalid="ignore"):
        output = exact(row, "forward", inputs)
        dinputs = exact(row, "backward", ones, wider(inputs) if row["needs_inputs"] else output)
        output, dinputs = output.astype(dtype), dinputs.astype(dtype)
    actual = call(row, "forward", inputs)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(inputs))
    np.testing.assert_allclose(actual, output, rtol=gamma(ROUNDINGS, dtype), atol=smallest(dtype))
    actual = call(row, "backward", ones, saved_of(row, inputs))
    # far below 0 the slope of an exponential is what alpha leaves of output + alpha
    np.testing.assert_allclose(actual, dinputs, rtol=gamma(ROUNDINGS, dtype), atol=2 * unit(dtype))


@each_row
def test_an_entrys_bits_do_not_depend_on_its_place(
    row: Row, dtype: Any, rng: np.random.Generator
) -> None:
    inputs = normal(rng, (1, 67), dtype)
    whole = call(row, "forward", inputs)
    slope = call(row, "backward", inputs, saved_of(row, inputs))
    for k in range(67):
        part = np.ascontiguousarray(inputs[:, k:])
        np.testing.assert_array_equal(call(row, "forward", part), whole[:, k:])
        dinputs = call(row, "backward", part, saved_of(row, part))
        np.testing.assert_array_equal(dinputs, slope[:, k:])


@each_row
def test_gradients_agree_with_central_differences(row: Row, rng: np.random.Generator) -> None:
    """Off 0, where slopes may jump."""
    inputs = rng.uniform(0.05, 3, (6, 7)) * rng.choice([-1.0, 1.0], (6, 7))
    direction = rng.standard_normal((6, 7))
    expected, error = slopes(lambda: call(row, "forward", inputs), inputs, direction)
    actual = call(row, "backward", direction, saved_of(row, inputs))
    assert (np.abs(actual - expected) <= error).all()


@each_row
def test_arguments_are_counted(row: Row, dtype: Any) -> None:
    inputs = np.ones((2, 3), dtype=dtype)
    for direction, arrays in (("forward", [inputs]), ("backward", [inputs, inputs])):
        function = getattr(core, f"{row['name']}_{direction}")
        numbers = numbers_for(row, 1)
        for wrong in ((*numbers, 1.0), numbers[1:] if numbers else ("none",)):
            with pytest.raises(TypeError, match=row["name"]):
                function(*arrays, *wrong)


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


@pytest.mark.parametrize("columns", [1, 2, 3, 8, 16, 17, 35, 67])
def test_softmax_finds_the_largest_logit_in_every_column(columns: int, dtype: Any) -> None:
    """Row j: column j is so large that its exponential overflows if another one is subtracted."""
    output = core.softmax_forward(1e4 * np.eye(columns, dtype=dtype))
    np.testing.assert_array_equal(output, np.eye(columns))


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


def test_softmax_gradient_agrees_with_central_differences(rng: np.random.Generator) -> None:
    inputs, direction = rng.standard_normal((6, 7)), rng.standard_normal((6, 7))
    expected, error = slopes(lambda: core.softmax_forward(inputs), inputs, direction)
    actual = core.softmax_backward(direction, core.softmax_forward(inputs))
    assert (np.abs(actual - expected) <= error).all()


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
