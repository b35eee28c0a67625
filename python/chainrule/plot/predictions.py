"""What a model predicts beside what is true: counts of classes, residuals of values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, as_real
from ..shapes import as_rows
from .canvas import BLUE, COLOURS, GREY, canvas, grid, legend_above, pyplot, text_colour, title
from .classes import check_model, meaning_of, names_of, predicted, true_classes

MOST_NUMBERS = 20  # classes up to which each count is written
MOST_POINTS = 5000
MOST_OUTPUTS = 8  # that have a colour of their own


def confusion(model: Any, X: Any, y: Any, *, labels: Any = None, axes: Any = None) -> Any:
    """Draw how often samples of each class are taken for each class.

    A row is a true class, a column what the model says; right answers are blue, wrong ones red.

    Parameters
    ----------
    model : Model
    X : array_like (n, d)
    y : array_like
        Labels (n,), one-hot targets (n, m), or 0/1 for one output.
    labels : sequence of str, optional
        What the classes are called.
    axes : matplotlib.axes.Axes, optional
        A new figure without it.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError, ValueError
        No model that predicts classes, or samples that do not fit.
    """
    name = "confusion"
    pyplot(name)
    check_model(model, name)
    meaning = meaning_of(model, name)
    output = model.predict(as_rows(model.layers, X, "X"))
    truth, found = true_classes(y, len(output), output.shape[1]), predicted(output, meaning)
    if not len(truth):
        raise ValueError("X: expected at least one sample, got none")
    count = max(output.shape[1], 2, int(truth.max()) + 1)
    names = names_of(labels, count)[:count]
    return draw_confusion(canvas(axes, name, (5.4, 5.2)), truth, found, names)


def draw_confusion(axes: Any, truth: Array, found: Array, names: list[str]) -> Any:
    """Draw how often each class of `truth` (n,) is taken for each of `found` (n,); return axes."""
    count = len(names)
    counts = np.zeros((count, count), dtype=np.int64)
    np.add.at(counts, (truth, found), 1)
    right = np.eye(count, dtype=np.bool_)
    strength = counts / max(int(counts.max()), 1)
    wrong = counts / max(int(counts[~right].max(initial=0)), 1)
    shade = np.where(right, -0.2 - 0.6 * strength, 0.15 + 0.6 * wrong)
    shade = np.where(counts > 0, shade, np.nan)  # no colour, whatever the background
    axes.imshow(shade, cmap="RdBu_r", vmin=-1.2, vmax=1.2, interpolation="nearest")
    if count <= MOST_NUMBERS:
        for row, column in np.argwhere(counts > 0):
            light = abs(shade[row, column]) > 0.6
            axes.text(
                column, row, f"{counts[row, column]}", ha="center", va="center",
                fontsize="small", color="white" if light else "#20242a",
            )  # fmt: skip
        axes.set_xticks(range(count), names, rotation=45 if max(map(len, names)) > 3 else 0)
        axes.set_yticks(range(count), names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.tick_params(length=0)
    hits = int(counts[right].sum())
    title(axes, f"{hits:,} of {len(truth):,} right ({100 * hits / len(truth):.1f} %)")
    return axes


def residuals(model: Any, X: Any, y: Any, *, axes: Any = None) -> Any:
    """Draw the residuals, target minus prediction, over the predictions.

    A good fit scatters about the line at 0, without a shape. The shaded band is one root mean
    square error on each side. Of more than 5,000 values every so many are drawn.

    Parameters
    ----------
    model : Model
    X : array_like (n, d)
    y : array_like (n,) or (n, m)
    axes : matplotlib.axes.Axes, optional
        A new figure without it.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError, ValueError
        No model, or targets that do not have the shape of its output.
    """
    name = "residuals"
    pyplot(name)
    check_model(model, name)
    output = np.asarray(model.predict(as_rows(model.layers, X, "X")), dtype=np.float64)
    targets = np.asarray(as_real(y, "y"), dtype=np.float64)
    if targets.ndim == 1 and output.shape == (*targets.shape, 1):
        targets = targets.reshape(output.shape)
    if targets.shape != output.shape or not len(output):
        raise ValueError(f"y: expected {output.shape} with a sample at least, got {targets.shape}")
    return draw_residuals(canvas(axes, name), targets, output)


def draw_quantiles(axes: Any, targets: Array, output: Array, levels: Array, loss: float) -> Any:
    """Draw targets (n, 1) over the median of quantiles (n, q), with the outer two; return axes.

    Each quantile's name tells the share of the targets that are at most there.
    """
    order = np.argsort(levels)
    middle = output[:, order[len(order) // 2]]
    every = slice(None, None, -(-len(output) // MOST_POINTS))
    rows = np.argsort(middle, kind="stable")[every]
    axes.plot(middle[rows], targets[rows, 0], ".", color=BLUE, alpha=0.8, markersize=7,
              markeredgewidth=0, label="target")  # fmt: skip
    for place, k in enumerate(order):
        below = float(np.mean(targets[:, 0] <= output[:, k]))
        axes.plot(middle[rows], output[rows, k], "-" if 2 * place + 1 == len(order) else ".",
                  color=COLOURS[1 + place % (len(COLOURS) - 1)], markersize=3, linewidth=1,
                  label=f"{levels[k]:g} quantile ({below:.0%} below)")  # fmt: skip
    axes.set(xlabel=f"{levels[order[len(order) // 2]]:g} quantile", ylabel="target, quantiles")
    title(axes, f"quantiles, pinball loss {loss:.3g}")
    grid(axes)
    axes.legend(fontsize="small")
    return axes


def draw_residuals(axes: Any, targets: Array, output: Array) -> Any:
    """Draw targets minus outputs (n, m) over the outputs; return axes."""
    left = targets - output
    error = float(np.sqrt(np.mean(np.square(left))))
    total = float(np.sum(np.square(targets - targets.mean(axis=0))))
    several = 1 < output.shape[1] <= MOST_OUTPUTS
    every = slice(None, None, -(-output.size // MOST_POINTS))
    axes.axhspan(-error, error, color=GREY, alpha=0.15, linewidth=0)
    axes.axhline(0, color=text_colour(axes), linewidth=1)
    for j in range(output.shape[1]):
        axes.plot(
            output[every, j], left[every, j], ".", color=COLOURS[j] if several else BLUE,
            alpha=0.8, markersize=7, markeredgewidth=0, label=f"output {j}" if several else "_",
        )  # fmt: skip
    axes.set(xlabel="prediction", ylabel="target − prediction")
    text = f"root mean square error {error:.3g}"
    if total > 0:
        text += f", R² {1 - float(np.sum(np.square(left))) / total:.3f}"
    title(axes, text)
    grid(axes)
    if several:
        legend_above(axes)
        axes.set_title("", loc="left")
        axes.set_xlabel(f"prediction ({text})")
    return axes
