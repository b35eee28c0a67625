"""Validation scores: those that the plan's own validation tells, and those of any scorer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer, r2_score

from ..arrays import Array
from ..history import COLUMNS
from ..losses import Loss_MeanSquaredError
from ..metrics import Accuracy_Categorical
from .heads import Head
from .settings import stops_early
from .validation import Validation

VALIDATION_LOSS = COLUMNS.index("validation_loss")
VALIDATION_ACCURACY = COLUMNS.index("validation_accuracy")


def scorer_for(
    estimator: Any, head: Head, validation: Validation, epochs: Any, write_back: Any
) -> Callable[[], float]:
    """Return a function that scores the epoch that has just ended.

    Accuracy without weights and R2 of one output with the squared error come from the plan; all
    else from predictions with the parameters as they are.
    """
    if not isinstance(estimator.early_stopping, bool | np.bool_):
        return by_scorer(estimator, validation, write_back)
    if estimator._classifies:
        if estimator.model_.accuracy is not None:
            return lambda: float(epochs.last(VALIDATION_ACCURACY))
        return by_labels(estimator, validation, write_back)
    if isinstance(head.loss, Loss_MeanSquaredError) and validation.targets.shape[1] == 1:
        total = spread(validation.targets[:, 0], validation.weight)
        if total > 0:
            return lambda: 1.0 - epochs.last(VALIDATION_LOSS) / head.loss_factor / total
    return by_values(estimator, validation, write_back)


def usual_accuracy(estimator: Any) -> Accuracy_Categorical | None:
    """Return the accuracy of a classifier's net that counts what `score` counts; else None."""
    if not estimator._classifies or estimator._labels.kind == "multilabel":
        return None
    if estimator.out_activation_ == "logistic":
        return Accuracy_Categorical(binary=True)
    return Accuracy_Categorical() if estimator._head.labels else None


def counts_hits(estimator: Any, validation: Validation | None) -> bool:
    """Tell whether the plan's own count of hits is what an early stop goes by."""
    by_default = isinstance(estimator.early_stopping, bool | np.bool_) and stops_early(estimator)
    return by_default and validation is not None and validation.weight is None


def spread(y: Array, weight: Array | None) -> float:
    """Return the variance of y, in double, with weights or without."""
    values = y.astype(np.float64, copy=False)
    mean = np.average(values, weights=weight)
    return float(np.average((values - mean) ** 2, weights=weight))


def by_scorer(estimator: Any, validation: Validation, write_back: Any) -> Callable[[], float]:
    """Return the score that scikit-learn's scorer gives, named or any callable (est, X, y)."""
    given = estimator.early_stopping
    scorer = get_scorer(given) if isinstance(given, str) else given
    weights = {}
    if validation.weight is not None and takes_weights(scorer):
        weights = {"sample_weight": validation.weight}

    def score() -> float:
        write_back()
        return float(scorer(estimator, validation.X, validation.y, **weights))

    return score


def takes_weights(scorer: Any) -> bool:
    """Tell whether a scorer has a parameter `sample_weight`; scikit-learn's own have."""
    if hasattr(scorer, "_score_func"):
        return "sample_weight" in inspect.signature(scorer._score_func).parameters
    return "sample_weight" in inspect.signature(scorer).parameters


def by_labels(estimator: Any, validation: Validation, write_back: Any) -> Callable[[], float]:
    """Return the share of samples all of whose labels are predicted, by weight."""

    def score() -> float:
        write_back()
        predicted: Array = estimator.predict(validation.X)
        same: Any = predicted == validation.y
        if same.ndim == 2:
            same = same.all(axis=1)
        return float(np.average(same, weights=validation.weight))

    return score


def by_values(estimator: Any, validation: Validation, write_back: Any) -> Callable[[], float]:
    """Return R2 of the predictions; NaN where one is NaN."""

    def score() -> float:
        write_back()
        predicted = estimator.predict(validation.X)
        if np.isnan(predicted).any():
            return float("nan")
        return float(r2_score(validation.y, predicted, sample_weight=validation.weight))

    return score
