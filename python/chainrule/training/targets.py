"""Targets: y as the model's loss takes it, and the validation's in the form of the training's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..arrays import Array, as_real
from ..catalogue import own_class
from ..frames import opened
from ..layers import Layer_Dense
from ..losses import Loss_CategoricalCrossentropy
from ..losses.base import shaped_targets
from ..losses.compiled_loss import CompiledLoss
from ..losses.domains import check_labels
from ..shapes import output_width


def model_dtype(layers: list[Any]) -> np.dtype[Any] | None:
    """Return the one dtype of the dense layers; None where there are several or none."""
    dtypes = {layer.dtype for layer in layers if isinstance(layer, Layer_Dense)}
    return dtypes.pop() if len(dtypes) == 1 else None


def checked_targets(model: Any, y: Any, n: int, name: str) -> Array:
    """Return y as the model's loss takes it: int64 labels (n,) or float targets (n, m).

    Targets for a loss of the user's own need one entry per sample; they are converted as far as
    the output's shape is known.

    Raises
    ------
    TypeError, ValueError
        Labels of float dtype, out of range or as a column; values outside the loss's domain;
        another shape or length.
    """
    width = output_width(model.layers)
    n_outputs = None if width is None else width[1]
    y = opened(y, name)
    array = as_real(y, name)
    if array.ndim == 0 or len(array) != n:
        raise ValueError(f"{name}: expected {n} samples, as X has, got {array.shape}")
    keep = array.dtype.kind == "f" and array.dtype.itemsize in (4, 8)
    dtype = None if keep else model_dtype(model.layers)
    if hasattr(model.loss, "checked_targets"):
        if width is None and array.ndim == 1 and not takes_labels(model.loss):
            y = array.reshape(-1, 1)  # targets of one output
        with hinting_at_classes(array, n_outputs, model.loss):
            checked: Array = model.loss.checked_targets(y, name, n_outputs, dtype)
        return checked
    return shaped_targets(y, name, () if n_outputs is None else (n, n_outputs), dtype)


@contextmanager
def hinting_at_classes(y: Array, n_outputs: int | None, loss: Any) -> Iterator[None]:
    """Say what class labels need where a loss that takes none refuses what looks like them."""
    try:
        yield
    except ValueError as error:
        whole = y.ndim == 1 and y.dtype.kind in "biu" and n_outputs not in (None, 1)
        if not whole or takes_labels(loss):
            raise
        needed = "Activation_Softmax() as the last layer and Loss_CategoricalCrossentropy()"
        raise ValueError(f"{error}; class labels need {needed}") from None


def takes_labels(loss: Any) -> bool:
    """Tell whether (n,) may be class labels: for the categorical loss, and any of the user's."""
    return isinstance(loss, Loss_CategoricalCrossentropy) or not isinstance(loss, CompiledLoss)


def in_form_of(y: Array, model: Any, other: Array, name: str) -> Array:
    """Return labels as one-hot rows, or one-hot rows as labels, where `y` has that form.

    Soft targets beside labels stay what they are: no labels could say the same.

    Raises
    ------
    ValueError
        A label beyond the columns of `y`.
    """
    if own_class(model.loss) is None or other.ndim == y.ndim:
        return other
    if y.ndim == 2:
        m = y.shape[1]
        check_labels(other, name, m)
        rows: Array = np.zeros((len(other), m), dtype=y.dtype)
        rows[np.arange(len(other)), other] = 1
        return rows
    if is_one_hot(other):
        labels: Array = np.argmax(other, axis=1).astype(np.int64, copy=False)
        return labels
    return other


def is_one_hot(y: Array) -> bool:
    """Tell whether each row is one 1 among 0s."""
    ones = y == 1
    return bool((ones | (y == 0)).all() and (np.count_nonzero(ones, axis=1) == 1).all())
