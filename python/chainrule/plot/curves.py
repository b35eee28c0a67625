"""Learning curves: loss and accuracy over the epochs, on scales chosen from the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import BLUE, GREY, ORANGE, canvas, checked, grid, legend_above, pyplot

MOST_POINTS = 2000
LOG_EPOCHS = 1000  # from so many epochs on the first ones would be a line on the left edge
LOG_RATIO = 20.0  # of the largest to the smallest loss

Floats = NDArray[np.float64]


def history(history: Any, *, axes: Any = None) -> Any:
    """Draw loss and, where there is one, accuracy over the epochs.

    The loss is drawn on a logarithmic scale where its largest value is more than 20 times its
    smallest, epochs where there are more than 1,000. Of more than 2,000 epochs some are left out.

    Parameters
    ----------
    history : History
    axes : matplotlib.axes.Axes or a pair of them, optional
        Where to draw; of a pair the second takes the accuracy. On one axes the accuracy has a scale
        of its own at the right. Without any, a new figure with a panel each.

    Returns
    -------
    matplotlib.axes.Axes
        Those of the loss.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    ValueError
        No epoch.
    """
    name = "History.plot"
    plt = pyplot(name)
    if not len(history):
        raise ValueError(f"{name}: expected at least one epoch, got none")
    recorded = history.recorded()
    has_accuracy = "accuracy" in recorded or "validation_accuracy" in recorded
    if axes is None:
        count = 2 if has_accuracy else 1
        size = (6.4, 2.4 + 1.8 * count)
        figure = plt.figure(figsize=size, layout="constrained")
        axes = list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    elif isinstance(axes, list | tuple | np.ndarray):
        axes = list(np.ravel(np.asarray(axes, dtype=object)))
        if len(axes) != 2:
            raise ValueError(f"axes: expected one or a pair, got {len(axes)}")
    else:
        axes = [axes]
    for each in axes:
        checked(each)
    loss = canvas(axes[0], name)
    shown = chosen_epochs(len(history))
    draw_loss(loss, history, shown)
    lines = list(loss.get_lines())
    bottom = loss
    if has_accuracy and len(axes) == 2:
        bottom = canvas(axes[1], name)
        draw_accuracy(bottom, history, shown, "-")
        grid(bottom)
    elif has_accuracy:
        right = loss.twinx()
        right.spines["top"].set_visible(False)
        draw_accuracy(right, history, shown, "--")
        lines += right.get_lines()
    bottom.set_xlabel("epoch")
    for each in dict.fromkeys((loss, bottom)):
        scale_epochs(each, len(history))
        if history.best_epoch is not None:
            each.axvline(history.best_epoch, color=GREY, linestyle=":", label="best epoch")
    if history.best_epoch is not None:
        lines.append(loss.get_lines()[-1])
    legend_above(loss, lines)
    grid(loss)
    return loss


def draw_loss(axes: Any, history: Any, shown: NDArray[np.int64]) -> None:
    """Draw the losses, and scale y."""
    drawn = draw_columns(axes, history, shown, ("loss", "validation_loss"), "-")
    axes.set_ylabel("loss")
    finite = drawn[np.isfinite(drawn)]
    if finite.size and finite.min() > 0 and finite.max() > LOG_RATIO * finite.min():
        axes.set_yscale("log")


def draw_accuracy(axes: Any, history: Any, shown: NDArray[np.int64], style: str) -> None:
    """Draw the accuracies, and scale y to what of it there is; a share ends at 1."""
    drawn = draw_columns(axes, history, shown, ("accuracy", "validation_accuracy"), style)
    axes.set_ylabel("accuracy")
    finite = drawn[np.isfinite(drawn)]
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    room = max(0.05 * (high - low), 0.005)
    top = 1 + room / 2 if high > 0.5 else high + room
    axes.set_ylim(low - room, max(top, high + room / 2))


def draw_columns(
    axes: Any, history: Any, shown: NDArray[np.int64], names: tuple[str, str], style: str
) -> Floats:
    """Draw the columns that were recorded, training blue and validation orange."""
    drawn = []
    for name, colour in zip(names, (BLUE, ORANGE), strict=True):
        if name in history.recorded():
            values = np.where(np.isfinite(history[name]), history[name], np.nan)[shown - 1]
            marker = "o" if len(shown) < 8 else ""
            label = name.replace("_", " ")
            axes.plot(shown, values, style, color=colour, label=label, marker=marker, markersize=4)
            drawn.append(values)
    return np.concatenate(drawn) if drawn else np.empty(0)


def chosen_epochs(count: int) -> NDArray[np.int64]:
    """Return the epochs, from 1, that are drawn: the first and the last among them."""
    if count <= MOST_POINTS:
        return np.arange(1, count + 1)
    return np.unique(np.geomspace(1, count, MOST_POINTS).round().astype(np.int64))


def scale_epochs(axes: Any, count: int) -> None:
    """Scale x, with whole numbers where epochs are few."""
    from matplotlib.ticker import MaxNLocator

    if count > LOG_EPOCHS:
        axes.set_xscale("log")
    elif axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
