"""A model as what other libraries can be told: its steps forward, with their numbers.

Exporters read a model here and nowhere else: which layers there are, in the core's names, and
copies of the parameters, taken between two steps where a training runs beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..activations import Activation_Linear
from ..arrays import Array
from ..base_activation import Activation
from ..catalogue import own_class
from ..dropout import Layer_Dropout
from ..layers import Layer_Dense, Layer_Input
from ..scale import Layer_Scale
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


Step = Product | Factors | Function | Dropout


class Net(NamedTuple):
    """The steps in their order, without doors (`Layer_Input`), and what goes in and comes out."""

    steps: list[Step]
    dtype: np.dtype[Any]
    n_inputs: int
    n_outputs: int


def net_of(model: Any, caller: str) -> Net:
    """Return a model's steps, with copies of its parameters.

    Raises
    ------
    TypeError
        A layer with a `forward` of its own.
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
    arrays = [step[1] for step in steps if isinstance(step, Product | Factors)]
    if columns is None or not arrays:
        raise ValueError(f"{caller}: expected a layer with parameters, got none")
    check_widths(model.layers, np.empty((0, columns), dtype=np.float32), "X")
    dtypes = sorted({array.dtype.name for array in arrays})
    if len(dtypes) > 1:
        raise ValueError(f"{caller}: expected layers of one dtype, got {' and '.join(dtypes)}")
    return Net(steps, arrays[0].dtype, columns, arrays[-1].shape[-1])


def step_of(layer: Any, where: str) -> Step:
    """Return one layer as a step."""
    own = own_class(layer, "forward")
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
        raise TypeError(
            f"{where}: expected dense and scale layers, dropout and activations, got "
            f"{type(layer).__name__}, which the exporters do not know"
        )
    raise TypeError(
        f"{where}: expected a layer of the package, got {type(layer).__name__}, whose forward is "
        "of its own"
    )


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
