"""Tables: what arrays, sparse matrices and frames have in common, columns of numbers and of words.

A reader learns the columns' kinds and each word column's levels in `fit`; then any container with
these columns becomes a `Table`: numbers (n, m) in float64 with NaN where missing, and codes (n, c),
places among the levels, -1 where a cell is missing or was never seen.
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    validate_data,
)

from ...arrays import Array
from ...frames import is_frame
from ...training.notices import depth_of_package
from ..inputs import blocks, dense

MISSING = -1
SPARSE_ROWS = 65536  # made dense at a time
FEW = 20  # rows, of which no two need to have a word in common


class Table(NamedTuple):
    """Samples: numbers (n, m) float64, and codes (n, c) of words."""

    numbers: Array
    codes: Array

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, places: Any) -> Table:
        """Return some of the samples."""
        return Table(self.numbers[places], self.codes[places])


class TableReader:
    """Knows the columns of the samples that a fit saw.

    Parameters
    ----------
    categorical : "from_dtype", None, or sequence
        Which columns hold words: those that are no numbers; none; names, places or a mask.

    Attributes
    ----------
    words : ndarray (d,) of bool
        Which columns hold words.
    levels : list of list
        The values of each of them, sorted.
    """

    def __init__(self, categorical: Any) -> None:
        self.categorical = categorical

    def fit(self, estimator: Any, X: Any) -> Table:
        """Learn the columns of X; return it as a table.

        Raises
        ------
        TypeError, ValueError
            What scikit-learn refuses, infinity, columns that hold neither numbers nor words.
        """
        columns = columns_of(estimator, X, reset=True)
        self.names = columns.names
        self.words = self._word_columns(columns)
        self.levels: list[list[Any]] = []
        self._codes: list[dict[Any, int]] = []
        for place in np.flatnonzero(self.words):
            cells = columns.values(int(place))
            levels = sorted_levels(cells)
            tell_of_names_of_rows(columns.names[place], levels, len(cells))
            self.levels.append(levels)
            self._codes.append(codes_of(levels))
        return self._table(columns)

    def tables(self, estimator: Any, X: Any) -> Iterator[Table]:
        """Yield X as tables: one, or those of some rows at a time of a sparse matrix."""
        if not hasattr(X, "toarray"):
            yield self._table(columns_of(estimator, X, reset=False))
            return
        X = checked_array(estimator, X, reset=False)
        for _, rows in blocks(X, SPARSE_ROWS):
            yield self._table(ArrayColumns(rows, self.names))

    def table(self, estimator: Any, X: Any, name: str = "X") -> Table:
        """Return X as one table; errors of its cells name it."""
        return self._table(columns_of(estimator, X, reset=False, name=name))

    def _word_columns(self, columns: Any) -> Array:
        given = self.categorical
        if given is None:
            return np.zeros(columns.count, dtype=bool)
        if isinstance(given, str):
            return np.array([columns.holds_words(place) for place in range(columns.count)])
        chosen = np.zeros(columns.count, dtype=bool)
        chosen[places_of(given, columns.names, columns.count)] = True
        return chosen

    def _table(self, columns: Any) -> Table:
        codes = np.empty((columns.n, len(self.levels)), dtype=np.int32)
        for k, place in enumerate(np.flatnonzero(self.words)):
            codes[:, k] = coded(columns.values(int(place)), self._codes[k])
        return Table(columns.numbers(np.flatnonzero(~self.words)), codes)


def places_of(given: Any, names: list[str], count: int) -> list[int]:
    """Return the places of columns that are named, counted or marked.

    Raises
    ------
    ValueError
        A column that is not there, or a mask of another length.
    """
    items = np.asarray(given).tolist() if not isinstance(given, list | tuple) else list(given)
    if items and all(isinstance(item, bool | np.bool_) for item in items):
        if len(items) != count:
            raise ValueError(
                f"categorical_features: expected a mask of {count} columns, got {len(items)}"
            )
        return [place for place, item in enumerate(items) if item]
    found = []
    for item in items:
        if isinstance(item, str) and item in names:
            found.append(names.index(item))
        elif isinstance(item, int | np.integer) and 0 <= item < count:
            found.append(int(item))
        else:
            raise ValueError(
                f"categorical_features: expected names or places of the {count} columns, "
                f"got {item!r}"
            )
    return found


# --- containers -----------------------------------------------------------------------------------


def columns_of(estimator: Any, X: Any, *, reset: bool, name: str = "X") -> Any:
    """Return the columns of a container, checked as scikit-learn checks samples."""
    frame = nw.from_native(X, eager_only=True, pass_through=True) if is_frame(X) else None
    if not isinstance(frame, nw.DataFrame):
        array = dense(checked_array(estimator, with_cells(X), reset=reset))
        names = getattr(estimator, "feature_names_in_", None)
        return ArrayColumns(array, list(names) if names is not None else None, name)
    _check_feature_names(estimator, X, reset=reset)
    for count, what in zip(frame.shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={frame.shape}) while a minimum of 1 is "
                f"required by {type(estimator).__name__}."
            )
    _check_n_features(estimator, X, reset=reset)
    return FrameColumns(frame, name)


def with_cells(X: Any) -> Any:
    """Return lists as an array that keeps its cells: NumPy makes numbers beside texts texts."""
    if not isinstance(X, list | tuple):
        return X
    try:
        array = np.asarray(X)
    except ValueError:  # of different lengths: scikit-learn says so
        return X
    return np.asarray(X, dtype=object) if array.dtype.kind in "US" else X


def checked_array(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return an array (n, d) of numbers, texts or objects, or a sparse matrix in rows."""
    return validate_data(
        estimator,
        X,
        accept_sparse=["csr", "csc"],
        dtype=None,
        ensure_all_finite="allow-nan",
        reset=reset,
    )


class Columns:
    """The columns of a container that errors call `name`."""

    name: str
    names: list[str]

    def label(self, place: int) -> str:
        """Return how errors call a column."""
        return f"{self.name}: column {self.names[place]!r}"


class ArrayColumns(Columns):
    """The columns of an array (n, d)."""

    def __init__(self, array: Array, names: list[str] | None, name: str = "X") -> None:
        self.array, self.name = array, name
        self.n, self.count = array.shape
        self.names = [f"x{place}" for place in range(self.count)] if names is None else names

    def holds_words(self, place: int) -> bool:
        """Tell whether a column has a cell that is neither a number nor missing."""
        kind = self.array.dtype.kind
        return kind in "USO" and not all(map(is_number, self.values(place)))

    def values(self, place: int) -> list[Any]:
        """Return a column's cells."""
        cells: list[Any] = self.array[:, place].tolist()
        return cells

    def numbers(self, places: Array) -> Array:
        """Return columns (n, m) in float64, NaN where missing."""
        if self.array.dtype.kind not in "USO":
            found = self.array if len(places) == self.count else self.array[:, places]
            return found.astype(np.float64, copy=False)
        found = np.empty((self.n, len(places)))
        for k, place in enumerate(places):
            found[:, k] = as_numbers(self.values(place), self.label(place))
        check_no_infinity(found, [self.label(place) for place in places])
        return found


class FrameColumns(Columns):
    """The columns of a frame of any library that narwhals knows."""

    def __init__(self, frame: Any, name: str) -> None:
        self.frame, self.name = frame, name
        self.n, self.count = frame.shape
        self.names = [str(name) for name in frame.columns]

    def _series(self, place: int) -> Any:
        return self.frame[:, int(place)]

    def holds_words(self, place: int) -> bool:
        """Tell whether a column is one of categories, texts, objects or truth values.

        Raises
        ------
        TypeError
            It is one of dates, lists or the like.
        """
        series = self._series(place)
        dtype = series.dtype
        if dtype.is_numeric():
            return False
        if dtype in (nw.Object, nw.Unknown):
            return not all(map(is_number, series.to_list()))
        if dtype in (nw.Categorical, nw.Enum, nw.String, nw.Boolean):
            return True
        if all(map(is_missing, series.to_list())):
            return False
        raise TypeError(
            f"{self.label(place)}: expected numbers, texts, categories or truth values, got "
            f"{dtype}; turn dates into numbers first"
        )

    def values(self, place: int) -> list[Any]:
        """Return a column's cells."""
        cells: list[Any] = self._series(place).to_list()
        return cells

    def numbers(self, places: Array) -> Array:
        """Return columns (n, m) in float64, NaN where missing."""
        found = np.empty((self.n, len(places)))
        for k, place in enumerate(places):
            series = self._series(place)
            cells = series.to_numpy() if series.dtype.is_numeric() else None
            if cells is None or cells.dtype.kind not in "fiu":
                cells = as_numbers(series.to_list(), self.label(place))
            found[:, k] = cells
        check_no_infinity(found, [self.label(place) for place in places])
        return found


# --- cells ----------------------------------------------------------------------------------------


def is_missing(cell: Any) -> bool:
    """Tell whether a cell is None, NaN, or one of pandas' NA and NaT."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    return type(cell).__name__ in ("NAType", "NaTType")


def is_number(cell: Any) -> bool:
    """Tell whether a cell is a number or missing; a truth value is a word."""
    if isinstance(cell, bool | np.bool_):
        return False
    return isinstance(cell, numbers.Number) or is_missing(cell) or is_decimal(cell)


def is_decimal(cell: Any) -> bool:
    """Tell whether a cell is a `decimal.Decimal`."""
    return type(cell).__name__ == "Decimal"


def as_numbers(cells: list[Any], label: str) -> Array:
    """Return cells as float64 (n,), NaN where missing; `label` names their column.

    Raises
    ------
    ValueError
        A cell is no number; names it and its column.
    """
    found = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            found[row] = math.nan if is_missing(cell) else cell
        except (TypeError, ValueError):
            raise ValueError(
                f"{label}: expected numbers, as in the fit, got {cell!r} in row {row}"
            ) from None
    return found


def check_no_infinity(numbers: Array, labels: list[str]) -> None:
    """Refuse infinite cells; a label for each column.

    Raises
    ------
    ValueError
        There is one; names it and its column.
    """
    infinite = np.isinf(numbers)
    if infinite.any():
        row, place = np.argwhere(infinite)[0]
        raise ValueError(
            f"{labels[place]}: expected finite numbers or missing cells, got "
            f"{numbers[row, place]} in row {row}"
        )


def tell_of_names_of_rows(name: str, levels: list[Any], n: int) -> None:
    """Warn of a column of words in which no two rows have the same: it tells nothing of others."""
    if n >= FEW and len(levels) == n:
        warnings.warn(
            f"X: column {name!r}: each of the {n} rows has a word of its own, such as "
            f"{levels[0]!r}; nothing can be learned from it for other rows: leave it out, or make "
            "numbers of what it says",
            UserWarning,
            stacklevel=1 + depth_of_package(),
        )


def key(cell: Any) -> Any:
    """Return a cell, or its text where it cannot be looked up in a dict."""
    try:
        hash(cell)
    except TypeError:
        return str(cell)
    return cell


def rank(level: Any) -> tuple[bool, float, str]:
    """Return what sorts levels: numbers first, then all else by its text."""
    if isinstance(level, numbers.Real):
        return False, float(level), ""
    return True, 0.0, str(level)


def sorted_levels(cells: list[Any]) -> list[Any]:
    """Return the different cells that are not missing, sorted."""
    try:
        different = set(cells)
    except TypeError:
        different = set(map(key, cells))
    return sorted((cell for cell in different if not is_missing(cell)), key=rank)


def codes_of(levels: list[Any]) -> dict[Any, int]:
    """Return each level's code, its place among them."""
    return {level: code for code, level in enumerate(levels)}


def coded(cells: list[Any], codes: dict[Any, int]) -> Array:
    """Return each cell's code (n,), MISSING where it is not among them."""
    try:
        found = [codes.get(cell, MISSING) for cell in cells]
    except TypeError:
        found = [codes.get(key(cell), MISSING) for cell in cells]
    return np.array(found, dtype=np.int32)
