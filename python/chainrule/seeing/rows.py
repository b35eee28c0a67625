"""The numbers of a layer in an explanation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import label_of
from .slopes import saturated

HEAD = (
    "", "layer", "output", "rms", "zeros", "dead", "saturated", "dvalues", "gain back",
    "dweights", "step", "step/weights", "cosine",
)  # fmt: skip


class Spread(NamedTuple):
    """Root mean square, least and greatest of an array; NaN of none."""

    rms: float = math.nan
    least: float = math.nan
    greatest: float = math.nan


def spread_of(array: Any) -> Spread:
    """Return the spread of an array's entries."""
    if array is None or np.size(array) == 0:
        return Spread()
    values = np.asarray(array)
    with np.errstate(all="ignore"):
        # a factor keeps squares of huge and tiny numbers within range
        size = float(np.abs(values).max())
        scale = size if 0 < size < math.inf else 1.0
        mean = float(np.mean(np.square(values.astype(np.float64) / scale)))
        return Spread(scale * math.sqrt(mean), float(values.min()), float(values.max()))


@dataclass(frozen=True)
class Row:
    """One layer's numbers; NaN or None where there is none.

    Attributes
    ----------
    position : int
        From 1.
    layer, name : str
        Class and position; class and sizes.
    input_shape, output_shape : tuple
    inputs, output, dvalues, dinputs : Spread
        Root mean square, least, greatest.
    dweights, dbiases, step_weights, step_biases, weights, biases : float
        L2 norms: gradients with penalties and before clipping, the true step, the parameters
        before it.
    ratio, ratio_biases : float
        Norm of the step by that of the parameter.
    cosine : float
        Between step and negative gradient, over all parameters of the layer: 1 for plain SGD.
    gain : float
        What the gradient's root mean square is multiplied with on its way back through the layer.
    zeros : float
        Share of outputs that are 0.
    dead : int or None
        Units whose slope is 0 for every sample.
    saturated : float
        Share of outputs where a sigmoid or tanh is below 5 % of its steepest slope.
    """

    position: int
    layer: str
    name: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    inputs: Spread
    output: Spread
    dvalues: Spread
    dinputs: Spread
    dweights: float
    dbiases: float
    step_weights: float
    step_biases: float
    weights: float
    biases: float
    ratio: float
    ratio_biases: float
    cosine: float
    gain: float
    zeros: float
    dead: int | None
    saturated: float

    def cells(self) -> tuple[str, ...]:
        """Return the row's texts, one for each column of the table."""
        shape = f"(n, {self.output_shape[1]})" if len(self.output_shape) == 2 else "?"
        dead = "" if self.dead is None else f"{self.dead:,}"
        numbers = (
            number(self.dvalues.rms), number(self.gain), number(self.dweights),
            number(self.step_weights), number(self.ratio), number(self.cosine),
        )  # fmt: skip
        shares = share(self.zeros), dead, share(self.saturated)
        return (str(self.position), self.name, shape, number(self.output.rms), *shares, *numbers)


def number(value: float) -> str:
    """Return three digits; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.3g}"


def share(value: float) -> str:
    """Return per cent; nothing for NaN."""
    return "" if math.isnan(value) else f"{100 * value:.0f} %"


def row_of(entry: Any, layer: Any) -> Row:
    """Return the numbers of a layer, whose arrays are `entry`."""
    output = entry.output
    flat = saturated(layer, entry.inputs, output)
    pairs = [(entry.step_weights, entry.weights), (entry.step_biases, entry.biases)]
    names = list(entry.steps)
    dvalues, dinputs = spread_of(entry.dvalues), spread_of(entry.dinputs)
    steps = [np.ravel(entry.steps[name]) for name in names]
    gradients = [-np.ravel(entry.gradients[name]) for name in names]
    return Row(
        position=int(entry.layer.rpartition(" ")[2]),
        layer=entry.layer,
        name=label_of(layer),
        input_shape=np.shape(entry.inputs),
        output_shape=np.shape(output),
        inputs=spread_of(entry.inputs),
        output=spread_of(output),
        dvalues=dvalues,
        dinputs=dinputs,
        dweights=norm(entry.dweights),
        dbiases=norm(entry.dbiases),
        step_weights=norm(entry.step_weights),
        step_biases=norm(entry.step_biases),
        weights=norm(entry.weights),
        biases=norm(entry.biases),
        ratio=quotient(*map(norm, pairs[0])),
        ratio_biases=quotient(*map(norm, pairs[1])),
        cosine=cosine(np.concatenate(steps), np.concatenate(gradients)) if steps else math.nan,
        gain=quotient(dinputs.rms, dvalues.rms),
        zeros=float(np.mean(np.asarray(output) == 0)) if np.size(output) else math.nan,
        dead=None if entry.dead is None else len(entry.dead),
        saturated=math.nan if flat is None or not flat.size else float(flat.mean()),
    )


def norm(array: Any) -> float:
    """Return the L2 norm in float64; NaN of nothing."""
    return math.nan if array is None else spread_of(array).rms * math.sqrt(np.size(array))


def quotient(a: float, b: float) -> float:
    """Return a / b, NaN where b is 0."""
    return a / b if b != 0 else math.nan


def cosine(a: Any, b: Any) -> float:
    """Return the cosine of the angle between two arrays; NaN where one is 0."""
    with np.errstate(invalid="ignore"):  # of a gradient that is infinite
        a, b = (each.astype(np.float64) / (np.abs(each).max(initial=0) or 1) for each in (a, b))
    length = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / length if length > 0 else math.nan
