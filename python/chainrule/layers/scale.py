"""Scale: ``output = inputs * weights``, a learned factor for each column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import Array, as_count, as_floats, is_variable
from ..errors import label_of, labelled, no_forward_yet
from ..recorded import record_layer
from .parameter_layer import FACTORS, WEIGHTS, ParameterLayer, as_rows
from .parameters import initial_dtype

SUMMED_ROWS = 4096  # a guess: blocks small enough to stay in cache


class ColumnFactors(ParameterLayer):
    """Base of the layers with one learned number for each column, 1 at first."""

    parameter_names: ClassVar[tuple[str, ...]] = ("weights",)
    parameter_shapes: ClassVar[Mapping[str, tuple[int | str, ...]]] = {"weights": (1, "n_inputs")}

    inputs: Any
    output: Array
    dweights: Array
    dinputs: Array

    def __init__(
        self,
        n: int,
        *,
        dtype: DTypeLike | None = None,
        learning_rate_factor: Any = 1.0,
        weight_decay_factor: Any = 1.0,
        epsilon_factor: Any = 1.0,
    ) -> None:
        with labelled(type(self).__name__):
            count = as_count(n, "n", 1)
            found = initial_dtype(dtype)
            self._set_factors(learning_rate_factor, weight_decay_factor, epsilon_factor)
        self.weights = np.ones((1, count), dtype=found)

    @property
    def n_inputs(self) -> int:
        """Number of columns, n."""
        return int(self.weights.shape[1])

    @property
    def n_neurons(self) -> int:
        """Number of columns, n."""
        return int(self.weights.shape[1])


class Layer_Scale(ColumnFactors):
    """A learned factor for each column: ``output = inputs * weights``.

    Parameters
    ----------
    n : int
        Number of columns, at least 1.
    dtype : float32 or float64, optional
        Without it as for `Layer_Dense`.
    learning_rate_factor, weight_decay_factor, epsilon_factor : float or pair
        As for `Layer_Dense`.

    Attributes
    ----------
    weights : ndarray (1, n)
        Ones at first.
    inputs, output : set by `forward`
    dweights, dinputs : set by `backward`
    weight_regularizer_l1, weight_regularizer_l2 : float
        Strengths of penalties on the factors, 0 unless set.

    Raises
    ------
    TypeError, ValueError
        A size below 1, a negative factor, another dtype.
    """

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Compute, keep and return ``output = inputs * weights``, a fresh array.

        Parameters
        ----------
        inputs : array_like (samples, n)
            Converted to the layer's dtype where needed. One sample (n,) is taken as one row.

        Raises
        ------
        TypeError
            `inputs` are not real numbers.
        ValueError
            Another shape.
        """
        if type(inputs) is not np.ndarray and is_variable(inputs):
            return record_layer(Layer_Scale.forward, self, inputs)
        with labelled(label_of(self)):
            weights = as_floats(self.weights, "weights")
            rows = self._rows(inputs, weights)
        with np.errstate(all="ignore"):
            output: Array = rows * weights
        self.inputs = inputs
        self.output = output
        return output

    def backward(self, dvalues: Any) -> Array:
        """Compute and keep `dweights` and `dinputs`; return `dinputs`.

        ``dweights = sum over samples of dvalues * inputs`` (1, n), summed in float64;
        ``dinputs = dvalues * weights``.

        Raises
        ------
        ValueError
            No `forward` came before, or another shape.
        """
        weights = self._keep_gradient(dvalues)
        with np.errstate(all="ignore"):
            dinputs: Array = as_floats(dvalues, "dvalues", weights.dtype) * weights
        self.dinputs = dinputs
        return dinputs

    def backward_parameters(self, dvalues: Any) -> None:
        """Compute and keep `dweights` alone, as `backward` does; `dinputs` goes.

        A model calls it where nothing in front of the layer needs `dinputs`.
        """
        self._keep_gradient(dvalues)
        self.__dict__.pop("dinputs", None)

    def _keep_gradient(self, dvalues: Any) -> Array:
        """Keep `dweights`; return the weights as they were taken."""
        if "inputs" not in self.__dict__:
            raise no_forward_yet(self)
        with labelled(label_of(self)):
            weights = as_floats(self.weights, "weights")
            inputs = self._rows(self.inputs, weights)
            values = as_floats(dvalues, "dvalues", weights.dtype)
            if values.shape != inputs.shape:
                raise ValueError(f"dvalues: expected {inputs.shape}, got {values.shape}")
        with np.errstate(all="ignore"):
            dweights = sum_of_products(values, inputs)
            self._add_penalty(WEIGHTS, dweights)
        self.dweights = dweights
        return weights

    def _rows(self, inputs: Any, weights: Array) -> Array:
        rows = as_rows(inputs, weights.shape[1], weights.dtype)
        if rows.ndim != 2 or rows.shape[1] != weights.shape[1]:
            raise ValueError(f"inputs: expected (n, {weights.shape[1]}), got {rows.shape}")
        return rows

    def __repr__(self) -> str:
        if "weights" not in self.__dict__:
            return f"{type(self).__name__}(not initialised)"
        factors = self._settings_text(*FACTORS)
        return f"{type(self).__name__}({self.n_inputs}{factors}, dtype={self.dtype})"


def sum_of_products(a: Array, b: Array) -> Array:
    """Return ``sum over rows of a * b`` (1, n) in their dtype, summed in float64 in blocks."""
    total = np.zeros((1, a.shape[1]), dtype=np.float64)
    for first in range(0, len(a), SUMMED_ROWS):
        rows = slice(first, first + SUMMED_ROWS)
        products = np.multiply(a[rows], b[rows], dtype=np.float64)
        total += np.add.reduce(products, axis=0, keepdims=True)
    return total.astype(a.dtype, copy=False)
