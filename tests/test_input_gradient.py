"""The first layer's dinputs: a model computes them only where asked, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_ReLU,
    Activation_Softmax,
    Layer_Dense,
    Layer_Scale,
    Loss_CategoricalCrossentropy,
    Loss_MeanSquaredError,
    Model,
    Optimizer_SGD,
)
from chainrule import _core as core
from chainrule.training import passes

N, D, H, M = 23, 5, 17, 3


def data(dtype: Any = np.float64) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    return rng.standard_normal((N, D)).astype(dtype), rng.integers(0, M, N)


def dense(d: int, m: int, kind: Any = Layer_Dense, **settings: Any) -> Any:
    return kind(d, m, init="he_normal", rng=d + m, dtype=np.float64, **settings)


def model_of(*first: Any, loss: Any = None) -> Model:
    """These layers, then ReLU, a dense layer and softmax."""
    model = Model()
    for layer in (*first, Activation_ReLU(), dense(H, M), Activation_Softmax()):
        model.add(layer)
    model.set(loss=loss or Loss_CategoricalCrossentropy(), optimizer=Optimizer_SGD(0.1))
    model.finalize()
    return model


def gradients_by_hand(model: Model, X: Any, y: Any) -> None:
    """The notebook's loop, which computes every gradient."""
    output = model.forward(X, training=True)
    values = model.loss.joint_backward("softmax_crossentropy", output, y)
    for layer in reversed(model.layers[:-1]):
        values = layer.backward(values)


FIRST = {
    "plain": lambda: dense(D, H),
    "penalties": lambda: dense(D, H, weight_regularizer_l2=0.1, bias_regularizer_l1=0.2),
    "no biases": lambda: dense(D, H, bias=False),
}


@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST.keys())
@pytest.mark.parametrize("as_taken", [np.asarray, np.asfortranarray, np.ndarray.tolist])
def test_only_the_first_layers_dinputs_are_spared(first: Any, as_taken: Any) -> None:
    X, y = data()
    model, by_hand = model_of(first()), model_of(first())
    gradients_by_hand(by_hand, as_taken(X), y)
    layer, twin = model.layers[0], by_hand.layers[0]
    for asked in (True, False, True):
        output = model.forward(as_taken(X), training=True)
        model.backward(output, y, input_gradient=asked)
        assert hasattr(layer, "dinputs") == asked  # those of an earlier pass are gone
        if asked:
            np.testing.assert_array_equal(layer.dinputs, twin.dinputs)
        for each, other in zip(model.layers[:-1], by_hand.layers[:-1], strict=True):
            if isinstance(each, Layer_Dense):
                np.testing.assert_array_equal(each.dweights, other.dweights)
                np.testing.assert_array_equal(each.dbiases, other.dbiases)
            if each is not layer:
                np.testing.assert_array_equal(each.dinputs, other.dinputs)


def test_a_scale_layer_in_front_is_spared_too() -> None:
    X, y = data()
    model, by_hand = (model_of(Layer_Scale(D, dtype=np.float64), dense(D, H)) for _ in range(2))
    gradients_by_hand(by_hand, X, y)
    model.backward(model.forward(X, training=True), y)
    scale, twin = model.layers[0], by_hand.layers[0]
    assert not hasattr(scale, "dinputs")
    np.testing.assert_array_equal(scale.dweights, twin.dweights)
    np.testing.assert_array_equal(model.layers[1].dinputs, by_hand.layers[1].dinputs)
    model.backward(model.forward(X, training=True), y, input_gradient=True)
    np.testing.assert_array_equal(scale.dinputs, twin.dinputs)


class Halved(Layer_Dense):
    """A backward of its own."""

    def backward(self, dvalues: Any) -> Any:
        return super().backward(dvalues / 2)


class Recentred:
    """A layer of the user's own without parameters."""

    def forward(self, inputs: Any, training: bool) -> Any:
        return inputs - 1

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = dvalues
        return dvalues


def test_a_backward_of_ones_own_is_called_as_ever() -> None:
    X, y = data()
    model, halved = model_of(dense(D, H)), model_of(dense(D, H, Halved))
    patched = model_of(dense(D, H))
    calls: list[Any] = []
    patched.layers[0].backward = calls.append
    for each in (model, halved):
        each.backward(each.forward(X, training=True), y, input_gradient=True)
    assert not calls
    halved.backward(halved.forward(X, training=True), y)
    np.testing.assert_array_equal(halved.layers[0].dweights, model.layers[0].dweights / 2)
    np.testing.assert_array_equal(halved.layers[0].dinputs, model.layers[0].dinputs / 2)
    patched.layers[0].dinputs = None
    patched.backward(patched.forward(X, training=True), y)
    assert len(calls) == 1 and not hasattr(patched.layers[0], "dweights")


def test_behind_a_layer_of_ones_own_dinputs_are_computed() -> None:
    X, y = data()
    model = model_of(Recentred(), dense(D, H))
    model.backward(model.forward(X, training=True), y)
    own, first = model.layers[:2]
    assert own.dinputs is first.dinputs and own.dinputs.shape == X.shape


class OwnLoss(Loss_CategoricalCrossentropy):
    """Keeps a model from its plan."""

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return super().forward(y_pred, y_true)


@pytest.mark.parametrize("lowest", [0, 1])
def test_training_layer_by_layer_spares_them_at_the_lowest_layer_that_learns(
    lowest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = data()
    model, other = (model_of(dense(D, H), dense(H, H), loss=OwnLoss()) for _ in range(2))
    for each in (model, other):
        each.layers[0].trainable = lowest == 0
    model.train(X, y, epochs=3, progress=False)
    with monkeypatch.context() as patched:
        patched.setattr(passes, "spares_dinputs", lambda layer: False)
        other.train(X, y, epochs=3, progress=False)
    assert "layer by layer" in model.plan
    assert not hasattr(model.layers[lowest], "dinputs")
    assert other.layers[lowest].dinputs.shape == (N, (D, H)[lowest])
    assert hasattr(model.layers[lowest + 1], "dinputs")
    for layer, twin in zip(model.trainable_layers, other.trainable_layers, strict=True):
        np.testing.assert_array_equal(layer.weights, twin.weights)
        np.testing.assert_array_equal(layer.biases, twin.biases)


def test_what_does_not_fit_is_told_as_before() -> None:
    X, _ = data()
    layer = dense(D, H)
    with pytest.raises(ValueError, match="forward"):
        layer.backward_parameters(np.zeros((N, H)))
    layer.forward(X)
    texts = []
    for backward in (layer.backward, layer.backward_parameters):
        with pytest.raises(ValueError, match=r"Layer_Dense\(5, 17\): dvalues: expected") as caught:
            backward(np.zeros((N, M)))
        texts.append(str(caught.value))
    assert texts[0] == texts[1] and not hasattr(layer, "dweights")
    model = Model()
    for each in (layer, Layer_Dense(H, 1, dtype=np.float64)):
        model.add(each)
    model.set(loss=Loss_MeanSquaredError())
    model.finalize()
    model.backward(model.forward(X), np.zeros((N, 1)))
    assert layer.dweights.shape == (D, H) and not hasattr(layer, "dinputs")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(0, 3, 5), (4, 0, 3), (1, 1, 1), (40, 65, 70), (700, 64, 1)])
def test_the_core_gives_the_same_gradients_without_dinputs(
    dtype: Any, shape: tuple[int, int, int]
) -> None:
    n, d, m = shape
    rng = np.random.default_rng(n)
    inputs, dvalues = (rng.standard_normal((n, k)).astype(dtype) for k in (d, m))
    weights = rng.standard_normal((d, m)).astype(dtype)
    both = zip(
        core.dense_gradients(inputs, dvalues, weights),
        core.dense_backward(inputs, dvalues, weights)[:2],
        strict=True,
    )
    for alone, beside in both:
        assert alone.dtype == dtype
        np.testing.assert_array_equal(alone, beside)
