"""Piecewise linear encoding: how far a number has come through each of its column's bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from ...arrays import Array
from ..inputs import FLOATS
from ..settings import Check, anything, check_each, count, keep_parameters, one_of

CHECKS: dict[str, Check] = {
    "n_bins": count,
    "bins": one_of("quantiles", "classes", "values"),
    "min_samples_leaf": count,
    "random_state": anything,
}


class PiecewiseLinearFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encode each column by its bins, like a one-hot code that knows distances.

    With the edges ``b_0 < b_1 < ... < b_T`` of a column, x becomes ``(e_1, ..., e_T)``,
    ``e_t = (x - b_(t-1)) / (b_t - b_(t-1))``, where that is below 0 it is 0 except for the first
    bin, where it is above 1 it is 1 except for the last: beyond its edges the code goes on as a
    straight line. A linear layer on it is a piecewise linear function of x.

    Parameters
    ----------
    n_bins : int
        At most so many for each column; equal edges are one.
    bins : {"quantiles", "classes", "values"}
        "quantiles": as many training rows in each, ``b_t`` the t/T-quantile. "classes", "values":
        the thresholds of a decision tree that tells y by the column alone, y being labels, or
        numbers (n,) or (n, m).
    min_samples_leaf : int
        Training rows in each of a tree's bins, at least.
    random_state : int, RandomState or None
        Breaks ties of the trees.

    Attributes
    ----------
    edges_ : list of ndarray (T + 1,), float64
        Of each column; for a constant one twice the constant, and its code is 0.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Missing cells (NaN) do not count in the fit and stay missing, in all codes of their column.

    References
    ----------
    Gorishniy, Rubachev, Babenko (2022), "On embeddings for numerical features in tabular deep
    learning", sections 3.2.1 (quantiles) and 3.2.2 (bins by the target).
    """

    edges_: list[Array]

    def __init__(
        self,
        n_bins: int = 48,
        *,
        bins: str = "quantiles",
        min_samples_leaf: int = 64,
        random_state: Any = None,
    ) -> None:
        keep_parameters(self, locals())

    def fit(self, X: Any, y: Any = None) -> PiecewiseLinearFeatures:
        """Find the edges of each column of X (n, d).

        Parameters
        ----------
        X : array_like (n, d)
        y : array_like (n,) or (n, m)
            Labels for ``bins="classes"``, numbers for "values"; not used for "quantiles".

        Raises
        ------
        TypeError, ValueError
            Parameters out of range, samples that do not fit, no y where bins need one.
        """
        check_each(self, CHECKS)
        settings: dict[str, Any] = {"dtype": FLOATS, "ensure_all_finite": "allow-nan"}
        if self.bins == "quantiles":
            X = validate_data(self, X, **settings)
            self.edges_ = [quantile_edges(known(column), self.n_bins) for column in X.T]
            return self
        if y is None:
            raise ValueError(
                f"requires y to be passed, but the target y is None: bins={self.bins!r} are found "
                "by it"
            )
        several = self.bins == "values"
        X, y = validate_data(self, X, y, multi_output=several, y_numeric=several, **settings)
        self.edges_ = [self._tree_edges(column, y) for column in X.T]
        return self

    def _tree_edges(self, column: Array, y: Array) -> Array:
        """Return the ends of a column, and between them the thresholds of a tree."""
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        there = ~np.isnan(column)
        column = column[there].astype(np.float64)
        if self.n_bins == 1 or not len(column):
            return quantile_edges(column, 1)
        kind = DecisionTreeClassifier if self.bins == "classes" else DecisionTreeRegressor
        tree = kind(
            max_leaf_nodes=self.n_bins,
            min_samples_leaf=self.min_samples_leaf,
            random_state=self.random_state,
        )
        # the tree compares in float32, so it gets ranks, which are exact there
        levels, ranks = np.unique(column, return_inverse=True)
        found = tree.fit(ranks.reshape(-1, 1), y[there]).tree_
        below = np.floor(found.threshold[found.feature >= 0]).astype(np.intp)
        middles = levels[below] / 2 + levels[below + 1] / 2
        return edges_of(np.concatenate([levels[[0, -1]], middles]))

    def transform(self, X: Any) -> Array:
        """Return the codes (n, sum of bins), column by column, in X's dtype (float64 for ints)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan", reset=False)
        widths = [len(edges) - 1 for edges in self.edges_]
        codes = np.empty((len(X), sum(widths)), dtype=X.dtype)
        stop = 0
        for column, edges, width in zip(X.T, self.edges_, widths, strict=True):
            start, stop = stop, stop + width
            codes[:, start:stop] = encoded(column.astype(np.float64), edges, X.dtype)
        return codes

    def inverse_transform(self, X: Any) -> Array:
        """Return the numbers (n, d) of codes (n, sum of bins): ``b_0 + sum_t e_t (b_t - b_(t-1))``.

        Raises
        ------
        ValueError
            Another number of codes.
        """
        from sklearn.utils import check_array

        check_is_fitted(self)
        codes = check_array(X, dtype=FLOATS, ensure_all_finite="allow-nan")
        stops = np.cumsum([len(edges) - 1 for edges in self.edges_])
        if codes.shape[1] != stops[-1]:
            raise ValueError(f"X: expected {stops[-1]} columns of codes, got {codes.shape[1]}")
        parts = np.split(codes, stops[:-1], axis=1)
        columns = [
            edges[0] + part.astype(np.float64) @ np.diff(edges)
            for part, edges in zip(parts, self.edges_, strict=True)
        ]
        numbers: Array = np.column_stack(columns).astype(codes.dtype)
        return numbers

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return ``a_bin1, a_bin2, ...`` for each column a."""
        check_is_fitted(self)
        columns = _check_feature_names_in(self, input_features)
        return np.array(
            [
                f"{column}_bin{place}"
                for column, edges in zip(columns, self.edges_, strict=True)
                for place in range(1, len(edges))
            ],
            dtype=object,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = self.bins != "quantiles"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def known(column: Array) -> Array:
    """Return the cells that are not missing, in float64."""
    return column[~np.isnan(column)].astype(np.float64)


def quantile_edges(values: Array, count: int) -> Array:
    """Return the edges of `count` bins with as many values in each; of fewer where edges agree."""
    if not len(values):
        return np.zeros(2)
    shares = np.linspace(0, 1, count + 1)
    middles = np.quantile(values, shares[1:-1], method="closest_observation")
    return edges_of(np.concatenate([[values.min(), values.max()], middles]))


def edges_of(values: Array) -> Array:
    """Return values in ascending order, each once; a single one twice."""
    edges: Array = np.unique(values)
    return np.repeat(edges, 2) if len(edges) == 1 else edges


def encoded(column: Array, edges: Array, dtype: Any) -> Array:
    """Return the codes (n, T) of a column (n,), both in float64, none beyond the dtype's range."""
    with np.errstate(over="ignore", invalid="ignore"):
        # halves, where a bin is wider than the largest number
        half = np.where(np.isfinite(np.diff(edges)), 1.0, 0.5)
        low, high = edges[:-1] * half, edges[1:] * half
        width = np.where(high > low, high - low, np.inf)  # a constant column's code is 0
        codes: Array = (column[:, None] * half - low) / width
    codes[:, 1:] = np.maximum(codes[:, 1:], 0)
    codes[:, :-1] = np.minimum(codes[:, :-1], 1)
    largest = np.finfo(dtype).max
    return np.clip(codes, -largest, largest, out=codes)
