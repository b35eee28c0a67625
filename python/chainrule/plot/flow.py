"""Gradient flow: how large the gradients are that reach each layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .canvas import BLUE, ORANGE, RED, canvas, grid, legend_above, pyplot, shown_positive, title
from .explained import explained, labels_of, mean_square_root, parametric


def gradient_flow(what: Any, X: Any = None, y: Any = None, *, axes: Any = None) -> Any:
    """Draw the root mean square of the gradients that reach each layer with weights.

    `dvalues` is the gradient by the layer's output, `dweights` that by its weights. Vanishing
    gradients fall towards the first layer, exploding ones rise. A gradient that is 0 everywhere
    has no place on the logarithmic scale: a red cross at the lower edge.

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
    name = "gradient_flow"
    pyplot(name)
    explanation = explained(what, X, y, name)
    rows, labels = parametric(explanation), labels_of(explanation)
    if not rows:
        raise ValueError(f"{name}: expected at least one layer with weights, got none")
    axes = canvas(axes, name)
    places = np.arange(len(rows))
    entries = [explanation[k] for k in rows]
    series = {
        "dvalues": [e.dinputs if e.dvalues is None else e.dvalues for e in entries],
        "dweights": [e.dweights for e in entries],
    }
    found = {key: [mean_square_root(each) for each in arrays] for key, arrays in series.items()}
    shown_positive(axes, [value for values in found.values() for value in values])
    for (key, values), colour in zip(found.items(), (BLUE, ORANGE), strict=True):
        shown = np.where(np.asarray(values) > 0, values, np.nan)
        axes.plot(places, shown, "o-", color=colour, label=key)
        zero = places[np.asarray(values) == 0]
        if len(zero):
            low = np.full(len(zero), axes.get_ylim()[0])
            text = f"{key}: 0"
            axes.plot(zero, low, "x", color=RED, clip_on=False, markeredgewidth=2, label=text)
    name_layers(axes, [labels[k] for k in rows])
    axes.set_ylabel("root mean square")
    first, last = found["dvalues"][0], found["dvalues"][-1]
    if len(rows) > 1 and last > 0:
        title(axes, f"dvalues, first / last layer: {first / last:.2g}")
    grid(axes, "y")
    legend_above(axes)
    return axes


def name_layers(axes: Any, labels: list[str]) -> list[Any]:
    """Label x by the layers, turned where they would not fit side by side; return the texts."""
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.6, len(labels) - 0.4)
    texts: list[Any] = axes.get_xticklabels()
    if len(labels) * max(len(line) for label in labels for line in label.split("\n")) > 72:
        for text in texts:
            text.set(rotation=90 if len(labels) > 12 else 35, ha="right", va="top")
            text.set_rotation_mode("default" if len(labels) > 12 else "anchor")
            if len(labels) > 12:
                text.set_ha("center")
    return texts
