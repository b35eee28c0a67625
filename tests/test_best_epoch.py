"""`best_epoch`: the parameters of the best validated epoch, however the training ends."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from typing import Any

import numpy as np
import pytest

from chainrule import (
    EarlyStopping,
    History,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_Adam,
)
from plan_cases import WAYS, going
from test_errors import state
from test_model import data, drift, net


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    """Force one engine, or the classes, for the whole test."""
    with going(request.param):
        yield request.param


def overfitting(label_smoothing: float | None = None) -> tuple[Model, Any, Any, Any]:
    """A net whose validation loss falls and then climbs: few samples, and their labels noisy."""
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((50, 4))
    labels = np.argmax(inputs[:, :3] + 0.5 * rng.standard_normal((50, 3)), axis=1)
    X, y, held = inputs[:20], labels[:20], (inputs[20:], labels[20:])
    model = net()
    model.optimizer = Optimizer_Adam(0.05)
    if label_smoothing is not None:
        model.loss = Loss_CategoricalCrossentropy(label_smoothing=label_smoothing)
    return model, X, y, held


class Snapshots:
    """Copies of the parameters after each epoch."""

    model: Any

    def __init__(self) -> None:
        self.parameters: list[Any] = []
        self.iterations: list[int] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.parameters.append(self.model.get_parameters())
        self.iterations.append(self.model.optimizer.iterations)


def assert_parameters(model: Any, expected: Any) -> None:
    for pair, wanted in zip(model.get_parameters(), expected, strict=True):
        for one, other in zip(pair, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "with a callback"])
@pytest.mark.parametrize("name", ["loss", "validation_loss", "accuracy", "validation_accuracy"])
def test_the_best_epochs_parameters_come_back(way: str, name: str, watched: bool) -> None:
    model, X, y, held = overfitting()
    twin, _, _, _ = overfitting()
    snapshots = Snapshots()
    settings: dict[str, Any] = {"epochs": 40, "batch_size": 5, "validation_data": held}
    expected = twin.train(X, y, callbacks=snapshots, **settings)
    callbacks = [Snapshots()] if watched else []
    history = model.train(X, y, best_epoch=name, callbacks=callbacks, **settings)
    np.testing.assert_array_equal(history.loss, expected.loss)
    column = history[f"validation_{name.removeprefix('validation_')}"]
    values = column if name.endswith("loss") else -column
    best = len(values) - int(np.argmin(values[::-1]))  # of equal ones the last
    assert history.best_epoch == best and 1 < best < 40
    assert_parameters(model, snapshots.parameters[best - 1])
    # the optimizer stays where training ended
    assert model.optimizer.iterations == twin.optimizer.iterations
    for one, other in zip(model.trainable_layers, twin.trainable_layers, strict=True):
        np.testing.assert_array_equal(one.weight_momentums, other.weight_momentums)
    loss, _ = model.evaluate(*held, quiet=True)
    assert loss == pytest.approx(history.validation_loss[best - 1], abs=drift(1))


def test_the_arrays_stay_the_same_objects(way: str) -> None:
    model, X, y, held = overfitting()
    arrays = [layer.weights for layer in model.trainable_layers]
    model.train(X, y, epochs=20, best_epoch="loss", validation_data=held)
    assert all(a is b.weights for a, b in zip(arrays, model.trainable_layers, strict=True))


class StopAt:
    model: Any

    def __init__(self, epoch: int, how: str) -> None:
        self.epoch, self.how = epoch, how

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch == self.epoch:
            if self.how == "interrupt":
                raise KeyboardInterrupt
            if self.how == "error":
                raise ArithmeticError("mine")
            self.model.stop_training = True


@pytest.mark.parametrize("how", ["stop", "interrupt", "error"])
def test_they_come_back_however_training_ends(way: str, how: str) -> None:
    model, X, y, held = overfitting()
    snapshots = Snapshots()
    callbacks = [snapshots, StopAt(35, how)]
    settings: dict[str, Any] = {"epochs": 40, "validation_data": held, "best_epoch": "loss"}
    if how == "stop":
        model.train(X, y, callbacks=callbacks, **settings)
    else:
        with pytest.raises(KeyboardInterrupt if how == "interrupt" else ArithmeticError):
            model.train(X, y, callbacks=callbacks, **settings)
    history = model.history
    assert history is not None and len(history) == 35
    assert history.best_epoch is not None and history.best_epoch < 35
    assert history.validation_loss[history.best_epoch - 1] == history.validation_loss.min()
    assert_parameters(model, snapshots.parameters[history.best_epoch - 1])


def test_ctrl_c_in_mid_training_puts_them_back(way: str) -> None:
    model, X, y, held = overfitting()
    timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.train(X, y, epochs=10**7, validation_data=held, best_epoch="loss")
    history = model.history
    assert history is not None and history.best_epoch is not None
    loss, _ = model.evaluate(*held, quiet=True)
    assert loss == pytest.approx(history.validation_loss.min(), abs=drift(1))


class Spoil:
    model: Any

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 30:
            self.model.layers[0].weights[0, 0] = np.nan


@pytest.mark.parametrize("mode", ["raise", "stop"])
def test_a_loss_that_is_not_finite_leaves_the_best(way: str, mode: str) -> None:
    model, X, y, held = overfitting()
    snapshots = Snapshots()
    settings: dict[str, Any] = {"validation_data": held, "on_nonfinite": mode}
    callbacks = [snapshots, Spoil()]
    if mode == "raise":
        with pytest.raises(FloatingPointError, match=r"parameters are those of epoch \d+, the be"):
            model.train(X, y, epochs=40, best_epoch="loss", callbacks=callbacks, **settings)
    else:
        model.train(X, y, epochs=40, best_epoch="loss", callbacks=callbacks, **settings)
    assert model.history is not None and model.history.best_epoch is not None
    assert_parameters(model, snapshots.parameters[model.history.best_epoch - 1])


def test_a_validation_that_is_nan_is_never_best(way: str) -> None:
    model, X, y, held = overfitting()
    held[0][3, 1] = np.nan
    history = model.train(
        X, y, epochs=3, validation_data=held, best_epoch="loss", check_finite=False
    )
    assert history.best_epoch is None and np.isnan(history.validation_loss).all()
    twin, _, _, _ = overfitting()
    twin.train(X, y, epochs=3)
    assert_parameters(model, twin.get_parameters())


def test_smoothed_labels_are_not_what_epochs_are_compared_by(way: str) -> None:
    model, X, y, held = overfitting(0.3)
    twin, _, _, _ = overfitting(0.3)
    snapshots = Snapshots()
    settings: dict[str, Any] = {"epochs": 40, "validation_data": held}
    expected = twin.train(X, y, callbacks=snapshots, **settings)
    plain, _, _, _ = overfitting()
    losses = []
    for parameters in snapshots.parameters:
        plain.set_parameters(parameters)
        losses.append(float(plain.evaluate(*held, quiet=True)[0]))
    history = model.train(X, y, best_epoch="loss", **settings)
    np.testing.assert_array_equal(history.validation_loss, expected.validation_loss)  # smoothed
    assert np.argmin(history.validation_loss) != np.argmin(losses)
    best = history.best_epoch
    assert best is not None and losses[best - 1] == pytest.approx(min(losses), abs=drift(1))
    assert_parameters(model, snapshots.parameters[best - 1])


def test_early_stopping_may_stop_it(way: str) -> None:
    model, X, y, held = overfitting()
    stopping = EarlyStopping(patience=3, restore_best_weights=False)
    history = model.train(
        X, y, epochs=200, validation_data=held, best_epoch="loss", callbacks=[stopping]
    )
    assert history.best_epoch == stopping.best_epoch and len(history) == history.best_epoch + 3


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"best_epoch": "val_loss"}, "best_epoch: expected 'validation_loss' or 'validation_acc"),
        ({"best_epoch": 3}, "best_epoch: expected 'validation_loss' or 'validation_accuracy'"),
        (
            {"best_epoch": "loss", "validation_data": None},
            "best_epoch: expected validation_data or validation_split with it, got none",
        ),
        (
            {"best_epoch": "loss", "callbacks": [EarlyStopping()]},
            r"best_epoch: expected no callback that puts parameters back as well, got Early",
        ),
        ({"best_epoch": "accuracy"}, "best_epoch: expected an accuracy for 'accuracy', got none"),
    ],
)
def test_what_cannot_choose_an_epoch_is_refused(settings: dict[str, Any], text: str) -> None:
    model, X, y, held = overfitting()
    if settings["best_epoch"] == "accuracy":
        model.accuracy = None
    before = state(model)
    with pytest.raises(ValueError, match=text):
        model.train(X, y, **{"validation_data": held, **settings})
    assert state(model) == before


def test_a_history_keeps_it_and_one_without_has_none() -> None:
    model, X, y, held = overfitting()
    history = model.train(X, y, epochs=30, validation_data=held, best_epoch="loss")
    assert pickle.loads(pickle.dumps(history)).best_epoch == history.best_epoch
    assert History().best_epoch is None
    assert model.train(X, y, epochs=1).best_epoch is None
    old = History.__new__(History)
    old.__dict__.update({"_columns": history._columns, "_length": len(history)})
    assert old.best_epoch is None


def test_a_split_serves_as_well(way: str) -> None:
    X, y = data()
    model = net()
    history = model.train(X, y, epochs=5, validation_split=0.25, best_epoch="loss")
    assert history.best_epoch == 5 - int(np.argmin(history.validation_loss[::-1]))
