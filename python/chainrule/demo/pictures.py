"""The demos' pictures, and one look for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import plot
from ..libraries import library

__all__ = ["BLUE", "GREY", "ORANGE", "RED", "digits_picture", "pyplot", "save_picture",
           "sine_picture", "spiral_picture"]  # fmt: skip

BLUE, ORANGE, RED, GREY = "#2462a8", "#e08214", "#c0392b", "#8a8f98"

LOOK: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#b5b9c0",
    "axes.grid": True,
    "axes.labelcolor": "#3b4048",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "font.size": 10,
    "grid.color": "#e6e8eb",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 110,
    "text.color": "#20242a",
    "xtick.color": "#5b616b",
    "ytick.color": "#5b616b",
}


def pyplot() -> Any:
    """matplotlib.pyplot in the package's look.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the text names the extra that brings it.
    """
    plt = library("matplotlib.pyplot", "pictures", "'chainrule[plot]'")
    plt.rcParams.update(LOOK)
    return plt


def save_picture(figure: Any, path: Path) -> Path:
    """Write `figure` to `path` (folders are made), show it where there is a display, close it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt = pyplot()
    if figure.canvas.required_interactive_framework:
        plt.show()
    plt.close(figure)
    return path


def digits_picture(history: Any, model: Any, images: NDArray[Any], truth: NDArray[Any]) -> Any:
    """Loss and accuracy per epoch, the confusion matrix, and some of the misread digits."""
    plt = pyplot()
    figure = plt.figure(figsize=(11.5, 4.9), layout="constrained")
    curves, matrix, mistakes = figure.subfigures(1, 3, width_ratios=[1.05, 1.25, 0.95])
    history.plot(axes=curves.subplots(2, 1, sharex=True))
    axes = plot.confusion(model, images, truth, axes=matrix.subplots())
    axes.grid(False)
    axes.set(xlabel="read as", ylabel="digit")
    axes.set_anchor("N")
    _misread(mistakes, images, truth, np.argmax(model.predict(images), axis=1))
    return figure


def _misread(
    figure: Any, images: NDArray[Any], truth: NDArray[np.int64], read: NDArray[np.int64]
) -> None:
    wrong = np.flatnonzero(truth != read)[:9]
    columns = 2 if len(wrong) <= 6 else 3
    figure.suptitle("Misread digits", x=0.04, ha="left", fontsize=11, fontweight="bold")
    for k, axes in enumerate(figure.subplots(3, columns).flat):
        axes.axis("off")
        if k < len(wrong):
            axes.imshow(images[wrong[k]].reshape(8, 8), cmap="gray_r", interpolation="nearest")
            axes.set_title(
                f"{truth[wrong[k]]} read as {read[wrong[k]]}",
                fontsize=9, fontweight="normal", loc="center",
            )  # fmt: skip


def sine_picture(
    points: tuple[NDArray[Any], NDArray[Any]],
    line: tuple[NDArray[Any], NDArray[Any]],
    losses: NDArray[Any],
) -> Any:
    """The training points, the sine and the prediction; the loss over all steps."""
    plt = pyplot()
    figure, (curve, descent) = plt.subplots(
        1, 2, figsize=(11, 4.2), width_ratios=[1.6, 1], layout="constrained"
    )
    curve.plot(line[0], np.sin(line[0]), ":", color=RED, label="sin x")
    curve.plot(*line, color=BLUE, label="the net's output")
    curve.scatter(*points, s=34, facecolor="white", edgecolor=RED, zorder=3, label="training data")
    curve.set(xlabel="x", title="A 1-10-1 tanh net learns the sine", ylim=(-1.9, 1.9))
    curve.legend(loc="upper center", ncols=3)
    shown = np.unique(np.geomspace(1, len(losses), 2000).astype(np.int64))
    descent.loglog(shown, losses[shown - 1], color=BLUE)
    descent.set(xlabel="step", title="Loss")
    return figure


def spiral_picture(X: NDArray[Any], y: NDArray[Any], history: Any, model: Any) -> Any:
    """The points over the regions that the model gives; loss and accuracy per epoch."""
    plt = pyplot()
    figure = plt.figure(figsize=(10, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.35, 1])
    axes = plot.decision_regions(model, X, y, axes=figure.add_subplot(grid[:, 0]))
    axes.grid(False)
    history.plot(axes=[figure.add_subplot(grid[row, 1]) for row in range(2)])
    return figure
