"""Data sets: shapes, dtypes, seeds, and the same points as the notebooks' own functions."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from chainrule.datasets import load_digits, sine_data, spiral_data, vertical_data

DRAWN = [spiral_data, vertical_data]


@pytest.mark.parametrize("draw", DRAWN)
def test_drawn_data_have_two_columns_and_labels_in_order(draw: Any) -> None:
    X, y = draw(40, 3, rng=1)
    assert X.shape == (120, 2) and X.dtype == np.float64
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, [0] * 40 + [1] * 40 + [2] * 40)


@pytest.mark.parametrize("draw", DRAWN)
def test_a_seed_and_its_generator_give_the_same_points(draw: Any) -> None:
    seeded, again = draw(10, 2, rng=5)[0], draw(10, 2, rng=5)[0]
    np.testing.assert_array_equal(seeded, again)
    np.testing.assert_array_equal(seeded, draw(10, 2, rng=np.random.default_rng(5))[0])
    assert not np.array_equal(seeded, draw(10, 2, rng=6)[0])


@pytest.mark.parametrize("draw", DRAWN)
def test_without_rng_the_global_seed_acts(draw: Any) -> None:
    np.random.seed(3)  # noqa: NPY002
    first = draw(10, 2)[0]
    assert not np.array_equal(first, draw(10, 2)[0])
    np.random.seed(3)  # noqa: NPY002
    np.testing.assert_array_equal(first, draw(10, 2)[0])


def test_spiral_arms_start_in_the_middle_and_reach_radius_one() -> None:
    X, _ = spiral_data(50, 3, rng=0)
    radius = np.hypot(*X.T).reshape(3, 50)
    np.testing.assert_allclose(radius, np.tile(np.linspace(0, 1, 50), (3, 1)), atol=1e-15)


def test_vertical_clouds_lie_a_third_apart() -> None:
    X, _ = vertical_data(4000, 3, rng=0)
    means = X.reshape(3, 4000, 2).mean(axis=1)
    # Five standard errors of a mean of 4000 numbers with standard deviation 0.1.
    np.testing.assert_allclose(means, [[0, 0.5], [1 / 3, 0.5], [2 / 3, 0.5]], atol=0.5 / 4000**0.5)


NNFS = """
import nnfs, numpy as np
from nnfs import datasets as theirs
from chainrule import datasets as ours
if {init}:
    nnfs.init()
for name in ("spiral_data", "vertical_data", "sine_data"):
    arguments = (70,) if name == "sine_data" else (70, 4)
    np.random.seed(7)
    X, y = getattr(ours, name)(*arguments)
    np.random.seed(7)
    expected_X, expected_y = getattr(theirs, name)(*arguments)
    assert X.dtype == expected_X.dtype, (name, X.dtype, expected_X.dtype)
    np.testing.assert_array_equal(X, expected_X)
    np.testing.assert_array_equal(y, expected_y)
"""


@pytest.mark.parametrize("init", [False, True])
def test_the_points_are_those_of_nnfs(init: bool) -> None:
    pytest.importorskip("nnfs")
    subprocess.run([sys.executable, "-c", NNFS.format(init=init)], check=True, timeout=120)


def test_sine_is_one_period() -> None:
    X, y = sine_data(8)
    assert X.shape == y.shape == (8, 1) and X.dtype == y.dtype == np.float64
    np.testing.assert_array_equal(X[:, 0], np.arange(8) / 8)
    np.testing.assert_array_equal(y, np.sin(2 * np.pi * X))
    assert len(sine_data()[0]) == 1000


def test_digits_are_scaled_by_sixteen() -> None:
    X, y = load_digits()
    assert X.shape == (1797, 64) and X.dtype == np.float64
    assert X.min() == 0.0 and X.max() == 1.0
    assert y.shape == (1797,) and y.dtype == np.int64
    np.testing.assert_array_equal(
        np.bincount(y), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    )
    pixels, _ = load_digits(scaled=False)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(X * 16, pixels)


@pytest.mark.parametrize("draw", DRAWN)
def test_sizes_below_one_or_of_another_type_are_refused(draw: Any) -> None:
    with pytest.raises(ValueError, match="samples: expected at least 1, got 0"):
        draw(0, 3)
    with pytest.raises(ValueError, match="classes: expected at least 1, got -1"):
        draw(3, -1)
    with pytest.raises(TypeError, match="samples: expected an int, got float"):
        draw(2.5, 3)
    with pytest.raises(TypeError, match="samples: expected an int, got bool"):
        sine_data(True)
