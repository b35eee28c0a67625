"""How far two trainings may drift apart that differ by rounding alone.

Training is chaotic: no bound of a single step says where the fiftieth stands. So the reference
is run several times with rounding errors put in by hand (Monte Carlo arithmetic: Parker, 1997):
each result gets a random error as large as the arithmetic may make there, sums of k terms
4 sqrt(k) u sum |terms| (Higham and Mary, 2019, with their lambda at 4), elementary functions
4 ulp <= 8 u. The drift between these runs and the plain one, step by step, is the tolerance.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np

import reference
from tolerance import unit

Array = np.ndarray[Any, Any]

RUNS = 4
ELEMENTARY = 8  # u
UPDATE = 16  # roundings of an optimizer's formula, at most
EXACT = ("relu", "leaky_relu")  # no elementary function


class Errors:
    """Draws errors and puts them into the functions of the reference."""

    def __init__(self, dtype: Any, seed: int) -> None:
        self.dtype, self.u = dtype, unit(dtype)
        self.rng = np.random.default_rng(seed)

    def signs(self, shape: tuple[int, ...]) -> Array:
        return self.rng.choice([-1.0, 1.0], size=shape)

    def put(self, values: Array, size: Array) -> Array:
        result: Array = (values + self.signs(values.shape) * size).astype(values.dtype)
        return result

    def product(self, a: Array, b: Array, c: Any = 0.0) -> Array:
        """a . b + c with the errors of its sums."""
        terms = 4 * np.sqrt(a.shape[1] + 1) * self.u
        return self.put(a @ b + c, terms * (np.abs(a) @ np.abs(b) + np.abs(c)))

    def dense_forward(self, inputs: Array, weights: Array, biases: Array) -> Array:
        return self.product(inputs, weights, biases)

    def dense_backward(self, inputs: Array, dvalues: Array, weights: Array) -> Any:
        ones = np.ones((1, len(dvalues)), dtype=dvalues.dtype)
        return (
            self.product(inputs.T, dvalues),
            self.product(ones, dvalues),
            self.product(dvalues, weights.T),
        )

    def elementary(self, function: Callable[..., Array]) -> Callable[..., Array]:
        def perturbed(inputs: Array, *parameters: float) -> Array:
            output = function(inputs, *parameters)
            return self.put(output, ELEMENTARY * self.u * np.abs(output))

        return perturbed

    def update(self, plain: Callable[..., None]) -> Callable[..., None]:
        def perturbed(optimizer: Any, layer: Any, dweights: Array, dbiases: Array | None) -> None:
            gradients = [
                None if g is None else self.put(g, UPDATE * self.u * np.abs(g))
                for g in (dweights, dbiases)
            ]
            plain(optimizer, layer, *gradients)
            layer.weights = self.put(layer.weights, self.u * np.abs(layer.weights))
            if layer.biases is not None:
                layer.biases = self.put(layer.biases, self.u * np.abs(layer.biases))

        return perturbed

    def installed(self, optimizer: type) -> ExitStack:
        """The reference with these errors, until the stack is closed."""
        stack = ExitStack()
        names = ("dense_forward", "dense_backward")
        replaced = {name: getattr(self, name) for name in names}
        stack.enter_context(patch.multiple(reference, **replaced))
        functions = {
            name: self.elementary(reference.FORWARD[name])
            for name in reference.ACTIVATIONS
            if name not in EXACT
        }
        stack.enter_context(patch.dict(reference.FORWARD, functions))
        plain: Any = optimizer.__dict__.get("update", reference.Optimizer.update)
        stack.enter_context(patch.object(optimizer, "update", self.update(plain)))
        return stack


def with_tolerance(
    train: Callable[[reference.Spec], dict[str, Array]], spec: reference.Spec, dtype: Any
) -> dict[str, tuple[Array, Array]]:
    """Return per name what `train` gives on a copy of the spec, and its tolerance.

    The tolerance is four times the largest drift up to each step, and never below 64 u.
    """
    plain = train(copy.deepcopy(spec))
    drift = {name: np.zeros(len(values)) for name, values in plain.items()}
    for seed in range(RUNS):
        with Errors(dtype, seed).installed(type(spec.optimizer)):
            run = train(copy.deepcopy(spec))
        for name, values in plain.items():
            drift[name] = np.maximum(drift[name], np.abs(run[name] - values))
    floor = 64 * unit(dtype)
    return {
        name: (values, 4 * np.maximum.accumulate(drift[name]) + floor * np.abs(values))
        for name, values in plain.items()
    }
