"""exp, log, tanh and sigmoid within 4 ulp over the whole range, through the layer functions.

float32 is judged by float64; float64 by long double where that is wider, and by mpmath.
exp is seen bare where softmax of a row [0, x] divides by 1 + e^x = 1, log in the
categorical cross-entropy of one column.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import reference as ref
from chainrule import _core as core
from tolerance import LONGDOUBLE_IS_WIDER, smallest, ulps, unit, wider

Array = np.ndarray[Any, Any]

ALLOWED = 4  # ulp, over the whole range
COUNT = 200_000
MPMATH_COUNT = 1500


def random_bits(dtype: Any, count: int) -> Array:
    """Any bit pattern: all exponents, subnormals, infinities and NaN."""
    bits = np.uint32 if dtype is np.float32 else np.uint64
    rng = np.random.default_rng(2024)
    return rng.integers(0, np.iinfo(bits).max, count, dtype=bits, endpoint=True).view(dtype)


def arguments(dtype: Any, count: int = COUNT) -> Array:
    """Random bit patterns, the interesting range evenly, all sizes of small numbers, borders."""
    rng = np.random.default_rng(7)
    low = -104.0 if dtype is np.float32 else -746.0
    near = 20.0 if dtype is np.float32 else 45.0
    bits = random_bits(dtype, count // 2)
    exponents = rng.uniform(np.log2(smallest(dtype)), 3, count // 8)
    parts = [
        bits[np.isfinite(bits)],
        rng.uniform(-near, near, count // 4),
        rng.uniform(low, -low, count // 8),
        np.exp2(exponents) * rng.choice([-1, 1], count // 8),
        np.arange(-200, 201) * np.log(2) / 2,  # where the reduction changes its power of two
        [0.0, -0.0, smallest(dtype), -smallest(dtype), np.finfo(dtype).tiny],
        [np.finfo(dtype).max, np.finfo(dtype).min],
    ]
    return np.concatenate([np.asarray(p).astype(dtype) for p in parts])


def check(actual: Array, expected: Array, inputs: Array) -> None:
    error = ulps(actual, expected)
    worst = int(error.argmax())
    assert error[worst] <= ALLOWED, (
        f"at {inputs[worst]!r}: expected {expected[worst]!r} within {ALLOWED} ulp, "
        f"got {actual[worst]!r}, {float(error[worst]):.2f} ulp off"
    )


def exact(function: str, inputs: Array) -> Array:
    with np.errstate(under="ignore", over="ignore"):
        return getattr(ref, f"{function}_forward")(wider(inputs))


def needs_wider(dtype: Any) -> None:
    if dtype is np.float64 and not LONGDOUBLE_IS_WIDER:
        pytest.skip("long double is no wider than double here; mpmath judges float64 alone")


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_within_4_ulp_over_the_whole_range(function: str, dtype: Any) -> None:
    needs_wider(dtype)
    inputs = arguments(dtype)
    check(getattr(core, f"{function}_forward")(inputs), exact(function, inputs), inputs)


def exponentials(inputs: Array) -> Array:
    """Second column of softmax([0, x]) = e^x / (1 + e^x) for x <= 0."""
    return core.softmax_forward(np.stack([np.zeros_like(inputs), inputs], axis=1))[:, 1].copy()


def test_exp_within_4_ulp_where_softmax_shows_it_bare(dtype: Any) -> None:
    """Below -2 log(1/u) the sum 1 + e^x rounds to 1: down through the subnormals to 0."""
    needs_wider(dtype)
    high = np.log(unit(dtype)) - 1
    low = -110.0 if dtype is np.float32 else -760.0
    rng = np.random.default_rng(3)
    inputs = rng.uniform(low, high, COUNT).astype(dtype)
    with np.errstate(under="ignore"):
        check(exponentials(inputs), np.exp(wider(inputs)), inputs)


def test_softmax_of_two_is_within_exp_sum_and_quotient(dtype: Any) -> None:
    """4 ulp = 8 u of exp, 1 u of the sum and of the quotient; the rest shrinks by 1 / (1 + e^x)."""
    needs_wider(dtype)
    rng = np.random.default_rng(4)
    inputs = -np.exp2(rng.uniform(-30, 6, COUNT)).astype(dtype)
    expected = exact("sigmoid", inputs)
    error = np.abs(wider(exponentials(inputs)) - expected)
    assert (error <= 11 * unit(dtype) * expected + 8 * smallest(dtype)).all()


def logarithms(inputs: Array) -> Array:
    """-log p of one column, labels all 0."""
    labels = np.zeros(len(inputs), dtype=np.int64)
    return core.categorical_crossentropy_forward(inputs.reshape(-1, 1), labels, 0.0)


def probabilities(dtype: Any, count: int) -> Array:
    """Evenly in p, evenly in log p, and close to 1; all inside the clips."""
    rng = np.random.default_rng(5)
    low, high = dtype(ref.CLIP), dtype(1 - ref.CLIP)
    parts = [
        rng.uniform(0, 1, count // 4),
        np.exp(rng.uniform(np.log(ref.CLIP), 0, count // 2)),
        1 - np.exp(rng.uniform(np.log(ref.CLIP), 0, count // 4)),
        np.exp2(np.arange(-23, 0)),
        np.sqrt(0.5) * np.exp2(np.arange(-20, 1)) * (1 + np.arange(-10, 11)[:, None] * 1e-7),
        [low, high],
    ]
    return np.clip(np.concatenate([np.asarray(p).astype(dtype).ravel() for p in parts]), low, high)


def test_log_within_4_ulp_between_the_clips(dtype: Any) -> None:
    needs_wider(dtype)
    inputs = probabilities(dtype, COUNT)
    check(logarithms(inputs), -np.log(wider(inputs)), inputs)


def test_log_within_4_ulp_of_mpmath() -> None:
    inputs = probabilities(np.float64, MPMATH_COUNT)
    expected = from_mpmath(lambda x: -mpmath.log(x), inputs)
    check(logarithms(inputs), expected, inputs)


def from_mpmath(function: Any, inputs: Array) -> Array:
    """One precision up where there is one: the value as a sum of two float64 numbers."""
    with mpmath.workprec(160):
        values = [function(mpmath.mpf(float(x))) for x in inputs]
        high = np.array([float(v) for v in values])
        low = np.array([float(v - mpmath.mpf(h)) for v, h in zip(values, high, strict=True)])
    return high.astype(np.longdouble) + low


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_within_4_ulp_of_mpmath(function: str) -> None:
    exact_function = {"tanh": mpmath.tanh, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x))}[function]
    inputs = arguments(np.float64, MPMATH_COUNT)
    # e^x of more than a few thousand bits is 0 or infinite as a double anyway
    inputs = inputs[np.abs(inputs) < 1e4]
    expected = from_mpmath(exact_function, inputs)
    check(getattr(core, f"{function}_forward")(inputs), expected, inputs)


def test_exp_within_4_ulp_of_mpmath() -> None:
    rng = np.random.default_rng(6)
    inputs = rng.uniform(-750, -38, MPMATH_COUNT)
    check(exponentials(inputs), from_mpmath(mpmath.exp, inputs), inputs)


# Special values


@pytest.mark.parametrize("function", ["tanh", "sigmoid", "relu"])
def test_nan_in_gives_nan_out(function: str, dtype: Any) -> None:
    """Every NaN pattern: quiet and signalling, both signs, any payload."""
    inputs = random_bits(dtype, COUNT)
    info = np.finfo(dtype)
    bits = inputs.view(np.uint32 if dtype is np.float32 else np.uint64)
    bits |= bits.dtype.type(((1 << info.nexp) - 1) << info.nmant)  # exponent all ones
    nan = np.isnan(inputs)
    assert nan.sum() > COUNT // 2
    output = getattr(core, f"{function}_forward")(inputs)
    np.testing.assert_array_equal(np.isnan(output), nan)


def test_infinities_saturate(dtype: Any) -> None:
    inputs = np.array([-np.inf, np.inf], dtype=dtype)
    np.testing.assert_array_equal(core.tanh_forward(inputs), [-1, 1])
    np.testing.assert_array_equal(core.sigmoid_forward(inputs), [0, 1])
    np.testing.assert_array_equal(exponentials(inputs[:1]), [0])


@pytest.mark.parametrize("count", [1, 3, 16, 19])
def test_tanh_keeps_the_sign_of_zero(count: int, dtype: Any) -> None:
    zeros = np.zeros(count, dtype=dtype)
    assert not np.signbit(core.tanh_forward(zeros)).any()
    assert np.signbit(core.tanh_forward(-zeros)).all()
    np.testing.assert_array_equal(core.tanh_forward(-zeros), zeros)


def test_tanh_is_odd(dtype: Any) -> None:
    inputs = arguments(dtype, 20_000)
    np.testing.assert_array_equal(core.tanh_forward(-inputs), -core.tanh_forward(inputs))


def test_values_stay_in_their_range(dtype: Any) -> None:
    inputs = arguments(dtype)
    assert (np.abs(core.tanh_forward(inputs)) <= 1).all()
    output = core.sigmoid_forward(inputs)
    assert (output >= 0).all() and (output <= 1).all()
    assert core.sigmoid_forward(np.zeros(1, dtype=dtype))[0] == 0.5


def test_a_value_does_not_depend_on_its_place(dtype: Any) -> None:
    """Whole vectors and masked tails compute alike."""
    inputs = arguments(dtype, 400)
    for function in ("tanh", "sigmoid"):
        forward = getattr(core, f"{function}_forward")
        whole = forward(inputs)
        alone = np.concatenate([forward(inputs[i : i + 1]) for i in range(len(inputs))])
        np.testing.assert_array_equal(whole, alone)
