"""Layers, activations and losses take variables: one node each, with their own gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.catalogue import classes

RNG = np.random.default_rng(21)
EPS = float(np.finfo(np.float64).eps)
ARRAYS = ("dweights", "dbiases", "dinputs")


def layers() -> list[Any]:
    made = [kind() for kind in classes("activation") if kind.core_name]
    return [
        *made,
        cr.Activation_LeakyReLU(0.2),
        cr.Activation_GELU("tanh"),
        cr.Layer_Dense(4, 3, rng=0, weight_regularizer_l1=0.1, weight_regularizer_l2=0.2,
                       bias_regularizer_l1=0.3),
        cr.Layer_Dense(4, 3, rng=0, bias=False),
        cr.Layer_Dense(4, 3, rng=0, dtype=np.float32),
        cr.Layer_Dropout(0.4, rng=0),
        cr.Layer_Scale(4),
    ]  # fmt: skip


def losses() -> list[tuple[Any, Any, Any]]:
    """Loss, predictions, targets."""
    shares, y = RNG.uniform(0.1, 0.9, (5, 3)), RNG.uniform(0.1, 0.9, (5, 3))
    rows = shares / shares.sum(axis=1, keepdims=True)
    labels = RNG.integers(0, 3, 5)
    found: list[tuple[Any, Any, Any]] = [
        (cr.Loss_BinaryCrossentropy(from_logits=True), shares - 0.5, y),
        (cr.Loss_CategoricalCrossentropy(0.1), rows, labels),
        (cr.Loss_CategoricalCrossentropy(), rows.astype(np.float32), np.eye(3)[labels]),
        (cr.Loss_Quantile([0.1, 0.5, 0.9]), shares, y[:, 0]),
    ]
    for kind in classes("loss"):
        if kind is cr.Loss_Quantile or not kind.core_name:
            continue
        signs = kind is cr.Loss_Hinge
        targets = labels if kind is cr.Loss_CategoricalCrossentropy else y
        found.append((kind(), rows, np.where(y > 0.5, 1.0, -1.0) if signs else targets))
    return found


@pytest.mark.parametrize("place", range(len(layers())), ids=lambda place: repr(layers()[place]))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_is_one_node_with_its_own_gradients_to_the_bit(place: int, dtype: Any) -> None:
    layer, twin = layers()[place], layers()[place]
    inputs = RNG.standard_normal((5, 4)).astype(dtype)
    expected = twin.forward(inputs)
    dvalues = RNG.standard_normal(expected.shape).astype(expected.dtype)
    dinputs = twin.backward(dvalues)
    x = cr.Variable(inputs, "x")
    output = layer.forward(x)
    assert isinstance(output, cr.Variable) and len(output.graph()) == 2
    np.testing.assert_array_equal(output.value, expected)
    output.backward(dvalues)
    np.testing.assert_array_equal(x.grad, dinputs.astype(dtype))
    for name in ARRAYS:
        if hasattr(twin, name):
            np.testing.assert_array_equal(getattr(layer, name), getattr(twin, name), err_msg=name)


@pytest.mark.parametrize(("loss", "p", "y"), losses(), ids=lambda each: repr(each)[:40])
def test_a_loss_is_one_node_with_its_own_gradient(loss: Any, p: Any, y: Any) -> None:
    mean, gradient = loss.calculate(p, y), np.array(loss.backward(p, y))
    count = loss.accumulated_count
    x = cr.Variable(p)
    result = loss.calculate(x, y)
    assert result.item() == mean and result.dtype == p.dtype and len(result.graph()) == 2
    assert loss.accumulated_count == count + len(p)
    result.backward()
    np.testing.assert_array_equal(x.grad, gradient)
    np.testing.assert_array_equal(loss.dinputs, gradient)
    (3 * loss.calculate(x, y)).backward()
    eps = np.finfo(p.dtype).eps
    np.testing.assert_allclose(x.grad, 3 * gradient, rtol=2 * eps)
    samples = loss.forward(x, y)
    assert samples.shape == (len(p),)
    weights = np.arange(1.0, 6).astype(p.dtype)
    (samples * weights).sum().backward()
    # Divided by n there, times n here, times a weight: three roundings.
    np.testing.assert_allclose(x.grad, gradient * (5 * weights)[:, None], rtol=3 * eps)


@pytest.mark.parametrize("kind", classes("joint"), ids=lambda kind: kind.__name__)
def test_a_joined_loss_is_one_node_with_its_own_gradient(kind: Any) -> None:
    joined, x = kind(), cr.Variable(RNG.standard_normal((5, 3)))
    y = RNG.integers(0, 2, (5, 3)) if "Sigmoid" in kind.__name__ else RNG.integers(0, 3, 5)
    mean = joined.forward(x.value, y)
    expected = np.array(joined.backward(joined.output, y))
    result = joined.forward(x, y)
    result.backward()
    assert result.item() == mean
    np.testing.assert_array_equal(x.grad, expected)
    np.testing.assert_array_equal(joined.dinputs, expected)


def net() -> list[Any]:
    return [
        cr.Layer_Dense(4, 6, rng=1, weight_scale=0.5, weight_regularizer_l2=0.1),
        cr.Activation_ReLU(),
        cr.Layer_Dropout(0.3, rng=3),
        cr.Layer_Scale(6),
        cr.Layer_Dense(6, 3, rng=2, weight_scale=0.5, bias=False),
        cr.Activation_Softmax(),
    ]


def test_a_net_by_classes_and_by_variables_has_the_same_bits() -> None:
    X, y = RNG.standard_normal((7, 4)), RNG.integers(0, 3, 7)
    by_hand, by_graph, loss = net(), net(), cr.Loss_CategoricalCrossentropy()
    output = X
    for layer in by_hand:
        output = layer.forward(output, True)
    dvalues = loss.backward(output, y)
    for layer in reversed(by_hand):
        dvalues = layer.backward(dvalues)
    x = result = cr.Variable(X)
    for layer in by_graph:
        result = layer.forward(result, True)
    loss.calculate(result, y).backward()
    np.testing.assert_array_equal(x.grad, dvalues)
    for one, other in zip(by_hand, by_graph, strict=True):
        for name in ARRAYS:
            if hasattr(one, name):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_model_takes_a_variable() -> None:
    model, X, y = cr.Model(), RNG.standard_normal((7, 4)), RNG.standard_normal((7, 3))
    for layer in net()[:-1]:
        model.add(layer)
    model.set(loss=cr.Loss_MeanSquaredError())
    model.finalize()
    model.backward(model.forward(X), y)
    expected = [np.array(layer.dweights) for layer in model.layers if hasattr(layer, "dweights")]
    output = model.forward(cr.Variable(X))
    loss, penalty = model.loss.calculate(output, y, include_regularization=True)
    loss.backward()
    got = [layer.dweights for layer in model.layers if hasattr(layer, "dweights")]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert penalty == model.loss.regularization_loss() > 0
    assert np.isscalar(model.predict(X)[0, 0])
    with pytest.raises(ValueError, match=r"Layer_Dense 1: inputs: expected \(n, 4\), got \(7, 5\)"):
        model.forward(cr.Variable(np.ones((7, 5))))


def test_a_layer_used_twice_sums_its_gradients_and_counts_penalties_once() -> None:
    layer = cr.Layer_Dense(3, 3, rng=0, weight_scale=0.7, weight_regularizer_l2=0.5)
    X, start = RNG.standard_normal((5, 3)), layer.weights.copy()

    def loss(weights: Any) -> Any:
        layer.weights[...] = weights
        output = np.tanh(layer.forward(np.tanh(layer.forward(X))))
        return float((output**2).sum() + 0.5 * (weights**2).sum())

    def gradient(weights: Any) -> Any:
        layer.weights[...] = weights
        output = np.tanh(layer.forward(np.tanh(layer.forward(cr.Variable(X)))))
        (output**2).sum().backward()
        return layer.dweights

    report = cr.check_gradient(loss, gradient, start)
    assert report, report
    layer.weights[...] = start
    once = gradient(start).copy()
    result = (np.tanh(layer.forward(np.tanh(layer.forward(cr.Variable(X))))) ** 2).sum()
    result.backward()
    result.backward(accumulate=True)
    np.testing.assert_array_equal(layer.dweights, once + once)
    result.backward()
    np.testing.assert_array_equal(layer.dweights, once)


def test_a_dense_layer_takes_one_sample_as_a_row() -> None:
    layer, x = cr.Layer_Dense(3, 2, rng=0), cr.Variable(np.ones(3))
    layer.forward(x).sum().backward()
    np.testing.assert_array_equal(x.grad, layer.weights.sum(axis=1))


class Loss_Cubic(cr.Loss):
    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return np.mean(np.abs(y_pred - y_true) ** 3, axis=1)


class Layer_Wave(cr.Layer_Dense):
    def forward(self, inputs: Any, training: bool = False) -> Any:
        return np.sin(super().forward(inputs))


class Loss_Doubled(cr.Loss_MeanSquaredError):
    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return super().forward(2 * y_pred, y_true)


class Loss_Shifted(cr.Loss):
    inner = cr.Loss_MeanSquaredError()

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return self.inner.forward(y_pred, y_true)


@pytest.mark.parametrize("kind", [Loss_Doubled, Loss_Shifted])
def test_a_loss_that_hands_on_to_another_has_the_gradient_of_what_it_computes(kind: Any) -> None:
    loss, y = kind(), RNG.standard_normal((6, 2))

    def gradient(p: Any) -> Any:
        given = cr.Variable(p)
        loss.calculate(given, y).backward()
        return given.grad

    p = RNG.standard_normal((6, 2))
    report = cr.check_gradient(lambda p: loss.calculate(p, y), gradient, p)
    assert report, report
    with cr.no_grad():
        value = loss.calculate(cr.Variable(p), y)
    assert value.item() == pytest.approx(loss.calculate(p, y), rel=8 * EPS)


def test_parts_of_ones_own_written_in_numpy_take_variables() -> None:
    layer, loss = Layer_Wave(3, 2, rng=0, weight_scale=1.0), Loss_Cubic()
    X, y = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 2))

    def value(x: Any) -> Any:
        return loss.calculate(layer.forward(x), y)

    def gradient(x: Any) -> Any:
        given = cr.Variable(x)
        value(given).backward()
        return given.grad

    assert value(cr.Variable(X)).item() == pytest.approx(value(X), rel=64 * EPS)
    report = cr.check_gradient(value, gradient, X)
    assert report, report


def test_a_backward_put_on_an_object_is_called() -> None:
    layer, loss = cr.Activation_Tanh(), cr.Loss_MeanSquaredError()
    layer.backward = lambda dvalues: 5 * dvalues  # type: ignore[method-assign]
    loss.backward = lambda p, y: np.full_like(p, 3.0)  # type: ignore[method-assign]
    x = cr.Variable(np.ones((2, 2)))
    loss.calculate(layer.forward(x), np.zeros((2, 2))).backward()
    np.testing.assert_array_equal(x.grad, np.full((2, 2), 15.0))


def test_an_error_of_a_part_is_that_of_a_plain_call() -> None:
    with pytest.raises(ValueError, match=r"Layer_Dense\(3, 2\): inputs: expected \(n, 3\), got"):
        cr.Layer_Dense(3, 2).forward(cr.Variable(np.ones((4, 5))))
    with pytest.raises(
        (TypeError, ValueError), match="y_true: expected a plain array, got a Variable"
    ):
        cr.Loss_MeanSquaredError().calculate(cr.Variable(np.ones((4, 2))), cr.Variable(np.ones(4)))
    with pytest.raises(TypeError, match="weights: expected a plain array, got a Variable"):
        cr.Layer_Dense(3, 2).weights = cr.Variable(np.ones((3, 2)))
    with pytest.raises(TypeError, match="dvalues: expected a plain array, got a Variable"):
        layer = cr.Layer_Dense(3, 2)
        layer.forward(np.ones((3, 3)))
        layer.backward(cr.Variable(np.ones((3, 2))))
