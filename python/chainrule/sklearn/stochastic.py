"""Which solvers go step by step, so that there is a `partial_fit`."""

from __future__ import annotations

from typing import Any


def is_stochastic(estimator: Any) -> bool:
    """Tell so; an AttributeError says why there is no `partial_fit` otherwise."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit: expected solver='adam' or 'sgd', got 'lbfgs'")
    return True
