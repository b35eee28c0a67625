"""Decision regions: which class a model sees where, in the plane of its two inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_count, as_real
from .canvas import COLOURS, canvas, pyplot, text_colour, title
from .classes import (
    Labels,
    check_model,
    confidence,
    meaning_of,
    names_of,
    predicted,
    true_classes,
)

MOST_POINTS = 2000
MARGIN = 0.08  # of the range, beyond the outermost points


def decision_regions(
    model: Any, X: Any, y: Any, *, labels: Any = None, resolution: int = 200, axes: Any = None
) -> Any:
    """Draw the regions of the classes that a model of two inputs predicts, and the samples.

    A region is the stronger coloured the surer the model is. Samples that it gets wrong have a
    ring. Of more than 2,000 samples every so many are drawn; the share in the title is of all.

    Parameters
    ----------
    model : Model
    X : array_like (n, 2)
    y : array_like
        Labels (n,), one-hot targets (n, m), or 0/1 for one output.
    labels : sequence of str, optional
        What the classes are called.
    resolution : int
        Points a side of the grid on which the model is asked.
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
        No model of two inputs that predicts classes, or samples that do not fit.
    """
    name = "decision_regions"
    pyplot(name)
    check_model(model, name)
    meaning = meaning_of(model, name)
    points = np.asarray(as_real(X, "X"), dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"X: expected (n, 2) with n at least 1, got {points.shape}")
    side = as_count(resolution, "resolution", 2)
    output = model.predict(points)
    truth, found = true_classes(y, len(points), output.shape[1]), predicted(output, meaning)
    count = max(output.shape[1], 2, int(truth.max()) + 1)
    names = names_of(labels, count)
    box = box_round(points)
    mesh = grid_over(box, side)
    outputs = model.predict(mesh)
    regions = predicted(outputs, meaning).reshape(side, side)
    axes = canvas(axes, name, (5.6, 5.0))
    draw_regions(axes, regions, confidence(outputs, meaning).reshape(side, side), box)
    draw_points(axes, points, truth, found, names)
    axes.set(xlim=box[:2], ylim=box[2:])
    right = int(np.count_nonzero(truth == found))
    share = f"{100 * right / len(points):.1f} %"
    title(axes, f"{share} of {len(points):,} samples right")
    return axes


def box_round(points: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of a box round the points."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.where(high > low, MARGIN * (high - low), 1.0)
    (left, bottom), (right, top) = (low - room).tolist(), (high + room).tolist()
    return left, right, bottom, top


def grid_over(box: tuple[float, float, float, float], side: int) -> NDArray[np.float64]:
    """Return the middles of side x side cells of a box, row by row from below."""
    steps = (np.arange(side) + 0.5) / side
    columns = box[0] + (box[1] - box[0]) * steps
    rows = box[2] + (box[3] - box[2]) * steps
    return np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)


def draw_regions(
    axes: Any, regions: Labels, sure: NDArray[np.float64], box: tuple[float, float, float, float]
) -> None:
    """Paint the cells, and draw the borders of the classes."""
    from matplotlib.colors import to_rgb

    colours = np.array([to_rgb(colour) for colour in COLOURS])
    paint = np.empty((*regions.shape, 4))
    paint[..., :3] = colours[regions % len(COLOURS)]
    paint[..., 3] = 0.08 + 0.37 * sure
    axes.imshow(paint, extent=box, origin="lower", interpolation="nearest", aspect="auto")
    columns = box[0] + (box[1] - box[0]) * (np.arange(regions.shape[1]) + 0.5) / regions.shape[1]
    rows = box[2] + (box[3] - box[2]) * (np.arange(regions.shape[0]) + 0.5) / regions.shape[0]
    for k in np.unique(regions)[1:]:
        axes.contour(
            columns, rows, (regions >= k).astype(np.float64), levels=[0.5],
            colors=[text_colour(axes)], linewidths=0.8, alpha=0.7,
        )  # fmt: skip


def draw_points(
    axes: Any, points: NDArray[np.float64], truth: Labels, found: Labels, names: list[str]
) -> None:
    """Draw the samples in their own class's colour, a ring round those that are wrong."""
    every = slice(None, None, -(-len(points) // MOST_POINTS))
    points, truth, found = points[every], truth[every], found[every]
    for k in np.unique(truth):
        axes.scatter(
            *points[truth == k].T, s=22, color=COLOURS[k % len(COLOURS)], label=names[k],
            edgecolor=axes.get_facecolor(), linewidth=0.6, zorder=3,
        )  # fmt: skip
    wrong = points[truth != found]
    if len(wrong):
        axes.scatter(
            *wrong.T, s=62, facecolor="none", edgecolor=text_colour(axes), linewidth=1.1,
            zorder=4, label="wrong",
        )  # fmt: skip
    if len(names) <= 12:
        axes.legend(loc="best", fontsize="small", framealpha=0.85)
