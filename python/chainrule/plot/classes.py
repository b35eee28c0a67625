"""Classes as a model predicts them, and those of its targets, as numbers from 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_labels, as_real
from ..model import Model

Labels = NDArray[np.int64]
THRESHOLDS = {"shares": 0.5, "logits": 0.0, "signs": 0.0}


def check_model(model: Any, name: str) -> None:
    """Refuse what is no model."""
    if not isinstance(model, Model):
        raise TypeError(f"{name}: expected a Model, got {type(model).__name__}")


def meaning_of(model: Model, name: str) -> str:
    """Return what the outputs mean: "classes", "shares", "logits" or "signs".

    Raises
    ------
    ValueError
        Numbers that are no classes.
    """
    last = model.layers[-1] if model.layers else None
    meaning = getattr(model.loss, "predicts", None) or getattr(last, "predicts", "values")
    if meaning == "values":
        raise ValueError(
            f"{name}: expected a model that predicts classes, got one that predicts values; "
            "residuals draws those"
        )
    return str(meaning)


def predicted(output: NDArray[Any], meaning: str) -> Labels:
    """Return the class of each row of outputs (n, m): the largest, or of one output yes or no."""
    if output.shape[1] > 1:
        return as_classes(output.argmax(axis=1))
    if meaning == "classes":
        return np.zeros(len(output), dtype=np.int64)
    return as_classes(output[:, 0] > THRESHOLDS[meaning])


def as_classes(values: Any) -> Labels:
    """Return whole numbers or bools as int64."""
    return np.asarray(values, dtype=np.int64)


def confidence(output: NDArray[Any], meaning: str) -> NDArray[np.float64]:
    """Return how sure each row of outputs is, from 0 to 1: 1 where it is no probability."""
    n, m = output.shape
    sure: NDArray[np.float64] = np.ones(n)
    if meaning in ("classes", "shares"):
        values = np.asarray(output, dtype=np.float64)
        sure = np.abs(2 * values[:, 0] - 1) if m == 1 else (values.max(axis=1) * m - 1) / (m - 1)
    return np.clip(sure, 0.0, 1.0, out=sure)


def true_classes(y: Any, n: int, n_outputs: int) -> Labels:
    """Return targets as classes: labels (n,), one-hot (n, m), or 0/1 and -1/1 of one output.

    Raises
    ------
    ValueError
        Another length or number of columns, a label below 0.
    """
    array = as_real(y, "y")
    if len(array) != n or array.ndim not in (1, 2):
        raise ValueError(f"y: expected one target for each of {n} samples, got {array.shape}")
    if array.ndim == 2 and array.shape[1] > 1:
        if array.shape[1] != n_outputs:
            raise ValueError(f"y: expected (n, {n_outputs}), got {array.shape}")
        return as_classes(array.argmax(axis=1))
    if n_outputs == 1:
        return as_classes(array.reshape(-1) > 0)
    labels = as_labels(array.reshape(-1), "y")
    if labels.min(initial=0) < 0:
        raise ValueError(f"y: expected labels of at least 0, got {labels.min()}")
    return labels


def names_of(labels: Any, count: int) -> list[str]:
    """Return what the classes are called: `labels`, or their numbers.

    Raises
    ------
    ValueError
        Fewer labels than classes.
    """
    names = [str(k) for k in range(count)] if labels is None else [str(each) for each in labels]
    if len(names) < count:
        raise ValueError(f"labels: expected {count}, one for each class, got {len(names)}")
    return names
