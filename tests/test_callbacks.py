"""Callbacks: when they are called, with what, and what they may change."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Accuracy_Categorical,
    Activation_ReLU,
    Activation_Softmax,
    Callback,
    Checkpoint,
    EarlyStopping,
    Layer_Dense,
    LearningRateSchedule,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_SGD,
    ReduceLearningRateOnPlateau,
)
from plan_cases import refuse_plans


@pytest.fixture(autouse=True, params=["plan", "layers"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs twice: with the compiled plan where there is one, and layer by layer."""
    way: str = request.param
    if way == "layers":
        refuse_plans(monkeypatch)
    return way


def net() -> Model:
    model = Model()
    model.add(Layer_Dense(4, 8, init="he_normal", rng=1))
    model.add(Activation_ReLU())
    model.add(Layer_Dense(8, 3, init="he_normal", rng=2))
    model.add(Activation_Softmax())
    model.set(
        loss=Loss_CategoricalCrossentropy(),
        optimizer=Optimizer_SGD(0.1),
        accuracy=Accuracy_Categorical(),
    )
    return model


@pytest.fixture
def samples() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    return rng.standard_normal((20, 4)), rng.integers(0, 3, 20)


class Recorder(Callback):
    def __init__(self) -> None:
        self.calls: list[Any] = []

    def on_train_begin(self) -> None:
        self.calls.append("begin")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.calls.append((epoch, logs))

    def on_train_end(self) -> None:
        self.calls.append("end")


class Parameters(Callback):
    """Keeps the weights of each epoch."""

    def __init__(self) -> None:
        self.weights: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.weights.append(self.model.layers[0].weights.copy())


def test_calls_come_in_order_with_the_epochs_values(samples: Any) -> None:
    model, recorder = net(), Recorder()
    history = model.train(
        *samples, epochs=3, batch_size=6, validation_data=samples, callbacks=[recorder]
    )
    assert recorder.model is model
    assert recorder.calls[0] == "begin" and recorder.calls[-1] == "end"
    epochs = recorder.calls[1:-1]
    assert [epoch for epoch, _ in epochs] == [1, 2, 3]
    for epoch, logs in epochs:
        assert logs == {name: history[name][epoch - 1] for name in history.keys()}
        assert all(type(value) is float for value in logs.values())


def test_logs_leave_out_what_is_not_computed(samples: Any) -> None:
    model, recorder = net(), Recorder()
    model.accuracy = None
    model.train(*samples, callbacks=recorder)
    assert set(recorder.calls[1][1]) == {
        "loss",
        "data_loss",
        "regularization_loss",
        "learning_rate",
        "seconds",
    }


def test_any_object_with_one_of_the_methods_serves(samples: Any) -> None:
    class Only:
        ended = False

        def on_train_end(self) -> None:
            self.ended = True

    only = Only()
    net().train(*samples, callbacks=[only])
    assert only.ended
    net().train(*samples, callbacks=[Callback()])


def test_watching_changes_no_bit(samples: Any) -> None:
    plain, watched = net(), net()
    a = plain.train(*samples, epochs=5, batch_size=6)
    b = watched.train(*samples, epochs=5, batch_size=6, callbacks=[Recorder()])
    np.testing.assert_array_equal(a.loss, b.loss)
    np.testing.assert_array_equal(plain.layers[0].weights, watched.layers[0].weights)


def test_parameters_are_up_to_date_in_a_callback(samples: Any) -> None:
    callback = Parameters()
    net().train(*samples, epochs=3, callbacks=[callback])
    for epochs in (1, 2, 3):
        model = net()
        model.train(*samples, epochs=epochs)
        np.testing.assert_array_equal(callback.weights[epochs - 1], model.layers[0].weights)


def test_changes_of_a_callback_are_read(samples: Any) -> None:
    class Change(Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            if epoch == 2:
                self.model.layers[0].weights *= 0.5
                self.model.optimizer.learning_rate = 0.01
                self.model.optimizer.momentum = 0.9

    changed, by_hand = net(), net()
    history = changed.train(*samples, epochs=4, batch_size=6, callbacks=[Change()])
    first = by_hand.train(*samples, epochs=2, batch_size=6)
    by_hand.layers[0].weights *= 0.5
    by_hand.optimizer.learning_rate, by_hand.optimizer.momentum = 0.01, 0.9
    second = by_hand.train(*samples, epochs=2, batch_size=6)
    np.testing.assert_array_equal(history.loss, [*first.loss, *second.loss])
    np.testing.assert_array_equal(changed.layers[0].weights, by_hand.layers[0].weights)


def test_stop_training_ends_after_the_epoch(samples: Any) -> None:
    class Stop(Recorder):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            super().on_epoch_end(epoch, logs)
            self.model.stop_training = epoch == 2

    model, stop = net(), Stop()
    assert len(model.train(*samples, epochs=10, callbacks=[stop])) == 2
    assert stop.calls[-1] == "end"
    assert len(model.train(*samples, epochs=3)) == 3


def test_an_error_in_a_callback_comes_through(samples: Any) -> None:
    class Fail(Recorder):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            raise LookupError("mine")

    model, fail = net(), Fail()
    with pytest.raises(LookupError, match="mine"):
        model.train(*samples, epochs=3, callbacks=[fail])
    assert fail.calls == ["begin"]
    assert model.history is not None and len(model.history) == 1
    model.train(*samples)


class Scripted(Callback):
    """Hands a callback made-up values of what it monitors."""

    def __init__(self, stopping: Any, values: list[float]) -> None:
        self.stopping, self.values = stopping, values

    def on_train_begin(self) -> None:
        self.stopping.model = self.model
        self.stopping.on_train_begin()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.stopping.on_epoch_end(epoch, {self.stopping.monitor: self.values[epoch - 1]})

    def on_train_end(self) -> None:
        self.stopping.on_train_end()


NAN = math.nan


@pytest.mark.parametrize(
    ("settings", "values", "epochs", "best"),
    [
        ({"patience": 2}, [3, 2, 1, 1, 1, 0], 5, 3),
        ({"patience": 2}, [3, 4, 2, 3, 3, 0], 5, 3),
        ({"patience": 0}, [3, 2, 2, 0, 0, 0], 3, 2),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.6, 2.6, 0, 0, 0], 2, 1),
        ({"patience": 2, "monitor": "accuracy"}, [0.1, 0.5, 0.4, 0.5, 0.9, 1], 4, 2),
        ({"patience": 2}, [NAN, 2, NAN, NAN, 1, 0], 4, 2),
        ({"patience": 3}, [6, 5, 4, 3, 2, 1], 6, 6),
    ],
)
def test_early_stopping_waits_for_its_patience(
    samples: Any, settings: dict[str, Any], values: list[float], epochs: int, best: int
) -> None:
    stopping = EarlyStopping(**settings)
    weights = Parameters()
    model = net()
    history = model.train(*samples, epochs=6, callbacks=[weights, Scripted(stopping, values)])
    assert len(history) == epochs
    assert (stopping.best_epoch, stopping.best) == (best, values[best - 1])
    assert stopping.stopped_epoch == (epochs if epochs < 6 else None)
    np.testing.assert_array_equal(model.layers[0].weights, weights.weights[best - 1])


def test_early_stopping_may_leave_the_last_weights(samples: Any) -> None:
    stopping = EarlyStopping(patience=1, restore_best_weights=False)
    weights = Parameters()
    model = net()
    model.train(*samples, epochs=6, callbacks=[weights, Scripted(stopping, [1, 2, 3, 4, 5, 6])])
    assert len(weights.weights) == 2
    np.testing.assert_array_equal(model.layers[0].weights, weights.weights[1])


def test_early_stopping_needs_what_it_monitors(samples: Any) -> None:
    with pytest.raises(ValueError, match=r"monitor: expected a recorded value.*'validation_loss'"):
        net().train(*samples, epochs=2, callbacks=[EarlyStopping()])
    with pytest.raises(ValueError, match=r"EarlyStopping: monitor: expected one of.*'val_loss'"):
        EarlyStopping("val_loss")
    with pytest.raises(ValueError, match="patience: expected an int of at least 0, got -1"):
        EarlyStopping(patience=-1)
    text = "EarlyStopping(monitor='validation_loss', patience=10)"
    assert repr(EarlyStopping()) == text


def test_a_schedule_sets_each_epochs_rate(samples: Any) -> None:
    model = net()
    history = model.train(*samples, epochs=4, callbacks=[LearningRateSchedule(lambda k: 0.1 / k)])
    assert history.learning_rate.tolist() == [0.1 / k for k in (1, 2, 3, 4)]
    with pytest.raises(TypeError, match=r"function: expected a callable, got 0.1"):
        LearningRateSchedule(0.1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"LearningRateSchedule: function\(1\): expected a number"):
        model.train(*samples, callbacks=[LearningRateSchedule(lambda k: None)])  # type: ignore[arg-type,return-value]


# A rate that is reduced


@pytest.mark.parametrize(
    ("settings", "values", "reduced"),
    [
        ({"patience": 2}, [3, 2, 2, 2, 2, 2, 2, 1, 1, 1], [4, 6, 10]),
        ({"patience": 1}, [3, 3, 2, 2, 1, 0, 0, 0, 0, 0], [2, 4, 7, 8, 9, 10]),
        ({"patience": 0}, [3, 3, 2, 2, 1, 0, 0, 0, 0, 0], [2, 4, 7, 8, 9, 10]),
        ({"patience": 1, "cooldown": 2}, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3], [2, 5, 8]),
        ({"patience": 2, "cooldown": 1}, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3], [3, 6, 9]),
        ({"patience": 1, "cooldown": 1}, [3, 3, 2, 2, 3, 3, 3, 1, 1, 1], [2, 4, 6, 9]),
        (
            {"patience": 1, "min_delta": 0.5},
            [3, 2.6, 2, 1.6, 1, 0, 0, NAN, 0, 0],
            [2, 4, 7, 8, 9, 10],
        ),
        ({"patience": 2, "monitor": "accuracy"}, [0, 0.5, 0.4, 0.4, 1, 1, 1, 1, 1, 1], [4, 7, 9]),
    ],
)
def test_the_rate_is_reduced_where_nothing_improves(
    samples: Any, settings: dict[str, Any], values: list[float], reduced: list[int]
) -> None:
    callback = ReduceLearningRateOnPlateau(factor=0.5, **settings)
    history = net().train(*samples, epochs=10, callbacks=[Scripted(callback, values)])
    expected = [0.1 * 0.5 ** sum(epoch < now for epoch in reduced) for now in range(1, 11)]
    assert history.learning_rate.tolist() == expected
    assert callback.reduced_epochs == reduced


def test_the_rate_is_not_made_smaller_than_the_least(samples: Any) -> None:
    callback = ReduceLearningRateOnPlateau(factor=0.5, patience=1, least=0.04)
    model = net()
    model.train(*samples, epochs=6, callbacks=[Scripted(callback, [1.0] * 6)])
    assert model.optimizer.learning_rate == 0.04 and callback.reduced_epochs == [2, 3]
    model.optimizer.learning_rate = 0.01
    model.train(*samples, epochs=3, callbacks=[Scripted(callback, [1.0] * 3)])
    assert model.optimizer.learning_rate == 0.01 and callback.reduced_epochs == []


def test_a_second_training_forgets_the_first_ones_best(samples: Any) -> None:
    callback = ReduceLearningRateOnPlateau(patience=2)
    model = net()
    for values in ([0.1, 0.1], [5.0, 4.0, 3.0]):
        model.train(*samples, epochs=len(values), callbacks=[Scripted(callback, values)])
    assert callback.best == 3.0 and callback.reduced_epochs == []


def test_a_plateau_needs_what_it_monitors(samples: Any) -> None:
    with pytest.raises(ValueError, match="ReduceLearningRateOnPlateau: monitor: expected a record"):
        net().train(*samples, epochs=2, callbacks=ReduceLearningRateOnPlateau())
    for settings, text in (
        ({"monitor": "val_loss"}, "monitor: expected one of"),
        ({"factor": 0}, "factor: expected a number above 0 and below 1, got 0"),
        ({"factor": 1.0}, "factor: expected a number of at least 0 and below 1, got 1.0"),
        ({"patience": -1}, "patience: expected an int of at least 0"),
        ({"cooldown": -1}, "cooldown: expected an int of at least 0"),
        ({"least": -1}, "least: expected a number of at least 0"),
        ({"min_delta": NAN}, "min_delta: expected a number of at least 0"),
    ):
        with pytest.raises(ValueError, match=f"ReduceLearningRateOnPlateau: {text}"):
            ReduceLearningRateOnPlateau(**settings)  # type: ignore[arg-type]
    text = "ReduceLearningRateOnPlateau(monitor='validation_loss', factor=0.1, patience=10)"
    assert repr(ReduceLearningRateOnPlateau()) == text


# Checkpoints


def test_a_checkpoint_is_a_model_that_goes_on(samples: Any, tmp_path: Path) -> None:
    whole, cut = net(), net()
    settings: dict[str, Any] = {"batch_size": 6, "shuffle": True, "rng": 3}
    whole.train(*samples, epochs=5, **settings)
    checkpoint = Checkpoint(tmp_path / "model-{epoch:02d}", every=2)
    cut.train(*samples, epochs=5, callbacks=checkpoint, **settings)
    assert sorted(os.listdir(tmp_path)) == ["model-02", "model-04"]
    assert (checkpoint.saved_epoch, checkpoint.saved_path) == (4, str(tmp_path / "model-04"))
    for epoch in (2, 4):
        resumed = Model.load(tmp_path / f"model-{epoch:02d}")
        resumed.train(*samples, epochs=5 - epoch, batch_size=6, shuffle=True)
        for one, other in zip(whole.get_parameters(), resumed.get_parameters(), strict=True):
            assert all(map(np.array_equal, one, other))


def test_one_path_holds_the_last_checkpoint(samples: Any, tmp_path: Path) -> None:
    model = net()
    model.train(*samples, epochs=3, callbacks=Checkpoint(os.fsencode(tmp_path / "model")))
    assert os.listdir(tmp_path) == ["model"]
    history = Model.load(tmp_path / "model").history
    assert history is not None and len(history) == 3


@pytest.mark.parametrize(
    ("monitor", "values", "saved"),
    [
        ("loss", [3, 2, 2, 1, 5, NAN], [1, 2, 4]),
        ("accuracy", [0.1, 0.2, 0.1, 0.2, 0.3, NAN], [1, 2, 5]),
        ("loss", [NAN, 2, 3, 3, 3, 3], [2]),
    ],
)
def test_only_the_best_so_far_are_saved(
    samples: Any, tmp_path: Path, monitor: str, values: list[float], saved: list[int]
) -> None:
    checkpoint = Checkpoint(tmp_path / "{epoch}", best_only=True, monitor=monitor)
    net().train(*samples, epochs=6, callbacks=Scripted(checkpoint, values))
    assert sorted(os.listdir(tmp_path)) == [str(epoch) for epoch in saved]
    assert checkpoint.best == values[saved[-1] - 1] and checkpoint.best_epoch == saved[-1]


def test_the_best_of_the_epochs_looked_at(samples: Any, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "{epoch}", every=2, best_only=True, monitor="loss")
    net().train(*samples, epochs=6, callbacks=Scripted(checkpoint, [0, 3, 1, 4, 2, 2]))
    assert sorted(os.listdir(tmp_path)) == ["2", "6"]


def test_checkpoints_that_cannot_be_are_refused(samples: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Checkpoint: path: expected a str or a path-like, got 3"):
        Checkpoint(3)
    for path in ("{step}", "{", "{}", "{epoch.x}", "{epoch:x<q}"):
        with pytest.raises(ValueError, match=r"Checkpoint: path: expected no braces but those of"):
            Checkpoint(path)
    with pytest.raises(ValueError, match="every: expected an int of at least 1, got 0"):
        Checkpoint("model", every=0)
    with pytest.raises(ValueError, match="Checkpoint: monitor: expected a recorded value"):
        net().train(*samples, callbacks=Checkpoint(tmp_path / "model", best_only=True))
    with pytest.raises(FileNotFoundError):
        net().train(*samples, callbacks=Checkpoint(tmp_path / "absent" / "model"))
    assert os.listdir(tmp_path) == []
    assert repr(Checkpoint("a", every=2)) == "Checkpoint('a', every=2)"
    text = "Checkpoint('a', best_only=True, monitor='loss')"
    assert repr(Checkpoint("a", best_only=True, monitor="loss")) == text
