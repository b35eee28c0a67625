"""Periodic features: ``x -> (x, sin(2 pi c x), cos(2 pi c x))`` with k random frequencies c."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from ...arrays import Array
from ..inputs import FLOATS
from ..settings import Check, anything, check_each, count, flag, keep_parameters, positive

CHECKS: dict[str, Check] = {
    "n_frequencies": count,
    "sigma": positive,
    "include_original": flag,
    "random_state": anything,
}


class PeriodicFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Describe each column by sines and cosines of random frequencies, drawn in the fit.

    ``v = 2 pi (c_1 x, ..., c_k x)``, each ``c ~ N(0, sigma^2)``; column x becomes
    ``(x, sin v_1, ..., sin v_k, cos v_1, ..., cos v_k)``. A net that gets x alone learns smooth
    functions of it first; with these it can follow fast ones. The columns should have one scale,
    as behind `RobustSmoothScaler`: ``1 / sigma`` is a period in their units.

    Parameters
    ----------
    n_frequencies : int
        k, of each column.
    sigma : float
        Standard deviation of the frequencies.
    include_original : bool
        Whether x itself stands before its sines.
    random_state : int, RandomState or None

    Attributes
    ----------
    frequencies_ : ndarray (d, k), float64
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Missing cells (NaN) stay missing, in all features of their column.

    References
    ----------
    Gorishniy, Rubachev, Babenko (2022), "On embeddings for numerical features in tabular deep
    learning", where frequencies are learned on; Rahimi, Recht (2007) for random ones.
    """

    frequencies_: Array

    def __init__(
        self,
        n_frequencies: int = 16,
        *,
        sigma: float = 0.1,
        include_original: bool = True,
        random_state: Any = None,
    ) -> None:
        keep_parameters(self, locals())

    def fit(self, X: Any, y: Any = None) -> PeriodicFeatures:
        """Draw the frequencies of each column of X (n, d).

        Raises
        ------
        TypeError, ValueError
            Parameters out of range, samples that do not fit.
        """
        check_each(self, CHECKS)
        validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan")
        rng = check_random_state(self.random_state)
        shape = self.n_features_in_, self.n_frequencies
        self.frequencies_ = self.sigma * rng.standard_normal(shape)
        return self

    def transform(self, X: Any) -> Array:
        """Return the features (n, d (2 k + 1)), column by column, or (n, 2 d k) without x itself.

        Their dtype is that of X, float64 where it has no floats.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan", reset=False)
        first, k = int(self.include_original), self.frequencies_.shape[1]
        features = np.empty((*X.shape, first + 2 * k), dtype=X.dtype)
        if first:
            features[:, :, 0] = X
        # whole turns are taken away in units of turns, before 2 pi makes them inexact
        turns = np.clip(X.astype(np.float64), -LARGEST, LARGEST)[:, :, None] * self.frequencies_
        angles = 2 * np.pi * (turns - np.rint(turns))
        features[:, :, first : first + k] = np.sin(angles)
        features[:, :, first + k :] = np.cos(angles)
        found: Array = features.reshape(len(X), -1)
        return found

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return ``a, a_sin1, ..., a_cos1, ...`` for each column a."""
        check_is_fitted(self)
        places = range(1, self.frequencies_.shape[1] + 1)
        waves = [f"_{wave}{place}" for wave in ("sin", "cos") for place in places]
        ends = [""] * int(self.include_original) + waves
        columns = _check_feature_names_in(self, input_features)
        return np.array([f"{column}{end}" for column in columns for end in ends], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


LARGEST = 1e300  # times a frequency it is finite; so large a number has no phase any more
