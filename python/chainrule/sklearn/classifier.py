"""`MLPClassifier`: classes, or several labels a sample, from a multilayer perceptron."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight

from ..arrays import Array
from ..model import Model
from .availability import probabilistic_only, stochastic_only
from .base import ROWS, BasePerceptron
from .docstrings import documented
from .heads import Head, classifier_head
from .inputs import blocks
from .labels import Labels
from .scikit_callbacks import told
from .settings import keep_parameters


@documented
class MLPClassifier(ClassifierMixin, BasePerceptron):  # type: ignore[misc]
    """Multilayer perceptron for classes: scikit-learn's, computed by the compiled core.

    Parameters
    ----------
    {parameters}
    class_weight : dict or "balanced", optional
        Class -> weight, multiplied with `sample_weight` in training; balanced: ``n / (K count)``.
    loss : str or Loss
        "log_loss": the cross-entropy of softmax, or of a sigmoid for two classes and for several
        labels a sample (their sum). Else a name of the core's, or a loss:
        ``Loss_CategoricalCrossentropy(label_smoothing=0.1)``, `Loss_Hinge()` (no probabilities), or
        one of your own, which gets indicators of the classes and their probabilities.

    Attributes
    ----------
    classes_ : ndarray (K,)
        The labels, sorted; 0 to m - 1 for m labels a sample.
    {attributes}

    Notes
    -----
    {notes}
    """

    _classifies = True
    _labels: Labels

    def __init__(
        self,
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
        class_weight: Any = None,
        loss: Any = "log_loss",
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
    ) -> MLPClassifier:
        """Fit the net to samples and targets.

        Parameters
        ----------
        X : array_like or sparse matrix (n, d)
        y : array_like (n,), or indicators (n, m) of m labels
            Labels of any type.
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
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> MLPClassifier:
        """Do one epoch over the samples; the optimizer goes on where it was.

        Parameters
        ----------
        X : array_like or sparse matrix (n, d)
        y : array_like (n,), or indicators (n, m)
        sample_weight : array_like (n,), optional
        classes : array_like (K,)
            All labels that there will be; needed in the first call, and the same in later ones.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            No classes in the first call, others in a later one, or labels that are not among them.
        """
        if classes is None:
            self._train_once(X, y, sample_weight)
            return self
        self._first_classes = classes
        try:
            self._train(X, y, sample_weight, (None, None, None), True)
        finally:
            del self._first_classes
        return self

    # --- predictions ------------------------------------------------------------------------------

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each sample (n,), or indicators (n, m).

        Parameters
        ----------
        X : array_like or sparse matrix (n, d)
        """
        X = self._checked(X)
        if type(X) is np.ndarray and len(X) <= ROWS:
            return self._labels_of(self.model_.predict(X))
        parts = [self._labels_of(self.model_.predict(rows)) for _, rows in blocks(X, ROWS)]
        return np.concatenate(parts)

    def _labels_of(self, output: Array) -> Array:
        """Return the classes that the net's output means."""
        labels = self._labels
        if labels.kind == "multiclass" or output.shape[1] != self._width():
            places = output.argmax(axis=1)
            return labels.of_places(places)
        above = output > (0.0 if self.out_activation_ == "identity" else 0.5)
        if labels.kind == "multilabel":
            return labels.of_places(above)
        if len(labels.classes) == 1:
            return labels.of_places(np.zeros(len(output), dtype=np.intp))
        return labels.of_places(above[:, 0].astype(np.intp))

    def _width(self) -> int:
        """Return the outputs of one decision a label: 1 for two classes, m for m labels."""
        return len(self.classes_) if self._labels.kind == "multilabel" else 1

    @probabilistic_only
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class (n, K), in the order of `classes_`.

        Parameters
        ----------
        X : array_like or sparse matrix (n, d)
        """
        output = self._outputs(self._checked(X))
        labels = self._labels
        if len(labels.classes) == 1:
            return np.ones((len(output), 1), dtype=output.dtype)
        if labels.kind != "binary" or output.shape[1] != 1:
            return output
        both = np.empty((len(output), 2), dtype=output.dtype)
        both[:, 1] = output[:, 0]
        np.subtract(1, both[:, 1], out=both[:, 0])
        return both

    @probabilistic_only
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`, minus infinity for 0.

        Parameters
        ----------
        X : array_like or sparse matrix (n, d)
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            np.log(probabilities, out=probabilities)
        return probabilities

    @classmethod
    def from_model(cls, model: Model, classes: Any = None) -> MLPClassifier:
        """Return a fitted estimator around a trained model.

        Parameters
        ----------
        model : Model
            It is not copied. It ends in a softmax of K outputs, or a sigmoid: of one output for two
            classes, of m for m labels a sample.
        classes : array_like (K,), optional
            The labels in the order of the outputs, sorted; 0 to K - 1 without them.

        Raises
        ------
        ValueError
            A model that ends otherwise, or another number of classes.
        """
        head = Head.of_model(model, model.layers[-1])
        if head.name not in ("softmax", "logistic"):
            raise ValueError(
                f"{cls.__name__}: model: expected a last softmax or sigmoid, got {head.activation}"
            )
        n_labels = 2 if head.n_outputs == 1 else head.n_outputs
        several = head.name == "logistic" and head.n_outputs > 1
        given = np.arange(n_labels) if classes is None else np.asarray(classes)
        if given.shape != (n_labels,) or np.any(given[1:] <= given[:-1]):
            raise ValueError(
                f"{cls.__name__}: classes: expected {n_labels} labels in ascending order, "
                f"got {classes}"
            )
        estimator: MLPClassifier = cls._around(model, head)
        estimator._labels = Labels(np.eye(n_labels, dtype=int) if several else given)
        estimator.classes_ = estimator._labels.classes
        estimator.loss = model.loss if model.loss is not None else "log_loss"
        return estimator

    # --- targets ----------------------------------------------------------------------------------

    def _see_targets(self, y: Any, first: bool) -> Any:
        classes = getattr(self, "_first_classes", None)
        if self._incremental and "classes_" not in self.__dict__:
            if classes is None:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit: all labels to come"
                )
            self._labels = Labels.of_classes(y, classes)
            self.classes_ = self._labels.classes
        elif first and not self._incremental:
            self._labels = Labels(y)
            self.classes_ = self._labels.classes
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(
                f"classes: expected those of the first call, {self.classes_}, got {classes}"
            )
        if not (first and not self._incremental):
            self._labels.check(y, self.warm_start and not self._incremental)
        return y

    def _head_for(self, y: Any) -> Head:
        return classifier_head(self.loss, self._labels)

    def _targets(self, y: Any, dtype: np.dtype[Any]) -> Array:
        places = self._labels.places(y)
        if self._head.labels:
            return places.astype(np.int64, copy=False)
        if places.ndim == 2:
            return places.astype(dtype)
        if self._head.n_outputs == 1:
            return places.astype(dtype).reshape(-1, 1)
        indicators = places[:, None] == np.arange(self._head.n_outputs)
        targets: Array = indicators.astype(dtype)
        return targets

    def _class_factors(self, y: Any) -> Array | None:
        if self.class_weight is None:
            return None
        if self._incremental and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight: expected a dict for partial_fit, which does not see all samples, "
                f"got {self.class_weight!r}"
            )
        factors: Array = compute_sample_weight(self.class_weight, y)
        return factors

    def _quick_targets(self, y: Any, n: int) -> Array | None:
        if type(y) is list:
            given = y
        elif type(y) is np.ndarray and y.ndim == 1:
            given = y.tolist()
        else:
            return None
        places = [self._labels.place(label) for label in given]
        if len(places) != n or None in places:
            return None
        found = np.array(places)
        if self._head.labels:
            return found
        return found.reshape(-1, 1) if self._head.n_outputs == 1 else None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
