"""User arrays -> arrays that the core takes: the one place where copies are made.

The core takes C-contiguous, aligned, native float32 or float64 ndarrays and int64 labels.
Anything real that is not such an array costs one copy here; anything else is refused with
a text that says what was expected and what came.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .frames import flattened, odd_entry, opened

Array: TypeAlias = NDArray[Any]

_FLOATS = (np.dtype("float32"), np.dtype("float64"))
_LARGEST = np.iinfo(np.int64).max
# C-contiguous, aligned, exactly ndarray
_READY: tuple[Literal["C", "A", "E"], ...] = ("C", "A", "E")


# For classes that have names.
LABELS = "; class labels are ints from 0: classes, y = np.unique(y, return_inverse=True)"


def is_variable(thing: object) -> bool:
    """Tell whether `thing` is a `Variable`, without importing its module."""
    return getattr(type(thing), "is_graph_node", False) is True


def is_masked(values: object) -> bool:
    """Tell whether values are a masked array, or a list with one among its rows."""
    if isinstance(values, list | tuple):
        return any(isinstance(row, np.ma.MaskedArray) for row in values)
    return isinstance(values, np.ma.MaskedArray)


def as_real(values: object, name: str) -> Array:
    """Return `values` as an ndarray of booleans, integers or floats, in any layout.

    Raises
    ------
    TypeError
        Masked or sparse arrays, variables, and object, complex, string and date dtypes.
    ValueError
        Ragged nested lists.
    """
    if type(values) is np.ndarray and values.dtype.kind in "biuf":
        return values  # as most are
    if is_masked(values):
        raise TypeError(
            f"{name}: expected a plain array, got a masked array; fill it first: .filled(value)"
        )
    if is_variable(values):
        raise TypeError(f"{name}: expected a plain array, got a Variable; take its .value")
    if hasattr(values, "toarray") and not isinstance(values, np.ndarray):
        raise TypeError(
            f"{name}: expected a dense array, got a sparse {type(values).__name__}; "
            "convert it first: .toarray()"
        )
    values = opened(values, name)
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(
            f"{name}: expected a rectangular array of numbers, got rows of different lengths"
        ) from None
    except (RuntimeError, TypeError) as error:  # a tensor with a gradient, or of another device
        what = type(values).__name__
        raise TypeError(f"{name}: expected what NumPy reads, got a {what}: {error}") from None
    if array.dtype.kind == "O":
        array = _from_frame(values, array)
    if array.dtype.kind not in "biuf":
        names = array.dtype.kind in "OSU" and array.ndim > 0 and name == "y"
        hint = LABELS if names and odd_entry(values) else ""
        raise TypeError(f"{name}: expected real numbers, got {_found(values, array)}{hint}")
    return array


def _from_frame(values: Any, array: Array) -> Array:
    """Return a data frame of mixed or nullable number columns as float64, else `array`."""
    columns = getattr(values, "dtypes", None)
    if columns is None or not hasattr(values, "to_numpy"):
        return array
    columns = columns if hasattr(columns, "__iter__") else [columns]
    if not all(getattr(column, "kind", "O") in "biuf" for column in columns):
        return array
    converted: Array = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return converted


def _found(values: object, array: Array) -> str:
    """Say what came instead of real numbers: its dtype, and the first entry that is none."""
    if array.ndim == 0 and not isinstance(values, np.ndarray):
        return type(values).__name__
    text = f"an array of dtype {array.dtype}"
    if array.dtype.kind not in "OSUMm":
        return text
    odd = odd_entry(values)
    return f"{text} with {odd}" if odd else f"{text}, all numbers; convert it first: .astype(float)"


def as_floats(values: object, name: str, dtype: DTypeLike | None = None) -> Array:
    """Return `values` ready for the core, as `dtype`.

    Without `dtype`, float32 and float64 stay and every other real dtype becomes float64.
    An array that is ready already is returned itself.
    """
    array = as_real(values, name)
    if dtype is None:
        native = array.dtype.newbyteorder("=")
        dtype = next((known for known in _FLOATS if known == native), np.float64)
    return _ready(array, dtype)


def _ready(array: Array, dtype: DTypeLike) -> Array:
    wanted, flags = np.dtype(dtype), array.flags
    if array.dtype != wanted or not (
        flags.c_contiguous and flags.aligned and type(array) is np.ndarray
    ):
        array = np.require(array, dtype=wanted, requirements=_READY)
    # C has several names for one type (long and long long); the core knows one of them
    return array if array.dtype.num == wanted.num else array.view(wanted)


def as_labels(values: object, name: str) -> NDArray[np.int64]:
    """Return class labels (n,) as int64.

    Raises
    ------
    TypeError
        Labels of float dtype.
    ValueError
        Any rank but one, or a label beyond int64.
    """
    array = as_real(values, name)
    if array.dtype.kind == "f":
        raise TypeError(
            f"{name}: expected integer class labels, got {array.dtype}; "
            "convert them first: .astype(int)"
        )
    if array.ndim != 1:
        raise ValueError(f"{name}: expected class labels (n,), got {array.shape}")
    if array.dtype == np.uint64 and array.size and array.max() > _LARGEST:
        index = int(array.argmax())
        raise ValueError(
            f"{name}: label {array[index]} at index {index}: expected at most {_LARGEST}"
        )
    return _ready(array, np.int64)


def as_class_targets(
    values: object, name: str, n_classes: int | None, dtype: DTypeLike | None
) -> Array:
    """Return labels (n,) as int64, or one-hot and soft targets (n, n_classes) as `dtype`.

    Raises
    ------
    ValueError
        Class labels as a column (n, 1).
    """
    array = as_real(values, name)
    if array.ndim == 1:
        return as_labels(array, name)
    if array.ndim == 2 and array.shape[1] == 1 and n_classes not in (None, 1):
        raise ValueError(
            f"{name}: expected class labels (n,) or targets (n, {n_classes}), "
            f"got {array.shape}; flatten the labels: {flattened(values, 'y')}"
        )
    return as_floats(array, name, dtype)


def as_targets(values: object, name: str, n_outputs: int | None, dtype: DTypeLike | None) -> Array:
    """Return regression targets (n, n_outputs) as `dtype`; (n,) serves one output."""
    array = as_floats(values, name, dtype)
    if array.ndim == 1 and n_outputs == 1:
        return array.reshape(-1, 1)
    return array


def as_parameter(value: object, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return the array that a layer keeps as its parameter `name`.

    `value` itself if it is ready for the core and writeable, else one converted copy;
    biases (m,) become (1, m).

    Raises
    ------
    ValueError
        Another shape.
    """
    array = as_floats(value, name, dtype)
    if array.ndim == 1 and shape == (1, *array.shape):
        array = array.reshape(shape)
    if array.shape != shape:
        raise ValueError(f"{name}: expected {shape}, got {array.shape}")
    borrowed = not isinstance(value, np.ndarray) and not isinstance(value, list | tuple)
    return array.copy() if borrowed or not array.flags.writeable else array


def as_float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64; anything else is a ValueError."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype: expected float32 or float64, got {dtype!r}") from None
    if found not in _FLOATS:
        raise ValueError(f"dtype: expected float32 or float64, got {found}")
    return found


def as_count(value: object, name: str, least: int) -> int:
    """Return an int of at least `least`; bools and floats are refused."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected an int of at least {least}, got {value!r}")
    try:
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: expected an int of at least {least}, got {value!r}") from None
    if count < least:
        raise ValueError(f"{name}: expected an int of at least {least}, got {count}")
    return count


def as_number(value: Any, name: str, *, least: float = 0.0, below: float = float("inf")) -> float:
    """Return a float with ``least <= value < below``."""
    expected = f"a number of at least {least:g}"
    if below != float("inf"):
        expected += f" and below {below:g}"
    if isinstance(value, str | bytes):
        raise TypeError(f"{name}: expected {expected}, got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {expected}, got {value!r}") from None
    except OverflowError:
        raise ValueError(f"{name}: expected {expected}, got an int beyond float64") from None
    if not least <= number < below:
        raise ValueError(f"{name}: expected {expected}, got {value!r}")
    return number


def as_generator(rng: Any, name: str = "rng") -> np.random.Generator:
    """Return a generator: `rng` itself, or a new one from a seed: an int or a list of ints.

    Raises
    ------
    TypeError
        Something else.
    ValueError
        A negative seed.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, np.random.BitGenerator | np.random.SeedSequence):
        return np.random.default_rng(rng)
    seeds = [rng] if isinstance(rng, int | np.integer) else rng
    if isinstance(seeds, np.ndarray) and seeds.ndim == 1:
        seeds = seeds.tolist()  # an ndarray's subclasses can trip NumPy's own conversion
    if not isinstance(seeds, list | tuple) or not all(
        isinstance(seed, int | np.integer) and not isinstance(seed, bool) for seed in seeds
    ):
        raise TypeError(f"{name}: expected a numpy.random.Generator or a seed, got {rng!r}")
    if any(seed < 0 for seed in seeds):
        raise ValueError(f"{name}: expected a seed of at least 0, got {rng!r}")
    return np.random.default_rng(int(rng) if isinstance(rng, int | np.integer) else list(seeds))


def finite_limit(array: Array, dtype: np.dtype[Any] | None) -> float:
    """Return the largest magnitude that stays finite when `array` becomes `dtype`."""
    if dtype is None or array.dtype.itemsize <= dtype.itemsize:
        return float(np.finfo(np.float64).max)
    return float(np.finfo(dtype).max)


def distinct(array: Array) -> Array:
    """Return an array without the repeats of its broadcast dimensions."""
    return array[tuple(slice(1) if step == 0 else slice(None) for step in array.strides)]


def extremes(array: Array) -> Iterator[tuple[float, float]]:
    """Yield smallest and largest value of one block after the other, NaN if there is one.

    A block stays in cache for its second pass.
    """
    rows = max(1, 65536 * len(array) // array.size)
    for first in range(0, len(array), rows):
        block = array[first : first + rows]
        yield float(block.min()), float(block.max())


def check_finite(array: Array, name: str, dtype: np.dtype[Any] | None = None) -> None:
    """Refuse NaN, infinities, and values that become infinite as `dtype`.

    Raises
    ------
    ValueError
        Naming the first such entry.
    """
    if array.dtype.kind != "f" or array.size == 0:
        return
    array, limit = distinct(array), finite_limit(array, dtype)
    if all(-limit <= low and high <= limit for low, high in extremes(array)):
        return
    bad = np.argwhere(~(np.abs(array.astype(np.float64)) <= limit))[0]
    where = tuple(int(index) for index in bad)
    value = float(array[where])
    expected = "finite values"
    if np.isfinite(value):
        expected = f"values within {dtype}"
    place = where[0] if len(where) == 1 else where
    raise ValueError(f"{name}: expected {expected}, got {value} at index {place}")
