"""Parametric activations: ``(1 - a) inputs + a f(inputs)``, a learned for each neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .. import _core
from ..arrays import Array, as_floats, is_variable
from ..catalogue import classes, own_class
from ..errors import label_of, labelled, no_forward_yet
from ..recorded import record_layer
from ..settings import Settings, is_activation
from .activation import Activation, CompiledActivation
from .parameter_layer import FACTORS, WEIGHTS, as_rows
from .scale import ColumnFactors

_forward = _core.parametric_forward
_backward = _core.parametric_backward


class ActivationSetting:
    """The descriptor of the layer's activation: checks what is stored, stays out of reading."""

    def __set__(self, layer: Any, value: Any) -> None:
        layer.__dict__["activation"] = as_activation(value)


class Layer_ParametricActivation(ColumnFactors):
    """An activation of which each neuron learns its share.

    ``output = (1 - a) inputs + a f(inputs)`` with a for each column, ``weights (1, n)``, 1 at
    first: the plain activation.

    Parameters
    ----------
    n : int
        Number of columns, at least 1.
    activation : Activation or str
        f: one of the package's activations that work element by element, such as
        ``Activation_Mish()``, or its name, ``"mish"``.
    dtype : float32 or float64, optional
        Without it as for `Layer_Dense`.
    learning_rate_factor, weight_decay_factor, epsilon_factor : float or pair
        As for `Layer_Dense`.

    Attributes
    ----------
    weights : ndarray (1, n)
        a; ones at first.
    activation : Activation
        f; it keeps no arrays of the layer's passes.
    inputs, activated, output : set by `forward`
        ``activated = f(inputs)``.
    dweights, dinputs : set by `backward`
    weight_regularizer_l1, weight_regularizer_l2 : float
        Strengths of penalties on a, 0 unless set.

    Raises
    ------
    TypeError, ValueError
        A size below 1, an activation that is no such one, a negative factor, another dtype.

    References
    ----------
    He, Zhang, Ren, Sun (2015) for a learned slope; Holzmüller, Grinsztajn, Steinwart (2024).
    """

    settings: ClassVar[Settings] = {**ColumnFactors.settings, "activation": is_activation}
    transient: ClassVar[tuple[str, ...]] = (*ColumnFactors.transient, "activated")

    activated: Array

    if TYPE_CHECKING:
        activation: Any
    else:
        activation = ActivationSetting()

    def __init__(
        self,
        n: int,
        activation: Any,
        *,
        dtype: DTypeLike | None = None,
        learning_rate_factor: Any = 1.0,
        weight_decay_factor: Any = 1.0,
        epsilon_factor: Any = 1.0,
    ) -> None:
        super().__init__(
            n,
            dtype=dtype,
            learning_rate_factor=learning_rate_factor,
            weight_decay_factor=weight_decay_factor,
            epsilon_factor=epsilon_factor,
        )
        with labelled(type(self).__name__):
            self.activation = activation

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Compute, keep and return ``output = (1 - a) inputs + a f(inputs)``, a fresh array.

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
        state = self.__dict__
        try:
            activated = self.activation._compiled_forward(inputs)
            output = _forward(inputs, activated, state["weights"])
        except (KeyError, TypeError, ValueError):
            if is_variable(inputs):
                return record_layer(Layer_ParametricActivation.forward, self, inputs)
            with labelled(label_of(self)):
                weights = as_floats(self.weights, "weights")
                rows = as_rows(inputs, weights.shape[1], weights.dtype)
                activated = self.activation._compiled_forward(rows)
                output = _forward(rows, activated, weights)
        state["inputs"] = inputs
        state["activated"] = activated
        state["output"] = output
        return output

    def backward(self, dvalues: Any) -> Array:
        """Compute and keep `dweights` and `dinputs`; return `dinputs`.

        ``dweights = sum over samples of dvalues (f(inputs) - inputs)`` (1, n) and
        ``dinputs = dvalues (1 - a + a f'(inputs))``.

        Raises
        ------
        ValueError
            No `forward` came before, or another shape.
        """
        state = self.__dict__
        try:
            gradients = self._gradients(state["inputs"], dvalues, state["weights"])
        except (KeyError, TypeError, ValueError):
            if "inputs" not in state:
                raise no_forward_yet(self) from None
            with labelled(label_of(self)):
                weights = as_floats(self.weights, "weights")
                rows = as_rows(self.inputs, weights.shape[1], weights.dtype)
                values = as_floats(dvalues, "dvalues", weights.dtype)
                gradients = self._gradients(rows, values, weights)
        dweights, dinputs = gradients
        self._add_penalty(WEIGHTS, dweights)
        state["dweights"] = dweights
        state["dinputs"] = dinputs
        return dinputs

    def _gradients(self, inputs: Any, dvalues: Any, weights: Any) -> tuple[Array, Array]:
        """Return `dweights` and `dinputs`, without penalties."""
        f, activated = self.activation, self.__dict__["activated"]
        saved = inputs if f._saved == "inputs" else activated
        through = f._compiled_backward(dvalues, saved)
        dweights, dinputs = _backward(dvalues, through, inputs, activated, weights)
        return dweights, dinputs

    def regions(self, inputs: Any) -> NDArray[np.int8] | None:
        """Return the activation's regions; see `Activation.regions`."""
        regions: NDArray[np.int8] | None = self.activation.regions(inputs)
        return regions

    def __repr__(self) -> str:
        if "weights" not in self.__dict__:
            return f"{type(self).__name__}(not initialised)"
        factors = self._settings_text(*FACTORS)
        name = type(self).__name__
        return f"{name}({self.n_inputs}, {self.activation!r}{factors}, dtype={self.dtype})"


def as_activation(value: Any) -> CompiledActivation:
    """Return an activation of the package that works element by element: itself, or by its name.

    Raises
    ------
    TypeError, ValueError
        Something else, or one that works on whole rows.
    """
    known: dict[str, Any] = {kind.core_name: kind for kind in classes("activation")}
    names = [name for name, kind in known.items() if issubclass(kind, CompiledActivation)]
    names = [name for name in names if known[name].codomain != "probabilities"]
    if isinstance(value, str):
        if value not in names:
            expected = ", ".join(map(repr, names))
            raise ValueError(f"activation: expected one of {expected}, got {value!r}")
        made: CompiledActivation = known[value]()
        return made
    own = own_class(value)
    if own is None or not issubclass(own, Activation) or type(value) is not own:
        raise TypeError(
            "activation: expected an activation of chainrule or its name, "
            f"got {value.__name__ if isinstance(value, type) else type(value).__name__}"
        )
    if own.core_name not in names or not isinstance(value, CompiledActivation):
        raise ValueError(
            "activation: expected one that works element by element and is not linear, "
            f"got {own.__name__}"
        )
    return value
