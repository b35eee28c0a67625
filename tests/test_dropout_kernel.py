"""The compiled dropout draws the documented stream, bit for bit: any piece, any share kept."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import reference as ref
from chainrule import _core as core

SMALLEST = 2.0**-24  # distance of the numbers drawn
KEEPS = (1e-300, 1e-9, SMALLEST, 0.1, 1 / 3, 0.5, 0.8, 1 - SMALLEST, 1 - 2.0**-53, 1.0)
KEY, STEP = 0xFEDCBA9876543210, 2**32 + 7
BLOCK_CARRIES = 4 * 2**32  # the first element whose block number has a high word

Array = np.ndarray[Any, Any]


def assert_drawn(inputs: Array, keep: float, key: int, step: int, start: int) -> None:
    """Compare bytes, so that zeros have their signs."""
    with np.errstate(over="ignore"):
        expected = ref.dropout_forward(inputs, keep, key, step, start)
    actual = core.dropout_forward(inputs, keep, key, step, start)
    for got, wanted, what in zip(actual, expected, ("output", "mask"), strict=True):
        assert got.tobytes() == wanted.tobytes(), f"{what}: {keep=} {key=} {step=} {start=}"


def signed(n: int, dtype: Any) -> Array:
    return (np.arange(n) % 7 - 3.5).astype(dtype)


@pytest.mark.parametrize("start", range(10))
def test_every_start_and_every_length(start: int, dtype: Any) -> None:
    for n in range(68):
        keep = KEEPS[3 + n % 4]
        assert_drawn(signed(n, dtype), keep, KEY + n, STEP * n, start)


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("n", [1, 96, 333, 4608, 4609, 20_000])
def test_every_share_kept(n: int, keep: float, dtype: Any) -> None:
    for start in (0, 5, 8):
        assert_drawn(signed(n, dtype), keep, KEY, STEP, start)


@pytest.mark.parametrize("key", [0, 1, 2**32, 2**64 - 1])
@pytest.mark.parametrize("step", [0, 1, 2**32 - 1, 2**32, 2**64 - 1])
def test_every_word_of_key_and_step_counts(key: int, step: int, dtype: Any) -> None:
    assert_drawn(signed(1000, dtype), 0.6, key, step, 0)


@pytest.mark.parametrize("before", [*range(10), 95, 96, 100, 4607, 4608, 9000])
def test_block_numbers_beyond_32_bits(before: int, dtype: Any) -> None:
    assert_drawn(signed(10_000, dtype), 0.6, KEY, STEP, BLOCK_CARRIES - before)
    assert_drawn(signed(100, dtype), 0.6, KEY, STEP, 2**63 - before)


def test_random_pieces(rng: np.random.Generator, dtype: Any) -> None:
    for _ in range(300):
        key, step = (int(word) for word in rng.integers(2**64, size=2, dtype=np.uint64))
        start = int(rng.integers(2**40)) >> int(rng.integers(40))
        n = int(rng.integers(3000))
        assert_drawn(signed(n, dtype), float(1 - rng.random()), key, step, start)


def test_a_share_that_was_drawn_is_not_below_itself(dtype: Any) -> None:
    """Next to each of some numbers drawn: below it, it, above it, as exact fractions say."""
    drawn = ref.dropout_uniforms((4000,), KEY, STEP)
    ones = np.ones(4000, dtype=dtype)
    for u in (*drawn[drawn > 0][:20], drawn.max(), 1 - SMALLEST, SMALLEST):
        for keep in (np.nextafter(u, 0), u, np.nextafter(u, 1)):
            mask = core.dropout_forward(ones, float(keep), KEY, STEP)[1]
            below = [Fraction(float(each)) < Fraction(float(keep)) for each in drawn]
            np.testing.assert_array_equal(mask != 0, below)


def test_threads_share_one_stream(threads: int, dtype: Any) -> None:
    for n in (100, 30_001):
        assert_drawn(signed(n, dtype), 0.7, KEY, STEP, 6)


def test_infinity_dropped_is_not_a_number(dtype: Any) -> None:
    inputs = np.full(100, np.inf, dtype=dtype)
    with np.errstate(invalid="ignore"):
        output, mask = core.dropout_forward(inputs, 0.5, KEY, STEP)
    assert np.isnan(output[mask == 0]).all() and np.isposinf(output[mask != 0]).all()


def test_start_may_be_left_out() -> None:
    inputs = signed(50, np.float64)
    default, explicit = (
        core.dropout_forward(inputs, 0.5, KEY, STEP, *start) for start in ((), (0,))
    )
    np.testing.assert_array_equal(default[1], explicit[1])
    with pytest.raises(TypeError, match="expected 4 arguments, got 3"):
        core.dropout_forward(inputs, 0.5, KEY)  # type: ignore[call-arg]
    with pytest.raises((TypeError, ValueError, OverflowError), match="start"):
        core.dropout_forward(inputs, 0.5, KEY, STEP, -1)
