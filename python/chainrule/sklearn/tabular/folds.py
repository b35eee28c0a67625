"""Which rows a member trains on, and which it is validated with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from ...arrays import Array

Parts = list[tuple[Array, Array]]


def parts_of(n: int, labels: Array | None, members: int, fraction: float, seed: Any) -> Parts:
    """Return training and validation rows of each member, in ascending order.

    One member holds a share back; several the parts of a division into ``1 / fraction`` or as many
    as there are members, the larger. With labels (n,) each class is divided alike, as far as it
    has enough rows.

    Raises
    ------
    ValueError
        Fewer than two rows.
    """
    if n < 2:
        raise ValueError(
            f"expected at least 2 samples to train and validate with, got n_samples = {n}"
        )
    rng = np.random.RandomState(seed)
    if members == 1:
        parts = [held_back(n, labels, fraction, rng)]
    else:
        parts = divided(n, labels, max(members, round(1 / fraction)), rng)[:members]
    return [(np.sort(kept), np.sort(held)) for kept, held in parts]


def held_back(
    n: int, labels: Array | None, fraction: float, rng: np.random.RandomState
) -> tuple[Array, Array]:
    """Return the rows that are left, and those held back."""
    held = min(max(round(fraction * n), 1), n - 1)
    if labels is not None:
        counts = np.bincount(labels)
        labels = np.where(counts[labels] < 2, counts.argmax(), labels)  # one row cannot be divided
        if len(np.unique(labels)) > min(held, n - held) or np.bincount(labels).max() < 2:
            labels = None
    kept, others = train_test_split(np.arange(n), test_size=held, random_state=rng, stratify=labels)
    return kept, others


def divided(n: int, labels: Array | None, count: int, rng: np.random.RandomState) -> Parts:
    """Return the parts of a division into `count`, at most n."""
    if count > n:
        raise ValueError(f"ensemble: expected at most n_samples = {n} members, got {count}")
    places = np.arange(n)
    if labels is None or np.bincount(labels).max() < count:
        return list(KFold(count, shuffle=True, random_state=rng).split(places))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        return list(StratifiedKFold(count, shuffle=True, random_state=rng).split(places, labels))
