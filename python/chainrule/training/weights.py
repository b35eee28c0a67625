"""Weights of samples: those that were given, and those that follow from their classes."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Array, as_floats, as_number, as_real, check_finite
from .request import Weights
from .targets import is_one_hot


def checked_weights(
    sample_weight: Any, n: int, name: str = "sample_weight", *, some: bool = True
) -> Weights | None:
    """Return sample weights (n,) as float64: finite, not negative, `some` above 0."""
    if sample_weight is None:
        return None
    weight = as_floats(sample_weight, name, np.float64)
    if weight.shape != (n,):
        raise ValueError(f"{name}: expected ({n},), got {weight.shape}")
    check_finite(weight, name)
    if weight.min() < 0:
        index = int(np.argmax(weight < 0))
        raise ValueError(
            f"{name}: expected values of at least 0, got {weight[index]} at index {index}"
        )
    if some:
        check_some_weight(weight, name)
    return weight


def check_some_weight(weight: Weights | None, name: str) -> None:
    """Refuse weights that are all 0."""
    if weight is not None and not weight.any():
        raise ValueError(f"{name}: expected a sum above 0, got 0")


def class_factors(class_weight: Any, y: Any, n_outputs: int | None) -> Weights:
    """Return for each sample the weight of its class.

    Parameters
    ----------
    class_weight : dict or "balanced"
        Class -> weight, 1 for a class that it leaves out. Balanced: ``n / (K count)`` for a class
        that `count` of the n samples have, K classes being there.
    y : array_like
        Labels (n,), one-hot rows (n, m), or targets (n, 1) that are whole numbers, such as 0/1.

    Raises
    ------
    TypeError, ValueError
        Another form of either, or a class that is not there.
    """
    labels, known = classes_of(y, n_outputs)
    classes, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if isinstance(class_weight, str) and class_weight == "balanced":
        weights = len(labels) / (len(classes) * counts)
    elif isinstance(class_weight, Mapping):
        weights = np.ones(len(classes))
        for key, value in class_weight.items():
            label = whole(key)
            if label not in known and label not in classes:
                raise ValueError(f"class_weight: expected classes of y, got {key!r}")
            weights[classes == label] = as_number(value, f"class_weight[{key!r}]")
    else:
        raise TypeError(
            "class_weight: expected a dict of class and weight, or 'balanced', "
            f"got {class_weight!r}"
        )
    factors: Weights = weights[places.reshape(-1)]
    return factors


def class_weights(class_weight: Any, y: Any, n_outputs: int | None) -> dict[int, float]:
    """Return the weight of each class that y has, as `class_factors` gives it to the samples."""
    factors = class_factors(class_weight, y, n_outputs)
    classes, first = np.unique(classes_of(y, n_outputs)[0], return_index=True)
    return dict(zip(classes.tolist(), factors[first].tolist(), strict=True))


def classes_of(y: Any, n_outputs: int | None) -> tuple[Array, range]:
    """Return each sample's class, (n,) ints, and the classes that may be named without samples."""
    array = as_real(y, "y")
    if array.ndim == 2 and array.shape[1] > 1 and is_one_hot(array):
        return np.argmax(array, axis=1), range(array.shape[1])
    column = array.ndim == 2 and array.shape[1] == 1
    if array.ndim == 1 or column:
        labels = array.reshape(-1)
        with np.errstate(invalid="ignore"):  # NaN is no whole number
            whole_numbers = labels.astype(np.int64)
        if (whole_numbers == labels).all():
            single = column or n_outputs == 1
            return whole_numbers, range(2) if single else range(n_outputs or 0)
    raise ValueError(
        "class_weight: expected y to hold class labels, one-hot rows or 0/1 targets, got other "
        f"values of shape {array.shape}"
    )


def whole(key: Any) -> int:
    """Return a class as an int: 1, True, 1.0, np.int64(1)."""
    if isinstance(key, float | np.floating) and float(key).is_integer():
        return int(key)
    try:
        return operator.index(bool(key) if isinstance(key, np.bool_) else key)
    except TypeError:
        raise TypeError(f"class_weight: expected ints as classes, got {key!r}") from None
