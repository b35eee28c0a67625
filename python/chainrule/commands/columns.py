"""The columns of a table: target, weights, features, and which of them hold words."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..arrays import Array

MOST_LEVELS = 2000  # each becomes a column of the net's inputs


def listed(given: list[str] | None) -> list[str]:
    """Return the names of an option that may be given several times, with commas between."""
    return [name for text in given or () for name in split_names(text) if name]


def split_names(text: str) -> list[str]:
    """Return names with commas between, without spaces round them."""
    return [name.strip() for name in text.split(",")]


def check_there(names: Iterable[str], columns: list[str], option: str) -> None:
    """Refuse a column that is not in the table.

    Raises
    ------
    ValueError
        Naming it, and the nearest one.
    """
    for name in names:
        if name not in columns:
            raise ValueError(f"{option}: no column {name!r}{nearest(name, columns)}")


def nearest(name: str, columns: list[str]) -> str:
    """Return ``; the nearest is 'name'``, or the first columns there are."""
    small = {column.casefold(): column for column in reversed(columns)}
    found = difflib.get_close_matches(name.casefold(), list(small), 1)
    if found:
        return f"; the nearest is {small[found[0]]!r}"
    text = ", ".join(repr(column[:40]) for column in columns[:8])
    return f"; there are {text}{', ...' if len(columns) > 8 else ''}"


def checked_features(frame: Any) -> list[str]:
    """Return notes about columns that are as good as unusable; refuse those that cannot be used.

    Raises
    ------
    ValueError
        A column of dates or other objects, or of more words than a net can tell apart; says how to
        leave it out.
    """
    notes = []
    for name in frame.columns:
        cells = frame[name]
        if cells.dtype.kind not in "biuf" and not all(map(is_usable, cells.dropna())):
            raise ValueError(
                f"column {name!r}: expected numbers, texts or truth values, got {cells.dtype}; "
                f"leave it out by --drop {name}"
            )
        if holds_texts(cells):
            count = cells.nunique()
            if count > MOST_LEVELS:
                raise ValueError(
                    f"column {name!r}: expected at most {MOST_LEVELS:,} different texts, got "
                    f"{count:,}; leave it out by --drop {name}"
                )
            if count > 20 and count > 0.5 * len(cells):
                notes.append(
                    f"column {name!r} has {count:,} different texts in {len(cells):,} rows; if it "
                    f"names rows, leave it out by --drop {name}"
                )
    return notes


def is_usable(cell: Any) -> bool:
    """Tell whether a cell is a number, text or truth value."""
    if isinstance(cell, str | np.bool_ | numbers.Real):
        return True
    return type(cell).__name__ == "Decimal"


def holds_texts(cells: Any) -> bool:
    """Tell whether a column has a text."""
    if cells.dtype.kind in "biufmM":
        return False
    return any(isinstance(cell, str) for cell in cells.dropna().unique())


def weights_in(frame: Any, name: str | None) -> Array | None:
    """Return the weights of a column; None without one.

    Raises
    ------
    ValueError
        They are no numbers from 0.
    """
    if name is None:
        return None
    cells = frame[name]
    found: Array | None = None
    if cells.dtype.kind in "biuf" or str(cells.dtype) in ("Int64", "Float64"):
        found = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    if found is None or not np.all(np.isfinite(found) & (found >= 0)):
        raise ValueError(f"--sample-weight: expected numbers from 0 in {name!r}, got others")
    return found


# --- for a model that is there --------------------------------------------------------------------


def text_columns(estimator: Any) -> list[str]:
    """Return the columns whose levels are all texts: in a CSV file they stay texts."""
    return [
        name
        for name, levels in word_levels(estimator).items()
        if all(isinstance(level, str) for level in levels)
    ]


def word_levels(estimator: Any) -> dict[str, list[Any]]:
    """Return the columns of words that an estimator was fitted with, and the levels of each."""
    reader = getattr(estimator, "_reader", None)
    if reader is None or not hasattr(estimator, "feature_names_in_"):
        return {}
    places = np.flatnonzero(reader.words)
    return {
        reader.names[place]: levels for place, levels in zip(places, reader.levels, strict=True)
    }


def features_for(estimator: Any, frame: Any, others: list[str]) -> Any:
    """Return the columns that an estimator was fitted with, in its order, words as it knows them.

    Parameters
    ----------
    others : list of str
        Columns that are no features. Others than the estimator's are left out, too; where it knows
        no names all are features.

    Raises
    ------
    ValueError
        A column is missing, or there is another number of them.
    """
    columns = [name for name in frame.columns if name not in others]
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        if len(columns) != estimator.n_features_in_:
            raise ValueError(
                f"data: expected {estimator.n_features_in_} columns, as the model was trained on, "
                f"got {len(columns)}"
            )
        return frame[columns].to_numpy()
    check_there(names, columns, "data")
    found = frame[list(names)].copy()
    for name, levels in word_levels(estimator).items():
        found[name] = as_known(found[name], levels)
    return found


def as_known(cells: Any, known: Iterable[Any]) -> Any:
    """Return a column with those of `known` that have the same text as its cells.

    A CSV file cannot tell 1 from "1", nor true from "true". What is not known stays.
    """
    by_text = {text_of(each): each for each in known}
    exact = set(known)
    found = {
        cell: by_text.get(text_of(cell), cell) for cell in cells.dropna().unique()
        if cell not in exact
    }  # fmt: skip
    return cells.astype(object).map(lambda cell: found.get(cell, cell)) if found else cells


def text_of(cell: Any) -> str:
    """Return a cell's text: whole floats like ints, truth values in small letters."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    text = str(cell)
    return text.casefold() if text.casefold() in ("true", "false") else text
