"""Predictions: of one row and of many, of every kind of container, by many threads; and models."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import chainrule
from chainrule.sklearn import MLPClassifier, MLPRegressor
from estimator_cases import classes, labels, parameters_of, values

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NAMES = [f"column {k}" for k in range(5)]


def classifier(**parameters: Any) -> MLPClassifier:
    given = {"random_state": 3, "max_iter": 6, "hidden_layer_sizes": (9, 4), **parameters}
    return MLPClassifier(**given)


def regressor(**parameters: Any) -> MLPRegressor:
    given = {"random_state": 3, "max_iter": 6, "hidden_layer_sizes": (9, 4), **parameters}
    return MLPRegressor(**given)


def fitted(samples: Any, dtype: str = "float64", **parameters: Any) -> tuple[Any, Any]:
    X, y = samples(dtype=dtype)
    make = regressor if samples is values else classifier
    return make(**parameters).fit(X, y), X


def outputs(estimator: Any, X: Any) -> list[Any]:
    methods = ("predict", "predict_proba", "predict_log_proba")
    return [getattr(estimator, name)(X) for name in methods if hasattr(estimator, name)]


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("samples", [classes, labels, values])
def test_one_row_has_the_bits_of_many(samples: Any, dtype: str) -> None:
    estimator, X = fitted(samples, dtype)
    for method, whole in enumerate(outputs(estimator, X)):
        rows = [outputs(estimator, X[k : k + 1])[method] for k in range(len(X))]
        np.testing.assert_array_equal(np.concatenate(rows), whole)


@pytest.mark.parametrize("samples", [classes, labels, values])
def test_blocks_of_rows_have_the_bits_of_all(samples: Any, monkeypatch: Any) -> None:
    from chainrule.sklearn import base, classifier

    estimator, X = fitted(samples)
    expected = outputs(estimator, X)
    for module in (base, classifier):
        monkeypatch.setattr(module, "ROWS", 11)
    for one, other in zip(outputs(estimator, X), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(outputs(estimator, scipy.sparse.csr_matrix(X)), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_rows_take_memory_for_their_labels_alone() -> None:
    X, y = classes()
    estimator = classifier().fit(X, y)
    many = np.tile(X, (10000, 1))  # 700,000 rows: 28 MB, outputs of 17 MB, labels of 6 MB
    estimator.predict(many[:70000])
    tracemalloc.start()
    labels = estimator.predict(many)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * labels.nbytes + 8e6


# --- containers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_frames_are_known_by_their_columns(container: str) -> None:
    library = pytest.importorskip(container)
    X, y = classes()
    frame = library.DataFrame({name: X[:, k] for k, name in enumerate(NAMES)})
    target = library.Series([["ash", "birch", "cedar"][place] for place in y])
    estimator = classifier().fit(frame, target)
    np.testing.assert_array_equal(estimator.feature_names_in_, NAMES)
    plain = classifier().fit(X, np.array(["ash", "birch", "cedar"])[y])
    np.testing.assert_array_equal(estimator.predict_proba(frame), plain.predict_proba(X))
    np.testing.assert_array_equal(estimator.predict(frame), plain.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(frame[NAMES[::-1]])
    with pytest.warns(UserWarning, match="feature names"):
        estimator.predict(X)
    estimator.partial_fit(frame, target)


def test_layouts_and_read_only_memory_maps(tmp_path: Path) -> None:
    X, y = classes()
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    target = np.load(tmp_path / "y.npy", mmap_mode="r")
    plain = classifier().fit(X, y)
    estimator = classifier().fit(mapped, target)
    for one, other in zip(parameters_of(estimator), parameters_of(plain), strict=True):
        np.testing.assert_array_equal(one, other)
    expected = plain.predict_proba(X)
    wide = np.zeros((140, 10))
    wide[::2, ::2] = X
    for same in (mapped, X.tolist(), np.asfortranarray(X), wide[::2, ::2], X.astype(">f8")):
        np.testing.assert_array_equal(plain.predict_proba(same), expected)
        fit = classifier().fit(same, y)
        np.testing.assert_array_equal(fit.predict_proba(X), expected)
    estimator.partial_fit(mapped[:1], target[:1]).partial_fit(mapped[1:2], target[1:2])


@pytest.mark.parametrize("form", [scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_sparse_matrices_are_as_dense_ones(form: Any) -> None:
    X, y = labels()
    X[np.abs(X) < 0.8] = 0
    plain, sparse = classifier().fit(X, y), classifier().fit(form(X), scipy.sparse.csr_matrix(y))
    for one, other in zip(outputs(plain, X), outputs(sparse, form(X)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (np.full((1, 5), np.nan), "NaN"),
        (np.full((1, 5), np.inf), "infinity"),
        (np.zeros((1, 4)), "4 features"),
        (np.zeros(5), "2D array"),
        (np.zeros((0, 5)), "minimum of 1 is required"),
        (np.zeros((1, 5), dtype=complex), "Complex"),
        ([["a"] * 5], "could not convert|dtype='numeric'"),
    ],
)
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_bad_samples_are_refused_with_scikit_learns_words(method: str, bad: Any, text: str) -> None:
    estimator, _ = fitted(classes)
    with pytest.raises(ValueError, match=text):
        getattr(estimator, method)(bad)


def test_sums_beyond_double_are_looked_at_closely() -> None:
    estimator, _ = fitted(values)
    huge = np.full((2, 5), 1e308)
    assert estimator.predict(huge).shape == (2,)


def test_without_a_fit_there_is_nothing_to_predict() -> None:
    from sklearn.exceptions import NotFittedError

    X, _ = values()
    for call in (regressor().predict, classifier().predict, classifier().predict_proba):
        with pytest.raises(NotFittedError):
            call(X)
    assert not hasattr(regressor(), "coefs_")


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [["no", "yes"], [False, True], [-1, 1], [2.0, 5.0], ["ash", "birch", "cedar"]]
)
def test_labels_of_any_type_come_back(names: Any) -> None:
    X, y = classes(k=len(names))
    given = np.array(names)[y]
    estimator = classifier(max_iter=100, learning_rate_init=0.02).fit(X, given)
    predicted = estimator.predict(X)
    assert predicted.dtype == given.dtype
    assert (predicted == given).mean() > 0.8
    assert list(estimator.classes_) == names
    if isinstance(names[0], str):
        again = classifier(max_iter=100, learning_rate_init=0.02).fit(X, given.astype(object))
        np.testing.assert_array_equal(again.predict(X), predicted)


def test_one_class_alone_is_always_predicted() -> None:
    X, _ = classes()
    estimator = classifier().fit(X, ["only"] * len(X))
    assert set(estimator.predict(X)) == {"only"}
    np.testing.assert_array_equal(estimator.predict_proba(X), np.ones((len(X), 1)))


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.linspace(0, 1, 70), "Unknown label type|continuous"),
        (np.arange(140).reshape(70, 2), "[Mm]ultioutput"),
    ],
)
def test_what_is_no_label_is_refused(y: Any, text: str) -> None:
    X, _ = classes()
    with pytest.raises(ValueError, match=text):
        classifier().fit(X, y)


# --- parameters as arrays -------------------------------------------------------------------------


def test_coefs_and_intercepts_are_the_nets_own() -> None:
    estimator, X = fitted(values)
    before = estimator.predict(X)
    estimator.coefs_[-1][...] *= 2
    estimator.intercepts_[-1][...] *= 2
    np.testing.assert_array_equal(estimator.predict(X), 2 * before)
    other, _ = fitted(values, random_state=9)
    other.coefs_, other.intercepts_ = estimator.coefs_, estimator.intercepts_
    np.testing.assert_array_equal(other.predict(X), estimator.predict(X))


# --- copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
@pytest.mark.parametrize("samples", [classes, labels, values])
def test_copies_and_pickles_predict_and_go_on_alike(samples: Any, copied: Any) -> None:
    estimator, X = fitted(samples)
    _, y = samples()
    estimator.partial_fit(X[:1], y[:1]).partial_fit(X[:1], y[:1])
    twin = copied(estimator)
    for one, other in zip(outputs(estimator, X), outputs(twin, X), strict=True):
        np.testing.assert_array_equal(one, other)
    for each in (estimator, twin):
        each.partial_fit(X, y)
        each.partial_fit(X[:1], y[:1])
    for one, other in zip(parameters_of(estimator), parameters_of(twin), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one is not other


def test_joblib_maps_the_parameters_of_its_files(tmp_path: Path) -> None:
    import joblib

    estimator, X = fitted(classes)
    joblib.dump(estimator, tmp_path / "net.joblib")
    loaded = joblib.load(tmp_path / "net.joblib", mmap_mode="r")
    np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))


# --- models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [classes, labels, values])
def test_the_net_is_a_model(samples: Any, tmp_path: Path) -> None:
    estimator, X = fitted(samples)
    _, y = samples()
    targets = estimator._targets(y[:9], np.dtype("float64"))
    assert chainrule.gradcheck(estimator.model_, X[:9], targets)
    estimator.model_.save(tmp_path / "net.safetensors")
    loaded = chainrule.Model.load(tmp_path / "net.safetensors")
    expected = estimator.model_.predict(X)
    np.testing.assert_array_equal(loaded.predict(X), expected)
    if samples is values:
        again = MLPRegressor.from_model(loaded)
        np.testing.assert_array_equal(again.predict(X), expected[:, 0])
    else:
        again = MLPClassifier.from_model(loaded, estimator.classes_)
        for one, other in zip(outputs(again, X), outputs(estimator, X), strict=True):
            np.testing.assert_array_equal(one, other)
    again.partial_fit(X, y)


def test_a_service_loads_the_file_without_scikit_learn(tmp_path: Path) -> None:
    estimator, X = fitted(classes)
    estimator.model_.save(tmp_path / "net.safetensors")
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "expected.npy", estimator.predict_proba(X))
    code = (
        "import sys, numpy as np, chainrule\n"
        f"folder = {str(tmp_path)!r}\n"
        "net = chainrule.Model.load(folder + '/net.safetensors')\n"
        "output = net.predict(np.load(folder + '/X.npy'))\n"
        "assert np.array_equal(output, np.load(folder + '/expected.npy'))\n"
        "assert not any(name.partition('.')[0] == 'sklearn' for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_models_of_one_line_become_estimators() -> None:
    X, y = classes(dtype="float32")
    model = chainrule.mlp(5, 8, 3, output="softmax", seed=0)
    model.train(X, y, epochs=30, batch_size=16)
    estimator = MLPClassifier.from_model(model, ["ash", "birch", "cedar"])
    assert estimator.model_ is model
    assert estimator.hidden_layer_sizes == (8,)
    np.testing.assert_array_equal(estimator.predict_proba(X), model.predict(X))
    assert set(estimator.predict(X)) <= {"ash", "birch", "cedar"}
    with pytest.raises(ValueError, match="classes: expected 3 labels in ascending order"):
        MLPClassifier.from_model(model, ["a", "b"])
    with pytest.raises(ValueError, match="expected a last softmax or sigmoid"):
        MLPClassifier.from_model(chainrule.mlp(5, 8, 3))
    values_model = chainrule.mlp(5, 8, 1, activation="gelu", seed=0)
    np.testing.assert_array_equal(
        MLPRegressor.from_model(values_model).predict(X), values_model.predict(X)[:, 0]
    )


# --- threads --------------------------------------------------------------------------------------


def test_many_threads_predict_with_one_estimator() -> None:
    estimator, X = fitted(classes)
    expected = estimator.predict_proba(X)
    wrong: list[Any] = []

    def work(seed: int) -> None:
        for k in np.random.default_rng(seed).integers(0, len(X) - 3, 300):
            rows = slice(k, k + 1 + k % 3)
            if not np.array_equal(estimator.predict_proba(X[rows]), expected[rows]):
                wrong.append(k)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
