"""The short way of one step: a plan that was made before, looked at and used without Python calls.

The core remembers each part's class and settings; of the attributes named here it knows that they
change from step to step: what a pass leaves, arrays, counts, the rate. Any other attribute that is
new, gone or has another value leads back to the long way, and so does a change of a class.
"""

from __future__ import annotations

import contextlib
import operator
from typing import Any

from .. import _core
from ..layers.parameters import names_of, slots_named
from ..optimizers.state import state_kinds
from .busy import parameter_lock
from .divergence import nonfinite_parameter, nonfinite_update
from .kept import Way, plans_of, short_ways_of
from .network import (
    Layers,
    Network,
    NoPlan,
    Parameter,
    check_forms,
    described,
    layers_of,
    network_of,
)
from .passes import learning
from .request import PLAIN, StepRecord, TrainingRequest

OF_OPTIMIZER = frozenset(
    {
        "learning_rate",
        "decay",
        "weight_decay",
        "iterations",
        "current_learning_rate",
        "current_weight_decay",
        "told_of_another_model",
    }
)
OF_LOSS = {"trainable_layers", "accumulated_sum", "accumulated_count", "accumulated_dtype"}
OF_ACCURACY = {"accumulated_sum", "accumulated_count", "precision", "learned_precision"}


def remember(model: Any, layers: Layers, network: Network, request: TrainingRequest) -> None:
    """Let the model have a short way for requests such as this one, where there can be one.

    Not where a callback has changed the model since the plan was made: the way would take the
    plan's structure for that of the settings that it remembers.
    """
    try:
        if layers_of(model) != layers or network_of(model, layers, request) != network:
            return
    except (AttributeError, NoPlan, TypeError, ValueError):
        return
    found = short_way(model, layers, network, plans_of(model)[network])
    if found is None:
        return
    way = Way(network, found, tuple(model.layers), layers)
    ways = short_ways_of(model)
    ways[form_of(request)] = way
    # the next batch is asked for without an objective
    kept = network.keeps_gradients or network.noted
    if request.steps == 1 and not kept and request.objective == PLAIN:
        ways[request.batch_size] = way


def form_of(request: TrainingRequest) -> tuple[Any, ...]:
    """Return what of a request makes the structure of its plan, beside the model."""
    clips, labels = request.clip_norm is not None, request.y.ndim == 1
    noted = request.record is not None
    return request.batch_size, clips, request.accumulate, labels, request.objective, noted


def known_way(model: Any, request: TrainingRequest) -> Way | None:
    """Return the way of an earlier training of this form by the very layers; None where none is."""
    way = short_ways_of(model).get(form_of(request))
    if way is None or len(way.objects) != len(model.layers):
        return None
    if not all(map(operator.is_, way.objects, model.layers)):
        return None
    try:
        check_forms(way.network.stages[-1].n_neurons, way.network.metric, request)
    except NoPlan:
        return None
    return way


def short_way(
    model: Any, layers: Layers, network: Network, plan: _core.Plan
) -> _core.ShortWay | None:
    """Return the short way between the model and its plan; None where there can be none.

    Schedules are asked in Python, a setting that is no plain value cannot be compared, and an
    optimizer that has not yet claimed the layers, since a callback put it there, begins otherwise.
    """
    optimizer = model.optimizer
    scheduled = [optimizer.schedule, optimizer.weight_decay_schedule]
    scheduled += [each.schedule for each in layers.dropouts if each is not None]
    places = {id(layer): place for place, layer in enumerate(model.layers)}
    if network.has_layers_of_tables or any(each is not None for each in scheduled):
        return None
    learners = learning(model.trainable_layers)
    if any(getattr(each, "optimizer_token", None) != optimizer.token for each in learners):
        return None
    known = [*model.trainable_layers, *layers.parametric, *layers.dropouts]
    if not all(each is None or id(each) in places for each in known):
        return None
    parts = [(layer, frozenset(of_layer(layer))) for layer in model.layers]
    parts += [
        (model.loss, frozenset({*OF_LOSS, *type(model.loss).transient})),
        (optimizer, OF_OPTIMIZER),
        (model.accuracy, frozenset(OF_ACCURACY)),
    ]
    with contextlib.suppress(ValueError):
        return _core.ShortWay(
            plan,
            tuple(parts),
            [places[id(layer)] for layer in model.trainable_layers],
            places_of(layers, network, optimizer.states, places),
            tuple(None if each is None else places[id(each)] for each in layers.dropouts),
            [float(each) for each in optimizer.hyper()],
        )
    return None


def of_layer(layer: Any) -> list[str]:
    """Return the attributes of a layer that change from step to step."""
    slots = slots_named(names_of(layer))
    arrays = [name for slot in slots for name in (slot.name, slot.gradient)]
    states = [slot.state(kind) for slot in slots for kind in state_kinds()]
    counts = ["optimizer_steps", "key", "step", "training_share"]
    return [*type(layer).transient, *arrays, *states, *counts]


def places_of(
    layers: Layers, network: Network, states: tuple[str, ...], places: dict[int, int]
) -> tuple[Any, ...]:
    """Return where each parameter is: the factors of columns, each stage's weights and biases."""
    found = {
        (id(layer), slot.name): place_of(parameter, slot, states, places[id(layer)])
        for layer, slot, parameter in described(layers, network)
    }
    scale = [None] if layers.scale is None else list(found.values())[:1]
    for stage in layers.stages:
        scale += [found.get((id(stage.dense), name)) for name in ("weights", "biases")]
    return tuple(scale)


def place_of(parameter: Parameter, slot: Any, states: tuple[str, ...], place: int) -> Any:
    """Return a layer's place, and the names of a parameter and of what learns beside it."""
    beside = [slot.state(kind) for kind in states] if parameter.learns else []
    return place, (slot.name, *beside)


def short_step(
    model: Any, X: Any, y: Any, sample_weight: Any, where: str
) -> tuple[StepRecord, float] | None:
    """Make one step the short way; return its record and the regularisation after it.

    None where there is no short way, and nothing was done.

    Raises
    ------
    FloatingPointError
        Naming `where`: the update has left a parameter that is not finite.
    """
    ways = model.__dict__.get("_short_ways")
    if not ways:
        return None
    shape = getattr(X, "shape", ())
    found = ways.get(shape[0]) if shape else None
    if found is None:
        return None
    with parameter_lock(model):
        record = _core.short_step(
            found.way,
            model.layers,
            model.trainable_layers,
            model.loss,
            model.optimizer,
            model.accuracy,
            X,
            y,
            sample_weight,
            model._precision or 0.0,
        )
    if record is None:
        return None
    *values, penalty_after, finite = record
    if not finite:
        raise nonfinite_update(where, nonfinite_parameter(model))
    return StepRecord(*values), penalty_after
