"""Robust scaling with smooth clipping: ``x' = z / sqrt(1 + (z / 3)^2)``, ``z = s (x - median)``."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ...arrays import Array
from ..inputs import FLOATS

LIMIT = 3.0  # outputs lie within (-3, 3)


class RobustSmoothScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Scale each column by its quartiles, and bend what lies far out to within (-3, 3).

    ``s = 1 / (q75 - q25)``; where that is 0, the quartiles are those of the cells that differ from
    the median: a column that is nearly always 0 is scaled by what it is otherwise. Where that is 0
    too, as for two levels, ``s = 2 / (max - min)``, and 0 for a constant column.
    ``z = s (x - median)``; ``x' = z / sqrt(1 + (z / 3)^2)``.

    Attributes
    ----------
    center_, scale_ : ndarray (d,), float64
        Median and s of each column; missing cells (NaN) count for neither and stay missing.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart (2024), "Better by default", without the second quartiles.
    """

    center_: Array
    scale_: Array

    def fit(self, X: Any, y: Any = None) -> RobustSmoothScaler:
        """Find median and scale of each column of X (n, d)."""
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan")
        self.center_, self.scale_ = centers_and_scales(X)
        return self

    def transform(self, X: Any) -> Array:
        """Return X (n, d) scaled, a new array of its dtype, float64 where it has no floats."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan", reset=False)
        return smoothly_scaled(X, self.center_, self.scale_)

    def inverse_transform(self, X: Any) -> Array:
        """Return scaled X (n, d) in the columns' units: ``x = z / s + median``.

        ``z = x' / sqrt(1 - (x' / 3)^2)``. What is 3 or more is taken as the largest number below;
        a constant column has its constant.
        """
        from sklearn.utils import check_array

        check_is_fitted(self)
        X = check_array(X, dtype=FLOATS, ensure_all_finite="allow-nan")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"X: expected {self.n_features_in_} columns, got {X.shape[1]}")
        inside = np.nextafter(X.dtype.type(LIMIT), X.dtype.type(0))
        share = np.clip(X, -inside, inside).astype(np.float64) / LIMIT
        z = LIMIT * share / np.sqrt((1 - share) * (1 + share))
        widths = np.divide(1.0, self.scale_, out=np.zeros_like(self.scale_), where=self.scale_ > 0)
        largest = np.finfo(X.dtype).max
        with np.errstate(over="ignore"):
            restored: Array = np.clip(z * widths + self.center_, -largest, largest)
        return restored.astype(X.dtype, copy=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def centers_and_scales(X: Array) -> tuple[Array, Array]:
    """Return median and s of each column of X (n, d), in float64; 0 where all cells are missing."""
    centers, scales = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for column in range(X.shape[1]):  # one at a time: a copy of all would be as large as X
        values = X[:, column].astype(np.float64)
        values = values[~np.isnan(values)]
        if len(values):
            centers[column], scales[column] = center_and_scale(values)
    return centers, scales


def center_and_scale(values: Array) -> tuple[float, float]:
    """Return the median of values that are there, and their scale; see `RobustSmoothScaler`.

    A range too small, whose inverse overflows, counts as 0.
    """
    low, center, high = np.percentile(values, (25, 50, 75))
    if low == high:
        others = values[values != center]
        if len(others):
            low, high = np.percentile(others, (25, 75))
    with np.errstate(divide="ignore", over="ignore"):  # of the largest floats: infinity, so 0
        ranges = (1.0, high - low), (2.0, values.max() - values.min())
        for numerator, between in ranges:
            scale = np.divide(numerator, between)
            if np.isfinite(scale) and scale > 0:
                return float(center), float(scale)
    return float(center), 0.0


def smoothly_scaled(X: Array, centers: Array, scales: Array) -> Array:
    """Return ``z / sqrt(1 + (z / 3)^2)``, ``z = scales (X - centers)``, in X's dtype."""
    with np.errstate(over="ignore"):
        z = X - centers
        z *= scales
    # the largest float, not infinity, which over itself is no number
    np.clip(z, -np.finfo(np.float64).max, np.finfo(np.float64).max, out=z)
    z /= np.hypot(1.0, z / LIMIT)
    scaled: Array = z.astype(X.dtype, copy=False)
    return scaled
