"""Central differences of any scalar function, entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["numerical_gradient"]


def numerical_gradient(
    function: Callable[[NDArray[Any]], Any], array: NDArray[Any], h: float = 1e-5
) -> NDArray[np.float64]:
    """Central differences of a scalar function: `(f(a + h e_k) - f(a - h e_k)) / 2h` for each k.

    Each entry of `array` is changed in place while `function(array)` is called, and restored,
    also if the function raises. A function that reads the array from elsewhere (a layer's
    weights, say) may ignore its argument.

    Parameters
    ----------
    function : callable
        Takes `array`, returns a number; an array that holds one number will do.
    array : ndarray of float32 or float64, any shape
        Where to take the gradient. Float32 needs a larger `h`, about 1e-2.
    h : float
        The step. The error falls with `h^2`, rounding grows with `1 / h`.

    Returns
    -------
    ndarray of float64, the shape of `array`

    Raises
    ------
    TypeError
        If `array` is not an ndarray of floats, or `function` returns no number.
    ValueError
        If `array` is read-only, `h` is not a positive number, or so small that an entry
        plus and minus `h` is the entry itself.

    Examples
    --------
    >>> import numpy as np
    >>> numerical_gradient(lambda w: float((w * w).sum()), np.array([1.0, -2.0])).round(6)
    array([ 2., -4.])
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"numerical_gradient: array: expected an ndarray of floats, got {got}")
    if not array.flags.writeable:
        raise ValueError("numerical_gradient: array: expected a writeable array, got a read-only")
    text = "numerical_gradient: h: expected a positive number, got"
    try:
        step = float("no" if isinstance(h, str | bytes) else h)
    except (TypeError, ValueError):
        raise TypeError(f"{text} {h!r}") from None
    if not (step > 0 and np.isfinite(step)):
        raise ValueError(f"{text} {h}")
    gradient = np.empty(array.shape, dtype=np.float64)
    for index in np.ndindex(array.shape):
        with _moved(array, index, step) as above:
            upper = number_of(function(array))
        with _moved(array, index, -step) as below:
            lower = number_of(function(array))
        if above == below:
            raise ValueError(
                f"numerical_gradient: h: expected a step that changes {array[index]} at index "
                f"{index} in {array.dtype}, got {h}"
            )
        gradient[index] = (upper - lower) / (above - below)
    return gradient


def number_of(value: Any, caller: str = "numerical_gradient") -> float:
    """Return the one number that a function has returned."""
    text = f"{caller}: function: expected a function that returns a number, got "
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise TypeError(f"{text}an array of shape {value.shape}")
        value = value.reshape(())[()]
    if isinstance(value, str | bytes) or np.iscomplexobj(value):
        raise TypeError(f"{text}{value!r}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{text}{type(value).__name__}") from None


@contextmanager
def _moved(array: NDArray[Any], index: tuple[int, ...], step: float) -> Iterator[float]:
    """Hold `array[index] + step` in place of `array[index]`; gives the value really held."""
    before = array[index].copy()
    array[index] = before + step
    try:
        yield float(array[index])
    finally:
        array[index] = before
