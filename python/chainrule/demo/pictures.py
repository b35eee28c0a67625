"""The demos' pictures, and one look for all of them; the only module that imports matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLUE", "GREY", "ORANGE", "RED", "digits_picture", "pyplot", "save_picture",
           "sine_picture", "spiral_picture"]  # fmt: skip

BLUE, ORANGE, RED, GREY = "#2462a8", "#e08214", "#c0392b", "#8a8f98"
ARMS = ("#2462a8", "#e08214", "#3a8f5b")

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
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "pictures need matplotlib, which is not installed: pip install 'chainrule[plot]'"
        ) from error
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


def digits_picture(
    history: Any,
    images: NDArray[Any],
    truth: NDArray[np.int64],
    read: NDArray[np.int64],
) -> Any:
    """Loss and accuracy per epoch, the confusion matrix, and some of the misread digits."""
    plt = pyplot()
    figure = plt.figure(figsize=(11.5, 4.9), layout="constrained")
    curves, matrix, mistakes = figure.subfigures(1, 3, width_ratios=[1.05, 1.25, 0.95])
    loss, accuracy = curves.subplots(2, 1, sharex=True)
    epochs = np.arange(1, len(history.loss) + 1)
    for axes, name, title in ((loss, "loss", "Loss"), (accuracy, "accuracy", "Accuracy, %")):
        factor = 100 if name == "accuracy" else 1
        axes.plot(epochs, factor * history[name], color=BLUE, label="training")
        axes.plot(epochs, factor * history[f"validation_{name}"], color=ORANGE, label="test")
        axes.set_title(title)
    loss.set_yscale("log")
    accuracy.set_ylim(88, 100.5)
    accuracy.set_xlabel("epoch")
    accuracy.legend(loc="lower right")
    _confusion(matrix.subplots(), truth, read)
    _misread(mistakes, images, truth, read)
    return figure


def _confusion(axes: Any, truth: NDArray[np.int64], read: NDArray[np.int64]) -> None:
    counts = np.zeros((10, 10), dtype=np.int64)
    np.add.at(counts, (truth, read), 1)
    right = np.eye(10, dtype=np.bool_)
    shade = np.where(right, 0.55 * counts / counts.max(), np.where(counts > 0, -0.8, 0.0))
    axes.imshow(shade, cmap="RdBu", vmin=-1.4, vmax=1.4)
    for row, column in np.argwhere(counts > 0):
        axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=9.5)
    axes.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="digit")
    axes.set_title(f"Confusion: {int(counts[right].sum())} of {len(truth)} test digits right")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.set_anchor("N")


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


def spiral_picture(
    X: NDArray[Any], y: NDArray[Any], history: Any, classify: Any, title: str
) -> Any:
    """The points over the regions that `classify` gives; loss and accuracy per epoch."""
    plt = pyplot()
    from matplotlib.colors import ListedColormap

    figure = plt.figure(figsize=(10, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.35, 1])
    axes = figure.add_subplot(grid[:, 0])
    side = np.linspace(-1.15, 1.15, 400)
    mesh = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    regions = classify(mesh).reshape(400, 400)
    colors = ListedColormap(ARMS)
    axes.imshow(
        regions, extent=(-1.15, 1.15, -1.15, 1.15), origin="lower", cmap=colors, alpha=0.28,
        vmin=0, vmax=2,
    )  # fmt: skip
    axes.scatter(*X.T, c=y, cmap=colors, s=16, edgecolor="white", linewidth=0.5, vmin=0, vmax=2)
    axes.set_title(title)
    axes.grid(False)
    for row, name, label in ((0, "loss", "Loss"), (1, "accuracy", "Accuracy, %")):
        curve = figure.add_subplot(grid[row, 1])
        values = history[name] * (100 if row else 1)
        curve.plot(np.arange(1, len(values) + 1), values, color=BLUE)
        curve.set_title(label)
    curve.set_xlabel("epoch")
    return figure
