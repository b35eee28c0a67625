"""The estimators within scikit-learn: searches, ensembles, calibration, routing, joblib."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.sklearn import MLPClassifier, MLPRegressor
from estimator_cases import classes, values

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(**parameters: Any) -> MLPClassifier:
    given = {"random_state": 0, "max_iter": 60, "hidden_layer_sizes": 8, **parameters}
    return MLPClassifier(**{"learning_rate_init": 0.02, **given})


def regressor(**parameters: Any) -> MLPRegressor:
    given = {"random_state": 0, "max_iter": 100, "hidden_layer_sizes": 8, **parameters}
    return MLPRegressor(**{"learning_rate_init": 0.02, **given})


def test_in_a_pipeline_and_a_search() -> None:
    X, y = classes(n=120)
    grid = {"mlpclassifier__alpha": [1e-4, 10.0], "mlpclassifier__activation": ["relu", "gelu"]}
    search = GridSearchCV(make_pipeline(StandardScaler(), classifier()), grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.8
    assert search.best_params_["mlpclassifier__alpha"] in (1e-4, 10.0)
    assert search.predict_proba(X).shape == (120, 3)


def test_cross_validation() -> None:
    X, y = classes(n=120)
    assert cross_val_score(classifier(), X, y, cv=3).mean() > 0.8
    assert cross_val_predict(classifier(), X, y, cv=3, method="predict_proba").shape == (120, 3)
    X, y = values(n=120)
    assert cross_val_score(regressor(), X, y, cv=3).mean() > 0.5


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_of_joblib_give_the_same(backend: str) -> None:
    import joblib

    X, y = classes(n=60)
    expected = cross_val_predict(classifier(), X, y, cv=3, method="predict_proba")
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = cross_val_predict(classifier(), X, y, cv=3, method="predict_proba")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda net: CalibratedClassifierCV(net, cv=3),
        lambda net: BaggingClassifier(net, n_estimators=3, random_state=0),
        lambda net: OneVsRestClassifier(net),
        lambda net: VotingClassifier([("a", net), ("b", net)], voting="soft"),
    ],
)
def test_classifiers_of_classifiers(wrap: Any) -> None:
    X, y = classes(n=120)
    found = wrap(classifier()).fit(X, y)
    assert found.score(X, y) > 0.8
    np.testing.assert_allclose(found.predict_proba(X).sum(1), 1, atol=1e-12)


def test_regressors_of_regressors() -> None:
    X, y = values(n=120)
    assert BaggingRegressor(regressor(), n_estimators=3, random_state=0).fit(X, y).score(X, y) > 0.5
    scaled = TransformedTargetRegressor(regressor(), transformer=StandardScaler())
    assert scaled.fit(X, 1000 * y).score(X, 1000 * y) > 0.5


def test_permutation_importance_finds_the_column_that_counts() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    found = permutation_importance(
        regressor().fit(X, np.sin(X[:, 1])), X, np.sin(X[:, 1]), n_repeats=3, random_state=0
    )
    assert found.importances_mean.argmax() == 1


def test_weights_and_validation_samples_are_routed() -> None:
    X, y = classes(n=120)
    weight = np.random.default_rng(0).uniform(0.1, 2, 120)
    seen: list[Any] = []

    class Seen(MLPClassifier):
        def fit(
            self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None
        ) -> Any:
            seen.append((sample_weight, X_val))
            return super().fit(X, y, sample_weight, X_val, y_val)

    with sklearn.config_context(enable_metadata_routing=True):
        net = Seen(random_state=0, max_iter=3, hidden_layer_sizes=4)
        net.set_fit_request(sample_weight=True, X_val=True, y_val=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, net, transform_input=["X_val"])
        pipeline.fit(X, y, sample_weight=weight, X_val=X[:20] * 2, y_val=y[:20])
        scaler = pipeline[0]
        assert seen[0][0] is weight
        np.testing.assert_array_equal(seen[0][1], scaler.transform(X[:20] * 2))
        cross = cross_val_score(
            MLPClassifier(random_state=0, max_iter=3).set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True),
            X, y, params={"sample_weight": weight}, cv=2,
        )  # fmt: skip
        assert np.isfinite(cross).all()


def test_frames_of_transformers_come_with_their_names() -> None:
    pandas = pytest.importorskip("pandas")
    X, y = classes()
    frame = pandas.DataFrame(X, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), classifier()).set_output(transform="pandas")
    pipeline.fit(frame, y)
    np.testing.assert_array_equal(pipeline[-1].feature_names_in_, list("abcde"))
    assert pipeline.score(frame, y) > 0.8


def test_clones_carry_every_parameter() -> None:
    from sklearn.base import clone

    import chainrule

    given = {
        "loss": chainrule.Loss_CategoricalCrossentropy(label_smoothing=0.1),
        "optimizer": chainrule.Optimizer_RMSprop(0.01),
        "schedule": chainrule.schedules.Cosine(),
        "callbacks": [chainrule.EarlyStopping("loss")],
        "activation": ["gelu"],
        "dropout": [0.1],
        "clip_norm": 1.0,
        "class_weight": "balanced",
        "n_threads": 1,
    }
    X, y = classes()
    original = classifier(**given)
    twin = clone(original)
    assert twin.get_params().keys() == original.get_params().keys()
    for each in (original, twin):
        each.fit(X, y)
    np.testing.assert_array_equal(original.coefs_[0], twin.coefs_[0])
    assert "Cosine" in repr(original)
