"""Checks of settings: what the value of a part's attribute may be.

A part names its settings and their checks in its class (`catalogue.Part.settings`). A check's
docstring is what an error text says was expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]
Settings = Mapping[str, Check]

LIMIT = 2**63  # of every whole number in a file


def is_number(value: Any) -> bool:
    """A finite number, not a bool."""
    if type(value) is int:
        return abs(value) < LIMIT
    return type(value) is float and math.isfinite(value)


def is_size(value: Any) -> bool:
    """An int from 1."""
    return type(value) is int and 1 <= value < LIMIT


def is_count(value: Any) -> bool:
    """An int from 0."""
    return type(value) is int and 0 <= value < LIMIT


def is_word(value: Any) -> bool:
    """An int from 0 to 2**64 - 1."""
    return type(value) is int and 0 <= value < 2**64


def is_share(value: Any) -> bool:
    """A number above 0 and at most 1."""
    return is_number(value) and 0 < value <= 1


def is_nonnegative(value: Any) -> bool:
    """A finite number of at least 0."""
    return is_number(value) and value >= 0


def is_positive(value: Any) -> bool:
    """A finite number above 0."""
    return is_number(value) and value > 0


def is_fraction(value: Any) -> bool:
    """A number of at least 0 and below 1."""
    return is_number(value) and 0 <= value < 1


def is_number_or_none(value: Any) -> bool:
    """A finite number or null."""
    return value is None or is_number(value)


def is_factor(value: Any) -> bool:
    """A finite number of at least 0, or a pair of them."""
    if isinstance(value, tuple | list):
        return len(value) == 2 and all(is_number(each) and each >= 0 for each in value)
    return is_number(value) and value >= 0


def factors_for(count: int) -> Check:
    """Return a check for a factor, or one for each of `count` parameters."""

    def are_factors(value: Any) -> bool:
        if isinstance(value, tuple | list):
            return len(value) == count and all(is_nonnegative(each) for each in value)
        return is_nonnegative(value)

    are_factors.__doc__ = f"A finite number of at least 0, or {count} of them."
    return are_factors


def is_sizes(value: Any) -> bool:
    """A list of at least one int from 1."""
    return isinstance(value, tuple | list) and len(value) > 0 and all(map(is_size, value))


def is_activation(value: Any) -> bool:
    """An activation of chainrule's own."""
    return isinstance(value, dict) and isinstance(value.get("class"), str)


def is_schedule(value: Any) -> bool:
    """A schedule of chainrule's own, or null."""
    return value is None or (isinstance(value, dict) and isinstance(value.get("class"), str))


def is_numbers(value: Any) -> bool:
    """A list of finite numbers."""
    return isinstance(value, tuple | list) and all(is_number(each) for each in value)


def is_quantiles(value: Any) -> bool:
    """A list of at least one number above 0 and below 1."""
    return is_numbers(value) and len(value) > 0 and all(0 < each < 1 for each in value)


def is_shares(value: Any) -> bool:
    """A list of numbers from 0 to 1."""
    return is_numbers(value) and all(0 <= each <= 1 for each in value)


def is_flag(value: Any) -> bool:
    """True or false."""
    return type(value) is bool


def is_dtype(value: Any) -> bool:
    """Float32 or float64."""
    return value in ("float32", "float64") if isinstance(value, str) else False


def one_of(*words: str) -> Check:
    """Return a check for one of some words."""

    def is_word_of(value: Any) -> bool:
        return isinstance(value, str) and value in words

    is_word_of.__doc__ = f"One of {', '.join(words)}."
    return is_word_of


def or_none(check: Check) -> Check:
    """Return the check that also lets null pass."""

    def is_absent_or(value: Any) -> bool:
        return value is None or check(value)

    is_absent_or.__doc__ = f"{str(check.__doc__).rstrip('.')}, or null."
    return is_absent_or
