"""Updates off the usual path: a layer's first update, and arrays that need conversion.

The optimizers call the compiled update at once; only what it refuses comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import as_floats
from .errors import label_of, labelled

# Parameter, its gradient, and the prefix of the optimizer's arrays for it.
WEIGHTS, BIASES = ("weights", "dweights", "weight"), ("biases", "dbiases", "bias")


def converted_update(
    update: Callable[..., None],
    layer: Any,
    kinds: tuple[str, ...],
    *parts: tuple[tuple[str, str, str], tuple[float, ...]],
) -> None:
    """Update where the plain call did not do: first use, or arrays that need conversion.

    Everything is checked before anything changes; then the layer gets the zeroed arrays
    that it lacks (`kinds`: momentums, cache), and each part is updated on copies that are
    written back in place, so that views and references stay live.
    """
    present = [part for part in parts if getattr(layer, part[0][0], None) is not None]
    for (parameter, gradient, _), _ in present:
        check_gradient(layer, parameter, gradient)
    with labelled(label_of(layer)):
        for (parameter, gradient, prefix), settings in present:
            held = getattr(layer, parameter)
            names = [f"{prefix}_{kind}" for kind in kinds]
            for name in names:
                if not hasattr(layer, name):
                    setattr(layer, name, np.zeros_like(held))
            arrays = [held, *(getattr(layer, name) for name in names)]
            dtype = as_floats(held, parameter).dtype
            ready = [
                as_floats(array, name, dtype)
                for array, name in zip(arrays, [parameter, *names], strict=True)
            ]
            ready = [
                copy if copy is array else copy.copy()
                for copy, array in zip(ready, arrays, strict=True)
            ]
            slope = as_floats(getattr(layer, gradient), gradient, dtype)
            if any(np.may_share_memory(slope, array) for array in ready):
                slope = slope.copy()
            update(ready[0], slope, *ready[1:], *settings)
            for array, copy in zip(arrays, ready, strict=True):
                if copy is not array:
                    array[...] = copy


def check_gradient(layer: Any, parameter: str, gradient: str) -> None:
    """Refuse a parameter that cannot be updated, or a gradient that does not fit it.

    Raises
    ------
    TypeError
        The parameter is no array of floats.
    ValueError
        It is read-only, its gradient is missing or has another shape.
    """
    label, held = label_of(layer), getattr(layer, parameter)
    if not isinstance(held, np.ndarray) or held.dtype.kind != "f":
        got = held.dtype if isinstance(held, np.ndarray) else type(held).__name__
        raise TypeError(f"{label}: {parameter}: expected an array of floats, got {got}")
    if not held.flags.writeable:
        raise ValueError(f"{label}: {parameter}: expected a writeable array, got a read-only one")
    if not hasattr(layer, gradient):
        raise ValueError(
            f"{label}: {gradient}: expected a backward call before the update, got none"
        )
    got = np.shape(getattr(layer, gradient))
    if got != held.shape:
        raise ValueError(f"{label}: {gradient}: expected {held.shape}, got {got}")
