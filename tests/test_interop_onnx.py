"""ONNX files: onnxruntime gives what the models and estimators give; graphs come back as models."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.interop import from_onnx, to_onnx
from exchange import ACTIVATIONS, net_for_tables, net_with, samples
from part_cases import name_of

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
Array = np.ndarray[Any, Any]

CLOSE = {"float32": 1e-6, "float64": 1e-14}  # the promise, of outputs of about 1


def ran(path: Path, X: Array) -> list[Array]:
    """What onnxruntime gives for the rows."""
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, {"inputs": X})
    return found


def assert_close(actual: Array, expected: Array, factor: float = 1.0) -> None:
    """To the promise, of the largest output where that is above 1."""
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    bound = factor * CLOSE[expected.dtype.name] * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


@pytest.mark.parametrize("make", ACTIVATIONS, ids=name_of)
def test_every_activation_goes_to_onnx_and_comes_back(
    make: Any, dtype: Any, tmp_path: Path
) -> None:
    model, path = net_with(make(), dtype), tmp_path / "net.onnx"
    model.to_onnx(path)
    onnx.checker.check_model(str(path), full_check=True)
    X = samples(250, 5, dtype)
    if model.layers[1].core_name != "exponential":  # it makes of an absolute error a relative one
        X[200:] *= 30
    expected = model.predict(X)
    assert_close(ran(path, X)[0], expected)
    back = from_onnx(path)
    assert back.fingerprint() == model.fingerprint()
    assert back.predict(X).tobytes() == expected.tobytes()


def test_what_stands_between_layers_goes_over(dtype: Any, tmp_path: Path) -> None:
    model, path = cr.Model(), tmp_path / "net.onnx"
    for layer in (
        cr.Layer_Input(),
        cr.Layer_Scale(5, dtype=dtype),
        cr.Activation_SiLU(),
        cr.Layer_Dense(5, 4, bias=False, init="torch", dtype=dtype, rng=0),
        cr.Layer_Dropout(0.25, rng=0),
        cr.Activation_Mish(),
        cr.Layer_Dense(4, 2, init="torch", dtype=dtype, rng=1),
        cr.Activation_Softmax(),
    ):
        model.add(layer)
    model.layers[1].weights = np.arange(1.0, 6.0, dtype=dtype)[None]
    model.finalize()
    to_onnx(model, path)
    X = samples(9, 5, dtype)
    assert_close(ran(path, X)[0], model.predict(X))
    assert from_onnx(path).predict(X).tobytes() == model.predict(X).tobytes()


# --- estimators -----------------------------------------------------------------------------------


def estimators() -> Any:
    """The estimators' module, where scikit-learn is."""
    pytest.importorskip("sklearn")
    return cr.sklearn  # type: ignore[attr-defined]


def fitted(kind: str, y: Any, X: Array, **settings: Any) -> Any:
    """An estimator after a few epochs."""
    sklearn = estimators()
    settings = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0, **settings}
    return getattr(sklearn, kind)(**settings).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("what", ["three", "two", "texts", "labels", "hinge", "bools", "smoothed"])
def test_classifiers_give_labels_and_probabilities(what: str, dtype: Any, tmp_path: Path) -> None:
    X, path = samples(80, 4, dtype), tmp_path / "net.onnx"
    places = np.digitize(X[:, 0], [-0.5, 0.5])
    y: Any = {
        "three": places + 5,
        "two": places % 2,
        "texts": np.array(["low", "middle", "high"])[places],
        "labels": np.stack([places == 0, X[:, 1] > 0], axis=1).astype(int),
        "hinge": places % 2,
        "bools": places == 1,
        "smoothed": places % 2,
    }[what]
    settings: dict[str, Any] = {}
    if what == "hinge":
        settings["loss"] = cr.Loss_Hinge()
    if what == "smoothed":
        settings["loss"] = cr.Loss_CategoricalCrossentropy(label_smoothing=0.1)
    estimator = fitted("MLPClassifier", y, X, activation="tanh", **settings)
    to_onnx(estimator, path)
    label, *probabilities = ran(path, X)
    np.testing.assert_array_equal(label, estimator.predict(X))
    assert len(probabilities) == (what != "hinge")
    for found in probabilities:
        assert_close(found, estimator.predict_proba(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("columns", [1, 2])
def test_regressors_give_values(columns: int, dtype: Any, tmp_path: Path) -> None:
    X, path = samples(60, 4, dtype), tmp_path / "net.onnx"
    y = X[:, 0] if columns == 1 else X[:, :2]
    estimator = fitted("MLPRegressor", y, X)
    to_onnx(estimator, path)
    assert_close(ran(path, X)[0], estimator.predict(X))


def numbers_with_gaps(n: int) -> Array:
    """A table of numbers: far ones, whole ones, a constant, and missing cells."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, 5)) * [1, 1e3, 1, 1, 1]
    X[:, 2] = rng.integers(0, 4, n)
    X[:, 3] = 7.0
    X[rng.random((n, 5)) < 0.1] = np.nan
    X[0, 1] = 1e300
    return X


@pytest.mark.parametrize("combine", ["bag", "refit"])
def test_tabular_estimators_hold_their_preprocessing(combine: str, tmp_path: Path) -> None:
    sklearn = estimators()
    X, path = numbers_with_gaps(150), tmp_path / "net.onnx"
    values = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 2])
    settings: dict[str, Any] = {
        "preset": "small", "hidden_layer_sizes": (8, 8), "epochs": 3, "random_state": 0,
        "ensemble": 2, "combine": combine,
    }  # fmt: skip
    classifier = sklearn.TabularClassifier(calibration="temperature", **settings)
    classifier.fit(X, np.digitize(values, [0, 2]))
    to_onnx(classifier, path)
    label, probabilities = ran(path, X)
    # in float32 up to the logits, whatever the files' own operations do behind them
    np.testing.assert_allclose(probabilities, classifier.predict_proba(X), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(label, classifier.predict(X))

    for more, y in (({}, values), ({"quantiles": [0.1, 0.9]}, values), ({}, X[:, [2, 3]])):
        regressor = sklearn.TabularRegressor(**settings, **more).fit(X, np.nan_to_num(y))
        to_onnx(regressor, path)
        expected = regressor.predict(X)
        scale = max(1.0, float(np.abs(expected).max()))
        (found,) = ran(path, X)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * scale)


def mixed_table(n: int, seed: int) -> tuple[Array, Array, Array]:
    """Numbers with gaps, and columns of few levels, many, two truth values and whole numbers."""
    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((n, 3))
    numbers[rng.random((n, 3)) < 0.1] = np.nan
    words = np.empty((n, 4), dtype=object)
    words[:, 0] = rng.choice(["a", "b", "c", None], n)
    words[:, 1] = rng.choice([f"level {k}" for k in range(20)], n)
    words[:, 2] = [bool(each) for each in rng.integers(0, 2, n)]
    words[:, 3] = rng.integers(0, 12, n).tolist()
    table = np.empty((n, 7), dtype=object)
    table[:, [0, 2, 4]], table[:, [1, 3, 5, 6]] = numbers, words
    return table, numbers, words


def as_texts(words: Array) -> Array:
    return np.array([["" if w is None else str(w) for w in row] for row in words], dtype=object)


@pytest.mark.parametrize("preset", ["default", "small", "tabm-mini"])
def test_columns_of_words_are_texts(preset: str, tmp_path: Path) -> None:
    """Levels, missing cells and words that the fit never saw; every layer that tables need."""
    sklearn = estimators()
    path = tmp_path / "net.onnx"
    table, numbers, words = mixed_table(300, 0)
    y = np.nan_to_num(numbers[:, 0]) + (words[:, 0] == "a")
    settings: dict[str, Any] = {
        "preset": preset, "hidden_layer_sizes": (16, 16), "epochs": 4, "random_state": 0,
        "categorical_features": [1, 3, 5, 6],
    }  # fmt: skip
    new, new_numbers, new_words = mixed_table(80, 1)
    new[0, 1] = new_words[0, 0] = "never seen"
    new[1, 6] = new_words[1, 3] = 77
    fed = {"inputs": new_numbers, "words": as_texts(new_words)}

    classifier = sklearn.TabularClassifier(**settings).fit(table, np.digitize(y, [0, 1]))
    to_onnx(classifier, path)
    onnx.checker.check_model(str(path), full_check=True)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    label, probabilities = session.run(None, fed)
    np.testing.assert_allclose(probabilities, classifier.predict_proba(new), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(label, classifier.predict(new))
    arrays = onnx.load(path).graph.initializer
    assert sum(tuple(array.dims) == (16, 16) for array in arrays) == 1  # of one net or of all eight

    only = sklearn.TabularRegressor(**{**settings, "categorical_features": [0, 1, 2, 3]})
    for estimator, rows, given in (
        (sklearn.TabularRegressor(**settings), (table, new), fed),
        (only, (words, new_words), {"words": fed["words"]}),
    ):
        expected = estimator.fit(rows[0], y).predict(rows[1])
        to_onnx(estimator, path)
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, given)
        bound = 1e-6 * max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def test_layers_of_tables_go_to_onnx(dtype: Any, tmp_path: Path) -> None:
    """Numbers, one that passes, and two codes."""
    path = tmp_path / "net.onnx"
    model, X = net_for_tables(dtype)
    to_onnx(model, path)
    onnx.checker.check_model(str(path), full_check=True)
    assert_close(ran(path, X)[0], model.predict(X))


def test_what_a_graph_cannot_say_is_refused(tmp_path: Path) -> None:
    sklearn = estimators()
    path = tmp_path / "net.onnx"
    tabular = sklearn.TabularClassifier(hidden_layer_sizes=(4,), epochs=1, random_state=0)
    for cells, got in (([3, "3"], "'3'"), (["a", ""], "''")):
        words = np.array([[cell] for cell in cells * 20], dtype=object)
        tabular.set_params(categorical_features=[0]).fit(words, [0, 1] * 20)
        with pytest.raises(ValueError, match=f"column 'x0': expected levels .* got {got}"):
            to_onnx(tabular, path)
    with pytest.raises(ValueError, match="not fitted"):
        to_onnx(sklearn.MLPClassifier(), path)
    with pytest.raises(TypeError, match="to_onnx: expected a model or an estimator, got dict"):
        to_onnx({}, path)
    assert not path.exists()


# --- graphs of others -----------------------------------------------------------------------------


def graph_file(path: Path, nodes: list[Any], arrays: dict[str, Array], output: str = "y") -> None:
    """An ONNX file of float32 with input x (n, 3)."""
    helper = onnx.helper
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["n", None])],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.other", 1)],
        ir_version=8,
    )
    path.write_bytes(model.SerializeToString())


def node(kind: str, *names: str, **settings: Any) -> Any:
    """A node from its inputs to its output, the last name."""
    return onnx.helper.make_node(kind, list(names[:-1]), [names[-1]], **settings)


def gelu_of(first: Any, *behind: Any) -> list[Any]:
    return [node("MatMul", "x", "w", "a"), node("Add", "b", "a", "z"), first,
            node("Erf", "s", "e"), node("Add", "e", "one", "p"), *behind]  # fmt: skip


FORMS = {
    "matmul": [
        node("Flatten", "x", "f"), node("MatMul", "f", "w", "a"), node("Add", "b", "a", "z"),
        node("Relu", "z", "y"),
    ],
    "gemm": [
        node("Gemm", "x", "wt", "b", "z", alpha=0.5, beta=2.0, transB=1), node("Tanh", "z", "y"),
    ],
    "turned": [node("Transpose", "wt", "v", perm=[1, 0]), node("MatMul", "x", "v", "y")],
    "silu": [
        node("Gemm", "x", "w", "z"), node("Sigmoid", "z", "s"), node("Mul", "s", "z", "y"),
    ],
    "mish": [
        node("Gemm", "x", "w", "z"), node("Softplus", "z", "s"), node("Tanh", "s", "t"),
        node("Mul", "z", "t", "y"),
    ],
    "gelu": gelu_of(
        node("Div", "z", "root", "s"), node("Mul", "z", "p", "q"), node("Mul", "q", "half", "y")
    ),
    "gelu halved": gelu_of(
        node("Mul", "z", "inverse", "s"), node("Mul", "z", "half", "h"), node("Mul", "h", "p", "y")
    ),
    "softplus": [node("Gemm", "x", "w", "z"), node("Softplus", "z", "y")],
    "factors": [node("Mul", "x", "b", "y")],
    "twice": [node("MatMul", "x", "w", "a"), node("MatMul", "a", "w", "y")],
    "constant nodes": [
        node("Constant", "c", value_floats=[0.5, -1.0, 2.0]), node("Gemm", "x", "w", "c", "y"),
    ],
}  # fmt: skip


def constants() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    w = rng.standard_normal((3, 3)).astype(np.float32)
    numbers = {"one": 1.0, "half": 0.5, "root": np.sqrt(2.0), "inverse": np.sqrt(0.5)}
    return {
        "w": w,
        "wt": np.ascontiguousarray(w.T),
        "sixteen": w.astype(np.float16),
        "b": rng.standard_normal(3).astype(np.float32),
        **{name: np.array(number, dtype=np.float32) for name, number in numbers.items()},
    }


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_graphs_come_in(form: str, tmp_path: Path) -> None:
    path, X = tmp_path / "net.onnx", samples(40, 3, np.float32)
    graph_file(path, FORMS[form], constants())
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    model = from_onnx(path)
    assert_close(model.predict(X), session.run(None, {"x": X})[0])
    arrays = [layer.weights for layer in model.trainable_layers]
    assert not any(np.shares_memory(a, b) for a, b in pairwise(arrays))


@pytest.mark.filterwarnings("ignore")
def test_pytorchs_exporter_writes_what_comes_in(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    nn, path = torch.nn, tmp_path / "net.onnx"
    module = nn.Sequential(
        nn.Linear(3, 4), nn.SiLU(), nn.Linear(4, 4, bias=False), nn.GELU(), nn.Softmax(1)
    ).eval()
    X = samples(40, 3, np.float32)
    torch.onnx.export(module, (torch.from_numpy(X),), str(path), dynamo=True)
    with torch.no_grad():
        expected = module(torch.from_numpy(X)).numpy()
    assert_close(from_onnx(path).predict(X), expected)


OTHER = onnx.helper.make_node("Relu", ["x"], ["y"], domain="com.other")
REFUSED = {
    "a fork": [node("Relu", "x", "a"), node("Tanh", "x", "c"), node("Add", "a", "c", "y")],
    "Conv": [node("Conv", "x", "w", "y")],
    "a row of factors": [node("Mul", "x", "half", "y")],
    "expected inputs . weights": [node("MatMul", "w", "x", "y")],
    "transA=0": [node("Gemm", "x", "w", "y", transA=1)],
    "dense layer or an activation": [node("Softmax", "x", "y", axis=0)],
    "operators, got one of com.other": [OTHER],
    "got float16": [node("MatMul", "x", "sixteen", "y")],
    "biases that are constant": [
        node("MatMul", "x", "w", "a"), node("Relu", "b", "c"), node("Add", "a", "c", "y"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("match", REFUSED)
def test_graphs_of_other_nets_are_refused(match: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    graph_file(path, REFUSED[match], constants())
    with pytest.raises(cr.ModelFileError, match=match):
        from_onnx(path)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with pytest.raises(FileNotFoundError):
        from_onnx(path)
    path.write_bytes(b"no graph at all")
    with pytest.raises(cr.ModelFileError, match="expected an ONNX file"):
        from_onnx(path)
