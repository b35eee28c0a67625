"""JAX, both ways: one jitted step called from Python, and the whole loop jitted."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..workloads import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, MOMENTUM, Task
from .peer import Peer

# JAX is typed in parts only; as Any it passes mypy --strict whether it is installed or not.
jax: Any = importlib.import_module("jax")
jnp: Any = importlib.import_module("jax.numpy")


class _Jax(Peer):
    """The step that both share: state (parameters, optimizer arrays, step number), loss."""

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

    def parameters(self) -> list[NDArray[Any]]:
        return [np.asarray(a) for pair in self.state[0] for a in pair]

    def _loss(self, parameters: Any, x: Any, y: Any) -> Any:
        activation = jnp.tanh if self.workload.hidden == "tanh" else jax.nn.relu
        for weights, biases in parameters[:-1]:
            x = activation(x @ weights + biases)
        weights, biases = parameters[-1]
        output = x @ weights + biases
        if self.task.classes:
            picked = jnp.take_along_axis(jax.nn.log_softmax(output), y[:, None], axis=1)
            return -picked.mean()
        return 0.5 * jnp.sum((output - y) ** 2) / len(y)

    def _step(self, state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        parameters, extra, step = state
        loss, gradients = jax.value_and_grad(self._loss)(parameters, x, y)
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
    """The usual way: ``jax.jit`` of one step, parameters donated, batches already on device."""

    name = "jax step"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        batches = [task.batch(k) for k in range(task.workload.steps_per_epoch)]
        self.batches = [(jnp.array(x), jnp.array(y)) for x, y in batches]
        self.total = jnp.zeros((), task.dtype)
        self.jitted = jax.jit(self._step_and_add, donate_argnums=(0, 1))

    def _step_and_add(self, state: Any, total: Any, x: Any, y: Any) -> tuple[Any, Any]:
        state, loss = self._step(state, x, y)
        return state, total + loss

    def run(self, steps: int) -> float:
        state, total = self.state, jnp.zeros((), self.task.dtype)
        batches, count = self.batches, len(self.batches)
        for step in range(steps):
            x, y = batches[step % count]
            state, total = self.jitted(state, total, x, y)
        self.state = jax.block_until_ready(state)
        return float(total) / steps


class JaxLoop(_Jax):
    """The strongest way: ``lax.fori_loop`` over all steps in one compiled function."""

    name = "jax loop"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        epoch = task.workload.steps_per_epoch
        self.x = jnp.array(task.inputs.reshape(epoch, -1, *task.inputs.shape[1:]))
        self.y = jnp.array(task.targets.reshape(epoch, -1, *task.targets.shape[1:]))
        self.jitted = jax.jit(self._loop, donate_argnums=0)

    def _loop(self, state: Any, x: Any, y: Any, steps: Any) -> tuple[Any, Any]:
        epoch = self.workload.steps_per_epoch

        def body(step: Any, carry: Any) -> Any:
            state, total = carry
            k = step % epoch
            state, loss = self._step(state, x[k], y[k])
            return state, total + loss

        state, total = jax.lax.fori_loop(0, steps, body, (state, jnp.zeros((), self.task.dtype)))
        return state, total

    def run(self, steps: int) -> float:
        self.state, total = jax.block_until_ready(self.jitted(self.state, self.x, self.y, steps))
        return float(total) / steps
