"""A model as the core sees it: one description, whose fields the core reads in their order.

A stage is a dense layer with the activation and the dropout that follow it; in front of the first
one there may be learned features of the columns, and a factor for each. What has methods of its own
cannot be seen so: NoPlan says what, and the model is then trained layer by layer.
"""

from __future__ import annotations

import math
import numbers
import os
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from ..arrays import Array
from ..catalogue import own_class
from ..layers import (
    Layer_Dense,
    Layer_Dropout,
    Layer_Embedding,
    Layer_Input,
    Layer_ParametricActivation,
    Layer_PeriodicFeatures,
    Layer_Scale,
)
from ..layers.activation import Activation
from ..layers.parameters import Slot, slots_of
from ..optimizers.state import steps_of
from .passes import learning
from .request import Objective, TrainingRequest

STATELESS = "sgd"  # a rule that keeps no arrays
ROWS_TOGETHER = 65536  # of samples looked at


class NoPlan(Exception):
    """Why a model is trained layer by layer."""


# --- the description: bindings/bind_plan.cpp reads these fields in this order ---------------------


class Dropout(NamedTuple):
    """The kept share."""

    keep: float


class Parameter(NamedTuple):
    """How an array learns: penalties, and factors of rate, decay and epsilon."""

    learns: bool
    l1: float
    l2: float
    rate_factor: float
    decay_factor: float
    epsilon_factor: float


class Features(NamedTuple):
    """Layers in front: periodic features of the first columns, tables for the codes in the last.

    Sizes are 0 or empty for the one that is missing; a parameter for each of their arrays.
    """

    n_columns: int
    n_periodic: int
    n_frequencies: int
    n_mixed: int
    sizes: tuple[int, ...]
    width: int
    parameters: tuple[Parameter, ...]


class Stage(NamedTuple):
    """A dense layer, its activation, its dropout; no biases, or no shares: None."""

    n_inputs: int
    n_neurons: int
    activation: str
    activation_parameters: tuple[float, ...]
    dropout: Dropout | None
    weights: Parameter
    biases: Parameter | None
    shares: Parameter | None


class Network(NamedTuple):
    """The structure of a training: everything that the core is told of it but for values.

    Values are the samples, the arrays, the rate and its kind, and where the training stands.
    """

    dtype: str
    features: Features | None
    stages: tuple[Stage, ...]
    scale: Parameter | None
    input_dropout: Dropout | None
    loss: str
    loss_parameters: tuple[float, ...]
    metric: str
    batch_size: int
    labels: bool
    rule: str
    keeps_gradients: bool
    accumulate: int
    loss_factor: float
    batch_objective: bool
    engine: str
    noted: bool = False
    observed: bool = False

    @property
    def has_layers_of_tables(self) -> bool:
        """Whether there are learned features or shares, which not every way of a plan knows."""
        return self.features is not None or any(each.shares is not None for each in self.stages)


class Counts(NamedTuple):
    """Where a training stands, beside its arrays.

    Key and training forwards of the dropout behind the inputs and of each stage's; the steps that
    each parameter has seen, in the order of the layers.
    """

    streams: tuple[tuple[int, int], ...]
    steps: tuple[int, ...]


# --- which layer is which -------------------------------------------------------------------------


@dataclass
class StageLayers:
    """The layers of one stage; the activation is that of `shares`, where there is such a layer."""

    dense: Any
    activation: Any = None
    shares: Any = None
    dropout: Any = None


@dataclass
class Layers:
    """A model's layers by the places they take in a network."""

    periodic: Any = None
    tables: Any = None
    scale: Any = None
    input_dropout: Any = None
    stages: list[StageLayers] = field(default_factory=list)

    @property
    def dropouts(self) -> list[Any]:
        """Return the dropout behind the inputs and behind each stage; None where there is none."""
        return [self.input_dropout, *(stage.dropout for stage in self.stages)]

    @property
    def parametric(self) -> list[Any]:
        """Return the layers with parameters, from below."""
        found = [self.periodic, self.tables, self.scale]
        for stage in self.stages:
            found += [stage.dense, stage.shares]
        return [each for each in found if each is not None]

    @property
    def features(self) -> list[Any]:
        """Return the layers of learned features, from below."""
        return [each for each in (self.periodic, self.tables) if each is not None]


def layers_of(model: Any) -> Layers:
    """Return the model's layers by their places, or raise NoPlan."""
    found = Layers()
    for position, layer in enumerate(model.layers, 1):
        place_layer(found, layer, f"layer {position}, {type(layer).__name__},")
    if not found.stages:
        raise NoPlan("there is no dense layer")
    if found.stages[-1].dropout is not None:
        raise NoPlan("the last layer is a dropout")
    if found.stages[-1].shares is not None:
        raise NoPlan("the last activation has learned shares")
    return found


def place_layer(found: Layers, layer: Any, name: str) -> None:
    """Give one more layer its place, or raise NoPlan."""
    stage = found.stages[-1] if found.stages else None
    own = own_class(layer)
    if own is None:
        raise NoPlan(f"{name} has methods of its own")
    if own is Layer_Dense:
        found.stages.append(StageLayers(layer))
    elif own is Layer_Dropout:
        if (found.input_dropout if stage is None else stage.dropout) is not None:
            raise NoPlan(f"{name} follows another dropout")
        if stage is not None:
            stage.dropout = layer
        elif found.scale is not None or found.features:
            raise NoPlan(f"{name} follows a scale layer or learned features")
        else:
            found.input_dropout = layer
    elif own is Layer_Scale:
        if stage is not None or found.scale is not None or found.input_dropout is not None:
            raise NoPlan(f"{name} does not stand in front of the first dense layer")
        found.scale = layer
    elif own in (Layer_PeriodicFeatures, Layer_Embedding):
        place_features(found, layer, name)
    elif issubclass(own, Activation) or own is Layer_ParametricActivation:
        if stage is None or stage.activation is not None or stage.dropout is not None:
            raise NoPlan(f"{name} does not follow a dense layer")
        stage.activation = layer
        if own is Layer_ParametricActivation:
            stage.activation, stage.shares = layer.activation, layer
            if own_class(layer.activation) is None:
                raise NoPlan(f"{name} has an activation with methods of its own")
    elif own is not Layer_Input:
        raise NoPlan(f"{name} is not known to the core")


def place_features(found: Layers, layer: Any, name: str) -> None:
    """Give a layer of learned features its place, or raise NoPlan."""
    if found.stages or found.scale is not None or found.input_dropout is not None:
        raise NoPlan(f"{name} does not stand in front of the other layers")
    if found.tables is not None or (
        found.periodic is not None and own_class(layer) is not Layer_Embedding
    ):
        raise NoPlan(f"{name} follows other learned features")
    if found.periodic is not None and layer.n_inputs != found.periodic.n_neurons:
        raise NoPlan(f"{name} takes {layer.n_inputs} columns, not {found.periodic.n_neurons}")
    if own_class(layer) is Layer_Embedding:
        found.tables = layer
    else:
        found.periodic = layer


# --- the model as a network -----------------------------------------------------------------------


def network_of(
    model: Any,
    layers: Layers,
    request: TrainingRequest | None = None,
    batch_size: int = 1,
    gives_gradients: bool = False,
) -> Network:
    """Return the network, its loss and its optimizer as the core takes them.

    One that gives gradients away needs no optimizer, and counts no accuracy.

    Raises
    ------
    NoPlan
        A part with methods of its own, a setting, or samples of the request, that the core
        cannot take.
    """
    check_parameters(layers)
    learners = {id(layer) for layer in learning(model.trainable_layers)}
    last = layers.stages[-1].activation
    loss, loss_parameters = loss_of(model.loss, last)
    if own_class(model.optimizer) is None and not gives_gradients:
        raise NoPlan(f"the optimizer, {type(model.optimizer).__name__}, has methods of its own")
    labels, keeps_gradients, accumulate, noted = False, False, 1, False
    objective = Objective()
    metric = "none" if gives_gradients else metric_of(model, last)
    if request is not None:
        check_samples(model, layers, metric, request)
        batch_size, accumulate = request.batch_size, request.accumulate
        keeps_gradients = gives_gradients or request.clip_norm is not None or accumulate > 1
        labels = request.y.ndim == 1
        noted = request.record is not None
        objective = request.objective
    if noted and (layers.features or any(stage.shares is not None for stage in layers.stages)):
        raise NoPlan("a record of learned features or shares is taken layer by layer")
    scale = None
    if layers.scale is not None:
        scale = parameter_of(layers.scale, slots_of(layers.scale)[0], learners)
    return Network(
        dtype=layers.stages[0].dense.dtype.name,
        features=features_of(layers, learners),
        stages=tuple(stage_of(stage, learners) for stage in layers.stages),
        scale=scale,
        input_dropout=dropout_of(layers.input_dropout),
        loss=loss,
        loss_parameters=loss_parameters,
        metric=metric,
        batch_size=batch_size,
        labels=labels,
        rule=STATELESS if gives_gradients else model.optimizer.rule,
        keeps_gradients=keeps_gradients,
        accumulate=accumulate,
        loss_factor=objective.loss_factor,
        batch_objective=objective.of_batch,
        engine=os.environ.get("CHAINRULE_ENGINE") or "automatic",
        noted=noted,
    )


def features_of(layers: Layers, learners: set[int]) -> Features | None:
    """Return the learned features in front of the network; None where there are none."""
    if not layers.features:
        return None
    periodic, tables = layers.periodic, layers.tables
    found = [
        parameter_of(layer, slot, learners) for layer in layers.features for slot in slots_of(layer)
    ]
    return Features(
        n_columns=layers.features[0].n_inputs,
        n_periodic=0 if periodic is None else periodic.n_periodic,
        n_frequencies=0 if periodic is None else periodic.n_frequencies,
        n_mixed=0 if periodic is None else periodic.n_mixed,
        sizes=() if tables is None else tuple(tables.sizes),
        width=0 if tables is None else tables.width,
        parameters=tuple(found),
    )


def stage_of(layers: StageLayers, learners: set[int]) -> Stage:
    """Return a stage of the network."""
    dense, activation, shares = layers.dense, layers.activation, layers.shares
    slots = slots_of(dense)
    found = [parameter_of(dense, slot, learners) for slot in slots]
    parameters = () if activation is None else activation.parameters()
    n_inputs, n_neurons = dense.weights.shape
    return Stage(
        n_inputs,
        n_neurons,
        activation="linear" if activation is None else activation.name_in_core(),
        activation_parameters=tuple(finite(each, "a setting") for each in parameters),
        dropout=dropout_of(layers.dropout),
        weights=found[0],
        biases=found[1] if len(found) > 1 else None,
        shares=None if shares is None else parameter_of(shares, slots_of(shares)[0], learners),
    )


def parameter_of(layer: Any, slot: Slot, learners: set[int]) -> Parameter:
    """Return how one of the layer's arrays learns; frozen, it has no penalty."""
    learns = id(layer) in learners
    l1, l2 = slot.strengths(layer) if learns else (0.0, 0.0)
    what = f"a setting of {slot.name}"
    return Parameter(
        learns,
        l1=finite(l1, what),
        l2=finite(l2, what),
        rate_factor=finite(slot.factor(layer, "learning_rate_factor"), what),
        decay_factor=finite(slot.decay_factor(layer), what),
        epsilon_factor=finite(slot.factor(layer, "epsilon_factor"), what),
    )


def dropout_of(layer: Layer_Dropout | None) -> Dropout | None:
    """Return a dropout; NoPlan where the layer itself would refuse."""
    if layer is None:
        return None
    counts = (layer.key, layer.step)
    if not all(isinstance(count, int) and 0 <= count < 2**64 for count in counts):
        raise NoPlan("a dropout's key or step is not an int from 0 to 2**64 - 1")
    if not 0 < finite(layer.rate, "a dropout's rate") <= 1:
        raise NoPlan("a dropout's rate is not in (0, 1]")
    return Dropout(float(layer.rate))


def loss_of(loss: Any, last: Any) -> tuple[str, tuple[float, ...]]:
    """Return the core's name of the loss, joined with the last activation or not, and settings."""
    if own_class(loss) is None:
        raise NoPlan(f"the loss, {type(loss).__name__}, has methods of its own")
    name = loss.joint_with(last) or loss.name_in_core()
    return name, tuple(finite(each, "a setting of the loss") for each in loss.parameters())


def metric_of(model: Any, last: Any) -> str:
    """Return the accuracy's name in the core; NoPlan where it does not fit what is predicted."""
    if model.accuracy is None:
        return "none"
    name = type(model.accuracy).__name__
    if own_class(model.accuracy) is None:
        raise NoPlan(f"the accuracy, {name}, has methods of its own")
    predicts = model.loss.predicts or (last.predicts if last is not None else "values")
    metric: str | None = model.accuracy.core_metric(predicts)
    if metric is None:
        end = "linear" if last is None else last.name_in_core()
        raise NoPlan(f"the accuracy, {name}, is not counted by the core after a last {end}")
    return metric


def finite(value: Any, name: str) -> float:
    """Return a setting that the core can take; NoPlan for anything but a finite number."""
    real = type(value) in (float, int) or isinstance(value, numbers.Real)  # the first is faster
    try:
        if real and math.isfinite(value):
            return float(value)
    except OverflowError:
        raise ValueError(f"{name}: expected a number, got an int beyond float64") from None
    raise NoPlan(f"{name} is not a finite number: {value!r}")


def check_parameters(layers: Layers) -> None:
    """Raise NoPlan where parameters are not the plain arrays the core works on."""
    arrays = [getattr(layer, slot.name) for layer in layers.parametric for slot in slots_of(layer)]
    if not all(hasattr(stage.dense, "weights") for stage in layers.stages):
        raise NoPlan("a dense layer has no weights")
    if len({array.dtype for array in arrays}) > 1:
        raise NoPlan("the layers have several dtypes")
    if not all(array.flags.carray for array in arrays):
        raise NoPlan("a parameter is read-only or not contiguous")
    owners = {id(array) for array in arrays if array.flags.owndata}
    if len(owners) == len(arrays):
        return
    if any(np.may_share_memory(one, other) for one, other in combinations(arrays, 2)):
        raise NoPlan("two parameters share memory")


def check_samples(model: Any, layers: Layers, metric: str, request: TrainingRequest) -> None:
    """Raise NoPlan for samples that the core would see otherwise than the classes do."""
    check_forms(layers.stages[-1].dense.n_neurons, metric, request)
    samples = [request.X, request.y, *(request.validation or ())[:2]]
    if layers.tables is not None:
        position = next(k for k, each in enumerate(model.layers, 1) if each is layers.tables)
        for X in samples[::2]:
            check_codes(layers.tables, position, X)
    for layer in layers.parametric:
        for slot in slots_of(layer):
            if any(np.may_share_memory(getattr(layer, slot.name), each) for each in samples):
                raise NoPlan("a parameter and the samples share memory")


def check_codes(tables: Layer_Embedding, position: int, X: Array) -> None:
    """Refuse samples without codes in their last columns.

    Raises
    ------
    ValueError
        As the layer itself would, but before anything has changed.
    """
    sizes = np.array(tables.sizes)
    for start in range(0, len(X), ROWS_TOGETHER):
        codes = X[start : start + ROWS_TOGETHER, -len(sizes) :]
        wrong = np.argwhere(~((codes >= 0) & (codes < sizes) & (codes == np.floor(codes))))
        if len(wrong):
            row, k = map(int, wrong[0])
            raise ValueError(
                f"{type(tables).__name__} {position}: inputs: expected a code from 0 to "
                f"{sizes[k] - 1} in column {tables.n_passed + k}, "
                f"got {float(codes[row, k])!r} in row {start + row}"
            )


def check_forms(n_outputs: int, metric: str, request: TrainingRequest) -> None:
    """Raise NoPlan for samples of another form than the core takes."""
    X, y = request.X, request.y
    if X.ndim != 2 or X.dtype.kind not in "fiub":
        raise NoPlan("the samples are no matrix of numbers")
    if X.dtype.kind == "f" and X.dtype.itemsize not in (4, 8):
        raise NoPlan(f"the samples are {X.dtype}")
    if y.ndim != 2 and y.dtype.kind != "i":
        raise NoPlan("the targets are not of rank 2")
    check_targets(metric, y, n_outputs)


def check_targets(metric: str, y: Array, n_outputs: int) -> None:
    """Raise NoPlan for targets that the metric would count otherwise than the class does."""
    if metric == "categorical" and y.ndim == 2 and n_outputs == 1:
        raise NoPlan("the accuracy of one class needs labels")
    if metric in ("binary", "binary_logits", "signs", "regression") and y.ndim == 1:
        raise NoPlan("the accuracy needs targets, not labels")


# --- where the training stands --------------------------------------------------------------------


def described(layers: Layers, network: Network) -> list[tuple[Any, Slot, Parameter]]:
    """Return each parameter of the network: its layer, its slot and what the core was told."""
    told = list(() if network.features is None else network.features.parameters)
    told += [network.scale] if network.scale is not None else []
    for stage in network.stages:
        told += [each for each in (stage.weights, stage.biases, stage.shares) if each is not None]
    slots = [(layer, slot) for layer in layers.parametric for slot in slots_of(layer)]
    return [(*slot, parameter) for slot, parameter in zip(slots, told, strict=True)]


def counts_of(layers: Layers) -> Counts:
    """Return how far the streams of dropout are, and the parameters' own steps."""
    return Counts(
        tuple((0, 0) if each is None else (each.key, each.step) for each in layers.dropouts),
        tuple(steps_of(layer, slot) for layer in layers.parametric for slot in slots_of(layer)),
    )


# --- what users see of it -------------------------------------------------------------------------


def plan_text(model: Any) -> str:
    """Return which way `Model.train` goes: dtype, engine and batch size, or why there is no plan.

    The batch size is that of the last training; before the first the whole data are one batch.
    """
    size = getattr(model, "_batch_size", None)
    try:
        network = network_of(model, layers_of(model), batch_size=size or 1)
    except NoPlan as reason:
        return f"layer by layer: {reason}"
    if size is None:
        return f"compiled plan, {network.dtype}, in one batch unless train is given a batch_size"
    engine = _core.engine_for(network)
    return f"compiled plan, {network.dtype}, engine {engine} for batches of {size}"


def why_layerwise(model: Any) -> str | None:
    """Return why the model is trained layer by layer; None where there is a compiled plan."""
    try:
        network_of(model, layers_of(model))
    except NoPlan as reason:
        return str(reason)
    return None
