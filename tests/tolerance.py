"""Tolerances of the tests, all derived from the unit roundoff u = eps / 2 of a dtype.

A chain of k rounded operations over terms t is within gamma(k) * sum |t| of the exact sum,
gamma(k) = k u / (1 - k u) (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
Expected values are computed one precision wider, where their own error does not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Where long double is no wider than double (MSVC, Apple Arm) the reference rounds as we do.
LONGDOUBLE_IS_WIDER = bool(np.finfo(np.longdouble).eps < np.finfo(np.float64).eps)

STEP = 2.0**-17  # of central differences in float64: near eps^(1/3), a power of two


def unit(dtype: Any) -> float:
    """Unit roundoff: the largest relative error of one rounding."""
    return float(np.finfo(dtype).eps) / 2


def smallest(dtype: Any) -> float:
    """Smallest subnormal: one rounding below the normal range is off by half of it at most."""
    return float(np.finfo(dtype).smallest_subnormal)


def gamma(k: int, dtype: Any) -> float:
    """Relative error of k roundings in a row."""
    ku = k * unit(dtype)
    return ku / (1 - ku)


def wider(array: Array) -> Array:
    """The same values, one precision up; anything but floats is returned as it is."""
    if array.dtype == np.float32:
        return array.astype(np.float64)
    return array.astype(np.longdouble) if array.dtype == np.float64 else array


def assert_within(actual: Array, expected: Array, bound: Any) -> None:
    """|actual - expected| <= bound, entry by entry; NaN and infinity stand in the same places."""
    assert actual.shape == expected.shape, f"expected shape {expected.shape}, got {actual.shape}"
    if actual.dtype == np.float64 and not LONGDOUBLE_IS_WIDER:
        bound = 2 * bound
    special = ~np.isfinite(expected)
    np.testing.assert_array_equal(actual[special], expected[special].astype(actual.dtype))
    error = np.abs(wider(actual)[~special] - expected[~special])
    limit = np.broadcast_to(bound, expected.shape)[~special]
    if (error <= limit).all():
        return
    ratio = np.where(error <= limit, 0, error / np.maximum(limit, smallest(np.float64)))
    ratio = np.where(np.isnan(error), np.inf, ratio)
    worst = int(ratio.argmax())
    where = tuple(int(i) for i in np.argwhere(~special)[worst])
    raise AssertionError(
        f"at {where}: expected {expected[where]!r} within {limit[worst]!r}, got {actual[where]!r} "
        f"({float(ratio[worst]):.3g} times the bound)"
    )


def ulps(actual: Array, expected: Array) -> Array:
    """Error in units of the last place of ``actual``'s dtype at the expected value.

    An infinity counts as the power of two that comes after the largest number.
    """
    info = np.finfo(actual.dtype)
    beyond = np.ldexp(np.longdouble(1), info.maxexp)
    found, wanted = (
        np.clip(each.astype(np.longdouble), -beyond, beyond) for each in (actual, expected)
    )
    lowest = info.minexp - info.nmant
    exponent = np.where(wanted == 0, lowest, np.frexp(wanted)[1])
    exponent = np.minimum(exponent, info.maxexp)
    spacing = np.ldexp(np.longdouble(1), np.maximum(exponent - 1 - info.nmant, lowest))
    return np.abs(found - wanted) / spacing


def central_differences(function: Any, array: Array, direction: Array) -> Array:
    """d sum(direction * function(array)) / d array, entry by entry; array is restored."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + STEP
        above = function()
        array[index] = kept - STEP
        below = function()
        array[index] = kept
        gradient[index] = ((above - below) * direction).sum() / (2 * STEP)
    return gradient


def difference_bound(third_derivative: float, direction: Array, output: Array) -> float:
    """Error of a central difference: truncation h^2 / 6 |f'''| plus rounding of both values / 2h.

    Each value is off by at most 4 ulp for an elementary function and a few roundings: 8 eps.
    """
    weight = float(np.abs(direction).sum())
    magnitude = float(np.abs(direction * output).max(initial=0)) * direction.size
    eps = float(np.finfo(np.float64).eps)
    return STEP**2 / 6 * third_derivative * weight + 8 * eps * (magnitude + weight) / STEP
