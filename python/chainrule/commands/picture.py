"""The report of a training or an evaluation, as a picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..plot.canvas import BLUE, GREY, canvas, grid, legend_above, pyplot, title
from ..plot.predictions import draw_confusion, draw_quantiles, draw_residuals
from ..saving.atomic_file import replace_file
from .report import Curve, Report, short
from .scores import Importance, loss_of

MOST_COLUMNS, MOST_MEMBERS = 15, 8
DOTS = 120  # an inch


def check_picture(path: Path | None) -> None:
    """Refuse a picture that could not be written, before anything takes long.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    ValueError
        matplotlib knows no pictures with this suffix.
    """
    if path is None:
        return
    pyplot("--plot")
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in known:
        raise ValueError(
            f"--plot: expected a name that ends in .{', .'.join(sorted(known))}, got {path}"
        )


def save_picture(report: Report, path: Path) -> None:
    """Draw the report and write it to a file, as a whole."""
    from matplotlib.figure import Figure

    parts = [report.curve is not None, report.importance is not None]
    figure = Figure(figsize=(5.2 * (1 + sum(parts)), 4.8), layout="constrained")
    first, *others = np.ravel(figure.subplots(1, 1 + sum(parts)))
    draw_outcome(first, report)
    if report.curve is not None:
        draw_curve(others.pop(0), report.curve)
    if report.importance is not None:
        draw_importance(others.pop(0), report.importance)
    figure.suptitle(f"{report.title}: {report.rows}", x=0.01, ha="left", fontsize="medium")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lower().lstrip("."), dpi=DOTS)
    replace_file(str(path), buffer.getvalue())


def draw_outcome(axes: Any, report: Report) -> None:
    """Draw the confusion matrix, or the residuals."""
    outcome = report.outcome
    axes = canvas(axes, "--plot")
    if outcome.classes is not None:
        truth, found = (
            np.searchsorted(outcome.classes, each) for each in (outcome.truth, outcome.predicted)
        )
        draw_confusion(axes, truth, found, [short(each, 14) for each in outcome.classes])
        return
    if outcome.levels is not None:
        loss = loss_of(outcome)[1]
        draw_quantiles(axes, outcome.truth[:, None], outcome.predicted, outcome.levels, loss)
        return
    truth, predicted = outcome.truth[:, None], outcome.predicted.reshape(len(outcome.truth), -1)
    draw_residuals(axes, np.broadcast_to(truth, predicted.shape), predicted)


def draw_curve(axes: Any, curve: Curve) -> None:
    """Draw the members' curves and their best epochs."""
    axes = canvas(axes, "--plot")
    epochs = np.arange(1, curve.values.shape[1] + 1)
    for values in curve.values[:MOST_MEMBERS]:
        axes.plot(epochs, values, color=BLUE, alpha=0.75, linewidth=1.2)
    for best in curve.best[:MOST_MEMBERS]:
        axes.axvline(best, color=GREY, linestyle=":", label="best epoch")
    axes.set(xlabel="epoch", ylabel=curve.name)
    legend_above(axes, axes.get_legend_handles_labels()[0][:1])
    title(axes, "learning curve")
    grid(axes)


def draw_importance(axes: Any, importance: Importance) -> None:
    """Draw how much the loss rises when a column is shuffled."""
    axes = canvas(axes, "--plot")
    count = min(len(importance.names), MOST_COLUMNS)
    places = np.arange(count)[::-1]
    axes.barh(
        places, importance.mean[:count], xerr=importance.deviation[:count], color=BLUE,
        error_kw={"ecolor": GREY, "elinewidth": 1.5},
    )  # fmt: skip
    axes.set_yticks(places, [short(name, 20) for name in importance.names[:count]])
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_xlabel(f"rise of the {importance.loss} when shuffled")
    title(axes, "permutation importance")
    grid(axes, "x")
