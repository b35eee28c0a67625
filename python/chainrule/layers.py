"""Layers: dense and input; dropout is in dropout.py.

``output = inputs . weights + biases`` with inputs (n, d), weights (d, m), biases (1, m).
State is plain NumPy arrays in the layer's ``__dict__``; the compiled functions keep none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from . import _core
from .arrays import (
    Array,
    as_count,
    as_float_dtype,
    as_floats,
    as_generator,
    as_number,
    as_parameter,
)
from .dropout import Layer_Dropout
from .errors import label_of, labelled, no_forward_yet
from .parameters import Parameter, initial_parameters

__all__ = ["Layer_Dense", "Layer_Dropout", "Layer_Input"]

_dense_forward = _core.dense_forward
_dense_backward = _core.dense_backward
_regularize = _core.regularize


class Layer_Dense:
    """Fully connected layer: ``output = inputs . weights + biases``.

    Parameters
    ----------
    n_inputs, n_neurons : int
        Sizes d and m, at least 1.
    weight_regularizer_l1, weight_regularizer_l2 : float
        Strengths of the terms ``l1 * sum |w|`` and ``l2 * sum w^2`` in the loss.
    bias_regularizer_l1, bias_regularizer_l2 : float
        The same for the biases.
    weight_scale : float, optional
        Factor of the notebook's initial weights; the class attribute's 0.01 unless given.
    init : {"notebook", "glorot_uniform", "he_normal", "lecun_normal", "torch"}
        Initial weights. "notebook": ``weight_scale * randn``; Glorot: uniform within
        ``sqrt(6 / (d + m))``; He and LeCun: normal with variances ``2 / d`` and ``1 / d``;
        "torch": weights and biases uniform within ``1 / sqrt(d)``. Biases are else 0.
    dtype : float32 or float64, optional
        Without it the dtype that ``numpy.random.randn`` returns: float64, or float32 after
        ``nnfs.init()``.
    rng : numpy.random.Generator or seed, optional
        Where the initial numbers come from; without it ``numpy.random``, so that
        ``numpy.random.seed`` acts.

    Attributes
    ----------
    weights : ndarray (d, m)
    biases : ndarray (1, m)
    inputs, output : set by `forward`
    dweights, dbiases, dinputs : set by `backward`
    weight_momentums, bias_momentums, weight_cache, bias_cache : set by an optimizer

    Raises
    ------
    TypeError, ValueError
        A size below 1, a negative strength, an unknown `init`, another dtype.

    References
    ----------
    Glorot and Bengio (2010); LeCun et al. (1998); He et al. (2015).
    """

    weight_scale: float = 0.01

    inputs: Any
    output: Array
    dweights: Array
    dbiases: Array
    dinputs: Array
    weight_momentums: Array
    bias_momentums: Array
    weight_cache: Array
    bias_cache: Array

    if TYPE_CHECKING:
        weights: Array
        biases: Array
    else:
        weights = Parameter()
        biases = Parameter()

    def __init__(
        self,
        n_inputs: int,
        n_neurons: int,
        weight_regularizer_l1: float = 0,
        weight_regularizer_l2: float = 0,
        bias_regularizer_l1: float = 0,
        bias_regularizer_l2: float = 0,
        *,
        weight_scale: float | None = None,
        init: str = "notebook",
        dtype: DTypeLike | None = None,
        rng: Any = None,
    ) -> None:
        with labelled(type(self).__name__):
            d = as_count(n_inputs, "n_inputs", 1)
            m = as_count(n_neurons, "n_neurons", 1)
            as_number(weight_regularizer_l1, "weight_regularizer_l1")
            as_number(weight_regularizer_l2, "weight_regularizer_l2")
            as_number(bias_regularizer_l1, "bias_regularizer_l1")
            as_number(bias_regularizer_l2, "bias_regularizer_l2")
            found = None if dtype is None else as_float_dtype(dtype)
            generator = None if rng is None else as_generator(rng)
            if weight_scale is not None:
                if init != "notebook":
                    raise ValueError(
                        f"weight_scale: expected init='notebook' with it, got init={init!r}"
                    )
                self.weight_scale = as_number(weight_scale, "weight_scale", least=-np.inf)
            weights, biases = initial_parameters(init, d, m, self.weight_scale, found, generator)
        self.weights = weights
        self.biases = biases
        self.weight_regularizer_l1 = weight_regularizer_l1
        self.weight_regularizer_l2 = weight_regularizer_l2
        self.bias_regularizer_l1 = bias_regularizer_l1
        self.bias_regularizer_l2 = bias_regularizer_l2

    @property
    def n_inputs(self) -> int:
        """Number of inputs, d."""
        return int(self.weights.shape[0])

    @property
    def n_neurons(self) -> int:
        """Number of neurons, m."""
        return int(self.weights.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of weights and biases: float32 or float64."""
        return self.weights.dtype

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Compute, keep and return ``output = inputs . weights + biases``, a fresh array.

        Parameters
        ----------
        inputs : array_like (n, d)
            Converted to the layer's dtype where needed; n may be 0.

        Raises
        ------
        TypeError
            `inputs` are not real numbers.
        ValueError
            Another shape.
        """
        state = self.__dict__  # a plain dict read costs half of an attribute's
        try:
            output = _dense_forward(inputs, state["weights"], state["biases"])
        except (KeyError, TypeError, ValueError):
            with labelled(label_of(self)):
                weights = as_floats(self.weights, "weights")
                output = _dense_forward(
                    as_floats(inputs, "inputs", weights.dtype),
                    weights,
                    as_floats(self.biases, "biases", weights.dtype),
                )
        state["inputs"] = inputs
        state["output"] = output
        return output

    def backward(self, dvalues: Any) -> Array:
        """Compute and keep `dweights`, `dbiases` and `dinputs`; return `dinputs`.

        ``dweights = inputs^T . dvalues``, ``dbiases = sum over samples``,
        ``dinputs = dvalues . weights^T`` with the weights as they are now. Regularisation
        adds ``l1 * sign(w) + 2 * l2 * w``, with +1 for the sign of 0.

        Parameters
        ----------
        dvalues : array_like (n, m)
            The gradient with respect to the output.

        Raises
        ------
        ValueError
            No `forward` came before, or another shape.
        """
        state = self.__dict__
        try:
            gradients = _dense_backward(state["inputs"], dvalues, state["weights"])
            dweights, dbiases, dinputs = gradients
        except (KeyError, TypeError, ValueError):
            dweights, dbiases, dinputs = self._converted_backward(dvalues)
        l1, l2 = state["weight_regularizer_l1"], state["weight_regularizer_l2"]
        if l1 or l2:
            _regularize(dweights, as_floats(self.weights, "weights"), l1, l2)
        l1, l2 = state["bias_regularizer_l1"], state["bias_regularizer_l2"]
        if l1 or l2:
            _regularize(dbiases, as_floats(self.biases, "biases", dbiases.dtype), l1, l2)
        state["dweights"] = dweights
        state["dbiases"] = dbiases
        state["dinputs"] = dinputs
        return dinputs

    def _converted_backward(self, dvalues: Any) -> tuple[Array, Array, Array]:
        if "inputs" not in self.__dict__:
            raise no_forward_yet(self)
        with labelled(label_of(self)):
            weights = as_floats(self.weights, "weights")
            return _dense_backward(
                as_floats(self.inputs, "inputs", weights.dtype),
                as_floats(dvalues, "dvalues", weights.dtype),
                weights,
            )

    def get_parameters(self) -> tuple[Array, Array]:
        """Return copies of weights and biases."""
        return self.weights.copy(), self.biases.copy()

    def set_parameters(self, weights: Any, biases: Any) -> None:
        """Copy the values into the layer's arrays, in place.

        Raises
        ------
        ValueError
            Another shape; then nothing has changed.
        """
        with labelled(label_of(self)):
            new_weights = as_parameter(weights, "weights", self.weights.shape, self.dtype)
            new_biases = as_parameter(biases, "biases", self.biases.shape, self.dtype)
        self.weights[...] = new_weights
        self.biases[...] = new_biases

    def __repr__(self) -> str:
        name = type(self).__name__
        if "weights" not in self.__dict__:
            return f"{name}(not initialised)"
        strengths = "".join(
            f", {strength}={self.__dict__[strength]:g}"
            for strength in (
                "weight_regularizer_l1",
                "weight_regularizer_l2",
                "bias_regularizer_l1",
                "bias_regularizer_l2",
            )
            if self.__dict__.get(strength)
        )
        return f"{name}({self.n_inputs}, {self.n_neurons}{strengths}, dtype={self.dtype})"


class Layer_Input:
    """The model's door: ``output`` is the input itself."""

    output: Any
    dinputs: Any

    def forward(self, inputs: Any, training: bool = False) -> Any:
        """Keep and return the inputs."""
        self.output = inputs
        return inputs

    def backward(self, dvalues: Any) -> Any:
        """Keep and return `dvalues`: the derivative of the identity is 1."""
        self.dinputs = dvalues
        return dvalues

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
