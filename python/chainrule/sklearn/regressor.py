"""`MLPRegressor`: values from a multilayer perceptron."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from ..arrays import Array
from ..losses import Loss_Quantile
from ..model import Model
from .availability import stochastic_only
from .base import BasePerceptron
from .docstrings import documented
from .heads import Head, regressor_head
from .scikit_callbacks import told
from .settings import keep_parameters


@documented
class MLPRegressor(RegressorMixin, BasePerceptron):  # type: ignore[misc]
    """Multilayer perceptron for values: scikit-learn's, computed by the compiled core.

    Parameters
    ----------
    loss : str or Loss
        "squared_error": half the mean squared error over samples and outputs. "poisson": the
        deviance of counts, with an exponential as the last activation. Else a name of the core's,
        such as "huber", or a loss: `Loss_Huber(2.0)`, ``Loss_Quantile([0.1, 0.5, 0.9])`` (one
        output each), or one of your own.
    {parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    {notes}
    With several outputs the gradient is that of the loss, the mean over outputs; scikit-learn's is
    larger by their number.
    """

    _n_columns: int

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: Any = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        optimizer: Any = None,
        schedule: Any = None,
        clip_norm: float | None = None,
        dtype: str = "auto",
        callbacks: Any = (),
        n_threads: int | None = None,
    ) -> None:
        keep_parameters(self, locals())

    @told
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPRegressor:
        """Fit the net to samples and targets.

        Parameters
        ----------
        X : array_like or sparse matrix (n, d)
        y : array_like (n,) or (n, m)
        sample_weight : array_like (n,), optional
        X_val, y_val, sample_weight_val : optional
            Validated after each epoch; with `early_stopping` in the place of a share of X.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Parameters or samples that do not fit; parameters that have grown beyond all bounds.
        """
        self._train(X, y, sample_weight, (X_val, y_val, sample_weight_val), False)
        return self

    @stochastic_only
    @told
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Do one epoch over the samples; the optimizer goes on where it was.

        Parameters
        ----------
        X : array_like or sparse matrix (n, d)
        y : array_like (n,) or (n, m)
        sample_weight : array_like (n,), optional

        Returns
        -------
        self
        """
        self._train_once(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> Array:
        """Return the values (n,), or (n, m) of several outputs.

        Parameters
        ----------
        X : array_like or sparse matrix (n, d)
        """
        output = self._outputs(self._checked(X))
        return output.reshape(-1) if output.shape[1] == 1 else output

    @classmethod
    def from_model(cls, model: Model) -> MLPRegressor:
        """Return a fitted estimator around a trained model.

        Parameters
        ----------
        model : Model
            It is not copied; its last activation may be any.

        Raises
        ------
        ValueError
            A model without a dense layer or a loss.
        """
        if model.loss is None:
            raise ValueError(f"{cls.__name__}: model: expected one with a loss, got none")
        last = model.layers[-1]
        estimator: MLPRegressor = cls._around(model, Head.of_model(model, last))
        estimator.loss = model.loss
        quantiles = isinstance(model.loss, Loss_Quantile)
        estimator._n_columns = 1 if quantiles else estimator.n_outputs_
        return estimator

    def _see_targets(self, y: Any, first: bool) -> Any:
        columns = 1 if y.ndim == 1 else y.shape[1]
        if not first and columns != self._n_columns:
            raise ValueError(f"y: expected {self._n_columns} columns, got {columns}")
        self._n_columns = columns
        return y

    def _head_for(self, y: Any) -> Head:
        return regressor_head(self.loss, self._n_columns)

    def _targets(self, y: Any, dtype: np.dtype[Any]) -> Array:
        targets = y.reshape(-1, 1) if y.ndim == 1 else y
        n_outputs = self._head.n_outputs
        found: Array = self._head.loss.checked_targets(targets, "y", n_outputs, dtype)
        return found

    def _quick_targets(self, y: Any, n: int) -> Array | None:
        width = self._n_columns
        if type(y) is not np.ndarray or y.dtype.kind != "f" or y.size != n * width or y.ndim > 2:
            return None
        plain = y.ndim == 1 if width == 1 else y.ndim == 2
        if not plain or getattr(self._head.loss, "target_domain", "") != "real":
            return None
        return y.reshape(n, width) if np.isfinite(y).all() else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
