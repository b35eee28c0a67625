"""The report of a training or an evaluation, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from .scores import Importance, Outcome, confusion_of, scores_of

WIDEST = 24  # characters of a name
MOST_CLASSES, MOST_COLUMNS, CURVE_ROWS, BAR = 12, 20, 9, 24
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Curve(NamedTuple):
    """The metric of held-out rows after each epoch, a row a member (k, epochs), and the best."""

    name: str
    values: Array
    best: Array


class Report(NamedTuple):
    """What is reported: `rows` says which rows the outcome is of."""

    title: str
    rows: str
    outcome: Outcome
    curve: Curve | None
    importance: Importance | None

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text."""
        yield f"Scores on {self.rows}"
        yield from score_lines(self.outcome)
        yield ""
        yield from (
            confusion_lines(self.outcome)
            if self.outcome.classes is not None
            else (residual_lines(self.outcome))
        )
        if self.curve is not None and np.isfinite(self.curve.values).any():
            yield ""
            yield from curve_lines(self.curve)
        if self.importance is not None:
            yield ""
            yield from importance_lines(self.importance)


def curve_of(estimator: Any) -> Curve | None:
    """Return an estimator's learning curve; None where no rows were held out."""
    if hasattr(estimator, "members_"):
        values = np.asarray(estimator.validation_curve_)
        if not estimator._classifies:
            name = "RMSE" if estimator.quantiles is None else "pinball loss"
        else:
            name = estimator.metric.replace("_", " ")
        return Curve(f"{name} of held-out rows", values, np.asarray(estimator.best_epoch_))
    losses = getattr(estimator, "loss_curve_", None)
    if not losses:
        return None
    return Curve("loss", np.array([losses]), np.array([1 + int(np.argmin(losses))]))


def short(text: Any, width: int = WIDEST) -> str:
    """Return a text of at most so many characters."""
    text = str(text)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def number(value: float) -> str:
    """Return a number in four significant digits, without an exponent where it is moderate."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    size = abs(value)
    if not 1e-4 <= size < 1e7:
        return f"{value:.3e}"
    return f"{value:,.{max(0, 3 - int(np.floor(np.log10(size))))}f}"


def score_lines(outcome: Outcome) -> Iterator[str]:
    """Yield the scores beside those of a guess."""
    rows = scores_of(outcome)
    guess = "most frequent class" if outcome.classes is not None else "same for all"
    yield f"  {'':{WIDEST}}{'model':>10}{guess:>22}"
    for name, score, usual in rows:
        text = "" if usual is None else number(usual)
        yield f"  {name:{WIDEST}}{number(score):>10}{text:>22}".rstrip()


def confusion_lines(outcome: Outcome) -> Iterator[str]:
    """Yield the confusion matrix; of many classes the pairs that are most often confused."""
    counts, classes = confusion_of(outcome), outcome.classes
    assert classes is not None
    names = [short(each, 12) for each in classes]
    if len(names) > MOST_CLASSES:
        yield "Most often confused (true -> predicted)"
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        places = np.argsort(-wrong, axis=None, kind="stable")[:10]
        for row, column in zip(*np.unravel_index(places, wrong.shape), strict=True):
            if wrong[row, column]:
                yield f"  {names[row]} -> {names[column]}: {wrong[row, column]:,}"
        return
    width = max(*(len(name) for name in names), len(f"{counts.max():,}"), 5) + 2
    first = max(*(len(name) for name in names), 6)
    yield "Confusion (rows: true, columns: predicted)"
    yield f"  {'':{first}}" + "".join(f"{name:>{width}}" for name in names) + f"{'recall':>9}"
    for name, row, right in zip(names, counts, np.diag(counts), strict=True):
        share = f"{right / row.sum():.1%}" if row.sum() else "-"
        yield f"  {name:{first}}" + "".join(f"{count:>{width},}" for count in row) + f"{share:>9}"


def residual_lines(outcome: Outcome) -> Iterator[str]:
    """Yield how the residuals spread; of quantiles those of the one that is nearest to 1/2."""
    predicted, what = outcome.predicted, "prediction"
    if outcome.levels is not None:
        place = int(np.argmin(np.abs(outcome.levels - 0.5)))
        predicted, what = predicted[:, place], f"{outcome.levels[place]:g} quantile"
    left = outcome.truth - predicted
    yield f"Residuals (target - {what})"
    yield (
        f"  {'mean':>12}"
        + "".join(f"{f'{share:.0%}':>12}" for share in SHARES)
        + (f"{'largest':>12}")
    )
    values = [left.mean(), *np.quantile(left, SHARES), left[np.argmax(np.abs(left))]]
    yield "  " + "".join(f"{number(float(value)):>12}" for value in values)


def curve_lines(curve: Curve) -> Iterator[str]:
    """Yield some epochs of the mean of the members' curves, and the best epochs."""
    known = np.isfinite(curve.values).any(axis=0)
    count = int(np.flatnonzero(known)[-1]) + 1
    mean = np.nanmean(curve.values[:, :count], axis=0)
    epochs = np.unique(np.geomspace(1, count, CURVE_ROWS).round().astype(int))
    best = ", ".join(map(str, curve.best[:12])) + (", ..." if len(curve.best) > 12 else "")
    yield f"Learning curve ({curve.name}; best epoch {best})"
    yield "  epoch " + "".join(f"{epoch:>10}" for epoch in epochs)
    yield "        " + "".join(f"{number(float(mean[epoch - 1])):>10}" for epoch in epochs)


def importance_lines(importance: Importance) -> Iterator[str]:
    """Yield what each column brings, with bars."""
    repeats = f"{importance.rows:,} rows, mean and deviation of repeats"
    yield f"Permutation importance (rise of the {importance.loss} when shuffled; {repeats})"
    largest = float(np.abs(importance.mean).max(initial=1e-300))
    places = int(np.clip(3 - np.floor(np.log10(largest)), 0, 9))  # four digits of the largest
    rows = list(zip(importance.names, importance.mean, importance.deviation, strict=True))
    for name, mean, deviation in rows[:MOST_COLUMNS]:
        bar = "#" * round(BAR * max(mean, 0) / largest)
        values = f"{mean:>10,.{places}f} +-{deviation:<9,.{places}f}"
        yield f"  {short(name):{WIDEST}}{values}{bar}".rstrip()
    if len(rows) > MOST_COLUMNS:
        yield f"  ... and {len(rows) - MOST_COLUMNS} more columns"


def table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield lines of a word and a text."""
    for word, text in rows:
        yield f"{word:10}{text}"
