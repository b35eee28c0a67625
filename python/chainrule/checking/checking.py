"""Gradients against differences: `(f(w + h) - f(w - h)) / 2h`, entry by entry.

What is checked is the gradient in the model's own dtype, and the one that the same classes give
in float64; what they are checked against are differences of a float64 copy. The tolerance is
derived from what rounding does to the values at hand (noise.py), and for the float64 copy it is
never more than a small share of the gradient (differences.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_floats, as_real
from ..errors import label_of
from ..layers.parameters import slots_of
from ..losses.base import shaped_targets
from ..model import Model
from ..training.samples import checked_inputs
from ..training.targets import checked_targets
from .copies import Copies, copied, layers_of
from .culprits import culprits
from .examination import Examination
from .gradients import find_parameters
from .plan import plan_gradients
from .randomness import Randomness
from .report import WRONG, GradientReport, GradientRow
from .subjects import ModelSubject, is_loss, is_pair
from .walk import gradient_fault

__all__ = ["gradcheck"]


def gradcheck(
    model_or_layer: Any, X: ArrayLike, y: ArrayLike | None = None, *, full: bool = False
) -> GradientReport:
    """Compare a gradient with central differences of a float64 copy.

    For a model: the gradient of `data loss + regularisation` that its own `forward` and
    `backward` give ("layers"), and the one that `train` follows ("plan": parameters before
    minus after one step of plain SGD on the whole of `X`, over the rate). For a layer or
    activation: the gradient of `sum of output * dvalues` with fixed random dvalues. For a loss:
    the gradient of the mean of its per-sample values, with `X` as predictions (logits for an
    activation and a loss in one).

    Parameters
    ----------
    model_or_layer : Model, layer, activation or loss
        Also a class of your own with `forward` and `backward`. It is left unchanged.
    X : array_like, (n, d)
        One batch; a few dozen samples are enough.
    y : array_like
        Targets or labels, for a model or a loss.
    full : bool
        True checks every entry; otherwise at most 200 an array, drawn with a fixed seed, and
        the others along eight random directions.

    Returns
    -------
    GradientReport
        True or false as a whole; `str` and `repr` give a table; `rows` holds its lines.

    Raises
    ------
    TypeError
        If there is nothing to differentiate, a class comes instead of an object, or a model or
        loss without `y`.
    ValueError
        If `X` holds no sample, or the model has no loss.

    Notes
    -----
    Every parameter has a row, whatever its gradient looks like: one that is absent, of another
    shape, not a number, or that depends on earlier calls (the same backward twice is not the
    same to the last bit) is WRONG. What would make it right stands beneath, where it is
    recognised. An array whose slope or gradient cannot be told well enough is "not checkable",
    and the report is false.

    Dropout masks and random numbers are held fixed, frozen layers are checked as if they
    learned. Entries whose step crosses a kink (as the layers' and losses' `regions` tell: ReLU
    at 0, prediction = target of the absolute error, clipped prediction; L1 at 0) are counted
    apart. A difference is extrapolated from the steps h and 2h, h = 1e-5, or others where that
    is too coarse or too fine. The tolerance is 16 times the rounding error that the condition
    of values and gradient lets expect, plus twice the extrapolation; for float64 it is at
    most 0.001 of the array's largest gradient, beyond the rounding of the difference itself.
    """
    _check_kind(model_or_layer)
    if y is None and (isinstance(model_or_layer, Model) or is_loss(model_or_layer)):
        kind = label_of(model_or_layer)
        raise TypeError(f"gradcheck: {kind}: expected y, the targets, beside X; got none")
    parts = [*layers_of(model_or_layer), getattr(model_or_layer, "loss", None)]
    outer = Randomness([part for part in parts if part is not None])
    try:
        return _report(model_or_layer, *_own_arrays(model_or_layer, X, y), outer, full)
    finally:
        outer.rewind()


def _check_kind(thing: Any) -> None:
    """Refuse what has no gradient to check."""
    if isinstance(thing, type):
        name = thing.__name__
        raise TypeError(f"gradcheck: expected an instance, got the class {name}; write {name}(...)")
    if not all(callable(getattr(thing, name, None)) for name in ("forward", "backward")):
        kind = type(thing).__name__
        raise TypeError(f"gradcheck: expected a model, a layer or a loss, got {kind}")
    if isinstance(thing, Model) and thing.loss is None:
        raise ValueError("gradcheck: Model: loss: expected one, got none; call set(loss=...)")


def _own_arrays(
    thing: Any, X: ArrayLike, y: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """X in the dtype that `thing` computes in, and y as its loss takes it."""
    is_model = isinstance(thing, Model)
    inputs = as_floats(checked_inputs(thing, X, "X") if is_model else X, "X")
    held = [
        array.dtype
        for layer in layers_of(thing)
        for slot in slots_of(layer)
        if isinstance(array := getattr(layer, slot.name), np.ndarray) and array.dtype.kind == "f"
    ]
    inputs = np.array(inputs, dtype=held[0] if held else inputs.dtype, order="C")
    if inputs.ndim == 0 or len(inputs) == 0:
        raise ValueError(f"gradcheck: X: expected at least one sample, got shape {inputs.shape}")
    if y is None or not (is_model or is_loss(thing)):
        return inputs, None
    targets = checked_targets(thing, y, len(inputs), "y") if is_model else as_real(y, "y")
    if targets.ndim == 0 or len(targets) != len(inputs):
        raise ValueError(f"y: expected {len(inputs)} samples, as X has, got {targets.shape}")
    return inputs, _as_taken(thing, inputs, targets)


def _as_taken(thing: Any, inputs: NDArray[Any], targets: NDArray[Any]) -> NDArray[Any]:
    """y as the loss takes it: rank 2 where the predictions have rank 2, unless it takes labels."""
    shape, loss = inputs.shape, thing
    if isinstance(thing, Model):
        walk = ModelSubject(copied(thing), inputs, None).walk
        shape, loss = np.shape(walk.forward(inputs)), thing.loss
    elif is_pair(thing):
        loss = thing.loss
    n_outputs = shape[1] if len(shape) == 2 else None
    if hasattr(loss, "checked_targets"):
        targets = loss.checked_targets(targets, "y", n_outputs, inputs.dtype)
    else:
        targets = shaped_targets(targets, "y", shape, inputs.dtype)
    if targets.dtype.kind == "f" or targets.ndim == 2:
        targets = np.ascontiguousarray(targets, dtype=inputs.dtype)
    return targets


def _report(
    thing: Any, inputs: NDArray[Any], targets: Any, outer: Randomness, full: bool
) -> GradientReport:
    copies = Copies(thing, inputs, targets, outer)
    layers, is_model = layers_of(thing), isinstance(thing, Model)
    labels = [f"{type(layer).__name__} {k}: " for k, layer in enumerate(layers, 1)]
    frozen = {k for k, layer in enumerate(layers) if not getattr(layer, "trainable", True)}
    fresh = copies.own()
    copies.parameters, notes = find_parameters(fresh, labels if is_model else [""], frozen)
    examined = Examination(copies, full)
    rows, plan = examined.rows(examined.repeats.gradients), ""
    notes += tuple(examined.repeats.writes)
    if is_model:
        rows, plan, more = _model_rows(examined)
        notes += more
        if not examined.repeats.faults and any(row.verdict == WRONG for row in rows):
            notes += culprits(examined)
    count = f"{len(inputs)} sample" + ("" if len(inputs) == 1 else "s")
    title = f"gradcheck: {type(thing).__name__}, {count}, {inputs.dtype}"
    return GradientReport(title, tuple(rows), plan, notes)


def _model_rows(examined: Examination) -> tuple[list[GradientRow], str, tuple[str, ...]]:
    """The rows of a model: of its own forward and backward, and of its training."""
    repeats, copies = examined.repeats, examined.copies
    if repeats.faults:
        text = "plan: not looked at, because a layer's gradient is not usable"
        return examined.rows(repeats.gradients), text, ()
    raw = _of_model(copies)
    rows = examined.rows({**repeats.gradients, **raw})
    for k, row in enumerate(rows):
        if row.array in raw and raw[row.array] is None:
            text = "the model's own backward leaves no gradient of the right shape"
            rows[k] = GradientRow(row.array, "layers", np.nan, 0, 0, 0.0, 0.0, text, WRONG)
    if examined.unsteady:
        return rows, "", ()
    steps, plan, notes = plan_gradients(copies, repeats.gradients)
    for label in (p.label for p in copies.parameters if p.label in steps):
        gradient, rounding = steps[label]
        rows.append(examined.compared(label, gradient, "plan", rounding))
    return rows, plan, notes


def _of_model(copies: Copies) -> dict[str, NDArray[Any] | None]:
    """The parameters' gradients that the model's own forward and backward leave."""
    copies.outer.rewind()
    model = copied(copies.thing)
    model.finalize()
    model.backward(model.forward(copies.inputs.copy(), training=True), np.array(copies.y))
    found: dict[str, NDArray[Any] | None] = {}
    for p in copies.parameters:
        layer = model.layers[p.position]
        gradient = getattr(layer, p.gradient, None)
        shape = np.shape(getattr(layer, p.name))
        fits = not gradient_fault(gradient, p.gradient, shape)
        found[p.label] = np.array(gradient) if fits else None
    return found
