"""Weights as images: what each neuron looks for, or the matrix as it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import label_of
from ..model import Model
from .canvas import DIVERGING, canvas, plural, pyplot, title

MOST_IMAGES = 100
LEAST_IMAGE = 16  # inputs from which on a square number of them is taken for an image


def weights(model_or_layer: Any, *, shape: tuple[int, int] | None = None, axes: Any = None) -> Any:
    """Draw the weights of a layer: blue below 0, red above, white at 0.

    Where the inputs are the pixels of an image, each neuron's weights are drawn as one; else the
    matrix, a row an input and a column a neuron.

    Parameters
    ----------
    model_or_layer : Model or layer
        Of a model the first layer with weights.
    shape : (rows, columns), optional
        Of the images. Without it a square, where there are 16, 25, 36, ... inputs; ``(0, 0)`` draws
        the matrix all the same.
    axes : matplotlib.axes.Axes, optional
        A new figure without it.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError
        Nothing with weights (d, m).
    ValueError
        A shape of another number of pixels than there are inputs.
    """
    name = "weights"
    pyplot(name)
    layer, array = weighty(model_or_layer, name)
    rows, columns = image_shape(shape, len(array))
    if rows:
        mosaic, count = mosaic_of(array, rows, columns)
        size = (5.4, 4.5 * mosaic.shape[0] / mosaic.shape[1] + 0.5)
    else:
        mosaic, count = array, array.shape[1]
        size = (6.4, 4.4)
    axes = canvas(axes, name, size)
    finite = mosaic[np.isfinite(mosaic)]
    limit = float(np.abs(finite).max(initial=0.0)) or 1.0
    image = axes.imshow(
        mosaic, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest",
        aspect="equal" if rows else "auto",
    )  # fmt: skip
    axes.figure.colorbar(image, ax=axes, shrink=0.8)
    if rows:
        axes.set_axis_off()
        all_of_them = plural(array.shape[1], "neuron")
        of = all_of_them if count == array.shape[1] else f"{count} of {all_of_them}"
        title(axes, f"{label_of(layer)}: {of}")
    else:
        axes.set(xlabel="neuron", ylabel="input")
        title(axes, f"{label_of(layer)}: weights")
    return axes


def weighty(thing: Any, name: str) -> tuple[Any, NDArray[Any]]:
    """Return the layer and its weights (d, m)."""
    candidates = list(thing.layers) if isinstance(thing, Model) else [thing]
    for layer in candidates:
        held = getattr(layer, "weights", None)
        if isinstance(held, np.ndarray) and held.ndim == 2 and held.size:
            return layer, held
    kind = type(thing).__name__
    raise TypeError(f"{name}: expected a model or a layer with weights (d, m), got {kind}")


def image_shape(shape: Any, d: int) -> tuple[int, int]:
    """Return rows and columns of a neuron's image; zeros where there is none."""
    if shape is None:
        side = math.isqrt(d)
        return (side, side) if side * side == d and d >= LEAST_IMAGE else (0, 0)
    try:
        rows, columns = (int(each) for each in shape)
    except (TypeError, ValueError):
        raise TypeError(f"shape: expected (rows, columns), got {shape!r}") from None
    if (rows, columns) != (0, 0) and (rows < 1 or rows * columns != d):
        raise ValueError(f"shape: expected {d} pixels, as there are inputs, got {shape!r}")
    return rows, columns


def mosaic_of(array: NDArray[Any], rows: int, columns: int) -> tuple[NDArray[Any], int]:
    """Return the images of the first neurons side by side, NaN between them, and their number."""
    count = min(array.shape[1], MOST_IMAGES)
    across = math.ceil(math.sqrt(count * rows / columns))
    down = math.ceil(count / across)
    mosaic = np.full((down * (rows + 1) - 1, across * (columns + 1) - 1), np.nan)
    for k in range(count):
        top, left = k // across * (rows + 1), k % across * (columns + 1)
        mosaic[top : top + rows, left : left + columns] = array[:, k].reshape(rows, columns)
    return mosaic, count
