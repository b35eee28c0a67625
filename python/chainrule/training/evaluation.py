"""Evaluation: loss and accuracy of samples, summed batch by batch; nothing is left on any part."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from ..arrays import Array
from ..catalogue import own_class
from ..errors import label_of
from ..layers.activation import Activation
from ..losses.compiled_loss import CompiledLoss
from .busy import parameter_lock
from .copies import copies_of, copy_of
from .meter import Meter
from .network import NoPlan, check_targets, metric_of
from .passes import forward_pass
from .predicting import (
    Pieces,
    blocks_of,
    finished,
    output_of_net,
    packed_net,
    refusing_codes,
)
from .request import Weights, batch_of
from .targets import model_dtype

USED_OF_LOSS = ("forward", "calculate", "predictions")


class Evaluation(NamedTuple):
    """Data loss and accuracy (NaN without one), and the dtype of the outputs."""

    loss: float
    accuracy: float
    dtype: np.dtype[Any]


class Measures(NamedTuple):
    """What the core is told of a loss and an accuracy."""

    loss: str
    loss_parameters: tuple[float, ...]
    metric: str
    precision: float


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
    return finished(evaluating(model, X, y, weight, batch_size, loss=loss))


def evaluating(
    model: Any,
    X: Array,
    y: Array,
    weight: Weights | None,
    batch_size: int,
    *,
    loss: Any = None,
) -> Pieces[Evaluation]:
    """Return the same in pieces: between them nobody may change the model."""
    loss = model.loss if loss is None else loss
    net = packed_net(model) if X.ndim == 2 else None
    if net is not None and X.shape[1] != net.n_inputs:
        net = None
    told = None if net is None else measures_of(model, loss, y, net.n_outputs)
    samples = X, y, weight
    with refusing_codes(model, X):
        if told is not None:
            return (yield from measured(net, told, samples, batch_size))
        return (yield from through_parts(model, net, loss, samples, batch_size))


# --- by the core ----------------------------------------------------------------------------------


def measures_of(model: Any, loss: Any, y: Array, n_outputs: int) -> Measures | None:
    """Return loss and accuracy as the core takes them for these targets; None where it cannot."""
    last = model.layers[-1]
    activation = last if isinstance(last, Activation) else None
    if not isinstance(loss, CompiledLoss) or own_class(loss, *USED_OF_LOSS) is None:
        return None
    if own_class(last, "predictions") is None if activation else hasattr(last, "predictions"):
        return None
    try:
        metric = metric_of(model, activation)
        check_targets(metric, y, n_outputs)
    except NoPlan:
        return None
    precision = getattr(model.accuracy, "precision", None)
    if metric == "regression" and precision is None:
        return None
    try:
        parameters = tuple(map(float, loss.parameters()))
    except OverflowError:
        raise ValueError(f"{label_of(loss)}: expected settings within float64") from None
    return Measures(loss.name_in_core(), parameters, metric, float(precision or 0.0))


def measured(
    net: Any, told: Measures, samples: tuple[Array, Array, Weights | None], batch_size: int
) -> Pieces[Evaluation]:
    """Return what the core's losses, summed as the classes sum them, and hits amount to."""
    X, y, weight = samples
    losses = np.empty(len(X), dtype=net.dtype)
    right = 0
    for rows, block in blocks_of(net, X):
        losses[rows], hits = net.evaluate(block, y[rows], *told)
        right += hits
        yield
    total = count = 0.0
    for start in range(0, len(X), batch_size):
        part = losses[start : start + batch_size]
        if weight is None:
            total += _core.sum(part)
            count += len(part)
        else:
            share = weight[start : start + batch_size]
            total += float((part.astype(np.float64, copy=False) * share).sum())
            count += float(share.sum())
    each = 1 if told.metric == "categorical" else net.n_outputs
    accuracy = math.nan if told.metric == "none" else right / (len(X) * each)
    return Evaluation(total / count if count else math.nan, accuracy, losses.dtype)


# --- by the classes -------------------------------------------------------------------------------


def through_parts(
    model: Any,
    net: Any,
    loss: Any,
    samples: tuple[Array, Array, Weights | None],
    batch_size: int,
) -> Pieces[Evaluation]:
    """Return what copies of loss and accuracy make of the outputs: the net's, or copied layers'."""
    with parameter_lock(model), copies_of(model.layers) as layers:
        accuracy, loss = copy_of(model.accuracy, {}), copy_of(loss, {})
        meter = Meter(SimpleNamespace(layers=layers, accuracy=accuracy), loss)
        dtype: np.dtype[Any] = np.dtype(np.float64)
        wanted = model_dtype(layers)
        for start in range(0, len(samples[0]), batch_size):
            rows = slice(start, start + batch_size)
            if net is None:
                inputs, targets, weights = batch_of(samples, rows, wanted)
                output = forward_pass(layers, inputs, False)
            else:
                _, targets, weights = batch_of((samples[0][:0], *samples[1:]), rows, wanted)
                output = yield from output_of_net(net, samples[0][rows])
            if getattr(output, "dtype", None) == np.float32:
                dtype = np.dtype(np.float32)
            meter.add_loss(output, targets, weights)
            meter.add_accuracy(output, targets)
            yield
    return Evaluation(meter.data_loss(), meter.mean_accuracy(), dtype)
