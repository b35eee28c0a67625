"""One unit, and one weight, of an explanation: formula, sum and largest terms."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..catalogue import own_class
from ..compiled import core_rows
from ..layers import Layer_Dense, Layer_Dropout, Layer_Scale
from ..training.layer_step import LayerStep
from .rows import Spread, number, spread_of

MOST_TERMS = 5


class Term(NamedTuple):
    """A part of a sum: what it belongs to (an input or a sample, from 0), factors and product."""

    place: int
    factors: tuple[float, float]
    value: float


@dataclass(frozen=True)
class Unit:
    """One unit of a layer.

    Attributes
    ----------
    layer : str
    unit : int
        From 0.
    formula : str
    output, dvalues : ndarray (n,)
        Of each sample; no `dvalues`: None.
    terms : tuple of Term
        Of a dense layer the inputs that move it most: place, root mean square of the input and
        weight, root mean square of the product.
    bias : float or None
    dead : bool
        Its slope is 0 for every sample.
    """

    layer: str
    unit: int
    formula: str
    output: Array
    dvalues: Array | None
    terms: tuple[Term, ...]
    bias: float | None
    dead: bool

    def __str__(self) -> str:
        lines = [f"{self.layer}, unit {self.unit}: {self.formula}"]
        for name, array in (("output", self.output), ("dvalues", self.dvalues)):
            if array is not None:
                lines.append(f"  {name}: {spread_text(spread_of(array))}")
        lines += [
            f"  input {each.place}: rms {number(each.factors[0])} * weight "
            f"{number(each.factors[1])}, rms of the product {number(each.value)}"
            for each in self.terms
        ]
        if self.bias is not None:
            lines.append(f"  bias {number(self.bias)}")
        return "\n".join(
            [*lines, "  dead: its slope is 0 for every sample"] if self.dead else lines
        )

    __repr__ = __str__


@dataclass(frozen=True)
class Weight:
    """One weight, its gradient as a sum over samples, and its step.

    Attributes
    ----------
    layer : str
    i, j : int
        From input i to unit j.
    before, step, after : float
        No step without an optimizer: NaN.
    gradient : float
        Penalties included.
    samples : float
        The sum over samples of input times dvalues, in float64.
    penalty : float
        What the penalties add.
    terms : tuple of Term
        The samples that count most: place, input and dvalues, product.
    n : int
    """

    layer: str
    i: int
    j: int
    before: float
    step: float
    after: float
    gradient: float
    samples: float
    penalty: float
    terms: tuple[Term, ...]
    n: int

    def __str__(self) -> str:
        lines = [
            f"{self.layer}, weight from input {self.i} to unit {self.j}: {self.before:.6g}",
            f"  gradient {self.gradient:.6g} = sum over {self.n:,} samples of input * dvalues "
            f"({self.samples:.6g})"
            + (f" + penalties ({self.penalty:.6g})" if self.penalty else ""),
        ]
        lines += [
            f"  sample {each.place}: {number(each.factors[0])} * {number(each.factors[1])} = "
            f"{number(each.value)}"
            for each in self.terms
        ]
        if not np.isnan(self.step):
            lines.append(f"  step {self.step:.6g}: after it {self.after:.6g}")
        return "\n".join(lines)

    __repr__ = __str__


def spread_text(spread: Spread) -> str:
    """Return ``rms 0.5, from -1 to 2``."""
    least, greatest = number(spread.least), number(spread.greatest)
    return f"rms {number(spread.rms)}, from {least} to {greatest}"


def unit_of(explanation: Any, layer: int, j: int) -> Unit:
    """Return one unit; see `Explanation.unit`."""
    entry, step = explanation[layer], explanation.step_of(layer)
    if not isinstance(entry.output, np.ndarray) or entry.output.ndim != 2:
        raise ValueError(f"{entry.layer}: expected a layer of units, output (n, m)")
    j = place_in(j, entry.output.shape[1], "j")
    weights = is_dense(entry)
    bias = None
    if weights and entry.biases is not None:
        bias = float(entry.biases.ravel()[j])
    return Unit(
        entry.layer,
        j,
        formula_of(step, j, bias is not None),
        entry.output[:, j],
        None if entry.dvalues is None else entry.dvalues[:, j],
        terms_of_unit(entry, j) if weights else (),
        bias,
        entry.dead is not None and j in entry.dead,
    )


def weight_of(explanation: Any, layer: int, i: int, j: int) -> Weight:
    """Return one weight; see `Explanation.weight`."""
    entry, step = explanation[layer], explanation.step_of(layer)
    if not is_dense(entry) or entry.dweights is None:
        raise ValueError(f"{entry.layer}: expected a layer with weights (d, m) that learn")
    d, m = entry.weights.shape
    i, j = place_in(i, d, "i"), place_in(j, m, "j")
    inputs, dvalues = np.asarray(entry.inputs)[:, i], entry.dvalues[:, j]
    products = inputs.astype(np.float64) * dvalues
    terms = tuple(
        Term(k, (float(inputs[k]), float(dvalues[k])), float(products[k]))
        for k in largest(np.abs(products))
    )
    gradient, total = float(entry.dweights[i, j]), float(products.sum())
    strengths = [getattr(step.layer, f"weight_regularizer_{kind}", 0) for kind in ("l1", "l2")]
    stepped = entry.step_weights is not None
    return Weight(
        entry.layer,
        i,
        j,
        before=float(entry.weights[i, j]),
        step=float(entry.step_weights[i, j]) if stepped else float("nan"),
        after=float(entry.weights_after[i, j]) if stepped else float("nan"),
        gradient=gradient,
        samples=total,
        penalty=gradient - total if any(strengths) else 0.0,
        terms=terms,
        n=len(products),
    )


def is_dense(entry: Any) -> bool:
    """Tell whether an entry's layer has weights (d, m) from d inputs to m units."""
    shapes = np.shape(entry.inputs)[1:] + np.shape(entry.output)[1:]
    return entry.weights is not None and entry.weights.shape == shapes


def terms_of_unit(entry: Any, j: int) -> tuple[Term, ...]:
    """Return the inputs whose products with their weights are largest."""
    weights = entry.weights[:, j].astype(np.float64)
    sizes = np.sqrt(np.mean(np.square(np.asarray(entry.inputs), dtype=np.float64), axis=0))
    products = sizes * np.abs(weights)
    return tuple(
        Term(k, (float(sizes[k]), float(weights[k])), float(products[k])) for k in largest(products)
    )


def largest(values: Any) -> list[int]:
    """Return the places of the largest values, the largest first."""
    order = np.argsort(-values, kind="stable")[:MOST_TERMS]
    return [int(k) for k in order if values[k] > 0]


def place_in(place: int, count: int, name: str) -> int:
    """Return a place from 0."""
    index = operator.index(place)
    if not 0 <= index < count:
        raise IndexError(f"{name}: expected 0 to {count - 1}, got {index}")
    return index


def formula_of(step: LayerStep, j: int | str, biased: bool) -> str:
    """Return what a unit computes, as text."""
    own = own_class(step.layer)
    if own is None:
        return "by a class of your own"
    if own is Layer_Dense:
        return (
            f"output = sum of inputs[i] * weights[i, {j}]{f' + biases[0, {j}]' if biased else ''}"
        )
    if own is Layer_Scale:
        return f"output = inputs[{j}] * weights[0, {j}]"
    if own is Layer_Dropout:
        return "output = inputs * mask"
    row = core_rows("activations").get(own.core_name)
    return f"output = {'inputs' if row is None else row['forward']}"
