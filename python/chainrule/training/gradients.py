"""The gradient of one batch as a value: computed as a step of `Model.train` does, and not spent."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from ..multipliers import shares_of
from ..optimizers import Optimizer
from ..optimizers.state import claim_layers
from ..optimizers.updates import check_gradient
from .beginning import scheduled_dropouts
from .divergence import nonfinite_parameter, nonfinite_update
from .flat import Held, checked_flat, dtype_of, held_of, size_of
from .interrupts import Interrupts
from .kept import put_back, taken_plan
from .layerwise import clip_gradients
from .meter import Meter
from .network import Counts, Layers, Network, NoPlan, counts_of, layers_of, network_of
from .passes import backward_pass, forward_pass, learning, lowest_learning
from .plan_runner import arrays_of, plain
from .request import TrainingRequest, batch_of
from .samples import checked_samples
from .targets import model_dtype
from .weights import checked_weights
from .whole_update import WholeUpdate


def gradients(model: Any, X: Any, y: Any, sample_weight: Any, out: Any) -> tuple[float, Array]:
    """Return loss and gradient of one batch; see `Model.gradients`."""
    inputs, targets = checked_samples(model, X, y, finite=True)
    weight = checked_weights(sample_weight, len(inputs))
    request = TrainingRequest(
        X=inputs,
        y=targets,
        epochs=1,
        batch_size=len(inputs),
        sample_weight=weight,
        dtype=model_dtype(model.layers),
    )
    if out is not None:
        check_out(out, model)
    set_shares(model)
    try:
        layers = layers_of(model)
        network = network_of(model, layers, request, gives_gradients=True)
    except NoPlan:
        return by_classes(model, request, out)
    flat = new_flat(model) if out is None else out
    with Interrupts():
        return by_plan(model, request, layers, network, flat), flat


def by_plan(
    model: Any, request: TrainingRequest, layers: Layers, network: Network, flat: Array
) -> float:
    """Write the gradients that the plan's step would spend; return the loss."""
    plan = taken_plan(model, network)
    try:
        begin_pass(plan, request, layers, network, counts_of(layers))
        loss = plan.gradients(flat, shares_in_use(layers))
    finally:
        put_back(model, network, plan)
    for layer in layers.dropouts:
        if layer is not None:
            layer.step += 1
    return loss


def begin_pass(
    plan: _core.Plan, request: TrainingRequest, layers: Layers, network: Network, counts: Counts
) -> None:
    """Let a plan begin one batch with these layers' parameters, and counts."""
    plan.begin(
        (plain(request.X), plain(request.y), request.sample_weight),
        None,
        epochs=1,
        stop_on_nonfinite=False,
        drops_last=False,
        precision=0.0,
        monitors=(),
    )
    plan.load(arrays_of((), layers, network))
    plan.set_counts(counts)


def by_classes(model: Any, request: TrainingRequest, out: Array | None) -> tuple[float, Array]:
    """Return loss and gradients of the layers' own methods."""
    samples = (request.X, request.y, request.sample_weight)
    X, y, weight = batch_of(samples, slice(None), request.dtype)
    output = forward_pass(model.layers, X, True)
    meter = Meter(model)
    loss = meter.add_loss(output, y, weight) + meter.penalty()
    learners = learning(model.trainable_layers)
    lowest = lowest_learning(model.layers, learners)
    backward_pass(model.layers, model.loss, output, y, weight, lowest)
    held = held_of(model)  # own layers may have got their parameters just now
    flat = new_flat(model) if out is None else check_out(out, model)
    for each in held:
        check_gradient(each.layer, each.slot)
        flat[each.place.slice] = np.ravel(getattr(each.layer, each.slot.gradient))
    return loss, flat


def new_flat(model: Any) -> Array:
    """Return memory for the gradients."""
    held = held_of(model)
    return np.empty(size_of(held), dtype=dtype_of(held, model))


def check_out(out: Any, model: Any) -> Array:
    """Return `out`; refuse what the gradients cannot be written to."""
    held = held_of(model)
    shape, dtype = (size_of(held),), dtype_of(held, model)
    if type(out) is not np.ndarray:
        raise TypeError(f"out: expected an ndarray, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(f"out: expected {shape} of {dtype}, got {out.shape} of {out.dtype}")
    if not out.flags.carray:
        raise ValueError("out: expected a C-contiguous, aligned, writeable array, got another one")
    if any(np.may_share_memory(out, each.array) for each in held):
        raise ValueError("out: expected memory of its own, got an array that overlaps a parameter")
    return out


# --- schedules of dropout -------------------------------------------------------------------------


def set_shares(model: Any) -> None:
    """Tell dropouts with a schedule how far the optimizer's is; without one they know or refuse."""
    dropouts, optimizer = scheduled_dropouts(model.layers), model.optimizer
    begun = isinstance(optimizer, Optimizer) and optimizer.schedule_start is not None
    if dropouts and begun:
        share = float(shares_of(optimizer, optimizer.iterations, 1)[0])
        for layer in dropouts:
            layer.training_share = share


def shares_in_use(layers: Layers) -> Array | None:
    """Return what the schedules multiply the dropped shares by; None where there is none."""
    dropouts = layers.dropouts
    if all(each is None or each.schedule is None for each in dropouts):
        return None
    factors = [1.0 if each is None else each.dropped_factor_in_use() for each in dropouts]
    return np.array(factors)


# --- the step from a gradient ---------------------------------------------------------------------


def apply_gradients(model: Any, flat: Any, clip_norm: float | None) -> None:
    """Make the optimizer's step from a gradient; see `Model.apply_gradients`."""
    held = held_of(model)
    values = checked_flat(flat, "flat", held)
    with Interrupts():
        make_step(model, held, values, clip_norm)
    found = nonfinite_parameter(model)
    if found is not None:
        raise nonfinite_update("apply_gradients", found)


def make_step(model: Any, held: list[Held], values: Array, clip_norm: float | None) -> None:
    """Give the layers their gradients, and let the optimizer make its step."""
    optimizer, layers = model.optimizer, learning(model.trainable_layers)
    for each in held:
        dtype = each.array.dtype
        gradient = np.array(values[each.place.slice], dtype=dtype).reshape(each.place.shape)
        setattr(each.layer, each.slot.gradient, gradient)
        check_gradient(each.layer, each.slot)
    if clip_norm is not None:
        clip_gradients(layers, clip_norm)
    if isinstance(optimizer, Optimizer):
        claim_layers(optimizer, layers)
    WholeUpdate().make(model, layers)
