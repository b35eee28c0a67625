"""The first weights and biases of dense layers: drawn, or drawn and fitted to the training rows.

Without rows ``W ~ N(0, 1)`` over ``sqrt(d)`` and ``b ~ N(0, 1)``. With rows, layer by layer: each
column of W is divided by the standard deviation of its products ``z = X W`` over the rows, so that
they have variance 1; b is minus a random convex mix of five rows' z, each neuron's own, so that its
activation bends within the data.

Sources: Holzmüller, Grinsztajn, Steinwart (2024), appendix A; Steinwart (2019), "A sober look at
neural network initializations", for biases from five points.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from ...arrays import Array
from ...layers import Layer_Dense

MIXED = 5
MOST_ROWS = 16384  # of which standard deviations are known to 1 %
BIAS_RATE = 0.1  # times the rate


class Rows:
    """Training rows on their way through the layers that a net has so far; None for nets without.

    Parameters
    ----------
    X : ndarray (n, d), optional
        Some of them serve where they are many.
    rng : numpy.random.Generator
    """

    def __init__(self, X: Array | None, rng: np.random.Generator) -> None:
        if X is not None and len(X) > MOST_ROWS:
            X = X[np.sort(rng.choice(len(X), MOST_ROWS, replace=False))]
        self.rows = X
        self.rng = rng

    def through(self, layer: Any) -> Any:
        """Run the rows through a layer, which keeps none of them; return it."""
        if self.rows is not None:
            self.rows = copy.copy(layer).forward(self.rows, training=False)
        return layer

    def dense(self, d: int, m: int) -> Layer_Dense:
        """Return the next dense layer, d inputs and m neurons."""
        weights = self.rng.standard_normal((d, m))
        if self.rows is None:
            return dense_of(weights / math.sqrt(d), self.rng.standard_normal((1, m)))
        # the products of a layer, whose bits do not depend on threads
        products = dense_of(weights, np.zeros((1, m))).forward(self.rows).astype(np.float64)
        spread = products.std(axis=0)
        rounding = np.finfo(np.float32).eps * np.abs(products).max(axis=0)
        spread = np.where(spread > rounding, spread, math.sqrt(d))  # as drawn, for equal rows
        picked = self.rng.integers(len(products), size=(MIXED, m))
        shares = self.rng.standard_exponential((MIXED, m))
        mixes = (products[picked, np.arange(m)] * shares).sum(axis=0) / shares.sum(axis=0)
        return dense_of(weights / spread, -(mixes / spread)[None])


def dense_of(weights: Array, biases: Array) -> Layer_Dense:
    """Return a dense layer whose steps are those of ``W = sqrt(d) w``."""
    root = math.sqrt(len(weights))
    return Layer_Dense(
        *weights.shape,
        weights=weights.astype(np.float32),
        biases=biases.astype(np.float32),
        learning_rate_factor=(1 / root, BIAS_RATE),
        epsilon_factor=(root, 1.0),
    )
