"""The measures that the other tests judge by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tolerance import assert_within, gamma, smallest, ulps, unit, wider


def test_unit_is_half_the_distance_to_the_next_number(dtype: Any) -> None:
    assert unit(dtype) == float(np.nextafter(dtype(1), dtype(2)) - dtype(1)) / 2
    assert gamma(1, dtype) > unit(dtype) and gamma(0, dtype) == 0
    assert smallest(dtype) == float(np.nextafter(dtype(0), dtype(1)))


@pytest.mark.parametrize("value", [1.0, 1.5, -3.0, 1e-30, 0.0])
def test_the_next_number_is_one_ulp_away(value: float, dtype: Any) -> None:
    exact = np.array([value], dtype=dtype)
    far = np.nextafter(exact, dtype(np.inf) if value >= 0 else dtype(-np.inf))
    assert ulps(far, wider(exact)).tolist() == [1.0]
    assert ulps(exact, wider(exact)).tolist() == [0.0]


def test_ulps_count_in_the_subnormal_range(dtype: Any) -> None:
    exact = np.array([5 * smallest(dtype)], dtype=dtype)
    assert ulps(exact, wider(exact) - 2 * smallest(dtype)).tolist() == [2.0]


def test_assert_within_finds_what_is_outside(dtype: Any) -> None:
    actual = np.array([[1.0, 2.0]], dtype=dtype)
    expected = wider(actual) + np.array([[0, 3 * unit(dtype)]])
    assert_within(actual, expected, 3 * unit(dtype))
    with pytest.raises(AssertionError, match=r"at \(0, 1\)"):
        assert_within(actual, expected, 1.4 * unit(dtype))
    with pytest.raises(AssertionError, match="shape"):
        assert_within(actual, expected[0], 1.0)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [([np.nan], [1.0]), ([1.0], [np.nan]), ([np.inf], [1.0]), ([1.0], [np.inf])],
)
def test_assert_within_minds_special_values(actual: list[float], expected: list[float]) -> None:
    with pytest.raises(AssertionError):
        assert_within(np.array(actual), np.array(expected, dtype=np.longdouble), 1e9)


def test_assert_within_takes_equal_special_values() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert_within(values, wider(values), 0.0)
