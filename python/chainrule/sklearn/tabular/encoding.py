"""From a table to a net's inputs (n, d) in float32: numbers, missing marks, words, in this order.

================  =====================================================  =====================
column            becomes                                                missing or never seen
================  =====================================================  =====================
numbers           itself, and a mark of missing cells where there were   the median, mark 1
                  any in the fit
2 levels          -1 and 1                                               0
to `max_onehot`   a column a level: 0 and 1                              all 0
more levels       a code from 1, for a learned table                     code 0
================  =====================================================  =====================

Every column that results is scaled as `RobustSmoothScaler` does, but for codes, which come last.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Array
from .net import Columns
from .smooth_scaler import centers_and_scales, smoothly_scaled
from .table import MISSING, Table


class Encoding:
    """The inputs of one net, learned from its training rows.

    Parameters
    ----------
    table : Table
        The training rows.
    n_levels : sequence of int
        Levels of each column of words.
    max_onehot : int, optional
        Columns with more levels in the training rows become codes; none without it.

    Attributes
    ----------
    medians : ndarray (m,)
    marked : ndarray of int
        The columns of numbers that had missing cells.
    words : list of ndarray (levels + 1, width)
        The inputs for each level of a column; the last row is for MISSING, -1.
    sizes : ndarray of int
        For each column of words the number of its codes; 0 where it has none.
    """

    def __init__(self, table: Table, n_levels: list[int], max_onehot: int | None = None) -> None:
        missing = np.isnan(table.numbers)
        self.marked = np.flatnonzero(missing.any(axis=0))
        self.medians, _ = centers_and_scales(table.numbers)
        filled = self._filled(table.numbers, missing)
        self._centers, self._scales = centers_and_scales(filled)
        self.words: list[Array] = []
        self.sizes = np.zeros(len(n_levels), dtype=np.int64)
        for k, count in enumerate(n_levels):
            present = levels_among(table.codes[:, k])
            if max_onehot is not None and len(present) > max_onehot:
                self.words.append(numbered_levels(present, count))
                self.sizes[k] = len(present) + 1
            else:
                self.words.append(scaled_levels(table.codes[:, k], present, count))

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self._centers) + sum(int(levels.shape[1]) for levels in self.words)

    @property
    def columns(self) -> Columns:
        """What the inputs are."""
        coded = self.sizes[self.sizes > 0]
        return Columns(self.width, len(self.medians), tuple(coded.tolist()))

    def _filled(self, numbers: Array, missing: Array) -> Array:
        """Return numbers with medians for missing cells, and the marks behind them."""
        filled = np.where(missing, self.medians, numbers)
        if not len(self.marked):
            return filled
        return np.concatenate([filled, missing[:, self.marked]], axis=1)

    def __call__(self, table: Table) -> Array:
        """Return the inputs (n, width)."""
        inputs = np.empty((len(table), self.width), dtype=np.float32)
        filled = self._filled(table.numbers, np.isnan(table.numbers))
        stop = filled.shape[1]
        inputs[:, :stop] = smoothly_scaled(filled, self._centers, self._scales)
        for k in np.argsort(self.sizes > 0, kind="stable"):  # codes come last
            start, stop = stop, stop + self.words[k].shape[1]
            inputs[:, start:stop] = self.words[k][table.codes[:, k]]
        return inputs


def levels_among(codes: Array) -> Array:
    """Return the levels that a column's cells have; the others count as missing."""
    found: Array = np.unique(codes[codes != MISSING])
    return found


def numbered_levels(present: Array, count: int) -> Array:
    """Return the code of each of `count` levels: from 1 where it is present, else 0."""
    codes = np.zeros((count + 1, 1), dtype=np.float32)
    codes[present, 0] = np.arange(1, len(present) + 1)
    return codes


def scaled_levels(codes: Array, present: Array, count: int) -> Array:
    """Return the scaled inputs for each of `count` levels, and for MISSING in the last row.

    Only levels that are present among the cells' `codes` get columns.
    """
    if len(present) == 2:
        plain = np.zeros((count + 1, 1))
        plain[present, 0] = -1, 1
    else:
        plain = np.zeros((count + 1, max(len(present), 1)))
        plain[present, np.arange(len(present))] = 1
    often = np.bincount(np.where(codes == MISSING, count, codes), minlength=count + 1)
    columns = [centers_and_scales(np.repeat(column, often)[:, None]) for column in plain.T]
    centers = np.concatenate([center for center, _ in columns])
    scales = np.concatenate([scale for _, scale in columns])
    return smoothly_scaled(plain, centers, scales).astype(np.float32)
