"""One temperature: ``softmax(logits / T)`` with the T that fits held-out labels best.

Of few held-out rows a net often misses none, and then no T is small enough; nothing is as sure as
that. So each label counts as right but for a share, as if a quarter of a row more had come with
another label: 1 / 120 of 30 rows, next to nothing of thousands.

Sources: Guo, Pleiss, Sun, Weinberger (2017); for targets that leave a share to the other label
Platt (1999), whose prior is four times as wide.
"""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Array

WIDEST = math.log(100.0)  # T lies between 1/100 and 100
OTHERWISE = 0.25  # rows with another label, beside those held out


def softmax(logits: Array) -> Array:
    """Return ``exp(z) / sum_j exp(z_j)`` of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    probabilities: Array = powers
    return probabilities


def temperature_of(logits: Array, labels: Array, weight: Array | None) -> float:
    """Return the T that minimises the mean of ``-sum_k q_k log softmax(logits / T)_k``.

    q is ``1 - s`` at the label and ``s / (K - 1)`` elsewhere, ``s = 1/4 / (n + 1/2)``; of rows with
    weights w there are ``n = (sum w)^2 / sum w^2``.

    Parameters
    ----------
    logits : ndarray (n, K)
    labels : ndarray (n,) of int
    weight : ndarray (n,) or None
    """
    from scipy.optimize import minimize_scalar

    weight = None if weight is None else weight / weight.max()  # of tiny ones the squares are 0
    n = len(labels) if weight is None else weight.sum() ** 2 / (weight**2).sum()
    share = OTHERWISE / (n + 2 * OTHERWISE)
    below = logits - logits.max(axis=1, keepdims=True)
    right = below[np.arange(len(labels)), labels]
    others = (below.sum(axis=1) - right) / max(logits.shape[1] - 1, 1)
    target = (1 - share) * right + share * others

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        log_sums = np.log(np.exp(below * inverse).sum(axis=1))
        return float(np.average(log_sums - target * inverse, weights=weight))

    # In 1 / T the loss is convex, so in log T it has one valley.
    found = minimize_scalar(loss, bounds=(-WIDEST, WIDEST), method="bounded")
    return math.exp(float(found.x))
