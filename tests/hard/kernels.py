"""Kernels: integers exactly, and the elementary functions within 4 ulp over float32 and float64.

Products of small integers have no rounding: layer calls of all sizes from 0 to 67 and some larger
ones must give NumPy's int64 result to the bit. The elementary functions are compiled alone, for
each target; every 64th float32 is judged by float64, random float64 by mpmath.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import _core as core
from tolerance import ulps

QUICK, LONG = 300, 20_000

ULPS, SLOPE_ULPS = 4, 5  # the second of tanh(softplus)'s slope alone
STRIDE = 64  # of float32's bit patterns in the long form
PART = 1 << 22  # of them at a time


def integers(count: int, seed: int) -> None:
    """Layer calls on integers, threads 1 to 3."""
    random_ = random.Random(seed)
    rng = np.random.default_rng(seed)
    for _ in range(count):
        sizes = [random_.choice([random_.randrange(68), random_.choice([96, 130, 257])])] * 3
        n, d, m = (random_.choice([size, random_.randrange(1, 68)]) for size in sizes)
        d, m = max(d, 1), max(m, 1)
        dtype = random_.choice([np.float32, np.float64])
        x, w, b, g = (rng.integers(-3, 4, shape) for shape in ((n, d), (d, m), (1, m), (n, m)))
        arrays = [array.astype(dtype) for array in (x, w, b, g)]
        cr.set_num_threads(random_.choice([1, 2, 3]))
        exact = [x @ w + b, x.T @ g, g.sum(axis=0, keepdims=True), g @ w.T]
        inputs, weights, _, dvalues = arrays
        found = core.dense_forward(*arrays[:3]), *core.dense_backward(inputs, dvalues, weights)
        for one, other in zip(found, exact, strict=True):
            assert np.array_equal(one, other), f"{n}, {d}, {m}, {np.dtype(dtype)}"


def elementary(stride: int) -> tuple[int, float]:
    """Return how many arguments were tried, and the largest error in ulp."""
    import elementary_cases as cases

    tried, worst = 0, 0.0
    with tempfile.TemporaryDirectory() as name:
        for target in cr.available_targets():
            for function in cases.FUNCTIONS:
                call = cases.compiled(function, target, Path(name))
                allowed = SLOPE_ULPS if function.startswith("slope") else ULPS
                for found, expected in pairs(cases, function, call, stride):
                    error = float(np.max(ulps(found, expected), initial=0.0))
                    assert error <= allowed, f"{function}, {target}: {error} ulp"
                    tried, worst = tried + found.size, max(worst, error)
    return tried, worst


def pairs(cases: Any, function: str, call: Any, stride: int) -> Any:
    """Yield results with what they should be: of float32 in parts, of float64 at once."""
    for first in range(0, 2**32, stride * PART):
        last = min(first + stride * PART, 2**32)
        bits = np.arange(first, last, stride, dtype=np.uint32).view(np.float32)
        inputs = cases.inside(function, bits[np.isfinite(bits)])
        with np.errstate(all="ignore"):
            yield call(inputs), cases.FUNCTIONS[function].in_float64(inputs.astype(np.float64))
    doubles = cases.float64_arguments(function)
    yield call(doubles), cases.expected(function, np.float64)


def check(count: int, seed: int) -> str:
    before = cr.get_num_threads()
    try:
        integers(count, seed)
    finally:
        cr.set_num_threads(before)
    line = f"{count} layer calls on integers exact"
    if count < LONG:
        return line  # the functions have tests of their own
    tried, worst = elementary(STRIDE)
    return f"{line}; {tried} arguments of elementary functions, at most {worst:.2f} ulp"
