"""What an operation is: its value, and for each operand how a gradient goes back to it.

With operands a, b, ... and ``output = forward(a, b, ...)``, the gradient that goes back to operand
k is ``dvalues * d output / d operand k`` for an operation that works entry by entry; others say
themselves how.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array

Values = tuple[Any, ...]


class Operation:
    """One kind of node in a graph.

    Attributes
    ----------
    name : str
        As in NumPy, or the class of a layer.
    text : str
        The formula; ``{}`` stands for the operands, in order.
    """

    name: str
    text: str

    @abstractmethod
    def gradient(
        self, k: int, dvalues: Array, output: Array, values: Values, settings: Mapping[str, Any]
    ) -> Array:
        """Return the gradient of operand k, in its shape and dtype."""

    @abstractmethod
    def derivative(self, k: int, output: Array, values: Values, settings: Mapping[str, Any]) -> Any:
        """Return d output / d operand k for pictures.

        It is a number, an array that fits the output, or a text where it is neither; ``{0}`` in
        it stands for the first operand.
        """


@dataclass(frozen=True)
class Formula(Operation):
    """An operation that functions define.

    Attributes
    ----------
    forward : callable
        ``forward(*values, **settings) -> output``.
    pull : callable
        ``pull(k, dvalues, output, values, **settings)``: the gradient of operand k, in its shape
        or in one that it was broadcast to.
    local : callable
        ``local(k, output, values, **settings)``: see `derivative`.
    """

    name: str
    text: str
    forward: Callable[..., Any]
    pull: Callable[..., Any]
    local: Callable[..., Any]

    def gradient(
        self, k: int, dvalues: Array, output: Array, values: Values, settings: Mapping[str, Any]
    ) -> Array:
        """Return the gradient of operand k, in its shape and dtype."""
        found = self.pull(k, dvalues, output, values, **settings)
        return summed_to(np.asarray(found), values[k])

    def derivative(self, k: int, output: Array, values: Values, settings: Mapping[str, Any]) -> Any:
        """Return what `local` says."""
        return self.local(k, output, values, **settings)


def elementwise(
    name: str, text: str, forward: Callable[..., Any], *derivatives: Callable[..., Any]
) -> Formula:
    """Return an operation that works entry by entry.

    ``derivatives[k](output, *values)`` is d output / d operand k, a number or an array.
    """

    def pull(k: int, dvalues: Array, output: Array, values: Values) -> Any:
        return dvalues * derivatives[k](output, *values)

    def local(k: int, output: Array, values: Values) -> Any:
        return derivatives[k](output, *values)

    return Formula(name, text, forward, pull, local)


def summed_to(gradient: Array, value: Array) -> Array:
    """Undo broadcasting: sum over what was repeated, down to the shape and dtype of `value`.

    Sums are made in float64: float32 would lose its digits over long batches.
    """
    extra = gradient.ndim - value.ndim
    if extra > 0:
        gradient = gradient.sum(axis=tuple(range(extra)), dtype=np.float64)
    repeated = tuple(
        k for k, size in enumerate(value.shape) if size == 1 and gradient.shape[k] != 1
    )
    if repeated:
        gradient = gradient.sum(axis=repeated, keepdims=True, dtype=np.float64)
    return np.asarray(gradient, dtype=value.dtype)
