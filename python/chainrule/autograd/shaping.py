"""Operations on whole arrays: products, sums, largest entries, softmax, and other shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from .operation import Formula, Values, elementwise

Axis = int | tuple[int, ...] | None
ONCE = (int, slice, type(None), type(...))  # parts of an index that take no entry twice


def _spread(reduced: Any, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
    """Repeat what a reduction over `axis` left, to `shape`."""
    if axis is not None and not keepdims:
        reduced = np.expand_dims(reduced, _axes(axis, len(shape)))
    return np.broadcast_to(reduced, shape)


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return tuple(k % ndim for k in (axis if isinstance(axis, tuple) else (axis,)))


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    return int(np.prod([shape[k] for k in _axes(axis, len(shape))], dtype=np.int64))


def _sum(a: Array, axis: Axis, keepdims: bool) -> Any:
    return a.sum(axis=axis, keepdims=keepdims)


def _sum_pull(
    k: int, dvalues: Array, output: Array, values: Values, axis: Axis, keepdims: bool
) -> Any:
    return _spread(dvalues, values[0].shape, axis, keepdims)


SUM = Formula("sum", "sum({})", _sum, _sum_pull, lambda k, o, v, **_: 1)


def _mean(a: Array, axis: Axis, keepdims: bool) -> Any:
    return a.mean(axis=axis, keepdims=keepdims)


def _mean_pull(
    k: int, dvalues: Array, output: Array, values: Values, axis: Axis, keepdims: bool
) -> Any:
    count = _count(values[0].shape, axis)
    return _spread(dvalues / dvalues.dtype.type(count), values[0].shape, axis, keepdims)


def _mean_local(k: int, output: Array, values: Values, axis: Axis, keepdims: bool) -> float:
    return 1 / _count(values[0].shape, axis)


MEAN = Formula("mean", "mean({})", _mean, _mean_pull, _mean_local)


def _largest(a: Array, axis: Axis, keepdims: bool) -> Any:
    return a.max(axis=axis, keepdims=keepdims)


def _largest_pull(
    k: int, dvalues: Array, output: Array, values: Values, axis: Axis, keepdims: bool
) -> Any:
    """Entries that tie for the largest share its gradient."""
    (a,) = values
    ties = (a == _spread(output, a.shape, axis, keepdims)).astype(a.dtype)
    shares = ties / ties.sum(axis=_axes(axis, a.ndim), keepdims=True)
    return shares * _spread(dvalues, a.shape, axis, keepdims)


LARGEST = Formula(
    "max", "max({})", _largest, _largest_pull, lambda k, o, v, **_: "1 at the largest, else 0"
)


def _matmul_pull(k: int, dvalues: Array, output: Array, values: Values) -> Any:
    """dvalues . b^T and a^T . dvalues; a vector counts as a row in front, as a column behind."""
    a, b = (np.asarray(each) for each in values)
    rows = a[None, :] if a.ndim == 1 else a
    columns = b[:, None] if b.ndim == 1 else b
    inner = dvalues if b.ndim > 1 else dvalues[..., None]
    inner = inner if a.ndim > 1 else np.expand_dims(inner, -2)
    if k == 0:
        found = inner @ columns.swapaxes(-1, -2)
        return found[..., 0, :] if a.ndim == 1 else found
    found = rows.swapaxes(-1, -2) @ inner
    return found[..., 0] if b.ndim == 1 else found


def _matmul_local(k: int, output: Array, values: Values) -> str:
    return "{1}.T" if k == 0 else "{0}.T"


MATMUL = Formula("matmul", "{} @ {}", np.matmul, _matmul_pull, _matmul_local)


def _softmax(a: Array, axis: int) -> Any:
    powers = np.exp(a - a.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _softmax_pull(k: int, dvalues: Array, output: Array, values: Values, axis: int) -> Any:
    return output * (dvalues - (dvalues * output).sum(axis=axis, keepdims=True))


SOFTMAX = Formula(
    "softmax", "softmax({})", _softmax, _softmax_pull, lambda k, o, v, **_: "its Jacobian"
)


def _log_softmax(a: Array, axis: int) -> Any:
    below = a - a.max(axis=axis, keepdims=True)
    return below - np.log(np.exp(below).sum(axis=axis, keepdims=True))


def _log_softmax_pull(k: int, dvalues: Array, output: Array, values: Values, axis: int) -> Any:
    return dvalues - np.exp(output) * dvalues.sum(axis=axis, keepdims=True)


LOG_SOFTMAX = Formula(
    "log_softmax", "log_softmax({})", _log_softmax, _log_softmax_pull,
    lambda k, o, v, **_: "its Jacobian",
)  # fmt: skip


def _same(k: int, output: Array, values: Values, **_: Any) -> int:
    return 1


def _reshape_pull(
    k: int, dvalues: Array, output: Array, values: Values, shape: tuple[int, ...]
) -> Any:
    return dvalues.reshape(values[0].shape)


def _reshape(a: Array, shape: tuple[int, ...]) -> Any:
    return a.reshape(shape)


RESHAPE = Formula("reshape", "reshape({})", _reshape, _reshape_pull, _same)


def _transpose(a: Array, axes: tuple[int, ...]) -> Any:
    return a.transpose(axes)


def _transpose_pull(
    k: int, dvalues: Array, output: Array, values: Values, axes: tuple[int, ...]
) -> Any:
    return dvalues.transpose(tuple(int(place) for place in np.argsort(axes)))


TRANSPOSE = Formula("transpose", "{}.T", _transpose, _transpose_pull, _same)


def _broadcast(a: Array, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(a, shape)


BROADCAST = Formula("broadcast_to", "broadcast({})", _broadcast, lambda k, d, o, v, shape: d, _same)


def _item(a: Array, index: Any) -> Any:
    return a[index]


def _item_pull(k: int, dvalues: Array, output: Array, values: Values, index: Any) -> Any:
    """Zeros with dvalues put back; an entry taken several times gets the sum."""
    found = np.zeros_like(values[0])
    parts = index if isinstance(index, tuple) else (index,)
    if all(type(each) in ONCE for each in parts):
        found[index] = dvalues
    else:
        np.add.at(found, index, dvalues)
    return found


ITEM = Formula("getitem", "{}[...]", _item, _item_pull, lambda k, o, v, **_: "1 where taken")


def _concatenate(*arrays: Any, axis: int) -> Any:
    return np.concatenate(arrays, axis=axis)


def _concatenate_pull(k: int, dvalues: Array, output: Array, values: Values, axis: int) -> Any:
    first = sum(np.shape(each)[axis] for each in values[:k])
    place = [slice(None)] * dvalues.ndim
    place[axis] = slice(first, first + np.shape(values[k])[axis])
    return dvalues[tuple(place)]


CONCATENATE = Formula(
    "concatenate", "concatenate", _concatenate, _concatenate_pull,
    lambda k, o, v, **_: "1 in its part",
)  # fmt: skip


def _cast(a: Array, dtype: np.dtype[Any]) -> Any:
    return a.astype(dtype)


CAST = Formula("astype", "{}.astype", _cast, lambda k, d, o, v, dtype: d, _same)

COPY = elementwise("copy", "copy({})", np.array, lambda o, a: 1)
