"""The functions of elementary.inl, compiled for each CPU target, and what they should give.

elementary.cpp becomes one shared library per target, called with ctypes.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest

from chainrule import available_targets
from tolerance import smallest

Array = np.ndarray[Any, Any]
Kernel = Callable[[Array], Array]

ROOT = Path(__file__).resolve().parents[1]
COMPILER = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
FLAGS = "-std=c++17 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -shared -fPIC".split()
TARGET_FLAGS = {
    "baseline": [],
    "x86_64_v3": ["-march=x86-64-v3"],
    "x86_64_v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}

STRIDE = 4099  # of float32's bit patterns; a prime, so that all low bits come up
COUNT = 600  # arguments of each kind for mpmath
LARGEST = 1e4  # of mpmath's arguments; beyond it every function is at its limit


class Function(NamedTuple):
    """exact: of one mpmath number; in_float64: of an array; low <= x <= high."""

    exact: Callable[[Any], Any]
    in_float64: Callable[[Array], Array]
    low: float = -np.inf
    high: float = np.inf


def erfc(x: Array) -> Array:
    return np.fromiter(map(math.erfc, x.tolist()), np.float64, x.size)


def log_cosh(x: Array) -> Array:
    far = np.abs(x) - np.log(2) + np.log1p(np.exp(-2 * np.abs(x)))
    return np.where(np.abs(x) < 1, np.log1p(2 * np.sinh(x / 2) ** 2), far)


def slope_of_tanh_of_softplus(x: Array) -> Array:
    """1 / cosh(softplus(x))^2 times sigmoid(x)."""
    return 1 / np.cosh(np.logaddexp(0, x)) ** 2 / (1 + np.exp(-x))


def rest_of_turns(x: Array) -> Array:
    """x without its whole turns, exact."""
    return x - np.rint(x)


def cosine_of_turns(x: Array) -> Array:
    """cos(2 pi x) by the sine, whose argument is exact near the zeros."""
    return np.sin(2 * np.pi * (0.25 - np.abs(rest_of_turns(x))))


def sine_of_turns(x: Array) -> Array:
    """sin(2 pi x), likewise."""
    rest = rest_of_turns(x)
    size = np.abs(rest)
    return np.copysign(np.sin(2 * np.pi * np.where(size <= 0.25, size, 0.5 - size)), rest)


def mp_softplus(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x))


FUNCTIONS = {
    "exponential": Function(mpmath.exp, np.exp, high=0),
    "exponential_any": Function(mpmath.exp, np.exp),
    "exponential_minus_1": Function(mpmath.expm1, np.expm1, high=0),
    "logarithm_of_1_plus": Function(mpmath.log1p, np.log1p, low=0, high=1),
    "softplus": Function(mp_softplus, lambda x: np.logaddexp(0, x)),
    "tanh_of_softplus": Function(
        lambda x: mpmath.tanh(mp_softplus(x)), lambda x: np.tanh(np.logaddexp(0, x))
    ),
    "slope_of_tanh_of_softplus": Function(
        lambda x: mpmath.sech(mp_softplus(x)) ** 2 / (1 + mpmath.exp(-x)),
        slope_of_tanh_of_softplus,
    ),
    "logarithm_of_cosh": Function(lambda x: mpmath.log1p(2 * mpmath.sinh(x / 2) ** 2), log_cosh),
    "complementary_error_function": Function(mpmath.erfc, erfc),
    "normal_density": Function(mpmath.npdf, lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi)),
    "cosine_of_turns": Function(lambda x: mpmath.cospi(2 * x), cosine_of_turns),
    "sine_of_turns": Function(lambda x: mpmath.sinpi(2 * x), sine_of_turns),
    "normal_distribution": Function(
        lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2, lambda x: erfc(-x / np.sqrt(2)) / 2
    ),
}

# Compiled functions


@functools.cache
def library(target: str, folder: Path) -> ctypes.CDLL:
    path = folder / f"elementary_{target}.so"
    if not path.exists():
        own = folder / f"elementary_{target}_{os.getpid()}.so"
        source = ROOT / "tests" / "elementary.cpp"
        command = [COMPILER, *FLAGS, *TARGET_FLAGS[target], f"-I{ROOT / 'cpp'}", source, "-o", own]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        os.replace(own, path)
    return ctypes.CDLL(str(path))


def compiled(name: str, target: str, folder: Path) -> Kernel:
    if target not in available_targets():
        pytest.skip(f"this CPU has no {target}")

    def call(inputs: Array) -> Array:
        function = getattr(library(target, folder), f"{name}_{inputs.dtype.name}")
        function.argtypes = [ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p]
        function.restype = None
        inputs, output = np.ascontiguousarray(inputs), np.empty_like(inputs)
        function(inputs.size, inputs.ctypes.data, output.ctypes.data)
        return output

    return call


# Arguments and expected values


def inside(name: str, inputs: Array) -> Array:
    function = FUNCTIONS[name]
    return inputs[(function.low <= inputs) & (inputs <= function.high)]


@functools.cache
def float32_arguments(name: str) -> Array:
    bits = np.arange(0, 2**32, STRIDE, dtype=np.uint32).view(np.float32)
    return inside(name, bits[np.isfinite(bits)])


@functools.cache
def float64_arguments(name: str) -> Array:
    """Near 0, in the tails, of all sizes; round the places where a formula gives way to another."""
    rng = np.random.default_rng(11)
    places = [
        0.125,
        0.25,
        0.5,
        0.75,
        1023.75,
        0.41421356,
        1.3,
        27.3,
        38.6,
        *np.arange(1, 30) * np.log(2) / 2,
        708,
        709.78,
        744.5,
    ]
    sizes = np.concatenate(
        [
            rng.uniform(0, 1, COUNT),
            rng.uniform(0, 3, COUNT),
            rng.uniform(0, 10, COUNT),
            rng.uniform(0, 40, COUNT),
            rng.uniform(0, 750, COUNT),
            np.exp2(rng.uniform(-60, 4, COUNT)),
            np.exp2(rng.uniform(np.log2(smallest(np.float64)), np.log2(LARGEST), COUNT)),
            np.multiply.outer(places, [1 - 1e-7, 1 - 1e-16, 1, 1 + 3e-16, 1 + 1e-7]).ravel(),
            [0.0, 1.0, smallest(np.float64), np.finfo(np.float64).tiny],
        ]
    )
    return inside(name, np.concatenate([sizes, -sizes]))


@functools.cache
def expected(name: str, dtype: Any) -> Array:
    function = FUNCTIONS[name]
    if dtype is np.float32:
        with np.errstate(over="ignore", under="ignore"):
            return function.in_float64(float32_arguments(name).astype(np.float64))
    with mpmath.workprec(160):
        values = [function.exact(mpmath.mpf(x)) for x in float64_arguments(name).tolist()]
        high = [float(v) for v in values]
        low = [float(v - h) if np.isfinite(h) else 0 for v, h in zip(values, high, strict=True)]
    return np.array(high, np.longdouble) + np.array(low)


def every_kind(name: str, dtype: Any) -> Array:
    """Arguments of both precisions, as dtype."""
    return np.concatenate(
        [float32_arguments(name).astype(dtype), float64_arguments(name).astype(dtype)]
    )
