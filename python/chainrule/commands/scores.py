"""What predictions are worth: scores beside those of a guess, and what each column brings."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array

LEAST = float(np.finfo(np.float64).eps)  # a probability counts as at least so much
IMPORTANCE_ROWS, REPEATS = 2000, 5


class Outcome(NamedTuple):
    """Rows with what is true and what is predicted.

    `predicted` are labels or values (n,), or quantiles (n, q); `probabilities` (n, K) or None;
    `levels` the quantiles' levels or None; `guess` what is predicted without any column: shares of
    classes (K,), or values, one a level.
    """

    truth: Array
    predicted: Array
    weight: Array | None
    classes: Array | None
    probabilities: Array | None
    levels: Array | None
    guess: Array


def outcome_of(estimator: Any, X: Any, y: Array, weight: Array | None, guess: Array) -> Outcome:
    """Return what an estimator predicts for rows.

    Raises
    ------
    ValueError
        Labels that it does not know.
    """
    classes = getattr(estimator, "classes_", None)
    if classes is not None and not np.all(known := np.isin(y, classes)):
        raise ValueError(f"target: expected classes of the model, got {y[~known].tolist()[0]!r}")
    levels = levels_of(estimator)
    predicted = estimator.predict(X)
    has_shares = classes is not None and hasattr(estimator, "predict_proba")
    shares = estimator.predict_proba(X) if has_shares else None
    return Outcome(y, predicted, weight, classes, shares, levels, guess)


def levels_of(estimator: Any) -> Array | None:
    """Return the levels of an estimator's quantiles, None where it has none."""
    given = getattr(estimator, "quantiles", None)
    if given is None:
        given = getattr(getattr(estimator, "loss", None), "quantiles", None)
    return None if given is None else np.asarray(given, dtype=np.float64)


def guess_of(y: Array, classes: Array | None, levels: Array | None) -> Array:
    """Return what is predicted for every row without looking at it, from targets y (n,)."""
    if classes is not None:
        return np.array([np.mean(y == each) for each in classes])
    if levels is not None:
        return np.quantile(y, levels)
    return np.array([np.mean(y)])


def log_loss(shares: Array, places: Array, weight: Array | None) -> float:
    """Return the mean of ``-log p`` of the true classes."""
    of_truth = shares[np.arange(len(places)), places]
    return float(np.average(-np.log(np.maximum(of_truth, LEAST)), weights=weight))


def pinball(predicted: Array, y: Array, levels: Array, weight: Array | None) -> float:
    """Return the mean pinball loss of quantiles (n, q)."""
    left = y[:, None] - predicted
    losses = np.maximum(levels * left, (levels - 1) * left).mean(axis=1)
    return float(np.average(losses, weights=weight))


def loss_of(outcome: Outcome) -> tuple[str, float]:
    """Return the name and the value of the loss that counts."""
    if outcome.classes is not None:
        places = np.searchsorted(outcome.classes, outcome.truth)
        if outcome.probabilities is not None:
            return "log loss", log_loss(outcome.probabilities, places, outcome.weight)
        wrong = outcome.predicted != outcome.truth
        return "share of errors", float(np.average(wrong, weights=outcome.weight))
    if outcome.levels is not None:
        found = pinball(outcome.predicted, outcome.truth, outcome.levels, outcome.weight)
        return "pinball loss", found
    left = np.square(outcome.truth - outcome.predicted)
    return "RMSE", float(np.sqrt(np.average(left, weights=outcome.weight)))


def scores_of(outcome: Outcome) -> list[tuple[str, float, float | None]]:
    """Return rows of a name, the score, and that of a guess."""
    if outcome.classes is not None:
        return class_scores(outcome)
    return value_scores(outcome)


def class_scores(outcome: Outcome) -> list[tuple[str, float, float | None]]:
    """Return accuracies, log loss and the area under the ROC curve."""
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    classes, weight = outcome.classes, outcome.weight
    assert classes is not None
    places = np.searchsorted(classes, outcome.truth)
    usual = classes[int(np.argmax(outcome.guess))]
    rows: list[tuple[str, float, float | None]] = [
        (
            "accuracy",
            float(np.average(outcome.predicted == outcome.truth, weights=weight)),
            float(np.average(outcome.truth == usual, weights=weight)),
        )
    ]
    present = np.unique(places)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that no row of these has
        balanced = balanced_accuracy_score(outcome.truth, outcome.predicted, sample_weight=weight)
    rows.append(("balanced accuracy", float(balanced), 1 / len(present)))
    if outcome.probabilities is None:
        return rows
    guess = np.broadcast_to(outcome.guess, outcome.probabilities.shape)
    rows.append(("log loss", loss_of(outcome)[1], log_loss(guess, places, weight)))
    if len(present) == len(classes) > 1:
        shares = outcome.probabilities
        area = roc_auc_score(
            places,
            shares[:, 1] if len(classes) == 2 else shares / shares.sum(axis=1, keepdims=True),
            multi_class="ovr",
            sample_weight=weight,
        )
        rows.append(("area under ROC", float(area), 0.5))
    return rows


def value_scores(outcome: Outcome) -> list[tuple[str, float, float | None]]:
    """Return R2, RMSE and mean error; of quantiles the pinball loss and the shares below."""
    truth, weight = outcome.truth, outcome.weight
    if outcome.levels is not None:
        predicted = outcome.predicted
        guess = np.broadcast_to(outcome.guess, predicted.shape)
        usual = pinball(guess, truth, outcome.levels, weight)
        rows: list[tuple[str, float, float | None]] = [("pinball loss", loss_of(outcome)[1], usual)]
        for level, column in zip(outcome.levels, predicted.T, strict=True):
            below = float(np.average(truth <= column, weights=weight))
            rows.append((f"below the {level:g} quantile", below, None))
        return rows
    left, usual_left = truth - outcome.predicted, truth - outcome.guess[0]
    error = np.average(np.square(left), weights=weight)
    spread = np.average(np.square(truth - np.average(truth, weights=weight)), weights=weight)
    r2 = float(1 - error / spread) if spread > 0 else float("nan")
    usual_error = np.average(np.square(usual_left), weights=weight)
    return [
        ("R2", r2, float(1 - usual_error / spread) if spread > 0 else float("nan")),
        ("RMSE", float(np.sqrt(error)), float(np.sqrt(usual_error))),
        (
            "mean absolute error",
            float(np.average(np.abs(left), weights=weight)),
            float(np.average(np.abs(usual_left), weights=weight)),
        ),
    ]


def confusion_of(outcome: Outcome) -> Array:
    """Return how many rows of each class (K, K) are taken for each class."""
    classes = outcome.classes
    assert classes is not None
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    places = (np.searchsorted(classes, each) for each in (outcome.truth, outcome.predicted))
    np.add.at(counts, tuple(places), 1)
    return counts


class Importance(NamedTuple):
    """How much the loss rises when a column is shuffled: mean and deviation over repeats."""

    loss: str
    names: list[str]
    mean: Array
    deviation: Array
    rows: int


def importance_of(
    estimator: Any, X: Any, y: Array, weight: Array | None, guess: Array, seed: int
) -> Importance:
    """Return the permutation importance of each column, largest first, by scikit-learn.

    Of more than 2,000 rows as many are drawn.
    """
    from sklearn.inspection import permutation_importance

    rng = np.random.RandomState(seed % 2**32)
    if len(y) > IMPORTANCE_ROWS:
        chosen = np.sort(rng.permutation(len(y))[:IMPORTANCE_ROWS])
        X, y = X.iloc[chosen] if hasattr(X, "iloc") else X[chosen], y[chosen]
        weight = None if weight is None else weight[chosen]
    name = loss_of(outcome_of(estimator, X, y, weight, guess))[0]

    def score(estimator: Any, X: Any, y: Array) -> float:
        return -loss_of(outcome_of(estimator, X, y, weight, guess))[1]

    found = permutation_importance(
        estimator, X, y, scoring=score, n_repeats=REPEATS, random_state=rng
    )
    order = np.argsort(-found.importances_mean, kind="stable")
    columns = getattr(X, "columns", None)
    names = [f"x{k}" for k in range(X.shape[1])] if columns is None else list(columns)
    return Importance(
        name,
        [names[k] for k in order],
        found.importances_mean[order],
        found.importances_std[order],
        len(y),
    )
