"""The model and the optimizer that an estimator's parameters describe."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import numpy as np

from ..arrays import Array, as_number
from ..catalogue import own_class
from ..layers import Layer_Dense, Layer_Dropout
from ..layers.activation import Activation
from ..model import Model
from ..model.mlp import part_named
from ..optimizers import Optimizer, Optimizer_Adam, Optimizer_SGD
from .heads import Head

CORE_NAMES = {"identity": "linear", "logistic": "sigmoid"}  # scikit-learn's words
SIGMOID_BOUND, BOUND = 2.0, 6.0


def per_layer(value: Any, n_hidden: int, name: str) -> list[Any]:
    """Return one value a hidden layer: the same for all, or a list with as many as there are.

    Raises
    ------
    ValueError
        A list of another length.
    """
    if isinstance(value, str | type) or not hasattr(value, "__len__"):
        return [value] * n_hidden
    if len(value) != n_hidden:
        raise ValueError(
            f"{name}: expected one value, or one a hidden layer, of which there are {n_hidden}, "
            f"got {value!r}"
        )
    return list(value)


def activation_for(value: Any) -> Any:
    """Return an activation of its own for a name, a class or an object.

    Raises
    ------
    TypeError, ValueError
        Nothing of this kind; lists the names there are.
    """
    if isinstance(value, str):
        return part_named(CORE_NAMES.get(value, value), "activation", "activation")
    made = value() if isinstance(value, type) else copy.deepcopy(value)
    if not all(callable(getattr(made, name, None)) for name in ("forward", "backward")):
        raise TypeError(f"activation: expected a name, a class or an activation, got {value!r}")
    return made


def initial(
    rng: np.random.RandomState, d: int, m: int, factor: float, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """Return weights (d, m) and biases (m,), uniform within ``sqrt(factor / (d + m))``.

    Source: Glorot and Bengio (2010); drawn in scikit-learn's order, so that a seed gives its nets.
    """
    bound = math.sqrt(factor / (d + m))
    weights = rng.uniform(-bound, bound, (d, m)).astype(dtype, copy=False)
    return weights, rng.uniform(-bound, bound, m).astype(dtype, copy=False)


def new_model(
    estimator: Any,
    n_inputs: int,
    sizes: list[int],
    head: Head,
    dtype: np.dtype[Any],
    rng: np.random.RandomState,
) -> Model:
    """Return the net of an estimator with its first weights, finalized, without an optimizer.

    Raises
    ------
    TypeError, ValueError
        Activations or rates of dropout that do not fit the hidden layers.
    """
    hidden = [
        activation_for(each) for each in per_layer(estimator.activation, len(sizes), "activation")
    ]
    rates = [
        as_number(rate, "dropout", below=1.0)
        for rate in per_layer(estimator.dropout, len(sizes), "dropout")
    ]
    behind = hidden or [activation_for(first_of(estimator.activation))]
    model = Model()
    for k, (d, m) in enumerate(pairwise([n_inputs, *sizes, head.n_outputs])):
        before = behind[min(k, len(behind) - 1)]
        sigmoid = own_class(before) is type(activation_for("logistic"))
        weights, biases = initial(rng, d, m, SIGMOID_BOUND if sigmoid else BOUND, dtype)
        model.add(Layer_Dense(d, m, weights=weights, biases=biases))
        if k < len(hidden):
            model.add(hidden[k])
            if rates[k]:
                key = int(rng.randint(0, 2**31 - 1))
                model.add(Layer_Dropout(rates[k], rng=key))
    model.add(head.activation)
    model.set(loss=head.loss)
    model.finalize()
    return model


def first_of(activation: Any) -> Any:
    """Return the name that a net without hidden layers is drawn by."""
    if isinstance(activation, str | type | Activation):
        return activation
    return "relu"


def new_optimizer(estimator: Any) -> Optimizer:
    """Return a fresh optimizer: the solver's, or a copy of the one given, without its steps."""
    if estimator.optimizer is not None:
        made: Optimizer = copy.deepcopy(estimator.optimizer)
        made.token, made.iterations, made.schedule_start = None, 0, None
    elif estimator.solver == "sgd":
        made = Optimizer_SGD(1.0)
    else:
        made = Optimizer_Adam(epsilon_hat=True)
    set_up(made, estimator)
    return made


def set_up(optimizer: Optimizer, estimator: Any) -> None:
    """Give the optimizer the estimator's settings; one of the user's own keeps those it has."""
    if estimator.schedule is not None:
        optimizer.schedule = estimator.schedule
    if estimator.optimizer is not None:
        return
    optimizer.learning_rate = float(estimator.learning_rate_init)
    if isinstance(optimizer, Optimizer_SGD):
        optimizer.momentum = float(estimator.momentum)
        optimizer.nesterov = bool(estimator.nesterovs_momentum)
    elif isinstance(optimizer, Optimizer_Adam):
        optimizer.beta_1, optimizer.beta_2 = float(estimator.beta_1), float(estimator.beta_2)
        optimizer.epsilon = float(estimator.epsilon)


def fits(optimizer: Any, estimator: Any) -> bool:
    """Tell whether an optimizer is of the kind that the estimator's parameters ask for."""
    if estimator.optimizer is not None:
        return type(optimizer) is type(estimator.optimizer)
    return type(optimizer) is (Optimizer_SGD if estimator.solver == "sgd" else Optimizer_Adam)


def set_alpha(model: Model, alpha: float, divisor: float = 1.0) -> None:
    """Let ``alpha / 2 * sum w^2 / divisor`` be the penalty of each dense layer's weights."""
    for layer in model.layers:
        if isinstance(layer, Layer_Dense):
            layer.weight_regularizer_l2 = alpha / 2 / divisor
