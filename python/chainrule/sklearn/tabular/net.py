"""The net of a preset: how it begins, how it learns, what it is folded to.

In the order of its layers, those in brackets where the preset has them: (learned periodic features
of numbers), (learned tables of categories), a learned factor a column, dense layers with their
activations, (which each neuron learns its share of), (dropout), a linear end or softmax.

Dense layers are parametrised as ``z = W x / sqrt(d) + b``, W ~ N(0, 1). Adam's step of W is one of
``w = W / sqrt(d)`` with the rate over ``sqrt(d)`` and epsilon times ``sqrt(d)``: plain dense layers
with factors do it.

Decay takes ``rate * decay * w`` off, where the rate is without an array's factor. Periodic features
and shares of activations, which learn slowly, decay by the square of their factor of the rate: were
they to decay as weights do, frequencies would go to 0 and activations become linear before they
have learned anything.

Sources: Holzmüller, Grinsztajn, Steinwart (2024), "Better by default"; Jacot, Gabriel, Hongler
(2018) for the parametrisation.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ...activations import Activation_Softmax
from ...arrays import Array
from ...layers import (
    Layer_Dense,
    Layer_Dropout,
    Layer_Embedding,
    Layer_ParametricActivation,
    Layer_PeriodicFeatures,
    Layer_Scale,
)
from ...layers.parameter_layer import FACTORS
from ...layers.parameters import slots_of
from ...losses import Loss_CategoricalCrossentropy
from ...metrics import Accuracy_Categorical
from ...model import Model
from ...optimizers import Optimizer_Adam
from ...optimizers.state import drop_arrays
from ...schedules import CosineLog, FlatCosine
from ..construction import activation_for, per_layer
from .first_parameters import Rows, dense_of
from .shared import SharedHeads, SharedInputs, SharedLoss, parted

SCALE_RATE = 6.0  # times the rate
PERIODIC_RATE, ACTIVATION_RATE = 0.1, 0.1
PERIODIC_DECAY, ACTIVATION_DECAY = PERIODIC_RATE**2, ACTIVATION_RATE**2


class Recipe(NamedTuple):
    """What all nets of a fit have in common.

    `metric` is the column of a validation that chooses the epoch; `max_onehot` None gives every
    level an input. The others are as in `Preset`.
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
    periodic: bool = False
    max_onehot: int | None = None
    embedding_size: int = 8
    parametric: bool = False
    from_data: bool = False
    shared: int = 1

    @property
    def classifies(self) -> bool:
        """Whether the net ends in a softmax."""
        return isinstance(self.loss, Loss_CategoricalCrossentropy)


class Columns(NamedTuple):
    """A net's inputs: `n_numbers` numbers, what is 0 or 1, codes of tables of `sizes` rows."""

    width: int
    n_numbers: int
    sizes: tuple[int, ...]


def new_net(
    recipe: Recipe, columns: Columns, rng: np.random.Generator, X: Array | None = None
) -> Model:
    """Return a net with its first parameters and its optimizer.

    Parameters
    ----------
    X : ndarray (n, width), optional
        The training rows, for recipes with parameters from the data.
    """
    rows = Rows(X if recipe.from_data else None, rng)
    layers, width = front_layers(recipe, columns, rng, rows)
    layers.append(rows.through(first_factors(recipe, width, rng)))
    layers += hidden_layers(recipe, width, rng, rows)
    last = [width, *recipe.sizes][-1]
    heads = [last_layer(recipe, last, rows) for _ in range(recipe.shared)]
    loss = copy.deepcopy(recipe.loss)  # members train at the same time
    if recipe.shared > 1:
        layers.append(SharedHeads(heads))
        loss = SharedLoss(loss, recipe.shared)
    else:
        layers += [*heads, Activation_Softmax()] if recipe.classifies else heads
    model = Model()
    for layer in layers:
        model.add(layer)
    counts = recipe.metric == "validation_accuracy"
    model.set(
        loss=loss,
        optimizer=new_optimizer(recipe),
        accuracy=Accuracy_Categorical() if counts else None,
    )
    model.finalize()
    return model


def front_layers(
    recipe: Recipe, columns: Columns, rng: np.random.Generator, rows: Rows
) -> tuple[list[Any], int]:
    """Return the layers that turn numbers and codes into features, and how many these are."""
    layers: list[Any] = []
    width = columns.width
    if recipe.periodic and columns.n_numbers:
        periodic = Layer_PeriodicFeatures(
            width,
            columns.n_numbers,
            dtype=np.float32,
            rng=rng,
            learning_rate_factor=PERIODIC_RATE,
            weight_decay_factor=(PERIODIC_DECAY,) * 4,
        )
        layers.append(rows.through(periodic))
        width = periodic.n_neurons
    if columns.sizes:
        tables = Layer_Embedding(
            width, columns.sizes, recipe.embedding_size, dtype=np.float32, rng=rng
        )
        for table in tables.tables:
            table[0] = 0  # of cells that are missing or new: without any in the fit it stays so
        layers.append(rows.through(tables))
        width = tables.n_neurons
    return layers, width


def first_factors(recipe: Recipe, width: int, rng: np.random.Generator) -> Any:
    """Return the layer of factors: of ones, or for members that share weights of -1 and 1."""
    if recipe.shared == 1:
        return Layer_Scale(width, dtype=np.float32, learning_rate_factor=SCALE_RATE)
    signs = rng.integers(2, size=(recipe.shared, width)) * 2 - 1
    return SharedInputs(signs.astype(np.float32), SCALE_RATE)


def hidden_layers(recipe: Recipe, width: int, rng: np.random.Generator, rows: Rows) -> list[Any]:
    """Return the hidden layers, each a dense one, its activation and dropout."""
    layers: list[Any] = []
    activations = per_layer(recipe.activation, len(recipe.sizes), "activation")
    for (d, m), activation in zip(pairwise([width, *recipe.sizes]), activations, strict=True):
        layers.append(rows.through(rows.dense(d, m)))
        layers.append(rows.through(activation_layer(recipe, m, activation)))
        if recipe.dropout:
            layers.append(Layer_Dropout(recipe.dropout, rng=rng, schedule=FlatCosine()))
    return layers


def activation_layer(recipe: Recipe, n: int, activation: Any) -> Any:
    """Return an activation, for recipes that say so one whose share each of n neurons learns."""
    made = activation_for(activation)
    if not recipe.parametric:
        return made
    return Layer_ParametricActivation(
        n,
        made,
        dtype=np.float32,
        learning_rate_factor=ACTIVATION_RATE,
        weight_decay_factor=ACTIVATION_DECAY,
    )


def last_layer(recipe: Recipe, d: int, rows: Rows) -> Layer_Dense:
    """Return the last layer: it gives 0 at first, but for recipes with parameters from the data."""
    if recipe.from_data:
        return rows.dense(d, recipe.n_outputs)
    return dense_of(np.zeros((d, recipe.n_outputs)), np.zeros((1, recipe.n_outputs)))


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


def folded(model: Model) -> list[Model]:
    """Return the nets for predictions, one, or one a member that shares its weights.

    The factors are within the first weights; there is no dropout and no softmax. Nets that share
    their weights still do. The model has been used up.
    """
    return [net_of(layers) for layers in parted(model.layers)]


def net_of(layers: list[Any]) -> Model:
    """Return the net for predictions of one member's layers."""
    net, factors = Model(), None
    for layer in layers:
        if isinstance(layer, Layer_Scale | SharedInputs):
            factors = layer.weights
        elif not isinstance(layer, Layer_Dropout | Activation_Softmax):
            plain = without_training(layer)
            if factors is not None and isinstance(layer, Layer_Dense):
                plain.weights = layer.weights * factors.T
                factors = None
            net.add(plain)
    net.finalize()
    return net


def without_training(layer: Any) -> Any:
    """Return a layer with the same parameters, without a training's arrays and factors."""
    plain = copy.copy(layer)
    drop_arrays(plain)
    gone = [slot.gradient for slot in slots_of(plain)]
    for name in (*gone, *FACTORS, "optimizer_token", "optimizer_steps"):
        vars(plain).pop(name, None)
    return plain
