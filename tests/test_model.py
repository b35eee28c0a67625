"""Model: training against the reference, the printed lines, mixed use, and how it ends."""

from __future__ import annotations

import copy
import os
import pickle
import re
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Accuracy,
    Accuracy_Categorical,
    Accuracy_Regression,
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Layer_Input,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
    Model,
    Optimizer_Adagrad,
    Optimizer_Adam,
    Optimizer_RMSprop,
    Optimizer_SGD,
)
from chainrule.training import loop, progress
from plan_cases import refuse_plans

N, D, H, M = 22, 4, 6, 3
VALIDATION = ("validation_loss", "validation_accuracy")
LOSSES: dict[str, Any] = {
    "half_squared_error": Loss_HalfSquaredError,
    "mean_squared_error": Loss_MeanSquaredError,
    "mean_absolute_error": Loss_MeanAbsoluteError,
    "binary_crossentropy": Loss_BinaryCrossentropy,
    "categorical_crossentropy": Loss_CategoricalCrossentropy,
}
OPTIMIZERS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "sgd": (lambda: Optimizer_SGD(0.1, 0.01), {"rule": "sgd"}),
    "momentum": (lambda: Optimizer_SGD(0.1, 0.01, 0.9), {"rule": "sgd", "momentum": 0.9}),
    "adagrad": (lambda: Optimizer_Adagrad(0.1, 0.01), {"rule": "adagrad"}),
    "rmsprop": (lambda: Optimizer_RMSprop(0.1, 0.01), {"rule": "rmsprop"}),
    "adam": (lambda: Optimizer_Adam(0.1, 0.01), {"rule": "adam"}),
}


@pytest.fixture(autouse=True, params=["plan", "layers"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs twice: with the compiled plan where there is one, and layer by layer."""
    way: str = request.param
    if way == "layers":
        refuse_plans(monkeypatch)
    return way


def net(
    rng: Any = 1,
    *,
    loss: str = "categorical_crossentropy",
    optimizer: str = "sgd",
    strengths: tuple[float, ...] = (),
    dropout: bool = False,
    dtype: Any = np.float64,
    dense: Any = Layer_Dense,
) -> Model:
    """D-H-M with tanh; softmax, sigmoid or nothing at the end, as the loss needs."""
    model = Model()
    generator = np.random.default_rng(rng)
    model.add(dense(D, H, *strengths, init="torch", rng=generator, dtype=dtype))
    model.add(Activation_Tanh())
    if dropout:
        model.add(Layer_Dropout(0.2, rng=generator))
    model.add(dense(H, M, *strengths, init="torch", rng=generator, dtype=dtype))
    accuracy: Any = Accuracy_Regression()
    if loss == "categorical_crossentropy":
        model.add(Activation_Softmax())
        accuracy = Accuracy_Categorical()
    elif loss == "binary_crossentropy":
        model.add(Activation_Sigmoid())
        accuracy = Accuracy_Categorical(binary=True)
    else:
        model.add(Activation_Linear())
    model.set(loss=LOSSES[loss](), optimizer=OPTIMIZERS[optimizer][0](), accuracy=accuracy)
    model.finalize()
    return model


def twin_of(model: Model, loss: str, optimizer: str) -> reference.Spec:
    """The same network for the reference, in float64."""
    layers: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, Layer_Dense):
            arrays = [array.astype(np.float64) for array in layer.get_parameters()]
            strengths = (
                layer.weight_regularizer_l1,
                layer.weight_regularizer_l2,
                layer.bias_regularizer_l1,
                layer.bias_regularizer_l2,
            )
            layers.append(reference.Dense(*arrays, *strengths))
        elif isinstance(layer, Layer_Dropout):
            layers.append(reference.Dropout(layer.rate, layer.key))
        else:
            name = type(layer).__name__.removeprefix("Activation_").lower()
            layers.append(reference.Activation(name))
    settings = {"learning_rate": 0.1, "decay": 0.01, **OPTIMIZERS[optimizer][1]}
    accuracy = {"categorical_crossentropy": "categorical", "binary_crossentropy": "binary"}
    return reference.Spec(
        layers, loss, reference.Optimizer(**settings), accuracy.get(loss, "regression")
    )


def data(loss: str = "categorical_crossentropy", n: int = N, seed: int = 5) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, D))
    if loss == "categorical_crossentropy":
        return X, rng.integers(0, M, n)
    if loss == "binary_crossentropy":
        return X, rng.integers(0, 2, (n, M)).astype(np.float64)
    return X, rng.standard_normal((n, M))


def drift(steps: int, dtype: Any = np.float64) -> float:
    """Bound of the difference after some steps: values of order 1, sums of at most 32 terms
    and three layers a step, and Adam's first steps magnify a gradient's error tenfold."""
    return steps * 32 * 3 * 10 * float(np.finfo(dtype).eps)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
def test_training_is_that_of_the_reference(loss: str, optimizer: str, dropout: bool) -> None:
    model = net(loss=loss, optimizer=optimizer, strengths=(1e-3, 2e-3, 3e-3, 4e-3), dropout=dropout)
    spec = twin_of(model, loss, optimizer)
    X, y = data(loss)
    validation = data(loss, 9, 6)
    history = model.train(X, y, epochs=2, batch_size=8, validation_data=validation)
    expected = reference.train(spec, X, y, epochs=2, batch_size=8, validation_data=validation)
    assert len(history) == 2 and model.optimizer.iterations == 6
    for name in ("loss", "data_loss", "regularization_loss", "accuracy", *VALIDATION):
        wanted = [record[name] for record in expected]
        np.testing.assert_allclose(history[name], wanted, rtol=0, atol=drift(6), err_msg=name)
    assert history.learning_rate.tolist() == [r["learning_rate"] for r in expected]
    assert (history.seconds > 0).all()
    twins = [layer for layer in spec.layers if isinstance(layer, reference.Dense)]
    for layer, twin in zip(model.trainable_layers, twins, strict=True):
        np.testing.assert_allclose(layer.weights, twin.weights, rtol=0, atol=drift(6))
        np.testing.assert_allclose(layer.biases, twin.biases, rtol=0, atol=drift(6))
        for name, state in twin.state.items():
            if state.any():
                np.testing.assert_allclose(getattr(layer, name), state, rtol=0, atol=drift(6))


def test_a_hand_made_loop_over_the_model_is_train(dtype: Any) -> None:
    X, y = data()
    model, by_hand = net(dtype=dtype), net(dtype=dtype)
    model.train(X, y, epochs=3)
    for _ in range(3):
        output = by_hand.forward(X, training=True)
        by_hand.backward(output, y)
        by_hand.optimizer.pre_update_params()
        for layer in by_hand.trainable_layers:
            by_hand.optimizer.update_params(layer)
        by_hand.optimizer.post_update_params()
    for a, b in zip(model.trainable_layers, by_hand.trainable_layers, strict=True):
        np.testing.assert_allclose(a.weights, b.weights, rtol=0, atol=drift(3, dtype))


def test_softmax_with_crossentropy_uses_the_joint_gradient() -> None:
    X, y = data()
    model = net()
    output = model.forward(X, True)
    model.backward(output, y)
    eps = np.finfo(np.float64).eps
    expected = (output - np.eye(M)[y]) / N
    assert abs(model.layers[-1].dinputs - expected).max() <= 4 * eps
    np.testing.assert_array_equal(model.layers[-2].dinputs.shape, (N, H))


def test_a_subclass_with_its_own_loss_gradient_is_not_joined() -> None:
    class Doubled(Loss_CategoricalCrossentropy):
        def backward(self, dvalues: Any, y_true: Any) -> Any:
            self.dinputs = 2 * super().backward(dvalues, y_true)
            return self.dinputs

    X, y = data()
    model, other = net(), net()
    other.set(loss=Doubled())
    for each in (model, other):
        each.backward(each.forward(X), y)
    np.testing.assert_allclose(
        other.layers[0].dweights, 2 * model.layers[0].dweights, rtol=0, atol=drift(1)
    )


LINES = """\
epoch: 1
step: 0, acc: {0[acc]:.3f}, loss: {0[loss]:.3f} (data_loss: {0[data]:.3f}, reg_loss: 0.000), lr: 0.5
step: 2, acc: {2[acc]:.3f}, loss: {2[loss]:.3f} (data_loss: {2[data]:.3f}, reg_loss: 0.000), lr: 0.5
step: 3, acc: {3[acc]:.3f}, loss: {3[loss]:.3f} (data_loss: {3[data]:.3f}, reg_loss: 0.000), lr: 0.5
training, acc: {acc:.3f}, loss: {loss:.3f} (data_loss: {loss:.3f}, reg_loss: 0.000), lr: 0.5
validation, acc: {val_acc:.3f}, loss: {val_loss:.3f}
"""


def test_print_every_prints_the_notebooks_lines(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    model = net()
    model.optimizer = Optimizer_SGD(0.5)
    twin = copy.deepcopy(model)
    values: dict[int, dict[str, float]] = {}
    for index, start in enumerate(range(0, N, 6)):
        rows = slice(start, start + 6)
        loss, accuracy = twin.evaluate(X[rows], y[rows], quiet=True)
        assert accuracy is not None
        values[index] = {"acc": accuracy, "loss": loss, "data": loss}
        twin.train(X[rows], y[rows])
    assert capsys.readouterr() == ("", "")
    history = model.train(X, y, batch_size=6, print_every=2, validation_data=(X, y))
    expected = LINES.format(
        *values.values(),
        acc=history.accuracy[0],
        loss=history.loss[0],
        val_acc=history.validation_accuracy[0],
        val_loss=history.validation_loss[0],
    )
    assert capsys.readouterr() == (expected, "")


def test_lines_without_accuracy_leave_it_out(capsys: pytest.CaptureFixture[str]) -> None:
    model = net()
    model.accuracy = None
    X, y = data()
    history = model.train(X, y, epochs=2, print_every=10, validation_data=(X, y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and lines[0] == "epoch: 1" and lines[4] == "epoch: 2"
    assert not any("acc" in line for line in lines)
    assert lines[1].startswith("step: 0, loss: ") and lines[3].startswith("validation, loss: ")
    assert np.isnan(history.accuracy).all() and np.isnan(history.validation_accuracy).all()
    assert model.evaluate(X, y, quiet=True)[1] is None


def test_a_bar_shows_only_where_someone_looks_or_asks(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    net().train(X, y, epochs=2)
    assert capsys.readouterr() == ("", "")
    net().train(X, y, epochs=2, progress=True)
    output = capsys.readouterr()
    assert output.out == "" and "100%" in output.err and "epoch 2" in output.err


@pytest.mark.parametrize("strengths", [(), (0.0, 1e-2)], ids=["plain", "regularised"])
@pytest.mark.parametrize("batch_size", [None, 5])
def test_a_bar_shows_a_loss_that_is_known(
    strengths: tuple[float, ...],
    batch_size: int | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between two epochs nobody has computed the regularisation: it is left out."""
    monkeypatch.setattr(progress, "BAR_PAUSE", 0.0)
    monkeypatch.setattr(loop, "STRETCH", 1e-9)
    X, y = data()
    model = net(strengths=strengths)
    history = model.train(X, y, epochs=3, batch_size=batch_size, progress=True)
    shown = re.findall(r"((?:data_)?loss): ([\w.+-]+)", capsys.readouterr().err)
    assert {name for name, _ in shown} == {"data_loss" if strengths else "loss"}
    values = [float(value) for _, value in shown]
    assert np.isfinite(values).all()
    if batch_size is None:
        assert values[-1] == pytest.approx(history.data_loss[-1], rel=5e-3)


def test_a_bar_shows_on_a_terminal_unless_lines_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    X, y = data()
    net().train(X, y, epochs=2)
    assert "100%" in capsys.readouterr().err
    net().train(X, y, epochs=2, progress=False)
    net().train(X, y, epochs=2, print_every=1)
    assert capsys.readouterr().err == ""
    net().train(X, y, epochs=1, print_every=1, progress=True)
    output = capsys.readouterr()
    assert output.out.startswith("epoch: 1\nstep: 0, acc: ") and "100%" in output.err


def test_evaluate_prints_and_returns(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    model = net()
    loss, accuracy = model.evaluate(X, y)
    assert capsys.readouterr().out == f"validation, acc: {accuracy:.3f}, loss: {loss:.3f}\n"
    batched = model.evaluate(X, y, batch_size=5, quiet=True)
    assert capsys.readouterr().out == ""
    np.testing.assert_allclose(batched, (loss, accuracy), rtol=0, atol=drift(1))


@pytest.mark.parametrize("loss", LOSSES)
def test_evaluate_returns_numpy_scalars_and_history_floats(loss: str, dtype: Any) -> None:
    X, y = data(loss)
    model = net(loss=loss, dtype=dtype)
    logs: list[dict[str, float]] = []

    class Keep:
        def on_epoch_end(self, epoch: int, values: dict[str, float]) -> None:
            logs.append(values)

    history = model.train(X, y, epochs=2, validation_data=(X, y), callbacks=Keep())
    value, accuracy = model.evaluate(X, y, quiet=True)
    assert type(value) is dtype and type(accuracy) is np.float64
    assert value == pytest.approx(history.validation_loss[-1], abs=drift(1, dtype))
    assert accuracy == pytest.approx(history.validation_accuracy[-1], abs=drift(1, dtype))
    assert all(type(each) is float for values in logs for each in values.values())
    assert all(history[name].dtype == np.float64 for name in history.keys())
    model.accuracy = None
    assert model.evaluate(X, y, quiet=True)[1] is None


def test_a_mean_in_float32_is_rounded_once() -> None:
    """Sums are double: an epoch's loss does not depend on how its batches' means are rounded."""
    X, y = data(n=2000)
    model = net(dtype=np.float32)
    losses = [model.evaluate(X, y, batch_size=size, quiet=True)[0] for size in (7, 100, 2000)]
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize("batch_size", [1, 2, 7, 21, 22, 1000])
def test_predict_gives_the_same_bits_for_any_batch_size(batch_size: int, dtype: Any) -> None:
    X, _ = data()
    model = net(dtype=dtype, dropout=True)
    whole = model.predict(X)
    assert whole.shape == (N, M) and whole.dtype == dtype
    np.testing.assert_array_equal(model.predict(X, batch_size=batch_size), whole)
    assert model.predict(X[:0]).shape == (0, M)


def test_epochs_continue_where_the_last_training_ended() -> None:
    X, y = data()
    model, whole = net(optimizer="adam", dropout=True), net(optimizer="adam", dropout=True)
    model.train(X, y, epochs=2, batch_size=5, shuffle=True, rng=3)
    model = pickle.loads(pickle.dumps(model))
    history = model.train(X, y, epochs=3, batch_size=5, shuffle=True)
    everything = whole.train(X, y, epochs=5, batch_size=5, shuffle=True, rng=3)
    assert model.optimizer.iterations == whole.optimizer.iterations == 25
    np.testing.assert_array_equal(everything.loss[2:], history.loss)
    for a, b in zip(model.trainable_layers, whole.trainable_layers, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)
        np.testing.assert_array_equal(a.weight_cache, b.weight_cache)


def test_a_seed_repeats_shuffling_and_dropout() -> None:
    X, y = data()
    losses = []
    for seed in (1, 1, 2):
        np.random.seed(len(losses))  # the dropout keys drawn at building differ  # noqa: NPY002
        model = net(dropout=True)
        model.layers[2] = Layer_Dropout(0.2)
        losses.append(model.train(X, y, epochs=2, batch_size=5, shuffle=True, rng=seed).loss)
    np.testing.assert_array_equal(losses[0], losses[1])
    assert (losses[0] != losses[2]).all()


def test_shuffling_takes_the_permutations_of_the_generator() -> None:
    X, y = data()
    model, by_hand = net(), net()
    model.train(X, y, epochs=2, batch_size=8, shuffle=True, rng=11)
    rng = np.random.default_rng(11)
    for _ in range(2):
        order = rng.permutation(N)
        by_hand.train(X[order], y[order], batch_size=8)
    for a, b in zip(model.trainable_layers, by_hand.trainable_layers, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)


def test_training_without_shuffling_draws_no_random_number() -> None:
    X, y = data()
    np.random.seed(8)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(8)  # noqa: NPY002
    net().train(X, y, epochs=2)
    assert np.random.rand() == expected  # noqa: NPY002


@pytest.mark.parametrize("loss", LOSSES)
def test_sample_weights_weigh_as_in_the_reference(loss: str) -> None:
    model = net(loss=loss)
    spec = twin_of(model, loss, "sgd")
    X, y = data(loss)
    weight = np.random.default_rng(2).uniform(0, 2, N)
    history = model.train(X, y, epochs=2, batch_size=8, sample_weight=weight)
    expected = reference.train(spec, X, y, epochs=2, batch_size=8, sample_weight=weight)
    np.testing.assert_allclose(history.loss, [r["loss"] for r in expected], rtol=0, atol=drift(6))
    np.testing.assert_allclose(
        model.layers[0].weights, spec.layers[0].weights, rtol=0, atol=drift(6)
    )


def test_a_sample_of_weight_zero_counts_for_nothing() -> None:
    X, y = data()
    weight = np.ones(N)
    weight[10:] = 0
    model, fewer = net(), net()
    a = model.train(X, y, epochs=2, sample_weight=weight)
    b = fewer.train(X[:10], y[:10], epochs=2)
    np.testing.assert_allclose(a.loss, b.loss, rtol=0, atol=drift(2))


@pytest.mark.parametrize("batch_size", [None, 5, 7, 11, 22, 30])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_last_smaller_batch_may_be_left_out(batch_size: int | None, shuffle: bool) -> None:
    X, y = data()
    model, by_hand = net(optimizer="adam"), net(optimizer="adam")
    settings: dict[str, Any] = {"batch_size": batch_size, "shuffle": shuffle}
    history = model.train(X, y, epochs=3, drop_last=True, rng=4, **settings)
    size = min(batch_size or N, N)
    rng = np.random.default_rng(4)
    for epoch in range(3):
        order = rng.permutation(N) if shuffle else np.arange(N)
        rows = order[: N // size * size]
        expected = by_hand.train(X[rows], y[rows], batch_size=size)
        assert history.loss[epoch] == pytest.approx(expected.loss[0], abs=drift(3 * N))
        assert history.accuracy[epoch] == expected.accuracy[0]
    assert model.optimizer.iterations == by_hand.optimizer.iterations == 3 * (N // size)
    for one, other in zip(model.trainable_layers, by_hand.trainable_layers, strict=True):
        np.testing.assert_allclose(one.weights, other.weights, rtol=0, atol=drift(3 * N))


def test_an_epoch_whose_weights_are_all_left_out_has_no_loss() -> None:
    """Shuffled, the only samples that weigh may come last."""
    X, y = data()
    weight = np.zeros(N)
    weight[0] = 1
    history = net().train(
        X, y, epochs=30, batch_size=15, drop_last=True, shuffle=True, rng=1, sample_weight=weight
    )
    missing = np.isnan(history.loss)
    assert 0 < missing.sum() < 30 and np.isnan(history.accuracy[missing]).all()


def test_clip_norm_scales_all_gradients_together() -> None:
    X, y = data()
    model, clipped, loose = net(), net(), net()
    model.backward(model.forward(X, True), y)
    gradients = [g for layer in model.trainable_layers for g in (layer.dweights, layer.dbiases)]
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    before = clipped.get_parameters()
    clipped.optimizer = loose.optimizer = Optimizer_SGD(1.0)
    clipped.train(X, y, clip_norm=norm / 4)
    moved = [b - a for pair, old in zip(clipped.get_parameters(), before, strict=True)
             for a, b in zip(pair, old, strict=True)]  # fmt: skip
    for step, gradient in zip(moved, gradients, strict=True):
        np.testing.assert_allclose(step, gradient / 4, rtol=0, atol=drift(1))
    loose.optimizer = Optimizer_SGD(1.0)
    loose.train(X, y, clip_norm=10 * norm)
    np.testing.assert_allclose(
        before[0][0] - loose.layers[0].weights, gradients[0], rtol=0, atol=drift(1)
    )


# A user's own parts


class OwnDense:
    """An introductory notebook's layer: no `training`, nothing returned."""

    def __init__(self, layer: Layer_Dense) -> None:
        self.weights, self.biases = layer.get_parameters()

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues: Any) -> None:
        self.dweights = self.inputs.T @ dvalues
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T


class OwnLoss:
    """No base class, half the squared error."""

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return ((y_pred - y_true) ** 2).sum(axis=1) / 2

    def backward(self, dvalues: Any, y_true: Any) -> None:
        self.dinputs = (dvalues - y_true) / len(dvalues)


class DerivedLoss(Loss):
    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return ((y_pred - y_true) ** 2).sum(axis=1) / 2

    def backward(self, dvalues: Any, y_true: Any) -> Any:
        self.dinputs = (dvalues - y_true) / len(dvalues)
        return self.dinputs


class OwnOptimizer:
    """Plain descent at the rate 0.1, without any bookkeeping."""

    def update_params(self, layer: Any) -> None:
        layer.weights -= 0.1 * layer.dweights
        layer.biases -= 0.1 * layer.dbiases


class OwnAccuracy(Accuracy):
    def compare(self, predictions: Any, y: Any) -> Any:
        return abs(predictions - y) < self.precision

    def init(self, y: Any, reinit: bool = False) -> None:
        self.precision = np.std(y) / 250


class DerivedDense(Layer_Dense):
    def forward(self, inputs: Any, training: bool = False) -> Any:
        return super().forward(inputs, training)


def own_part(model: Model, part: str) -> None:
    if part == "layer":
        model.layers[3] = OwnDense(model.layers[3])
    elif part == "derived layer":
        model.layers[0].__class__ = DerivedDense
    elif part == "loss":
        model.set(loss=OwnLoss())
    elif part == "derived loss":
        model.set(loss=DerivedLoss())
    elif part == "optimizer":
        model.set(optimizer=OwnOptimizer())
    elif part == "accuracy":
        model.set(accuracy=OwnAccuracy())
    model.finalize()


@pytest.mark.parametrize(
    "part", ["layer", "derived layer", "loss", "derived loss", "optimizer", "accuracy"]
)
def test_a_users_own_part_gives_the_same_results(part: str) -> None:
    X, y = data("half_squared_error")
    plain, mixed = (net(loss="half_squared_error", dropout=True) for _ in range(2))
    for model in (plain, mixed):
        model.optimizer = Optimizer_SGD(0.1)
        model.finalize()
    own_part(mixed, part)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 8, "validation_data": (X, y)}
    a, b = plain.train(X, y, **settings), mixed.train(X, y, **settings)
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        np.testing.assert_allclose(a[name], b[name], rtol=0, atol=drift(9), err_msg=name)
    for one, other in zip(plain.trainable_layers, mixed.trainable_layers, strict=True):
        np.testing.assert_allclose(one.weights, other.weights, rtol=0, atol=drift(9))
    assert mixed.plan.startswith("layer by layer: ")
    assert "layer by layer" in repr(mixed.plan)


def test_input_layer_and_layers_of_two_dtypes_work() -> None:
    model = Model()
    for layer in (
        Layer_Input(),
        Layer_Dense(D, H, dtype=np.float32),
        Activation_ReLU(),
        Layer_Dense(H, M),
        Activation_Softmax(),
    ):
        model.add(layer)
    model.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_SGD(0.5))
    X, y = data()
    history = model.train(X, y, epochs=20)
    assert history.loss[-1] < history.loss[0]
    assert model.layers[1].weights.dtype == np.float32 and model.predict(X).dtype == np.float64


# Parameters


def test_parameters_stay_the_same_arrays_through_training() -> None:
    X, y = data()
    model = net()
    weights = model.layers[0].weights
    view = weights[0]
    before = view.copy()
    model.train(X, y)
    assert model.layers[0].weights is weights and (view != before).any()


def test_parameters_go_out_as_copies_and_in_in_place() -> None:
    X, _ = data()
    model, other = net(1), net(2)
    held = other.layers[0].weights
    parameters = model.get_parameters()
    other.set_parameters(parameters)
    assert other.layers[0].weights is held and held is not parameters[0][0]
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    before = other.get_parameters()
    wrong = [parameters[0], (parameters[1][0], np.ones(M + 1))]
    with pytest.raises(ValueError, match=r"Layer_Dense\(6, 3\): biases: expected \(1, 3\)"):
        other.set_parameters(wrong)
    with pytest.raises(ValueError, match=r"parameters: expected 2 pairs, one per layer .*got 1"):
        other.set_parameters(parameters[:1])
    for now, then in zip(other.get_parameters(), before, strict=True):
        np.testing.assert_array_equal(now[0], then[0])


def test_copies_are_independent_and_equal() -> None:
    X, y = data()
    model = net(dropout=True)
    model.train(X, y, epochs=2)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))
        assert twin.layers[0].weights is not model.layers[0].weights
        assert twin.loss.trainable_layers[0] is twin.layers[0]
        np.testing.assert_array_equal(twin.train(X, y).loss.shape, (1,))
        np.testing.assert_array_equal(twin.history["loss"].shape, (1,))


def test_summary_and_repr_tell_the_parts(capsys: pytest.CaptureFixture[str]) -> None:
    model = net()
    assert model.summary() is None  # type: ignore[func-returns-value]
    text = capsys.readouterr().out
    assert "Layer_Dense(4, 6)" in text and "(n, 3)" in text
    assert f"{4 * 6 + 6 + 6 * 3 + 3}" in text and "plan: " in text
    assert repr(model) == (
        "Model(\n"
        "    Layer_Dense(4, 6, dtype=float64),\n"
        "    Activation_Tanh(),\n"
        "    Layer_Dense(6, 3, dtype=float64),\n"
        "    Activation_Softmax(),\n"
        "    loss=Loss_CategoricalCrossentropy(),\n"
        f"    optimizer={model.optimizer!r},\n"
        "    accuracy=Accuracy_Categorical(),\n"
        ")"
    )
    del model.layers[3:]
    model.optimizer = model.accuracy = None
    assert repr(model) == (
        "Model(Layer_Dense(4, 6, dtype=float64), Activation_Tanh(), "
        "Layer_Dense(6, 3, dtype=float64), loss=Loss_CategoricalCrossentropy())"
    )
    assert repr(Model()) == "Model()"


# How a training ends


def test_no_epoch_changes_nothing() -> None:
    X, y = data()
    model = net()
    before = model.get_parameters()
    assert len(model.train(X, y, epochs=0)) == 0
    np.testing.assert_array_equal(model.get_parameters()[0][0], before[0][0])


def exploding() -> tuple[Model, Any, Any]:
    """Finite data whose squared error overflows in the third of three batches."""
    X, y = data("mean_squared_error", 15)
    X[12] = 1e300
    return net(loss="mean_squared_error"), X, y


def test_a_loss_that_is_not_finite_raises_before_its_update() -> None:
    model, X, y = exploding()
    model.layers[1] = Activation_Linear()
    good = copy.deepcopy(model)
    with pytest.raises(FloatingPointError, match="epoch 1, step 2: expected a finite loss"):
        model.train(X, y, epochs=3, batch_size=5)
    good.train(X[:10], y[:10], batch_size=5)
    for a, b in zip(model.trainable_layers, good.trainable_layers, strict=True):
        np.testing.assert_allclose(a.weights, b.weights, rtol=0, atol=drift(2))
    assert model.optimizer.iterations == 2
    assert model.history is not None and len(model.history) == 0


def test_a_loss_that_is_not_finite_may_stop_or_be_ignored() -> None:
    model, X, y = exploding()
    model.layers[1] = Activation_Linear()
    assert len(model.train(X, y, epochs=3, batch_size=5, on_nonfinite="stop")) == 0
    assert np.isfinite(model.layers[0].weights).all()
    with np.errstate(all="ignore"):
        history = model.train(X, y, epochs=3, batch_size=5, on_nonfinite="ignore")
    assert len(history) == 3 and not np.isfinite(history.loss).any()


class Press:
    """A callback that sends Ctrl-C from another thread a moment after training began."""

    def on_train_begin(self) -> None:
        threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("own", [False, True], ids=["ours", "own layer"])
def test_ctrl_c_leaves_a_usable_model_of_whole_steps(own: bool) -> None:
    X, y = data("half_squared_error")
    model = net(loss="half_squared_error")
    if own:
        model.layers[2] = OwnDense(model.layers[2])
    twin = copy.deepcopy(model)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        model.train(X, y, epochs=10**9, callbacks=[Press()])
    assert signal.getsignal(signal.SIGINT) is handler
    done = model.optimizer.iterations
    assert model.history is not None and len(model.history) == done > 0
    twin.train(X, y, epochs=done)
    np.testing.assert_array_equal(twin.layers[0].weights, model.layers[0].weights)
    assert len(model.train(X, y, epochs=1)) == 1


def test_an_error_of_a_users_layer_comes_through_and_the_model_stays_usable() -> None:
    class Failing(OwnDense):
        fail = True

        def backward(self, dvalues: Any) -> None:
            if self.fail:
                raise ArithmeticError("mine")
            super().backward(dvalues)

    X, y = data("half_squared_error")
    model = net(loss="half_squared_error")
    model.layers[2] = Failing(model.layers[2])
    before = model.layers[0].weights.copy()
    with pytest.raises(ArithmeticError, match="mine"):
        model.train(X, y, epochs=2)
    np.testing.assert_array_equal(model.layers[0].weights, before)
    Failing.fail = False
    assert len(model.train(X, y, epochs=2)) == 2


# One user at a time


class InTraining:
    """A callback that runs `action` once, after the first epoch."""

    model: Any

    def __init__(self, action: Callable[[Any], Any]) -> None:
        self.action = action
        self.result: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 1:
            self.result = self.action(self.model)


@pytest.mark.parametrize("operation", ["train", "finalize", "add", "set"])
def test_a_callback_may_not_train_or_rebuild(operation: str) -> None:
    X, y = data()
    actions: dict[str, Callable[[Any], Any]] = {
        "train": lambda model: model.train(X, y),
        "finalize": lambda model: model.finalize(),
        "add": lambda model: model.add(Activation_Linear()),
        "set": lambda model: model.set(optimizer=Optimizer_SGD()),
    }
    model = net()
    with pytest.raises(RuntimeError, match=f"Model: {operation}: expected .* not in use.*train"):
        model.train(X, y, epochs=3, callbacks=[InTraining(actions[operation])])
    assert model.history is not None and len(model.history) == 1
    model.train(X, y)


def test_a_callback_may_evaluate_predict_and_forward_without_disturbing() -> None:
    X, y = data()

    def look(model: Any) -> Any:
        model.evaluate(X[:5], y[:5], quiet=True)
        model.forward(X[:3])
        return model.predict(X), pickle.loads(pickle.dumps(model)).predict(X)

    plain, watched = net(dropout=True), net(dropout=True)
    callback = InTraining(look)
    a = plain.train(X, y, epochs=3, batch_size=5)
    b = watched.train(X, y, epochs=3, batch_size=5, callbacks=callback)
    np.testing.assert_array_equal(a.loss, b.loss)
    np.testing.assert_array_equal(*callback.result)


@pytest.mark.parametrize("operation", ["train", "forward"])
def test_another_thread_is_turned_away(operation: str) -> None:
    X, y = data()
    errors: list[BaseException] = []

    def elsewhere(model: Any) -> None:
        arguments = (X, y) if operation in ("train", "evaluate") else (X,)

        def attempt() -> None:
            try:
                getattr(model, operation)(*arguments)
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()

    net().train(X, y, epochs=2, callbacks=[InTraining(elsewhere)])
    assert len(errors) == 1 and "whose train is running" in str(errors[0])


def test_different_models_train_in_different_threads() -> None:
    X, y = data()
    alone = net().train(X, y, epochs=50).loss
    losses: dict[int, Any] = {}

    def work(index: int) -> None:
        losses[index] = net().train(X, y, epochs=50).loss

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(4):
        np.testing.assert_array_equal(losses[index], alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_forked_in_mid_training_is_not_locked_out() -> None:
    X, y = data()

    def child(model: Any) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                code = 0 if len(model.train(X, y, epochs=2)) == 2 else 1
            except BaseException:
                code = 2
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    callback = InTraining(child)
    net().train(X, y, epochs=2, callbacks=[callback])
    assert callback.result == 0
