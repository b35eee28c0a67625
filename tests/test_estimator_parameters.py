"""The parameters that scikit-learn's classes do not have, and what parameters are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import chainrule
from chainrule import gradcheck
from chainrule.sklearn import MLPClassifier, MLPRegressor
from estimator_cases import classes, counts, labels, parameters_of, values

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(kind: str, **parameters: Any) -> Any:
    given = {"random_state": 3, "max_iter": 6, "hidden_layer_sizes": (9, 4), **parameters}
    return {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[kind](**given)


# --- class weights --------------------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", ["balanced", {0: 5.0, 1: 0.5, 2: 1.0}])
def test_class_weights_are_weights_of_samples(class_weight: Any) -> None:
    from sklearn.utils.class_weight import compute_sample_weight

    X, y = classes()
    weighted = make("MLPClassifier", class_weight=class_weight).fit(X, y)
    by_hand = make("MLPClassifier").fit(X, y, compute_sample_weight(class_weight, y))
    for one, other in zip(parameters_of(weighted), parameters_of(by_hand), strict=True):
        np.testing.assert_array_equal(one, other)
    plain = make("MLPClassifier").fit(X, y)
    assert not np.array_equal(plain.coefs_[0], weighted.coefs_[0])


def test_balanced_weights_need_all_samples() -> None:
    X, y = classes()
    with pytest.raises(ValueError, match=r"class_weight: expected a dict .*, got 'balanced'"):
        make("MLPClassifier", class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


# --- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "selu", "leaky_relu", "elu", "softplus"])
def test_every_activation_of_the_core_serves(name: str) -> None:
    X, y = classes()
    estimator = make("MLPClassifier", activation=name).fit(X, y)
    assert estimator.model_.layers[1].core_name == name
    assert gradcheck(estimator.model_, X[:9], y[:9])


def test_each_layer_may_have_an_activation_and_a_dropout_of_its_own() -> None:
    X, y = classes()
    slope = chainrule.Activation_LeakyReLU(0.3)
    estimator = make("MLPClassifier", activation=["tanh", slope], dropout=[0.0, 0.25]).fit(X, y)
    kinds = [type(layer).__name__ for layer in estimator.model_.layers]
    assert kinds == [
        "Layer_Dense", "Activation_Tanh", "Layer_Dense", "Activation_LeakyReLU", "Layer_Dropout",
        "Layer_Dense", "Activation_Softmax",
    ]  # fmt: skip
    assert estimator.model_.layers[3] is not slope
    assert estimator.model_.layers[3].negative_slope == 0.3
    assert estimator.model_.layers[4].rate == 0.75


def test_dropout_repeats_with_a_seed_and_only_there() -> None:
    X, y = classes()
    one, again, other = (
        make("MLPClassifier", dropout=0.3, random_state=seed).fit(X, y) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.coefs_[0], again.coefs_[0])
    assert not np.array_equal(one.coefs_[0], other.coefs_[0])


def test_dtype_is_that_of_the_samples_unless_given() -> None:
    X, y = values(dtype="float32")
    assert make("MLPRegressor").fit(X, y).coefs_[0].dtype == np.float32
    assert make("MLPRegressor", dtype="float64").fit(X, y).coefs_[0].dtype == np.float64
    whole = np.arange(70).reshape(-1, 1)
    assert make("MLPRegressor").fit(whole, y).predict(whole).dtype == np.float64


# --- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "end", "width"),
    [
        (chainrule.Loss_CategoricalCrossentropy(label_smoothing=0.1), "softmax", 3),
        ("categorical_crossentropy", "softmax", 3),
        ("mean_squared_error", "softmax", 3),
        ("hinge", "identity", 3),
    ],
)
def test_losses_of_classes(loss: Any, end: str, width: int) -> None:
    X, y = classes(n=200)
    estimator = make("MLPClassifier", loss=loss, max_iter=80, learning_rate_init=0.01).fit(X, y)
    assert (estimator.out_activation_, estimator.n_outputs_) == (end, width)
    assert estimator.score(X, y) > 0.85
    assert hasattr(estimator, "predict_proba") == (end != "identity")
    assert gradcheck(estimator.model_, X[:9], estimator._targets(y[:9], np.dtype("float64")))


def test_losses_of_two_classes() -> None:
    X, y = classes(n=200, k=2)
    names = np.array(["no", "yes"])
    smooth = chainrule.Loss_CategoricalCrossentropy(label_smoothing=0.1)
    for loss, width in ((smooth, 2), ("binary_crossentropy", 1), ("hinge", 1), ("huber", 1)):
        estimator = make("MLPClassifier", loss=loss, max_iter=80, learning_rate_init=0.01)
        estimator.fit(X, names[y])
        assert estimator.n_outputs_ == width
        assert estimator.score(X, names[y]) > 0.9
        if loss != "hinge":
            probabilities = estimator.predict_proba(X)
            assert probabilities.shape == (200, 2)
            np.testing.assert_allclose(probabilities.sum(1), 1, atol=4 * np.finfo(float).eps)


@pytest.mark.parametrize(
    ("loss", "end"),
    [
        ("huber", "identity"),
        (chainrule.Loss_Huber(0.5), "identity"),
        (chainrule.Loss_LogCosh(), "identity"),
        (chainrule.Loss_Poisson(), "exp"),
    ],
)
def test_losses_of_values(loss: Any, end: str) -> None:
    X, y = counts() if end == "exp" else values()
    estimator = make("MLPRegressor", loss=loss).fit(X, y)
    assert estimator.out_activation_ == end
    assert estimator.predict(X).shape == y.shape
    assert np.diff(estimator.loss_curve_).max() < 0


def test_quantiles_have_an_output_each() -> None:
    X, y = values(n=300)
    loss = chainrule.Loss_Quantile([0.1, 0.5, 0.9])
    estimator = make("MLPRegressor", loss=loss, max_iter=150, learning_rate_init=0.01).fit(X, y)
    predicted = estimator.predict(X)
    assert predicted.shape == (300, 3)
    below = (y[:, None] <= predicted).mean(0)
    np.testing.assert_allclose(below, [0.1, 0.5, 0.9], atol=0.1)


class Squares(chainrule.Loss):
    """A loss of the user's own."""

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return ((y_pred - y_true) ** 2).mean(1)

    def backward(self, dvalues: Any, y_true: Any) -> Any:
        self.dinputs = 2 * (dvalues - y_true) / dvalues.size
        return self.dinputs


def test_a_loss_of_ones_own_trains_layer_by_layer_to_the_same_net() -> None:
    X, y = values()
    parameters: dict[str, Any] = {"batch_size": 32, "alpha": 0.5, "early_stopping": True}
    own = make("MLPRegressor", loss=Squares(), **parameters).fit(X, y)
    known = make("MLPRegressor", loss="mean_squared_error", **parameters).fit(X, y)
    assert own.model_.plan.startswith("layer by layer")
    np.testing.assert_allclose(own.loss_curve_, known.loss_curve_, rtol=1e-12)
    for one, other in zip(parameters_of(own), parameters_of(known), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


# --- steps ----------------------------------------------------------------------------------------


def test_an_optimizer_is_copied_and_used() -> None:
    X, y = values()
    given = chainrule.Optimizer_RMSprop(0.01)
    estimator = make("MLPRegressor", optimizer=given).fit(X, y)
    assert type(estimator.model_.optimizer) is chainrule.Optimizer_RMSprop
    assert estimator.model_.optimizer.iterations == 6
    assert given.iterations == 0
    again = clone(estimator).fit(X, y)
    np.testing.assert_array_equal(again.coefs_[0], estimator.coefs_[0])


def test_a_used_optimizer_begins_anew() -> None:
    X, y = values()
    given = make("MLPRegressor", optimizer=chainrule.Optimizer_Adam()).fit(X, y).model_.optimizer
    fresh = make("MLPRegressor", optimizer=chainrule.Optimizer_Adam()).fit(X, y)
    used = make("MLPRegressor", optimizer=given).fit(X, y)
    np.testing.assert_array_equal(used.coefs_[0], fresh.coefs_[0])


def test_a_schedule_runs_over_all_steps_of_the_fit() -> None:
    X, y = values()
    schedule = chainrule.schedules.Cosine()
    estimator = make("MLPRegressor", schedule=schedule, batch_size=32).fit(X, y)
    rates = estimator.model_.history.learning_rate
    t = (np.arange(1, 7) * 3 - 1) / 18  # of each epoch's last of three steps
    np.testing.assert_allclose(rates, 0.001 * (1 + np.cos(np.pi * t)) / 2, rtol=1e-12)


def test_clipping_bounds_a_step() -> None:
    X, y = values()
    estimator = make(
        "MLPRegressor",
        solver="sgd",
        momentum=0.0,
        clip_norm=0.01,
        learning_rate_init=1.0,
        max_iter=1,
    )
    estimator.partial_fit(X, y)
    before = np.concatenate([array.ravel() for array in parameters_of(estimator)])
    estimator.partial_fit(X, y)
    after = np.concatenate([array.ravel() for array in parameters_of(estimator)])
    assert np.linalg.norm(after - before) == pytest.approx(0.01, rel=1e-9)


def test_results_do_not_depend_on_threads() -> None:
    X, y = classes(n=400, d=30)
    nets = [
        make("MLPClassifier", hidden_layer_sizes=(64,), n_threads=n).fit(X, y) for n in (None, 1, 2)
    ]
    for other in nets[1:]:
        np.testing.assert_array_equal(nets[0].coefs_[0], other.coefs_[0])


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"solver": "newton"}, ValueError, r"solver: expected one of 'adam', .*, got 'newton'"),
        ({"alpha": -1}, ValueError, r"alpha: expected a number of at least 0, got -1"),
        ({"alpha": "1"}, TypeError, r"alpha: expected a number, got '1'"),
        ({"learning_rate_init": 0}, ValueError, r"learning_rate_init: .* above 0, got 0"),
        ({"batch_size": 0}, ValueError, r"batch_size: expected an int of at least 1, got 0"),
        ({"batch_size": "all"}, ValueError, r"batch_size: expected one of 'auto', got 'all'"),
        ({"max_iter": 2.5}, TypeError, r"max_iter: expected an int of at least 1, got 2.5"),
        ({"momentum": 1.5}, ValueError, r"momentum: expected a number from 0 to 1, got 1.5"),
        ({"beta_1": 1.0}, ValueError, r"beta_1: .* below 1, got 1.0"),
        ({"shuffle": 1}, TypeError, r"shuffle: expected True or False, got 1"),
        ({"hidden_layer_sizes": (5, 0)}, ValueError, r"hidden_layer_sizes\[1\]: .*, got 0"),
        ({"hidden_layer_sizes": 2.0}, TypeError, r"hidden_layer_sizes\[0\]: .*, got 2.0"),
        ({"activation": "step"}, ValueError, r"activation: expected one of .*, got 'step'"),
        ({"activation": ["relu"]}, ValueError, r"activation: .* of which there are 2, got"),
        ({"dropout": 1.0}, ValueError, r"dropout: .* below 1, got 1.0"),
        ({"early_stopping": 3}, TypeError, r"early_stopping: .* a scorer, got 3"),
        ({"optimizer": "adam"}, TypeError, r"optimizer: expected None or an optimizer .*'adam'"),
        ({"clip_norm": 0}, ValueError, r"clip_norm: expected a number above 0, got 0"),
        ({"dtype": "float16"}, ValueError, r"dtype: expected one of .*, got 'float16'"),
        ({"callbacks": [3]}, TypeError, r"callbacks: expected objects with .*, got 3"),
        ({"n_threads": 0}, ValueError, r"n_threads: expected an int of at least 1, got 0"),
        ({"loss": "cubes"}, ValueError, r"loss: expected one of 'squared_error', .*, got 'cubes'"),
        ({"loss": "binary_crossentropy"}, ValueError, r"loss: expected one for values, got"),
        ({"solver": "lbfgs", "dropout": 0.1}, ValueError, r"dropout: expected 0 with solver"),
        (
            {"solver": "lbfgs", "clip_norm": 1.0},
            ValueError,
            r"clip_norm: expected None with solver='lbfgs'",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    parameters: dict[str, Any], error: type[Exception], text: str
) -> None:
    X, y = values()
    estimator = make("MLPRegressor", **parameters)
    with pytest.raises(error, match=text):
        estimator.fit(X, y)
    assert not hasattr(estimator, "model_")


def test_sizes_in_the_place_of_the_regressors_loss_are_told_their_name() -> None:
    X, y = values()
    with pytest.raises(TypeError, match=r"hidden_layer_sizes=\(64,\)"):
        MLPRegressor((64,)).fit(X, y)


@pytest.mark.parametrize(
    ("samples", "loss", "text"),
    [
        (classes, "binary_crossentropy", "loss: expected one for 3 classes, got a binary one"),
        (labels, "categorical_crossentropy", "loss: expected one for several labels a sample"),
        (classes, "poisson", "loss: expected one for classes, got Loss_Poisson"),
        (classes, chainrule.Loss_Quantile([0.5]), "loss: expected one for classes"),
    ],
)
def test_losses_that_do_not_fit_the_labels_are_refused(samples: Any, loss: Any, text: str) -> None:
    X, y = samples()
    with pytest.raises(ValueError, match=text):
        make("MLPClassifier", loss=loss).fit(X, y)


def test_counts_below_zero_are_refused() -> None:
    X, y = values()
    with pytest.raises(ValueError, match="y"):
        make("MLPRegressor", loss="poisson").fit(X, y)


def test_growth_beyond_all_bounds_is_told() -> None:
    X, y = values()
    parameters = {"learning_rate_init": 1e6, "max_iter": 50, "activation": "identity"}
    estimator = make("MLPRegressor", solver="sgd", n_iter_no_change=50, **parameters)
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        estimator.fit(X, y)
