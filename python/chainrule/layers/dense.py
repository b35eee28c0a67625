"""Dense layers, and the input that a model begins with.

``output = inputs . weights + biases`` with inputs (n, d), weights (d, m), biases (1, m).
State is plain NumPy arrays in the layer's ``__dict__``; the compiled functions keep none.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from .. import _core
from ..arrays import (
    Array,
    as_count,
    as_floats,
    as_generator,
    as_number,
    as_parameter,
    as_real,
    is_variable,
)
from ..errors import label_of, labelled, no_forward_yet
from ..recorded import record_layer
from ..settings import Settings, is_number
from .base import Layer
from .parameter_layer import BIASES, FACTORS, WEIGHTS, ParameterLayer, as_rows
from .parameters import (
    Parameter,
    assign_parameters,
    checked_parameters,
    copy_parameters,
    initial_dtype,
    initial_parameters,
)

__all__ = ["Layer_Dense", "Layer_Input"]

_dense_forward = _core.dense_forward
_dense_backward = _core.dense_backward
_dense_gradients = _core.dense_gradients


class Layer_Dense(ParameterLayer):
    """Fully connected layer: ``output = inputs @ weights + biases``.

    Parameters
    ----------
    n_inputs, n_neurons : int
        Sizes d and m, at least 1; not needed with `weights`. One notebook's names, `inputs` and
        `neurons`, serve as keywords too.
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
        Without it that of `weights`, else the dtype that ``numpy.random.randn`` returns: float64,
        or float32 after ``nnfs.init()``.
    rng : numpy.random.Generator or seed, optional
        Where the initial numbers come from; without it ``numpy.random``, so that
        ``numpy.random.seed`` acts.
    bias : bool
        Without it `biases` is None and ``output = inputs . weights``.
    weights, biases : array_like, optional
        The initial values (d, m) and (1, m), kept as an assignment keeps them; with `weights` no
        number is drawn.
    learning_rate_factor, weight_decay_factor, epsilon_factor : float or pair
        What an optimizer's rate, weight decay and epsilon are multiplied by: for weights and
        biases apart, or one number. One `weight_decay_factor` acts on the weights alone.

    Attributes
    ----------
    weights : ndarray (d, m)
    biases : ndarray (1, m) or None
    trainable : bool
        False freezes the layer.
    inputs, output : set by `forward`
    dweights, dbiases, dinputs : set by `backward`
    weight_momentums, bias_momentums, weight_cache, bias_cache : set by an optimizer

    Raises
    ------
    TypeError, ValueError
        A size below 1, a negative strength or factor, an unknown `init`, another dtype, sizes
        that do not agree.

    References
    ----------
    Glorot and Bengio (2010); LeCun et al. (1998); He et al. (2015).
    """

    weight_scale: float = 0.01
    bias_regularizer_l1: float = 0
    bias_regularizer_l2: float = 0
    parameter_shapes: ClassVar[Mapping[str, tuple[int | str, ...]]] = {
        "weights": ("n_inputs", "n_neurons"),
        "biases": (1, "n_neurons"),
    }
    settings: ClassVar[Settings] = {
        **ParameterLayer.settings,
        "bias_regularizer_l1": is_number,
        "bias_regularizer_l2": is_number,
        "weight_scale": is_number,
    }
    passing: ClassVar[tuple[str, ...]] = ("weight_scale",)

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
        biases: Any
    else:
        biases = Parameter()

    def __init__(
        self,
        n_inputs: int | None = None,
        n_neurons: int | None = None,
        weight_regularizer_l1: float = 0,
        weight_regularizer_l2: float = 0,
        bias_regularizer_l1: float = 0,
        bias_regularizer_l2: float = 0,
        *,
        weight_scale: float | None = None,
        init: str = "notebook",
        dtype: DTypeLike | None = None,
        rng: Any = None,
        bias: bool = True,
        weights: Any = None,
        biases: Any = None,
        learning_rate_factor: Any = 1.0,
        weight_decay_factor: Any = 1.0,
        epsilon_factor: Any = 1.0,
        inputs: int | None = None,
        neurons: int | None = None,
    ) -> None:
        with labelled(type(self).__name__):
            d = one_of_two(n_inputs, "n_inputs", inputs, "inputs")
            m = one_of_two(n_neurons, "n_neurons", neurons, "neurons")
            as_number(weight_regularizer_l1, "weight_regularizer_l1")
            as_number(weight_regularizer_l2, "weight_regularizer_l2")
            as_number(bias_regularizer_l1, "bias_regularizer_l1")
            as_number(bias_regularizer_l2, "bias_regularizer_l2")
            self._set_factors(learning_rate_factor, weight_decay_factor, epsilon_factor)
            found = dtype_for(weights, dtype)
            if biases is not None and not bias:
                raise ValueError("biases: expected none with bias=False, got some")
            if weights is None:
                self._draw(d, m, weight_scale, init, found, rng, bool(bias))
            elif weight_scale is not None or init != "notebook":
                raise ValueError("weights: expected no init and no weight_scale beside them")
            else:
                self._take(d, m, weights, found, bool(bias))
            if biases is not None:
                shape = self.biases.shape
                self.__dict__["biases"] = as_parameter(biases, "biases", shape, found)
        self.weight_regularizer_l1 = weight_regularizer_l1
        self.weight_regularizer_l2 = weight_regularizer_l2
        self.bias_regularizer_l1 = bias_regularizer_l1
        self.bias_regularizer_l2 = bias_regularizer_l2

    def _draw(
        self,
        n_inputs: Any,
        n_neurons: Any,
        scale: float | None,
        init: str,
        dtype: np.dtype[Any],
        rng: Any,
        bias: bool,
    ) -> None:
        d = as_count(n_inputs, "n_inputs", 1)
        m = as_count(n_neurons, "n_neurons", 1)
        generator = None if rng is None else as_generator(rng)
        if scale is not None:
            if init != "notebook":
                raise ValueError(
                    f"weight_scale: expected init='notebook' with it, got init={init!r}"
                )
            self.weight_scale = as_number(scale, "weight_scale", least=-np.inf)
        drawn = initial_parameters(init, d, m, self.weight_scale, dtype, generator, bias)
        self.weights = drawn[0]
        self.biases = drawn[1] if bias else None

    def _take(
        self, n_inputs: Any, n_neurons: Any, weights: Any, dtype: np.dtype[Any], bias: bool
    ) -> None:
        shape = np.shape(as_real(weights, "weights"))
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"weights: expected (n_inputs, n_neurons), got {shape}")
        d = shape[0] if n_inputs is None else as_count(n_inputs, "n_inputs", 1)
        m = shape[1] if n_neurons is None else as_count(n_neurons, "n_neurons", 1)
        self.weights = as_parameter(weights, "weights", (d, m), dtype)
        self.biases = np.zeros((1, m), dtype=dtype) if bias else None

    @property
    def n_inputs(self) -> int:
        """Number of inputs, d."""
        return int(self.weights.shape[0])

    @property
    def n_neurons(self) -> int:
        """Number of neurons, m."""
        return int(self.weights.shape[1])

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Compute, keep and return ``output = inputs . weights + biases``, a fresh array.

        Parameters
        ----------
        inputs : array_like (n, d)
            Converted to the layer's dtype where needed; n may be 0. One sample (d,) is taken as
            one row.

        Raises
        ------
        TypeError
            `inputs` are not real numbers.
        ValueError
            Another shape.
        """
        state = self.__dict__  # a plain dict read costs half of an attribute's
        try:
            biases = state["biases"]
            if biases is None:
                biases = no_biases(state["weights"])
            output = _dense_forward(inputs, state["weights"], biases)
        except (KeyError, TypeError, ValueError):
            if is_variable(inputs):
                return record_layer(Layer_Dense.forward, self, inputs)
            with labelled(label_of(self)):
                weights = as_floats(self.weights, "weights")
                biases = no_biases(weights) if self.biases is None else self.biases
                output = _dense_forward(
                    as_rows(inputs, len(weights), weights.dtype),
                    weights,
                    as_floats(biases, "biases", weights.dtype),
                )
        state["inputs"] = inputs
        state["output"] = output
        return output

    def backward(self, dvalues: Any) -> Array:
        """Compute and keep `dweights`, `dbiases` and `dinputs`; return `dinputs`.

        ``dweights = inputs^T . dvalues``, ``dbiases = sum over samples`` (None where the layer
        has no biases), ``dinputs = dvalues . weights^T`` with the weights as they are now.
        Regularisation adds ``l1 * sign(w) + 2 * l2 * w``, with +1 for the sign of 0.

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
        except (KeyError, TypeError, ValueError):
            gradients = self._converted(_dense_backward, dvalues)
        dweights, dbiases, dinputs = gradients
        self._keep(dweights, dbiases)
        state["dinputs"] = dinputs
        return dinputs

    def backward_parameters(self, dvalues: Any) -> None:
        """Compute and keep `dweights` and `dbiases` alone, as `backward` does; `dinputs` goes.

        A model calls it where nothing in front of the layer needs `dinputs`.
        """
        state = self.__dict__
        try:
            gradients = _dense_gradients(state["inputs"], dvalues, state["weights"])
        except (KeyError, TypeError, ValueError):
            gradients = self._converted(_dense_gradients, dvalues)
        self._keep(*gradients)
        state.pop("dinputs", None)

    def _keep(self, dweights: Array, dbiases: Array) -> None:
        """Add the penalties' gradients and keep the sums."""
        state = self.__dict__
        if self.weight_regularizer_l1 or self.weight_regularizer_l2:
            self._add_penalty(WEIGHTS, dweights)
        biased = state.get("biases") is not None
        if biased and (self.bias_regularizer_l1 or self.bias_regularizer_l2):
            self._add_penalty(BIASES, dbiases)
        state["dweights"] = dweights
        state["dbiases"] = dbiases if biased else None

    def _converted(self, function: Callable[..., Any], dvalues: Any) -> Any:
        """Return what a function of the core gives for arrays that must be converted first."""
        if "inputs" not in self.__dict__:
            raise no_forward_yet(self)
        with labelled(label_of(self)):
            weights = as_floats(self.weights, "weights")
            return function(
                as_rows(self.inputs, len(weights), weights.dtype),
                as_floats(dvalues, "dvalues", weights.dtype),
                weights,
            )

    def get_parameters(self) -> tuple[Array, Any]:
        """Return copies of weights and biases, None in their place where there are none."""
        weights, biases = copy_parameters(self)
        return np.asarray(weights), biases

    def set_parameters(self, weights: Any, biases: Any = None) -> None:
        """Copy the values into the layer's arrays, in place.

        Raises
        ------
        ValueError
            Another shape; then nothing has changed.
        """
        assign_parameters(self, checked_parameters(self, (weights, biases)))

    def __repr__(self) -> str:
        name = type(self).__name__
        if "weights" not in self.__dict__:
            return f"{name}(not initialised)"
        strengths = self._settings_text(
            "weight_regularizer_l1",
            "weight_regularizer_l2",
            "bias_regularizer_l1",
            "bias_regularizer_l2",
        )
        bias = ", bias=False" if self.__dict__.get("biases") is None else ""
        factors = self._settings_text(*FACTORS)
        sizes = f"{self.n_inputs}, {self.n_neurons}"
        return f"{name}({sizes}{strengths}{bias}{factors}, dtype={self.dtype})"


class Layer_Input(Layer):
    """The model's door: ``output`` is the input itself."""

    mathematics: ClassVar[tuple[str, ...]] = ("forward", "backward")

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


def one_of_two(value: Any, name: str, other: Any, other_name: str) -> Any:
    """Return what one of two names of an argument was given; refuse both."""
    if value is not None and other is not None:
        raise TypeError(f"{name}: expected {name} or {other_name}, got both")
    return other if value is None else value


def dtype_for(weights: Any, dtype: DTypeLike | None) -> np.dtype[Any]:
    """Return the dtype of a new layer: the one asked for, else that of float weights."""
    given = getattr(weights, "dtype", None)
    if dtype is None and isinstance(given, np.dtype) and given.kind == "f":
        if given.itemsize in (4, 8):
            return given.newbyteorder("=")
    return initial_dtype(dtype)


def no_biases(weights: Array) -> Array:
    """Return the zeros (1, m) that stand for the biases of a layer without."""
    return _zeros(weights.shape[-1], weights.dtype)


@functools.lru_cache(maxsize=64)
def _zeros(m: int, dtype: np.dtype[Any]) -> Array:
    zeros = np.zeros((1, m), dtype=dtype)
    zeros.flags.writeable = False
    return zeros
