"""NumPy's own functions on variables: which operation each of them is.

A function that is not here raises TypeError: a result without its gradient would be a silent error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from . import elementwise as by_entry
from . import shaping
from .applying import apply
from .elementwise import PLAIN, UFUNCS
from .variable import Variable

Call = TypeVar("Call", bound=Callable[..., Any])
_CALLS: dict[Callable[..., Any], Callable[..., Any]] = {}

# They tell something of the numbers through which no gradient goes: the result is a plain one.
_OF_VALUES = frozenset({
    np.shape, np.ndim, np.size, np.argmax, np.argmin, np.argsort, np.zeros_like, np.ones_like,
    np.empty_like, np.full_like, np.array2string, np.array_repr, np.array_str, np.all, np.any,
    np.count_nonzero, np.nonzero, np.allclose, np.isclose, np.array_equal, np.array_equiv,
    np.result_type, np.can_cast, np.shares_memory, np.may_share_memory, np.searchsorted,
})  # fmt: skip


def call_ufunc(ufunc: np.ufunc, method: str, inputs: Any, keywords: Mapping[str, Any]) -> Any:
    """Do what a ufunc, or its method `reduce`, asks for.

    Raises
    ------
    TypeError
        No derivative is known, or an argument that a graph cannot hold, such as ``out=``.
    """
    if method == "reduce" and ufunc in (np.add, np.maximum):
        function = np.sum if ufunc is np.add else np.max
        return call_function(function, (inputs[0],), {"axis": 0, **keywords})
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    if keywords:
        raise TypeError(
            f"np.{name}: expected no {'=, '.join(keywords)}= with a Variable, got it; an array "
            "that is changed in place cannot hold a graph"
        )
    if ufunc is np.matmul and method == "__call__":
        return apply(shaping.MATMUL, *inputs)
    if ufunc in PLAIN and method == "__call__":
        return ufunc(*(_value(each) for each in inputs))
    if ufunc not in UFUNCS or method != "__call__":
        raise _unknown(name)
    return apply(UFUNCS[ufunc], *inputs)


def call_function(function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
    """Do what another NumPy function asks for; raises as `call_ufunc`."""
    if function in _OF_VALUES:
        return function(
            *(_value(each) for each in arguments),
            **{name: _value(each) for name, each in keywords.items()},
        )
    name = f"{function.__module__}.{function.__name__}".removeprefix("numpy").lstrip(".")
    if function not in _CALLS:
        raise _unknown(name)
    call = _CALLS[function]
    try:
        return call(*arguments, **keywords)
    except TypeError as error:
        own = f"{call.__name__}() "
        if not str(error).startswith(own):
            raise
        text = str(error).removeprefix(own)
        raise TypeError(f"np.{name}: expected what it takes with a Variable: {text}") from None


def _unknown(name: str) -> TypeError:
    return TypeError(
        f"np.{name}: expected a function whose derivative is known, got this one with a Variable; "
        "take .value where no gradient is wanted"
    )


def _value(thing: Any) -> Any:
    return thing.value if isinstance(thing, Variable) else thing


def _is(*functions: Callable[..., Any]) -> Callable[[Call], Call]:
    """Say that a function stands for these of NumPy's, with their names of arguments."""

    def register(call: Call) -> Call:
        _CALLS.update(dict.fromkeys(functions, call))
        return call

    return register


def _as_variable(thing: Any) -> Variable:
    return thing if isinstance(thing, Variable) else Variable(thing)


@_is(np.sum)
def _sum(a: Variable, axis: Any = None, *, keepdims: bool = False) -> Variable:
    return a.sum(axis, keepdims)


@_is(np.mean)
def _mean(a: Variable, axis: Any = None, *, keepdims: bool = False) -> Variable:
    return a.mean(axis, keepdims)


@_is(np.max)
def _max(a: Variable, axis: Any = None, *, keepdims: bool = False) -> Variable:
    return a.max(axis, keepdims)


@_is(np.min)
def _min(a: Variable, axis: Any = None, *, keepdims: bool = False) -> Variable:
    return a.min(axis, keepdims)


@_is(np.var)
def _var(a: Variable, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Variable:
    squares = (a - a.mean(axis, True)) ** 2
    count: int = a.size // max(1, a.value.sum(axis).size)
    return squares.sum(axis, keepdims) / (count - ddof)


@_is(np.std)
def _std(a: Variable, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Variable:
    return _var(a, axis, ddof=ddof, keepdims=keepdims).sqrt()


@_is(np.linalg.norm)
def _norm(x: Variable, *, axis: Any = None, keepdims: bool = False) -> Variable:
    return (x**2).sum(axis, keepdims).sqrt()


@_is(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None) -> Any:
    low = a if a_min is None else apply(by_entry.MAXIMUM, _as_variable(a), a_min)
    return low if a_max is None else apply(by_entry.MINIMUM, low, a_max)


@_is(np.where)
def _where(condition: Any, x: Any, y: Any) -> Variable:
    return apply(by_entry.WHERE, _value(condition), *_one_variable(x, y))


def _one_variable(x: Any, y: Any) -> tuple[Any, Any]:
    """Return the two with a variable among them: the condition may have been the only one."""
    either = isinstance(x, Variable) or isinstance(y, Variable)
    return (x, y) if either else (Variable(x), y)


@_is(np.dot)
def _dot(a: Any, b: Any) -> Variable:
    ranks = np.ndim(a), np.ndim(b)
    if 0 in ranks:
        return apply(by_entry.MULTIPLY, a, b)
    if ranks[1] > 2:
        raise TypeError(f"np.dot: expected at most two axes behind with a Variable, got {ranks[1]}")
    return apply(shaping.MATMUL, a, b)


@_is(np.outer)
def _outer(a: Any, b: Any) -> Variable:
    return apply(by_entry.MULTIPLY, _flat(a)[:, None], _flat(b)[None, :])


def _flat(a: Any) -> Any:
    return a.reshape(-1) if isinstance(a, Variable) else np.ravel(a)


@_is(np.reshape)
def _reshape(a: Variable, shape: Any) -> Variable:
    return a.reshape(shape)


@_is(np.ravel)
def _ravel(a: Variable) -> Variable:
    return a.reshape(-1)


@_is(np.squeeze)
def _squeeze(a: Variable, axis: Any = None) -> Variable:
    return a.reshape(a.value.squeeze(axis).shape)


@_is(np.expand_dims)
def _expand_dims(a: Variable, axis: Any) -> Variable:
    return a.reshape(np.expand_dims(a.value, axis).shape)


@_is(np.atleast_1d)
def _atleast_1d(a: Variable) -> Variable:
    return a.reshape(np.atleast_1d(a.value).shape)


@_is(np.atleast_2d)
def _atleast_2d(a: Variable) -> Variable:
    return a.reshape(np.atleast_2d(a.value).shape)


@_is(np.transpose)
def _transpose(a: Variable, axes: Any = None) -> Variable:
    return a.transpose() if axes is None else a.transpose(tuple(axes))


@_is(np.swapaxes)
def _swapaxes(a: Variable, axis1: int, axis2: int) -> Variable:
    places = list(range(a.ndim))
    places[axis1], places[axis2] = places[axis2], places[axis1]
    return a.transpose(places)


@_is(np.moveaxis)
def _moveaxis(a: Variable, source: Any, destination: Any) -> Variable:
    marked = np.broadcast_to(0, range(1, a.ndim + 1))  # each axis has a size of its own
    return a.transpose([size - 1 for size in np.moveaxis(marked, source, destination).shape])


@_is(np.broadcast_to)
def _broadcast_to(array: Variable, shape: Any) -> Variable:
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    return apply(shaping.BROADCAST, array, shape=sizes)


@_is(np.copy)
def _copy(a: Variable) -> Variable:
    return apply(shaping.COPY, a)


@_is(np.concatenate)
def _concatenate(arrays: Any, axis: int | None = 0) -> Variable:
    parts = [_flat(each) for each in arrays] if axis is None else list(arrays)
    return apply(shaping.CONCATENATE, *parts, axis=0 if axis is None else axis)


@_is(np.stack)
def _stack(arrays: Any, axis: int = 0) -> Variable:
    return _concatenate([_with_axis(each, axis) for each in arrays], axis)


def _with_axis(a: Any, axis: int) -> Any:
    return _expand_dims(a, axis) if isinstance(a, Variable) else np.expand_dims(a, axis)


@_is(np.vstack)
def _vstack(arrays: Any) -> Variable:
    return _concatenate([np.atleast_2d(each) for each in arrays], 0)


@_is(np.hstack)
def _hstack(arrays: Any) -> Variable:
    parts = [np.atleast_1d(each) for each in arrays]
    return _concatenate(parts, 0 if parts[0].ndim == 1 else 1)


@_is(np.column_stack)
def _column_stack(arrays: Any) -> Variable:
    return _concatenate([each[:, None] if np.ndim(each) == 1 else each for each in arrays], 1)
