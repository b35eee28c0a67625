"""What a model file can name: every class, and which settings of its objects it keeps.

To add a class, add a line to SETTINGS; a setting is an attribute with a check of its value.
The check's docstring is what the error text says was expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

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
from .model_file import LIMIT, shown

Check = Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """A finite number, not a bool."""
    if type(value) is int:
        return abs(value) < LIMIT
    return type(value) is float and math.isfinite(value)


def is_size(value: Any) -> bool:
    """An int from 1."""
    return type(value) is int and 1 <= value < LIMIT


def is_count(value: Any) -> bool:
    """An int from 0."""
    return type(value) is int and 0 <= value < LIMIT


def is_word(value: Any) -> bool:
    """An int from 0 to 2**64 - 1."""
    return type(value) is int and 0 <= value < 2**64


def is_share(value: Any) -> bool:
    """A number above 0 and at most 1."""
    return is_number(value) and 0 < value <= 1


def is_number_or_none(value: Any) -> bool:
    """A finite number or null."""
    return value is None or is_number(value)


def is_flag(value: Any) -> bool:
    """True or false."""
    return type(value) is bool


def is_dtype(value: Any) -> bool:
    """Float32 or float64."""
    return value in ("float32", "float64") if isinstance(value, str) else False


def is_array_list(value: Any) -> bool:
    """A list of names of optimizer arrays."""
    return isinstance(value, list) and value == [name for name in ARRAYS if name in value]


ARRAYS = {
    "weight_momentums": "weights",
    "bias_momentums": "biases",
    "weight_cache": "weights",
    "bias_cache": "biases",
}
STRENGTHS: dict[str, Check] = {
    "weight_regularizer_l1": is_number,
    "weight_regularizer_l2": is_number,
    "bias_regularizer_l1": is_number,
    "bias_regularizer_l2": is_number,
}
RATE: dict[str, Check] = {
    "learning_rate": is_number,
    "decay": is_number,
    "current_learning_rate": is_number,
    "iterations": is_count,
}
# What a dense layer's file entry holds beside the attributes in SETTINGS.
DENSE: dict[str, Check] = {
    "n_inputs": is_size,
    "n_neurons": is_size,
    "dtype": is_dtype,
    "weight_scale": is_number_or_none,
    "arrays": is_array_list,
}
SETTINGS: dict[str, dict[type, dict[str, Check]]] = {
    "layer": {
        Layer_Dense: STRENGTHS,
        Layer_Dropout: {"rate": is_share, "key": is_word, "step": is_word},
        Layer_Input: {},
        Activation_Linear: {},
        Activation_ReLU: {},
        Activation_Sigmoid: {},
        Activation_Softmax: {},
        Activation_Tanh: {},
    },
    "loss": {
        Loss_BinaryCrossentropy: {},
        Loss_CategoricalCrossentropy: {},
        Loss_HalfSquaredError: {},
        Loss_MeanAbsoluteError: {},
        Loss_MeanSquaredError: {},
    },
    "optimizer": {
        Optimizer_SGD: {**RATE, "momentum": is_number, "nesterov": is_flag},
        Optimizer_Adagrad: {**RATE, "epsilon": is_number},
        Optimizer_RMSprop: {**RATE, "epsilon": is_number, "rho": is_number},
        Optimizer_Adam: {
            **RATE,
            "epsilon": is_number,
            "beta_1": is_number,
            "beta_2": is_number,
            "weight_decay": is_number,
        },
    },
    "accuracy": {
        Accuracy_Categorical: {"binary": is_flag},
        Accuracy_Regression: {"precision": is_number_or_none},
    },
}


def require(check: Check, value: Any, where: str) -> Any:
    """Return the value, or refuse it in the words of the check's docstring."""
    if not check(value):
        expected = str(check.__doc__).rstrip(".")
        raise ValueError(
            f"{where}: expected {expected[0].lower()}{expected[1:]}, got {shown(value)}"
        )
    return value
