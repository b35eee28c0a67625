"""Data frames and other containers: what they hold, their columns' names, words that fit them.

pandas, polars and the like are known by what they can do, never imported. What has no
``__array__`` is opened by a protocol: DLPack by NumPy, without a copy; Arrow's and the frames' by
pyarrow.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from .libraries import library

ARROW = ("__arrow_c_stream__", "__arrow_c_array__")


def opened(values: Any, name: str) -> Any:
    """Return values as they are where NumPy reads them; else what a protocol gives of them.

    DLPack (``__dlpack__``) on the CPU gives an array in the same memory; Arrow
    (``__arrow_c_stream__``, ``__arrow_c_array__``) and the frames' interchange
    (``__dataframe__``) give a pyarrow table or array. A stream can be opened once only.

    Raises
    ------
    ImportError
        Arrow or a frame, and pyarrow is not installed.
    TypeError
        Memory that is not the CPU's, or entries that NumPy has no dtype for.
    """
    if type(values) is np.ndarray or isinstance(values, list | tuple):
        return values  # as most are
    if hasattr(values, "__array__"):
        return values
    if hasattr(values, "__dlpack__"):
        try:
            return np.from_dlpack(values)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            text = f"{name}: expected numbers in the CPU's memory, got a {type(values).__name__}"
            raise TypeError(f"{text}: {error}") from None
    if any(hasattr(values, each) for each in (*ARROW, "__dataframe__")):
        return through_pyarrow(values, name)
    return values


def through_pyarrow(values: Any, name: str) -> Any:
    """Return a container as pyarrow's: a table, or one column."""
    what = type(values).__name__
    pyarrow = library("pyarrow", f"{name}: a {what}", "'chainrule[arrow]'")
    try:
        if hasattr(values, ARROW[0]):
            found = pyarrow.chunked_array(values)
            if not pyarrow.types.is_struct(found.type):
                return found
            batches = [pyarrow.RecordBatch.from_struct_array(each) for each in found.chunks]
            return pyarrow.Table.from_batches(batches, pyarrow.schema(list(found.type)))
        if hasattr(values, ARROW[1]):
            array = pyarrow.array(values)
            is_table = pyarrow.types.is_struct(array.type)
            return pyarrow.RecordBatch.from_struct_array(array) if is_table else array
        from pyarrow.interchange import from_dataframe

        return from_dataframe(values)
    except (pyarrow.ArrowException, RuntimeError) as error:
        raise TypeError(f"{name}: expected columns of numbers, got a {what}: {error}") from None


def is_frame(values: Any) -> bool:
    """Tell whether values are a data frame's or a series', whose arrays come by `to_numpy`."""
    return hasattr(values, "to_numpy") and not isinstance(values, np.ndarray)


def flattened(values: Any, name: str) -> str:
    """Return the code that flattens a column: ``y.ravel()``, or what does it for a frame."""
    if is_frame(values):
        return f"{name}.to_numpy().ravel()"
    return f"np.ravel({name})" if isinstance(values, list | tuple) else f"{name}.ravel()"


def as_column(values: Any, name: str) -> str:
    """Return the code that makes a column of (n,): ``X[:, None]``, or what does it for a series."""
    if is_frame(values):
        return f"{name}.to_numpy()[:, None]"
    return f"np.array({name})[:, None]" if isinstance(values, list | tuple) else f"{name}[:, None]"


def column_names(values: Any) -> tuple[str, ...] | None:
    """Return a frame's column names; None for any other container, or if one is not a text."""
    if is_frame(values):
        names = getattr(values, "columns", None)
    else:
        names = getattr(getattr(values, "schema", None), "names", None)  # a pyarrow table
    if names is None or not all(isinstance(name, str) for name in names):
        return None
    return tuple(map(str, names))


def check_names(values: Any, expected: tuple[str, ...] | None, name: str) -> None:
    """Refuse a frame whose columns are others than those of the training, or in another order.

    Raises
    ------
    ValueError
        Naming the columns, and the first place where they differ.
    """
    got = column_names(values)
    if expected is None or got is None or got == expected:
        return
    if sorted(got) == sorted(expected):
        what = "the same in another order; select list(model.feature_names)"
    else:
        missing = [each for each in expected if each not in got]
        new = [each for each in got if each not in expected]
        what = "; ".join(
            f"{word} {', '.join(map(repr, names[:5]))}{', ...' if len(names) > 5 else ''}"
            for word, names in (("without", missing), ("with", new))
            if names
        )
        what = what or f"{len(got)} columns, some of them twice"
    raise ValueError(
        f"{name}: expected the columns that the model was trained on, {shown(expected)}, got {what}"
    )


def shown(names: tuple[str, ...]) -> str:
    """Return the names, the first five of many."""
    text = ", ".join(map(repr, names[:5]))
    return f"{text}, ... ({len(names)} in all)" if len(names) > 5 else text


def odd_entry(values: Any) -> str:
    """Say which entry of a container is no real number: value, column or place.

    Empty where each entry is a number, and only the container's dtype is not.
    """
    try:
        entries = np.asarray(values, dtype=object)
    except ValueError:
        return ""
    for place in np.ndindex(entries.shape):
        entry = entries[place]
        if isinstance(entry, numbers.Real | np.bool_):
            continue
        frame = is_frame(values)
        names = getattr(values, "columns", None) if frame else column_names(values)
        if names is not None and len(place) == 2:
            return f"{entry!r} in column {names[place[1]]!r}, row {place[0]}"
        return f"{entry!r} at index {place if len(place) > 1 else place[0]}"
    return ""
