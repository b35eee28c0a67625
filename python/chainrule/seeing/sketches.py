"""Small pictures in SVG for what a notebook shows: curves, a histogram, a net.

No library draws them, so that they are there without matplotlib. The background is transparent;
lines and letters are of middling lightness. Coordinates are rounded to tenths: it saves half.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .binning import binned
from .stages import Column, shown_units

BLUE, ORANGE, RED, GREY = "#2f7fd1", "#e08214", "#d6404e", "#80858d"
MOST_POINTS = 160  # of a curve
MOST_UNITS = 10  # of a column
MOST_COLUMNS = 9
MOST_LINES = 24  # between two columns
BINS = 28

Floats = NDArray[np.float64]


def document(width: float, height: float, parts: Sequence[str]) -> str:
    """Return an SVG document of a size in pixels."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="11">'
        f"{''.join(parts)}</svg>"
    )


def letters(x: float, y: float, text: str, anchor: str = "start", colour: str = GREY) -> str:
    """Return a text whose baseline is at y."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{html.escape(text)}</text>"


def line(points: Sequence[tuple[float, float]], colour: str, more: str = "") -> str:
    """Return a line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}"{more}/>'


def curves(columns: dict[str, Floats]) -> str:
    """Draw up to two columns over the epochs; logarithmic if all is above 0 and spread widely."""
    width, height, left, top, bottom = 420.0, 150.0, 56.0, 20.0, 18.0
    found = np.concatenate([values[np.isfinite(values)] for values in columns.values()])
    parts = [line([(left, top), (left, height - bottom), (width, height - bottom)], GREY)]
    if not found.size:
        return document(width, height, parts)
    logarithmic = bool(found.min() > 0 and found.max() > 20 * found.min())
    low, high = float(found.min()), float(found.max())
    count = max(len(values) for values in columns.values())

    def place(epochs: Any, values: Any) -> list[tuple[float, float]]:
        scaled = np.log(values) if logarithmic else values
        ends = np.log([low, high]) if logarithmic else np.array([low, high])
        span = float(ends[1] - ends[0]) or 1.0
        x = left + 4 + (width - left - 10) * (epochs / max(count - 1, 1))
        y = height - bottom - 5 - (height - top - bottom - 10) * (scaled - ends[0]) / span
        return list(zip(x.tolist(), y.tolist(), strict=True))

    for k, (name, values) in enumerate(columns.items()):
        colour = (BLUE, ORANGE)[k]
        chosen = np.unique(np.linspace(0, len(values) - 1, MOST_POINTS).round().astype(np.int64))
        chosen = chosen[np.isfinite(values[chosen])]
        points = place(chosen, values[chosen])
        parts.append(line(points * (2 if len(points) == 1 else 1), colour, ' stroke-width="1.6"'))
        parts.append(letters(left + 6 + 110 * k, 12, name, colour=colour))
    parts.append(letters(left - 5, top + 9, f"{high:.3g}", "end"))
    parts.append(letters(left - 5, height - bottom - 2, f"{low:.3g}", "end"))
    parts.append(letters(width - 2, height - 5, f"epoch {count:,}", "end"))
    parts.append(letters(left + 2, height - 5, "logarithmic" if logarithmic else "linear"))
    return document(width, height, parts)


def histogram(values: Any) -> tuple[str, float, float]:
    """Draw how the finite values are spread; return also the least and the greatest of them."""
    width, height, bottom = 260.0, 84.0, 16.0
    array = np.asarray(values, dtype=np.float64).ravel()
    finite = array[np.isfinite(array)]
    if not finite.size:
        return document(width, height, []), math.nan, math.nan
    low, high = float(finite.min()), float(finite.max())
    counts, _ = binned(finite, BINS)
    step = width / BINS
    parts = []
    for k, share in enumerate(counts / counts.max()):
        if share > 0:
            size = max(1.0, (height - bottom - 2) * float(share))
            parts.append(
                f'<rect x="{k * step:.1f}" y="{height - bottom - size:.1f}" '
                f'width="{step - 1:.1f}" height="{size:.1f}" fill="{BLUE}"/>'
            )
    parts.append(line([(0, height - bottom), (width, height - bottom)], GREY))
    parts.append(letters(0, height - 3, f"{low:.3g}"))
    parts.append(letters(width, height - 3, f"{high:.3g}", "end"))
    return document(width, height, parts), low, high


def net(columns: list[Column]) -> str:
    """Draw units as circles and weights as lines, red above 0 and blue below.

    Of more than 9 columns the first 8 and the last are drawn, of more than 10 units the first 9 and
    the last; of the lines between two columns the 24 of the largest weights.
    """
    drawn = [columns[k] for k in shown_units(len(columns), MOST_COLUMNS)]
    skips = len(columns) > MOST_COLUMNS
    most = min(max(column.size for column in drawn), MOST_UNITS + 1)
    gap, height = 92.0, 40.0 + 13.0 * max(most, 3)
    width = 68.0 + gap * (len(drawn) - 1)
    places = [heights(column.size, height - 24) for column in drawn]
    parts = []
    for k in range(1, len(drawn)):
        if not (skips and k == len(drawn) - 1):
            parts += weights_between(drawn, places, k, 34 + gap * (k - 1), gap)
    for k, (column, y) in enumerate(zip(drawn, places, strict=True)):
        x = 34 + gap * k
        parts += [
            f'<circle cx="{x:.0f}" cy="{each:.1f}" r="4.5" fill="{BLUE}" fill-opacity="0.35" '
            f'stroke="{GREY}"/>'
            for each in y
        ]
        if column.size > MOST_UNITS:
            parts.append(letters(x, (y[-1] + y[-2]) / 2 + 4, "⋮", "middle"))
        parts.append(letters(x, height - 3, f"{column.size:,} {column.name}", "middle"))
        if skips and k == len(drawn) - 1:
            parts.append(letters(x - gap / 2, height / 2, "…", "middle"))
    return document(width, height, parts)


def heights(size: int, height: float) -> list[float]:
    """Return where the units of a column stand."""
    slots = min(size, MOST_UNITS + 1)
    step = min(20.0, (height - 16) / max(slots - 1, 1))
    top = (height - step * (slots - 1)) / 2
    y = [top + step * k for k in range(slots)]
    return y if size <= MOST_UNITS else [*y[:-2], y[-1]]


def weights_between(
    columns: list[Column], places: list[list[float]], k: int, x: float, gap: float
) -> list[str]:
    """Return the lines between columns k - 1 and k."""
    array = columns[k].weights
    if array is None:
        return []
    rows = shown_units(columns[k - 1].size, MOST_UNITS)
    units = shown_units(columns[k].size, MOST_UNITS)
    part = np.asarray(array, dtype=np.float64)[np.ix_(rows, units)]
    part = np.where(np.isfinite(part), part, 0.0)
    strongest = np.argsort(-np.abs(part), axis=None, kind="stable")[:MOST_LINES]
    paths = {1: "", -1: ""}
    for i, j in zip(*np.unravel_index(strongest, part.shape), strict=True):
        sign = 1 if part[i, j] > 0 else -1
        y = places[k - 1][i], places[k][j]
        paths[sign] += f"M{x:.0f} {y[0]:.0f}L{x + gap:.0f} {y[1]:.0f}"
    return [
        f'<path d="{path}" stroke="{colour}" stroke-opacity="0.55"/>'
        for path, colour in ((paths[1], RED), (paths[-1], BLUE))
        if path
    ]
