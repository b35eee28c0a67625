"""A target's units: standardised for a net, ``(y - mean) / std``, and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arrays import Array


class Units(NamedTuple):
    """Mean, standard deviation (1 for a constant), least and largest of each column (m,)."""

    mean: Array
    std: Array
    least: Array
    largest: Array

    @classmethod
    def of(cls, y: Array, weight: Array | None) -> Units:
        """Return the units of y (n, m), float64."""
        if weight is not None and not weight.any():
            weight = None  # nothing will be trained on
        mean = np.average(y, axis=0, weights=weight)
        std = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weight))
        std[~(std > np.finfo(np.float64).eps * np.abs(mean))] = 1.0  # constant but for rounding
        return cls(mean, std, y.min(axis=0), y.max(axis=0))

    def standardised(self, y: Array) -> Array:
        """Return y (n, m) as a net takes it, in float32."""
        found: Array = ((y - self.mean) / self.std).astype(np.float32)
        return found

    def restored(self, outputs: Array) -> Array:
        """Return outputs (n, m) in the target's units and within its range."""
        found: Array = np.clip(outputs * self.std + self.mean, self.least, self.largest)
        return found
