"""The notebooks' loop over their classes: with NumPy's classes, and with ours.

Both run the very same Python; only the classes differ.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ..workloads import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, MOMENTUM
from . import notebook_classes
from .peer import Array, Peer


class LayerLoop(Peer):
    """Forward, loss, backward and update, layer by layer from Python."""

    @abstractmethod
    def make_dense(self, k: int) -> Any:
        """The k-th dense layer, holding copies of its initial parameters."""

    @abstractmethod
    def make_optimizer(self) -> Any: ...

    @property
    @abstractmethod
    def classes(self) -> Any:
        """Where the activations and losses are looked up."""

    def reset(self) -> None:
        activation = getattr(self.classes, _ACTIVATIONS[self.workload.hidden])
        count = len(self.task.parameters)
        self.dense = [self.make_dense(k) for k in range(count)]
        self.layers: list[Any] = [self.dense[0]]
        for dense in self.dense[1:]:
            self.layers += [activation(), dense]
        self.optimizer = self.make_optimizer()
        if self.task.classes:
            self.loss = self.classes.Activation_Softmax_Loss_CategoricalCrossentropy()
        else:
            self.loss = self.classes.Loss_HalfSquaredError()

    def parameters(self) -> list[Array]:
        return [a for dense in self.dense for a in (dense.weights, dense.biases)]

    def train(self, steps: int) -> float:
        total = 0.0
        for step in range(steps):
            total += self._step(*self.task.batch(step % self.workload.steps_per_epoch))
        return total / steps

    def learner(self) -> Callable[[Array, Array], float]:
        return self._step

    def _step(self, output: Any, y: Any) -> float:
        for layer in self.layers:
            layer.forward(output)
            output = layer.output
        if self.task.classes:
            loss = float(self.loss.forward(output, y))
            output = self.loss.output
        else:
            loss = float(self.loss.calculate(output, y))
        self.loss.backward(output, y)
        dvalues = self.loss.dinputs
        for layer in reversed(self.layers):
            layer.backward(dvalues)
            dvalues = layer.dinputs
        self.optimizer.pre_update_params()
        for dense in self.dense:
            self.optimizer.update_params(dense)
        self.optimizer.post_update_params()
        return loss


_ACTIVATIONS = {"relu": "Activation_ReLU", "tanh": "Activation_Tanh"}


class NumpyClasses(LayerLoop):
    name = "numpy-classes"
    uses_blas = True
    classes = notebook_classes

    @staticmethod
    def versions() -> dict[str, str]:
        return {"numpy": np.__version__}

    def make_dense(self, k: int) -> Any:
        weights, biases = self.task.parameters[k]
        return notebook_classes.Layer_Dense(weights.copy(), biases.copy())

    def make_optimizer(self) -> Any:
        if self.workload.optimizer == "adam":
            return notebook_classes.Optimizer_Adam(
                self.workload.rate, ADAM_EPSILON, ADAM_BETA_1, ADAM_BETA_2
            )
        momentum = MOMENTUM if self.workload.optimizer == "momentum" else 0.0
        return notebook_classes.Optimizer_SGD(self.workload.rate, momentum=momentum)
