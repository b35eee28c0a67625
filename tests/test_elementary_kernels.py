"""Functions of elementary.inl that no class shows bare: within 4 ulp on every CPU target.

elementary.cpp is compiled once per target and called with ctypes. float64 is judged by mpmath,
float32 at every 4099th of its bit patterns by float64.
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
from tolerance import LONGDOUBLE_IS_WIDER, smallest, ulps

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
FUSED = ("x86_64_v3", "x86_64_v4")

ALLOWED = 4  # ulp
# The square of a sum of five terms: without fused multiply-add each term brings two roundings.
ALLOWED_UNFUSED = {"slope_of_tanh_of_softplus": 6}
STRIDE = 4099  # of float32's bit patterns; a prime, so that all low bits come up
COUNT = 600  # arguments of each kind for mpmath
LARGEST = 1e4  # of mpmath's arguments; beyond it every function is at its limit

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C++ compiler"),
    pytest.mark.skipif(not (ROOT / "cpp").is_dir(), reason="no C++ sources beside the tests"),
]


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
    "normal_distribution": Function(
        lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2, lambda x: erfc(-x / np.sqrt(2)) / 2
    ),
}
EVEN = ("logarithm_of_cosh", "normal_density")
RANGES = {
    "exponential": (0, 1),
    "exponential_any": (0, np.inf),
    "exponential_minus_1": (-1, 0),
    "logarithm_of_1_plus": (0, np.log(2)),
    "softplus": (0, np.inf),
    "tanh_of_softplus": (0, 1),
    "slope_of_tanh_of_softplus": (0, 0.5),
    "logarithm_of_cosh": (0, np.inf),
    "complementary_error_function": (0, 2),
    "normal_density": (0, 1 / np.sqrt(2 * np.pi)),
    "normal_distribution": (0, 1),
}

# Compiled functions


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all workers of a run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


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


@pytest.fixture(params=TARGET_FLAGS)
def target(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=FUNCTIONS)
def name(request: pytest.FixtureRequest) -> str:
    function: str = request.param
    return function


@pytest.fixture
def kernel(name: str, target: str, folder: Path) -> Kernel:
    return compiled(name, target, folder)


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
    places = [0.41421356, 1.3, 27.3, 38.6, *np.arange(1, 30) * np.log(2) / 2, 708, 709.78, 744.5]
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


def test_within_4_ulp(name: str, dtype: Any, target: str, kernel: Kernel) -> None:
    """Infinite where the exact value is 4 ulp above the largest number; finite 4 ulp below it."""
    inputs = float32_arguments(name) if dtype is np.float32 else float64_arguments(name)
    value, output = expected(name, dtype), kernel(inputs)
    largest = value.dtype.type(np.finfo(dtype).max)
    eps = np.finfo(dtype).eps
    assert np.isinf(output[value > largest * (1 + ALLOWED * eps)]).all()
    finite = value < largest * (1 - ALLOWED * eps)
    inputs, output, value = inputs[finite], output[finite], value[finite]
    error = ulps(output, value)
    allowed = ALLOWED if target in FUSED else ALLOWED_UNFUSED.get(name, ALLOWED)
    allowed += 0 if dtype is np.float32 or LONGDOUBLE_IS_WIDER else 1
    worst = int(error.argmax())
    assert error[worst] <= allowed, (
        f"at {inputs[worst]!r}: expected {value[worst]!r} within {allowed} ulp, "
        f"got {output[worst]!r}, {float(error[worst]):.2f} ulp off"
    )


# Special values

LIMITS = {  # at -infinity and infinity
    "exponential": (0, None),
    "exponential_any": (0, np.inf),
    "exponential_minus_1": (-1, None),
    "softplus": (0, np.inf),
    "tanh_of_softplus": (0, 1),
    "slope_of_tanh_of_softplus": (0, 0),
    "logarithm_of_cosh": (np.inf, np.inf),
    "complementary_error_function": (2, 0),
    "normal_density": (0, 0),
    "normal_distribution": (0, 1),
}
AS_LARGE_AS_X = ("softplus", "logarithm_of_cosh")
AT_ZERO = {
    "exponential": 1,
    "exponential_any": 1,
    "exponential_minus_1": 0,
    "logarithm_of_1_plus": 0,
    "logarithm_of_cosh": 0,
    "complementary_error_function": 1,
    "normal_distribution": 0.5,
}


@pytest.mark.parametrize("name", LIMITS)
def test_infinities_and_huge_numbers_saturate(name: str, dtype: Any, kernel: Kernel) -> None:
    huge = np.finfo(dtype).max
    for limit, sign in zip(LIMITS[name], (-1, 1), strict=True):
        if limit is not None:
            expected_at_huge = huge if np.isinf(limit) and name in AS_LARGE_AS_X else limit
            inputs = np.array([sign * np.inf, sign * huge], dtype)
            np.testing.assert_array_equal(kernel(inputs), [limit, expected_at_huge])


@pytest.mark.parametrize("name", AT_ZERO)
def test_exact_at_both_zeros(name: str, dtype: Any, kernel: Kernel) -> None:
    np.testing.assert_array_equal(kernel(np.array([0.0, -0.0], dtype)), AT_ZERO[name])


def test_nan_in_gives_nan_out(dtype: Any, kernel: Kernel) -> None:
    """Quiet and signalling, both signs, any payload, beside numbers."""
    info = np.finfo(dtype)
    bits = np.uint32 if dtype is np.float32 else np.uint64
    patterns = np.random.default_rng(1).integers(1, 2**info.nmant, 1001).astype(bits)
    patterns[:3] = 1, 2 ** (info.nmant - 1), 2**info.nmant - 1
    patterns |= bits(((1 << info.nexp) - 1) << info.nmant)
    patterns[::2] |= bits(1 << (info.bits - 1))
    assert np.isnan(kernel(patterns.view(dtype))).all()
    mixed = np.zeros(19, dtype)
    mixed[7] = np.nan
    np.testing.assert_array_equal(np.isnan(kernel(mixed)), np.isnan(mixed))


@pytest.mark.parametrize("name", ["exponential_minus_1"])
def test_exponential_minus_1_is_x_near_zero(dtype: Any, kernel: Kernel) -> None:
    """x^2 / 2 is below half an ulp of x: the value is x to the last bit, and so is zero's sign."""
    sizes = np.exp2(np.arange(np.log2(smallest(dtype)), np.finfo(dtype).machep - 1))
    inputs = -np.append(sizes, 0).astype(dtype)
    np.testing.assert_array_equal(kernel(inputs), inputs)
    assert np.signbit(kernel(inputs)).all()


# Properties


@pytest.mark.parametrize("target", FUSED)
def test_exponential_any_has_the_bits_of_exponential(dtype: Any, target: str, folder: Path) -> None:
    inputs = every_kind("exponential", dtype)
    one, other = (compiled(n, target, folder) for n in ("exponential", "exponential_any"))
    np.testing.assert_array_equal(one(inputs), other(inputs))


def every_kind(name: str, dtype: Any) -> Array:
    """Arguments of both precisions, as dtype."""
    return np.concatenate(
        [float32_arguments(name).astype(dtype), float64_arguments(name).astype(dtype)]
    )


def test_values_stay_in_their_range(name: str, dtype: Any, kernel: Kernel) -> None:
    low, high = RANGES[name]
    output = kernel(every_kind(name, dtype))
    if high not in (0, 1, 2):  # bounds that had to be rounded
        high *= 1 + ALLOWED * np.finfo(dtype).eps
    assert (output >= low).all() and (output <= high).all()


@pytest.mark.parametrize("name", EVEN)
def test_even_functions_have_the_same_bits_at_minus_x(
    name: str, dtype: Any, kernel: Kernel
) -> None:
    inputs = every_kind(name, dtype)
    np.testing.assert_array_equal(kernel(inputs), kernel(-inputs))


def test_fused_targets_give_the_same_bits(name: str, dtype: Any, folder: Path) -> None:
    inputs = every_kind(name, dtype)
    one, other = (compiled(name, target, folder)(inputs) for target in FUSED)
    assert one.tobytes() == other.tobytes()


def test_a_value_does_not_depend_on_its_place(name: str, dtype: Any, kernel: Kernel) -> None:
    """Whole vectors and masked tails compute alike."""
    inputs = float64_arguments(name)[:40].astype(dtype)
    alone = np.concatenate([kernel(inputs[i : i + 1]) for i in range(len(inputs))])
    np.testing.assert_array_equal(kernel(inputs), alone)
