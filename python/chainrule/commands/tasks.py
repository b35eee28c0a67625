"""Targets: classes or values, told from the column."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from .columns import as_known, text_of

MOST_CLASSES = 20  # different whole numbers that are taken for classes


class Target(NamedTuple):
    """A target: its values (n,) without missing ones, which rows have one, what it is.

    `why` says how the task was found out; empty where it was given.
    """

    values: Array
    there: Array
    classifies: bool
    why: str


def target_of(cells: Any, name: str, task: str) -> Target:
    """Return a column as a target.

    Parameters
    ----------
    cells : Series
    name : str
    task : {"auto", "classify", "regress"}
        "auto": texts, truth values and up to 20 different whole numbers are classes.

    Raises
    ------
    ValueError
        It has no values, or none that serve the task.
    """
    there = cells.notna().to_numpy()
    found = cells[there]
    if not len(found):
        raise ValueError(f"target {name!r}: expected values, got missing cells alone")
    numeric = is_numeric(found)
    different = found.nunique()
    why = ""
    if task == "auto":
        whole = numeric and bool(np.all(np.mod(as_numbers(found), 1) == 0))
        task = "classify" if not numeric or (whole and different <= MOST_CLASSES) else "regress"
        kind = "different numbers" if numeric else "different texts"
        kind = "different truth values" if found.dtype.kind == "b" else kind
        why = f"{different:,} {kind}; --task says otherwise"
    if task == "classify":
        if different < 2:
            raise ValueError(f"target {name!r}: expected at least 2 classes, got {different}")
        return Target(as_labels(found, numeric, name), there, True, why)
    if not numeric:
        odd = next(each for each in found if not isinstance(each, int | float | np.number))
        raise ValueError(f"target {name!r}: expected numbers for values, got {odd!r}")
    values = as_numbers(found)
    if not np.isfinite(values).all():
        raise ValueError(f"target {name!r}: expected finite numbers, got infinity")
    return Target(values, there, False, why)


def is_numeric(cells: Any) -> bool:
    """Tell whether a column without missing cells holds numbers alone; truth values are none."""
    if cells.dtype.kind in "iuf":
        return True
    return cells.dtype.kind == "O" and all(
        isinstance(each, int | float | np.number) and not isinstance(each, bool | np.bool_)
        for each in cells
    )


def as_numbers(cells: Any) -> Array:
    """Return a column of numbers in float64 (n,)."""
    found: Array = cells.to_numpy(dtype=np.float64)
    return found


def as_labels(cells: Any, numeric: bool, name: str) -> Array:
    """Return labels: whole numbers as ints, truth values as bools, all else as texts."""
    if numeric:
        values = as_numbers(cells)
        if np.all(np.mod(values, 1) == 0) and np.abs(values).max() < 2**53:
            return values.astype(np.int64)
        raise ValueError(
            f"target {name!r}: expected whole numbers, texts or truth values for classes, got "
            f"{values[np.mod(values, 1) != 0][0]!r}"
        )
    if all(isinstance(each, bool | np.bool_) for each in cells):
        return cells.to_numpy(dtype=np.bool_)  # type: ignore[no-any-return]
    return np.array([str(each) for each in cells])


def known_labels(cells: Any, name: str, classes: Array) -> tuple[Array, Array]:
    """Return a column's labels as an estimator knows them, and which rows have one.

    Raises
    ------
    ValueError
        A label that is none of the classes.
    """
    there = cells.notna().to_numpy()
    known = classes.tolist()
    found = as_known(cells[there], known).tolist()
    strange = [each for each in found if each not in set(known)]
    if strange:
        text = ", ".join(map(repr, known[:6])) + (", ..." if len(known) > 6 else "")
        raise ValueError(
            f"target {name!r}: expected the model's classes, {text}, got {text_of(strange[0])!r}"
        )
    if not found:
        raise ValueError(f"target {name!r}: expected values, got missing cells alone")
    return np.array(found, dtype=classes.dtype), there
