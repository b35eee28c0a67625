"""One temperature: ``softmax(logits / T)`` with the T that fits held-out labels best.

Source: Guo, Pleiss, Sun, Weinberger (2017).
"""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Array

WIDEST = math.log(100.0)  # T lies between 1/100 and 100


def softmax(logits: Array) -> Array:
    """Return ``exp(z) / sum_j exp(z_j)`` of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    probabilities: Array = powers
    return probabilities


def temperature_of(logits: Array, labels: Array, weight: Array | None) -> float:
    """Return the T that minimises the mean of ``-log softmax(logits / T)[label]``.

    Parameters
    ----------
    logits : ndarray (n, K)
    labels : ndarray (n,) of int
    weight : ndarray (n,) or None
    """
    from scipy.optimize import minimize_scalar

    right = logits[np.arange(len(labels)), labels]
    below = logits - logits.max(axis=1, keepdims=True)
    right = right - logits.max(axis=1)

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        log_sums = np.log(np.exp(below * inverse).sum(axis=1))
        return float(np.average(log_sums - right * inverse, weights=weight))

    # In 1 / T the loss is convex, so in log T it has one valley.
    found = minimize_scalar(loss, bounds=(-WIDEST, WIDEST), method="bounded")
    return math.exp(float(found.x))
