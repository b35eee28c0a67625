"""From a table to a net's inputs (n, d) in float32: numbers, missing marks, one-hot words, scaled.

========  =============================================================  =======================
column    becomes                                                        missing or never seen
========  =============================================================  =======================
numbers   itself, and a mark of missing cells where the fit saw any      the median, mark 1
2 levels  -1 and 1                                                       0
else      a column a level: 0 and 1                                      all 0
========  =============================================================  =======================

Every column that results is scaled as `RobustSmoothScaler` does.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Array
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

    Attributes
    ----------
    medians : ndarray (m,)
    marked : ndarray of int
        The columns of numbers that had missing cells.
    words : list of ndarray (levels + 1, width)
        Scaled inputs for each code of a column; the last row is for MISSING, -1.
    """

    def __init__(self, table: Table, n_levels: list[int]) -> None:
        missing = np.isnan(table.numbers)
        self.marked = np.flatnonzero(missing.any(axis=0))
        self.medians, _ = centers_and_scales(table.numbers)
        filled = self._filled(table.numbers, missing)
        self._centers, self._scales = centers_and_scales(filled)
        self.words = [scaled_levels(table.codes[:, k], count) for k, count in enumerate(n_levels)]

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self._centers) + sum(int(levels.shape[1]) for levels in self.words)

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
        for k, levels in enumerate(self.words):
            start, stop = stop, stop + levels.shape[1]
            inputs[:, start:stop] = levels[table.codes[:, k]]
        return inputs


def scaled_levels(codes: Array, count: int) -> Array:
    """Return the scaled inputs for each of `count` codes, and for MISSING in the last row.

    Only levels among `codes` get columns; the others count as missing.
    """
    present = np.unique(codes[codes != MISSING])
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
