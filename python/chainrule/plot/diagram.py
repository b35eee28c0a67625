"""The network itself: units as circles, weights as lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model import Model
from ..seeing.stages import Column, columns_of, shown_units
from .canvas import BLUE, GREY, RED, canvas, pyplot, text_colour, title

MOST_UNITS = 16
FAINTEST = 0.06  # of the largest weight: fainter lines are left out


def network(model: Any, *, axes: Any = None) -> Any:
    """Draw the net: a column of circles for the inputs and for each layer with weights.

    A line is a weight: red above 0, blue below, the thicker and stronger the larger it is beside
    the layer's largest. Of a layer with more than 16 units the first 15 and the last are drawn, of
    their weights those of at least 6 % of the largest.

    Parameters
    ----------
    model : Model
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
        No model, or none of its layers has weights (d, m).
    """
    name = "network"
    pyplot(name)
    if not isinstance(model, Model):
        raise TypeError(f"{name}: expected a Model, got {type(model).__name__}")
    columns = columns_of(model.layers)
    if len(columns) < 2:
        raise ValueError(f"{name}: expected a layer with weights (d, m), got none")
    axes = canvas(axes, name, (1.6 + 1.7 * len(columns), 4.6))
    places = [heights(column) for column in columns]
    for k in range(1, len(columns)):
        draw_weights(axes, k, columns, places)
    for k, (column, y) in enumerate(zip(columns, places, strict=True)):
        axes.plot(
            np.full(len(y), k), y, "o", color=axes.get_facecolor(), markersize=9,
            markeredgecolor=text_colour(axes), markeredgewidth=1.2, zorder=3,
        )  # fmt: skip
        if column.size > MOST_UNITS:
            axes.text(k, (y[-1] + y[-2]) / 2, "⋮", ha="center", va="center", zorder=4,
                      color=text_colour(axes), fontsize="large")  # fmt: skip
        axes.text(k, min(-1.12, 0), f"{column.size:,} {column.name}", ha="center", va="top",
                  color=text_colour(axes), fontsize="small")  # fmt: skip
    axes.set(xlim=(-0.45, len(columns) - 0.55), ylim=(-1.3, 1.1))
    axes.set_axis_off()
    title(axes, "-".join(str(column.size) for column in columns))
    return axes


def heights(column: Column) -> Any:
    """Return where the units of a column stand, from 1 down to -1."""
    count = len(shown_units(column.size, MOST_UNITS)) + (column.size > MOST_UNITS)
    y = np.linspace(1, -1, count) if count > 1 else np.zeros(1)
    room = max(1.0, MOST_UNITS / 2 / max(count, 1)) if count < MOST_UNITS / 2 else 1.0
    y = y / room
    return np.delete(y, -2) if column.size > MOST_UNITS else y


def draw_weights(axes: Any, k: int, columns: list[Column], places: list[Any]) -> None:
    """Draw the weights between two columns."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    array = columns[k].weights
    if array is None:
        return
    rows = shown_units(columns[k - 1].size, MOST_UNITS)
    units = shown_units(columns[k].size, MOST_UNITS)
    part = np.asarray(array, dtype=np.float64)[np.ix_(rows, units)]
    part = np.where(np.isfinite(part), part, 0.0)
    largest = float(np.abs(part).max(initial=0.0)) or 1.0
    lines, colours, widths = [], [], []
    for i, j in np.argwhere(np.abs(part) >= FAINTEST * largest):
        size = abs(part[i, j]) / largest
        lines.append([(k - 1, places[k - 1][i]), (k, places[k][j])])
        colours.append(to_rgba(RED if part[i, j] > 0 else BLUE, 0.15 + 0.7 * size))
        widths.append(0.4 + 1.8 * size)
    axes.add_collection(LineCollection(lines, colors=colours or GREY, linewidths=widths or 1))
