"""What a page shows of an explanation, as plain data: columns of units, samples, arrays as text.

A column is the inputs, or a dense layer with the layers behind it that keep its units. Of a wide
one some units are kept and 16 drawn: those whose output times gradient is largest, of the last
column those whose gradient is. What is left out is said in `notes`.
"""

from __future__ import annotations

import base64
import copy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..catalogue import own_class
from ..layers import Layer_Dense
from ..layers.parameters import slots_of
from ..losses.base import targets_for
from ..training.observed import Step
from .html import shortened
from .terms import formula_of

MOST_DRAWN = 16  # units of a column: more are too close to be clicked at
LONGEST_NAME = 60
INPUTS = -1  # in the place of a layer
PARAMETERS = ("weights", "dweights", "step_weights", "weights_after")
OF_BIASES = ("biases", "dbiases", "step_biases", "biases_after")

Places = NDArray[np.int64]


class Limits(NamedTuple):
    """How much of an explanation a page holds.

    Attributes
    ----------
    samples, units, columns, rows : int
        Samples; units of a column; columns; rows of the table of layers.
    exact : bool
        Float64 stays; else it becomes float32 where that is within rounding.
    size : int
        Bytes of the page.
    """

    samples: int
    units: int
    columns: int
    rows: int
    exact: bool
    size: int


@dataclass
class Column:
    """Units one above the other, and the model's layers (from 0) that make them; inputs: none."""

    size: int
    layers: list[int] = field(default_factory=list)
    dense: int | None = None  # whose weights lead here, if they do so from the column before


def page_data(explanation: Any, step: Step, limits: Limits) -> dict[str, Any]:
    """Return what the page's script gets, for `json.dumps`."""
    losses = sample_losses(step)
    samples = chosen_samples(losses, explanation.n, limits.samples)
    columns = columns_of(explanation, step)
    places = ends_of(len(columns), limits.columns)
    drawn = {k: drawn_units(explanation, columns, k) for k in places}
    kept = {k: kept_units(columns[k].size, drawn[k], limits.units) for k in places}
    shown = []
    for k in places:
        column, data = columns[k], column_data(explanation, columns[k], drawn[k], kept[k])
        data["position"] = k
        data["layers"] = [
            layer_data(explanation, step, layer, kept[k], samples, limits)
            for layer in (column.layers or [INPUTS])
        ]
        if column.dense is not None:
            data["biases"] = biases_data(explanation[column.dense], kept[k], limits)
            if k - 1 in drawn:
                ends = drawn[k - 1], drawn[k]
                data["edges"] = edges_data(explanation, step, column.dense, ends, samples, limits)
        shown.append(data)
    return {
        "n": explanation.n,
        "loss": packed(np.array([explanation.loss]), True),
        "lossAfter": packed(np.array([explanation.loss_after]), True),
        "predicted": packed(np.array([explanation.predicted_decrease]), True),
        "samples": samples.tolist(),
        "losses": None if losses is None else packed(losses[samples], True),
        "columns": shown,
        "numberOfColumns": len(columns),
        **targets_data(step, samples, drawn.get(len(columns) - 1), limits),
        "notes": notes(explanation, columns, places, samples, limits),
    }


# --- samples --------------------------------------------------------------------------------------


def sample_losses(step: Step) -> NDArray[np.float64] | None:
    """Return the loss of each sample, without its weight; None where the loss gives none."""
    last, loss = step.layers[-1], copy.copy(step.model.loss)
    if loss.joint_with(last.layer) is not None:
        values = loss.joint_value(last.inputs, step.y)
    else:
        values = loss.forward(last.output, targets_for(loss, last.output, step.y))
    found = np.asarray(values, dtype=np.float64)
    return found if found.shape == (len(step.X),) else None


def chosen_samples(losses: NDArray[np.float64] | None, n: int, most: int) -> Places:
    """Return the samples of the largest losses, the largest first; NaN counts as infinite."""
    if losses is None:
        return np.arange(min(n, most))
    order = np.argsort(-np.where(np.isnan(losses), np.inf, losses), kind="stable")
    return order[:most]


def targets_data(step: Step, samples: Places, drawn: Places | None, limits: Limits) -> Any:
    """Return labels, or the targets of the drawn outputs, or one for all of them, as of quantiles.

    Neither where they do not fit.
    """
    output, y = step.layers[-1].output, np.asarray(step.y)
    shape = np.shape(output)
    if len(shape) != 2 or drawn is None:
        return {}
    if y.ndim == 1 and (shape[1] == 1 or y.dtype.kind == "f"):
        y = y[:, None]
    if y.ndim == 1:
        return {"labels": y[samples].tolist()}
    if y.shape == shape:
        return {"targets": packed(y[np.ix_(samples, drawn)], limits.exact)}
    return {"targets": packed(y[samples], limits.exact)} if y.shape == (len(y), 1) else {}


# --- columns --------------------------------------------------------------------------------------


def is_shown(array: Any) -> bool:
    """Tell whether an array has units: (n, m), of numbers."""
    return isinstance(array, np.ndarray) and array.ndim == 2 and array.dtype.kind in "biuf"


def columns_of(explanation: Any, step: Step) -> list[Column]:
    """Return the columns of a model; layers whose output is no array (n, m) are left out."""
    columns: list[Column] = []
    if is_shown(explanation[0].inputs):
        columns.append(Column(explanation[0].inputs.shape[1]))
    joined = bool(columns)  # the column before is what goes into this layer
    for k, each in enumerate(step.layers):
        if not is_shown(each.output):
            joined = False
            continue
        size = each.output.shape[1]
        dense = own_class(each.layer) is Layer_Dense
        if joined and not dense and columns[-1].size == size:
            columns[-1].layers.append(k)
        else:
            columns.append(Column(size, [k], k if dense and joined else None))
        joined = True
    return columns


def ends_of(count: int, most: int) -> list[int]:
    """Return all places, or the first and the last: two thirds and one."""
    if count <= most:
        return list(range(count))
    last = most // 3
    return [*range(most - last), *range(count - last, count)]


def values_of(explanation: Any, column: Column) -> tuple[Any, Any]:
    """Return a column's output, and the gradient where it enters; None where there is none."""
    if not column.layers:
        return explanation[0].inputs, explanation[0].dinputs
    last = explanation[column.layers[-1]].output
    return last, explanation[column.layers[0]].dvalues


def drawn_units(explanation: Any, columns: list[Column], k: int) -> Places:
    """Return the units of column k that are drawn, in their order."""
    output, gradient = values_of(explanation, columns[k])
    if columns[k].size <= MOST_DRAWN:
        return np.arange(columns[k].size)
    values = output.astype(np.float64)
    with np.errstate(all="ignore"):
        if is_shown(gradient) and gradient.shape == output.shape:
            values = gradient.astype(np.float64) * (1.0 if k == len(columns) - 1 else values)
        sizes = np.abs(values).mean(axis=0)
    order = np.argsort(-np.where(np.isnan(sizes), np.inf, sizes), kind="stable")
    return np.sort(order[:MOST_DRAWN])


def kept_units(size: int, drawn: Places, most: int) -> Places:
    """Return the units that the page knows: all, or the drawn ones and others evenly apart."""
    if size <= most:
        return np.arange(size)
    evenly = np.linspace(0, size - 1, max(most - len(drawn), 2))
    return np.union1d(drawn, evenly.astype(np.int64))


def column_data(explanation: Any, column: Column, drawn: Places, kept: Places) -> dict[str, Any]:
    """Return a column without its layers and parameters."""
    layers = column.layers
    name = "inputs"
    if layers:
        name = type_of(explanation, layers[-1]).removeprefix("Activation_")
        name = "outputs" if len(layers) == 1 and column.dense is not None else name
    dead = next((explanation[k].dead for k in layers if explanation[k].dead is not None), None)
    return {
        "name": shortened(name, LONGEST_NAME),
        "size": column.size,
        "drawn": drawn.tolist(),
        "kept": kept.tolist(),
        "dead": [] if dead is None else np.intersect1d(dead, kept).tolist(),
    }


def type_of(explanation: Any, layer: int) -> str:
    """Return the name of a layer's class."""
    name: str = explanation[layer].layer.rpartition(" ")[0]
    return name


def layer_data(
    explanation: Any, step: Step, layer: int, kept: Places, samples: Places, limits: Limits
) -> dict[str, Any]:
    """Return a layer's name, formula, output and dvalues of the kept units; or the inputs."""
    place = np.ix_(samples, kept)
    if layer == INPUTS:
        entry, name, formula = explanation[0], "inputs", ""
        output, dvalues = entry.inputs, entry.dinputs
    else:
        entry, each = explanation[layer], step.layers[layer]
        name = shortened(entry.layer, LONGEST_NAME)
        formula = formula_of(each, "j", entry.biases is not None)
        output, dvalues = entry.output, entry.dvalues
    known = is_shown(dvalues) and dvalues.shape == output.shape
    return {
        "name": name,
        "formula": formula,
        "output": packed(output[place], limits.exact),
        "dvalues": packed(dvalues[place], limits.exact) if known else None,
    }


def biases_data(entry: Any, kept: Places, limits: Limits) -> dict[str, str]:
    """Return the biases of the kept units with gradient, step and what they become."""
    return {
        name: packed(getattr(entry, name).ravel()[kept], limits.exact)
        for name in OF_BIASES
        if getattr(entry, name) is not None
    }


def edges_data(
    explanation: Any,
    step: Step,
    layer: int,
    drawn: tuple[Places, Places],
    samples: Places,
    limits: Limits,
) -> dict[str, Any]:
    """Return the weights between drawn units, and their sums over samples if some are left out."""
    entry, place = explanation[layer], np.ix_(*drawn)
    edges: dict[str, Any] = {
        name: packed(getattr(entry, name)[place], limits.exact)
        for name in PARAMETERS
        if getattr(entry, name) is not None
    }
    slot = next(slot for slot in slots_of(step.layers[layer].layer) if slot.name == "weights")
    edges["penalised"] = any(slot.strengths(step.layers[layer].layer))
    if len(samples) < explanation.n and is_shown(entry.dvalues):
        inputs, dvalues = np.asarray(entry.inputs)[:, drawn[0]], entry.dvalues[:, drawn[1]]
        with np.errstate(all="ignore"):
            sums = inputs.T.astype(np.float64) @ dvalues.astype(np.float64)
        edges["sums"] = packed(sums, True)
    return edges


# --- what is left out, and how numbers are written ------------------------------------------------


def notes(
    explanation: Any, columns: list[Column], places: list[int], samples: Places, limits: Limits
) -> list[str]:
    """Return sentences on what the page leaves out."""
    found = []
    if len(samples) < explanation.n:
        found.append(
            f"{len(samples):,} of {explanation.n:,} samples are here: those of the largest losses."
        )
    if len(places) < len(columns):
        found.append(f"{len(places)} of {len(columns):,} columns are here: the first and the last.")
    shown = [columns[k].size for k in places]
    if any(size > MOST_DRAWN for size in shown):
        found.append(
            f"At most {MOST_DRAWN} units of a column are drawn: those whose output times gradient "
            "is largest, of the last column those whose gradient is."
        )
    if any(size > limits.units for size in shown):
        found.append(
            f"Of wider columns about {limits.units} units are in the strips, evenly apart."
        )
    if not all(is_shown(explanation[k].output) for k in range(len(explanation))):
        found.append("Layers whose output is not (n, m) are in the table only.")
    if not limits.exact and any(
        explanation[layer].output.dtype.itemsize > 4 for k in places for layer in columns[k].layers
    ):
        found.append("Numbers are kept as float32.")
    return found


def packed(array: Any, exact: bool) -> str:
    """Return an array as text: a letter for its kind, and its little-endian bytes in base64.

    ``f`` is float32, ``d`` float64. What float32 cannot hold to within rounding stays float64.
    """
    values = np.asarray(array)
    single = values.dtype.itemsize <= 2 or values.dtype == np.float32
    if not single:
        values = values.astype(np.float64)
        single = not exact and fits_single(values)
    data = np.ascontiguousarray(values, dtype="<f4" if single else "<f8").tobytes()
    return ("f" if single else "d") + base64.b64encode(data).decode()


def fits_single(values: NDArray[np.float64]) -> bool:
    """Tell whether float32 keeps each value to within its rounding: none is too large or small."""
    finite = values[np.isfinite(values)]
    with np.errstate(over="ignore", under="ignore"):
        error = np.abs(finite.astype(np.float32).astype(np.float64) - finite)
    return bool(np.all(error <= np.abs(finite) * 2.0**-24))
