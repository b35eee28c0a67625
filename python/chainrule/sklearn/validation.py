"""Samples held back from a fit: some of its own, or those that were given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from ..arrays import Array


class Samples(NamedTuple):
    """Samples of a fit: X, y as it came, targets as the net takes them, weights or None."""

    X: Array
    y: Array
    targets: Array
    weight: Array | None

    def rows(self, places: Array) -> Samples:
        """Return some of the samples."""
        weight = None if self.weight is None else self.weight[places]
        return Samples(self.X[places], self.y[places], self.targets[places], weight)


Validation = Samples


def split(
    samples: Samples, fraction: float, rng: np.random.RandomState, stratify: bool
) -> tuple[Samples, Samples]:
    """Return training and validation samples, as scikit-learn draws them.

    Raises
    ------
    ValueError
        Fewer than two samples held back.
    """
    places = np.arange(len(samples.X))
    kept, held = train_test_split(
        places,
        random_state=rng,
        test_size=fraction,
        stratify=samples.y if stratify else None,
    )
    if len(held) < 2:
        raise ValueError(
            f"validation_fraction: expected at least 2 samples held back, got {len(held)} of "
            f"{len(places)}; give a larger share or more samples"
        )
    return samples.rows(kept), samples.rows(held)


class Orders:
    """The orders of the samples in a fit's epochs: each shuffles the one before, as scikit-learn's.

    It stands where a request has a generator.
    """

    def __init__(self, rng: np.random.RandomState) -> None:
        self.rng = rng
        self.order: Array | None = None

    def permutation(self, n: int) -> Array:
        """Return the next order of n samples."""
        places = np.arange(n)
        self.rng.shuffle(places)
        self.order = places if self.order is None else self.order[places]
        return self.order
