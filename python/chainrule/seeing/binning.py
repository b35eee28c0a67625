"""Values in bins, for any finite values: huge ones, and ones that hardly differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SMALLEST_RANGE = 1e-9  # of the largest value: below that all are taken for one


def binned(values: NDArray[np.float64], bins: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return how many values lie in each bin, and the bins' edges, from the least to the greatest.

    Values that hardly differ stand in the middle of a range round them. All must be finite, and one
    at least there.
    """
    low, high = float(values.min()), float(values.max())
    scale = max(abs(low), abs(high)) or 1.0
    ends = low / scale, high / scale  # their difference is finite, that of low and high need not be
    if ends[1] - ends[0] < SMALLEST_RANGE:
        counts, edges = np.histogram(values / scale, bins, range=(ends[0] - 0.5, ends[1] + 0.5))
        return counts, edges * scale
    counts, edges = np.histogram(values / scale, bins, range=ends)
    edges *= scale
    edges[0], edges[-1] = low, high
    return counts, edges
