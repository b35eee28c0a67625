"""Trainings to try: models, data and the reference's twin for any choice of parts.

A `Case` names one choice; `ENGINES` lists what CHAINRULE_ENGINE may force, `WAYS` adds the
layer-by-layer classes, which must give the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import reference
from chainrule.training import network

Array = np.ndarray[Any, Any]

ENGINES = ("nano", "panels")
WAYS = (*ENGINES, "layers")

RULES: dict[str, Any] = {
    "sgd": lambda: cr.Optimizer_SGD(0.1),
    "decay": lambda: cr.Optimizer_SGD(0.1, 0.05),
    "momentum": lambda: cr.Optimizer_SGD(0.1, 0.01, 0.9),
    "nesterov": lambda: cr.Optimizer_SGD(0.1, 0.01, 0.8, nesterov=True),
    "adagrad": lambda: cr.Optimizer_Adagrad(0.05, 0.02),
    "rmsprop": lambda: cr.Optimizer_RMSprop(0.01, 0.02, rho=0.8),
    "adam": lambda: cr.Optimizer_Adam(0.02, 0.01),
    "adam with weight decay": lambda: cr.Optimizer_Adam(0.02, 0.01, weight_decay=0.1, beta_1=0.8),
}
LOSSES: dict[str, Any] = {
    "half_squared_error": cr.Loss_HalfSquaredError,
    "mean_squared_error": cr.Loss_MeanSquaredError,
    "mean_absolute_error": cr.Loss_MeanAbsoluteError,
    "binary_crossentropy": cr.Loss_BinaryCrossentropy,
    "categorical_crossentropy": cr.Loss_CategoricalCrossentropy,
}
ACTIVATIONS: dict[str, Any] = {
    "relu": cr.Activation_ReLU,
    "sigmoid": cr.Activation_Sigmoid,
    "tanh": cr.Activation_Tanh,
    "linear": cr.Activation_Linear,
    "softmax": cr.Activation_Softmax,
}
# loss, last activation ("" for none), kind of targets
ENDS = (
    ("categorical_crossentropy", "softmax", "labels"),
    ("categorical_crossentropy", "softmax", "soft"),
    ("categorical_crossentropy", "sigmoid", "labels"),
    ("binary_crossentropy", "sigmoid", "binary"),
    ("binary_crossentropy", "softmax", "soft"),
    ("half_squared_error", "linear", "real"),
    ("half_squared_error", "", "real"),
    ("half_squared_error", "relu", "real"),
    ("mean_squared_error", "tanh", "real"),
    ("mean_squared_error", "softmax", "soft"),
    ("mean_absolute_error", "linear", "real"),
    ("mean_absolute_error", "sigmoid", "binary"),
)
REGULARISERS = {
    "none": (0.0, 0.0, 0.0, 0.0),
    "l2": (0.0, 0.02, 0.0, 0.01),
    "all": (0.003, 0.02, 0.002, 0.01),
}
DROPOUTS = {"none": (0.0, 0.0), "hidden": (0.0, 0.3), "both": (0.2, 0.4)}  # input, hidden


@dataclass(frozen=True)
class Case:
    end: tuple[str, str, str]
    hidden: str = "tanh"
    rule: str = "sgd"
    regulariser: str = "none"
    dropout: str = "none"
    dtype: Any = np.float64
    accuracy: bool = True
    sizes: tuple[int, ...] = (4, 7, 3)

    @property
    def metric(self) -> str | None:
        """The accuracy that fits the last activation."""
        if not self.accuracy or self.end == ENDS[2]:
            return None
        kinds = {"softmax": "categorical", "sigmoid": "binary"}
        return kinds.get(self.end[1], "regression")


def make_model(case: Case, seed: int = 1) -> cr.Model:
    """Dense layers of ``case.sizes`` with the hidden activation and the dropouts between."""
    rng = np.random.default_rng(seed)
    model = cr.Model()
    dropouts = DROPOUTS[case.dropout]
    if dropouts[0]:
        model.add(cr.Layer_Dropout(dropouts[0], rng=rng))
    for k in range(len(case.sizes) - 1):
        d, m = case.sizes[k : k + 2]
        strengths = REGULARISERS[case.regulariser]
        layer = cr.Layer_Dense(
            d, m, *strengths, weight_scale=0.9 / d**0.5, dtype=case.dtype, rng=rng
        )
        layer.biases += (0.2 * rng.standard_normal((1, m))).astype(case.dtype)
        model.add(layer)
        if k < len(case.sizes) - 2:
            model.add(ACTIVATIONS[case.hidden]())
            if dropouts[1]:
                model.add(cr.Layer_Dropout(dropouts[1], rng=rng))
        elif case.end[1]:
            model.add(ACTIVATIONS[case.end[1]]())
    accuracies: dict[str | None, Any] = {
        "categorical": cr.Accuracy_Categorical(),
        "binary": cr.Accuracy_Categorical(binary=True),
        "regression": cr.Accuracy_Regression(),
    }
    model.set(
        loss=LOSSES[case.end[0]](),
        optimizer=RULES[case.rule](),
        accuracy=accuracies.get(case.metric),
    )
    model.finalize()
    return model


def make_data(case: Case, n: int, seed: int = 2) -> tuple[Array, Array]:
    """X (n, d) and y as the case's targets want it, both drawn in float64."""
    rng = np.random.default_rng(seed)
    m = case.sizes[-1]
    X = rng.standard_normal((n, case.sizes[0]))
    kinds = {
        "labels": lambda: rng.integers(0, m, n),
        "soft": lambda: rng.dirichlet(np.ones(m), n),
        "binary": lambda: rng.integers(0, 2, (n, m)).astype(np.float64),
        "real": lambda: rng.standard_normal((n, m)),
    }
    return X, kinds[case.end[2]]()


def dense_layers(model: cr.Model) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, cr.Layer_Dense)]


ARRAYS = ("weights", "biases")
STATE = ("weight_momentums", "bias_momentums", "weight_cache", "bias_cache")


def all_arrays(model: cr.Model) -> list[Array]:
    """Copies of parameters and optimizer arrays."""
    return [
        np.array(vars(layer)[name])
        for layer in dense_layers(model)
        for name in (*ARRAYS, *STATE)
        if name in vars(layer)
    ]


def reference_optimizer(optimizer: Any) -> reference.Optimizer:
    """The reference's optimizer with the same settings and step count."""
    rule = type(optimizer).__name__.removeprefix("Optimizer_").lower()
    names = set(reference.Optimizer.__dataclass_fields__) - {"rule"}
    settings = {name: getattr(optimizer, name) for name in names if hasattr(optimizer, name)}
    return reference.Optimizer(rule, **settings)


def reference_of(model: cr.Model, case: Case) -> reference.Spec:
    """The reference's twin of the model as it is now: parameters, optimizer arrays, steps."""
    layers: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, cr.Layer_Dense):
            arrays = [array.copy() for array in layer.get_parameters()]
            state = {name: vars(layer)[name].copy() for name in STATE if name in vars(layer)}
            layers.append(reference.Dense(*arrays, *REGULARISERS[case.regulariser], state))
        elif isinstance(layer, cr.Layer_Dropout):
            layers.append(reference.Dropout(layer.rate, layer.key, layer.step))
        else:
            name = next(key for key, kind in ACTIVATIONS.items() if isinstance(layer, kind))
            layers.append(reference.Activation(name))
    return reference.Spec(layers, case.end[0], reference_optimizer(model.optimizer), case.metric)


def refuse_plans(patch: pytest.MonkeyPatch) -> None:
    """Let every model be trained layer by layer."""

    def refuse(layers: Any) -> None:
        raise network.NoPlan("asked for by the test")

    patch.setattr(network, "check_parameters", refuse)


@contextmanager
def going(way: str) -> Iterator[None]:
    """Force an engine of the plan, or the layer-by-layer way, for the block."""
    assert os.environ.get("CHAINRULE_ENGINE") is None
    with pytest.MonkeyPatch.context() as patch:
        if way == "layers":
            refuse_plans(patch)
        else:
            patch.setenv("CHAINRULE_ENGINE", way)
        yield
