"""An operation applied to variables and constants: the value, and the record of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array, as_real, is_variable
from .node import Node, sealed
from .operation import Formula, Operation
from .recording import is_recording

if TYPE_CHECKING:
    from .variable import Variable

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
NUMBERS = (int, float, bool)


def apply(operation: Formula, *operands: Any, **settings: Any) -> Variable:
    """Return the result of an operation on variables and constants, recorded if it is to be.

    Raises
    ------
    TypeError, ValueError
        Operands that are not real numbers, or do not fit.
    """
    values = tuple(
        each._value if is_variable(each) else _constant(each, operation) for each in operands
    )
    first = next(each for each in operands if is_variable(each))
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
    parents = tuple(each if is_variable(each) else None for each in operands)
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
