"""What can be done with a variable: operators and methods, each one operation of the tables."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import Array, as_float_dtype
from . import elementwise as by_entry
from . import shaping
from .applying import apply
from .node import Node
from .recording import is_recording

if TYPE_CHECKING:
    from .variable import Variable


class Operators:
    """The operations of a `Variable`. Comparisons give plain truth values."""

    __slots__ = ()

    if TYPE_CHECKING:
        _node: Node | None
        _unrecorded: bool
        _value: Array

        @property
        def ndim(self) -> int: ...

    def exp(self) -> Variable:
        """Return e to the power of each entry."""
        return apply(by_entry.EXP, self)

    def log(self) -> Variable:
        """Return the natural logarithm."""
        return apply(by_entry.LOG, self)

    def sqrt(self) -> Variable:
        """Return the square root."""
        return apply(by_entry.SQRT, self)

    def tanh(self) -> Variable:
        """Return the hyperbolic tangent."""
        return apply(by_entry.TANH, self)

    def sigmoid(self) -> Variable:
        """Return ``1 / (1 + exp(-x))``, without overflow."""
        return apply(by_entry.SIGMOID, self)

    def relu(self) -> Variable:
        """Return ``max(0, x)``, whose derivative at 0 is 0."""
        return apply(by_entry.RELU, self)

    def softmax(self, axis: int = -1) -> Variable:
        """Return ``exp(x) / sum(exp(x))`` along an axis, without overflow."""
        return apply(shaping.SOFTMAX, self, axis=axis)

    def log_softmax(self, axis: int = -1) -> Variable:
        """Return ``x - log(sum(exp(x)))`` along an axis, without overflow."""
        return apply(shaping.LOG_SOFTMAX, self, axis=axis)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Variable:
        """Return the sum over all entries, or along axes."""
        return apply(shaping.SUM, self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Variable:
        """Return the mean of all entries, or along axes."""
        return apply(shaping.MEAN, self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Variable:
        """Return the largest entry, or that along axes; ties share its gradient."""
        return apply(shaping.LARGEST, self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Variable:
        """Return the smallest entry, or that along axes; ties share its gradient."""
        return -(-self).max(axis, keepdims)

    def dot(self, other: Any) -> Variable:
        """Return the product of matrices, as ``np.dot`` does."""
        from .numpy_calls import call_function

        product: Variable = call_function(np.dot, (self, other), {})
        return product

    def reshape(self, *shape: Any) -> Variable:
        """Return the same entries in another shape: ``reshape(2, -1)`` or ``reshape((2, -1))``."""
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        return apply(shaping.RESHAPE, self, shape=tuple(sizes))

    def transpose(self, *axes: Any) -> Variable:
        """Return the entries with the axes in another order, reversed without `axes`."""
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple | list) else axes
        places = tuple(order) or tuple(reversed(range(self.ndim)))
        return apply(shaping.TRANSPOSE, self, axes=tuple(k % max(1, self.ndim) for k in places))

    @property
    def T(self) -> Variable:
        """The transpose."""
        return self.transpose()

    def astype(self, dtype: DTypeLike) -> Variable:
        """Return the entries as float32 or float64."""
        return apply(shaping.CAST, self, dtype=as_float_dtype(dtype))

    def __getitem__(self, index: Any) -> Variable:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(each, Operators) for each in parts):
            raise TypeError("index: expected ints, slices or masks, got a Variable")
        return apply(shaping.ITEM, self, index=index)

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Variable]:
        if self.ndim == 0:
            raise TypeError("iteration: expected at least one axis, got a single number")
        return (self[k] for k in range(len(self)))

    def __add__(self, other: Any) -> Variable:
        return apply(by_entry.ADD, self, other)

    def __radd__(self, other: Any) -> Variable:
        return apply(by_entry.ADD, other, self)

    def __sub__(self, other: Any) -> Variable:
        return apply(by_entry.SUBTRACT, self, other)

    def __rsub__(self, other: Any) -> Variable:
        return apply(by_entry.SUBTRACT, other, self)

    def __mul__(self, other: Any) -> Variable:
        return apply(by_entry.MULTIPLY, self, other)

    def __rmul__(self, other: Any) -> Variable:
        return apply(by_entry.MULTIPLY, other, self)

    def __truediv__(self, other: Any) -> Variable:
        return apply(by_entry.DIVIDE, self, other)

    def __rtruediv__(self, other: Any) -> Variable:
        return apply(by_entry.DIVIDE, other, self)

    def __pow__(self, other: Any) -> Variable:
        return apply(by_entry.POWER, self, other)

    def __rpow__(self, other: Any) -> Variable:
        return apply(by_entry.POWER, other, self)

    def __matmul__(self, other: Any) -> Variable:
        return apply(shaping.MATMUL, self, other)

    def __rmatmul__(self, other: Any) -> Variable:
        return apply(shaping.MATMUL, other, self)

    def __neg__(self) -> Variable:
        return apply(by_entry.NEGATIVE, self)

    def __pos__(self) -> Variable:
        return cast("Variable", self)

    def __abs__(self) -> Variable:
        return apply(by_entry.ABSOLUTE, self)

    def __iadd__(self, other: Any) -> Variable:
        return self._in_place(operator.iadd, other)

    def __isub__(self, other: Any) -> Variable:
        return self._in_place(operator.isub, other)

    def __imul__(self, other: Any) -> Variable:
        return self._in_place(operator.imul, other)

    def __itruediv__(self, other: Any) -> Variable:
        return self._in_place(operator.itruediv, other)

    def _in_place(self, change: Callable[[Any, Any], Any], other: Any) -> Variable:
        """Change a leaf's own array, under `no_grad` only; a result gives a new result."""
        if self._node is not None or self._unrecorded:
            return NotImplemented  # type: ignore[no-any-return]
        if is_recording():
            raise RuntimeError(
                f"{change.__name__}: expected an update in place within `with no_grad():`, got one "
                "that would be recorded; for a new variable write x = x + ..."
            )
        change(self._value, other._value if isinstance(other, Operators) else other)
        return cast("Variable", self)

    # Truth values are plain

    def __gt__(self, other: Any) -> Any:
        return self._value > _plain(other)

    def __ge__(self, other: Any) -> Any:
        return self._value >= _plain(other)

    def __lt__(self, other: Any) -> Any:
        return self._value < _plain(other)

    def __le__(self, other: Any) -> Any:
        return self._value <= _plain(other)

    def __eq__(self, other: Any) -> Any:
        return self._value == _plain(other)

    def __ne__(self, other: Any) -> Any:
        return self._value != _plain(other)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __float__(self) -> float:
        """Refuse: NumPy and `math` would take the number and lose the graph without a word."""
        raise TypeError(
            "float: expected .item() where no gradient is wanted, got a Variable turned into a "
            "plain number; to put results into an array, use np.stack or np.concatenate"
        )


def _plain(other: Any) -> Any:
    return other._value if isinstance(other, Operators) else other
