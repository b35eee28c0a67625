"""Calls that share their work over the threads if they ever do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import chainrule
from chainrule import _core


@cache
def square() -> tuple[Any, Any]:
    return np.ones((800, 800), dtype=np.float32), np.zeros((1, 800), dtype=np.float32)


def call_with_awake_team(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call function(*arguments) where it shares its work over the threads if it ever does.

    A layer call takes threads in only while they are awake, or for some milliseconds of work:
    a product of 10^9 operations wakes them. Small calls stay serial, so they need none.
    """
    size = sum(a.nbytes for a in arguments if isinstance(a, np.ndarray))
    if size >= 2**16 and chainrule.get_num_threads() > 1:
        matrix, biases = square()
        _core.dense_forward(matrix, matrix, biases)
    return function(*arguments)
