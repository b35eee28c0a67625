"""Layers whose output is one call of the core, and whose gradients are another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from ..arrays import Array, as_floats, is_variable
from ..errors import label_of, labelled, no_forward_yet
from ..recorded import record_layer
from .parameter_layer import ParameterLayer, as_rows
from .parameters import slots_named


class CoreFunctions(NamedTuple):
    """The functions of the core behind a layer; all take its parameters and settings last.

    ``forward(inputs, ...)`` gives the output, ``backward(inputs, dvalues, ...)`` the gradients of
    the parameters and `dinputs` as a tuple, ``gradients`` the same without `dinputs`.
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    gradients: Callable[..., Any]


class CompiledLayer(ParameterLayer, ABC):
    """Base of the layers with columns that change, and columns behind or before that pass.

    Attributes
    ----------
    n_passed : int
        Number of columns that pass as they are.
    inputs, output : set by `forward`
    dinputs, and d... for each parameter : set by `backward`
    """

    core: ClassVar[CoreFunctions]
    core_settings: ClassVar[tuple[str, ...]] = ("n_passed",)

    n_passed: int
    inputs: Any
    output: Array
    dinputs: Array

    @property
    @abstractmethod
    def n_inputs(self) -> int:
        """Number of columns of the inputs."""

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Compute, keep and return the output, a fresh array.

        Parameters
        ----------
        inputs : array_like (n, n_inputs)
            Converted to the layer's dtype where needed. One sample (n_inputs,) is one row.

        Raises
        ------
        TypeError
            `inputs` are not real numbers.
        ValueError
            Another shape, or a value that the layer has no use for.
        """
        state = self.__dict__
        try:
            output = self.core.forward(inputs, *self._taken())
        except (KeyError, TypeError, ValueError):
            if is_variable(inputs):
                return record_layer(CompiledLayer.forward, self, inputs)
            with labelled(label_of(self)):
                taken, dtype = self._converted()
                output = self.core.forward(as_rows(inputs, self.n_inputs, dtype), *taken)
        state["inputs"] = inputs
        state["output"] = output
        return output  # type: ignore[no-any-return]

    def backward(self, dvalues: Any) -> Array:
        """Compute and keep the parameters' gradients and `dinputs`; return `dinputs`.

        Parameters
        ----------
        dvalues : array_like (n, n_neurons)
            The gradient with respect to the output.

        Raises
        ------
        ValueError
            No `forward` came before, or another shape.
        """
        *gradients, dinputs = self._differentiated(self.core.backward, dvalues)
        self._keep(gradients)
        self.__dict__["dinputs"] = dinputs
        return dinputs  # type: ignore[no-any-return]

    def backward_parameters(self, dvalues: Any) -> None:
        """Compute and keep the parameters' gradients alone, as `backward` does; `dinputs` goes.

        A model calls it where nothing in front of the layer needs `dinputs`.
        """
        self._keep(self._differentiated(self.core.gradients, dvalues))
        self.__dict__.pop("dinputs", None)

    def _differentiated(self, function: Callable[..., Any], dvalues: Any) -> Any:
        """Return what a function of the core gives, arrays converted where it needs them so."""
        state = self.__dict__
        try:
            return function(state["inputs"], dvalues, *self._taken())
        except (KeyError, TypeError, ValueError):
            if "inputs" not in state:
                raise no_forward_yet(self) from None
        with labelled(label_of(self)):
            taken, dtype = self._converted()
            rows = as_rows(self.inputs, self.n_inputs, dtype)
            return function(rows, as_floats(dvalues, "dvalues", dtype), *taken)

    def _taken(self) -> list[Any]:
        """Return the parameters and settings as they are."""
        state = self.__dict__
        return [state[name] for name in (*self.parameter_names, *self.core_settings)]

    def _converted(self) -> tuple[list[Any], Any]:
        """Return the same with the arrays in one dtype, and that."""
        dtype = as_floats(self.weights, "weights").dtype
        arrays = [as_floats(getattr(self, name), name, dtype) for name in self.parameter_names]
        return [*arrays, *(getattr(self, name) for name in self.core_settings)], dtype

    def _keep(self, gradients: Any) -> None:
        """Add the penalties' gradients and keep the sums."""
        for slot, gradient in zip(slots_named(self.parameter_names), gradients, strict=True):
            self._add_penalty(slot, gradient)
            self.__dict__[slot.gradient] = gradient
