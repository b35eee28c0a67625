"""gradcheck finds planted faults and says what would make them right; what is right passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_Linear,
    Activation_Softmax,
    Activation_Tanh,
    Layer_Dense,
    Loss,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_MeanSquaredError,
    Model,
    gradcheck,
)

SAMPLES, INPUTS, NEURONS = 5, 4, 3


class Own:
    """A user's own dense layer, right as it stands: weights (4, 3), biases (1, 3)."""

    def __init__(self, rng: Any, dtype: Any = np.float64) -> None:
        self.weights = rng.standard_normal((INPUTS, NEURONS)).astype(dtype)
        self.biases = rng.standard_normal((1, NEURONS)).astype(dtype)

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues: Any) -> None:
        self.dweights = self.inputs.T @ dvalues
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T


class Accumulating(Own):
    sign = 1.0

    def __init__(self, rng: Any, dtype: Any = np.float64) -> None:
        super().__init__(rng, dtype)
        self.dweights = np.zeros_like(self.weights)

    def backward(self, dvalues: Any) -> None:
        kept = self.dweights
        super().backward(dvalues)
        self.dweights = kept + self.sign * self.dweights


class AccumulatingDownwards(Accumulating):
    sign = -1.0


class InPlace(Accumulating):
    def backward(self, dvalues: Any) -> None:
        kept = self.dweights
        super().backward(dvalues)
        kept += self.inputs.T @ dvalues
        self.dweights = kept


class NeverSet(Own):
    def backward(self, dvalues: Any) -> None:
        super().backward(dvalues)
        del self.dweights


class LeftBehind(Own):
    """Gradients of an earlier step lie there; backward sets others."""

    def __init__(self, rng: Any, dtype: Any = np.float64) -> None:
        super().__init__(rng, dtype)
        self.dweights = rng.standard_normal(self.weights.shape).astype(dtype)

    def backward(self, dvalues: Any) -> None:
        kept = self.dweights
        super().backward(dvalues)
        self.dweights = kept


class OtherName(Own):
    def backward(self, dvalues: Any) -> None:
        super().backward(dvalues)
        self.grad_weights = self.dweights
        del self.dweights


class NoName:
    """`kernel` is no name that anybody looks for, and its gradient has none either."""

    def __init__(self, rng: Any, dtype: Any = np.float64) -> None:
        self.kernel = rng.standard_normal((INPUTS, NEURONS)).astype(dtype)

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = inputs @ self.kernel

    def backward(self, dvalues: Any) -> None:
        self.kernel_gradient = self.inputs.T @ dvalues
        self.dinputs = dvalues @ self.kernel.T
