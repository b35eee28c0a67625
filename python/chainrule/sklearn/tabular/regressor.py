"""`TabularRegressor`: values, or quantiles, from tables as they come."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score

from ...arrays import Array
from ...losses import Loss_MeanSquaredError, Loss_Quantile
from ..availability import with_members
from ..settings import keep_parameters
from .base import BaseTabular, HeldOut
from .docstrings import documented
from .net import Recipe


@documented
class TabularRegressor(RegressorMixin, BaseTabular):  # type: ignore[misc]
    """Multilayer perceptron for values, with defaults and preprocessing made for tables.

    Targets are standardised for the net; predictions lie within the range that the fit saw.

    Parameters
    ----------
    {parameters}
    quantiles : sequence of float, optional
        Predict these quantiles, in ascending order, instead of the mean: (n, q).

    Attributes
    ----------
    oof_prediction_ : ndarray (n,), (n, m) or (n, q)
        Predictions for each row by the member that did not train on it; NaN where there is none.
        Absent with X_val.
    {attributes}

    Notes
    -----
    {notes}
    The epoch is chosen by the root of the mean squared error, or by the pinball loss.
    """

    _n_columns: int

    def __init__(
        self,
        *,
        preset: str = "default",
        hidden_layer_sizes: Any = (256, 256, 256),
        activation: Any = "auto",
        numeric_embedding: str | None = "auto",
        categorical_features: Any = "from_dtype",
        max_onehot: int = 8,
        embedding_size: int = 8,
        quantiles: Any = None,
        learning_rate: Any = "auto",
        epochs: int = 256,
        batch_size: Any = "auto",
        dropout: Any = "auto",
        weight_decay: Any = "auto",
        ensemble: int = 1,
        combine: str = "bag",
        validation_fraction: float = 0.2,
        random_state: Any = None,
        n_threads: int | None = None,
        callbacks: Any = (),
        verbose: Any = 0,
    ) -> None:
        keep_parameters(self, locals())

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> TabularRegressor:
        """Fit one net, or the members of an ensemble.

        Parameters
        ----------
        X : frame, array_like or sparse matrix (n, d)
            Numbers, texts, categories and truth values, with missing cells.
        y : array_like (n,) or (n, m)
        sample_weight : array_like (n,), optional
        X_val, y_val, sample_weight_val : optional
            Choose the epoch of every member, instead of rows of X.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Parameters or samples that do not fit.
        FloatingPointError
            The loss grew beyond all bounds.
        """
        self._train(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        return self

    def _see_targets(self, y: Any, first: bool) -> Array:
        columns = 1 if y.ndim == 1 else y.shape[1]
        if first:
            if self.quantiles is not None and columns != 1:
                raise ValueError(f"quantiles: expected one column of y with them, got {columns}")
            self._n_columns = columns
            self._flat = y.ndim == 1
        elif columns != self._n_columns:
            raise ValueError(f"y: expected {self._n_columns} columns, got {columns}")
        targets: Array = y.reshape(len(y), -1).astype(np.float64)
        return targets

    def _recipe(self) -> Recipe:
        if self.quantiles is None:
            return self._recipe_of(self._n_columns, Loss_MeanSquaredError(), "mish")
        loss = Loss_Quantile(list(self.quantiles))
        return self._recipe_of(len(self.quantiles), loss, "mish")

    def _learn(self, held_out: list[HeldOut], n: int) -> None:
        self.__dict__.pop("oof_prediction_", None)
        if held_out[0].rows is None:
            return
        found = np.full((n, held_out[0].outputs.shape[1]), np.nan)
        for part in held_out:
            found[part.rows] = self._ordered(part.outputs)
        self.oof_prediction_ = self._shaped(found)

    def _ordered(self, outputs: Array) -> Array:
        """Return quantiles in ascending order, which is nearer to the true ones; values as is."""
        return outputs if self.quantiles is None else np.sort(outputs, axis=1)

    def _shaped(self, outputs: Array) -> Array:
        """Return one value a sample as (n,)."""
        return outputs[:, 0] if self.quantiles is None and self._flat else outputs

    def predict(self, X: Any) -> Array:
        """Return the values (n,) or (n, m), or the quantiles (n, q): the mean of the members' ones.

        Parameters
        ----------
        X : frame, array_like or sparse matrix (n, d)
        """
        parts = [np.mean(self._each(table), axis=0) for table in self._tables(X)]
        return self._shaped(np.concatenate(parts))

    @with_members
    def predict_std(self, X: Any) -> Array:
        """Return how far the members' predictions are apart: their standard deviation."""
        parts = [np.std(self._each(table), axis=0) for table in self._tables(X)]
        return self._shaped(np.concatenate(parts))

    def _each(self, table: Any) -> list[Array]:
        """Return the members' predictions."""
        return [self._ordered(member.outputs(table)) for member in self.members_]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2; with quantiles the mean over them of D2, its like for the pinball loss."""
        if self.quantiles is None:
            return float(super().score(X, y, sample_weight))
        y, predicted = np.asarray(y).reshape(len(y)), self.predict(X)
        return float(
            np.mean(
                [
                    d2_pinball_score(y, column, alpha=quantile, sample_weight=sample_weight)
                    for quantile, column in zip(self.quantiles, predicted.T, strict=True)
                ]
            )
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
