"""`TabularClassifier`: classes from tables as they come."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from ...arrays import Array
from ..availability import with_members
from ..labels import Labels
from ..settings import keep_parameters
from .base import BaseTabular, HeldOut, cross_entropy
from .calibration import softmax, temperature_of
from .docstrings import documented
from .net import Recipe
from .settings import or_usual

SMOOTHING = 0.1


@documented
class TabularClassifier(ClassifierMixin, BaseTabular):  # type: ignore[misc]
    """Multilayer perceptron for classes, with defaults and preprocessing made for tables.

    Parameters
    ----------
    {parameters}
    metric : {{"log_loss", "accuracy"}}
        What chooses the epoch. Weights of samples and classes count for the first alone.
    label_smoothing : float or "auto"
        "auto": 0.1 with metric="accuracy", else 0, since it harms probabilities.
    class_weight : dict or "balanced", optional
        Class -> weight, multiplied with `sample_weight`; balanced: ``n / (K count)`` over the
        rows that a member trains on.
    calibration : {{None, "temperature"}}
        Divide logits by the one number that fits the held-out rows best, ``temperature_``. It
        changes no prediction but how sure it is; of small tables one net is far too sure.

    Attributes
    ----------
    classes_ : ndarray (K,)
        The labels, sorted.
    oof_predict_proba_ : ndarray (n, K)
        Probabilities of each row, uncalibrated, by the member that did not train on it; NaN where
        there is none. Absent with X_val.
    temperature_ : float
        1 without calibration.
    {attributes}

    Notes
    -----
    {notes}
    """

    _classifies = True

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
        metric: str = "log_loss",
        label_smoothing: Any = "auto",
        learning_rate: Any = "auto",
        epochs: int = 256,
        batch_size: Any = "auto",
        dropout: Any = "auto",
        weight_decay: Any = "auto",
        ensemble: int = 1,
        combine: str = "bag",
        validation_fraction: float = 0.2,
        class_weight: Any = None,
        calibration: str | None = None,
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
    ) -> TabularClassifier:
        """Fit one net, or the members of an ensemble.

        Parameters
        ----------
        X : frame, array_like or sparse matrix (n, d)
            Numbers, texts, categories and truth values, with missing cells.
        y : array_like (n,)
            Labels of any type, at least two different ones.
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
        if first:
            check_classification_targets(y)
            self._labels = Labels(y)
            self.classes_ = self._labels.classes
            if len(self.classes_) < 2:
                raise ValueError(
                    f"{type(self).__name__}: y: expected at least 2 classes, got 1 class, "
                    f"{self.classes_[0]!r}"
                )
        else:
            self._labels.check(y, False)
        places: Array = self._labels.places(y).astype(np.int64, copy=False)
        return places

    def _recipe(self) -> Recipe:
        usual = SMOOTHING if self.metric == "accuracy" else 0.0
        loss = cross_entropy(or_usual(self.label_smoothing, usual))
        weight = self.class_weight
        if weight is not None and not (isinstance(weight, str) and weight == "balanced"):
            weight = compute_class_weight(weight, classes=self.classes_, y=self.classes_)
        recipe = self._recipe_of(len(self.classes_), loss, "selu")
        return recipe._replace(class_weight=weight)

    def _learn(self, held_out: list[HeldOut], n: int) -> None:
        self.__dict__.pop("oof_predict_proba_", None)
        if held_out[0].rows is not None:
            found = np.full((n, len(self.classes_)), np.nan)
            for part in held_out:
                found[part.rows] = softmax(part.outputs)
            self.oof_predict_proba_ = found
        self.temperature_ = 1.0
        if self.calibration is None:
            return
        logits = np.concatenate([part.outputs for part in held_out])
        labels = np.concatenate([part.samples.targets for part in held_out])
        given = [part.samples.weight for part in held_out]
        weights = [each for each in given if each is not None]
        weight = np.concatenate(weights) if weights else None
        self.temperature_ = temperature_of(logits, labels, weight)

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class (n, K), the mean of the members' ones.

        Parameters
        ----------
        X : frame, array_like or sparse matrix (n, d)
        """
        return np.concatenate([self._probabilities(table)[0] for table in self._tables(X)])

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`, minus infinity for 0."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each sample (n,)."""
        places = self.predict_proba(X).argmax(axis=1)
        return self._labels.of_places(places)

    @with_members
    def predict_std(self, X: Any) -> Array:
        """Return how far the members' probabilities (n, K) are apart: their standard deviation."""
        return np.concatenate([self._probabilities(table)[1] for table in self._tables(X)])

    def _probabilities(self, table: Any) -> tuple[Array, Array]:
        """Return mean and standard deviation of the members' probabilities."""
        each = [softmax(member.outputs(table) / self.temperature_) for member in self.members_]
        return np.mean(each, axis=0), np.std(each, axis=0)
