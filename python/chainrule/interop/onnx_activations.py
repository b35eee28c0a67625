"""ONNX's operators, and those of the domain ``chainrule``, as activations."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import activations

PLAIN: dict[str, Any] = {
    "Identity": activations.Activation_Linear,
    "Relu": activations.Activation_ReLU,
    "Sigmoid": activations.Activation_Sigmoid,
    "Tanh": activations.Activation_Tanh,
    "Mish": activations.Activation_Mish,
    "Softplus": activations.Activation_Softplus,
    "Exp": activations.Activation_Exponential,
    "Swish": activations.Activation_SiLU,
}
SELU = {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}  # ONNX's own


def activation_of(node: Any, settings: dict[str, Any]) -> Any:
    """Return the activation that is one node."""
    kind = node.op_type
    if kind in PLAIN and settings.get("alpha", 1.0) == 1.0:  # Swish has one
        return PLAIN[kind]()
    if kind == "LeakyRelu":
        return activations.Activation_LeakyReLU(as_written(settings.get("alpha", 0.01)))
    if kind == "Elu":
        return activations.Activation_ELU(as_written(settings.get("alpha", 1.0)))
    if kind == "Selu" and all(settings.get(key, each) == each for key, each in SELU.items()):
        return activations.Activation_SELU()
    if kind == "Gelu":
        approximate = settings.get("approximate", b"none")
        return activations.Activation_GELU(approximate.decode())
    if kind == "Softmax" and settings.get("axis", -1) in (1, -1):
        return activations.Activation_Softmax()
    raise ValueError(f"{words(node)}: expected a dense layer or an activation, got another")


def activation_defined(node: Any, numbers: list[float]) -> Any:
    """Return an activation that `to_onnx` has defined in the file."""
    known: dict[str, Any] = {
        "GeluTanh": functools.partial(activations.Activation_GELU, "tanh"),
        "LeakyRelu": activations.Activation_LeakyReLU,
        "Elu": activations.Activation_ELU,
        "Selu": activations.Activation_SELU,
        "Gelu": activations.Activation_GELU,
        "Mish": activations.Activation_Mish,
        "Softplus": activations.Activation_Softplus,
    }
    if node.op_type not in known:
        raise ValueError(f"{words(node)}: expected one of {', '.join(known)}")
    return known[node.op_type](*numbers)


def as_written(value: float) -> float:
    """Return the shortest number that is this float32: attributes have no doubles."""
    return float(str(np.float32(value)))


def words(node: Any) -> str:
    """Name a node in an error text."""
    name = f" {node.name!r}" if node.name else ""
    return f"{node.op_type}{name}"
