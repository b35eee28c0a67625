"""A model as what other libraries can be told: its steps forward, with their numbers.

Exporters read a model here and nowhere else: which layers there are, in the core's names, and
copies of the parameters, taken between two steps where a training runs beside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..activations import Activation_Linear
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
from ..shapes import check_widths, first_columns
from ..training.busy import parameter_lock

Entry = TypeVar("Entry")


class Product(NamedTuple):
    """``inputs . weights + biases``: weights (d, m), biases (m,) or None."""

    layer: Any
    weights: Array
    biases: Array | None


class Factors(NamedTuple):
    """``inputs * factors``: a factor for each column, (n,)."""

    layer: Any
    factors: Array


class Function(NamedTuple):
    """An activation by its name and its numbers in the core."""

    layer: Any
    name: str
    parameters: tuple[float, ...]


class Dropout(NamedTuple):
    """Nothing, but in training: there a share `rate` of the elements is dropped."""

    layer: Any
    rate: float


class Periodic(NamedTuple):
    """`Layer_PeriodicFeatures` by its arrays; `n_passed` columns behind stay as they are."""

    layer: Any
    frequencies: Array
    phases: Array
    weights: Array
    biases: Array
    n_passed: int


class Tables(NamedTuple):
    """`Layer_Embedding`: tables one below the other, for codes behind `n_passed` columns."""

    layer: Any
    weights: Array
    sizes: tuple[int, ...]
    n_passed: int


class Blend(NamedTuple):
    """``(1 - shares) inputs + shares f(inputs)``: shares (n,), f an activation of the core."""

    layer: Any
    shares: Array
    name: str
    parameters: tuple[float, ...]


Step = Product | Factors | Function | Dropout | Periodic | Tables | Blend


class Net(NamedTuple):
    """The steps in their order, without doors (`Layer_Input`), and what goes in and comes out."""

    steps: list[Any]  # Step
    dtype: np.dtype[Any]
    n_inputs: int
    n_outputs: int


def net_of(model: Any, caller: str) -> Net:
    """Return a model's steps, with copies of its parameters.

    Parameters
    ----------
    model : Model
    caller : str
        The exporter's name, for errors.

    Raises
    ------
    TypeError
        A layer with a `forward` of its own, or one that the exporter does not know.
    ValueError
        Layers that do not chain, of several dtypes, or none with parameters.
    """
    model._prepare_beside()
    with parameter_lock(model):
        steps = [
            step_of(layer, f"{caller}: layer {position}")
            for position, layer in enumerate(model.layers, 1)
            if own_class(layer, "forward") is not Layer_Input
        ]
    columns = first_columns(model.layers)
    arrays = [step[1] for step in steps if not isinstance(step, Function | Dropout)]
    if columns is None or not arrays:
        raise ValueError(f"{caller}: expected a layer with parameters, got none")
    check_widths(model.layers, np.empty((0, columns), dtype=np.float32), "X")
    dtypes = sorted({array.dtype.name for array in arrays})
    if len(dtypes) > 1:
        raise ValueError(f"{caller}: expected layers of one dtype, got {' and '.join(dtypes)}")
    width = columns
    for step in steps:
        width = width_after(step, width)
    return Net(steps, arrays[0].dtype, columns, width)


def width_after(step: Any, width: int) -> int:
    """Return how many columns come out of a step that gets `width`."""
    if isinstance(step, Product):
        return int(step.weights.shape[1])
    if isinstance(step, Periodic):
        count, _, mixed = step.weights.shape
        return int(count * (mixed + 1)) + step.n_passed
    if isinstance(step, Tables):
        return step.n_passed + len(step.sizes) * int(step.weights.shape[1])
    return width


def step_of(layer: Any, where: str) -> Step:
    """Return one layer as a step."""
    own = own_class(layer, "forward")
    if own in TABULAR:
        return TABULAR[own](layer)
    if own is Layer_Dense:
        biases = layer.biases
        return Product(
            layer, np.array(layer.weights), None if biases is None else np.array(biases[0])
        )
    if own is Layer_Scale:
        return Factors(layer, np.array(layer.weights[0]))
    if own is Layer_Dropout:
        return Dropout(layer, 1 - layer.rate)
    if own is Activation_Linear:
        return Function(layer, "linear", ())
    if own is not None and issubclass(own, Activation):
        return Function(layer, layer.name_in_core(), tuple(map(float, layer.parameters())))
    if own is not None:
        known = (
            "to_onnx, to_c, to_torch and to_keras know" if own in TABULAR else "no exporter knows"
        )
        raise TypeError(
            f"{where}: expected a dense, scale or dropout layer or an activation, got "
            f"{type(layer).__name__}, which {known}"
        )
    raise TypeError(
        f"{where}: expected a layer of the package, got {type(layer).__name__}, whose forward is "
        "of its own"
    )


def periodic(layer: Any) -> Periodic:
    frequencies, phases, weights, biases = (
        np.array(getattr(layer, name)) for name in layer.parameter_names
    )
    return Periodic(layer, frequencies, phases, weights, biases, layer.n_passed)


def tables(layer: Any) -> Tables:
    return Tables(layer, np.array(layer.weights), tuple(layer.sizes), layer.n_passed)


def blend(layer: Any) -> Blend:
    f = layer.activation
    return Blend(
        layer, np.array(layer.weights[0]), f.name_in_core(), tuple(map(float, f.parameters()))
    )


TABULAR: dict[Any, Callable[[Any], Step]] = {
    Layer_PeriodicFeatures: periodic,
    Layer_Embedding: tables,
    Layer_ParametricActivation: blend,
}


def layer_of_factors(factors: Array) -> Layer_Scale:
    """Return the layer of factors (n,) of columns."""
    layer = Layer_Scale(len(factors), dtype=factors.dtype)
    layer.weights = factors.reshape(1, -1)
    return layer


def layer_of_waves(arrays: tuple[Array, ...], n_passed: int) -> Layer_PeriodicFeatures:
    """Return the layer of frequencies, phases, weights (p, k, m) and biases."""
    p, k, m = arrays[2].shape
    layer = Layer_PeriodicFeatures(
        p + n_passed, p, n_frequencies=k, n_outputs=m + 1, dtype=arrays[2].dtype, rng=0
    )
    layer.set_parameters(*arrays)
    return layer


def layer_of_tables(weights: Array, sizes: tuple[int, ...], n_passed: int) -> Layer_Embedding:
    """Return the layer of tables, one below the other."""
    columns, width = n_passed + len(sizes), weights.shape[1]
    layer = Layer_Embedding(columns, sizes, width, dtype=weights.dtype, rng=0)
    layer.weights = weights
    return layer


def layer_of_shares(shares: Array, activation: Any) -> Layer_ParametricActivation:
    """Return the layer of shares (n,) of an activation."""
    layer = Layer_ParametricActivation(len(shares), activation, dtype=shares.dtype)
    layer.weights = shares.reshape(1, -1)
    return layer


def looked_up(table: Mapping[str, Entry], name: str, caller: str) -> Entry:
    """Return an activation's entry in an exporter's table.

    Raises
    ------
    TypeError
        There is none: the catalogue has grown since.
    """
    if name not in table:
        raise TypeError(f"{caller}: expected one of {', '.join(table)}, got the activation {name}")
    return table[name]
