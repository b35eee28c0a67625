"""Nets that share their weights: k members with a first factor a column and a last layer each.

::

    X (n, d) -> SharedInputs: member i's rows are X * factors[i]   (k n, d)
             -> the layers that all share                          (k n, m)
             -> SharedHeads: a dense layer a member                (n, k o)

So it is one plain net on k times as many rows, and all arithmetic is that of the compiled dense
layers and activations. `SharedLoss` is the mean of the members' losses; what counts in a validation
is the loss of their mean prediction. Trained, they are k plain nets.

Source: Gorishniy, Kotelnikov, Babenko (2025), "TabM: advancing tabular deep learning with
parameter-efficient ensembling", the variant TabM-mini.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import numpy as np

from ...activations import Activation_Softmax
from ...arrays import Array
from ...layers import Layer_Dense
from ...losses import (
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Loss,
    Loss_CategoricalCrossentropy,
)


class SharedInputs:
    """Each member's samples: ``output[i n + s] = inputs[s] * weights[i]``.

    Parameters
    ----------
    factors : ndarray (k, d)
        The first factors.
    learning_rate_factor : float
        As for `Layer_Dense`.
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("weights",)

    def __init__(self, factors: Array, learning_rate_factor: float) -> None:
        self.weights = factors
        self.learning_rate_factor = learning_rate_factor

    def forward(self, inputs: Array) -> Array:
        """Return the rows (k n, d) of samples (n, d)."""
        self.inputs = inputs
        k, d = self.weights.shape
        rows: Array = (inputs * self.weights[:, None]).reshape(k * len(inputs), d)
        self.output = rows
        return rows

    def backward(self, dvalues: Array) -> Array:
        """Keep ``dweights[i] = sum over s of dvalues[i n + s] * inputs[s]``; return `dinputs`."""
        of_members = dvalues.reshape(len(self.weights), *self.inputs.shape)
        products = of_members * self.inputs
        self.dweights = products.sum(axis=1, dtype=np.float64).astype(self.weights.dtype)
        dinputs: Array = (of_members * self.weights[:, None]).sum(axis=0)
        self.dinputs = dinputs
        return dinputs


class SharedHeads:
    """A last layer for each member, side by side: ``output[s, i o : (i + 1) o]``.

    Parameters
    ----------
    heads : list of Layer_Dense
        One a member, all of one shape and with the same factors.

    Attributes
    ----------
    weights, biases : ndarray (k, m, o), (k, 1, o)
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("weights", "biases")

    def __init__(self, heads: list[Layer_Dense]) -> None:
        self.weights = np.array([head.weights for head in heads])
        self.biases = np.array([head.biases for head in heads])
        self.learning_rate_factor = heads[0].learning_rate_factor
        self.epsilon_factor = heads[0].epsilon_factor
        self._heads = heads

    @property
    def heads(self) -> list[Layer_Dense]:
        """The members' layers; their parameters are views of this one's."""
        for head, weights, biases in zip(self._heads, self.weights, self.biases, strict=True):
            head.weights, head.biases = weights, biases
        return self._heads

    def forward(self, inputs: Array) -> Array:
        """Return the members' outputs (n, k o) for their rows (k n, m)."""
        rows = np.split(inputs, len(self.weights))
        outputs = [head.forward(part) for head, part in zip(self.heads, rows, strict=True)]
        self.output: Array = np.concatenate(outputs, axis=1)
        return self.output

    def backward(self, dvalues: Array) -> Array:
        """Keep the members' gradients; return `dinputs` (k n, m)."""
        parts = np.split(dvalues, len(self.weights), axis=1)
        each = [head.backward(part) for head, part in zip(self._heads, parts, strict=True)]
        self.dweights = np.array([head.dweights for head in self._heads])
        self.dbiases = np.array([head.dbiases for head in self._heads])
        self.dinputs: Array = np.concatenate(each)
        return self.dinputs


class SharedLoss(Loss):
    """The mean of the members' losses, each that of a net by itself.

    Parameters
    ----------
    loss : Loss
        Of one member: cross-entropy, on logits then, or one of values.
    members : int
        k.
    """

    def __init__(self, loss: Any, members: int) -> None:
        self.loss = loss
        self.members = members
        self.classifies = isinstance(loss, Loss_CategoricalCrossentropy)

    @property
    def predicts(self) -> str | None:
        """Logits, or what the last layer gives."""
        return "logits" if self.classifies else None

    def predictions(self, outputs: Any, y: Any) -> Any:
        """Return the most probable class of the members' mean; None for values."""
        return self._mean(outputs).argmax(axis=1) if self.classifies else None

    def forward(self, y_pred: Any, y_true: Any) -> Array:
        """Return the mean over the members of each sample's loss (n,)."""
        losses: Array = self.loss.forward(self._each(y_pred), np.repeat(y_true, self.members, 0))
        means: Array = losses.reshape(-1, self.members).mean(axis=1)
        return means

    def backward(self, dvalues: Any, y_true: Any) -> Array:
        """Keep and return `dinputs` (n, k o), the gradient of the mean over samples and members."""
        loss = self.loss
        if self.classifies:
            loss = Activation_Softmax_Loss_CategoricalCrossentropy()
            loss.loss.label_smoothing = self.loss.label_smoothing
        found = loss.backward(self._each(dvalues), np.repeat(y_true, self.members, 0))
        self.dinputs = found.reshape(len(dvalues), -1)
        return self.dinputs

    def without_smoothing(self) -> MeanLoss:
        """Return the loss of the members' mean prediction."""
        return MeanLoss(self.loss.without_smoothing(), self.members)

    def _each(self, outputs: Array) -> Array:
        """Return the members' predictions (n k, o), a sample's one after the other."""
        rows = outputs.reshape(len(outputs) * self.members, -1)
        return Activation_Softmax().forward(rows) if self.classifies else rows

    def _mean(self, outputs: Array) -> Array:
        """Return the mean of the members' predictions (n, o)."""
        each = self._each(outputs).reshape(len(outputs), self.members, -1)
        mean: Array = each.mean(axis=1)
        return mean


class MeanLoss(SharedLoss):
    """The loss of the members' mean prediction, for validations."""

    def forward(self, y_pred: Any, y_true: Any) -> Array:
        """Return each sample's loss (n,)."""
        losses: Array = self.loss.forward(self._mean(y_pred), y_true)
        return losses


def mean_outputs(outputs: list[Array], classifies: bool) -> Array:
    """Return what the mean of members' predictions is as one net's output (n, o).

    For values the mean; for classes ``log(sum over members of softmax(logits) / k)``, logits of
    the mean probabilities.
    """
    if len(outputs) == 1:
        return outputs[0]
    if not classifies:
        mean: Array = np.mean(outputs, axis=0)
        return mean
    logs = np.array(outputs)
    logs -= logs.max(axis=2, keepdims=True)
    logs -= np.log(np.exp(logs).sum(axis=2, keepdims=True))
    largest = logs.max(axis=0)
    found: Array = largest + np.log(np.exp(logs - largest).mean(axis=0))
    return found


def parted(layers: list[Any]) -> list[list[Any]]:
    """Return the layers of each member's plain net: its factors and head, and the shared ones.

    Layers without members are those of one net.
    """
    first = next((layer for layer in layers if isinstance(layer, SharedInputs)), None)
    if first is None:
        return [layers]
    place, heads = layers.index(first), layers[-1].heads
    parts = []
    for factors, head in zip(first.weights, heads, strict=True):
        own = copy.copy(first)
        own.weights = factors[None]
        parts.append([*layers[:place], own, *layers[place + 1 : -1], head])
    return parts
