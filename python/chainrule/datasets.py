"""Small data sets: two drawn at random, one computed, one of real handwritten digits.

The drawn ones read their random numbers in a fixed order, sample after sample, so that a seed
gives the same points as the classes of the published notebooks do. Labels are int64, which is
what the compiled losses read without converting.
"""

from __future__ import annotations

import os.path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["load_digits", "sine_data", "spiral_data", "vertical_data"]

Rng: TypeAlias = "np.random.Generator | int | None"


def _positive(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")
    return int(value)


def _standard_normal(shape: tuple[int, ...], rng: Rng) -> NDArray[Any]:
    """Draw from `rng`, or from NumPy's global state, looked up when called."""
    if rng is None:
        numbers: NDArray[Any] = np.random.randn(*shape)  # noqa: NPY002
        return numbers
    return np.random.default_rng(rng).standard_normal(shape)


def _labels(samples: int, classes: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(classes, dtype=np.int64), samples)


def spiral_data(
    samples: int, classes: int, rng: Rng = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Arms of a spiral: class c holds the points `(r sin 2.5 t, r cos 2.5 t)`.

    Along an arm r runs from 0 to 1 and t from 4 c to 4 (c + 1), with 0.2 times a standard normal
    number added to t.

    Parameters
    ----------
    samples : int
        Points in each arm.
    classes : int
        Arms.
    rng : numpy.random.Generator, int or None
        A generator or a seed. None draws from NumPy's global state, so that `np.random.seed`
        and `nnfs.init` act.

    Returns
    -------
    X : ndarray, (samples * classes, 2)
        float64, or the dtype that `np.random.randn` gives (float32 after `nnfs.init()`).
    y : ndarray of int64, (samples * classes,)
        The arm of each point, 0 to classes - 1, in order.

    Raises
    ------
    TypeError, ValueError
        If `samples` or `classes` is not an int of at least 1.

    Notes
    -----
    After Andrej Karpathy, "CS231n: neural networks case study",
    https://cs231n.github.io/neural-networks-case-study/.
    """
    samples, classes = _positive(samples, "samples"), _positive(classes, "classes")
    noise = _standard_normal((classes, samples), rng)
    radius = np.linspace(0.0, 1.0, samples)
    start = 4.0 * np.arange(classes, dtype=np.float64)
    angle = 2.5 * (np.linspace(start, start + 4.0, samples, axis=1) + noise * 0.2)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    return points.reshape(-1, 2).astype(noise.dtype), _labels(samples, classes)


def vertical_data(
    samples: int, classes: int, rng: Rng = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Clouds side by side: class c is normal round `(c / 3, 1 / 2)`, standard deviation 0.1.

    Parameters
    ----------
    samples : int
        Points in each cloud.
    classes : int
        Clouds.
    rng : numpy.random.Generator, int or None
        As for `spiral_data`.

    Returns
    -------
    X : ndarray, (samples * classes, 2)
        float64, or the dtype that `np.random.randn` gives (float32 after `nnfs.init()`).
    y : ndarray of int64, (samples * classes,)
        The cloud of each point, 0 to classes - 1, in order.

    Raises
    ------
    TypeError, ValueError
        If `samples` or `classes` is not an int of at least 1.
    """
    samples, classes = _positive(samples, "samples"), _positive(classes, "classes")
    noise = _standard_normal((classes, 2, samples), rng)
    middle = np.full((classes, 2, 1), 0.5, dtype=noise.dtype)
    middle[:, 0, 0] = np.arange(classes) / 3
    points = (noise * 0.1 + middle).transpose(0, 2, 1)
    return points.reshape(-1, 2).astype(noise.dtype), _labels(samples, classes)


def sine_data(samples: int = 1000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One period of a sine: `X = k / samples`, `y = sin(2 pi X)` for k = 0 ... samples - 1.

    Parameters
    ----------
    samples : int
        Number of points.

    Returns
    -------
    X, y : ndarray of float64, each (samples, 1)

    Raises
    ------
    TypeError, ValueError
        If `samples` is not an int of at least 1.
    """
    samples = _positive(samples, "samples")
    X = np.arange(samples, dtype=np.float64).reshape(-1, 1) / samples
    return X, np.sin(2 * np.pi * X)


def load_digits(*, scaled: bool = True) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """1,797 handwritten digits, 8 x 8 pixels each, from 13 writers.

    Parameters
    ----------
    scaled : bool
        True divides the pixel counts by 16 (exact in both float dtypes). False gives the
        counts as they are stored.

    Returns
    -------
    X : ndarray, (1797, 64)
        Row-major pixels: float64 from 0 (white) to 1 (black), or uint8 from 0 to 16.
    y : ndarray of int64, (1797,)
        The digit, 0 to 9.

    Notes
    -----
    *Optical Recognition of Handwritten Digits*, E. Alpaydin and C. Kaynak, UCI Machine
    Learning Repository, https://doi.org/10.24432/C50P49, CC BY 4.0: the test part.
    """
    with np.load(os.path.join(os.path.dirname(__file__), "digits", "digits.npz")) as data:
        pixels, digits = data["X"], data["y"]
    X = pixels.astype(np.float64) / 16 if scaled else pixels
    return X, digits.astype(np.int64)
