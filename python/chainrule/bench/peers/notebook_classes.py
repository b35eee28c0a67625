"""The notebooks' classes in NumPy, as such notebooks write them: the layers path's yardstick.

Every layer computes all its gradients, the first layer's dinputs included, and every class
stores what it computed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Layer_Dense:
    def __init__(self, weights: Array, biases: Array) -> None:
        self.weights = weights
        self.biases = biases

    def forward(self, inputs: Array) -> None:
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues: Array) -> None:
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class Activation_ReLU:
    def forward(self, inputs: Array) -> None:
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues: Array) -> None:
        self.dinputs = dvalues.copy()
        self.dinputs[self.inputs <= 0] = 0


class Activation_Tanh:
    def forward(self, inputs: Array) -> None:
        self.inputs = inputs
        self.output = np.tanh(inputs)

    def backward(self, dvalues: Array) -> None:
        self.dinputs = dvalues * (1 - self.output**2)


class Activation_Softmax:
    def forward(self, inputs: Array) -> None:
        exponents = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = exponents / np.sum(exponents, axis=1, keepdims=True)


class Loss(ABC):
    def calculate(self, output: Array, y: Array) -> Any:
        return np.mean(self.forward(output, y))

    @abstractmethod
    def forward(self, y_pred: Array, y_true: Array) -> Array: ...


class Loss_HalfSquaredError(Loss):
    def forward(self, y_pred: Array, y_true: Array) -> Array:
        losses: Array = np.sum(0.5 * (y_pred - y_true) ** 2, axis=-1)
        return losses

    def backward(self, dvalues: Array, y_true: Array) -> None:
        self.dinputs = (dvalues - y_true) / len(dvalues)


class Loss_CategoricalCrossentropy(Loss):
    def forward(self, y_pred: Array, y_true: Array) -> Array:
        clipped = np.clip(y_pred, 1e-7, 1 - 1e-7)
        losses: Array = -np.log(clipped[range(len(y_pred)), y_true])
        return losses


class Activation_Softmax_Loss_CategoricalCrossentropy:
    def __init__(self) -> None:
        self.activation = Activation_Softmax()
        self.loss = Loss_CategoricalCrossentropy()

    def forward(self, inputs: Array, y_true: Array) -> Any:
        self.activation.forward(inputs)
        self.output = self.activation.output
        return self.loss.calculate(self.output, y_true)

    def backward(self, dvalues: Array, y_true: Array) -> None:
        samples = len(dvalues)
        self.dinputs = dvalues.copy()
        self.dinputs[range(samples), y_true] -= 1
        self.dinputs = self.dinputs / samples


class Optimizer_SGD:
    def __init__(self, learning_rate: float, decay: float = 0.0, momentum: float = 0.0) -> None:
        self.learning_rate = learning_rate
        self.current_learning_rate = learning_rate
        self.decay = decay
        self.iterations = 0
        self.momentum = momentum

    def pre_update_params(self) -> None:
        if self.decay:
            self.current_learning_rate = self.learning_rate / (1.0 + self.decay * self.iterations)

    def update_params(self, layer: Any) -> None:
        if self.momentum:
            if not hasattr(layer, "weight_momentums"):
                layer.weight_momentums = np.zeros_like(layer.weights)
                layer.bias_momentums = np.zeros_like(layer.biases)
            rate = self.current_learning_rate
            weight_updates = self.momentum * layer.weight_momentums - rate * layer.dweights
            layer.weight_momentums = weight_updates
            bias_updates = self.momentum * layer.bias_momentums - rate * layer.dbiases
            layer.bias_momentums = bias_updates
        else:
            weight_updates = -self.current_learning_rate * layer.dweights
            bias_updates = -self.current_learning_rate * layer.dbiases
        layer.weights += weight_updates
        layer.biases += bias_updates

    def post_update_params(self) -> None:
        self.iterations += 1


class Optimizer_Adam:
    def __init__(
        self, learning_rate: float, epsilon: float, beta_1: float = 0.9, beta_2: float = 0.999
    ) -> None:
        self.current_learning_rate = learning_rate
        self.iterations = 0
        self.epsilon = epsilon
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def pre_update_params(self) -> None:
        pass

    def update_params(self, layer: Any) -> None:
        for parameter, moments in (("weight", "weights"), ("bias", "biases")):
            gradient = getattr(layer, "d" + moments)
            if not hasattr(layer, parameter + "_cache"):
                setattr(layer, parameter + "_momentums", np.zeros_like(gradient))
                setattr(layer, parameter + "_cache", np.zeros_like(gradient))
            m = getattr(layer, parameter + "_momentums")
            c = getattr(layer, parameter + "_cache")
            m = self.beta_1 * m + (1 - self.beta_1) * gradient
            c = self.beta_2 * c + (1 - self.beta_2) * gradient**2
            setattr(layer, parameter + "_momentums", m)
            setattr(layer, parameter + "_cache", c)
            m_hat = m / (1 - self.beta_1 ** (self.iterations + 1))
            c_hat = c / (1 - self.beta_2 ** (self.iterations + 1))
            update = -self.current_learning_rate * m_hat / (np.sqrt(c_hat) + self.epsilon)
            getattr(layer, moments)[...] += update

    def post_update_params(self) -> None:
        self.iterations += 1
