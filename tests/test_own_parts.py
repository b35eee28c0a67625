"""The user's own parts get what the package's parts get, and are called where they stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import (
    Accuracy,
    Accuracy_Regression,
    Activation_ReLU,
    Activation_Softmax,
    EarlyStopping,
    Layer_Dense,
    Layer_Dropout,
    Loss,
    Loss_CategoricalCrossentropy,
    Loss_MeanSquaredError,
    Model,
    Optimizer_SGD,
)
from test_model import OwnDense, data, drift, net

X = np.random.default_rng(1).standard_normal((12, 4))
Y = X @ [1.0, -2.0, 0.5, 0.25]


class OwnSquared(Loss):
    """As scripts write it: shapes are trusted."""

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return np.mean((y_true - y_pred) ** 2, axis=-1)

    def backward(self, dvalues: Any, y_true: Any) -> Any:
        self.dinputs = 2 * (dvalues - y_true) / dvalues.shape[1] / len(dvalues)
        return self.dinputs


class BareSquared:
    """The same without the base."""

    forward = OwnSquared.forward
    backward = OwnSquared.backward


class Seen(Accuracy):
    """Keeps the shapes and dtypes that it was called with."""

    def __init__(self) -> None:
        self.seen: set[Any] = set()

    def compare(self, predictions: Any, y: Any) -> Any:
        self.seen.add((predictions.shape[1:], y.shape[1:], y.dtype))
        return np.abs(predictions - y) < 1


class Wider:
    """A last layer of unknown width."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def forward(self, inputs: Any, training: bool) -> Any:
        return self.layer.forward(inputs, training)

    def backward(self, dvalues: Any) -> Any:
        return self.layer.backward(dvalues)


def regression(
    loss: Any, accuracy: Any = None, *, hidden: bool = False, dtype: Any = None
) -> Model:
    model = Model()
    model.add(Layer_Dense(4, 5, rng=1, weight_scale=0.5, dtype=dtype))
    model.add(Activation_ReLU())
    last = Layer_Dense(5, 1, rng=2, weight_scale=0.5, dtype=dtype)
    model.add(Wider(last) if hidden else last)
    model.set(loss=loss, optimizer=Optimizer_SGD(0.1), accuracy=accuracy)
    return model


@pytest.mark.parametrize("loss", [OwnSquared, BareSquared])
@pytest.mark.parametrize("hidden", [False, True], ids=["known width", "unknown width"])
@pytest.mark.parametrize("form", ["flat", "column", "list", "ints"])
def test_an_own_loss_sees_targets_as_built_in_losses_do(
    loss: Any, hidden: bool, form: str, dtype: Any
) -> None:
    """(n,) against (n, 1) would be a mean over n^2 differences."""
    y = np.round(4 * Y)
    forms = {"flat": y, "column": y[:, None], "list": y.tolist(), "ints": y.astype(int)}
    own = regression(loss(), Seen(), hidden=hidden, dtype=dtype)
    plain = regression(Loss_MeanSquaredError(), Seen(), hidden=hidden, dtype=dtype)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 5}
    given = forms[form]
    a = own.train(X, given, validation_data=(X, given), **settings)
    b = plain.train(X, y, validation_data=(X, y), **settings)
    bound = 50 * drift(9, dtype)  # losses of the order of 50
    np.testing.assert_allclose(a.loss, b.loss, rtol=0, atol=bound)
    np.testing.assert_allclose(a.validation_loss, b.validation_loss, rtol=0, atol=bound)
    np.testing.assert_array_equal(a.accuracy, b.accuracy)
    np.testing.assert_allclose(
        own.evaluate(X, given, quiet=True), plain.evaluate(X, y, quiet=True), rtol=0, atol=bound
    )
    assert own.accuracy.seen == plain.accuracy.seen == {((1,), (1,), np.dtype(dtype))}
    for model in (own, plain):
        model.backward(model.forward(X), given)
    np.testing.assert_allclose(own.layers[0].dweights, plain.layers[0].dweights, rtol=0, atol=bound)


def test_labels_stay_labels() -> None:
    """A loss that looks rows up gets whole numbers, known width or not."""

    class OwnCrossentropy(Loss):
        def forward(self, y_pred: Any, y_true: Any) -> Any:
            return -np.log(y_pred[np.arange(len(y_true)), y_true])

        def backward(self, dvalues: Any, y_true: Any) -> Any:
            dinputs = np.zeros_like(dvalues)
            rows = np.arange(len(y_true))
            dinputs[rows, y_true] = -1 / dvalues[rows, y_true] / len(y_true)
            return dinputs

    inputs, labels = data()
    plain = net()
    expected = plain.train(inputs, labels, epochs=2)
    for hidden in (False, True):
        own = net()
        own.set(loss=OwnCrossentropy())
        if hidden:
            own.layers[-1] = Wider(own.layers[-1])
            own.accuracy = None
        history = own.train(inputs, labels.astype(np.uint8), epochs=2)
        np.testing.assert_allclose(history.loss, expected.loss, rtol=0, atol=drift(2))


@pytest.mark.parametrize("where", ["last layer", "loss", "hidden layer"])
@pytest.mark.parametrize("base", ["plain", "derived"])
def test_a_method_put_on_an_object_is_called(where: str, base: str) -> None:
    """What `model.plan` announces is what happens: softmax and loss are not joined then."""
    inputs, labels = data()
    model, twin = net(), net()
    if base == "derived":

        class MySoftmax(Activation_Softmax):
            pass

        class MyLoss(Loss_CategoricalCrossentropy):
            pass

        model.layers[-1].__class__ = MySoftmax
        model.loss.__class__ = MyLoss
    part = {"last layer": model.layers[-1], "loss": model.loss, "hidden layer": model.layers[1]}
    thing = part[where]
    calls, method = [], thing.backward

    def backward(*arguments: Any) -> Any:
        calls.append(len(arguments))
        return method(*arguments)

    thing.backward = backward
    history = model.train(inputs, labels, epochs=2)
    assert len(calls) == 2
    assert model.plan.startswith("layer by layer") and "methods of its own" in model.plan
    expected = twin.train(inputs, labels, epochs=2)
    np.testing.assert_allclose(history.loss, expected.loss, rtol=0, atol=10 * drift(2))
    model.backward(model.forward(inputs), labels)
    assert len(calls) == 3


def test_a_derived_class_that_leaves_the_mathematics_alone_is_joined() -> None:
    class MySoftmax(Activation_Softmax):
        note = "mine"

    inputs, labels = data()
    model, twin = net(), net()
    model.layers[-1] = MySoftmax()
    for each in (model, twin):
        each.backward(each.forward(inputs), labels)
    np.testing.assert_array_equal(model.layers[-1].dinputs, twin.layers[-1].dinputs)
    assert model.plan.startswith("compiled plan")


# Parameters of any name and number


class NoBias:
    """A dense layer without biases."""

    def __init__(self, d: int, m: int) -> None:
        self.weights = np.random.default_rng(d).standard_normal((d, m)) / d**0.5

    def forward(self, inputs: Any, training: bool) -> None:
        self.inputs = inputs
        self.output = inputs @ self.weights

    def backward(self, dvalues: Any) -> None:
        self.dweights = self.inputs.T @ dvalues
        self.dinputs = dvalues @ self.weights.T


class Named:
    """A dense layer whose parameters have other names."""

    parameter_names = ("kernel", "offset")

    def __init__(self, d: int, m: int) -> None:
        self.kernel = np.random.default_rng(d).standard_normal((d, m)) / d**0.5
        self.offset = np.zeros(m)

    def forward(self, inputs: Any, training: bool) -> Any:
        self.inputs = inputs
        return inputs @ self.kernel + self.offset

    def backward(self, dvalues: Any) -> Any:
        self.dkernel = self.inputs.T @ dvalues
        self.doffset = dvalues.sum(axis=0)
        return dvalues @ self.kernel.T


@pytest.mark.parametrize("kind", [NoBias, Named])
def test_own_parameters_take_part_in_everything(kind: Any, tmp_path: Any) -> None:
    inputs, labels = data()
    held = data(n=9, seed=6)
    model, other = net(), net(2)
    for each in (model, other):
        each.layers[0] = kind(4, 6)
    first = model.get_parameters()[0]
    name = "weights" if kind is NoBias else "kernel"
    assert len(first) == 2 and (first[1] is None) == (kind is NoBias)
    stopping = EarlyStopping(patience=3)
    settings: dict[str, Any] = {"epochs": 8, "validation_data": held, "clip_norm": 1.0}
    model.train(inputs, labels, callbacks=[stopping], **settings)
    before = getattr(model.layers[0], name).copy()
    assert (before != first[0]).any()
    history = model.train(inputs, labels, best_epoch="loss", **settings)
    assert history.best_epoch is not None and (getattr(model.layers[0], name) != before).any()
    model.save_parameters(tmp_path / "parameters")
    other.load_parameters(tmp_path / "parameters")
    np.testing.assert_array_equal(other.predict(inputs), model.predict(inputs))
    third = net(3)
    third.layers[0] = kind(4, 6)
    third.set_parameters(model.get_parameters())
    np.testing.assert_array_equal(third.predict(inputs), model.predict(inputs))


@pytest.mark.parametrize("kind", [NoBias, Named])
def test_clipping_counts_own_gradients(kind: Any) -> None:
    inputs, labels = data()
    model, clipped = net(), net()
    for each in (model, clipped):
        each.layers[0] = kind(4, 6)
        each.optimizer = Optimizer_SGD(1.0)
    model.backward(model.forward(inputs), labels)
    gradients = [
        vars(layer)[name]
        for layer in model.layers
        for name in ("dweights", "dbiases", "dkernel", "doffset")
        if name in vars(layer)
    ]
    norm = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
    before = clipped.layers[-2].weights.copy()
    clipped.train(inputs, labels, clip_norm=norm / 8)
    moved = before - clipped.layers[-2].weights
    np.testing.assert_allclose(moved, model.layers[-2].dweights / 8, rtol=0, atol=drift(1))


# X of any rank


class Flatten:
    def forward(self, inputs: Any, training: bool) -> Any:
        self.shape = inputs.shape
        return inputs.reshape(len(inputs), -1)

    def backward(self, dvalues: Any) -> Any:
        return dvalues.reshape(self.shape)


@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 2), (4,)])
@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int8])
def test_the_rank_is_the_first_layers_business(shape: tuple[int, ...], kind: Any) -> None:
    values = np.round(3 * X).astype(kind)
    images = values.reshape(len(X), *shape)
    model, plain = regression(Loss_MeanSquaredError()), regression(Loss_MeanSquaredError())
    model.layers.insert(0, Flatten())
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 5, "shuffle": True, "rng": 3}
    a = model.train(images, Y, validation_data=(images, Y), **settings)
    b = plain.train(values, Y, validation_data=(values, Y), **settings)
    np.testing.assert_allclose(a.loss, b.loss, rtol=0, atol=50 * drift(6))
    np.testing.assert_allclose(a.validation_loss, b.validation_loss, rtol=0, atol=50 * drift(6))
    assert model.evaluate(images, Y, quiet=True)[0] == pytest.approx(
        plain.evaluate(values, Y, quiet=True)[0], abs=50 * drift(1)
    )
    for size in (None, 5):
        output = model.predict(images, batch_size=size)
        np.testing.assert_allclose(output, plain.predict(values), rtol=0, atol=drift(1))


def test_the_package_s_own_first_layers_still_take_rows_only() -> None:
    for first in (None, Layer_Dropout(0.1), Activation_ReLU()):
        model = regression(Loss_MeanSquaredError())
        if first is not None:
            model.layers.insert(0, first)
        with pytest.raises(ValueError, match=r"X: expected \(n, d\), got \(12, 2, 2\)"):
            model.train(X.reshape(12, 2, 2), Y)
        with pytest.raises(ValueError, match=r"X: expected \(n, d\), got \(12, 2, 2\)"):
            model.evaluate(X.reshape(12, 2, 2), Y)
    with pytest.raises(ValueError, match=r"X: expected \(n, d\), got \(\)"):
        model.train(1.0, Y)
    own = regression(Loss_MeanSquaredError())
    own.layers.insert(0, Flatten())
    with pytest.raises(ValueError, match="X: expected at least one sample, got none"):
        own.train(X[:0].reshape(0, 2, 2), Y[:0])


def test_a_frozen_own_layer_and_one_that_builds_itself_later() -> None:
    class Lazy(OwnDense):
        def __init__(self) -> None:
            self.weights = self.biases = None

        def forward(self, inputs: Any) -> None:
            if self.weights is None:
                self.weights = np.full((inputs.shape[1], 6), 0.1)
                self.biases = np.zeros((1, 6))
            super().forward(inputs)

    inputs, labels = data()
    model = net()
    model.layers[0] = Lazy()
    model.train(inputs, labels, epochs=3)
    assert (model.layers[0].weights != 0.1).any()
    model.layers[0].trainable = False
    before = model.layers[0].weights.copy()
    model.train(inputs, labels, epochs=3)
    np.testing.assert_array_equal(model.layers[0].weights, before)


def test_a_shared_accuracy_counts_by_each_models_own_targets() -> None:
    accuracy = Accuracy_Regression()
    small, large = (regression(Loss_MeanSquaredError(), accuracy) for _ in range(2))
    small.train(X, Y, epochs=2)
    large.train(X, 1000 * Y, epochs=2)
    assert accuracy.precision == pytest.approx(1000 * np.std(Y) / 250)
    expected = np.mean(np.abs(small.predict(X).ravel() - Y) < np.std(Y) / 250)
    assert small.evaluate(X, Y, quiet=True)[1] == expected
    assert accuracy.precision == pytest.approx(np.std(Y) / 250)
    large.evaluate(X, 1000 * Y, quiet=True)
    assert accuracy.precision == pytest.approx(1000 * np.std(Y) / 250)
    large.train(X, 10 * Y)
    assert accuracy.precision == pytest.approx(10 * np.std(Y) / 250)


def test_evaluating_first_teaches_an_accuracy_nothing_for_good() -> None:
    model = regression(Loss_MeanSquaredError(), Accuracy_Regression())
    model.evaluate(X, 1000 * Y, quiet=True)
    model.train(X, Y)
    assert model.accuracy.precision == pytest.approx(np.std(Y) / 250)
    other = regression(Loss_MeanSquaredError(), model.accuracy)
    other.evaluate(X, 1000 * Y, quiet=True)
    assert model.accuracy.precision == pytest.approx(1000 * np.std(Y) / 250)
    model.evaluate(X, 1000 * Y, quiet=True)
    assert model.accuracy.precision == pytest.approx(np.std(Y) / 250)


def test_a_precision_that_was_set_by_hand_stays() -> None:
    accuracy = Accuracy_Regression()
    accuracy.precision = 0.5
    model = regression(Loss_MeanSquaredError(), accuracy)
    model.train(X, Y)
    model.evaluate(X, Y, quiet=True)
    assert accuracy.precision == 0.5


def test_an_accuracy_whose_init_takes_the_targets_alone_serves() -> None:
    """The published book's categorical accuracy is written so."""

    class Booklike(Accuracy):
        def init(self, y: Any) -> None:  # type: ignore[override]
            self.seen = len(y)

        def compare(self, predictions: Any, y: Any) -> Any:
            return predictions == y

    inputs, labels = data()
    model, plain = net(), net()
    model.set(accuracy=Booklike())
    history = model.train(inputs, labels, epochs=2, validation_data=(inputs, labels))
    expected = plain.train(inputs, labels, epochs=2, validation_data=(inputs, labels))
    np.testing.assert_array_equal(history.accuracy, expected.accuracy)
    assert model.accuracy.seen == len(labels)
