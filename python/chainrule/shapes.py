"""What is known of a model's shapes before a sample runs through it.

A layer of the package keeps the columns of its inputs, or has `n_inputs` and `n_neurons`; of a
layer of the user's own nothing is known, and what comes behind it is not judged.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .arrays import Array, as_real
from .catalogue import own_class
from .frames import as_column


@functools.lru_cache(maxsize=256)
def takes_training(forward: Callable[..., Any]) -> bool:
    """Tell whether a layer class's ``forward`` has a second parameter beside self."""
    try:
        parameters = inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return True
    kinds = [parameter.kind for parameter in parameters.values()]
    return len(kinds) > 2 or inspect.Parameter.VAR_POSITIONAL in kinds


class Columns(NamedTuple):
    """How many columns a layer takes and gives."""

    taken: int
    given: int


KEPT = Columns(0, 0)  # it takes any, and gives them as they are


def columns_of(layer: Any) -> Columns | None:
    """Return what a layer makes of its inputs' columns; None where that is not known."""
    own = own_class(layer, "forward")
    if own is None:
        return None
    return Columns(layer.n_inputs, layer.n_neurons) if hasattr(own, "n_inputs") else KEPT


def keeps_shape(layer: Any) -> bool:
    """Tell whether the output surely has the shape of the inputs, whatever that is."""
    return columns_of(layer) is KEPT


def output_width(layers: list[Any]) -> tuple[int, int] | None:
    """Return the position (from 1) and the number of columns of the layer that fixes the output's.

    None where a layer of unknown shape, or none that fixes it, comes before.
    """
    for position in range(len(layers), 0, -1):
        columns = columns_of(layers[position - 1])
        if columns is not KEPT:
            return None if columns is None else (position, columns.given)
    return None


def first_columns(layers: list[Any]) -> int | None:
    """Return how many columns the inputs must have; None where a layer of unknown shape decides."""
    for layer in layers:
        columns = columns_of(layer)
        if columns is not KEPT:
            return None if columns is None else columns.taken
    return None


def check_widths(layers: list[Any], X: Array, name: str) -> None:
    """Refuse samples of another rank than the layers take, and columns that do not fit.

    Behind a layer of unknown shape nothing is refused; in front, the rank is its own business.

    Raises
    ------
    ValueError
        Naming `name`, or the layer whose inputs do not fit what feeds it.
    """
    columns: int | None = X.shape[1] if X.ndim == 2 else -1
    fed_by = 0  # the position of the layer that the columns come from
    for position, layer in enumerate(layers, 1):
        sizes = columns_of(layer)
        if sizes is None:
            columns = None
            continue
        if sizes is KEPT:
            continue
        if columns == -1:
            break
        if columns is not None and columns != sizes.taken:
            hint = f"; layer {fed_by} ends with {columns} neurons" if fed_by else ""
            raise ValueError(
                f"{type(layer).__name__} {position}: inputs: expected (n, {sizes.taken}), "
                f"got ({len(X)}, {columns}){hint}"
            )
        columns, fed_by = sizes.given, position
    if columns == -1:
        column = X.ndim == 1 and first_columns(layers) == 1
        hint = f"; as a column: {name}[:, None]" if column else ""
        raise ValueError(f"{name}: expected (n, d), got {X.shape}{hint}")


def as_rows(layers: list[Any], X: Any, name: str) -> Any:
    """Return X as it is, or one sample (d,) as the row (1, d), as NumPy's product takes it.

    Raises
    ------
    ValueError
        Several values (n,) for layers that take one column: n samples, or one too long?
    """
    if (X.ndim if isinstance(X, np.ndarray) else np.ndim(X)) != 1:
        return X
    d = first_columns(layers)
    if d is None:
        return X
    row: Array = as_real(X, name)
    if len(row) == d:
        return row[None, :]
    if d == 1:
        raise ValueError(
            f"{name}: expected (n, 1), got {row.shape}; as a column: {as_column(X, name)}"
        )
    raise ValueError(f"{name}: expected (n, {d}) or one sample ({d},), got {row.shape}")
