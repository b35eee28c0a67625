"""The part of the estimators' documentation that both share."""

from __future__ import annotations

from typing import TypeVar

PARAMETERS = """hidden_layer_sizes : int or sequence of int
        Neurons of each hidden layer; ``()`` for none.
    activation : str, class or object, or one a hidden layer
        "identity", "logistic", "tanh", "relu", any other name of the core's ("gelu", "silu",
        "mish", "selu", "leaky_relu", ...), or an activation.
    solver : {"adam", "sgd", "lbfgs"}
        "lbfgs" is scipy's, on the gradient of all samples at once.
    alpha : float
        L2 penalty ``alpha / 2 * sum w^2``, divided by the sum of each batch's weights.
    batch_size : int or "auto"
        Samples of a batch, the last may be smaller; ``min(200, n)`` if "auto".
    learning_rate : {"constant", "invscaling", "adaptive"}
        For "sgd": ``learning_rate_init``; that over ``(t_ + 1) ** power_t`` after each epoch; a
        fifth of it where epochs bring nothing.
    learning_rate_init, power_t : float
    max_iter : int
        Epochs, or iterations of "lbfgs".
    shuffle : bool
        A new order of the samples for each epoch.
    random_state : int, RandomState or None
        First weights, orders and the share held back are drawn from it as scikit-learn draws them.
    tol : float
        What counts as an improvement of loss or score.
    verbose : bool or int
        Print a line for each epoch.
    warm_start : bool
        A further `fit` goes on with the net as it is, and the optimizer with its arrays; rates,
        momentum and alpha may be new, sizes must be the same, activations and loss stay.
    momentum, nesterovs_momentum : float, bool
        For "sgd".
    early_stopping : bool, str or callable
        Stop by the score of samples held back, and keep the parameters of the best epoch: accuracy
        or R2, a scorer's name ("roc_auc", "neg_log_loss", ...) or a scorer.
    validation_fraction : float
        The share held back.
    beta_1, beta_2, epsilon : float
        For "adam"; epsilon is added before the correction, as in scikit-learn.
    n_iter_no_change : int
        Epochs without improvement that are waited for.
    max_fun : int
        Evaluations of "lbfgs".
    dropout : float or one a hidden layer
        Share of its outputs that training drops.
    optimizer : Optimizer, optional
        Instead of the solver's; a copy of it is used, ``model_.optimizer``.
    schedule : optional
        Multiplies the rate over the fit's steps; see `chainrule.schedules`.
    clip_norm : float, optional
        Largest global norm of a step's gradients.
    dtype : {"auto", "float32", "float64"}
        "auto" trains in the dtype of the samples.
    callbacks : sequence
        See `chainrule.Callback`.
    n_threads : int, optional
        At most so many threads in a fit; results do not depend on it."""

ATTRIBUTES = """model_ : Model
        The net: ``model_.save(path)``, ``gradcheck(model_, X, y)``, ...
    coefs_, intercepts_ : list of ndarray
        Weights (d, m) and biases (m,) of each layer; changes in place act on predictions.
    loss_, loss_curve_, best_loss_ : float, list, float or None
        Mean over an epoch's batches, penalty included; the last, all, and the lowest.
    validation_scores_, best_validation_score_ : list, float or None
        With early stopping.
    validation_loss_curve_ : list
        Loss of the validation samples after each epoch, where there are any.
    n_iter_, t_ : int
        Epochs of the last fit; samples seen by all.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn."""

NOTES = """The same seed gives the same first weights, orders and split as scikit-learn's class, and
    so, but for rounding, the same net. float32 samples make a float32 net. Sparse matrices are made
    dense: all at once for a fit, some rows at a time for predictions. Probabilities count as at
    least 1e-7 in the categorical loss. With `warm_start` the optimizer goes on, where
    scikit-learn's begins anew."""

Class = TypeVar("Class", bound=type)


def documented(kind: Class) -> Class:
    """Put the shared text into a class's docstring; without one (``python -OO``) do nothing."""
    if kind.__doc__ is not None:
        kind.__doc__ = kind.__doc__.format(
            parameters=PARAMETERS,
            attributes=ATTRIBUTES,
            notes=NOTES,
        )
    return kind
