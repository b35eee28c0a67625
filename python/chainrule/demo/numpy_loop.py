"""The training that a notebook writes by hand in NumPy: what the demos are timed against.

No classes and no checks, only the arithmetic of one step: forward, loss, backward, update
`v = momentum v - rate g; w += v`. It starts from a model's arrays, which it copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..activations import Activation_ReLU, Activation_Softmax
from ..model import Model

Array = NDArray[Any]


def numpy_training(
    model: Model, X: Array, y: Array, *, epochs: int, batch_size: int | None = None
) -> float:
    """Train a copy of the arrays of `model`; the mean loss of the last epoch.

    Parameters
    ----------
    model : Model
        Dense layers with ReLU or tanh between them, ending in softmax (cross-entropy) or
        linear (half squared error), with `Optimizer_SGD` without decay.
    X, y : ndarray
        Training data in the dtype of the model; labels or targets.
    epochs, batch_size : int
        As for `Model.train`.
    """
    dense = model.layers[::2]
    weights = [layer.weights.copy() for layer in dense]
    biases = [layer.biases.copy() for layer in dense]
    velocities = [(np.zeros_like(layer.weights), np.zeros_like(layer.biases)) for layer in dense]
    relu = isinstance(model.layers[1], Activation_ReLU)
    softmax = isinstance(model.layers[-1], Activation_Softmax)
    rate, momentum = model.optimizer.learning_rate, model.optimizer.momentum
    size = min(batch_size or len(X), len(X))
    total = 0.0
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(X), size):
            inputs, targets = X[start : start + size], y[start : start + size]
            loss, gradients = _gradients(inputs, targets, weights, biases, relu, softmax)
            total += loss
            for k, (dweights, dbiases) in enumerate(gradients):
                v_weights, v_biases = velocities[k]
                v_weights *= momentum
                v_weights -= rate * dweights
                weights[k] += v_weights
                v_biases *= momentum
                v_biases -= rate * dbiases
                biases[k] += v_biases
    return total / len(X)


def _gradients(
    inputs: Array, targets: Array, weights: list[Array], biases: list[Array], relu: bool,
    softmax: bool,
) -> tuple[float, list[tuple[Array, Array]]]:  # fmt: skip
    """The sum of the sample losses, and the gradient of their mean: layer by layer."""
    outputs = [inputs]
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = outputs[-1] @ w + b
        last = k == len(weights) - 1
        outputs.append(z if last else np.maximum(z, 0) if relu else np.tanh(z))
    loss, dvalues = (_crossentropy if softmax else _half_squared_error)(outputs[-1], targets)
    dvalues /= len(inputs)
    gradients = []
    for k in range(len(weights) - 1, -1, -1):
        gradients.append((outputs[k].T @ dvalues, dvalues.sum(axis=0, keepdims=True)))
        if k:
            dvalues = dvalues @ weights[k].T
            dvalues *= (outputs[k] > 0) if relu else 1 - outputs[k] * outputs[k]
    return loss, gradients[::-1]


def _crossentropy(z: Array, labels: Array) -> tuple[float, Array]:
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    output = exponentials / exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(output))
    loss = -float(np.log(np.clip(output[rows, labels], 1e-7, 1 - 1e-7)).sum())
    output[rows, labels] -= 1
    return loss, output


def _half_squared_error(output: Array, targets: Array) -> tuple[float, Array]:
    error = output - targets
    return float((error * error).sum()) / 2, error
