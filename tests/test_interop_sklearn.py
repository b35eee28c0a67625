"""scikit-learn's fitted perceptrons come in and go on with the same step.

The tolerances are those of test_estimator_agreement.py, the estimators' promise: 1e-12 in double,
1e-5 in single precision, for parameters of about 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from exchange import samples

networks = pytest.importorskip("sklearn.neural_network")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

Array = np.ndarray[Any, Any]
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
RULES: dict[str, dict[str, Any]] = {
    "adam": {"epsilon": 1e-3, "learning_rate_init": 0.01},
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
}


def task(kind: str, dtype: Any) -> tuple[str, Array, Array]:
    """An estimator's name, samples and targets."""
    X = samples(40, 4, dtype)
    places = np.digitize(X[:, 0], [-0.5, 0.5])
    y: Any = {
        "three": np.array(["low", "middle", "high"])[places],
        "two": places % 2 + 3,
        "labels": np.stack([places == 0, X[:, 1] > 0, X[:, 2] > 1], axis=1).astype(int),
        "values": X[:, 0] + X[:, 1],
        "columns": X[:, :2],
    }[kind]
    return "MLPRegressor" if kind in ("values", "columns") else "MLPClassifier", X, y


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["three", "two", "labels", "values"])
def test_the_next_step_is_the_same(kind: str, rule: str, dtype: Any) -> None:
    from chainrule.interop import from_sklearn

    name, X, y = task(kind, dtype)
    theirs = getattr(networks, name)(
        hidden_layer_sizes=(6, 5),
        activation="tanh",
        alpha=0.3,
        max_iter=4,
        random_state=0,
        **RULES[rule],
    ).fit(X, y)
    ours = from_sklearn(theirs)
    assert type(ours).__module__.startswith("chainrule.") and ours.n_iter_ == 4
    before = [array.copy() for array in theirs.coefs_]
    tolerance = TOLERANCE[np.dtype(dtype).name]
    same_outputs(ours, theirs, X, tolerance)
    for estimator in (ours, theirs):
        estimator.partial_fit(X, y)
    for mine, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance)
    for mine, other in zip(ours.intercepts_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance)
    steps = [np.abs(a - b).max() for a, b in zip(before, theirs.coefs_, strict=True)]
    assert min(steps) > 50 * tolerance  # something was learned
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=tolerance, atol=0)


def same_outputs(ours: Any, theirs: Any, X: Array, tolerance: float) -> None:
    np.testing.assert_array_equal(ours.predict(X).shape, theirs.predict(X).shape)
    if hasattr(theirs, "predict_proba"):
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=tolerance)
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    else:
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=tolerance)


@pytest.mark.parametrize("activation", ["identity", "logistic", "relu"])
def test_activations_names_and_quasi_newton_fits(activation: str) -> None:
    from chainrule.interop import from_sklearn

    pandas = pytest.importorskip("pandas")
    _, X, y = task("values", np.float64)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    theirs = networks.MLPRegressor(
        hidden_layer_sizes=(5,), activation=activation, solver="lbfgs", random_state=0
    )
    ours = from_sklearn(theirs.fit(frame, y))
    same_outputs(ours, theirs, frame, 1e-12)
    assert list(ours.feature_names_in_) == list("abcd")
    kept = theirs.coefs_[0].copy()
    ours.coefs_[0][...] = 0
    np.testing.assert_array_equal(theirs.coefs_[0], kept)


def test_several_columns_and_no_hidden_layer() -> None:
    from chainrule.interop import from_sklearn

    _, X, y = task("columns", np.float64)
    theirs = networks.MLPRegressor(hidden_layer_sizes=(), max_iter=3, random_state=0).fit(X, y)
    same_outputs(from_sklearn(theirs), theirs, X, 1e-12)


def test_what_is_no_fitted_perceptron_is_refused() -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.linear_model import LinearRegression

    from chainrule.interop import from_sklearn

    with pytest.raises(TypeError, match="MLPClassifier or MLPRegressor, got LinearRegression"):
        from_sklearn(LinearRegression())
    with pytest.raises(NotFittedError):
        from_sklearn(networks.MLPClassifier())
