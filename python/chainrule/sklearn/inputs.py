"""Samples: the long check that scikit-learn makes, and the short one for plain arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from .. import _core
from ..arrays import Array

FLOATS = (np.float64, np.float32)
BLOCK = 1 << 22  # values of a sparse matrix that are made dense at a time


def training_samples(estimator: Any, X: Any, y: Any, *, reset: bool, numeric: bool) -> Any:
    """Return X as float32 or float64 (n, d), dense, and y as scikit-learn checks it."""
    X, y = validate_data(
        estimator,
        X,
        y,
        accept_sparse=["csr", "csc"],
        multi_output=True,
        y_numeric=numeric,
        dtype=FLOATS,
        reset=reset,
    )
    return dense(X), y


def dense(X: Any) -> Array:
    """Return a sparse matrix as an array; the net reads dense rows."""
    array: Array = X.toarray() if hasattr(X, "toarray") else X
    return array


def is_plain(X: Any, n_features: int) -> bool:
    """Tell whether X is a C-contiguous matrix of finite floats with so many columns.

    The sum, in double, is finite where all are, unless it overflows: then the long check decides.
    """
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == n_features
        and X.shape[0] > 0
        and X.dtype in FLOATS
        and X.flags.c_contiguous
        and math.isfinite(_core.sum(X.reshape(-1)))
    )


def checked_samples(estimator: Any, X: Any) -> Any:
    """Return X (n, d) as it can be predicted for: an array, or a sparse matrix in rows.

    Raises
    ------
    TypeError, ValueError
        What scikit-learn raises: other columns, names or dtypes, NaN and infinity.
    """
    state = estimator.__dict__
    if X is state.get("_trusted"):
        return X
    if "feature_names_in_" not in state and is_plain(X, state["n_features_in_"]):
        return X
    return validate_data(estimator, X, accept_sparse=["csr", "csc"], reset=False)


def blocks(X: Any, rows: int) -> Iterator[tuple[slice, Array]]:
    """Yield X some rows at a time, dense."""
    if hasattr(X, "toarray"):
        X = X.tocsr()
        rows = min(rows, max(1, BLOCK // max(X.shape[1], 1)))
    for start in range(0, X.shape[0], rows):
        place = slice(start, start + rows)
        yield place, dense(X[place])
