"""Activations: output = f(inputs) element by element or, for softmax, row by row.

Each class is a thin skin over two compiled functions, one for each direction. Derivatives: the
chain rule, ``dinputs = dvalues * f'(inputs)``; softmax multiplies by its Jacobian.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .arrays import Array, as_floats, as_number, is_variable
from .errors import label_of, labelled, no_forward_yet
from .layers.activation import Activation, CompiledActivation, CompiledOfInputs
from .recorded import record_layer
from .settings import Settings, is_nonnegative, one_of

__all__ = [
    "Activation_ELU",
    "Activation_Exponential",
    "Activation_GELU",
    "Activation_LeakyReLU",
    "Activation_Linear",
    "Activation_Mish",
    "Activation_ReLU",
    "Activation_SELU",
    "Activation_SiLU",
    "Activation_Sigmoid",
    "Activation_Softmax",
    "Activation_Softplus",
    "Activation_Tanh",
]


class Activation_ReLU(CompiledActivation):
    """Rectified linear unit: ``output = max(0, inputs)``.

    ``dinputs = dvalues`` where ``inputs > 0``, else 0 (also at 0). NaN passes through.
    """

    core_name = "relu"
    codomain = "nonnegative"
    kink = True

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
        try:
            output = self.output
            dinputs = self._compiled_backward(output if dvalues is None else dvalues, output)
        except (AttributeError, TypeError, ValueError):
            dinputs = self._converted_backward(dvalues)
        self.dinputs = dinputs
        return dinputs


class Activation_LeakyReLU(CompiledActivation):
    """``output = inputs`` where ``inputs > 0``, else ``negative_slope * inputs``.

    ``dinputs = dvalues`` where ``inputs > 0``, else ``negative_slope * dvalues`` (also at 0).

    Parameters
    ----------
    negative_slope : float
        At least 0.

    References
    ----------
    Maas, Hannun, Ng (2013).
    """

    core_name = "leaky_relu"
    settings: ClassVar[Settings] = {"negative_slope": is_nonnegative}
    kink = True
    negative_slope: float = 0.01

    def __init__(self, negative_slope: float = 0.01) -> None:
        with labelled(type(self).__name__):
            self.negative_slope = as_number(negative_slope, "negative_slope")

    def parameters(self) -> tuple[float, ...]:
        """Return ``(negative_slope,)``."""
        return (self.negative_slope,)


class Activation_ELU(CompiledActivation):
    """Exponential linear unit: ``inputs`` where positive, else ``alpha * (exp(inputs) - 1)``.

    ``dinputs = dvalues`` where ``inputs > 0``, else ``dvalues * (output + alpha)``.

    Parameters
    ----------
    alpha : float
        Minus the limit far below 0; at least 0.

    References
    ----------
    Clevert, Unterthiner, Hochreiter (2016).
    """

    core_name = "elu"
    settings: ClassVar[Settings] = {"alpha": is_nonnegative}
    kink = True
    alpha: float = 1.0

    def __init__(self, alpha: float = 1.0) -> None:
        with labelled(type(self).__name__):
            self.alpha = as_number(alpha, "alpha")

    def parameters(self) -> tuple[float, ...]:
        """Return ``(alpha,)``."""
        return (self.alpha,)


class Activation_SELU(CompiledActivation):
    """``scale * inputs`` where positive, else ``scale * alpha * (exp(inputs) - 1)``.

    With scale 1.0507... and alpha 1.6732..., for which mean 0 and variance 1 are a fixed point
    of a wide layer with weights of variance 1 / n_inputs (``init="lecun_normal"``).

    References
    ----------
    Klambauer, Unterthiner, Mayr, Hochreiter (2017).
    """

    core_name = "selu"
    kink = True


class Activation_GELU(CompiledOfInputs):
    """Gaussian error linear unit: ``output = inputs * Phi(inputs)``.

    Phi is the standard normal distribution, by erfc (1 + erf would cancel below -3);
    ``dinputs = dvalues * (Phi(inputs) + inputs * phi(inputs))`` with its density phi.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        ``"tanh"``: ``inputs / 2 * (1 + tanh(sqrt(2 / pi) * (inputs + 0.044715 * inputs^3)))``.

    References
    ----------
    Hendrycks, Gimpel (2016).
    """

    core_name = "gelu"
    settings: ClassVar[Settings] = {"approximate": one_of("none", "tanh")}
    approximate: str = "none"

    def __init__(self, approximate: str = "none") -> None:
        if not isinstance(approximate, str) or approximate not in ("none", "tanh"):
            raise ValueError(
                f"{type(self).__name__}: approximate: expected 'none' or 'tanh', "
                f"got {approximate!r}"
            )
        self.approximate = approximate

    def name_in_core(self) -> str:
        """Return ``"gelu"`` or ``"gelu_tanh"``."""
        return "gelu_tanh" if self.approximate == "tanh" else "gelu"


class Activation_SiLU(CompiledOfInputs):
    """``output = inputs * s`` with ``s = 1 / (1 + exp(-inputs))``; also known as swish.

    ``dinputs = dvalues * s * (1 + inputs * (1 - s))``.

    References
    ----------
    Elfwing, Uchibe, Doya (2018); Ramachandran, Zoph, Le (2017).
    """

    core_name = "silu"


class Activation_Mish(CompiledOfInputs):
    """``output = inputs * t`` with ``t = tanh(log(1 + exp(inputs)))``.

    ``dinputs = dvalues * (t + inputs * (1 - t^2) / (1 + exp(-inputs)))``.

    References
    ----------
    Misra (2019).
    """

    core_name = "mish"


class Activation_Softplus(CompiledOfInputs):
    """``output = log(1 + exp(inputs))``; ``dinputs = dvalues / (1 + exp(-inputs))``.

    Above 0 and close to ReLU far from 0; it does not overflow.

    References
    ----------
    Dugas, Bengio, Belisle, Nadeau, Garcia (2001).
    """

    core_name = "softplus"
    codomain = "positive"


class Activation_Exponential(CompiledActivation):
    """``output = exp(inputs)``; ``dinputs = dvalues * output``. For rates, as a last layer."""

    core_name = "exponential"
    codomain = "positive"


class Activation_Sigmoid(CompiledActivation):
    """Logistic function: ``output = 1 / (1 + exp(-inputs))``, stable for large arguments.

    ``dinputs = dvalues * output * (1 - output)``: at most a quarter of `dvalues`.
    """

    core_name = "sigmoid"
    codomain = "shares"
    predicts = "shares"

    def predictions(self, outputs: Any) -> Array:
        """Return 1 where the output is above one half, else 0 (integers)."""
        predicted: Array = (np.asarray(outputs) > 0.5) * 1
        return predicted


class Activation_Tanh(CompiledActivation):
    """Hyperbolic tangent: ``output = tanh(inputs)``; ``dinputs = dvalues * (1 - output^2)``."""

    core_name = "tanh"


class Activation_Softmax(CompiledActivation):
    """Softmax of each row: ``output_j = exp(z_j - max z) / sum_k exp(z_k - max z)``.

    ``dinputs_j = output_j * (dvalues_j - sum_k dvalues_k output_k)``: the exact product with
    the Jacobian ``diag(output) - output output^T`` in O(n m). Inputs are (n, m).
    """

    core_name = "softmax"
    codomain = "probabilities"
    predicts = "classes"

    def predictions(self, outputs: Any) -> Array:
        """Return the class with the largest output in each row, (n,)."""
        predicted: Array = np.argmax(np.asarray(outputs), axis=1)
        return predicted


class Activation_Linear(Activation):
    """Identity: ``output`` is the input object itself and ``dinputs`` a copy of `dvalues`."""

    core_name = "linear"

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Keep and return the inputs; what is not a float array is converted first."""
        output = inputs
        if type(inputs) is not np.ndarray or inputs.dtype.char not in "fd":
            if is_variable(inputs):
                return record_layer(Activation_Linear.forward, self, inputs)
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
