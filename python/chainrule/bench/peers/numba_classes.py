"""The notebooks' formulas compiled by numba: what one does oneself to make such classes fast.

Each layer's arithmetic is a compiled function, and so is the loop over steps and epochs; the
products are those of SciPy's BLAS. Elementwise work stands in loops, which numba fuses and
vectorises, and not in array expressions, which it would compute in float64.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..workloads import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, MOMENTUM, Task
from .peer import Array, Peer

# numba is typed in parts only; as Any it passes mypy --strict whether it is installed or not.
numba: Any = importlib.import_module("numba")
scipy: Any = importlib.import_module("scipy")  # numba's products come from its BLAS

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """A decorator: the function as numba compiles it."""
    dispatcher: Function = numba.njit(fastmath=True, error_model="numpy")(function)
    return dispatcher


@compiled
def dense(x: Any, weights: Any, biases: Any) -> Any:
    z = np.dot(x, weights)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] += biases[j]
    return z


@compiled
def relu(z: Any) -> None:
    flat = z.reshape(z.size)
    for i in range(flat.size):
        flat[i] = max(flat[i], 0)


@compiled
def relu_backward(d: Any, output: Any, factor: Any) -> None:
    d, output = d.reshape(d.size), output.reshape(output.size)
    for i in range(d.size):
        d[i] = d[i] * factor if output[i] > 0 else 0


@compiled
def tanh(z: Any) -> None:
    flat = z.reshape(z.size)
    for i in range(flat.size):
        flat[i] = np.tanh(flat[i])


@compiled
def tanh_backward(d: Any, output: Any, factor: Any) -> None:
    d, output = d.reshape(d.size), output.reshape(output.size)
    for i in range(d.size):
        d[i] *= factor - output[i] * output[i]


@compiled
def drop(z: Any, keep: float, factor: Any) -> None:
    flat = z.reshape(z.size)
    for i in range(flat.size):
        flat[i] = flat[i] * factor if np.random.random() < keep else 0  # noqa: NPY002


@compiled
def softmax(z: Any) -> None:
    for i in range(z.shape[0]):
        row = z[i]
        highest = row.max()
        total = row[0] * 0
        for j in range(row.size):
            row[j] = np.exp(row[j] - highest)
            total += row[j]
        for j in range(row.size):
            row[j] /= total


@compiled
def identity(z: Any) -> None:
    pass


@compiled
def crossentropy(z: Any, y: Any, factor: Any) -> Any:
    """Mean loss of scores; they become its gradient. ``factor`` is ``1 / n``."""
    softmax(z)
    loss = 0.0
    for i in range(z.shape[0]):
        loss -= np.log(z[i, y[i]])
        z[i, y[i]] -= 1
        for j in range(z.shape[1]):
            z[i, j] *= factor
    return loss / z.shape[0]


@compiled
def half_squared_error(p: Any, y: Any, factor: Any) -> Any:
    loss = 0.0
    for i in range(p.shape[0]):
        for j in range(p.shape[1]):
            error = p[i, j] - y[i, j]
            loss += 0.5 * error * error
            p[i, j] = error * factor
    return loss / p.shape[0]


@compiled
def sgd(w: Any, g: Any, m: Any, c: Any, rates: Any) -> None:
    rate = rates[0]
    for i in range(w.size):
        w[i] -= rate * g[i]


@compiled
def momentum(w: Any, g: Any, m: Any, c: Any, rates: Any) -> None:
    rate, kept = rates[0], rates[1]
    for i in range(w.size):
        m[i] = kept * m[i] - rate * g[i]
        w[i] += m[i]


@compiled
def adam(w: Any, g: Any, m: Any, c: Any, rates: Any) -> None:
    rate, b1, b2, epsilon, share = rates[0], rates[1], rates[2], rates[3], rates[4]
    for i in range(w.size):
        m[i] += (1 - b1) * (g[i] - m[i])
        c[i] += (1 - b2) * (g[i] * g[i] - c[i])
        w[i] -= rate * m[i] / (np.sqrt(c[i] * share) + epsilon)


@compiled
def corrected(rates: Any, step: int) -> Any:
    """Adam's numbers with the bias corrections of this step."""
    now = rates.copy()
    if now.size > 2:
        now[0] = rates[0] / (1 - ADAM_BETA_1**step)
        now[4] = 1 / (1 - ADAM_BETA_2**step)
    return now


class Compiled(NamedTuple):
    """The loops of one kind of net."""

    answer: Any
    learn: Any
    train: Any
    practice: Any


def compile_net(
    activation: Any, backward: Any, loss: Any, end: Any, update: Any, keep: float
) -> Compiled:
    """Compile the loops round these functions; ``net`` is weights, biases, means, squares."""

    @compiled
    def scores(x: Any, net: Any) -> Any:
        weights, biases, _, _ = net
        last = len(weights) - 1
        for k in range(last):
            x = dense(x, weights[k], biases[k])
            activation(x)
        return dense(x, weights[last], biases[last])

    @compiled
    def answer(x: Any, net: Any) -> Any:
        z = scores(x, net)
        end(z)
        return z

    @compiled
    def learn(x: Any, y: Any, net: Any, rates: Any, step: int) -> Any:
        weights, biases, means, squares = net
        factor = rates.dtype.type(1 / keep)
        outputs = [x]
        last = len(weights) - 1
        for k in range(last):
            z = dense(outputs[k], weights[k], biases[k])
            activation(z)
            if keep < 1:
                drop(z, keep, factor)
            outputs.append(z)
        d = dense(outputs[last], weights[last], biases[last])
        value = loss(d, y, rates.dtype.type(1 / x.shape[0]))
        now = corrected(rates, step)
        for k in range(last, -1, -1):
            dweights = np.dot(outputs[k].T, d)
            dbiases = d.sum(axis=0)
            if k > 0:
                d = np.dot(d, weights[k].T)
                backward(d, outputs[k], factor)
            size = dweights.size
            flat, dflat = weights[k].reshape(size), dweights.reshape(size)
            update(flat, dflat, means[2 * k], squares[2 * k], now)
            update(biases[k], dbiases, means[2 * k + 1], squares[2 * k + 1], now)
        return value

    @compiled
    def train(inputs: Any, targets: Any, batch: int, steps: int, net: Any, rates: Any) -> float:
        total = 0.0
        count = len(inputs) // batch
        for step in range(steps):
            first = step % count * batch
            x, y = inputs[first : first + batch], targets[first : first + batch]
            total += learn(x, y, net, rates, step + 1)
        return total

    @compiled
    def practice(inputs: Any, targets: Any, batch: int, orders: Any, held_out: Any, net: Any,
                 rates: Any) -> Any:  # fmt: skip
        total, validation, step = 0.0, 0.0, 0
        x, y = held_out
        for epoch in range(len(orders)):
            for first in range(0, len(inputs), batch):
                rows = orders[epoch, first : first + batch]
                step += 1
                total += learn(inputs[rows], targets[rows], net, rates, step)
            validation = loss(scores(x, net), y, rates.dtype.type(1))
        return total, validation

    return Compiled(answer, learn, train, practice)


@compiled
def set_seed(seed: int) -> None:
    np.random.seed(seed)  # noqa: NPY002 (numba has no seeded Generator)


class NumbaClasses(Peer):
    name = "numba"
    uses_blas = True

    @staticmethod
    def versions() -> dict[str, str]:
        return {"numba": numba.__version__, "scipy": scipy.__version__}

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        activation, backward = _ACTIVATIONS[self.workload.hidden]
        loss, end = _LOSSES[task.classes]
        update, self.numbers = _RULES[self.workload.optimizer]
        self.net: Any = None
        keep = 1 - self.workload.dropout
        self.compiled = compile_net(activation, backward, loss, end, update, keep)

    def reset(self) -> None:
        dtype = self.task.inputs.dtype
        weights = tuple(weights.copy() for weights, _ in self.task.parameters)
        biases = tuple(biases[0].copy() for _, biases in self.task.parameters)
        sizes = [a.size for pair in self.task.parameters for a in pair]
        zeros = [tuple(np.zeros(size, dtype) for size in sizes) for _ in range(2)]
        self.net = (weights, biases, *zeros)
        self.rates = np.array([self.workload.rate, *self.numbers], dtype)
        self.step = 0
        self.rng = np.random.default_rng(self.task.seed)
        set_seed(self.task.seed)

    def parameters(self) -> list[Array]:
        return [a for pair in zip(self.net[0], self.net[1], strict=True) for a in pair]

    def train(self, steps: int) -> float:
        arrays = self.task.inputs, self.task.targets
        total = self.compiled.train(*arrays, self.workload.batch, steps, self.net, self.rates)
        return float(total) / steps

    def practice(self, epochs: int) -> float:
        arrays, held_out = (self.task.inputs, self.task.targets), tuple(self.task.validation)
        orders = np.stack([self.order(self.rng) for _ in range(epochs)])
        total, self.validation_loss = self.compiled.practice(
            *arrays, self.workload.batch, orders, held_out, self.net, self.rates
        )
        return float(total) / (epochs * self.workload.steps_per_epoch)

    def predictor(self) -> Callable[[Array], Any]:
        answer, net = self.compiled.answer, self.net
        return lambda x: answer(x, net)

    def learner(self) -> Callable[[Array, Array], float]:
        learn, net, rates = self.compiled.learn, self.net, self.rates

        def learned(x: Array, y: Array) -> float:
            self.step += 1
            return float(learn(x, y, net, rates, self.step))

        return learned


_ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "relu": (relu, relu_backward),
    "tanh": (tanh, tanh_backward),
}
_LOSSES: dict[bool, tuple[Any, Any]] = {
    False: (half_squared_error, identity),
    True: (crossentropy, softmax),
}
_RULES: dict[str, tuple[Any, list[float]]] = {
    "sgd": (sgd, []),
    "momentum": (momentum, [MOMENTUM]),
    "adam": (adam, [ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, 1.0]),
}
