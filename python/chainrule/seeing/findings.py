"""What may keep a model from learning, as one step shows it: sentences with a number and a limit.

Each limit is far from what a net does that learns; docs/findings.md says for each kind what the
number is, why the limit stands where it stands, and what helps.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..catalogue import own_class
from ..layers.activation import Activation
from ..training.observed import Step
from .rows import Row
from .slopes import saturated

PAGE = "docs/findings.md"

VANISHING = 1e-3  # gradient that reaches the first layer with weights, by that of the last
EXPLODING = 1e3  # the same
DEAD, FEW = 0.2, 5.0  # share of a layer's units, and FEW / n more: few samples wake few units
STUCK = 0.99  # share of samples for which a unit is flat
SATURATED = 0.5  # share of a hidden layer's units that are stuck
LARGE_STEP = 0.2  # step by weights
RISE = 0.1  # of the loss, although first order predicts a fall
SMALL_STEP = 1e-7  # step by weights, of the layer where it is largest
SENSITIVE = 1e-3  # |gradient| |weights| / loss: below that the loss hardly depends on them
LARGE_INPUTS, SMALL_INPUTS = 30.0, 1e-3  # root mean square of a column; of all
SEEN_OFTEN = 20  # samples for each output, before one without a label is remarked on
UNUSED = 0.5  # share of outputs that no label names


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes
    ----------
    kind : str
        "vanishing", "exploding", "dead", "saturated", "step too large", "step too small",
        "inputs" or "ends".
    text : str
        A sentence with the number and the limit.
    value, limit : float
    link : str
        Where the documentation tells more.
    layer : int or None
        The model's layer, from 0.
    """

    kind: str
    text: str
    value: float
    limit: float
    link: str
    layer: int | None = None


def findings_of(explanation: Any, step: Step) -> tuple[Finding, ...]:
    """Return what is found, in the order in which it should be looked at."""
    rows = explanation.rows
    found = [
        *ends(explanation, step),
        *unscaled_inputs(explanation),
        *dead(explanation, rows),
        *saturated_layers(explanation, step),
        *gradient_flow(explanation, rows),
        *steps(explanation, rows),
    ]
    return tuple(found)


def finding(kind: str, text: str, value: float, limit: float, layer: int | None = None) -> Finding:
    """Return a finding with its link."""
    return Finding(kind, text, value, limit, f"{PAGE}#{kind.replace(' ', '-')}", layer)


def weighty(rows: tuple[Row, ...]) -> list[int]:
    """Return the layers, from 0, that have a matrix of weights."""
    dense = [k for k, row in enumerate(rows) if not math.isnan(row.weights)]
    return [k for k in dense if not rows[k].layer.startswith("Layer_Scale")]


# --- what comes in, and what is asked for ---------------------------------------------------------


def unscaled_inputs(explanation: Any) -> Iterator[Finding]:
    """Look at the inputs of the first layer with weights."""
    first = next(iter(weighty(explanation.rows)), None)
    inputs = None if first is None else explanation[first].inputs
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 2 or not inputs.size:
        return
    with np.errstate(over="ignore"):
        sizes = np.sqrt(np.mean(np.square(inputs, dtype=np.float64), axis=0))
    column = int(np.argmax(sizes))
    largest = float(sizes[column])
    if largest > LARGE_INPUTS:
        text = (
            f"the inputs are not scaled: column {column} has root mean square {largest:.3g}, above "
            f"{LARGE_INPUTS:g}"
        )
        yield finding("inputs", text, largest, LARGE_INPUTS, first)
    elif 0 < largest < SMALL_INPUTS:
        text = (
            f"the inputs are not scaled: no column has a root mean square above {largest:.3g}, "
            f"below {SMALL_INPUTS:g}"
        )
        yield finding("inputs", text, largest, SMALL_INPUTS, first)


def ends(explanation: Any, step: Step) -> Iterator[Finding]:
    """Look whether the last layer can give what the targets ask for."""
    y, last = step.y, len(step.layers) - 1
    layer, output = step.layers[last].layer, step.layers[last].output
    name = explanation[last].layer
    if not isinstance(output, np.ndarray) or output.ndim != 2:
        return
    m = output.shape[1]
    if getattr(layer, "core_name", "") == "softmax" and m == 1:
        text = f"{name} has 1 output, and its output is 1 whatever comes in; it needs at least 2"
        yield finding("ends", text, 1, 2, last)
    elif y.ndim == 1:
        unused = m - len(np.unique(y))
        if len(y) >= SEEN_OFTEN * m and unused >= UNUSED * m:
            text = (
                f"{unused} of the {m} outputs of {name} are the label of none of {len(y):,} "
                f"samples, {UNUSED:.0%} or more"
            )
            yield finding("ends", text, unused / m, UNUSED, last)
    else:
        yield from out_of_reach(name, layer, y, last)


def out_of_reach(name: str, layer: Any, y: Any, last: int) -> Iterator[Finding]:
    """Look for targets beyond what the last activation can give."""
    own = own_class(layer)
    if own is None or not issubclass(own, Activation) or own.core_name == "softmax":
        return
    far = copy.copy(layer).forward(np.array([[-1e4, -30.0, -1.0, 0.0, 1.0, 30.0, 1e4]]))
    low, high = float(far.min()), float(far.max())
    reach = (low if low > -30 else -math.inf), (high if high < 30 else math.inf)
    share = float(np.mean((y < reach[0]) | (y > reach[1])))
    if share > 0:
        text = (
            f"{share:.1%} of the targets, which go from {y.min():.3g} to {y.max():.3g}, are out of "
            f"reach of {name} ({reach[0]:.3g} to {reach[1]:.3g}); none should be"
        )
        yield finding("ends", text, share, 0.0, last)


# --- units ----------------------------------------------------------------------------------------


def dead(explanation: Any, rows: tuple[Row, ...]) -> Iterator[Finding]:
    """Look for hidden units that are dead."""
    limit = DEAD + FEW / explanation.n
    for k, row in enumerate(rows[:-1]):
        units = row.output_shape[1] if len(row.output_shape) == 2 else 0
        if not row.dead or not math.isnan(row.weights) or row.dead <= limit * units:
            continue
        text = (
            f"{row.layer}: {row.dead} of {units} units are dead ({row.dead / units:.0%}, above "
            f"{limit:.0%}): their slope is 0 for all {explanation.n:,} samples"
        )
        yield finding("dead", text, row.dead / units, limit, k)


def saturated_layers(explanation: Any, step: Step) -> Iterator[Finding]:
    """Look for hidden sigmoids and tanhs most of whose units are flat for nearly every sample."""
    for k, each in enumerate(step.layers[:-1]):
        flat = saturated(each.layer, each.inputs, each.output)
        if flat is None or flat.ndim != 2 or not flat.size:
            continue
        share = float(np.mean(flat.mean(axis=0) >= STUCK))
        if share > SATURATED:
            text = (
                f"{explanation[k].layer}: {share:.0%} of its units are saturated for at least "
                f"{STUCK:.0%} of the samples, above {SATURATED:.0%} of the units"
            )
            yield finding("saturated", text, share, SATURATED, k)


# --- the gradient on its way back -----------------------------------------------------------------


def gradient_flow(explanation: Any, rows: tuple[Row, ...]) -> Iterator[Finding]:
    """Compare the gradient that reaches the first layer with weights with that of the last."""
    places = [k for k in weighty(rows) if explanation[k].dvalues is not None]
    broken = [k for k in places if not math.isfinite(rows[k].dvalues.rms)]
    if broken:
        k, size = broken[-1], rows[broken[-1]].dvalues.rms
        text = f"the gradient is not finite: {size} at {rows[k].layer}, above {EXPLODING:g}"
        yield finding("exploding", text, size, EXPLODING, k)
        return
    if len(places) < 2:
        return
    first, last = rows[places[0]], rows[places[-1]]
    if last.dvalues.rms == 0 or first.dvalues.rms == 0:
        return  # learned to the last digit, or cut off by units that are dead
    ratio = first.dvalues.rms / last.dvalues.rms
    way = (
        f"from {last.layer} back to {first.layer} the gradient goes from {last.dvalues.rms:.3g} to "
        f"{first.dvalues.rms:.3g}, a factor of {ratio:.3g}"
    )
    if ratio < VANISHING:
        text = f"vanishing gradient: {way}, below {VANISHING:g}"
        yield finding("vanishing", text, ratio, VANISHING, places[0])
    elif ratio > EXPLODING:
        text = f"exploding gradient: {way}, above {EXPLODING:g}"
        yield finding("exploding", text, ratio, EXPLODING, places[0])


# --- the step -------------------------------------------------------------------------------------


def steps(explanation: Any, rows: tuple[Row, ...]) -> Iterator[Finding]:
    """Look whether the step is too large or too small."""
    moved = [k for k in weighty(rows) if not math.isnan(rows[k].ratio)]
    if not moved:
        return
    k = max(moved, key=lambda place: rows[place].ratio)
    row, largest = rows[k], rows[k].ratio
    loss, rise = explanation.loss, -explanation.decrease
    rise = math.inf if math.isnan(rise) else rise
    if largest > LARGE_STEP:
        text = (
            f"the step is too large: {row.layer} changes by {largest:.3g} of its weights, above "
            f"{LARGE_STEP:g}"
        )
        yield finding("step too large", text, largest, LARGE_STEP, k)
    elif explanation.predicted_decrease > 0 and loss > 0 and not rise <= RISE * loss:
        text = (
            f"the step is too large: the loss rises by {rise / loss:.3g} of its value, above "
            f"{RISE:g}; first order predicts a fall of {explanation.predicted_decrease:.3g}"
        )
        yield finding("step too large", text, rise / loss, RISE, None)
    sensitive = loss > 0 and any(
        rows[each].dweights * rows[each].weights > SENSITIVE * loss for each in moved
    )
    if largest < SMALL_STEP and sensitive:
        text = (
            f"the step is too small: {row.layer}, which moves most, changes by {largest:.3g} of "
            f"its weights, below {SMALL_STEP:g}"
        )
        yield finding("step too small", text, largest, SMALL_STEP, k)
