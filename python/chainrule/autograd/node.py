"""A computed variable's past: operation, operands, and what tells that they have changed since.

Backward multiplies by what forward has seen. An array that was changed in place between the two
would give a gradient of nothing; so a checksum is taken of each array that could be changed: of
leaves, of plain arrays that took part, of what a layer holds. Results of operations are read-only.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from .operation import Operation


class Seal(NamedTuple):
    """An array, what an error calls it, and its checksum (CRC-32 of its bytes)."""

    array: Array
    what: str
    checksum: int

    @property
    def broken(self) -> bool:
        """Whether the array has other bytes than it had."""
        return checksum(self.array) != self.checksum


class Node(NamedTuple):
    """How a variable was computed.

    Attributes
    ----------
    operation : Operation
    parents : tuple of Variable or None
        One for each operand; None in the place of a plain array or number.
    values : tuple
        The operands as forward saw them.
    settings : mapping
        What the operation takes beside operands.
    seals : tuple of Seal
    """

    operation: Operation
    parents: tuple[Any, ...]
    values: tuple[Any, ...]
    settings: Mapping[str, Any]
    seals: tuple[Seal, ...]

    def check(self) -> None:
        """Refuse to go back through arrays that were changed in place.

        Raises
        ------
        RuntimeError
            Names the first one.
        """
        for seal in self.seals:
            if seal.broken:
                raise RuntimeError(
                    f"backward: {self.operation.name}: expected {seal.what} as forward saw it, got "
                    "an array that was changed in place; compute the result again"
                )


def checksum(array: Array) -> int:
    """Return the CRC-32 of an array's numbers."""
    return zlib.crc32(np.ascontiguousarray(array).data)


def sealed(arrays: Iterable[tuple[Any, str]]) -> tuple[Seal, ...]:
    """Return seals of those of the operands that are arrays."""
    return tuple(
        Seal(array, what, checksum(array))
        for array, what in arrays
        if isinstance(array, np.ndarray)
    )
