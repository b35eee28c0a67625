"""Activations: output = f(inputs) element by element or, for softmax, row by row.

Each class is a thin skin over two compiled functions, one for each direction. float32 and
float64 inputs keep their dtype; any other real input becomes float64. Derivatives: the
chain rule, ``dinputs = dvalues * f'(inputs)``; softmax multiplies by its Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from . import _core
from .arrays import Array, as_floats
from .errors import label_of, labelled, no_forward_yet

__all__ = [
    "Activation_Linear",
    "Activation_ReLU",
    "Activation_Sigmoid",
    "Activation_Softmax",
    "Activation_Tanh",
]


class Activation:
    """What the activations share: the two calls, and the conversions when they are needed.

    Attributes
    ----------
    inputs : object
        What the caller passed to `forward`.
    output, dinputs : ndarray
        Results of `forward` and `backward`; absent until the first call.
    """

    _compiled_forward: ClassVar[Callable[..., Array]]
    _compiled_backward: ClassVar[Callable[..., Array]]
    inputs: Any
    output: Array
    dinputs: Array

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Compute, keep and return ``output = f(inputs)``, a fresh array.

        Raises
        ------
        TypeError
            `inputs` are not real numbers.
        ValueError
            `inputs` have the wrong rank.
        """
        try:
            output = self._compiled_forward(inputs)
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                output = self._compiled_forward(as_floats(inputs, "inputs"))
        self.inputs = inputs
        self.output = output
        return output

    def backward(self, dvalues: Any) -> Array:
        """Compute, keep and return ``dinputs``, the gradient with respect to the inputs.

        Parameters
        ----------
        dvalues : array_like
            The gradient with respect to the output, in the output's shape.

        Raises
        ------
        ValueError
            No `forward` came before, or `dvalues` have another shape than the output.
        """
        try:
            dinputs = self._compiled_backward(dvalues, self.output)
        except (AttributeError, TypeError, ValueError):
            dinputs = self._converted_backward(dvalues, "output")
        self.dinputs = dinputs
        return dinputs

    def _converted_backward(self, dvalues: Any, saved: str) -> Array:
        if "output" not in self.__dict__:
            raise no_forward_yet(self)
        with labelled(label_of(self)):
            dtype = as_floats(self.output, "output").dtype
            values = as_floats(self.__dict__[saved], saved, dtype)
            return self._compiled_backward(as_floats(dvalues, "dvalues", dtype), values)

    def predictions(self, outputs: Any) -> Any:
        """Return what the outputs mean as predictions; here the outputs themselves."""
        return outputs

    def regions(self, inputs: Array) -> Array | None:
        """Return for each input the number of the smooth piece of f that it lies in.

        None where f is smooth everywhere. A gradient check steps round the kinks between them.
        """
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Activation_ReLU(Activation):
    """Rectified linear unit: ``output = max(0, inputs)``.

    ``dinputs = dvalues`` where ``inputs > 0``, else 0 (also at 0). NaN passes through.
    """

    _compiled_forward = staticmethod(_core.relu_forward)
    _compiled_backward = staticmethod(_core.relu_backward)

    def backward(self, dvalues: Any = None) -> Array:
        """Compute, keep and return ``dinputs = dvalues * (inputs > 0)``.

        Parameters
        ----------
        dvalues : array_like, optional
            The gradient with respect to the output. Without it the layer's own output is
            passed back, as an introductory notebook does.

        Raises
        ------
        ValueError
            No `forward` came before, or `dvalues` have another shape than the inputs.
        """
        if dvalues is None:
            if "output" not in self.__dict__:
                raise no_forward_yet(self)
            dvalues = self.output
        try:
            dinputs = self._compiled_backward(dvalues, self.inputs)
        except (AttributeError, TypeError, ValueError):
            dinputs = self._converted_backward(dvalues, "inputs")
        self.dinputs = dinputs
        return dinputs

    def regions(self, inputs: Array) -> Array:
        """Return 1 where ``inputs > 0``, else 0."""
        found: Array = (inputs > 0).astype(np.int8)
        return found


class Activation_Sigmoid(Activation):
    """Logistic function: ``output = 1 / (1 + exp(-inputs))``, stable for large arguments.

    ``dinputs = dvalues * output * (1 - output)``: at most a quarter of `dvalues`.
    """

    _compiled_forward = staticmethod(_core.sigmoid_forward)
    _compiled_backward = staticmethod(_core.sigmoid_backward)

    def predictions(self, outputs: Any) -> Array:
        """Return 1 where the output is above one half, else 0 (integers)."""
        predicted: Array = (np.asarray(outputs) > 0.5) * 1
        return predicted


class Activation_Tanh(Activation):
    """Hyperbolic tangent: ``output = tanh(inputs)``; ``dinputs = dvalues * (1 - output^2)``."""

    _compiled_forward = staticmethod(_core.tanh_forward)
    _compiled_backward = staticmethod(_core.tanh_backward)


class Activation_Softmax(Activation):
    """Softmax of each row: ``output_j = exp(z_j - max z) / sum_k exp(z_k - max z)``.

    ``dinputs_j = output_j * (dvalues_j - sum_k dvalues_k output_k)``: the exact product with
    the Jacobian ``diag(output) - output output^T`` in O(n m). Inputs are (n, m).
    """

    _compiled_forward = staticmethod(_core.softmax_forward)
    _compiled_backward = staticmethod(_core.softmax_backward)

    def predictions(self, outputs: Any) -> Array:
        """Return the class with the largest output in each row, (n,)."""
        predicted: Array = np.argmax(np.asarray(outputs), axis=1)
        return predicted


class Activation_Linear(Activation):
    """Identity: ``output`` is the input object itself and ``dinputs`` a copy of `dvalues`."""

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Keep and return the inputs; what is not a float array is converted first."""
        output = inputs
        if type(inputs) is not np.ndarray or inputs.dtype.char not in "fd":
            with labelled(label_of(self)):
                output = as_floats(inputs, "inputs")
        self.inputs = inputs
        self.output = output
        return self.output

    def backward(self, dvalues: Any) -> Array:
        """Compute, keep and return ``dinputs``, a copy of `dvalues`.

        Raises
        ------
        ValueError
            No `forward` came before, or `dvalues` have another shape than the inputs.
        """
        if "output" not in self.__dict__:
            raise no_forward_yet(self)
        with labelled(label_of(self)):
            values = as_floats(dvalues, "dvalues", self.output.dtype)
            if values.shape != self.output.shape:
                raise ValueError(f"dvalues: expected {self.output.shape}, got {values.shape}")
        self.dinputs = values.copy()
        return self.dinputs
