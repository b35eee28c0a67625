"""What is known of a model's shapes before a sample runs through it.

A layer of the package keeps the columns of its inputs, or has `n_inputs` and `n_neurons`; of a
layer of the user's own nothing is known, and what comes behind it is not judged.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

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


def columns_of(layer: Any) -> tuple[int, int] | None:
    """Return how many columns a layer takes and gives; None where it keeps them, or is unknown."""
    if own_class(layer) is None or not hasattr(layer, "n_inputs"):
        return None
    return layer.n_inputs, layer.n_neurons


def keeps_shape(layer: Any) -> bool:
    """Tell whether the output surely has the shape of the inputs, whatever that is."""
    return own_class(layer) is not None and not hasattr(layer, "n_inputs")


def output_width(layers: list[Any]) -> tuple[int, int] | None:
    """Return the position (from 1) and the number of columns of the layer that fixes the output's.

    None where a layer of unknown shape, or none that fixes it, comes before.
    """
    for position in range(len(layers), 0, -1):
        columns = columns_of(layers[position - 1])
        if columns is not None:
            return position, columns[1]
        if not keeps_shape(layers[position - 1]):
            return None
    return None


def first_columns(layers: list[Any]) -> int | None:
    """Return how many columns the inputs must have; None where a layer of unknown shape decides."""
    for layer in layers:
        columns = columns_of(layer)
        if columns is not None:
            return columns[0]
        if not keeps_shape(layer):
            return None
    return None


def takes_any_rank(layers: list[Any]) -> bool:
    """Tell whether the rank of the inputs is the business of a layer of the user's own."""
    first = next((layer for layer in layers if not keeps_shape(layer)), None)
    return first is not None and columns_of(first) is None


def check_widths(layers: list[Any], X: Array, name: str) -> None:
    """Refuse samples of another rank than the layers take, and columns that do not fit.

    Raises
    ------
    ValueError
        Naming `name`, or the layer whose inputs do not fit what feeds it.
    """
    shape, ranked = X.shape, not takes_any_rank(layers)
    if ranked and len(shape) != 2:
        one = len(shape) == 1 and first_columns(layers) == 1
        hint = f"; as a column: {name}[:, None]" if one else ""
        raise ValueError(f"{name}: expected (n, d), got {shape}{hint}")
    columns = shape[1] if ranked else None
    fed_by = 0  # the position of the layer that the columns come from
    for position, layer in enumerate(layers, 1):
        sizes = columns_of(layer)
        if sizes is None:
            if not keeps_shape(layer):
                columns = None
            continue
        if columns is not None and columns != sizes[0]:
            hint = f"; layer {fed_by} ends with {columns} neurons" if fed_by else ""
            raise ValueError(
                f"{type(layer).__name__} {position}: inputs: expected (n, {sizes[0]}), "
                f"got ({shape[0]}, {columns}){hint}"
            )
        columns, fed_by = sizes[1], position


def as_rows(layers: list[Any], X: Any, name: str) -> Any:
    """Return X as it is, or one sample (d,) as the row (1, d), as NumPy's product takes it.

    Raises
    ------
    ValueError
        Several values (n,) for layers that take one column: n samples, or one too long?
    """
    d = first_columns(layers)
    if d is None or np.ndim(X) != 1:
        return X
    row: Array = as_real(X, name)
    if len(row) == d:
        return row[None, :]
    if d == 1:
        raise ValueError(
            f"{name}: expected (n, 1), got {row.shape}; as a column: {as_column(X, name)}"
        )
    raise ValueError(f"{name}: expected (n, {d}) or one sample ({d},), got {row.shape}")
