"""A model as a picture has it: columns of units, and the weights between them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array


class Column(NamedTuple):
    """Units side by side: the inputs, or the outputs of a layer with weights (d, m).

    `name` is "inputs", or the class of the activation that follows, without ``Activation_``.
    """

    size: int
    name: str
    weights: Array | None


def columns_of(layers: list[Any]) -> list[Column]:
    """Return the columns of layers in a row; no column where no layer has weights (d, m)."""
    columns: list[Column] = []
    for layer in layers:
        held = getattr(layer, "weights", None)
        kind = type(layer).__name__
        scales = kind == "Layer_Scale"
        if isinstance(held, np.ndarray) and held.ndim == 2 and held.size and not scales:
            if not columns:
                columns.append(Column(len(held), "inputs", None))
            columns.append(Column(held.shape[1], "outputs", held))
        elif kind.startswith("Activation_") and columns:
            columns[-1] = columns[-1]._replace(name=kind.removeprefix("Activation_"))
    return columns


def shown_units(size: int, most: int) -> list[int]:
    """Return the units that are drawn: all, or the first and the very last."""
    return list(range(size)) if size <= most else [*range(most - 1), size - 1]
