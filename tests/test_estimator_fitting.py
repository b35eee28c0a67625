"""Fits: in parts, resumed, stopped early, watched, interrupted."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.sklearn import MLPClassifier, MLPRegressor
from estimator_cases import assert_same_net, classes, labels, pair, parameters_of, values

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def classifier(**parameters: Any) -> MLPClassifier:
    given = {"random_state": 3, "max_iter": 6, "hidden_layer_sizes": (9, 4), **parameters}
    return MLPClassifier(**given)


def regressor(**parameters: Any) -> MLPRegressor:
    given = {"random_state": 3, "max_iter": 6, "hidden_layer_sizes": (9, 4), **parameters}
    return MLPRegressor(**given)


def copies(estimator: Any) -> list[Any]:
    return [array.copy() for array in parameters_of(estimator)]


def same(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# --- partial_fit: the short way and the long way --------------------------------------------------


def long_way(estimator: Any, *arguments: Any, **keywords: Any) -> None:
    """Call partial_fit with weights of 1, which go the long way."""
    X = arguments[0]
    estimator.partial_fit(*arguments, sample_weight=np.ones(len(X)), **keywords)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
        {"dropout": 0.3},
        {"clip_norm": 0.05, "alpha": 0.5},
        {"n_threads": 1},
        {"optimizer": chainrule.Optimizer_Adagrad(0.01)},
    ],
)
def test_the_short_way_of_partial_fit_has_the_bits_of_the_long_way(
    parameters: dict[str, Any], rows: int, dtype: str
) -> None:
    X, y = classes(dtype=dtype)
    quick, slow = classifier(**parameters), classifier(**parameters)
    for estimator in (quick, slow):
        long_way(estimator, X[:rows], y[:rows], classes=[0, 1, 2])
    for start in range(rows, 10 * rows, rows):
        part = slice(start, start + rows)
        quick.partial_fit(X[part].copy(), y[part])
        long_way(slow, X[part], y[part])
        assert same(copies(quick), copies(slow))
        assert (quick.t_, quick.n_iter_) == (slow.t_, slow.n_iter_)
    assert quick._steps.runner is not None  # the short way was gone
    # with weights the losses are added one by one
    eps = np.finfo(np.float64).eps
    np.testing.assert_allclose(quick.loss_curve_, slow.loss_curve_, rtol=rows * eps)


def test_the_short_way_sees_every_change_between_calls() -> None:
    X, y = values()

    def changes(estimator: Any) -> list[Any]:
        return [
            lambda: None,
            lambda: estimator.coefs_[0].__setitem__(0, 0.5),
            lambda: setattr(estimator.model_.layers[0], "weights", np.full((5, 9), 0.1)),
            lambda: estimator.set_params(alpha=2.0),
            lambda: setattr(estimator.model_.layers[2], "trainable", False),
            lambda: estimator.model_.train(X[:5], y[:5], epochs=2),
            lambda: setattr(estimator.model_.optimizer, "learning_rate", 0.1),
            lambda: estimator.set_params(clip_norm=0.01),
            lambda: estimator.set_params(n_threads=1),
            lambda: estimator.fit(X, y),
            lambda: None,
        ]

    quick, slow = regressor(), regressor()
    for estimator in (quick, slow):
        long_way(estimator, X[:1], y[:1])
    for one, other in zip(changes(quick), changes(slow), strict=True):
        one()
        other()
        for row in range(3):
            quick.partial_fit(X[row : row + 1].copy(), y[row : row + 1])
            long_way(slow, X[row : row + 1], y[row : row + 1])
        assert same(copies(quick), copies(slow))


def test_the_short_way_refuses_what_the_long_way_refuses() -> None:
    X, y = classes()
    estimator = classifier().partial_fit(X[:1], y[:1], classes=[0, 1, 2])
    estimator.partial_fit(X[1:2], y[1:2])
    before = copies(estimator)
    bad = X[:1].copy()
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        estimator.partial_fit(bad, y[:1])
    with pytest.raises(ValueError, match="features"):
        estimator.partial_fit(X[:1, :3], y[:1])
    with pytest.raises(ValueError, match=r"y: expected classes among \[0 1 2\], got \[9\]"):
        estimator.partial_fit(X[:1], [9])
    with pytest.raises(ValueError, match="inconsistent"):
        estimator.partial_fit(X[:1], y[:2])
    assert same(before, copies(estimator))


def test_partial_fit_knows_its_classes_from_the_first_call() -> None:
    X, y = classes()
    names = np.array(["ash", "birch", "cedar"])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        classifier().partial_fit(X, names[y])
    estimator = classifier().partial_fit(X[:1], names[y[:1]], classes=names)
    np.testing.assert_array_equal(estimator.classes_, names)
    for row in range(1, 30):
        estimator.partial_fit(X[row : row + 1], names[y[row : row + 1]])
    assert set(estimator.predict(X)) <= set(names)
    with pytest.raises(ValueError, match="classes: expected those of the first call"):
        estimator.partial_fit(X, names[y], classes=names[:2])


def test_partial_fit_goes_on_after_fit() -> None:
    X, y = classes()
    ours, theirs = pair("MLPClassifier")
    for estimator in (ours, theirs):
        estimator.fit(X, y)
        estimator.partial_fit(X, y)
        estimator.partial_fit(X[:1], y[:1])
        estimator.partial_fit(X[1:2], y[1:2])
    assert_same_net(ours, theirs, 1e-12)
    assert ours.n_iter_ == 1


def test_lbfgs_has_no_partial_fit_and_early_stopping_no_part() -> None:
    X, y = values()
    assert not hasattr(regressor(solver="lbfgs"), "partial_fit")
    with pytest.raises(ValueError, match="early_stopping: expected False for partial_fit"):
        regressor(early_stopping=True).partial_fit(X, y)


# --- warm starts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_a_warm_start_keeps_parameters_and_optimizer(kind: str) -> None:
    X, y = values()
    parameters: dict[str, Any] = {"solver": kind, "shuffle": False, "tol": 0.0, "batch_size": 32}
    whole = regressor(max_iter=8, **parameters).fit(X, y)
    parts = regressor(max_iter=4, warm_start=True, **parameters)
    parts.fit(X, y)
    model = parts.model_
    parts.fit(X, y)
    assert parts.model_ is model
    assert same(copies(whole), copies(parts))
    assert parts.n_iter_ == 4 and parts.t_ == whole.t_
    np.testing.assert_array_equal(parts.loss_curve_, whole.loss_curve_)


def test_a_warm_start_takes_new_settings_and_refuses_new_classes() -> None:
    X, y = classes()
    estimator = classifier(warm_start=True).fit(X, y)
    estimator.set_params(learning_rate_init=0.5).fit(X, y)
    assert estimator.model_.optimizer.learning_rate == 0.5
    with pytest.raises(ValueError, match="y: expected the same classes as in the previous fit"):
        estimator.fit(X[y < 2], y[y < 2])
    estimator.set_params(warm_start=False).fit(X[y < 2], y[y < 2])
    np.testing.assert_array_equal(estimator.classes_, [0, 1])


def test_a_fit_without_warm_start_begins_anew() -> None:
    X, y = classes()
    estimator = classifier().fit(X, y)
    first = copies(estimator)
    assert same(first, copies(estimator.fit(X, y)))
    assert len(estimator.loss_curve_) == 6


def test_a_warm_start_refuses_other_sizes() -> None:
    X, y = values()
    estimator = regressor(warm_start=True).fit(X, y)
    estimator.set_params(hidden_layer_sizes=(9, 5))
    with pytest.raises(ValueError, match=r"hidden_layer_sizes: expected \[9, 4\], .* got \[9, 5\]"):
        estimator.fit(X, y)


@pytest.mark.parametrize(
    ("X", "y", "weight", "parameters"),
    [
        (np.zeros((9, 2)), np.arange(9), None, {"activation": "step"}),
        (np.zeros((9, 2)), np.arange(9), None, {"loss": "poisson", "dropout": 2}),
        (np.zeros((9, 2)), -np.arange(9), None, {"loss": "poisson"}),
        (np.zeros((9, 2)), np.zeros((9, 3)), -np.ones(9), {}),
        (np.zeros((9, 2)), np.zeros((9, 3)), np.zeros(9), {}),
        (np.zeros((9, 2)), np.zeros(9), None, {"early_stopping": True}),
        (np.zeros((9, 2)), [np.nan] * 9, None, {}),
    ],
)
def test_a_fit_that_is_refused_leaves_the_one_before(
    X: Any, y: Any, weight: Any, parameters: dict[str, Any]
) -> None:
    samples, targets = values()
    estimator = regressor().fit(samples, targets)
    expected = estimator.predict(samples)
    state = set(vars(estimator))
    estimator.set_params(**parameters)
    with pytest.raises((TypeError, ValueError)):
        estimator.fit(X, y, sample_weight=weight)
    assert set(vars(estimator)) == state
    assert estimator.n_features_in_ == 5
    np.testing.assert_array_equal(estimator.predict(samples), expected)


# --- stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scorer", ["roc_auc_ovr", "neg_log_loss", None])
def test_early_stopping_by_any_scorer_keeps_the_best_epoch(scorer: str | None) -> None:
    from sklearn.metrics import get_scorer

    X, y = classes(n=200)
    seen: list[float] = []

    def brier(estimator: Any, X: Any, y: Any) -> float:
        onehot = y[:, None] == estimator.classes_
        seen.append(-float(((estimator.predict_proba(X) - onehot) ** 2).mean()))
        return seen[-1]

    chosen = brier if scorer is None else scorer
    estimator = classifier(
        early_stopping=chosen, max_iter=60, learning_rate_init=0.05, n_iter_no_change=5
    )
    X_val, y_val = classes(n=40)
    estimator.fit(X, y, X_val=X_val, y_val=y_val)
    scores = estimator.validation_scores_
    assert len(scores) == estimator.n_iter_ == len(estimator.validation_loss_curve_)
    assert estimator.best_validation_score_ == max(scores)
    final = (
        chosen(estimator, X_val, y_val)
        if scorer is None
        else get_scorer(scorer)(estimator, X_val, y_val)
    )
    assert final == pytest.approx(max(scores), rel=1e-12)
    if scorer is None:
        assert seen[:-1] == scores


def test_given_validation_samples_take_the_place_of_a_share() -> None:
    X, y = values(n=120)
    weight = np.random.default_rng(0).uniform(0.5, 2, 30)
    estimator = regressor(early_stopping=True, max_iter=10)
    estimator.fit(X[:90], y[:90], X_val=X[90:], y_val=y[90:], sample_weight_val=weight)
    whole = regressor(max_iter=10).fit(X[:90], y[:90])
    np.testing.assert_array_equal(estimator.loss_curve_, whole.loss_curve_)
    estimator = regressor(max_iter=10).fit(X[:90], y[:90], X_val=X[90:], y_val=y[90:])
    assert estimator.validation_scores_ is None
    half = ((estimator.predict(X[90:]) - y[90:]) ** 2).mean() / 2
    assert estimator.validation_loss_curve_[-1] == pytest.approx(half, rel=1e-12)
    with pytest.raises(ValueError, match="X_val: expected y_val with it"):
        regressor().fit(X, y, X_val=X)


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_the_plan_are_those_of_predictions(weighted: bool) -> None:
    for kind, samples in ((classifier, classes), (classifier, labels), (regressor, values)):
        X, y = samples(n=120)
        weight = np.random.default_rng(0).uniform(0.5, 2, 30) if weighted else None
        estimator = kind(max_iter=8, early_stopping=True, n_iter_no_change=100)
        estimator.fit(X[:90], y[:90], X_val=X[90:], y_val=y[90:], sample_weight_val=weight)
        score = estimator.score(X[90:], y[90:], weight)
        assert estimator.best_validation_score_ == pytest.approx(score, abs=1e-12)


def test_numpys_booleans_are_booleans() -> None:
    X, y = classes()
    off = classifier(early_stopping=np.False_, shuffle=np.True_).fit(X, y)
    assert off.validation_scores_ is None
    assert same(copies(off), copies(classifier().fit(X, y)))
    assert len(classifier(early_stopping=np.True_).fit(X, y).validation_scores_) == 6


def test_the_net_counts_what_score_counts() -> None:
    for k in (2, 3):
        X, y = classes(k=k)
        estimator = classifier(max_iter=30).fit(X, y)
        _, accuracy = estimator.model_.evaluate(X, estimator._targets(y, X.dtype), quiet=True)
        assert accuracy == estimator.score(X, y)


def test_a_fit_keeps_to_its_threads() -> None:
    X, y = values()
    seen: list[int] = []

    class Counter(chainrule.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            seen.append(chainrule.get_num_threads())

    before = chainrule.get_num_threads()
    regressor(n_threads=1, callbacks=[Counter()], max_iter=1).fit(X, y)
    assert seen == [1]
    assert chainrule.get_num_threads() == before


def test_too_few_samples_to_hold_back_are_refused() -> None:
    X, y = values(n=10)
    with pytest.raises(ValueError, match="validation_fraction: expected at least 2 samples"):
        regressor(early_stopping=True).fit(X, y)


# --- callbacks ------------------------------------------------------------------------------------


def test_callbacks_see_and_steer_the_fit() -> None:
    X, y = values()
    seen: list[Any] = []

    class Watcher(chainrule.Callback):
        def on_train_begin(self) -> None:
            seen.append("begin")

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            seen.append((epoch, logs["loss"], self.model.predict(X[:2]).copy()))
            if epoch == 4:
                self.model.stop_training = True

        def on_train_end(self) -> None:
            seen.append("end")

    estimator = regressor(callbacks=[Watcher()], max_iter=10).fit(X, y)
    assert seen[0] == "begin" and seen[-1] == "end"
    assert [entry[0] for entry in seen[1:-1]] == [1, 2, 3, 4]
    assert [entry[1] for entry in seen[1:-1]] == estimator.loss_curve_
    np.testing.assert_array_equal(seen[-2][2][:, 0], estimator.predict(X[:2]))
    assert estimator.n_iter_ == 4
    plain = regressor(max_iter=4).fit(X, y)
    assert same(copies(plain), copies(estimator))


def test_a_callback_may_change_the_rate() -> None:
    X, y = values()
    halving = chainrule.LearningRateSchedule(lambda epoch: 0.01 / epoch)
    estimator = regressor(callbacks=[halving]).fit(X, y)
    rates = estimator.model_.history.learning_rate
    np.testing.assert_allclose(rates, 0.01 / np.arange(1, 7), rtol=1e-15)


@pytest.mark.parametrize("settings", [{}, {"alpha": 0.0}, {"early_stopping": True}])
def test_the_models_history_is_that_of_the_fit(settings: dict[str, Any]) -> None:
    X, y = values()
    estimator = regressor(max_iter=7, **settings).fit(X, y)
    history = estimator.model_.history
    assert len(history) == estimator.n_iter_ == 7
    np.testing.assert_array_equal(history.loss, estimator.loss_curve_)
    assert (history.seconds > 0).all()
    assert len(set(history.learning_rate)) == 1
    assert np.isfinite(history.validation_loss).all() == bool(settings.get("early_stopping"))


def test_scikit_learns_callbacks_get_each_epoch_as_a_task() -> None:
    pytest.importorskip("sklearn.callback")
    X, y = classes()
    tasks: list[Any] = []

    class Recorder:
        def setup(self, estimator: Any, context: Any) -> None:
            tasks.append("setup")

        def teardown(self, estimator: Any, context: Any) -> None:
            tasks.append("teardown")

        def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None) -> None:
            tasks.append(("begin", context.task_name, context.task_id))

        def on_fit_task_end(
            self, estimator: Any, context: Any, *, X: Any = None, fitted_estimator: Any = None
        ) -> Any:
            tasks.append(("end", context.task_name, fitted_estimator.predict(X)))
            return context.task_name == "epoch" and context.task_id == 2

    estimator = classifier(max_iter=10).set_callbacks(Recorder()).fit(X, y)
    assert tasks[0] == "setup" and tasks[-1] == "teardown"
    names = [task[:2] for task in tasks[1:-1]]
    epoch = [("begin", "epoch"), ("end", "epoch")]
    assert names == [("begin", "fit"), *epoch * 3, ("end", "fit")]
    np.testing.assert_array_equal(tasks[-2][2], estimator.predict(X))
    assert estimator.n_iter_ == 3


def test_scikit_learns_monitor_scores_each_epoch() -> None:
    callback = pytest.importorskip("sklearn.callback")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = classes()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    estimator = classifier().set_callbacks(monitor)
    pipeline = make_pipeline(StandardScaler(), estimator).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in rows] == list(range(6))
    assert rows[-1]["accuracy"] == pipeline.score(X, y)


def test_verbose_prints_a_line_for_each_epoch(capsys: Any) -> None:
    X, y = values()
    regressor(verbose=True, max_iter=2, early_stopping=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["Iteration", "Validation"] * 2


# --- interrupts -----------------------------------------------------------------------------------


def interrupt_after(seconds: float) -> None:
    """Send this process SIGINT from another thread."""

    def send() -> None:
        time.sleep(seconds)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=send).start()


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_warns_and_leaves_a_usable_net(solver: str) -> None:
    X, y = values(n=2000, d=20)
    estimator = regressor(
        max_iter=10**6, max_fun=10**9, tol=0.0, solver=solver, hidden_layer_sizes=(64, 64)
    )
    estimator.set_params(n_iter_no_change=np.inf)
    interrupt_after(0.5)
    with pytest.warns(UserWarning, match="interrupted"):
        estimator.fit(X, y)
    assert 0 < estimator.n_iter_ < 10**6
    assert np.isfinite(estimator.predict(X)).all()
    assert estimator.predict(X).std() > 0
    estimator.set_params(max_iter=2, warm_start=True).fit(X, y)
