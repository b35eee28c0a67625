"""Update ratios: what one step changes each weight by, relative to the weight."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import BLUE, GREEN, ORANGE, RED, canvas, grid, legend_above, pyplot, title
from .explained import explained, labels_of, mean_square_root, parametric
from .flow import name_layers

USUAL = (1e-4, 1e-2)  # about 1e-3 is a common rule of thumb (Karpathy)
MOST_POINTS = 400  # weights of a layer that are drawn
WIDTH = 0.62


def update_ratios(what: Any, X: Any = None, y: Any = None, *, axes: Any = None) -> Any:
    """Draw what one step does to each weight: ``|step| / |weight|``, a point a weight.

    The step is that of the model's optimizer, momentum, decay and all. Short lines mark the ratio
    of a layer as a whole: root mean square of the steps over that of the weights, and of the
    biases where they are not all 0. Around 1e-3 is usual: the band goes from 1e-4 to 1e-2.
    Weights that do not move have no place on the logarithmic scale; their number is written below.
    Of more than 400 weights of a layer every so many are drawn.

    Parameters
    ----------
    what : Model or Explanation
        With an optimizer.
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
        Samples that do not fit, or no layer that learns.
    """
    name = "update_ratios"
    pyplot(name)
    explanation = explained(what, X, y, name)
    labels = labels_of(explanation)
    rows = [k for k in parametric(explanation) if explanation[k].step_weights is not None]
    if not rows:
        raise ValueError(f"{name}: expected a model with an optimizer and layers that learn")
    axes = canvas(axes, name)
    axes.set_yscale("log")
    axes.axhspan(*USUAL, color=GREEN, alpha=0.12, linewidth=0, label="usual")
    still = []
    for place, k in enumerate(rows):
        entry = explanation[k]
        ratios = ratios_of(entry.step_weights, entry.weights_after)
        still.append(int(np.count_nonzero(ratios == 0)))
        moved = spread(ratios[(ratios > 0) & np.isfinite(ratios)])
        beside = place + WIDTH * (halton(len(moved)) - 0.5)
        axes.plot(
            beside, moved, ".", color=BLUE, alpha=0.7, markersize=4, markeredgewidth=0,
            label="_" if place else "each weight",
        )  # fmt: skip
        for kind, colour in (("weights", ORANGE), ("biases", RED)):
            ratio = whole(getattr(entry, f"step_{kind}"), getattr(entry, f"{kind}_after"))
            if ratio > 0:
                label = "_" if kind in legend_names(axes) else kind
                half = WIDTH / 2 + 0.06
                axes.plot([place - half, place + half], [ratio] * 2, color=colour, lw=2.4,
                          label=label, solid_capstyle="butt")  # fmt: skip
    below = [f"{count:,} unmoved" if count else "" for count in still]
    name_layers(
        axes, [f"{labels[k]}\n{note}".rstrip() for k, note in zip(rows, below, strict=True)]
    )
    axes.set_ylabel("|step| / |weight|")
    title(axes, "One step")
    grid(axes, "y")
    legend_above(axes)
    return axes


def legend_names(axes: Any) -> list[str]:
    """Return the names that the legend has already."""
    return list(axes.get_legend_handles_labels()[1])


def ratios_of(step: Any, after: Any) -> NDArray[np.float64]:
    """Return ``|step| / |weight before|`` of each entry; infinite where a 0 has moved."""
    steps = np.abs(np.asarray(step, dtype=np.float64)).ravel()
    before = np.abs(np.asarray(after, dtype=np.float64).ravel() - np.ravel(step))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(steps == 0, 0.0, steps / before)


def whole(step: Any, after: Any) -> float:
    """Return the ratio of the root mean squares; NaN where there is none."""
    if step is None or after is None:
        return float("nan")
    before = mean_square_root(np.asarray(after, dtype=np.float64) - np.asarray(step))
    return mean_square_root(step) / before if before > 0 else float("nan")


def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return some hundred of the values, evenly taken."""
    return values[:: max(1, -(-len(values) // MOST_POINTS))]


def halton(count: int) -> NDArray[np.float64]:
    """Return numbers that fill 0 to 1 evenly, in an order that looks like none."""
    found: NDArray[np.float64] = np.arange(1.0, count + 1) * 0.6180339887498949 % 1.0
    return found
