"""A training loop in NumPy, written by hand for these networks.

What a careful user writes: no classes, no needless copies, no dinputs of the first layer,
in-place operations where NumPy has them, `np.dot` rather than ``@``, which is slower for few
samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..workloads import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, MOMENTUM
from .peer import Array, Peer


class NumpyLoop(Peer):
    name = "numpy"
    uses_blas = True

    @staticmethod
    def versions() -> dict[str, str]:
        return {"numpy": np.__version__}

    def reset(self) -> None:
        self.weights = [weights.copy() for weights, _ in self.task.parameters]
        self.biases = [biases[0].copy() for _, biases in self.task.parameters]
        self.rule = _RULES[self.workload.optimizer](self.workload.rate)

        self.rng = np.random.default_rng(self.task.seed)

    def parameters(self) -> list[Array]:
        return [a for pair in zip(self.weights, self.biases, strict=True) for a in pair]

    def train(self, steps: int) -> float:
        total = 0.0
        for step in range(steps):
            x, y = self.task.batch(step % self.workload.steps_per_epoch)
            total += self._step(x, y)
        return total / steps

    def practice(self, epochs: int) -> float:
        inputs, targets, batch = self.task.inputs, self.task.targets, self.workload.batch
        total = 0.0
        for _ in range(epochs):
            order = self.order(self.rng)
            for first in range(0, len(order), batch):
                rows = order[first : first + batch]
                total += self._step(inputs[rows], targets[rows])
            x, y = self.task.validation
            self.validation_loss = _LOSSES[self.task.classes](self._scores(x), y)[0]
        return total / (epochs * self.workload.steps_per_epoch)

    def predictor(self) -> Callable[[Array], Array]:
        return self._outputs

    def learner(self) -> Callable[[Array, Array], float]:
        return self._step

    def _outputs(self, x: Array) -> Array:
        scores = self._scores(x)
        return _softmax(scores) if self.task.classes else scores

    def _scores(self, x: Array) -> Array:
        tanh = self.workload.hidden == "tanh"
        last = len(self.weights) - 1
        for k, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = np.dot(x, weights)
            x += biases
            if k < last:
                np.tanh(x, out=x) if tanh else np.maximum(x, 0, out=x)
        return x

    def _drop(self, z: Array) -> None:
        keep = 1 - self.workload.dropout
        z *= self.rng.random(z.shape, z.dtype) < keep
        z *= 1 / keep

    def _step(self, x: Array, y: Array) -> float:
        tanh, dropout = self.workload.hidden == "tanh", self.workload.dropout
        outputs = [x]
        last = len(self.weights) - 1
        for k, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = np.dot(outputs[-1], weights)
            z += biases
            if k < last:
                np.tanh(z, out=z) if tanh else np.maximum(z, 0, out=z)
                if dropout:
                    self._drop(z)
            outputs.append(z)
        loss, d = _LOSSES[self.task.classes](outputs.pop(), y)
        self.rule.next_step()
        for k in range(last, -1, -1):
            h = outputs[k]
            dweights, dbiases = np.dot(h.T, d), d.sum(axis=0)
            if k:
                d = np.dot(d, self.weights[k].T)
                if tanh:
                    h *= h
                    np.subtract(1, h, out=h)
                    d *= h
                else:
                    d *= h > 0  # not where it was dropped either
                    if dropout:
                        d *= 1 / (1 - dropout)
            self.rule.update(2 * k, self.weights[k], dweights)
            self.rule.update(2 * k + 1, self.biases[k], dbiases)
        return loss


def _half_squared_error(p: Array, y: Array) -> tuple[float, Array]:
    p -= y
    loss = 0.5 * float(np.vdot(p, p)) / len(y)
    p /= len(y)
    return loss, p


def _softmax(z: Array) -> Array:
    z -= z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    return z


def _softmax_crossentropy(z: Array, y: Array) -> tuple[float, Array]:
    z = _softmax(z)
    rows = np.arange(len(y))
    loss = -float(np.log(z[rows, y]).mean())
    z[rows, y] -= 1
    z /= len(y)
    return loss, z


_LOSSES: dict[bool, Callable[[Array, Array], tuple[float, Array]]] = {
    False: _half_squared_error,
    True: _softmax_crossentropy,
}


class _SGD:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    def next_step(self) -> None:
        pass

    def update(self, key: int, parameter: Array, gradient: Array) -> None:
        gradient *= self.rate
        parameter -= gradient


class _Momentum(_SGD):
    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self.velocity: dict[int, Array] = {}

    def update(self, key: int, parameter: Array, gradient: Array) -> None:
        if key not in self.velocity:
            self.velocity[key] = np.zeros_like(parameter)
        velocity = self.velocity[key]
        velocity *= MOMENTUM
        gradient *= self.rate
        velocity -= gradient
        parameter += velocity


class _Adam(_SGD):
    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self.step = 0
        self.moments: dict[int, tuple[Array, Array]] = {}

    def next_step(self) -> None:
        self.step += 1

    def update(self, key: int, parameter: Array, gradient: Array) -> None:
        if key not in self.moments:
            self.moments[key] = np.zeros_like(parameter), np.zeros_like(parameter)
        m, c = self.moments[key]
        m += (1 - ADAM_BETA_1) * (gradient - m)
        c += (1 - ADAM_BETA_2) * (gradient * gradient - c)
        root = np.sqrt(c / (1 - ADAM_BETA_2**self.step))
        root += ADAM_EPSILON
        parameter -= self.rate / (1 - ADAM_BETA_1**self.step) * m / root


_RULES: dict[str, type[_SGD]] = {"sgd": _SGD, "momentum": _Momentum, "adam": _Adam}
