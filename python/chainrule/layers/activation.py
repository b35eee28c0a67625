"""What the activations share: the two calls, and the conversions when they are needed.

float32 and float64 inputs keep their dtype; any other real input becomes float64.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, as_floats, is_variable
from ..compiled import Compiled, core_rows
from ..errors import label_of, labelled, no_forward_yet
from ..recorded import record_layer
from .base import Layer

ROWS = core_rows("activations")


class Activation(Layer):
    """Base of the activations.

    Attributes
    ----------
    inputs : object
        What the caller passed to `forward`.
    output, dinputs : ndarray
        Results of `forward` and `backward`; absent until the first call.
    codomain : {"any", "probabilities", "shares", "positive", "nonnegative"}
        What outputs may be: rows that add up to 1, numbers from 0 to 1 each by itself, ...
    predicts : {"values", "classes", "shares"}
        What outputs mean as predictions: themselves, the class of the largest, yes above 1/2.
    kink : bool
        The slope jumps where the inputs are 0.
    """

    kind: ClassVar[str] = "activation"
    mathematics: ClassVar[tuple[str, ...]] = ("forward", "backward", "predictions")
    codomain: ClassVar[str] = "any"
    predicts: ClassVar[str] = "values"
    kink: ClassVar[bool] = False
    inputs: Any
    output: Array
    dinputs: Array

    def predictions(self, outputs: Any) -> Any:
        """Return what the outputs mean as predictions; here the outputs themselves."""
        return outputs

    def regions(self, inputs: Any) -> NDArray[np.int8] | None:
        """Return the region that each input lies in: within one the function is smooth.

        None where it is smooth everywhere.
        """
        return (np.asarray(inputs) > 0).astype(np.int8) if self.kink else None


class CompiledActivation(Compiled, Activation):
    """An activation whose two directions are compiled functions, the derivative by the output."""

    _saved: ClassVar[str] = "output"  # what the derivative is written in

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "core_name" in vars(cls):
            wanted = "inputs" if ROWS[cls.core_name]["needs_inputs"] else "output"
            if cls._saved != wanted:
                raise TypeError(
                    f"{cls.__name__}: {cls.core_name}: expected a base whose derivative is "
                    f"written in the {wanted}, got the {cls._saved}"
                )

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
            if is_variable(inputs):
                return record_layer(CompiledActivation.forward, self, inputs)
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
            dinputs = self._converted_backward(dvalues)
        self.dinputs = dinputs
        return dinputs

    def _converted_backward(self, dvalues: Any) -> Array:
        if "output" not in self.__dict__:
            raise no_forward_yet(self)
        with labelled(label_of(self)):
            dtype = as_floats(self.output, "output").dtype
            saved = as_floats(self.__dict__[self._saved], self._saved, dtype)
            return self._compiled_backward(as_floats(dvalues, "dvalues", dtype), saved)


class CompiledOfInputs(CompiledActivation):
    """An activation whose derivative is written in its inputs."""

    _saved = "inputs"

    def backward(self, dvalues: Any) -> Array:
        """Compute, keep and return ``dinputs``, the gradient with respect to the inputs.

        The parameters and errors are those of `CompiledActivation.backward`.
        """
        try:
            dinputs = self._compiled_backward(dvalues, self.inputs)
        except (AttributeError, TypeError, ValueError):
            dinputs = self._converted_backward(dvalues)
        self.dinputs = dinputs
        return dinputs
