"""What the layers with parameters share: factors for the optimizer, penalties, inputs as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import _core
from ..arrays import Array, as_floats, as_number
from ..settings import Settings, is_factor, is_flag, is_number
from .base import Layer
from .parameters import (
    NOTEBOOK_NAMES,
    Parameter,
    Slot,
    assign_parameters,
    checked_parameters,
    copy_parameters,
    slots_named,
)

_regularize = _core.regularize

FACTORS = ("learning_rate_factor", "weight_decay_factor", "epsilon_factor")
WEIGHTS, BIASES = slots_named(NOTEBOOK_NAMES)


class ParameterLayer(Layer):
    """What the layers with parameters share: factors, the values' ways in and out, penalties.

    Attributes
    ----------
    learning_rate_factor, weight_decay_factor, epsilon_factor : float or tuple
        What an optimizer multiplies its rate, weight decay and epsilon by; one for each
        parameter, or one number. One `weight_decay_factor` leaves biases alone.
    """

    learning_rate_factor: Any = 1.0
    weight_decay_factor: Any = 1.0
    epsilon_factor: Any = 1.0
    weight_regularizer_l1: float = 0
    weight_regularizer_l2: float = 0

    parameter_names: ClassVar[tuple[str, ...]] = NOTEBOOK_NAMES
    # The sizes of each parameter: a number, or the attribute that tells it.
    parameter_shapes: ClassVar[Mapping[str, tuple[int | str, ...]]] = {}
    settings: ClassVar[Settings] = {
        "weight_regularizer_l1": is_number,
        "weight_regularizer_l2": is_number,
        "learning_rate_factor": is_factor,
        "weight_decay_factor": is_factor,
        "epsilon_factor": is_factor,
        "trainable": is_flag,
    }
    mathematics: ClassVar[tuple[str, ...]] = ("forward", "backward")

    if TYPE_CHECKING:
        weights: Array
    else:
        weights = Parameter()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the parameters: float32 or float64."""
        return self.weights.dtype

    def get_parameters(self) -> tuple[Any, ...]:
        """Return copies of the parameters, in the order of `parameter_names`."""
        return copy_parameters(self)

    def set_parameters(self, *values: Any) -> None:
        """Copy the values, in the order of `parameter_names`, into the layer's arrays, in place.

        Raises
        ------
        ValueError
            Another number of them or another shape; then nothing has changed.
        """
        assign_parameters(self, checked_parameters(self, values))

    def _set_factors(self, *values: Any) -> None:
        for name, value in zip(FACTORS, values, strict=True):
            factor = as_factor(value, name, self.parameter_names)
            if factor != 1.0:
                setattr(self, name, factor)

    def _add_penalty(self, slot: Slot, gradient: Array) -> None:
        """Add ``l1 * sign(w) + 2 * l2 * w`` to a gradient, with +1 for the sign of 0."""
        l1, l2 = slot.strengths(self)
        if l1 or l2:
            values = as_floats(self.__dict__[slot.name], slot.name, gradient.dtype)
            _regularize(gradient, values, l1, l2)

    def _settings_text(self, *names: str) -> str:
        return "".join(
            f", {name}={value}" if isinstance(value, tuple | list) else f", {name}={value:g}"
            for name in names
            if (value := getattr(self, name)) != getattr(type(self), name)
        )


def as_factor(value: Any, name: str, names: tuple[str, ...]) -> float | tuple[float, ...]:
    """Return a factor of at least 0, or a tuple of one for each of the parameters `names`.

    A layer with one parameter takes a pair too, whose second number serves nothing.
    """
    if not isinstance(value, tuple | list):
        return as_number(value, name)
    expected = names if len(names) > 1 else NOTEBOOK_NAMES
    if len(value) != len(expected):
        several = "a pair" if len(expected) == 2 else "one each"
        raise ValueError(
            f"{name}: expected a number or {several} ({', '.join(expected)}), got {value!r}"
        )
    return tuple(as_number(each, name) for each in value)


def as_rows(inputs: Any, d: int, dtype: np.dtype[Any]) -> Array:
    """Return inputs as floats (n, d): one sample (d,) is one row; other ranks stay.

    Raises
    ------
    ValueError
        One dimension of another length.
    """
    array = as_floats(inputs, "inputs", dtype)
    if array.ndim != 1:
        return array
    if len(array) == d:
        return array.reshape(1, d)
    hint = ""
    if d == 1:
        column = "x[:, None]" if isinstance(inputs, np.ndarray) else "np.asarray(x)[:, None]"
        hint = f"; {len(array)} samples of one value each are a column: {column}"
    raise ValueError(f"inputs: expected (n, {d}), got {array.shape}{hint}")
