"""One step on one batch: by the short way of a plan that fits, else by a plan or the classes.

The short way serves what is asked for again and again: `Model.train_on_batch`, and a `train` of
one step with nothing else to do.
"""

from __future__ import annotations

import math
import time
from typing import Any

from ..frames import column_names
from ..history import History
from .divergence import nonfinite_parameter, nonfinite_update
from .interrupts import Interrupts
from .loop import runner_for
from .precision import fit_accuracy, recall_accuracy
from .request import StepRecord, TrainingRequest
from .samples import checked_samples
from .short_way import short_step
from .targets import model_dtype
from .weights import checked_weights


def train_on_batch(model: Any, X: Any, y: Any, sample_weight: Any) -> float:
    """Make one step; return its loss, penalties included. See `Model.train_on_batch`."""
    found = short_step(model, X, y, sample_weight, "train_on_batch")
    record = long_step(model, X, y, sample_weight) if found is None else found[0]
    return record.data_loss + record.regularization_loss


def long_step(model: Any, X: Any, y: Any, sample_weight: Any) -> StepRecord:
    """Make one step by a plan, or layer by layer."""
    model._prepare(parts=("loss", "optimizer"))
    inputs, targets = checked_samples(model, X, y, finite=True)
    request = TrainingRequest(
        X=inputs,
        y=targets,
        epochs=1,
        batch_size=len(inputs),
        sample_weight=checked_weights(sample_weight, len(inputs)),
        feature_names=column_names(X),
        dtype=model_dtype(model.layers),
    )
    recall_accuracy(model, targets)
    request.precision = getattr(model.accuracy, "precision", None)
    model._precision = request.precision
    if request.feature_names is not None:
        model.feature_names = request.feature_names
    with Interrupts():
        runner = runner_for(model, request)
        try:
            runner.run(1, math.inf)
            record, nonfinite = runner.step_record(), runner.nonfinite
        finally:
            runner.write_back()
            runner.close()
    if nonfinite is not None:
        raise FloatingPointError(
            "train_on_batch: expected a finite loss, got nan or infinity; the parameters are "
            "those before the step"
        )
    found = nonfinite_parameter(model)
    if found is not None:
        raise nonfinite_update("train_on_batch", found)
    return record


def asks_one_step(
    epochs: Any,
    accumulate: Any,
    absent: list[Any],
    shuffle: Any,
    drop_last: Any,
    progress: Any,
    callbacks: Any,
    on_nonfinite: Any,
) -> bool:
    """Tell whether a training is one step on all samples, and nothing else is wanted."""
    return (
        type(epochs) is type(accumulate) is int
        and epochs == accumulate == 1
        and shuffle is drop_last is False
        and progress is not True
        and type(callbacks) in (tuple, list)
        and not callbacks
        and type(on_nonfinite) is str
        and on_nonfinite == "raise"
        and all(each is None for each in absent)
    )


def short_training(model: Any, X: Any, y: Any, sample_weight: Any) -> History | None:
    """Train for one epoch of one step the short way; None where there is none."""
    if not model._watched or hasattr(model.accuracy, "precision"):
        return None
    started = time.perf_counter()
    found = short_step(model, X, y, sample_weight, "epoch 1, step 0")
    if found is None:
        return None
    seconds = time.perf_counter() - started
    history = History()
    (accuracy, data_loss, _, rate), penalty = found  # an epoch's penalty is that of its end
    absent = math.nan
    history.extend(
        1, (data_loss + penalty, data_loss, penalty, accuracy, rate, seconds, absent, absent)
    )
    model.history, model.stop_training = history, False
    if model.accuracy is not None:
        fit_accuracy(model, y)
    return history
