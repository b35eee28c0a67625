"""Scores of a whole pass: no mean over batches gives them, so they keep what they need.

``calculate`` gives the batch's value, ``calculate_accumulated`` that of all since `new_pass`. Both
take the last layer's outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, as_real
from ..errors import label_of, labelled
from ..losses.domains import check_domain
from .accuracies import Accuracy, same_shape

__all__ = ["Accuracy_AUC", "Accuracy_R2"]


class Spread:
    """Sums of squares of targets and of residuals, column by column, batch after batch.

    Two parts with counts n and k and a difference d of their means have together the squares of
    both plus ``d^2 n k / (n + k)`` (Chan, Golub, LeVeque, 1979): no large sums cancel.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Any = 0.0
        self.squares: Any = 0.0
        self.residuals: Any = 0.0

    def add(self, predictions: Array, targets: Array) -> None:
        """Take in a batch, both (k, m) float64."""
        k, mean = len(targets), targets.mean(axis=0)
        difference, total = mean - self.mean, self.count + k
        self.squares = (
            self.squares
            + np.square(targets - mean).sum(axis=0)
            + difference**2 * (self.count * k / total)
        )
        self.mean = self.mean + difference * (k / total)
        self.residuals = self.residuals + np.square(predictions - targets).sum(axis=0)
        self.count = total

    def score(self) -> Any:
        """Return the mean over columns of 1 - residuals / squares; NaN below two samples.

        A column of equal targets scores 1 where it is met exactly, else 0.
        """
        if self.count < 2:
            return np.float64(np.nan)
        flat = np.asarray(self.squares == 0)
        ratio = self.residuals / np.where(flat, 1.0, self.squares)
        return np.float64(np.where(flat, self.residuals == 0, 1 - ratio).mean())


class Accuracy_R2(Accuracy):
    """``1 - sum (y - p)^2 / sum (y - mean y)^2``, the mean over the output's columns.

    1 where every prediction is exact, 0 for the best constant, below 0 for worse ones; NaN for
    fewer than two samples.
    """

    takes_outputs = True
    spread: Spread

    def calculate(self, predictions: Any, y: Any) -> Any:
        """Return the batch's score, and add it to the pass.

        Raises
        ------
        ValueError
            No prediction, or shapes that do not fit.
        """
        with labelled(label_of(self)):
            predicted, targets = same_shape(predictions, y)
        self.accumulate(0.0, predicted.size, "prediction")
        columns = [each.reshape(len(each), -1).astype(np.float64) for each in (predicted, targets)]
        batch = Spread()
        batch.add(*columns)
        self.__dict__.setdefault("spread", Spread()).add(*columns)
        return batch.score()

    def calculate_accumulated(self) -> Any:
        """Return the score of all samples since `new_pass`.

        Raises
        ------
        ValueError
            Nothing was calculated since `new_pass`.
        """
        self.accumulated_mean()
        return self.spread.score()

    def new_pass(self) -> None:
        """Forget what was added."""
        super().new_pass()
        self.spread = Spread()


class Accuracy_AUC(Accuracy):
    """Area under the ROC curve of two classes: how often a 1 scores above a 0; ties count half.

    By ranks: ``(R - k (k + 1) / 2) / (k (n - k))`` with R the sum of the ranks of the k samples of
    class 1. NaN where one class is missing. Labels are 0 and 1, or -1 and 1; the outputs are
    (n,), (n, 1), or (n, 2), whose second column counts.

    References
    ----------
    Mann, Whitney (1947); Hanley, McNeil (1982).
    """

    takes_outputs = True
    kept: list[tuple[Array, Array]]

    def calculate(self, predictions: Any, y: Any) -> Any:
        """Return the batch's area, and keep scores and labels for the pass.

        Raises
        ------
        ValueError
            No prediction, shapes that do not fit, or other labels.
        """
        with labelled(label_of(self)):
            batch = scores_and_labels(predictions, y)
        self.accumulate(0.0, len(batch[0]), "prediction")
        self.__dict__.setdefault("kept", []).append(batch)
        return area(*batch)

    def calculate_accumulated(self) -> Any:
        """Return the area of all samples since `new_pass`.

        Raises
        ------
        ValueError
            Nothing was calculated since `new_pass`.
        """
        self.accumulated_mean()
        scores, labels = zip(*self.kept, strict=True)
        return area(np.concatenate(scores), np.concatenate(labels))

    def new_pass(self) -> None:
        """Forget scores and labels."""
        super().new_pass()
        self.kept = []

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without what a pass has kept."""
        state = self.__dict__.copy()
        if state.pop("kept", []):
            state.update(accumulated_sum=0.0, accumulated_count=0)
        return state


def scores_and_labels(outputs: Any, y: Any) -> tuple[Array, Array]:
    """Return copies of the scores (n,) and of where the class is 1, (n,)."""
    scores, targets = as_real(outputs, "outputs"), as_real(y, "y")
    if scores.ndim == 2 and scores.shape[1] in (1, 2):
        if targets.shape == scores.shape:
            targets = targets[:, -1]
        scores = scores[:, -1]
    if scores.ndim != 1:
        raise ValueError(f"outputs: expected (n,), (n, 1) or (n, 2), got {scores.shape}")
    scores, targets = same_shape(scores, targets)
    check_domain(targets, "y", "signs")
    return np.array(scores), targets > 0


def area(scores: Array, is_one: Array) -> Any:
    """Return the area under the ROC curve of scores (n,), NaN where it is not defined."""
    ones = int(np.count_nonzero(is_one))
    zeros = len(is_one) - ones
    if not ones or not zeros or np.isnan(scores).any():
        return np.float64(np.nan)
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # of equal scores the mean
    of_ones = float(ranks[places.reshape(-1)][is_one].sum())
    return np.float64((of_ones - ones * (ones + 1) / 2) / (ones * zeros))
