"""The names that two of the notebooks take from PyTorch, on variables.

Their cells run after a change of import::

    from chainrule.autograd import torch_names as torch
    from chainrule.autograd.torch_names import Variable, nn

What PyTorch does otherwise than `chainrule.Variable` is done as PyTorch does it: numbers are
float32 unless said otherwise, gradients add up until they are zeroed, weights are (out, in). It is
no replacement for PyTorch beyond the cells of these notebooks; random numbers are NumPy's.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import Array
from . import variable
from .recording import no_grad

__all__ = [
    "Tensor", "Variable", "exp", "float32", "float64", "float_power", "log", "manual_seed", "mean",
    "nn", "no_grad", "randn", "relu", "sigmoid", "sum", "tanh", "tensor",
]  # fmt: skip

float32, float64 = np.float32, np.float64
exp, log, tanh, mean, sum = np.exp, np.log, np.tanh, np.mean, np.sum
float_power = np.float_power

_generator = np.random.default_rng()


class Gradient(np.ndarray[Any, Any]):
    """A gradient that can be set to zero in place."""

    def zero_(self) -> Gradient:
        """Set every entry to 0 and return the array."""
        self[...] = 0
        return self


class Tensor(variable.Variable):
    """A variable whose gradients add up: `backward` adds to what is there."""

    __slots__ = ()

    def __init__(self, data: Any) -> None:
        super().__init__(np.array(data, dtype=np.float32))

    @property
    def grad(self) -> Any:
        """The gradient; ``grad.zero_()`` sets it to 0."""
        return None if self._grad is None else self._grad.view(Gradient)

    @grad.setter
    def grad(self, value: Any) -> None:
        variable.Variable.grad.__set__(self, value)  # type: ignore[attr-defined]

    def backward(self, dvalues: Any = None, accumulate: bool = True) -> None:
        """Add the gradients to those of the leaves; see `chainrule.Variable.backward`."""
        super().backward(dvalues, accumulate)


def tensor(data: Any, *, dtype: DTypeLike = float32, requires_grad: bool = False) -> Any:
    """Return a leaf that gets a gradient; without `requires_grad` a plain array, a constant."""
    array: Array = np.array(data, dtype=dtype)
    if not requires_grad:
        return array
    made = object.__new__(Tensor)
    variable.Variable.__init__(made, array)
    return made


def Variable(data: Any) -> Tensor:
    """Return a tensor itself, and what is none as one."""
    return data if isinstance(data, Tensor) else Tensor(data)


def sigmoid(x: Any) -> Any:
    """Return ``1 / (1 + exp(-x))`` of a tensor or an array."""
    return x.sigmoid() if isinstance(x, Tensor) else Tensor(x).sigmoid().value


def relu(x: Any) -> Any:
    """Return ``max(0, x)`` of a tensor or an array."""
    return x.relu() if isinstance(x, Tensor) else Tensor(x).relu().value


def manual_seed(seed: int) -> None:
    """Start the random numbers of `randn` and of new layers afresh."""
    global _generator
    _generator = np.random.default_rng(seed)


def randn(*shape: int) -> Array:
    """Return float32 numbers of mean 0 and variance 1."""
    return _generator.standard_normal(shape, dtype=np.float32)


def _uniform(limit: float, shape: tuple[int, ...]) -> Tensor:
    return Tensor(_generator.uniform(-limit, limit, shape))


class Module:
    """Base of nets: calling one runs its `forward`."""

    def __call__(self, *inputs: Any) -> Any:
        return self.forward(*inputs)

    def forward(self, *inputs: Any) -> Any:
        """Compute the output. Subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__}: expected a forward(inputs)")

    def parameters(self) -> Iterator[Tensor]:
        """Yield the tensors among the attributes, in lists and in modules among them too."""
        pending = list(vars(self).values())[::-1]
        while pending:
            each = pending.pop()
            if isinstance(each, Tensor):
                yield each
            elif isinstance(each, list | tuple):
                pending += each[::-1]
            elif isinstance(each, Module):
                pending += list(vars(each).values())[::-1]

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for each in self.parameters():
            each.zero_grad()


class Linear(Module):
    """``output = inputs . weight^T + bias``; both uniform within ``1 / sqrt(in_features)``."""

    def __init__(self, in_features: int, out_features: int) -> None:
        limit = in_features**-0.5
        self.weight = _uniform(limit, (out_features, in_features))
        self.bias = _uniform(limit, (out_features,))

    def forward(self, *inputs: Any) -> Any:
        """Return the output of the one argument."""
        (rows,) = inputs
        return rows @ self.weight.T + self.bias


def xavier_uniform_(weight: Tensor) -> Tensor:
    """Fill a matrix uniformly within ``sqrt(6 / (in + out))`` and return it."""
    limit = (6 / np.sum(weight.shape)) ** 0.5
    weight.value[...] = _uniform(limit, weight.shape).value
    return weight


nn = SimpleNamespace(
    Module=Module, Linear=Linear, init=SimpleNamespace(xavier_uniform_=xavier_uniform_)
)
