"""A small picture of an array: at most 8 by 8 cells, brown below 0, white at 0, purple above.

A cell shows the entry of largest magnitude of its block, as a share of the array's largest. The
picture is a PNG of 16 colours, some 150 bytes.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from ..arrays import Array

CELLS = 8
NOT_FINITE = 15
_STOPS = np.array([[179, 88, 6], [255, 255, 255], [84, 39, 136]])
_PALETTE = np.array(
    [[np.interp(k, (0, 7, 14), _STOPS[:, c]) for c in range(3)] for k in range(15)]
    + [[150, 150, 150]]
).astype(np.uint8)


def cells(array: Array) -> Array:
    """Return the cells' values (at most 8, at most 8); other ranks are laid out as a matrix."""
    matrix = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    starts = [np.arange(min(n, CELLS)) * n // min(n, CELLS) for n in matrix.shape]
    with np.errstate(invalid="ignore"):
        highest = np.maximum.reduceat(np.maximum.reduceat(matrix, starts[0], 0), starts[1], 1)
        lowest = np.minimum.reduceat(np.minimum.reduceat(matrix, starts[0], 0), starts[1], 1)
        found: Array = np.where(-lowest > highest, lowest, highest)
    return found


def png(array: Array) -> bytes:
    """Return the picture of an array that has entries."""
    values = cells(array)
    finite = np.isfinite(values)
    largest = float(np.max(np.abs(values), where=finite, initial=0.0)) or 1.0
    shares = np.where(finite, values, 0) / largest
    colours = np.where(finite, np.rint(7 + 7 * shares), NOT_FINITE).astype(np.uint8)
    rows, columns = colours.shape
    padded = np.zeros((rows, columns + columns % 2), dtype=np.uint8)
    padded[:, :columns] = colours
    packed = padded[:, ::2] << 4 | padded[:, 1::2]
    data = b"".join(b"\0" + row.tobytes() for row in packed)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 4, 3, 0, 0, 0))
        + _chunk(b"PLTE", _PALETTE.tobytes())
        + _chunk(b"IDAT", zlib.compress(data, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
