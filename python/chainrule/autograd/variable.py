"""`Variable`: an array that remembers how it was computed, so that gradients can go back.

The graph is made as the code runs: each result holds its operation and its operands, nothing else
does, and both go when the result goes.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import Array, as_float_dtype, as_floats, as_real
from ..errors import labelled
from . import elementwise as by_entry
from . import shaping
from .node import Node, sealed
from .operation import Formula, Operation
from .recording import is_recording

if TYPE_CHECKING:
    from .graph import Graph

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
NUMBERS = (int, float, bool)
_order = itertools.count()


class Variable:
    """An array of float32 or float64 whose uses are recorded, and the gradient by it.

    With operators, NumPy's functions and the methods below, results are variables as well;
    ``result.backward()`` then sets ``grad``, the derivative of the result by it, on every variable
    that took part::

        x, y, z = cr.Variable(1.0, "x"), cr.Variable(2.0, "y"), cr.Variable(4.0, "z")
        r = (z * (x**2 + y)) ** 2
        r.backward()        # x.grad 192, y.grad 96, z.grad 72
        r.graph()           # the picture

    Plain numbers and arrays beside it are constants. The package's layers, activations and losses
    take variables: each is one node, and ``backward`` leaves ``dweights``, ``dbiases`` and
    ``dinputs`` on the layer as the layer's own does.

    Parameters
    ----------
    value : array_like
        A float32 or float64 array is kept itself if it is C-contiguous; anything else is
        converted, to float64 where it is neither.
    name : str
        For pictures and texts.

    Attributes
    ----------
    value : ndarray
        A result's is read-only; that of a variable that was made from an array may be written to.
    grad : ndarray or None
        In shape and dtype of `value`; None before `backward`. An array of its own.

    Raises
    ------
    TypeError, ValueError
        Something else than real numbers.

    Notes
    -----
    An array that is changed in place between forward and backward would give wrong gradients.
    Results are read-only, so that NumPy refuses at once; of all other arrays that took part
    (variables made from arrays, constants, what a layer holds) a CRC-32 is kept for each use, and
    `backward` raises RuntimeError where it is another. Not seen is a change that was undone again.

    Nothing here recurses, and graphs of any depth are built, walked and freed.
    A copy or a pickle is a variable without a graph.
    """

    __slots__ = ("__weakref__", "_grad", "_node", "_order", "_unrecorded", "_value", "name")

    is_graph_node = True
    __hash__ = object.__hash__

    _grad: Array | None
    _node: Node | None
    _order: int
    _unrecorded: bool
    _value: Array
    name: str

    def __init__(self, value: Any, name: str = "") -> None:
        with labelled("Variable"):
            if isinstance(value, Variable):
                raise TypeError("value: expected numbers, got a Variable; take .value or .detach()")
            if not isinstance(name, str):
                raise TypeError(f"name: expected a str, got {name!r}")
            array = as_floats(value, "value")
        self._begin(array, None, name)

    def _begin(self, value: Array, node: Node | None, name: str = "") -> None:
        self._value, self._node, self.name = value, node, name
        self._grad, self._order, self._unrecorded = None, next(_order), False

    # What it holds

    @property
    def value(self) -> Array:
        """The numbers."""
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        if self._node is not None:
            raise AttributeError("value: expected a variable made from an array, got a result")
        array = as_floats(value, "value", self.dtype)
        if array.shape != self.shape:
            raise ValueError(f"value: expected {self.shape}, got {array.shape}")
        self._value = array

    @property
    def grad(self) -> Array | None:
        """The gradient by this variable that the last `backward` left; None before."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            value = as_floats(value, "grad", self.dtype)
            if value.shape != self.shape:
                raise ValueError(f"grad: expected {self.shape}, got {value.shape}")
        self._grad = value

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of `value`."""
        return self._value.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Float32 or float64."""
        return self._value.dtype

    def item(self) -> float:
        """Return the one number that is held.

        Raises
        ------
        ValueError
            There are more, or none.
        """
        if self.size != 1:
            raise ValueError(f"item: expected one number, got shape {self.shape}")
        return float(self._value.item())

    # Backward

    def backward(self, dvalues: Any = None, accumulate: bool = False) -> None:
        """Set `grad` on every variable that this one was computed from, and on itself.

        Parameters
        ----------
        dvalues : array_like
            The gradient by this variable, in its shape; 1 for a single number without it.
        accumulate : bool
            Add to the gradients that leaves (variables made from arrays) and layers have; without
            it they are set.

        Raises
        ------
        ValueError
            No `dvalues` although this is not a single number, or another shape.
        RuntimeError
            An array was changed in place since forward, or this was computed under `no_grad`;
            then no gradient has changed.
        """
        from .passing import pass_back

        if self._unrecorded:
            raise RuntimeError(
                "backward: expected a result whose graph was recorded, got one computed under "
                "no_grad()"
            )
        if dvalues is None:
            if self.size != 1:
                raise ValueError(
                    f"backward: expected dvalues {self.shape} for a result that is not a single "
                    "number, got none"
                )
            dvalues = np.ones(self.shape, dtype=self.dtype)
        found = as_floats(dvalues, "dvalues", self.dtype)
        if found.shape != self.shape:
            raise ValueError(f"backward: dvalues: expected {self.shape}, got {found.shape}")
        pass_back(self, found, accumulate)

    def zero_grad(self) -> None:
        """Forget the gradient: `grad` is None again."""
        self._grad = None

    def detach(self) -> Variable:
        """Return a variable with the same value, name and memory, and without the graph."""
        made = object.__new__(type(self))
        made._begin(self._value, None, self.name)
        return made

    def graph(self, names: Mapping[str, Any] | None = None) -> Graph:
        """Return the graph that led here, which draws itself in Jupyter.

        Parameters
        ----------
        names : mapping, optional
            Name -> variable, such as ``locals()``, for variables that have no name of their own;
            other entries are passed over.
        """
        from .graph import Graph

        return Graph(self, names)

    # Operations

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
        if any(isinstance(each, Variable) for each in parts):
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
        return self

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
        change(self._value, other._value if isinstance(other, Variable) else other)
        return self

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
        return self.item()

    def __int__(self) -> int:
        return int(self.item())

    # NumPy

    def __array__(self, *arguments: Any, **keywords: Any) -> Array:
        raise TypeError(
            "expected an operation that a gradient goes through, got a Variable turned into a "
            "plain array; take .value where no gradient is wanted"
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        from .numpy_calls import call_ufunc

        return call_ufunc(ufunc, method, inputs, keywords)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any, keywords: Any
    ) -> Any:
        from .numpy_calls import call_function

        return call_function(function, arguments, keywords)

    # Copies and texts

    def __reduce__(self) -> Any:
        return _copy_of, (type(self), self._value.copy(), self._grad, self.name)

    def __copy__(self) -> Variable:
        return _copy_of(type(self), self._value.copy(), self._grad, self.name)

    def __deepcopy__(self, memo: Any) -> Variable:
        return self.__copy__()

    def __format__(self, specification: str) -> str:
        if self.ndim == 0:
            return format(self.item(), specification)
        return format(str(self), specification)

    def __repr__(self) -> str:
        text = np.array2string(self._value, separator=", ", threshold=50, edgeitems=3)
        name = f", name={self.name!r}" if self.name else ""
        dtype = "" if self.dtype == DOUBLE else f", dtype={self.dtype}"
        made = "" if self._node is None else f", operation={self._node.operation.name!r}"
        return f"{type(self).__name__}({text}{dtype}{name}{made})"


def _plain(other: Any) -> Any:
    return other._value if isinstance(other, Variable) else other


def _copy_of(kind: type[Variable], value: Array, grad: Array | None, name: str) -> Variable:
    made = object.__new__(kind)
    made._begin(value, None, name)
    made._grad = None if grad is None else grad.copy()
    return made


def apply(operation: Formula, *operands: Any, **settings: Any) -> Variable:
    """Return the result of an operation on variables and constants, recorded if it is to be.

    Raises
    ------
    TypeError, ValueError
        Operands that are not real numbers, or do not fit.
    """
    values = tuple(
        each._value if isinstance(each, Variable) else _constant(each, operation)
        for each in operands
    )
    first = next(each for each in operands if isinstance(each, Variable))
    try:
        output = np.asarray(operation.forward(*values, **settings))
    except (ValueError, IndexError) as error:
        shapes = ", ".join(str(np.shape(each)) for each in values)
        text = f"{operation.name}: expected operands that fit, got shapes {shapes}: {error}"
        raise type(error)(text) from None
    return computed(first, _as_single(output, first, values), operation, operands, values, settings)


def computed(
    first: Variable,
    output: Array,
    operation: Operation,
    operands: tuple[Any, ...],
    values: tuple[Any, ...],
    settings: Mapping[str, Any],
    held: tuple[tuple[Any, str], ...] = (),
) -> Variable:
    """Return a variable of the class of `first` that was computed so.

    `held` are arrays, with their names, that backward needs beside the operands.
    """
    result = object.__new__(type(first))
    output = output.view()
    output.flags.writeable = False
    if not is_recording():
        result._begin(output, None)
        result._unrecorded = True
        return result
    parents = tuple(each if isinstance(each, Variable) else None for each in operands)
    changeable = [
        (value, "an array" if parent is None else parent.name or "a variable")
        for parent, value in zip(parents, values, strict=True)
        if parent is None or parent._node is None
    ]
    seals = sealed([*changeable, *held])
    result._begin(output, Node(operation, parents, values, settings, seals))
    return result


def _constant(value: Any, operation: Formula) -> Any:
    if type(value) in NUMBERS or isinstance(value, np.generic):
        return value if not isinstance(value, np.generic) else as_real(value, operation.name)[()]
    return as_real(value, operation.name)


def _as_single(output: Array, first: Variable, values: tuple[Any, ...]) -> Array:
    """Return float32 of float32 and Python's numbers: NumPy 1 makes float64 of two single ones."""
    if output.dtype == first.dtype:
        return output
    if any(type(each) in NUMBERS for each in values) and all(
        type(each) in NUMBERS or each.dtype == SINGLE for each in values
    ):
        return output.astype(SINGLE)
    return output if output.dtype in (SINGLE, DOUBLE) else output.astype(DOUBLE)
