"""A model as the core sees it: stages of a dense layer, its activation and its dropout.

What has methods of its own cannot be seen so: NoPlan says what, and the model is then trained
layer by layer.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from ..activations import (
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Tanh,
)
from ..dropout import Layer_Dropout
from ..layers import Layer_Dense, Layer_Input
from ..losses import (
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
)
from ..metrics import Accuracy_Categorical, Accuracy_Regression
from ..optimizers import Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD

ACTIVATIONS: dict[type, str] = {
    Activation_Linear: "linear",
    Activation_ReLU: "relu",
    Activation_Sigmoid: "sigmoid",
    Activation_Tanh: "tanh",
    Activation_Softmax: "softmax",
}
LAYERS = (Layer_Dense, *ACTIVATIONS, Layer_Dropout, Layer_Input)
LOSSES: dict[type, str] = {
    Loss_HalfSquaredError: "half_squared_error",
    Loss_MeanSquaredError: "mean_squared_error",
    Loss_MeanAbsoluteError: "mean_absolute_error",
    Loss_BinaryCrossentropy: "binary_crossentropy",
    Loss_CategoricalCrossentropy: "categorical_crossentropy",
}
OPTIMIZERS = (Optimizer_SGD, Optimizer_Adagrad, Optimizer_RMSprop, Optimizer_Adam)
METHODS = (
    "forward",
    "backward",
    "predictions",
    "calculate",
    "calculate_accumulated",
    "regularization_loss",
    "pre_update_params",
    "update_params",
    "post_update_params",
    "compare",
    "init",
)


@functools.cache
def methods_of(base: type) -> frozenset[str]:
    """Return which of METHODS a class of the package has."""
    return frozenset(name for name in METHODS if hasattr(base, name))


def base_of(thing: Any, bases: Collection[type]) -> type | None:
    """Return which of `bases` `thing` is, with that class's own methods; None if it is none.

    A subclass that leaves the methods alone counts; one that overrides a method does not.
    """
    kind: type = type(thing)
    if kind not in bases:
        base = next((base for base in bases if isinstance(thing, base)), None)
        if base is None or any(
            getattr(kind, name) is not getattr(base, name) for name in methods_of(base)
        ):
            return None
        kind = base
    return kind if methods_of(kind).isdisjoint(vars(thing)) else None


@dataclass
class Stage:
    """A dense layer with the activation and the dropout that follow it."""

    dense: Layer_Dense
    activation: str | None = None
    dropout: Layer_Dropout | None = None


@dataclass
class Structure:
    """A model as the core sees it."""

    stages: list[Stage] = field(default_factory=list)
    input_dropout: Layer_Dropout | None = None
    loss: str = ""
    metric: str = "none"


class NoPlan(Exception):
    """Why a model is trained layer by layer."""


def describe_class(thing: Any) -> str:
    return type(thing).__name__


def add_layer(structure: Structure, layer: Any, position: int) -> None:
    """Add one of the model's layers to the stages, or raise NoPlan."""
    stage = structure.stages[-1] if structure.stages else None
    base = base_of(layer, LAYERS)
    if base is None:
        raise NoPlan(f"layer {position}, {describe_class(layer)}, has methods of its own")
    if base is Layer_Dense:
        structure.stages.append(Stage(layer))
    elif base is Layer_Dropout:
        before = structure.input_dropout if stage is None else stage.dropout
        if before is not None:
            raise NoPlan(f"layer {position}, {describe_class(layer)}, follows another dropout")
        if stage is None:
            structure.input_dropout = layer
        else:
            stage.dropout = layer
    elif base is not Layer_Input:
        if stage is None or stage.activation is not None or stage.dropout is not None:
            name = describe_class(layer)
            raise NoPlan(f"layer {position}, {name}, does not follow a dense layer")
        stage.activation = ACTIVATIONS[base]


def metric_of(model: Any, last: str) -> str:
    """Return the accuracy's name for the core, given the last activation; or raise NoPlan."""
    if model.accuracy is None:
        return "none"
    base = base_of(model.accuracy, (Accuracy_Categorical, Accuracy_Regression))
    if base is None:
        raise NoPlan(f"the accuracy, {describe_class(model.accuracy)}, has methods of its own")
    if base is Accuracy_Regression and last not in ("softmax", "sigmoid"):
        return "regression"
    if base is Accuracy_Categorical:
        if model.accuracy.binary and last == "sigmoid":
            return "binary"
        if not model.accuracy.binary and last == "softmax":
            return "categorical"
    raise NoPlan(f"the accuracy, {describe_class(model.accuracy)}, does not fit a last {last}")


def structure_of(model: Any) -> Structure:
    """Return the model as the core sees it, or raise NoPlan."""
    structure = Structure()
    for position, layer in enumerate(model.layers, 1):
        add_layer(structure, layer, position)
    if not structure.stages:
        raise NoPlan("there is no dense layer")
    if structure.stages[-1].dropout is not None:
        raise NoPlan("the last layer is a dropout")
    loss = base_of(model.loss, LOSSES)
    if loss is None:
        raise NoPlan(f"the loss, {describe_class(model.loss)}, has methods of its own")
    last = structure.stages[-1].activation or "linear"
    joint = loss is Loss_CategoricalCrossentropy and last == "softmax"
    structure.loss = "softmax_crossentropy" if joint else LOSSES[loss]
    structure.metric = metric_of(model, last)
    if base_of(model.optimizer, OPTIMIZERS) is None:
        raise NoPlan(f"the optimizer, {describe_class(model.optimizer)}, has methods of its own")
    check_parameters([stage.dense for stage in structure.stages])
    return structure


def check_parameters(layers: list[Layer_Dense]) -> None:
    """Raise NoPlan where parameters are not the plain arrays the core works on."""
    arrays = [array for layer in layers for array in (layer.weights, layer.biases)]
    if len({array.dtype for array in arrays}) > 1:
        raise NoPlan("the layers have several dtypes")
    if not all(array.flags.carray for array in arrays):
        raise NoPlan("a parameter is read-only or not contiguous")
    owners = {id(array) for array in arrays if array.flags.owndata}
    if len(owners) == len(arrays):
        return
    if any(np.may_share_memory(one, other) for one, other in combinations(arrays, 2)):
        raise NoPlan("two parameters share memory")
