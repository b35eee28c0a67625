"""Predictions: the bits of the layers, values read anew, nothing left, where the output goes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import catalogue
from chainrule.training import predicting
from chainrule.training.passes import forward_pass
from part_cases import variants
from test_model import OwnDense

Array = np.ndarray[Any, Any]

ACTIVATIONS = [make for cls in catalogue.classes("activation") for make in variants(cls)]
WIDTHS = (1, 2, 3, 7, 15, 16, 17, 31, 33, 64, 130, 300)
ROWS = (*range(1, 68), 95, 97, 200, 515, 1100)


def random_layers(rng: np.random.Generator, dtype: Any) -> list[Any]:
    """Any row of the package's layers with at least one dense layer."""

    def passing() -> Iterator[Any]:
        for _ in range(rng.integers(0, 3)):
            yield [
                lambda: cr.Layer_Dropout(0.4, rng=rng),
                lambda: cr.Layer_Input(),
                lambda: scale(width),
                lambda: ACTIVATIONS[rng.integers(len(ACTIVATIONS))](),
                lambda: ACTIVATIONS[rng.integers(len(ACTIVATIONS))](),
            ][rng.integers(5)]()

    def scale(n: int) -> cr.Layer_Scale:
        layer = cr.Layer_Scale(n, dtype=dtype)
        layer.weights = rng.uniform(0.5, 1.5, (1, n))
        return layer

    width = int(rng.choice(WIDTHS))
    layers = list(passing())
    for _ in range(rng.integers(1, 5)):
        d, width = width, int(rng.choice(WIDTHS))
        bias = bool(rng.random() < 0.8)
        layers.append(cr.Layer_Dense(d, width, dtype=dtype, rng=rng, init="torch", bias=bias))
        layers += passing()
    return layers


def model_of(layers: list[Any]) -> cr.Model:
    model = cr.Model()
    for layer in layers:
        model.add(layer)
    return model


def inputs_of(model: cr.Model, n: int, rng: np.random.Generator) -> Array:
    first = next(layer for layer in model.layers if hasattr(layer, "n_inputs"))
    return rng.standard_normal((n, first.n_inputs)).astype(first.dtype)


def by_layers(model: cr.Model, X: Any) -> Array:
    """What copies of the layers give, one after the other."""
    output: Array = forward_pass(copy.deepcopy(model.layers), X, False)
    return output


def net(*sizes: int, dtype: Any = np.float64, seed: int = 3) -> cr.Model:
    """Dense layers with ReLU between."""
    layers: list[Any] = []
    rng = np.random.default_rng(seed)
    for d, m in pairwise(sizes):
        layers += [cr.Layer_Dense(d, m, dtype=dtype, rng=rng, init="torch"), cr.Activation_ReLU()]
    return model_of(layers[:-1])


@pytest.fixture
def only_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test where the classes run."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError("expected the core to predict")

    monkeypatch.setattr(predicting, "through_classes", refuse)


# --- the bits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_any_row_of_layers_gives_the_bits_of_the_layers(
    seed: int, dtype: Any, threads: int, only_core: None
) -> None:
    rng = np.random.default_rng([seed, 1])
    model = model_of(random_layers(rng, dtype))
    for n in (1, *rng.choice(ROWS, 3)):
        X = inputs_of(model, int(n), rng)
        with np.errstate(all="ignore"):
            expected = by_layers(model, X)
        for size in (None, 1, int(rng.integers(1, n + 2))):
            output = model.predict(X, batch_size=size)
            assert output.dtype == dtype
            np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("make", ACTIVATIONS, ids=lambda make: repr(make()))
@pytest.mark.parametrize("n", [1, 5, 23, 24, 150])
def test_every_activation_gives_its_bits_within_and_at_the_end(
    make: Any, n: int, dtype: Any, only_core: None
) -> None:
    model = net(6, 19, 5, dtype=dtype)
    model.layers[1:2] = [make()]
    model.layers.append(make())
    X = 3 * inputs_of(model, n, np.random.default_rng(n))
    np.testing.assert_array_equal(model.predict(X), by_layers(model, X))


@pytest.mark.parametrize("n", [1, 3, 30])
def test_wide_layers_are_walked_over_in_parts(n: int, threads: int, only_core: None) -> None:
    """Rows of weights that are a page long, more of them than are read at a time."""
    model = net(700, 1030, 530, 3, dtype=np.float32)
    X = inputs_of(model, n, np.random.default_rng(n))
    np.testing.assert_array_equal(model.predict(X), by_layers(model, X))


@pytest.mark.parametrize("n", [1, 40])
def test_special_values_pass_and_subnormal_numbers_are_kept(
    n: int, dtype: Any, only_core: None
) -> None:
    tiny = np.finfo(dtype).tiny
    model = net(4, 8, 3, dtype=dtype)
    X = inputs_of(model, n, np.random.default_rng(n))
    X[0] = [np.nan, np.inf, -np.inf, 0.0]
    np.testing.assert_array_equal(model.predict(X), by_layers(model, X))
    small = net(4, 8, 3, dtype=dtype)
    for layer in small.layers[::2]:
        layer.biases[...] = 0
    X = (np.abs(X[-1:]) if n == 1 else X[1:]) * (tiny / 4)
    X = np.nan_to_num(X, nan=tiny / 4, posinf=tiny / 4)
    output = small.predict(X)
    np.testing.assert_array_equal(output, by_layers(small, X))
    assert ((output != 0) & (np.abs(output) < tiny)).any()


def test_no_row_gives_no_row(dtype: Any, only_core: None) -> None:
    model = net(4, 8, 3, dtype=dtype)
    model.add(cr.Activation_Softmax())
    output = model.predict(np.zeros((0, 4)))
    assert output.shape == (0, 3) and output.dtype == dtype


# --- what X may be --------------------------------------------------------------------------------

WHOLE = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.mark.parametrize("kind", [*WHOLE, "float16", "float32", "float64", "longdouble", ">f4"])
@pytest.mark.parametrize("n", [3, 60])
def test_numbers_of_any_type_are_converted(kind: str, n: int, dtype: Any, only_core: None) -> None:
    model = net(5, 9, 2, dtype=dtype)
    values = np.random.default_rng(n).integers(0, 200, (n, 5)) * (1 if kind in WHOLE else 0.3)
    X = values.astype(kind)
    expected = by_layers(model, X.astype(dtype))
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(model.predict(X.tolist()), by_layers(model, X.astype(dtype)))


LAYOUTS = {
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: X[::-1].copy()[::-1],
    "mirrored": lambda X: X[:, ::-1].copy()[:, ::-1],
    "Fortran": np.asfortranarray,
    "columns of a wider one": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "one row for all": lambda X: np.broadcast_to(X[:1], X.shape),
    "read-only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    "misaligned": lambda X: np.frombuffer(b"1" + X.tobytes(), X.dtype, offset=1).reshape(X.shape),
    "subclass": lambda X: X.view(type("Sub", (np.ndarray,), {})),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n", [1, 4, 90])
def test_layouts_make_no_difference(
    layout: str, n: int, dtype: Any, only_core: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "CONVERTED", 1000)  # bytes: several blocks
    model = net(6, 9, 4, dtype=dtype)
    X = inputs_of(model, n, np.random.default_rng(n))
    arranged = LAYOUTS[layout](X)
    expected = by_layers(model, np.array(arranged))
    np.testing.assert_array_equal(model.predict(arranged), expected)
    out = np.empty_like(expected)
    assert model.predict(arranged, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_one_sample_is_one_row(only_core: None) -> None:
    model = net(6, 9, 4)
    X = inputs_of(model, 1, np.random.default_rng(1))
    for _ in range(2):
        for sample in (X[0], X[0].tolist(), np.repeat(X[0], 2)[::2]):
            np.testing.assert_array_equal(model.predict(sample), by_layers(model, X))


def test_one_column_is_enough(only_core: None) -> None:
    model = net(1, 9, 1)
    X = np.random.default_rng(1).standard_normal((50, 3))
    for x in (X[:, :1], X[:, 2:], X[:2, :1], X[:, 1][:, None]):
        np.testing.assert_array_equal(model.predict(x), by_layers(model, np.array(x)))


# --- read anew each time --------------------------------------------------------------------------


def edit(model: cr.Model, what: str) -> None:
    dense = model.layers[0]
    if what == "in place":
        dense.weights *= 2
    elif what == "other array":
        dense.weights = np.random.default_rng(5).standard_normal(dense.weights.shape)
    elif what == "other array of another order":
        dense.__dict__["weights"] = np.asfortranarray(3 * dense.weights)
    elif what == "other dtypes":
        dense.__dict__["weights"] = dense.weights.astype(np.float32)
    elif what == "no biases":
        dense.__dict__["biases"] = None
    elif what == "a setting":
        model.layers[1].negative_slope = 0.7
    elif what == "another activation":
        model.layers[1] = cr.Activation_Tanh()
    elif what == "another layer":
        model.layers[0] = cr.Layer_Dense(4, 9, rng=9)
    elif what == "a shape":
        model.layers[:2] = [cr.Layer_Dense(4, 5, rng=9), cr.Layer_Dense(5, 9, rng=8)]
    elif what == "one more":
        model.layers.append(cr.Activation_Softmax())
    elif what == "one less":
        del model.layers[1]
    elif what == "a forward of its own":
        model.layers[1].forward = lambda inputs, training=False: -np.asarray(inputs)
    elif what == "another class":
        model.layers[1].__class__ = cr.Activation_Sigmoid
    elif what == "a tuple of layers":
        model.layers = (*model.layers, cr.Activation_Tanh())  # type: ignore[assignment]


EDITS = [
    "in place",
    "other array",
    "other array of another order",
    "other dtypes",
    "no biases",
    "a setting",
    "another activation",
    "another layer",
    "a shape",
    "one more",
    "one less",
    "a forward of its own",
    "another class",
    "a tuple of layers",
]


@pytest.mark.parametrize("what", EDITS)
@pytest.mark.parametrize("n", [2, 50])
def test_whatever_changed_is_seen(what: str, n: int) -> None:
    model = net(4, 9, 3)
    model.layers[1] = cr.Activation_LeakyReLU(0.2)
    X = inputs_of(model, n, np.random.default_rng(n))
    before = model.predict(X)
    edit(model, what)
    expected = forward_pass(copy.deepcopy(list(model.layers)), X, False)
    for _ in range(2):
        np.testing.assert_array_equal(model.predict(X), expected)
    assert expected.shape != before.shape or not np.array_equal(expected, before)


# --- nothing is left ------------------------------------------------------------------------------


class Outer:
    """A layer of one's own round layers of the package."""

    def __init__(self, *layers: Any) -> None:
        self.layers = list(layers)
        self.by_name = {"last": self.layers[-1]}
        self.output: Any = None
        self.calls = 0

    def forward(self, inputs: Any, training: bool) -> None:
        self.calls += 1
        for layer in [*self.layers[:-1], self.by_name["last"]]:
            layer.forward(inputs, training)
            inputs = layer.output
        self.output = inputs

    def backward(self, dvalues: Any) -> None:
        raise NotImplementedError


def all_objects(model: cr.Model) -> list[Any]:
    inner = [each for layer in model.layers for each in getattr(layer, "layers", [])]
    return [*model.layers, *inner, model.loss, model.accuracy]


def classifier(own: bool, dtype: Any = np.float64) -> cr.Model:
    model = net(5, 8, 3, dtype=dtype)
    model.layers.insert(2, cr.Layer_Dropout(0.3, rng=1))
    if own:
        model.layers[0] = Outer(cr.Layer_Input(), Outer(model.layers[0]))
    model.add(cr.Activation_Softmax())
    loss, accuracy = cr.Loss_CategoricalCrossentropy(), cr.Accuracy_Categorical()
    model.set(loss=loss, optimizer=cr.Optimizer_Adam(0.02), accuracy=accuracy)
    model.finalize()
    return model


@pytest.mark.parametrize("own", [False, True], ids=["ours", "own layers"])
@pytest.mark.parametrize("passed", [False, True], ids=["fresh", "after a pass"])
def test_nothing_is_left_on_any_part(own: bool, passed: bool) -> None:
    model = classifier(own)
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((40, 5)), rng.integers(0, 3, 40)
    if passed:
        model.forward(X[:7], training=True)
        model.loss.calculate(model.forward(X), y)
    before = [dict(vars(each)) for each in all_objects(model)]
    expected = by_layers(model, X)
    for rows in (X, X[:2], X[:1] if own else X[0]):
        for size in (None, 3):
            output = model.predict(rows, batch_size=size)
            np.testing.assert_array_equal(output, expected[: len(output)])
    for weight in (None, rng.random(40)):
        model.evaluate(X, y, quiet=True, batch_size=7, sample_weight=weight)
    for each, held in zip(all_objects(model), before, strict=True):
        assert vars(each).keys() == held.keys()
        assert all(vars(each)[name] is held[name] for name in held)


def test_a_layer_that_makes_its_parameters_in_its_first_forward_keeps_them() -> None:
    class Lazy(OwnDense):
        def __init__(self) -> None:
            self.built = False

        def forward(self, inputs: Any) -> None:
            if not self.built:
                super().__init__(cr.Layer_Dense(inputs.shape[1], 3))
                self.built = True
            super().forward(inputs)

    model = model_of([Lazy()])
    X = np.random.default_rng(1).standard_normal((6, 4))
    first = model.predict(X)
    np.testing.assert_array_equal(model.predict(X), first)
    np.testing.assert_array_equal(model.forward(X), first)


def test_a_layer_that_cannot_be_copied_serves_itself() -> None:
    class Alone(OwnDense):
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise TypeError("cannot pickle")

    dense = cr.Layer_Dense(4, 3, rng=1)
    model, plain = model_of([Alone(dense)]), model_of([dense])
    X = np.random.default_rng(1).standard_normal((6, 4))
    np.testing.assert_allclose(model.predict(X), plain.predict(X), rtol=0, atol=1e-14)


# --- out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [False, True], ids=["ours", "own layers"])
@pytest.mark.parametrize("n", [1, 9, 200])
def test_out_takes_the_output(own: bool, n: int, dtype: Any, tmp_path: Path) -> None:
    model = classifier(own, dtype)
    X = np.random.default_rng(n).standard_normal((n, 5)).astype(dtype)
    expected = by_layers(model, X)
    mapped = np.memmap(tmp_path / "out", dtype=dtype, mode="w+", shape=(n, 3))
    for out in (np.full((n, 3), np.nan, dtype), np.full((2 * n, 3), np.nan, dtype)[n:], mapped):
        assert model.predict(X, out=out) is out
        np.testing.assert_array_equal(out, expected)
        out[...] = 0
        assert model.predict(X, batch_size=4, out=out) is out
        np.testing.assert_array_equal(out, expected)


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "a list": (lambda X, model: [], TypeError, "out: expected an array, got list"),
    "rows": (
        lambda X, model: np.empty((len(X) + 1, 3)),
        ValueError,
        r"out: expected \({n}, 3\) of float64, got \({n1}, 3\) of float64",
    ),
    "rank": (
        lambda X, model: np.empty(len(X) * 3),
        ValueError,
        r"out: expected \({n}, 3\) of float64, got \({n3},\) of float64",
    ),
    "dtype": (
        lambda X, model: np.empty((len(X), 3), np.float32),
        ValueError,
        r"out: expected \({n}, 3\) of float64, got \({n}, 3\) of float32",
    ),
    "byte order": (
        lambda X, model: np.empty((len(X), 3), ">f8"),
        ValueError,
        r"out: expected \({n}, 3\) of float64, got \({n}, 3\) of >f8",
    ),
    "order": (
        lambda X, model: np.empty((len(X), 6))[:, ::2],
        ValueError,
        "out: expected a C-contiguous, aligned array, got one of another layout",
    ),
    "read-only": (
        lambda X, model: np.frombuffer(bytes(24 * len(X))).reshape(-1, 3),
        ValueError,
        "out: expected a writeable array, got a read-only one",
    ),
    "X": (
        lambda X, model: X.reshape(-1)[: 3 * len(X)].reshape(-1, 3),
        ValueError,
        "out: expected memory of its own, got an array that overlaps X",
    ),
    "a parameter": (
        lambda X, model: model.layers[-2].weights.reshape(-1)[: 3 * len(X)].reshape(-1, 3),
        ValueError,
        "out: expected memory of its own, got an array that overlaps a parameter",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("own", [False, True], ids=["ours", "own layers"])
@pytest.mark.parametrize("n", [2, 8])
def test_out_is_refused_with_words(name: str, own: bool, n: int) -> None:
    model = classifier(own)
    X = np.random.default_rng(n).standard_normal((n, 5))
    kept, parameters = X.copy(), model.get_parameters()
    make, error, text = REFUSED[name]
    expected = text.format(n=n, n1=n + 1, n3=3 * n)
    for _ in range(2):  # the second time the model knows the core's view of it
        with pytest.raises(error, match=f"^{expected}$"):
            model.predict(X, out=make(X, model))
        np.testing.assert_array_equal(X, kept)
        for pair, held in zip(model.get_parameters(), parameters, strict=True):
            np.testing.assert_array_equal(pair[0], held[0])
        model.predict(X)
