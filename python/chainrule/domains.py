"""What targets may be, checked over whole arrays; errors name the first value that may not.

A loss names its domain as the compiled catalogue does. NaN passes: `arrays.check_finite` looks
for it where it is not wanted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, extremes

INFINITY = float("inf")
BOUNDS: dict[str, tuple[float, float, str]] = {
    "unit_interval": (0.0, 1.0, "values in [0, 1]"),
    "not_negative": (0.0, INFINITY, "values of at least 0"),
    "signs": (-1.0, 1.0, "labels -1 and 1, or 0 and 1"),
}


def check_domain(targets: Array, name: str, domain: str) -> None:
    """Refuse targets outside a domain: one of BOUNDS, or "real" for any number.

    Raises
    ------
    ValueError
        Naming the first value outside, and its place.
    """
    if domain == "real" or targets.size == 0:
        return
    low, high, expected = BOUNDS[domain]
    outside = None
    if any(least < low or most > high for least, most in safe_extremes(targets)):
        outside = (targets < low) | (targets > high)
    elif domain == "signs":
        outside = not_signs(targets)
    if outside is not None and outside.any():
        raise ValueError(f"{name}: expected {expected}, got {first_of(targets, outside)}")


def safe_extremes(targets: Array) -> Any:
    """Return smallest and largest value of each block; NaN stands for neither."""
    if targets.dtype.kind != "f":
        return extremes(targets)
    if not any(least != least for least, _ in extremes(targets)):
        return extremes(targets)
    known = targets[~np.isnan(targets)]
    return extremes(known) if known.size else ()


def not_signs(targets: Array) -> Array:
    """Return where targets are neither -1 nor 1, or, where none is -1, neither 0 nor 1."""
    other = -1 if (targets == -1).any() else 0
    wrong: Array = (targets != 1) & (targets != other) & (targets == targets)
    return wrong


def first_of(values: Array, wrong: Array) -> str:
    """Name the first value at which `wrong` is true, and its place."""
    where = tuple(int(index) for index in np.argwhere(wrong)[0])
    place = where[0] if len(where) == 1 else where
    return f"{values[where].item()} at index {place}"


def check_labels(labels: Array, name: str, n_classes: int | None) -> None:
    """Refuse labels outside 0 to n_classes - 1.

    Raises
    ------
    ValueError
        Naming the first label outside, and its place.
    """
    limit = np.iinfo(np.int64).max if n_classes is None else n_classes
    if labels.size == 0 or (labels.min() >= 0 and labels.max() < limit):
        return
    index = int(np.argmax((labels < 0) | (labels >= limit)))
    last = "" if n_classes is None else f" to {n_classes - 1}"
    raise ValueError(f"{name}: label {labels[index]} at index {index}: expected 0{last}")
