"""Checks of samples: X and y as arrays that fit a model."""

from __future__ import annotations

from typing import Any

from ..arrays import Array, as_floats, as_real, check_finite
from ..frames import check_names, opened
from ..shapes import check_widths
from .ends import check_ends
from .request import Weights
from .targets import checked_targets, in_form_of, model_dtype
from .weights import checked_weights


def checked_inputs(model: Any, X: Any, name: str) -> Array:
    """Return X (n, d) of any real dtype, as the model's layers can take it.

    The rank is the first layer's business where that is one of the user's own.

    Raises
    ------
    TypeError, ValueError
        No real numbers, another rank, another number of columns, no sample, or a frame of other
        columns than the model was trained on.
    """
    X = opened(X, name)
    check_names(X, model.feature_names, name)
    array = as_real(X, name)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = as_floats(array, name, model_dtype(model.layers))  # the core gathers no others
    if array.ndim == 0:
        raise ValueError(f"{name}: expected (n, d), got ()")
    if array.ndim == 2 and len(array) == 0:
        raise ValueError(f"{name}: expected at least one sample, got none")
    check_widths(model.layers, array, name)
    if len(array) == 0:
        raise ValueError(f"{name}: expected at least one sample, got none")
    return array


def checked_samples(model: Any, X: Any, y: Any, finite: bool, prefix: str = "") -> Any:
    """Return X and y as arrays that fit the model; errors name them with the prefix."""
    names = (f"{prefix}X", f"{prefix}y")
    inputs = checked_inputs(model, X, names[0])
    targets = checked_targets(model, y, len(inputs), names[1])
    check_ends(model, targets)
    if finite:
        dtype = model_dtype(model.layers)
        check_finite(inputs, names[0], dtype)
        check_finite(targets, names[1], dtype)
    return inputs, targets


def checked_validation(
    model: Any, data: Any, y: Array, finite: bool
) -> tuple[Array, Array, Weights | None]:
    """Return validation data; errors say `validation X`, `validation y`, `validation weights`."""
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        got = f"{len(data)} entries" if isinstance(data, tuple | list) else type(data).__name__
        raise TypeError(f"validation_data: expected (X, y) or (X, y, weights), got {got}")
    inputs, targets = checked_samples(model, data[0], data[1], finite, "validation ")
    targets = in_form_of(y, model, targets, "validation y")
    weight = data[2] if len(data) == 3 else None
    return inputs, targets, checked_weights(weight, len(inputs), "validation weights")
