"""`Variable`: an array that remembers how it was computed, so that gradients can go back.

The graph is made as the code runs: each result holds its operation and its operands, nothing else
does, and both go when the result goes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array, as_floats
from ..errors import labelled
from .applying import DOUBLE
from .node import Node
from .operators import Operators

if TYPE_CHECKING:
    from .graph import Graph

_order = itertools.count()


class Variable(Operators):
    """An array of float32 or float64 whose uses are recorded, and the gradient by it.

    With operators, NumPy's functions and the methods of `Operators`, results are variables as well;
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
        if not specification and self.ndim:
            return str(self)
        return format(self.item(), specification)

    def __repr__(self) -> str:
        text = np.array2string(self._value, separator=", ", threshold=50, edgeitems=3)
        name = f", name={self.name!r}" if self.name else ""
        dtype = "" if self.dtype == DOUBLE else f", dtype={self.dtype}"
        made = "" if self._node is None else f", operation={self._node.operation.name!r}"
        return f"{type(self).__name__}({text}{dtype}{name}{made})"


def _copy_of(kind: type[Variable], value: Array, grad: Array | None, name: str) -> Variable:
    made = object.__new__(kind)
    made._begin(value, None, name)
    made._grad = None if grad is None else grad.copy()
    return made
