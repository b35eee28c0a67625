"""A last activation and its loss in one class, with the gradient of both in one formula."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..activations import Activation_Sigmoid, Activation_Softmax
from ..arrays import Array, is_variable
from ..compiled import Compiled
from ..errors import label_of, labelled, no_forward_yet
from ..layers.activation import Activation
from ..recorded import record_loss
from .base import SINGLE, as_single
from .compiled_loss import CompiledLoss
from .crossentropies import Loss_BinaryCrossentropy, Loss_CategoricalCrossentropy

_softmax_forward = _core.softmax_crossentropy_forward
_softmax_backward = _core.softmax_crossentropy_backward


class JointLoss(Compiled):
    """A last activation and its loss in one, with the gradient of both.

    Attributes
    ----------
    activation, loss : object
        The two, each by itself.
    output : ndarray (n, m)
        The activation's output p.
    dinputs : ndarray (n, m)
    """

    kind: ClassVar[str] = "joint"
    mathematics: ClassVar[tuple[str, ...]] = ("forward", "backward")
    transient: ClassVar[tuple[str, ...]] = ("output", "dinputs")
    activation: Activation
    loss: CompiledLoss
    output: Array
    dinputs: Array

    def parameters(self) -> tuple[float, ...]:
        """Return the loss's parameters."""
        return self.loss.parameters()

    def forward(self, inputs: Any, y_true: Any) -> Any:
        """Keep the activation's output and return the mean loss, a scalar of its dtype.

        Parameters
        ----------
        inputs : array_like (n, m)
            Logits: what the activation takes.
        y_true : array_like
            Targets as the loss takes them.

        Raises
        ------
        TypeError, ValueError
            Targets that do not fit the logits, or lie outside the loss's domain.
        """
        try:
            output, sample_losses = self._compiled_forward(inputs, y_true)
        except (TypeError, ValueError):
            if is_variable(inputs):
                return record_loss(JointLoss.forward, self, inputs, y_true)
            with labelled(label_of(self)):
                output, sample_losses = self._compiled_forward(
                    *self.loss.converted(inputs, y_true, "inputs")
                )
        if len(sample_losses) == 0:
            raise ValueError(f"{label_of(self)}: expected at least one sample, got none")
        self.output = output
        self.activation.inputs = inputs
        self.activation.output = output
        mean = _core.sum(sample_losses) / len(sample_losses)
        return as_single(mean) if output.dtype == SINGLE else np.float64(mean)

    def joint_value(self, inputs: Any, y_true: Any) -> Array:
        """Return the loss of each row, unclipped, in the dtype of `inputs`."""
        return self.loss.joint_value(inputs, y_true)

    def backward(self, dvalues: Any, y_true: Any) -> Array:
        """Compute, keep and return `dinputs` (n, m), the gradient of the mean loss.

        Parameters
        ----------
        dvalues : array_like (n, m)
            The activation's output: `output`.
        y_true : array_like
            Targets as in `forward`.

        Raises
        ------
        TypeError, ValueError
            Targets that do not fit, or lie outside the loss's domain.
        """
        if dvalues is None:
            raise no_forward_yet(self)
        try:
            dinputs = self._compiled_backward(dvalues, y_true)
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                dinputs = self._compiled_backward(*self.loss.converted(dvalues, y_true, "dvalues"))
        self.dinputs = dinputs
        return dinputs


class Activation_Softmax_Loss_CategoricalCrossentropy(JointLoss):
    """Softmax and categorical cross-entropy in one: gradient ``(p sum_k y_k - y) / n``.

    y is one-hot for labels, so that it is ``(p - onehot) / n`` then. Stable where the two one
    after the other are not: no log of 0, no division by p.
    """

    core_name = "softmax_crossentropy"
    loss: Loss_CategoricalCrossentropy

    def __init__(self) -> None:
        self.activation = Activation_Softmax()
        self.loss = Loss_CategoricalCrossentropy()

    # As `compiled.fixed` makes them, but sooner: classification loops call these in each step.

    def _compiled_forward(self, inputs: Any, y_true: Any) -> Any:
        return _softmax_forward(inputs, y_true, self.loss.label_smoothing)

    def _compiled_backward(self, dvalues: Any, y_true: Any) -> Array:
        return _softmax_backward(dvalues, y_true, self.loss.label_smoothing)


class Activation_Sigmoid_Loss_BinaryCrossentropy(JointLoss):
    """Sigmoid and binary cross-entropy in one: gradient ``(p - y) / m / n``.

    The value is that of the logits, ``mean_j (max(z, 0) - y z + log(1 + exp(-|z|)))``.
    """

    core_name = "sigmoid_crossentropy"

    def __init__(self) -> None:
        self.activation = Activation_Sigmoid()
        self.loss = Loss_BinaryCrossentropy()
