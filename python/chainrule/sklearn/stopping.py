"""When a fit has converged: rules over the losses or the validation scores of its epochs.

An epoch counts as one without improvement where its loss is above ``best - tol``, or its score
below ``best + tol``; after more than `n_iter_no_change` of them in a row the fit stops, or, with
the adaptive rate, goes on at a fifth of the rate until that is below 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .settings import stops_early

LEAST_RATE = 1e-6
ADAPTIVE = 5.0


class LossRule:
    """Watches ``loss_curve_``; `best_loss_` and the count of idle epochs live on the estimator."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def look(self, loss: float) -> None:
        """Count the epoch."""
        estimator = self.estimator
        idle = loss > estimator.best_loss_ - estimator.tol
        estimator._idle_epochs = estimator._idle_epochs + 1 if idle else 0
        if loss < estimator.best_loss_:
            estimator.best_loss_ = loss

    def finish(self) -> None:
        """Nothing to do: the last parameters stay."""


class ScoreRule:
    """Watches a validation score; keeps the parameters of the best epoch and puts them back.

    Parameters
    ----------
    estimator : object
    score : callable
        Returns the epoch's score; NaN is no improvement.
    write_back : callable
        Brings the layers' arrays up to date.
    """

    def __init__(
        self, estimator: Any, score: Callable[[], float], write_back: Callable[[], None]
    ) -> None:
        self.estimator = estimator
        self.score = score
        self.write_back = write_back
        self.arrays = estimator._arrays()
        self.best = [array.copy() for array in self.arrays]

    def look(self, loss: float) -> None:
        """Score and count the epoch."""
        estimator = self.estimator
        score = float(self.score())
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        idle = score < estimator.best_validation_score_ + estimator.tol
        estimator._idle_epochs = estimator._idle_epochs + 1 if idle else 0
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            self.write_back()
            for kept, array in zip(self.best, self.arrays, strict=True):
                np.copyto(kept, array)

    def finish(self) -> None:
        """Put the best epoch's parameters back."""
        for kept, array in zip(self.best, self.arrays, strict=True):
            np.copyto(array, kept)


def begin(estimator: Any) -> None:
    """Set the attributes that the rules go on from, at a first fit."""
    estimator.loss_curve_ = []
    estimator._idle_epochs = 0
    scored = stops_early(estimator)
    estimator.validation_scores_ = [] if scored else None
    estimator.best_validation_score_ = -math.inf if scored else None
    estimator.best_loss_ = None if scored else math.inf


def continue_with(estimator: Any) -> None:
    """Give a later fit what its rule needs, where `early_stopping` was changed in between."""
    scored = stops_early(estimator)
    if scored and estimator.validation_scores_ is None:
        estimator.validation_scores_, estimator.best_validation_score_ = [], -math.inf
        estimator.best_loss_ = None
    if not scored and estimator.best_loss_ is None:
        estimator.best_loss_ = math.inf
        estimator.validation_scores_ = estimator.best_validation_score_ = None


def is_over(estimator: Any, optimizer: Any) -> bool:
    """Tell whether the fit stops here; an adaptive rate is reduced instead, if it can be."""
    if estimator._idle_epochs <= estimator.n_iter_no_change:
        return False
    what = "validation score" if stops_early(estimator) else "loss"
    text = (
        f"{estimator.n_iter_no_change} epochs without an improvement of the {what} "
        f"by {estimator.tol:g}:"
    )
    adaptive = estimator.solver == "sgd" and estimator.learning_rate == "adaptive"
    if not adaptive or estimator.optimizer is not None or optimizer.learning_rate <= LEAST_RATE:
        if estimator.verbose:
            print(f"{text} stopped.")
        return True
    optimizer.learning_rate /= ADAPTIVE
    estimator._idle_epochs = 0
    if estimator.verbose:
        print(f"{text} the learning rate is {optimizer.learning_rate:g} now.")
    return False
