"""The tabular estimators: fits, members, what is held out, predictions, refusals."""

from __future__ import annotations

import _thread
import pickle
import warnings
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score

from chainrule import Callback
from chainrule.sklearn.tabular.calibration import softmax, temperature_of
from chainrule.sklearn.tabular.folds import parts_of
from tabular_cases import Array, classifier, frame, labels, objects, regressor, values

KINDS = {"classifier": (classifier, labels), "regressor": (regressor, values)}


def outputs(estimator: Any, X: Any) -> Array:
    """Return probabilities, or values."""
    method = getattr(estimator, "predict_proba", estimator.predict)
    found: Array = method(X)
    return found


def held_out(estimator: Any) -> Array:
    """Return what a fit predicted for rows held out."""
    found: Array = getattr(estimator, "oof_predict_proba_", None)
    return estimator.oof_prediction_ if found is None else found


# --- what is learned ------------------------------------------------------------------------------


def test_classes_are_learned_better_than_their_shares_tell() -> None:
    net = classifier(epochs=120).fit(frame(), labels())
    X, y = frame(300, seed=1), labels(300, seed=1)
    shares = np.tile([np.mean(labels() == each) for each in net.classes_], (len(y), 1))
    assert log_loss(y, net.predict_proba(X)) < 0.5 * log_loss(y, shares)
    assert net.score(X, y) > 0.85


def test_values_are_learned_better_than_their_mean_tells() -> None:
    net = regressor(epochs=120).fit(frame(), values())
    assert net.score(frame(300, seed=1), values(300, seed=1)) > 0.8


def test_quantiles_have_their_shares_below_and_are_in_order() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 3, (2000, 1))
    y = X[:, 0] * (1 + 0.5 * rng.normal(size=2000))
    quantiles = [0.1, 0.5, 0.9]
    net = regressor(quantiles=quantiles, epochs=40, ensemble=2).fit(X[:1000], y[:1000])
    predicted = net.predict(X[1000:])
    assert predicted.shape == net.oof_prediction_.shape == (1000, 3)
    assert (np.diff(predicted, axis=1) >= 0).all()
    # of 1000 a share is known to 0.016; five of them
    shares = (y[1000:, None] <= predicted).mean(axis=0)
    np.testing.assert_allclose(shares, quantiles, atol=5 * 0.016)
    assert net.score(X[1000:], y[1000:]) > 0.2


def test_several_targets_are_predicted_in_their_units_and_range() -> None:
    y = np.column_stack([values(), -1e-3 * values()])
    net = regressor(epochs=60).fit(frame(), y)
    predicted = net.predict(frame(seed=1))
    assert predicted.shape == y.shape
    assert (predicted >= y.min(axis=0)).all() and (predicted <= y.max(axis=0)).all()
    assert net.score(frame(seed=1), np.column_stack([values(seed=1), -1e-3 * values(seed=1)])) > 0.5


@pytest.mark.parametrize("y", [labels() == "yes", np.where(labels() == "yes", 7, -2)])
def test_labels_may_be_of_any_type(y: Array) -> None:
    net = classifier().fit(frame(), y)
    assert net.predict(frame()).dtype == y.dtype
    assert np.array_equal(net.classes_, np.unique(y))


def test_the_kept_epoch_is_the_last_of_the_best_and_its_parameters_are_in_use() -> None:
    X, y = frame(), labels()
    net = classifier().fit(X[:160], y[:160], X_val=X[160:], y_val=y[160:])
    curve = net.validation_curve_[0]
    best = net.best_epoch_[0]
    assert best == np.flatnonzero(curve == curve.min())[-1] + 1
    # in float32 a logarithm of a softmax of few classes is right to some eps
    assert log_loss(y[160:], net.predict_proba(X[160:])) == pytest.approx(curve[best - 1], rel=1e-5)


def test_the_metric_accuracy_chooses_by_right_predictions() -> None:
    X, y = frame(), labels()
    net = classifier(metric="accuracy").fit(X[:160], y[:160], X_val=X[160:], y_val=y[160:])
    curve, best = net.validation_curve_[0], net.best_epoch_[0]
    assert best == np.flatnonzero(curve == curve.max())[-1] + 1
    assert net.score(X[160:], y[160:]) == pytest.approx(curve[best - 1])


def test_the_curve_is_that_of_the_loss_without_smoothing() -> None:
    X, y = frame(), labels()
    net = classifier(label_smoothing=0.3).fit(X[:160], y[:160], X_val=X[160:], y_val=y[160:])
    value = net.validation_curve_[0][net.best_epoch_[0] - 1]
    assert log_loss(y[160:], net.predict_proba(X[160:])) == pytest.approx(value, rel=1e-5)


def test_the_curve_of_a_regression_is_in_the_targets_units() -> None:
    X, y = frame(), values()
    net = regressor().fit(X[:160], y[:160], X_val=X[160:], y_val=y[160:])
    value = net.validation_curve_[0][net.best_epoch_[0] - 1]
    # predictions are clipped to the training rows' range, the curve's are not
    inside = (y[160:] >= y[:160].min()) & (y[160:] <= y[:160].max())
    assert inside.all()
    root = np.sqrt(np.mean((net.predict(X[160:]) - y[160:]) ** 2))
    assert root <= value * (1 + 1e-4)


# --- members --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_member_has_the_bits_of_a_fit_of_its_own(kind: str) -> None:
    make, targets = KINDS[kind]
    X, y, weight = frame(), targets(), np.arange(240) + 1.0
    settings = {"class_weight": "balanced"} if kind == "classifier" else {}
    many = make(ensemble=3, n_threads=2, **settings).fit(X, y, weight)
    places = np.searchsorted(np.unique(y), y) if kind == "classifier" else None
    parts = parts_of(240, places, 3, 0.2, many.seeds_[0])
    for k, (kept, held) in enumerate(parts):
        one = make(random_state=many.seeds_[k], **settings)
        one.fit(X.iloc[kept], y[kept], weight[kept], X.iloc[held], y[held], weight[held])
        assert np.array_equal(outputs(one, X.iloc[held]), held_out(many)[held])
        assert np.array_equal(one.validation_curve_[0], many.validation_curve_[k])
        assert one.best_epoch_[0] == many.best_epoch_[k]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("combine", ["bag", "refit"])
def test_bits_do_not_depend_on_threads_and_repeat_with_a_seed(kind: str, combine: str) -> None:
    make, targets = KINDS[kind]
    X, y = frame(), targets()
    settings: dict[str, Any] = {"combine": combine, "ensemble": 2, "epochs": 12, "dropout": 0.1}
    first = outputs(make(n_threads=1, **settings).fit(X, y), X)
    assert np.array_equal(first, outputs(make(n_threads=2, **settings).fit(X, y), X))
    other = make(**{**settings, "random_state": 4}).fit(X, y)
    assert not np.array_equal(first, outputs(other, X))


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_the_members_mean_and_their_spread_is_told(kind: str) -> None:
    make, targets = KINDS[kind]
    X = frame()
    net = make(ensemble=3).fit(X, targets())
    assert not hasattr(make(), "predict_std")
    table = net._reader.table(net, X)
    each = [member.outputs(table) for member in net.members_]
    each = [softmax(one) if kind == "classifier" else one[:, 0] for one in each]
    np.testing.assert_allclose(outputs(net, X), np.mean(each, axis=0), rtol=1e-14)
    np.testing.assert_allclose(net.predict_std(X), np.std(each, axis=0), rtol=1e-9, atol=1e-14)


def test_a_refit_trains_on_all_rows_to_the_epoch_that_is_best_for_the_mean() -> None:
    X, y = frame(), labels()
    bag, refit = (classifier(combine=way, ensemble=2).fit(X, y) for way in ("bag", "refit"))
    assert np.array_equal(bag.validation_curve_, refit.validation_curve_)
    assert np.array_equal(bag.oof_predict_proba_, refit.oof_predict_proba_, equal_nan=True)
    mean = bag.validation_curve_.mean(axis=0)
    assert (refit.best_epoch_ == np.flatnonzero(mean == mean.min())[-1] + 1).all()
    # marks of missing cells, medians: of all rows, not of a part
    assert refit.members_[0].encoding.medians[0] == np.nanmedian(X["length"])
    assert not np.array_equal(refit.predict_proba(X), bag.predict_proba(X))


class Ends(Callback):
    """Ends the first training after five epochs, and every later one after seven."""

    trainings: ClassVar[int] = 0

    def on_train_begin(self) -> None:
        Ends.trainings += 1
        self.last = 5 if Ends.trainings == 1 else 7

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.model.stop_training = epoch == self.last


def test_a_refit_takes_curves_as_far_as_all_members_go() -> None:
    Ends.trainings = 0
    net = classifier(combine="refit", ensemble=2, callbacks=[Ends()], n_threads=1)
    net.fit(frame(), labels())
    assert (~np.isnan(net.validation_curve_)).sum(axis=1).tolist() == [5, 7]
    mean = net.validation_curve_[:, :5].mean(axis=0)
    assert (net.best_epoch_ == np.flatnonzero(mean == mean.min())[-1] + 1).all()


@pytest.mark.parametrize(("members", "share"), [(1, 0.2), (2, 0.4), (5, 1.0), (6, 1.0)])
def test_rows_held_out_are_stratified_and_the_others_have_no_probabilities(
    members: int, share: float
) -> None:
    y = np.repeat(["a", "b"], [180, 60])
    net = classifier(ensemble=members, epochs=2).fit(frame(), y)
    held = ~np.isnan(net.oof_predict_proba_).any(axis=1)
    assert held.mean() == pytest.approx(share)
    assert held[:180].mean() == pytest.approx(held[180:].mean())


def test_a_class_of_one_row_is_no_obstacle() -> None:
    y = labels().astype(object)
    y[5] = "once"
    for members in (1, 2):
        net = classifier(ensemble=members, epochs=3).fit(frame(), y)
        assert net.predict_proba(frame()).shape == (240, 3)


def test_one_temperature_minimises_the_log_loss_of_rows_held_out() -> None:
    X, y = frame(), labels()
    rng = np.random.default_rng(0)
    y = np.where(rng.random(240) < 0.3, rng.permutation(y), y)  # noise, so that nets are too sure
    net = classifier(ensemble=5, calibration="temperature", epochs=60).fit(X, y)
    plain = classifier(ensemble=5, epochs=60).fit(X, y)
    assert plain.temperature_ == 1 != net.temperature_
    logits = np.log(net.oof_predict_proba_)

    share = 0.25 / (240 + 0.5)
    soft = np.full(logits.shape, share / (logits.shape[1] - 1))
    soft[np.arange(240), np.searchsorted(net.classes_, y)] = 1 - share

    def loss(temperature: float) -> float:
        return -float((soft * np.log(softmax(logits / temperature))).sum())

    assert loss(net.temperature_) <= min(loss(net.temperature_ * f) for f in (0.98, 1.02, 1.0))
    assert np.array_equal(net.oof_predict_proba_, plain.oof_predict_proba_)
    assert not np.array_equal(net.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("given", [None, 0.1, 1e-200, 1e200])
@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("n", [1, 30, 4000])
def test_held_out_rows_that_are_all_right_do_not_make_a_net_surer_than_their_number(
    n: int, classes: int, given: float | None
) -> None:
    rng = np.random.default_rng(n)
    labels = rng.integers(classes, size=n)
    logits = 20.0 * np.eye(classes)[labels]
    weight = None if given is None else np.full(n, given)
    inverse = 1 / temperature_of(logits, labels, weight)
    # all rows alike: the best probability of the label is the share that it counts for
    share = 0.25 / (n + 0.5)
    expected = np.log((1 - share) * (classes - 1) / share) / 20
    np.testing.assert_allclose(inverse, expected, rtol=1e-4)  # the search's own tolerance


def test_with_many_rows_the_temperature_is_that_of_the_labels_alone() -> None:
    rng = np.random.default_rng(5)
    true = rng.normal(size=(20_000, 3)) * 2
    cumulated = np.cumsum(softmax(true), axis=1)
    labels = (rng.random((20_000, 1)) > cumulated[:, :2]).sum(axis=1)
    shares = softmax(true)
    information = ((shares * true**2).sum(axis=1) - (shares * true).sum(axis=1) ** 2).sum()
    for factor in (2.0, 0.5):  # too sure, and not sure enough
        found = temperature_of(factor * true, labels, None)
        assert abs(np.log(found / factor)) < 4 / np.sqrt(information)  # standard errors of log T


# --- weights --------------------------------------------------------------------------------------


def test_class_weights_are_weights_of_their_samples() -> None:
    X, y = frame(), labels()
    weight = np.where(y == "yes", 3.0, 0.5)
    held = {"X_val": X[160:], "y_val": y[160:]}
    one = classifier(class_weight={"yes": 3.0, "no": 0.5}).fit(X[:160], y[:160], **held)
    other = classifier().fit(X[:160], y[:160], weight[:160], **held, sample_weight_val=weight[160:])
    assert np.array_equal(one.predict_proba(X), other.predict_proba(X))
    assert not np.array_equal(
        one.predict_proba(X), classifier().fit(X[:160], y[:160], **held).predict_proba(X)
    )


def test_balanced_weights_raise_the_share_of_the_rare_class() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = (X[:, 0] + rng.normal(size=400) > 2.2).astype(int)
    assert 0.02 < y.mean() < 0.12
    plain = classifier().fit(X, y).predict_proba(X)[:, 1].mean()
    balanced = classifier(class_weight="balanced").fit(X, y).predict_proba(X)[:, 1].mean()
    assert balanced > 2 * plain


# --- containers -----------------------------------------------------------------------------------


def is_missing(cell: Any) -> bool:
    """None, or a number that is none."""
    return cell is None or cell != cell


@pytest.mark.parametrize("kind", KINDS)
def test_frames_and_arrays_of_objects_give_the_same_bits(kind: str) -> None:
    polars = pytest.importorskip("polars")
    make, targets = KINDS[kind]
    X, y = frame(), targets()
    expected = outputs(make(epochs=5).fit(X, y), X)
    cells = {name: [None if is_missing(cell) else cell for cell in X[name]] for name in X}
    for other in (objects(), polars.DataFrame(cells)):
        assert np.array_equal(outputs(make(epochs=5).fit(other, y), other), expected)


def test_numbers_beside_texts_in_lists_stay_numbers() -> None:
    rows = [["a", 1.5, 3], ["b", 2.5, 4], ["c", 0.5, 5]] * 20
    net = classifier(epochs=2).fit(rows, [0, 1, 0] * 20)
    assert net._reader.words.tolist() == [True, False, False]
    table = net._reader.table(net, [["c", 7.0, 1]])
    assert table.numbers.tolist() == [[7.0, 1.0]] and table.codes.tolist() == [[2]]


def test_pandas_own_missing_cells_are_missing() -> None:
    pandas = pytest.importorskip("pandas")
    numbers = pandas.Series([1.0, 2, None, 4] * 20)
    flags = pandas.Series([True, False, None, True] * 20, dtype=object)
    plain = pandas.DataFrame({"a": numbers, "b": flags})
    nullable = plain.assign(a=numbers.astype("Float64"), b=flags.astype("boolean"))
    y = [0, 1] * 40
    expected = classifier(epochs=3).fit(plain, y).predict_proba(plain)
    found = classifier(epochs=3).fit(nullable, y)
    assert np.array_equal(found.predict_proba(nullable), expected)
    assert found._reader.words.tolist() == [False, True]


def test_sparse_matrices_give_the_bits_of_dense_ones() -> None:
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 6)) * (rng.random((90, 6)) < 0.3)
    y = X.sum(axis=1)
    dense, sparse = regressor().fit(X, y), regressor().fit(csr_matrix(X), y)
    assert np.array_equal(dense.predict(X), sparse.predict(csr_matrix(X)))


def test_new_and_missing_categories_are_the_same_and_finite() -> None:
    net = classifier().fit(frame(), labels())
    new, missing = frame(20, seed=5), frame(20, seed=5)
    new["colour"], missing["colour"] = "violet", None
    probabilities = net.predict_proba(new)
    assert np.isfinite(probabilities).all()
    assert np.array_equal(probabilities, net.predict_proba(missing))
    assert not np.array_equal(probabilities, net.predict_proba(frame(20, seed=5)))


def test_one_rows_predictions_have_the_bits_that_it_has_among_many() -> None:
    X = frame()
    net = classifier(ensemble=2).fit(X, labels())
    many = net.predict_proba(X)
    assert all(
        np.array_equal(net.predict_proba(X[k : k + 1])[0], many[k]) for k in range(0, 240, 9)
    )


@pytest.mark.parametrize("given", [["count"], [4], [False, False, False, False, True]])
def test_columns_may_be_named_counted_or_marked_as_categories(given: Any) -> None:
    X = frame()
    X["colour"] = X["colour"].cat.codes
    X["side"] = (X["side"] == "left").astype(int)
    X["flag"] = X["flag"].astype(int)
    net = classifier(categorical_features=given, epochs=2).fit(X, labels())
    assert net._reader.words.tolist() == [False] * 4 + [True]
    assert net._reader.levels == [list(range(9))]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda X: X[X.columns[::-1]], ValueError, "same order"),
        (lambda X: X.rename(columns={"count": "number"}), ValueError, "unseen at fit time"),
        (lambda X: X.assign(length="long"), ValueError, "column 'length'.*got 'long' in row 0"),
        (
            lambda X: X.assign(length=np.where(np.arange(len(X)) == 3, -np.inf, X["length"])),
            ValueError,
            "column 'length': expected finite numbers or missing cells, got -inf in row 3",
        ),
        (lambda X: X[:0], ValueError, "0 sample"),
    ],
)
def test_frames_that_do_not_fit_are_refused(change: Any, error: type, text: str) -> None:
    net = classifier(epochs=2).fit(frame(), labels())
    with pytest.raises(error, match=text):
        net.predict(change(frame()))


def test_errors_of_validation_rows_name_them() -> None:
    X, y = frame(), labels()
    infinite = X.assign(length=np.inf)
    with pytest.raises(ValueError, match=r"^X_val: column 'length': expected finite numbers"):
        classifier(epochs=2).fit(X, y, X_val=infinite, y_val=y)
    with pytest.raises(ValueError, match=r"^X_val: column 'length': expected numbers, as in"):
        classifier(epochs=2).fit(X, y, X_val=X.assign(length="long"), y_val=y)


def test_a_word_of_its_own_in_each_row_is_told() -> None:
    X, y = frame(), labels()
    names = [f"p{row}" for row in range(len(X))]
    with pytest.warns(UserWarning, match=r"column 'name': each of the 240 rows .*'p0'") as told:
        classifier(epochs=2).fit(X.assign(name=names), y)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier(epochs=2).fit(X.assign(name=["p1", *names[1:]]), y)  # two rows have it
        classifier(epochs=2).fit(X.assign(name=names)[:18], y[:18])  # too few to tell


def test_dates_are_refused_with_a_hint() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"column 'day'.*turn dates into numbers"):
        classifier().fit(frame().assign(day=pandas.Timestamp("2020-01-01")), labels())


# --- parameters and refusals ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("preset", "large", ValueError),
        ("hidden_layer_sizes", (0,), ValueError),
        ("activation", "no such", ValueError),
        ("categorical_features", "all", ValueError),
        ("categorical_features", 3, TypeError),
        ("categorical_features", ["weight"], ValueError),
        ("categorical_features", [True], ValueError),
        ("numeric_embedding", "piecewise", ValueError),
        ("numeric_embedding", 4, ValueError),
        ("max_onehot", 0, ValueError),
        ("embedding_size", 2.5, TypeError),
        ("metric", "f1", ValueError),
        ("label_smoothing", 1.0, ValueError),
        ("learning_rate", 0, ValueError),
        ("learning_rate", "fast", ValueError),
        ("epochs", 0, ValueError),
        ("batch_size", 0, ValueError),
        ("dropout", 1.0, ValueError),
        ("weight_decay", -1, ValueError),
        ("ensemble", 0, ValueError),
        ("ensemble", 241, ValueError),
        ("combine", "mean", ValueError),
        ("validation_fraction", 0, ValueError),
        ("validation_fraction", 1.0, ValueError),
        ("class_weight", "heavy", ValueError),
        ("calibration", "isotonic", ValueError),
        ("n_threads", 0, ValueError),
        ("callbacks", 3, TypeError),
        ("verbose", -1, ValueError),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, value: Any, error: type) -> None:
    with pytest.raises(error, match=name):
        classifier(**{name: value}).fit(frame(), labels())


@pytest.mark.parametrize(
    ("value", "error"),
    [((), TypeError), (0.5, TypeError), ([0.9, 0.1], ValueError), ([1.0], ValueError)],
)
def test_quantiles_out_of_order_or_range_are_refused(value: Any, error: type) -> None:
    with pytest.raises(error, match="quantiles"):
        regressor(quantiles=value).fit(frame(), values())


def test_what_belongs_together_is_asked_for() -> None:
    X, y = frame(), labels()
    with pytest.raises(ValueError, match="expected y_val with it"):
        classifier().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="combine='refit'"):
        classifier(combine="refit").fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class"):
        classifier().fit(X, np.zeros(240))
    with pytest.raises(ValueError, match="one column of y"):
        regressor(quantiles=[0.5]).fit(X, np.zeros((240, 2)))


def test_a_refused_fit_leaves_the_estimator_as_it_was() -> None:
    net = classifier(epochs=2).fit(frame(), labels())
    before, expected = dict(net.__dict__), net.predict_proba(frame())
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        net.fit(frame().rename(columns=str.upper), labels()[:-1])
    assert net.__dict__ == before
    assert np.array_equal(net.predict_proba(frame()), expected)


# --- progress, interrupts, life in scikit-learn ---------------------------------------------------


class Breaks(Callback):
    """Interrupts the main thread after the third epoch of one of the members, as Ctrl-C does.

    Once: a second signal may come when the fit is over, and meet whoever runs then.
    """

    signals: ClassVar[list[str]] = []  # to come; of all copies

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 3:
            with suppress(IndexError):
                Breaks.signals.pop()
                _thread.interrupt_main()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("members", [1, 4])
@pytest.mark.parametrize("combine", ["bag", "refit"])
def test_an_interrupted_fit_leaves_what_is_there(threads: int, members: int, combine: str) -> None:
    X, y = frame(), labels()
    Breaks.signals[:] = ["Ctrl-C"]
    net = classifier(
        epochs=100_000, callbacks=[Breaks()], ensemble=members, n_threads=threads, combine=combine
    )
    with pytest.warns(UserWarning, match="interrupted"):
        net.fit(X, y)
    assert 1 <= len(net.members_) <= members
    assert len(net.members_) == len(net.best_epoch_) == len(net.validation_curve_)
    assert (net.best_epoch_ >= 1).all()
    assert np.isfinite(net.predict_proba(X)).all()


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_class_is_named_by_its_place(missing: Any) -> None:
    y = labels().astype(object)
    y[3] = missing
    with pytest.raises(ValueError, match=f"^y: expected a class for each sample, got {missing}"):
        classifier(epochs=1).fit(frame(), y)


def test_a_text_for_a_number_is_named_by_its_place() -> None:
    y = values().astype(object)
    y[5] = "many"
    with pytest.raises(ValueError, match=r"^y: expected numbers, got 'many' at index 5; for class"):
        regressor(epochs=1).fit(frame(), y)
    numbers = [str(each) for each in values()]  # texts that are numbers serve, as in scikit-learn
    assert np.isfinite(regressor(epochs=1).fit(frame(), numbers).predict(frame())).all()


def test_a_line_a_member_is_printed_where_it_is_wanted(capsys: Any) -> None:
    classifier(ensemble=2, epochs=3, verbose=1, n_threads=1).fit(frame(), labels())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["member 1 of 2", "member 2 of 2"]
    assert all("of 3, validation loss 0." in line for line in lines)
    classifier(epochs=3).fit(frame(), labels())
    assert capsys.readouterr().out == ""


def test_a_bar_counts_the_epochs_of_all_members_where_somebody_looks(monkeypatch: Any) -> None:
    from chainrule.sklearn.tabular import watch

    bars = []

    class Bar:
        def __init__(self, total: int, **_: Any) -> None:
            self.total, self.count, self.open = total, 0, True
            bars.append(self)

        def update(self) -> None:
            self.count += 1

        def close(self) -> None:
            self.open = False

    monkeypatch.setattr(watch, "someone_is_looking", lambda: True)
    monkeypatch.setattr(watch, "bar_class", lambda: Bar)
    classifier(ensemble=3, epochs=4).fit(frame(), labels())
    assert [(bar.total, bar.count, bar.open) for bar in bars] == [(12, 12, False)]


@pytest.mark.parametrize("kind", KINDS)
def test_pickles_clones_and_searches_work(kind: str) -> None:
    make, targets = KINDS[kind]
    X, y = frame(), targets()
    net = make(ensemble=2, epochs=4).fit(X, y)
    assert np.array_equal(outputs(pickle.loads(pickle.dumps(net)), X), outputs(net, X))
    assert np.array_equal(outputs(clone(net).fit(X, y), X), outputs(net, X))
    assert len(cross_val_score(make(epochs=3), X, y, cv=2)) == 2
    search = GridSearchCV(make(epochs=3), {"learning_rate": ["auto", 0.01]}, cv=2, n_jobs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib's own
        search.fit(X, y)
    assert search.best_estimator_.predict(X).shape == (240,)
