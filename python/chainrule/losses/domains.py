"""What targets may be, checked over whole arrays; errors name the first value that may not.

A loss names its domain as the compiled catalogue does. NaN passes: `arrays.check_finite` looks
for it where it is not wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import numpy as np

from ..arrays import Array, extremes

INFINITY = float("inf")
BOUNDS: dict[str, tuple[float, float, str]] = {
    "unit_interval": (0.0, 1.0, "values in [0, 1]"),
    "not_negative": (0.0, INFINITY, "values of at least 0"),
}
SIGNS = "-1 and 1, or 0 and 1"


def check_domain(targets: Array, name: str, domain: str) -> None:
    """Refuse targets outside a domain: one of BOUNDS, "signs", or "real" for any number.

    Raises
    ------
    ValueError
        Naming the first value outside, and its place.
    """
    if domain == "real" or targets.size == 0:
        return
    if domain == "signs":
        check_signs(targets, name)
        return
    low, high, expected = BOUNDS[domain]
    if any(least < low or most > high for least, most in known_extremes(targets)):
        refuse(targets, (targets < low) | (targets > high), name, expected)


def check_signs(targets: Array, name: str) -> None:
    """Refuse labels that are neither -1 and 1 nor 0 and 1."""
    minus, zero = targets == -1, targets == 0
    other = ~(minus | zero | (targets == 1) | (targets != targets))
    if other.any():
        refuse(targets, other, name, SIGNS)
    if minus.any() and zero.any():
        refuse(targets, zero, name, f"{SIGNS}, not both")


def known_extremes(targets: Array) -> Iterable[tuple[float, float]]:
    """Return smallest and largest value of each block, NaN left out."""
    if targets.dtype.kind == "f" and any(least != least for least, _ in extremes(targets)):
        targets = targets[~np.isnan(targets)]
    return extremes(targets) if targets.size else ()


def refuse(values: Array, wrong: Array, name: str, expected: str) -> NoReturn:
    """Raise a ValueError that names the first value at which `wrong` is true, and its place."""
    where = tuple(int(index) for index in np.argwhere(wrong)[0])
    place = where[0] if len(where) == 1 else where
    raise ValueError(f"{name}: expected {expected}, got {values[where].item()} at index {place}")


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
