"""scikit-learn's fitted perceptrons -> this package's, which go on where they were."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..libraries import library
from ..optimizers.state import own_token

CALLER = "from_sklearn"
# attributes of a fit that mean the same in both
KEPT = ("n_iter_", "t_", "best_loss_", "validation_scores_", "best_validation_score_")


def from_sklearn(mlp: Any) -> Any:
    """Return scikit-learn's fitted MLP as one of `chainrule.sklearn`'s, with copies of its arrays.

    Parameters
    ----------
    mlp : sklearn.neural_network.MLPClassifier or MLPRegressor
        Fitted. Parameters, labels, curves and the optimizer's arrays go over: `partial_fit` goes on
        with the same step, and predictions are equal to rounding.

    Returns
    -------
    MLPClassifier or MLPRegressor
        Of `chainrule.sklearn`; its net is ``model_``.

    Raises
    ------
    ImportError
        scikit-learn is not installed.
    TypeError
        Something else; a parameter that has no like here.
    ValueError
        It is not fitted.
    """
    networks = library("sklearn.neural_network", CALLER, "'chainrule[sklearn]'")
    from sklearn.utils.validation import check_is_fitted

    from ..sklearn import MLPClassifier, MLPRegressor

    kinds = {networks.MLPClassifier: MLPClassifier, networks.MLPRegressor: MLPRegressor}
    if type(mlp) not in kinds:
        raise TypeError(
            f"{CALLER}: expected scikit-learn's MLPClassifier or MLPRegressor, got "
            f"{type(mlp).__name__}"
        )
    check_is_fitted(mlp)
    known: Any = kinds[type(mlp)]
    given = mlp.get_params(deep=False)
    unknown = set(given) - set(known._get_param_names())
    if unknown:
        raise TypeError(f"{CALLER}: expected known parameters, got {', '.join(sorted(unknown))}")
    estimator = known(**given)
    take_net(estimator, mlp)
    take_fit(estimator, mlp)
    if getattr(mlp, "_optimizer", None) is not None and mlp.solver != "lbfgs":
        take_steps(estimator, mlp._optimizer)
    return estimator


def take_net(estimator: Any, mlp: Any) -> None:
    """Give the estimator the labels and a net with the parameters of the fitted one."""
    from ..sklearn.construction import new_model
    from ..sklearn.labels import Labels
    from ..sklearn.settings import hidden_sizes

    width = mlp.n_outputs_
    if estimator._classifies:
        several = mlp.out_activation_ == "logistic" and width > 1
        estimator._labels = Labels(np.eye(width, dtype=int) if several else mlp.classes_)
        estimator.classes_ = estimator._labels.classes
    else:
        estimator._n_columns = width
    estimator.n_features_in_ = mlp.n_features_in_
    if hasattr(mlp, "feature_names_in_"):
        estimator.feature_names_in_ = mlp.feature_names_in_.copy()
    head = estimator._head_for(None)
    sizes = hidden_sizes(mlp.hidden_layer_sizes)
    dtype = mlp.coefs_[0].dtype
    rng = np.random.RandomState(0)
    model = new_model(estimator, mlp.n_features_in_, sizes, head, dtype, rng)
    estimator._begin(model, head, len(sizes))
    for layer, weights, biases in zip(
        estimator._dense_layers(), mlp.coefs_, mlp.intercepts_, strict=True
    ):
        layer.weights = np.array(weights, order="C")
        layer.biases = np.array(biases, order="C").reshape(1, -1)


def take_fit(estimator: Any, mlp: Any) -> None:
    """Take over what a fit has left beside the net: counts and curves."""
    for name in KEPT:
        if hasattr(mlp, name):
            setattr(estimator, name, getattr(mlp, name))
    if getattr(mlp, "loss_curve_", None) is not None:
        estimator.loss_curve_ = list(mlp.loss_curve_)
    estimator._idle_epochs = int(getattr(mlp, "_no_improvement_count", 0))


def take_steps(estimator: Any, theirs: Any) -> None:
    """Give the net an optimizer that stands where the other one does."""
    from ..sklearn.construction import new_optimizer

    optimizer = new_optimizer(estimator)
    optimizer.learning_rate = optimizer.current_learning_rate = float(theirs.learning_rate)
    estimator.model_.set(optimizer=optimizer)
    if hasattr(theirs, "ms"):
        states, steps = {"momentums": theirs.ms, "cache": theirs.vs}, int(theirs.t)
        optimizer.learning_rate = float(theirs.learning_rate_init)
    else:
        states = {"momentums": theirs.velocities} if optimizer.states else {}
        steps = 1 if states else 0  # momentum counts none
    optimizer.iterations = steps
    layers = estimator._dense_layers()
    for kind, arrays in states.items():
        # scikit-learn keeps those of all weights, then those of all biases
        for layer, weights, biases in zip(
            layers, arrays[: len(layers)], arrays[len(layers) :], strict=True
        ):
            setattr(layer, f"weight_{kind}", as_state(weights, layer.weights))
            setattr(layer, f"bias_{kind}", as_state(biases, layer.biases))
    if states:
        for layer in layers:
            layer.optimizer_token = own_token(optimizer)
            layer.optimizer_steps = {"weights": steps, "biases": steps}


def as_state(array: Array, parameter: Array) -> Array:
    """Return a copy in the parameter's shape and dtype."""
    return np.array(array, dtype=parameter.dtype, order="C").reshape(parameter.shape)
