"""JAX, as it is fastest: one jitted step called from Python, and the whole loop jitted.

The loop has two forms, ``lax.fori_loop`` and ``lax.scan`` with four steps unrolled, and dropout
two generators, threefry (JAX's default) and rbg; each of them takes part under its own name.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..workloads import (
    ADAM_BETA_1,
    ADAM_BETA_2,
    ADAM_EPSILON,
    MOMENTUM,
    ONLINE,
    PRACTICE,
    PREDICT,
    Task,
)
from .peer import Array, Peer

# JAX is typed in parts only; as Any it passes mypy --strict whether it is installed or not.
jax: Any = importlib.import_module("jax")
jnp: Any = importlib.import_module("jax.numpy")

UNROLLED = 4


class _Jax(Peer):
    """The step that all share: state (parameters, optimizer arrays, step number), loss."""

    @staticmethod
    def versions() -> dict[str, str]:
        return {"jax": jax.__version__, "jaxlib": jax.lib.__version__}

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        jax.config.update("jax_enable_x64", task.dtype == "float64")
        self.state: Any = None

    def reset(self) -> None:
        # Copies: the jitted functions take these arrays' memory over.
        parameters = [
            (jnp.array(weights), jnp.array(biases[0])) for weights, biases in self.task.parameters
        ]
        slots = {"sgd": 0, "momentum": 1, "adam": 2}[self.workload.optimizer]
        extra = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(slots)]
        self.state = jax.block_until_ready((parameters, extra, jnp.zeros((), jnp.int32)))

    def parameters(self) -> list[Array]:
        return [np.asarray(a) for pair in self.state[0] for a in pair]

    def _scores(self, parameters: Any, x: Any, key: Any = None) -> Any:
        """The last layer's outputs before a softmax; with a key the hidden ones are dropped."""
        activation = jnp.tanh if self.workload.hidden == "tanh" else jax.nn.relu
        keep = 1 - self.workload.dropout
        for k, (weights, biases) in enumerate(parameters[:-1]):
            x = activation(x @ weights + biases)
            if key is not None:
                kept = jax.random.bernoulli(jax.random.fold_in(key, k), keep, x.shape)
                x = jnp.where(kept, x / keep, 0)
        weights, biases = parameters[-1]
        return x @ weights + biases

    def _loss(self, parameters: Any, x: Any, y: Any, key: Any = None) -> Any:
        output = self._scores(parameters, x, key)
        if self.task.classes:
            picked = jnp.take_along_axis(jax.nn.log_softmax(output), y[:, None], axis=1)
            return -picked.mean()
        return 0.5 * jnp.sum((output - y) ** 2) / len(y)

    def _step(self, state: Any, x: Any, y: Any, key: Any = None) -> tuple[Any, Any]:
        parameters, extra, step = state
        loss, gradients = jax.value_and_grad(self._loss)(parameters, x, y, key)
        rate = self.workload.rate
        if self.workload.optimizer == "sgd":
            parameters = jax.tree.map(lambda p, g: p - rate * g, parameters, gradients)
        elif self.workload.optimizer == "momentum":
            velocity = jax.tree.map(lambda v, g: MOMENTUM * v - rate * g, extra[0], gradients)
            parameters = jax.tree.map(jnp.add, parameters, velocity)
            extra = [velocity]
        else:
            parameters, extra = self._adam(parameters, extra, gradients, step + 1)
        return (parameters, extra, step + 1), loss

    def _adam(self, parameters: Any, extra: Any, gradients: Any, t: Any) -> tuple[Any, Any]:
        b1, b2, rate = ADAM_BETA_1, ADAM_BETA_2, self.workload.rate
        power = t.astype(self.task.dtype)
        c1, c2 = 1 - b1**power, 1 - b2**power
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, extra[0], gradients)
        c = jax.tree.map(lambda c, g: b2 * c + (1 - b2) * g * g, extra[1], gradients)
        parameters = jax.tree.map(
            lambda p, m, c: p - rate * (m / c1) / (jnp.sqrt(c / c2) + ADAM_EPSILON),
            parameters,
            m,
            c,
        )
        return parameters, [m, c]


class JaxStep(_Jax):
    """The usual way: ``jax.jit`` of one step, parameters donated, batches already on device.

    Predictions and single batches come from NumPy, and their results go back there.
    """

    name = "jax step"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        calls = task.workload.job in (PREDICT, ONLINE)
        batches = [task.batch(k) for k in range(0 if calls else task.workload.steps_per_epoch)]
        self.batches = [(jnp.array(x), jnp.array(y)) for x, y in batches]
        self.adding = jax.jit(self._step_and_add, donate_argnums=(0, 1))
        self.single = jax.jit(self._step, donate_argnums=0)
        self.outputs = jax.jit(self._outputs)

    def _step_and_add(self, state: Any, total: Any, x: Any, y: Any) -> tuple[Any, Any]:
        state, loss = self._step(state, x, y)
        return state, total + loss

    def train(self, steps: int) -> float:
        state, total = self.state, jnp.zeros((), self.task.dtype)
        batches, count = self.batches, len(self.batches)
        for step in range(steps):
            x, y = batches[step % count]
            state, total = self.adding(state, total, x, y)
        self.state = jax.block_until_ready(state)
        return float(total) / steps

    def _outputs(self, parameters: Any, x: Any) -> Any:
        scores = self._scores(parameters, x)
        return jax.nn.softmax(scores) if self.task.classes else scores

    def predictor(self) -> Callable[[Array], Array]:
        outputs, parameters = self.outputs, self.state[0]
        return lambda x: np.asarray(outputs(parameters, x))

    def learner(self) -> Callable[[Array, Array], float]:
        def learn(x: Array, y: Array) -> float:
            self.state, loss = self.single(self.state, x, y)
            return float(loss)

        return learn


class JaxLoop(_Jax):
    """The strongest way: all steps in one compiled function, here in ``lax.fori_loop``.

    Orders of samples are NumPy's, handed over for all epochs at once: JAX sorts random keys,
    which takes longer.
    """

    name = "jax loop"
    generator: ClassVar[str] = "threefry2x32"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        arrays = (task.inputs, task.targets, *task.validation)
        self.data = tuple(map(jnp.array, arrays))
        self.compiled: dict[int, Any] = {}

    def reset(self) -> None:
        super().reset()
        self.rng = np.random.default_rng(self.task.seed)

    def _repeat(self, body: Any, carry: Any, count: int) -> Any:
        """``carry = body(k, carry)`` for every k below count."""
        return jax.lax.fori_loop(0, count, body, carry)

    def prepare(self, steps: int) -> None:
        if steps in self.compiled:
            return
        function: Callable[..., Any] = partial(self._train, steps)
        arguments: tuple[Any, ...] = ()
        if self.workload.job == PRACTICE:
            epoch, batch = self.workload.steps_per_epoch, self.workload.batch
            function = self._practice
            arguments = (jax.ShapeDtypeStruct((steps // epoch, epoch, batch), np.int32),)
        jitted = jax.jit(function, donate_argnums=0)
        self.compiled = {steps: jitted.lower(self.state, self.data, *arguments).compile()}

    def _run(self, steps: int, *arguments: Array) -> tuple[float, float]:
        self.prepare(steps)
        result = jax.block_until_ready(self.compiled[steps](self.state, self.data, *arguments))
        self.state, total, validation_loss = result
        return float(total) / steps, float(validation_loss)

    def train(self, steps: int) -> float:
        return self._run(steps)[0]

    def practice(self, epochs: int) -> float:
        epoch = self.workload.steps_per_epoch
        orders = np.stack([self.order(self.rng).astype(np.int32) for _ in range(epochs)])
        orders = orders.reshape(epochs, epoch, self.workload.batch)
        loss, self.validation_loss = self._run(epochs * epoch, orders)
        return loss

    def _train(self, steps: int, state: Any, data: Any) -> tuple[Any, Any, Any]:
        x, y = (a.reshape(-1, self.workload.batch, *a.shape[1:]) for a in data[:2])

        def body(step: Any, carry: Any) -> Any:
            state, total = carry
            k = step % len(x)
            state, loss = self._step(state, x[k], y[k])
            return state, total + loss

        nothing = jnp.zeros((), self.task.dtype)
        return *self._repeat(body, (state, nothing), steps), nothing

    def _practice(self, state: Any, data: Any, orders: Any) -> tuple[Any, Any, Any]:
        """Epochs over the samples of these numbers, each with its validation."""
        x, y, *validation = data
        seed, dropout = self.task.seed, self.workload.dropout
        key = jax.random.key(seed, impl=self.generator) if dropout else None

        def step(rows: Any, carry: Any) -> Any:
            state, total = carry
            mask = None if key is None else jax.random.fold_in(key, state[2])
            state, loss = self._step(state, _gather(x, rows), _gather(y, rows), mask)
            return state, total + loss

        def epoch(k: Any, carry: Any) -> Any:
            state, total, _ = carry
            state, total = self._repeat(
                lambda j, carry: step(orders[k, j], carry), (state, total), orders.shape[1]
            )
            return state, total, self._loss(state[0], *validation)

        nothing = jnp.zeros((), self.task.dtype)
        state, total, validation_loss = jax.lax.fori_loop(
            0, len(orders), epoch, (state, nothing, nothing)
        )
        return state, total, validation_loss


def _gather(array: Any, rows: Any) -> Any:
    return array.at[rows].get(mode="promise_in_bounds")


class JaxScan(JaxLoop):
    """The same in ``lax.scan``, four steps unrolled."""

    name = "jax scan"

    def _repeat(self, body: Any, carry: Any, count: int) -> Any:
        def scanned(carry: Any, k: Any) -> Any:
            return body(k, carry), None

        return jax.lax.scan(scanned, carry, jnp.arange(count), unroll=min(UNROLLED, count))[0]


class JaxLoopRbg(JaxLoop):
    name = "jax loop rbg"
    generator = "rbg"


class JaxScanRbg(JaxScan):
    name = "jax scan rbg"
    generator = "rbg"
