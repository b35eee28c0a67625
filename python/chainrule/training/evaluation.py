"""Evaluation: loss and accuracy of samples, batch by batch, through the classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from .meter import Meter
from .passes import forward_pass
from .request import Weights, batch_of
from .targets import model_dtype


class Evaluation(NamedTuple):
    """Data loss and accuracy (NaN without one), and the dtype of the outputs."""

    loss: float
    accuracy: float
    dtype: np.dtype[Any]


def evaluate(
    model: Any,
    X: Array,
    y: Array,
    weight: Weights | None,
    batch_size: int,
    *,
    loss: Any = None,
) -> Evaluation:
    """Return what the samples amount to. Weights weigh the loss; the accuracy takes all alike.

    `loss` serves instead of the model's, where it is given.
    """
    meter = Meter(model, loss)
    dtype: np.dtype[Any] = np.dtype(np.float64)
    net = model_dtype(model.layers)
    for start in range(0, len(X), batch_size):
        inputs, targets, weights = batch_of((X, y, weight), slice(start, start + batch_size), net)
        output = forward_pass(model.layers, inputs, False)
        if getattr(output, "dtype", None) == np.float32:
            dtype = np.dtype(np.float32)
        meter.add_loss(output, targets, weights)
        meter.add_accuracy(output, targets)
    return Evaluation(meter.data_loss(), meter.mean_accuracy(), dtype)
