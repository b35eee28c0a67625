"""Activations: how the outputs of each layer are spread, and which units are dead."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..seeing.binning import binned
from .canvas import BLUE, ORANGE, RED, canvas, grid, plural, pyplot, text_colour, title
from .explained import explained, labels_of
from .flow import name_layers

BINS = 30
FLAT = 0.05  # of its steepest slope: below that an entry counts as saturated
PASSED_OVER = ("Dropout", "Input", "Scale")


def activations(what: Any, X: Any = None, y: Any = None, *, axes: Any = None) -> Any:
    """Draw how the outputs of each activation are spread over samples and units.

    The wider a shape, the more outputs have that value; a short line is their mean. Below stands
    how many units are dead (a ReLU that gives 0 for every sample: red), or for sigmoid and tanh the
    share of outputs that are saturated (their slope is below 5 % of the steepest).

    Parameters
    ----------
    what : Model or Explanation
    X, y : array_like
        Samples and targets, with a model.
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
        Samples that do not fit, or nothing to explain.
    """
    name = "activations"
    pyplot(name)
    explanation = explained(what, X, y, name)
    labels = labels_of(explanation)
    rows = chosen(explanation, labels)
    axes = canvas(axes, name)
    names, colours = [], []
    for place, k in enumerate(rows):
        output = np.asarray(explanation[k].output, dtype=np.float64)
        colour, note = remark(explanation[k], labels[k], output)
        draw_spread(axes, place, output, colour)
        names.append(f"{labels[k]}\n{note}".rstrip())
        colours.append(colour)
    for text, colour in zip(name_layers(axes, names), colours, strict=True):
        if colour == RED:
            text.set_color(RED)
    axes.set_ylabel("output")
    title(axes, f"Outputs over {plural(len(explanation[rows[0]].output), 'sample')}")
    grid(axes, "y")
    return axes


def chosen(explanation: Any, labels: list[str]) -> list[int]:
    """Return the layers to be drawn: activations, and what stands without one."""
    weighty = [getattr(explanation[k], "dweights", None) is not None for k in range(len(labels))]
    rows = []
    for k, label in enumerate(labels):
        followed = k + 1 < len(labels) and not weighty[k + 1]
        if label.split()[0] in PASSED_OVER or (weighty[k] and followed):
            continue
        rows.append(k)
    return rows or list(range(len(labels)))


def remark(entry: Any, label: str, output: NDArray[np.float64]) -> tuple[str, str]:
    """Return the colour of a layer's shape and what is written above it."""
    kind = label.split()[0]
    if kind == "ReLU" and output.ndim == 2:
        given = getattr(entry, "dead", None)
        dead = int(np.count_nonzero(~output.any(axis=0))) if given is None else len(given)
        return RED if dead else BLUE, f"{dead} of {output.shape[1]:,} dead"
    if kind in ("Sigmoid", "Tanh") and output.size:
        slopes = 4 * output * (1 - output) if kind == "Sigmoid" else 1 - np.square(output)
        share = float(np.mean(slopes < FLAT))
        return ORANGE if share > 0.5 else BLUE, f"{100 * share:.0f} % saturated"
    return BLUE, ""


def draw_spread(axes: Any, place: int, output: NDArray[np.float64], colour: str) -> None:
    """Draw a histogram as a symmetric shape that stands upright at `place`."""
    finite = output[np.isfinite(output)]
    if not finite.size:
        return
    counts, edges = binned(finite, BINS)
    half = 0.42 * np.sqrt(counts / counts.max())  # the root, or the zeros of a ReLU hide the rest
    half = np.append(half, half[-1])
    axes.fill_betweenx(
        edges, place - half, place + half, step="post", color=colour, alpha=0.8, linewidth=0
    )
    axes.plot([place - 0.12, place + 0.12], [finite.mean()] * 2, color=text_colour(axes), lw=1.4)
