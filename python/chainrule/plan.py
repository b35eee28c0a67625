"""The compiled plan: what of a model the core can train by itself, and the runner that lets it.

`why_layerwise` tells whether there is a plan; `compile` builds one. The plan keeps its own packed
copies of the parameters while it runs; `write_back` and `read_back` bring both sides together.
"""

from __future__ import annotations

import math
import numbers
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from .activations import (
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Tanh,
)
from .arrays import Array
from .dropout import Layer_Dropout
from .layers import Layer_Dense, Layer_Input
from .losses import (
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
)
from .metrics import Accuracy_Categorical, Accuracy_Regression
from .optimizers import Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD
from .request import StepRecord, TrainingRequest

ACTIVATIONS: dict[type, str] = {
    Activation_Linear: "linear",
    Activation_ReLU: "relu",
    Activation_Sigmoid: "sigmoid",
    Activation_Tanh: "tanh",
    Activation_Softmax: "softmax",
}
LOSSES: dict[type, str] = {
    Loss_HalfSquaredError: "half_squared_error",
    Loss_MeanSquaredError: "mean_squared_error",
    Loss_MeanAbsoluteError: "mean_absolute_error",
    Loss_BinaryCrossentropy: "binary_crossentropy",
    Loss_CategoricalCrossentropy: "categorical_crossentropy",
}
OPTIMIZERS = (Optimizer_SGD, Optimizer_Adagrad, Optimizer_RMSprop, Optimizer_Adam)
STRENGTHS = (
    "weight_regularizer_l1",
    "weight_regularizer_l2",
    "bias_regularizer_l1",
    "bias_regularizer_l2",
)
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


def base_of(thing: Any, bases: Any) -> type | None:
    """Return which of `bases` `thing` is, with that class's own methods; None if it is none.

    A subclass that leaves the methods alone counts; one that overrides a method does not.
    """
    for base in bases:
        if isinstance(thing, base):
            own = [name for name in METHODS if hasattr(base, name)]
            same = all(getattr(type(thing), name) is getattr(base, name) for name in own)
            return base if same and not any(name in vars(thing) for name in own) else None
    return None


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
    if base_of(layer, (Layer_Input,)):
        return
    if base_of(layer, (Layer_Dense,)):
        structure.stages.append(Stage(layer))
    elif (activation := base_of(layer, ACTIVATIONS)) is not None:
        if stage is None or stage.activation is not None or stage.dropout is not None:
            name = describe_class(layer)
            raise NoPlan(f"layer {position}, {name}, does not follow a dense layer")
        stage.activation = ACTIVATIONS[activation]
    elif base_of(layer, (Layer_Dropout,)):
        before = structure.input_dropout if stage is None else stage.dropout
        if before is not None:
            raise NoPlan(f"layer {position}, {describe_class(layer)}, follows another dropout")
        if stage is None:
            structure.input_dropout = layer
        else:
            stage.dropout = layer
    else:
        raise NoPlan(f"layer {position}, {describe_class(layer)}, has methods of its own")


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
    arrays = [getattr(layer, name) for layer in layers for name in ("weights", "biases")]
    if len({array.dtype for array in arrays}) > 1:
        raise NoPlan("the layers have several dtypes")
    if not all(array.flags.carray and array.flags.writeable for array in arrays):
        raise NoPlan("a parameter is read-only or not contiguous")
    for i, one in enumerate(arrays):
        if any(np.may_share_memory(one, other) for other in arrays[i + 1 :]):
            raise NoPlan("two parameters share memory")


def check_samples(structure: Structure, request: TrainingRequest) -> None:
    """Raise NoPlan where an update of a parameter would change a sample."""
    samples = [request.X, request.y, *(request.validation or ())]
    for stage in structure.stages:
        for parameter in (stage.dense.weights, stage.dense.biases):
            if any(np.may_share_memory(parameter, array) for array in samples):
                raise NoPlan("a parameter and the samples share memory")


def why_layerwise(model: Any, request: TrainingRequest | None = None) -> str | None:
    """Return why the model is trained layer by layer; None where there is a compiled plan."""
    try:
        structure = structure_of(model)
        if request is None:
            specification(model, structure, batch_size=1)
        else:
            specification(model, structure, request.batch_size, request.y, request)
    except NoPlan as reason:
        return str(reason)
    return None


# --- what the core is told ----------------------------------------------------------------------


def dropout_entry(layer: Layer_Dropout | None) -> tuple[float, int, int]:
    """Return kept share, key and step; NoPlan where the layer itself would refuse them."""
    if layer is None:
        return (1.0, 0, 0)
    counts = (layer.key, layer.step)
    if not all(isinstance(count, int) and 0 <= count < 2**64 for count in counts):
        raise NoPlan("a dropout's key or step is not an int from 0 to 2**64 - 1")
    if not 0 < finite(layer.rate, "a dropout's rate") <= 1:
        raise NoPlan("a dropout's rate is not in (0, 1]")
    return (float(layer.rate), *counts)


def finite(value: Any, name: str) -> float:
    """Return a setting that the core can take; NoPlan for anything but a finite number."""
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    raise NoPlan(f"{name} is not a finite number: {value!r}")


def stage_entry(stage: Stage) -> tuple[Any, ...]:
    dense = stage.dense
    strengths = (finite(getattr(dense, name), f"a {name}") for name in STRENGTHS)
    activation = stage.activation or "linear"
    return (
        dense.n_inputs,
        dense.n_neurons,
        activation,
        dropout_entry(stage.dropout),
        *strengths,
    )


def rule_of(optimizer: Any) -> str:
    if isinstance(optimizer, Optimizer_SGD):
        if not optimizer.momentum:
            return "sgd"
        return "nesterov" if optimizer.nesterov else "momentum"
    names = {Optimizer_Adagrad: "adagrad", Optimizer_RMSprop: "rmsprop", Optimizer_Adam: "adam"}
    return next(name for base, name in names.items() if isinstance(optimizer, base))


def engine() -> str:
    """Return the engine that ``CHAINRULE_ENGINE`` forces, or ``"automatic"``."""
    return os.environ.get("CHAINRULE_ENGINE") or "automatic"


def specification(
    model: Any,
    structure: Structure,
    batch_size: int,
    y: Array | None = None,
    request: TrainingRequest | None = None,
) -> dict[str, Any]:
    """Return the network, its loss and its optimizer as the core takes them."""
    precision = 0.0 if request is None or request.precision is None else request.precision
    labels = structure.loss.endswith("crossentropy") and y is not None and y.ndim == 1
    if y is not None and not labels and y.ndim != 2:
        raise NoPlan("the targets are not of rank 2")
    if request is not None:
        check_samples(structure, request)
    return {
        "dtype": structure.stages[0].dense.dtype.name,
        "stages": [stage_entry(stage) for stage in structure.stages],
        "input_dropout": dropout_entry(structure.input_dropout),
        "loss": structure.loss,
        "metric": structure.metric,
        "precision": precision,
        "batch_size": batch_size,
        "labels": labels,
        "rule": rule_of(model.optimizer),
        "clips": request is not None and request.clip_norm is not None,
        "engine": engine(),
    }


def describe(model: Any) -> str:
    """Return the plan in words: dtype, engine and the batch size it was chosen for."""
    spec = specification(model, structure_of(model), getattr(model, "_batch_size", 32))
    name = _core.engine_for(spec)
    return f"compiled plan, {spec['dtype']}, engine {name} for batches of {spec['batch_size']}"


def plain(array: Array) -> Array:
    """Return the array as the core reads it: a C-contiguous, aligned, native base ndarray."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.require(native, requirements=["C", "A"]).view(np.ndarray)


# --- the runner ---------------------------------------------------------------------------------


class PlanRunner:
    """Runs a training request in the core; see `chainrule.request.Runner`."""

    def __init__(self, model: Any, request: TrainingRequest) -> None:
        self.model = model
        self.request = request
        self._samples = (plain(request.X), plain(request.y), request.sample_weight)
        self._validation = None
        if request.validation is not None:
            X, y = request.validation
            self._validation = (plain(X), plain(y), None)
        self._epochs_before = 0
        self._order: NDArray[np.int64] | None = None
        self._written_back = True  # the Python objects are up to date, or ahead after a callback
        self._build()

    def _build(self) -> None:
        """Make a plan for the epochs that are left, from the Python objects as they are."""
        request = self.request
        self._structure = structure_of(self.model)
        self._spec = specification(
            self.model, self._structure, request.batch_size, request.y, request
        )
        self._training = _core.Training(
            self._spec,
            self._samples,
            self._validation,
            min(request.epochs - self._epochs_before, 2**62),
            request.on_nonfinite != "ignore",
        )
        self._first_iteration = self.model.optimizer.iterations
        self._training.load(self._arrays())
        self._set_schedule()

    def _set_schedule(self) -> None:
        optimizer = self.model.optimizer
        names = ("momentum", "epsilon", "rho", "beta_1", "beta_2", "weight_decay")
        self._training.set_schedule(
            learning_rate=float(optimizer.learning_rate),
            decay=float(optimizer.decay),
            iterations=int(optimizer.iterations),
            clip_norm=float(self.request.clip_norm or 0.0),
            **{name: float(getattr(optimizer, name, 0.0)) for name in names},
        )

    def _arrays(self) -> list[tuple[Array | None, ...]]:
        """Return per stage weights, biases and the optimizer's arrays, made where missing."""
        rule = self._spec["rule"]
        momentums = rule in ("momentum", "nesterov", "adam")
        cache = rule in ("adagrad", "rmsprop", "adam")
        result = []
        for stage in self._structure.stages:
            row: list[Array | None] = [stage.dense.weights, stage.dense.biases]
            for kind, wanted in (("momentums", momentums), ("cache", cache)):
                for name in ("weight", "bias"):
                    like = stage.dense.weights if name == "weight" else stage.dense.biases
                    row.append(state_of(stage.dense, f"{name}_{kind}", like) if wanted else None)
            result.append(tuple(row))
        return result

    @property
    def done(self) -> bool:
        """All epochs are finished, or training was stopped."""
        return self._training.done

    @property
    def epoch(self) -> int:
        """The epoch in progress, from 1."""
        return self._epochs_before + self._training.epoch

    @property
    def step(self) -> int:
        """Steps done in this epoch."""
        return self._training.step

    @property
    def nonfinite(self) -> tuple[int, int] | None:
        """Epoch (from 1) and step (from 0) of a loss that was not finite."""
        return (self.epoch, self.step) if self._training.nonfinite else None

    def run(self, max_steps: int, seconds: float) -> int:
        """Run whole steps until `max_steps`, `seconds` or the end; return their number."""
        if self.request.generator is not None and self.step == 0 and not self.done:
            self._order = self.request.next_order()
        self._written_back = False
        return self._training.run(max_steps, seconds, self._order)

    def step_record(self) -> StepRecord:
        """Return what the last step reported."""
        return StepRecord(*self._training.step_record())

    def take_epochs(self) -> NDArray[np.float64]:
        """Return the rows (k, 8) of the epochs finished since the last call."""
        return self._training.take_epochs()

    def write_back(self) -> None:
        """Bring the Python objects up to date: parameters, optimizer arrays, rate, steps.

        Does nothing where no step came since the last time: what a callback has changed stays.
        """
        if self._written_back:
            return
        self._written_back = True
        self._training.store(self._arrays())
        optimizer, iterations = self.model.optimizer, self._training.iterations
        steps = iterations - self._first_iteration
        optimizer.iterations = iterations
        rate = self._training.step_record()[3]
        if not math.isnan(rate):
            optimizer.current_learning_rate = rate
        layers = [stage.dropout for stage in self._structure.stages]
        for layer, (_, _, before) in zip(
            [self._structure.input_dropout, *layers],
            [self._spec["input_dropout"], *(entry[3] for entry in self._spec["stages"])],
            strict=True,
        ):
            if layer is not None:
                layer.step = before + steps

    def read_back(self) -> None:
        """Read everything again from the Python objects, at the end of an epoch.

        Where the network itself was changed (an optimizer's kind, a strength, a rate of dropout),
        a new plan is made for the epochs that are left.

        Raises
        ------
        RuntimeError
            The model has become one without a plan.
        """
        if self.done:
            return
        self._epochs_before += self._training.epoch - 1
        try:
            self._build()
        except NoPlan as reason:
            raise RuntimeError(
                "Model: train: expected callbacks to leave a model that can go on as a compiled "
                f"plan, got one that cannot: {reason}"
            ) from None

    def stop(self) -> None:
        """End the training after the steps done."""
        self._training.stop()


def state_of(layer: Layer_Dense, name: str, like: Array) -> Array:
    """Return an optimizer's array, put on the layer as zeros, or as a plain copy, where needed."""
    array: Any = getattr(layer, name, None)
    usable = isinstance(array, np.ndarray) and array.shape == like.shape
    if not usable:
        array = np.zeros(like.shape, dtype=like.dtype)
    elif type(array) is not np.ndarray or array.dtype != like.dtype or not array.flags.carray:
        array = np.array(array, dtype=like.dtype, order="C")
    if getattr(layer, name, None) is not array:
        setattr(layer, name, array)
    result: Array = array
    return result


def compile(model: Any, request: TrainingRequest) -> PlanRunner:
    """Build the plan for a training; `why_layerwise` said that there is one."""
    model._batch_size = request.batch_size
    return PlanRunner(model, request)
