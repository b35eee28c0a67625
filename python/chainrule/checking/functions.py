"""The gradient of a function that somebody wrote by hand, checked as `gradcheck` checks a layer's.

The function is the value, its array the inputs; what `gradcheck` does beside that (two dtypes,
steps that fit, kinks, what would make a wrong gradient right) stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_floats
from ..errors import labelled
from .copies import Copies
from .examination import Examination
from .numerical import number_of
from .randomness import Randomness
from .report import GradientReport, GradientRow
from .subjects import Gradients, Subject
from .walk import FloatArray

__all__ = ["check_gradient"]


def check_gradient(
    function: Callable[[NDArray[Any]], Any], gradient: Any, array: ArrayLike, *, full: bool = False
) -> GradientReport:
    """Compare a hand-written gradient with central differences of its function.

    Parameters
    ----------
    function : callable
        Takes an array like `array`, returns one number. It gets a copy, in float64 too.
    gradient : callable or array_like
        Takes the same and returns the gradient, in the array's shape; or the gradient itself.
    array : array_like
        Where to compare: float32 or float64, else it becomes float64.
    full : bool
        True checks every entry; otherwise at most 200, drawn with a fixed seed, and the others
        along eight random directions.

    Returns
    -------
    GradientReport
        With one row, as `gradcheck` gives it: true if the gradient is right; where it is wrong,
        what would make it right stands beneath, where that is recognised.

    Raises
    ------
    TypeError
        `function` or `gradient` is not what it should be, or the function returns no number.
    ValueError
        An array without entries.

    Examples
    --------
    >>> import numpy as np
    >>> bool(check_gradient(lambda w: (w**3).sum(), lambda w: 3 * w**2, np.array([1.0, -2.0])))
    True
    """
    if not callable(function):
        raise TypeError(
            f"check_gradient: function: expected a callable, got {type(function).__name__}"
        )
    with labelled("check_gradient"):
        at = np.array(as_floats(array, "array"), order="C")
        if not at.size:
            raise ValueError(f"array: expected at least one entry, got shape {at.shape}")
        if not callable(gradient):
            gradient = np.array(as_floats(gradient, "gradient"))
    pair = Function(function, gradient, at.shape)
    outer = Randomness([pair])
    try:
        copies = Copies(pair, at.reshape(-1) if at.ndim == 0 else at, None, outer, FunctionSubject)
        examined = Examination(copies, full)
        rows = tuple(map(_named, examined.rows(examined.repeats.gradients)))
    finally:
        outer.rewind()
    name = getattr(function, "__name__", type(function).__name__)
    return GradientReport(f"check_gradient: {name}, array {at.shape}, {at.dtype}", rows)


def _named(row: GradientRow) -> GradientRow:
    """A row in the words of `check_gradient`."""
    hint = row.hint.replace("dinputs", "the gradient").replace("forward", "the function")
    array = "array" if row.array == "inputs" else "the function"
    return replace(row, array=array, way="by hand", hint=hint)


class Function:
    """A function and its gradient; `shape` is that of its array.

    It counts as its own copy: what the two may hold is the user's.
    """

    def __init__(self, function: Any, gradient: Any, shape: tuple[int, ...]) -> None:
        self.function, self.gradient, self.shape = function, gradient, shape

    def __deepcopy__(self, memo: Any) -> Function:
        return self


class FunctionSubject(Subject):
    """The value of a function of one array."""

    def __init__(self, pair: Function, inputs: FloatArray, y: Any) -> None:
        super().__init__([pair], [], [], inputs)
        self.loss = pair

    def _given(self) -> FloatArray:
        return np.array(self.inputs.reshape(self.loss.shape))

    def _data(self) -> Any:
        value = self.loss.function(self._given())
        self.output = np.asarray(value)
        return number_of(value, "check_gradient")

    def backward(self) -> Gradients:
        """Call the gradient, or take it as it is."""
        found = self.loss.gradient
        if callable(found):
            found = found(self._given())
            if isinstance(found, float | int | np.generic | list | tuple):
                found = np.array(found, dtype=self.inputs.dtype)
        elif found.dtype != self.inputs.dtype:
            found = found.astype(self.inputs.dtype)
        if np.shape(found) == self.loss.shape and isinstance(found, np.ndarray):
            found = found.reshape(self.inputs.shape)
        return {"inputs": found}
