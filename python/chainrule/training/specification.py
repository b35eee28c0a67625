"""What the core is told of a training: a dictionary of plain numbers and names."""

from __future__ import annotations

import math
import numbers
import os
from typing import Any

import numpy as np

from .. import _core
from ..dropout import Layer_Dropout
from ..optimizers import Optimizer_Adagrad, Optimizer_Adam, Optimizer_RMSprop, Optimizer_SGD
from .request import TrainingRequest
from .structure import NoPlan, Stage, Structure, structure_of

RULES: dict[type, str] = {
    Optimizer_Adagrad: "adagrad",
    Optimizer_RMSprop: "rmsprop",
    Optimizer_Adam: "adam",
}
STRENGTHS = (
    "weight_regularizer_l1",
    "weight_regularizer_l2",
    "bias_regularizer_l1",
    "bias_regularizer_l2",
)


def dropout_entry(layer: Layer_Dropout | None, steps: int = 0) -> tuple[float, int, int]:
    """Return kept share, key and the step, `steps` ago; NoPlan where the layer would refuse."""
    if layer is None:
        return (1.0, 0, 0)
    counts = (layer.key, layer.step)
    if not all(isinstance(count, int) and 0 <= count < 2**64 for count in counts):
        raise NoPlan("a dropout's key or step is not an int from 0 to 2**64 - 1")
    if not 0 < finite(layer.rate, "a dropout's rate") <= 1:
        raise NoPlan("a dropout's rate is not in (0, 1]")
    return float(layer.rate), layer.key, layer.step - steps


def finite(value: Any, name: str) -> float:
    """Return a setting that the core can take; NoPlan for anything but a finite number."""
    real = type(value) in (float, int) or isinstance(value, numbers.Real)  # the first is faster
    if real and math.isfinite(value):
        return float(value)
    raise NoPlan(f"{name} is not a finite number: {value!r}")


def stage_entry(stage: Stage, steps: int = 0) -> tuple[Any, ...]:
    """Return ``(n_inputs, n_neurons, activation, dropout, *strengths)``."""
    dense = stage.dense
    strengths = [finite(getattr(dense, name), name) for name in STRENGTHS]
    activation = stage.activation or "linear"
    return (*dense.weights.shape, activation, dropout_entry(stage.dropout, steps), *strengths)


def rule_of(optimizer: Any) -> str:
    """Return the optimizer's name for the core."""
    if isinstance(optimizer, Optimizer_SGD):
        if not optimizer.momentum:
            return "sgd"
        return "nesterov" if optimizer.nesterov else "momentum"
    return next(name for base, name in RULES.items() if isinstance(optimizer, base))


def engine() -> str:
    """Return the engine that ``CHAINRULE_ENGINE`` forces, or ``"automatic"``."""
    return os.environ.get("CHAINRULE_ENGINE") or "automatic"


def check_samples(structure: Structure, request: TrainingRequest) -> None:
    """Raise NoPlan for samples that the core would see otherwise than the classes do."""
    y, last = request.y, structure.stages[-1].dense
    if y.ndim != 2 and not has_labels(structure, request):
        raise NoPlan("the targets are not of rank 2")
    if structure.metric == "categorical" and y.ndim == 2 and last.weights.shape[1] == 1:
        raise NoPlan("the accuracy of one class needs labels")
    for stage in structure.stages:
        for parameter in (stage.dense.weights, stage.dense.biases):
            for array in (request.X, y, *(request.validation or ())):
                if np.may_share_memory(parameter, array):
                    raise NoPlan("a parameter and the samples share memory")


def has_labels(structure: Structure, request: TrainingRequest) -> bool:
    """Tell whether y holds class labels (n,)."""
    return request.y.ndim == 1 and structure.loss.endswith("crossentropy")


def specification(
    model: Any,
    structure: Structure,
    request: TrainingRequest | None = None,
    batch_size: int = 1,
    steps: int = 0,
) -> dict[str, Any]:
    """Return the network, its loss and its optimizer as the core takes them.

    With `steps` as they were so many steps ago, if nothing else has changed since.

    Raises
    ------
    NoPlan
        A setting, or samples of the request, that the core cannot take.
    """
    precision, labels, clips = 0.0, False, False
    if request is not None:
        check_samples(structure, request)
        batch_size = request.batch_size
        precision = request.precision or 0.0
        labels = has_labels(structure, request)
        clips = request.clip_norm is not None
    return {
        "dtype": "float64" if structure.stages[0].dense.dtype == np.float64 else "float32",
        "stages": [stage_entry(stage, steps) for stage in structure.stages],
        "input_dropout": dropout_entry(structure.input_dropout, steps),
        "loss": structure.loss,
        "metric": structure.metric,
        "precision": precision,
        "batch_size": batch_size,
        "labels": labels,
        "rule": rule_of(model.optimizer),
        "clips": clips,
        "engine": engine(),
    }


def plan_text(model: Any) -> str:
    """Return which way `Model.train` goes: dtype, engine and batch size, or why there is no plan.

    The batch size is that of the last training.
    """
    size = getattr(model, "_batch_size", 32)
    try:
        spec = specification(model, structure_of(model), batch_size=size)
    except NoPlan as reason:
        return f"layer by layer: {reason}"
    return f"compiled plan, {spec['dtype']}, engine {_core.engine_for(spec)} for batches of {size}"


def why_layerwise(model: Any) -> str | None:
    """Return why the model is trained layer by layer; None where there is a compiled plan."""
    try:
        specification(model, structure_of(model))
    except NoPlan as reason:
        return str(reason)
    return None
