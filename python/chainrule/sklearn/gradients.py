"""A net's loss and gradient as a function of one flat vector of parameters, in double."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from .validation import Samples


class Gradient:
    """``gradient(flat) -> (loss, slope)`` over all samples, penalties included.

    Parameters
    ----------
    model : Model
    samples : Samples
    """

    def __init__(self, model: Any, samples: Samples) -> None:
        self.model, self.samples = model, samples
        self._slope = model.flat_parameters()

    def parameters(self) -> Array:
        """Return the parameters as they are, one vector."""
        flat: Array = self.model.flat_parameters().astype(np.float64)
        return flat

    def take(self, flat: Array) -> None:
        """Write a vector to the layers' arrays.

        Raises
        ------
        ValueError
            A value that is not finite.
        """
        self.model.set_flat_parameters(flat)

    def __call__(self, flat: Array) -> tuple[float, Array]:
        """Return the loss and its gradient at `flat`."""
        self.take(flat)
        X, _, targets, weight = self.samples
        loss, _ = self.model.gradients(X, targets, sample_weight=weight, out=self._slope)
        return loss, self._slope.astype(np.float64)
