"""Functions of elementary.inl that no class shows bare: within 4 ulp on every CPU target.

float64 is judged by mpmath, float32 at every 4099th of its bit patterns by float64.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elementary_cases import (
    COMPILER,
    FUNCTIONS,
    ROOT,
    TARGET_FLAGS,
    Kernel,
    compiled,
    every_kind,
    expected,
    float32_arguments,
    float64_arguments,
)
from tolerance import LONGDOUBLE_IS_WIDER, smallest, ulps

FUSED = ("x86_64_v3", "x86_64_v4")
ALLOWED = dict.fromkeys(FUNCTIONS, 4)  # ulp
ALLOWED["slope_of_tanh_of_softplus"] = 5  # e^2, a sum of two, one of five, and a quotient

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C++ compiler"),
    pytest.mark.skipif(not (ROOT / "cpp").is_dir(), reason="no C++ sources beside the tests"),
]

EVEN = ("logarithm_of_cosh", "normal_density", "cosine_of_turns")
BESIDE_1 = 1 + ALLOWED["cosine_of_turns"] * float(np.finfo(np.float32).eps)
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
    "cosine_of_turns": (-BESIDE_1, BESIDE_1),
    "sine_of_turns": (-BESIDE_1, BESIDE_1),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all workers of a run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


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


def test_within_4_ulp(name: str, dtype: Any, kernel: Kernel) -> None:
    """Infinite where the exact value is 4 ulp above the largest number; finite 4 ulp below it."""
    allowed = ALLOWED[name]
    inputs = float32_arguments(name) if dtype is np.float32 else float64_arguments(name)
    value, output = expected(name, dtype), kernel(inputs)
    largest = value.dtype.type(np.finfo(dtype).max)
    eps = np.finfo(dtype).eps
    assert np.isinf(output[value > largest * (1 + allowed * eps)]).all()
    finite = value < largest * (1 - allowed * eps)
    inputs, output, value = inputs[finite], output[finite], value[finite]
    error = ulps(output, value)
    allowed += 0 if dtype is np.float32 or LONGDOUBLE_IS_WIDER else 1
    worst = int(error.argmax())
    assert error[worst] <= allowed, (
        f"at {inputs[worst]!r}: expected {value[worst]!r} within {allowed} ulp, "
        f"got {output[worst]!r}, {float(error[worst]):.2f} ulp off"
    )


def test_constants_are_those_of_the_script() -> None:
    kernels = ROOT / "cpp" / "kernels"
    command = [sys.executable, str(kernels / "derive_polynomials.py")]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert written == (kernels / "polynomials.inl").read_text()


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
    "cosine_of_turns": 1,
    "sine_of_turns": 0,
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


@pytest.mark.parametrize("target", TARGET_FLAGS)
def test_whole_turns_come_off_exactly(dtype: Any, target: str, folder: Path) -> None:
    """Quarters of a turn beside whole numbers of every size; beyond 2 / eps all are even."""
    cosine, sine = (compiled(n, target, folder) for n in ("cosine_of_turns", "sine_of_turns"))
    eps, largest = np.finfo(dtype).eps, np.finfo(dtype).max
    for whole in (1, 1023, 2.0**-3 / eps, 2.0**-2 / eps - 1):
        turns = np.array([whole - 0.25, whole, whole + 0.25, whole + 0.5], dtype)
        for sign in (-1, 1):
            np.testing.assert_array_equal(cosine(sign * turns), [0, 1, 0, -1])
            np.testing.assert_array_equal(sine(sign * turns), np.array([-1, 0, 1, 0]) * sign)
    halves = np.arange(8) / 2 + 0.5 / eps + 3  # one half is one bit here
    np.testing.assert_array_equal(cosine(halves.astype(dtype)), np.where(halves % 1 == 0, 1, -1))
    huge = np.array([1 / eps, 1 / eps + 1, 2 / eps, 3 / eps, largest], dtype)
    for sign in (-1, 1):
        np.testing.assert_array_equal(cosine(sign * huge), 1)
        np.testing.assert_array_equal(sine(sign * huge), 0)
    assert np.isnan(cosine(np.array([np.inf, -np.inf], dtype))).all()


@pytest.mark.parametrize("target", TARGET_FLAGS)
def test_sine_of_turns_is_odd(dtype: Any, target: str, folder: Path) -> None:
    sine, inputs = compiled("sine_of_turns", target, folder), every_kind("sine_of_turns", dtype)
    np.testing.assert_array_equal(sine(-inputs), -sine(inputs))
    assert np.signbit(sine(np.array([-0.0], dtype))).all()


# Properties


@pytest.mark.parametrize("target", FUSED)
def test_exponential_any_has_the_bits_of_exponential(dtype: Any, target: str, folder: Path) -> None:
    inputs = every_kind("exponential", dtype)
    one, other = (compiled(n, target, folder) for n in ("exponential", "exponential_any"))
    np.testing.assert_array_equal(one(inputs), other(inputs))


def test_values_stay_in_their_range(name: str, dtype: Any, kernel: Kernel) -> None:
    low, high = RANGES[name]
    output = kernel(every_kind(name, dtype))
    if high not in (0, 1, 2):  # bounds that had to be rounded
        high *= 1 + ALLOWED[name] * np.finfo(dtype).eps
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
