"""An optimizer's schedules at work: ``t = (iterations - schedule_start) / schedule_steps``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, as_count
from .schedules import multipliers


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
    return multipliers(schedule, shares_of(optimizer, start, count), name)


def begin_schedule(optimizer: Any, steps: int) -> None:
    """Let the schedules begin now and last `steps` steps where they are unset or used up."""
    begin, length = optimizer.schedule_start, optimizer.schedule_steps
    if begin is None or length is None or not begin <= optimizer.iterations < begin + length:
        optimizer.schedule_start = int(optimizer.iterations)
        optimizer.schedule_steps = steps
