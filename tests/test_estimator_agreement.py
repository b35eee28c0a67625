"""The estimators beside scikit-learn's: from equal weights each step leaves equal weights.

The tolerances are the promise, 1e-12 in double and 1e-5 in single precision, for parameters of
about 1; each is thousands of units in the last place and far below any error of a formula.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from estimator_cases import assert_same_net, classes, counts, labels, pair, parameters_of, values

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
RULES: dict[str, dict[str, Any]] = {
    "adam": {},
    "adam-settings": {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3, "learning_rate_init": 0.01},
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.3,
        "tol": 0.02,
        "n_iter_no_change": 2,
        "max_iter": 40,
    },
}
TASKS = {
    "classes": ("MLPClassifier", classes),
    "two": ("MLPClassifier", lambda dtype: classes(k=2, dtype=dtype)),
    "labels": ("MLPClassifier", labels),
    "values": ("MLPRegressor", values),
}
dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])
rules = pytest.mark.parametrize("rule", RULES)
tasks = pytest.mark.parametrize("task", TASKS)


@dtypes
@rules
@tasks
def test_each_step_leaves_the_same_parameters(task: str, rule: str, dtype: str) -> None:
    kind, samples = TASKS[task]
    X, y = samples(dtype=dtype)
    ours, theirs = pair(kind, alpha=0.5, **RULES[rule])
    known = {}
    if kind == "MLPClassifier":
        known = {"classes": np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)}
    for start in range(0, 60, 6):
        rows = slice(start, start + 6)
        for estimator in (ours, theirs):
            estimator.partial_fit(X[rows], y[rows], **(known if start == 0 else {}))
        assert_same_net(ours, theirs, TOLERANCE[dtype])


@dtypes
@rules
@tasks
def test_epochs_with_a_smaller_last_batch_leave_the_same_parameters(
    task: str, rule: str, dtype: str
) -> None:
    kind, samples = TASKS[task]
    X, y = samples(dtype=dtype)
    ours, theirs = pair(kind, alpha=0.5, batch_size=32, **RULES[rule])  # 32, 32 and 6 of 70
    ours.fit(X, y)
    theirs.fit(X, y)
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    assert_same_net(ours, theirs, TOLERANCE[dtype])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@tasks
def test_activations_and_weights_of_samples_agree(
    task: str, activation: str, weighted: bool
) -> None:
    kind, samples = TASKS[task]
    X, y = samples(dtype="float64")
    weight = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    ours, theirs = pair(kind, alpha=0.5, batch_size=32, activation=activation)
    ours.fit(X, y, sample_weight=weight)
    theirs.fit(X, y, sample_weight=weight)
    assert_same_net(ours, theirs, 1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("m", [0, 2])
def test_poisson_agrees(m: int, shuffle: bool, weighted: bool) -> None:
    X, y = counts(m=m)
    weight = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    ours, theirs = pair("MLPRegressor", loss="poisson", batch_size=32, shuffle=shuffle)
    ours.fit(X, y, sample_weight=weight)
    theirs.fit(X, y, sample_weight=weight)
    assert ours.out_activation_ == theirs.out_activation_ == "exp"
    assert_same_net(ours, theirs, 1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@tasks
def test_early_stopping_holds_back_and_keeps_the_same(task: str, weighted: bool) -> None:
    kind, samples = TASKS[task]
    X, y = samples(dtype="float64")
    weight = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    ours, theirs = pair(
        kind, early_stopping=True, validation_fraction=0.3, learning_rate_init=0.02, max_iter=25,
        n_iter_no_change=4,
    )  # fmt: skip
    ours.fit(X, y, sample_weight=weight)
    theirs.fit(X, y, sample_weight=weight)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, atol=1e-12)
    assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_, abs=1e-12)
    assert ours.best_loss_ is theirs.best_loss_ is None
    assert_same_net(ours, theirs, 1e-12)


@pytest.mark.parametrize(
    ("kind", "samples", "parameters"),
    [
        ("MLPClassifier", classes, {}),
        ("MLPClassifier", labels, {"alpha": 0.3}),
        ("MLPRegressor", values, {"alpha": 0.3}),
        ("MLPRegressor", counts, {"loss": "poisson"}),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_agrees(kind: str, samples: Any, parameters: dict[str, Any], weighted: bool) -> None:
    X, y = samples()
    weight = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    ours, theirs = pair(kind, solver="lbfgs", max_iter=8, **parameters)
    ours.fit(X, y, sample_weight=weight)
    theirs.fit(X, y, sample_weight=weight)
    assert ours.n_iter_ == theirs.n_iter_
    clipped = 1e-7 if samples is classes else 0  # from there on probabilities count alike
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9, abs=clipped)
    for mine, other in zip(parameters_of(ours), parameters_of(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-8)  # a search amplifies rounding
    assert not hasattr(ours, "loss_curve_")


def test_lbfgs_leaves_float32_what_is_float32() -> None:
    X, y = values(dtype="float32")
    ours, _ = pair("MLPRegressor", solver="lbfgs")
    assert ours.fit(X, y).coefs_[0].dtype == np.float32
    assert ours.predict(X).dtype == np.float32


def test_outputs_agree() -> None:
    for samples in (classes, labels, lambda: classes(k=2)):
        X, y = samples()
        ours, theirs = pair("MLPClassifier")
        ours.fit(X, y)
        theirs.fit(X, y)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        assert ours.predict(X).dtype == theirs.predict(X).dtype
        for method in ("predict_proba", "predict_log_proba"):
            mine, other = getattr(ours, method)(X), getattr(theirs, method)(X)
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
        assert ours.score(X, y) == theirs.score(X, y)


def test_attributes_have_the_same_names_and_values() -> None:
    for kind, samples in TASKS.values():
        X, y = samples(dtype="float64")
        ours, theirs = pair(kind)
        ours.fit(X, y)
        theirs.fit(X, y)
        for name in vars(theirs):
            if name.startswith("_") or name in ("loss_", "best_loss_", "loss_curve_"):
                continue
            mine, other = getattr(ours, name), getattr(theirs, name)
            if name in ("coefs_", "intercepts_"):
                assert len(mine) == len(other)
            else:
                assert np.array_equal(mine, other), name


def test_defaults_and_their_order_are_scikit_learns() -> None:
    import inspect

    for kind in ("MLPClassifier", "MLPRegressor"):
        ours, theirs = pair(kind)
        mine = inspect.signature(type(ours)).parameters
        other = inspect.signature(type(theirs)).parameters
        assert list(mine)[: len(other)] == list(other)
        for name, parameter in other.items():
            assert mine[name].default == parameter.default, name
            assert mine[name].kind == parameter.kind, name


def test_the_limit_of_epochs_warns_as_scikit_learn_does() -> None:
    X, y = classes()
    ours, _ = pair("MLPClassifier", max_iter=2)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        ours.fit(X, y)
    assert ours.n_iter_ == len(ours.loss_curve_) == 2


def test_several_outputs_have_the_gradient_of_their_loss() -> None:
    X, y = values(m=2)
    ours, _ = pair(
        "MLPRegressor", solver="sgd", momentum=0.0, learning_rate_init=1e-3, max_iter=1, alpha=0.2,
        shuffle=False, hidden_layer_sizes=(),
    )  # fmt: skip
    ours.partial_fit(X, y)
    weights, biases = ours.coefs_[0].copy(), ours.intercepts_[0].copy()
    before = ours.predict(X)
    ours.partial_fit(X, y)
    n, m = y.shape
    error = (before - y) / n / m
    expected = weights - 1e-3 * (X.T @ error + 0.2 * weights / n)
    eps = np.finfo(np.float64).eps
    bound = 8 * n * eps * (np.abs(X.T) @ np.abs(error) + np.abs(weights)).max()
    np.testing.assert_allclose(ours.coefs_[0], expected, rtol=0, atol=bound)
    np.testing.assert_allclose(ours.intercepts_[0], biases - 1e-3 * error.sum(0), atol=bound)
    loss = ((before - y) ** 2).mean() / 2 + 0.1 * (weights**2).sum() / n
    assert ours.loss_ == pytest.approx(loss, rel=1e-12)
