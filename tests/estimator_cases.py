"""Samples and pairs of estimators, ours and scikit-learn's, for the tests of the estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn.neural_network
from numpy.typing import NDArray

import chainrule.sklearn

Array = NDArray[Any]


def classes(n: int = 70, d: int = 5, k: int = 3, dtype: Any = np.float64) -> tuple[Array, Array]:
    """Return samples near k centres, and the number of the centre."""
    rng = np.random.default_rng(k)
    y = rng.integers(0, k, n)
    y[:k] = np.arange(k)
    X = rng.normal(size=(k, d))[y] + 0.7 * rng.normal(size=(n, d))
    return X.astype(dtype), y


def labels(n: int = 70, d: int = 5, m: int = 3, dtype: Any = np.float64) -> tuple[Array, Array]:
    """Return samples and indicators (n, m) of several labels."""
    rng = np.random.default_rng(m)
    X = rng.normal(size=(n, d))
    return X.astype(dtype), (X @ rng.normal(size=(d, m)) > 0.3).astype(int)


def values(n: int = 70, d: int = 5, m: int = 0, dtype: Any = np.float64) -> tuple[Array, Array]:
    """Return samples and values (n,), or (n, m)."""
    rng = np.random.default_rng(17 + m)
    X = rng.normal(size=(n, d))
    y = np.tanh(X @ rng.normal(size=(d, m or 1))) + 0.1 * rng.normal(size=(n, m or 1))
    return X.astype(dtype), (y if m else y[:, 0]).astype(dtype)


def counts(n: int = 70, d: int = 5, m: int = 0, dtype: Any = np.float64) -> tuple[Array, Array]:
    """Return samples and counts."""
    X, y = values(n, d, m, dtype)
    return X, np.random.default_rng(0).poisson(np.exp(y)).astype(dtype)


def pair(kind: str, **parameters: Any) -> tuple[Any, Any]:
    """Return our estimator and scikit-learn's with the same parameters."""
    parameters = {"random_state": 3, "max_iter": 12, "hidden_layer_sizes": (9, 4), **parameters}
    ours = getattr(chainrule.sklearn, kind)(**parameters)
    theirs = getattr(sklearn.neural_network, kind)(**parameters)
    return ours, theirs


def parameters_of(estimator: Any) -> list[Array]:
    """Return weights and biases."""
    return [*estimator.coefs_, *estimator.intercepts_]


def assert_same_net(ours: Any, theirs: Any, tolerance: float) -> None:
    """Compare all parameters and the losses of all epochs."""
    for mine, other in zip(parameters_of(ours), parameters_of(theirs), strict=True):
        assert mine.dtype == other.dtype and mine.shape == other.shape
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=tolerance, atol=tolerance)
