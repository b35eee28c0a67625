"""Schedules at work: from the share of the training done to a multiplier.

``t = (iterations - schedule_start) / schedule_steps``; a schedule is a function of t in [0, 1),
array in, array of multipliers out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, as_count, as_real


def as_schedule(value: Any, name: str) -> Any:
    """Return a schedule: None, or what can be called.

    Raises
    ------
    TypeError
        Something else, or a class in place of its object.
    """
    if isinstance(value, type):
        raise TypeError(
            f"{name}: expected an instance, got the class {value.__name__}; "
            f"write {value.__name__}(...)"
        )
    if value is not None and not callable(value):
        raise TypeError(f"{name}: expected a function of an array of shares, got {value!r}")
    return value


def multipliers_at(schedule: Any, shares: Array, name: str) -> Array:
    """Return what a schedule gives for shares (k,) of the training: k float64 from 0.

    Raises
    ------
    TypeError
        No numbers.
    ValueError
        Another number of values, a negative one, NaN or infinity.
    """
    values = as_real(schedule(shares), name).astype(np.float64)
    if values.shape != shares.shape:
        raise ValueError(
            f"{name}: expected one multiplier for each of {len(shares)} shares, "
            f"got an array {values.shape}"
        )
    bad = ~((values >= 0) & (values < np.inf))
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"{name}: expected multipliers of at least 0, got {values[first]} "
            f"for the share {shares[first]:g}"
        )
    return values


def shares_of(optimizer: Any, start: int, count: int) -> Array:
    """Return t of the iterations from `start` on, (count,) float64.

    Raises
    ------
    ValueError
        The optimizer's `schedule_start` and `schedule_steps` are not set, or used up.
    """
    begin, steps = optimizer.schedule_start, optimizer.schedule_steps
    if begin is None or steps is None:
        raise ValueError(
            "schedule_start, schedule_steps: expected the iteration at which the schedule begins "
            "and the number of its steps, got none; train sets them, a loop of your own must"
        )
    begin, steps = as_count(begin, "schedule_start", 0), as_count(steps, "schedule_steps", 1)
    if start < begin or start + count > begin + steps:
        raise ValueError(
            f"schedule_start, schedule_steps: expected iterations from {begin} to "
            f"{begin + steps - 1}, got {start if start < begin else start + count - 1}; "
            "set schedule_start = iterations to begin anew"
        )
    return np.arange(start - begin, start - begin + count, dtype=np.float64) / steps


def rate_multipliers(optimizer: Any, start: int, count: int) -> Array:
    """Return what `schedule` multiplies the rate by in `count` steps, from iteration `start`."""
    return _multipliers(optimizer, "schedule", start, count)


def decay_multipliers(optimizer: Any, start: int, count: int) -> Array:
    """Return what `weight_decay_schedule` multiplies the weight decay by, likewise."""
    return _multipliers(optimizer, "weight_decay_schedule", start, count)


def _multipliers(optimizer: Any, name: str, start: int, count: int) -> Array:
    schedule = getattr(optimizer, name, None)
    if schedule is None:
        return np.ones(count)
    return multipliers_at(schedule, shares_of(optimizer, start, count), name)


def begin_schedule(optimizer: Any, steps: int) -> None:
    """Let the schedules begin now and last `steps` steps where they are unset or used up."""
    begin, length = optimizer.schedule_start, optimizer.schedule_steps
    if begin is None or length is None or not begin <= optimizer.iterations < begin + length:
        optimizer.schedule_start = int(optimizer.iterations)
        optimizer.schedule_steps = steps
