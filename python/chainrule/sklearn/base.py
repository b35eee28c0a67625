"""What classifier and regressor share: fits, outputs, and the attributes of scikit-learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ..arrays import Array
from ..layers import Layer_Dense
from ..model import Model
from ..runtime import threads_limited_to
from ..training.weights import checked_weights
from . import quasi_newton, stopping
from .construction import fits, new_model, new_optimizer, set_up
from .epochs import Fit, all_finite
from .heads import Head
from .inputs import FLOATS, blocks, checked_samples, dense, training_samples
from .saved import Saved
from .scikit_callbacks import Reporter, Supporting
from .settings import check_parameters, hidden_sizes, stops_early
from .steps import keep_steps, step_quickly
from .validation import Samples, split

Held = tuple[Any, Any, Any]  # X_val, y_val, sample_weight_val

ROWS = 65536  # of samples whose outputs are held at a time
OF_THE_MOMENT = ("_trusted", "_steps")  # left out of pickles and copies


class BasePerceptron(Saved, Supporting, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of the estimators; a subclass says what targets are and what outputs mean.

    Attributes
    ----------
    model_ : Model
        The net itself: for `gradcheck`, `save`, plots; without an estimator it predicts the last
        layer's output.
    """

    _classifies = False
    model_: Model
    _head: Head
    _incremental = False

    @abstractmethod
    def _head_for(self, y: Any) -> Head:
        """Return what the net ends with, for targets as they came."""

    @abstractmethod
    def _targets(self, y: Any, dtype: np.dtype[Any]) -> Array:
        """Return the targets as the net takes them."""

    @abstractmethod
    def _see_targets(self, y: Any, first: bool) -> Any:
        """Learn or check what the targets may be; return them as they will be split and scored."""

    def _class_factors(self, y: Any) -> Array | None:
        """Return what class weights make of each sample's weight."""
        return None

    # --- fitting ----------------------------------------------------------------------------------

    def _train(self, X: Any, y: Any, sample_weight: Any, held: Held, incremental: bool) -> None:
        """Do what `fit` and `partial_fit` share; what is refused changes nothing."""
        before = dict(self.__dict__)
        try:
            samples, validation, rng = self._prepare(X, y, sample_weight, held, incremental)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        raw = {"X": X, "y": y}
        if sample_weight is not None:
            raw["metadata"] = {"sample_weight": sample_weight}
        reporter = Reporter(self, raw, 1 if incremental else int(self.max_iter))
        try:
            with threads_limited_to(self.n_threads):
                if self.solver == "lbfgs":
                    quasi_newton.minimise(self, self._head, samples)
                else:
                    epochs = 1 if incremental else int(self.max_iter)
                    Fit(self, self._head, samples, validation, epochs, rng).run(reporter)
        finally:
            self.__dict__.pop("_trusted", None)
        if not all_finite(self._arrays()):
            raise ValueError(
                "Solver produced non-finite parameter weights; expected samples of a moderate "
                "size, scale them first"
            )
        reporter.finish(self)

    def _prepare(
        self, X: Any, y: Any, sample_weight: Any, held: Held, incremental: bool
    ) -> tuple[Samples, Samples | None, np.random.RandomState]:
        """Check everything, begin a net or go on with one; return what is trained on."""
        check_parameters(self)
        sizes = hidden_sizes(self.hidden_layer_sizes)
        first = "model_" not in self.__dict__ or (not self.warm_start and not incremental)
        self._incremental = incremental
        if incremental and stops_early(self):
            raise ValueError(
                "early_stopping: expected False for partial_fit, which does one epoch, got "
                f"{self.early_stopping!r}"
            )
        X, y = training_samples(self, X, y, reset=first, numeric=not self._classifies)
        y = self._see_targets(one_column(dense(y)), first)
        rng = check_random_state(self.random_state)
        if first:
            self._head = self._head_for(y)
        else:
            self._check_sizes(sizes)
        dtype = self._dtype(X, first)
        samples = Samples(X, y, self._targets(y, dtype), weights_of(sample_weight, X))
        validation = self._given(held, dtype)
        if first:
            model = new_model(self, X.shape[1], sizes, self._head, dtype, rng)
            self._begin(model, self._head, len(sizes))
        self._attach_optimizer(first, incremental)
        if stops_early(self) and validation is None and self.solver != "lbfgs":
            stratify = self._classifies and self.n_outputs_ == 1
            samples, validation = split(samples, self.validation_fraction, rng, stratify)
        if validation is not None and "validation_loss_curve_" not in self.__dict__:
            self.validation_loss_curve_: list[float] = []
        weight = combined(samples.weight, self._class_factors(samples.y))
        return samples._replace(weight=weight), validation, rng

    def _check_sizes(self, sizes: list[int]) -> None:
        """Refuse to go on with a net of other hidden layers than the parameters say."""
        found = [layer.n_neurons for layer in self._dense_layers()[:-1]]
        if sizes != found:
            raise ValueError(
                f"hidden_layer_sizes: expected {found}, as the net that the fit goes on with has, "
                f"got {sizes}"
            )

    def _dtype(self, X: Array, first: bool) -> np.dtype[Any]:
        """Return the net's dtype: that of the samples with "auto"."""
        if not first:
            found: np.dtype[Any] = self._dense_layers()[0].dtype
            return found
        return X.dtype if self.dtype == "auto" else np.dtype(self.dtype)

    def _given(self, held: Held, dtype: Any) -> Samples | None:
        """Return the validation samples that `fit` was given, checked; None without any."""
        X, y, weight = held
        if X is None and y is None and weight is None:
            return None
        if X is None or y is None:
            raise ValueError("X_val: expected y_val with it, got one of them alone")
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=not self._classifies,
            dtype=FLOATS,
            reset=False,
        )
        X, y = dense(X), self._see_targets(one_column(dense(y)), False)
        return Samples(X, y, self._targets(y, dtype), weights_of(weight, X))

    def _begin(self, model: Model, head: Head, n_hidden: int) -> None:
        """Take a new net, and set the attributes of a first fit."""
        self.model_, self._head = model, head
        self.__dict__.pop("_steps", None)
        self.n_outputs_ = head.n_outputs
        self.n_layers_ = n_hidden + 2
        self.out_activation_ = head.name
        self.n_iter_ = 0
        self.t_ = 0
        for name in ("loss_curve_", "validation_scores_", "validation_loss_curve_"):
            self.__dict__.pop(name, None)
        if self.solver != "lbfgs":
            stopping.begin(self)

    def _attach_optimizer(self, first: bool, incremental: bool) -> None:
        """Give the net its optimizer: a new one, or that of the fit before, which goes on."""
        if self.solver == "lbfgs":
            return
        if "loss_curve_" not in self.__dict__:
            stopping.begin(self)
        elif not incremental:
            stopping.continue_with(self)
        optimizer = self.model_.optimizer
        if first or optimizer is None or not fits(optimizer, self):
            self.model_.set(optimizer=new_optimizer(self))
        elif not incremental:
            set_up(optimizer, self)

    def _train_once(self, X: Any, y: Any, sample_weight: Any) -> None:
        """Do what `partial_fit` does, by the short way where there is one."""
        if sample_weight is None and step_quickly(self, X, y):
            return
        self._train(X, y, sample_weight, (None, None, None), True)
        if sample_weight is None:
            keep_steps(self, X)

    @abstractmethod
    def _quick_targets(self, y: Any, n: int) -> Array | None:
        """Return targets of n samples where y is plain; None if it must be looked at closely."""

    # --- what a fit leaves ------------------------------------------------------------------------

    def _dense_layers(self) -> list[Layer_Dense]:
        return [layer for layer in self.model_.layers if isinstance(layer, Layer_Dense)]

    def _arrays(self) -> list[Array]:
        """Return the parameters that learn, weights and biases a layer."""
        layers = self._dense_layers()
        return [array for layer in layers for array in (layer.weights, layer.biases)]

    @property
    def coefs_(self) -> list[Array]:
        """The weights (d, m) of each layer: the very arrays that predictions read."""
        self._check_attribute("coefs_")
        return [layer.weights for layer in self._dense_layers()]

    @coefs_.setter
    def coefs_(self, arrays: Any) -> None:
        for layer, array in zip(self._dense_layers(), arrays, strict=True):
            layer.weights = array

    @property
    def intercepts_(self) -> list[Array]:
        """The biases (m,) of each layer: views of the arrays that predictions read."""
        self._check_attribute("intercepts_")
        return [layer.biases[0] for layer in self._dense_layers()]

    @intercepts_.setter
    def intercepts_(self, arrays: Any) -> None:
        for layer, array in zip(self._dense_layers(), arrays, strict=True):
            layer.biases = array

    def _check_attribute(self, name: str) -> None:
        if "model_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: {name}: expected a fit before it")

    def __sklearn_is_fitted__(self) -> bool:
        return "model_" in self.__dict__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in OF_THE_MOMENT:
            state.pop(name, None)
        return state

    # --- outputs ----------------------------------------------------------------------------------

    def _checked(self, X: Any) -> Any:
        """Return X as it can be predicted for."""
        if "model_" not in self.__dict__:
            check_is_fitted(self)
        return checked_samples(self, X)

    def _outputs(self, X: Any) -> Array:
        """Return the net's output for checked samples."""
        if type(X) is np.ndarray:
            output: Array = self.model_.predict(X)
            return output
        parts = [self.model_.predict(rows) for _, rows in blocks(X, ROWS)]
        return np.concatenate(parts)

    @classmethod
    def _around(cls, model: Model, head: Head) -> Any:
        """Return an estimator whose net is `model`."""
        estimator = cls()
        layers = [layer for layer in model.layers if isinstance(layer, Layer_Dense)]
        if not layers:
            raise ValueError(f"{cls.__name__}: model: expected a dense layer, got none")
        estimator.hidden_layer_sizes = tuple(layer.n_neurons for layer in layers[:-1])
        estimator._begin(model, head, len(layers) - 1)
        estimator.n_features_in_ = layers[0].n_inputs
        if model.feature_names is not None:
            estimator.feature_names_in_ = np.array(model.feature_names, dtype=object)
            model.feature_names = None
        return estimator


def one_column(y: Any) -> Any:
    """Return a column (n, 1) as (n,), with scikit-learn's warning."""
    return column_or_1d(y, warn=True) if len(np.shape(y)) == 2 and y.shape[1] == 1 else y


def weights_of(weight: Any, X: Array) -> Array | None:
    """Return weights (n,) in double; None where there are none.

    Raises
    ------
    TypeError, ValueError
        Another number of them, NaN or infinity, one below 0, or nothing but 0.
    """
    if weight is None:
        return None
    return checked_weights(_check_sample_weight(weight, X, dtype=np.float64), len(X))


def combined(weight: Array | None, factors: Array | None) -> Array | None:
    """Return the product of two weights, either of which may be none."""
    if weight is None or factors is None:
        return factors if weight is None else weight
    return weight * factors
