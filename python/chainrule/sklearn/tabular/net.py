"""The net of the small preset: how it begins, how it learns, what it is folded to.

A learned factor a column, dense layers, a linear end or softmax. They are parametrised as
``z = W x / sqrt(d) + b``, W ~ N(0, 1). Adam's step of W is one of ``w = W / sqrt(d)`` with the rate
over ``sqrt(d)`` and epsilon times ``sqrt(d)``: plain dense layers with factors do it.

Sources: Holzmüller, Grinsztajn, Steinwart (2024), "Better by default"; Jacot, Gabriel, Hongler
(2018) for the parametrisation.
"""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ...activations import Activation_Softmax
from ...arrays import Array
from ...dropout import Layer_Dropout
from ...layers import Layer_Dense
from ...losses import Loss_CategoricalCrossentropy
from ...metrics import Accuracy_Categorical
from ...model import Model
from ...optimizers import Optimizer_Adam
from ...scale import Layer_Scale
from ...schedules import CosineLog, FlatCosine
from ..construction import activation_for, per_layer

SCALE_RATE, BIAS_RATE = 6.0, 0.1  # times the rate


class Recipe(NamedTuple):
    """What all nets of a fit have in common.

    `metric` is the column of a validation that chooses the epoch.
    """

    sizes: list[int]
    activation: Any
    n_outputs: int
    loss: Any
    learning_rate: float
    dropout: float
    weight_decay: float
    batch_size: int | None
    epochs: int
    metric: str
    class_weight: Any

    @property
    def classifies(self) -> bool:
        """Whether the net ends in a softmax."""
        return isinstance(self.loss, Loss_CategoricalCrossentropy)


def new_net(recipe: Recipe, n_inputs: int, rng: np.random.Generator) -> Model:
    """Return a net with its first parameters and its optimizer: the last layer gives 0."""
    model = Model()
    factor = Layer_Scale(
        n_inputs,
        dtype=np.float32,
        learning_rate_factor=SCALE_RATE,
    )
    model.add(factor)
    activations = per_layer(recipe.activation, len(recipe.sizes), "activation")
    for (d, m), activation in zip(pairwise([n_inputs, *recipe.sizes]), activations, strict=True):
        model.add(dense(rng.standard_normal((d, m)) / math.sqrt(d), rng.standard_normal((1, m))))
        model.add(activation_for(activation))
        if recipe.dropout:
            model.add(Layer_Dropout(recipe.dropout, rng=rng, schedule=FlatCosine()))
    last = [n_inputs, *recipe.sizes][-1]
    model.add(dense(np.zeros((last, recipe.n_outputs)), np.zeros((1, recipe.n_outputs))))
    if recipe.classifies:
        model.add(Activation_Softmax())
    counts = recipe.metric == "validation_accuracy"
    model.set(
        loss=copy.deepcopy(recipe.loss),  # members train at the same time
        optimizer=new_optimizer(recipe),
        accuracy=Accuracy_Categorical() if counts else None,
    )
    model.finalize()
    return model


def dense(weights: Array, biases: Array) -> Layer_Dense:
    """Return a dense layer whose steps are those of ``W = sqrt(d) w``."""
    root = math.sqrt(len(weights))
    return Layer_Dense(
        *weights.shape,
        weights=weights.astype(np.float32),
        biases=biases.astype(np.float32),
        learning_rate_factor=(1 / root, BIAS_RATE),
        epsilon_factor=(root, 1.0),
    )


def new_optimizer(recipe: Recipe) -> Optimizer_Adam:
    """Return Adam with its four cycles of the rate."""
    return Optimizer_Adam(
        recipe.learning_rate,
        epsilon=1e-8,
        beta_1=0.9,
        beta_2=0.95,
        weight_decay=recipe.weight_decay,
        schedule=CosineLog(4),
        weight_decay_schedule=FlatCosine(),
    )


def folded(model: Model) -> Model:
    """Return the net for predictions: factors within the first weights, no dropout, no softmax."""
    factor, *others = model.layers
    net = Model()
    for layer in others:
        if isinstance(layer, Layer_Dense):
            weights, biases = layer.weights, layer.biases
            if layer is others[0]:
                weights = weights * factor.weights.T
            net.add(Layer_Dense(*weights.shape, weights=weights.copy(), biases=biases.copy()))
        elif not isinstance(layer, Layer_Dropout | Activation_Softmax):
            net.add(layer)
    net.finalize()
    return net
