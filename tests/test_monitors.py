"""Early stopping, plateaus and the best epoch in the core: what the Python callbacks would do."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import loop
from plan_cases import ENDS, ENGINES, Case, all_arrays, going, make_data, make_model
from teams import assert_equal


class Stopping(cr.EarlyStopping):
    """A subclass, which goes through Python."""


class Plateau(cr.ReduceLearningRateOnPlateau):
    """A subclass, which goes through Python."""


CASES = [
    Case(ENDS[6], "tanh", "adam", "l2", dtype=np.float32, sizes=(5, 8, 3)),
    Case(ENDS[0], "relu", "momentum", dropout="hidden", sizes=(5, 30, 3), scale=True),
    Case(ENDS[0], "tanh", "adam", sizes=(5, 9, 3), frozen=0, bias=False),
]
STOPPING: list[dict[str, Any]] = [
    {"patience": 5},
    {"patience": 0},
    {"patience": 3, "min_delta": 0.02, "restore_best_weights": False},
    {"patience": 8, "monitor": "loss"},
    {"patience": 4, "monitor": "validation_accuracy"},
    {"patience": 4, "monitor": "accuracy", "min_delta": 0.01},
    {"patience": 10**9, "monitor": "data_loss"},
]
PLATEAUS: list[dict[str, Any]] = [
    {"factor": 0.5, "patience": 1},
    {"factor": 0.1, "patience": 2, "cooldown": 3, "least": 1e-3},
    {"factor": 0.7, "patience": 0, "monitor": "loss", "min_delta": 0.05},
]


def samples(case: Case) -> dict[str, Any]:
    X, y = make_data(case, 40)
    return {"X": X, "y": y, "validation_data": make_data(case, 20, seed=8), "batch_size": 16}


def trained(case: Case, callbacks: list[Any], **settings: Any) -> cr.Model:
    model = make_model(case)
    model.optimizer.learning_rate = 0.05
    model.train(**samples(case), epochs=60, callbacks=callbacks, **settings)
    return model


def assert_same_training(one: cr.Model, other: cr.Model) -> None:
    assert one.history is not None and other.history is not None
    assert len(one.history) == len(other.history)
    for name in one.history.keys():
        if name != "seconds":
            np.testing.assert_array_equal(one.history[name], other.history[name])
    assert one.history.best_epoch == other.history.best_epoch
    assert_equal(all_arrays(one), all_arrays(other))
    for name in ("iterations", "learning_rate", "current_learning_rate"):
        assert getattr(one.optimizer, name) == getattr(other.optimizer, name)
    assert one.stop_training == other.stop_training


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the core was given to watch, training by training."""
    found: list[Any] = []
    monitors_for = loop.monitors_for

    def looking(*arguments: Any) -> Any:
        found.append(monitors_for(*arguments))
        return found[-1]

    monkeypatch.setattr(loop, "monitors_for", looking)
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("place", range(len(STOPPING)))
def test_stopping_and_plateaus_are_those_of_python(
    engine: str, case: Case, place: int, seen: list[Any]
) -> None:
    stopping, plateau = STOPPING[place], PLATEAUS[place % len(PLATEAUS)]
    callbacks = [cr.EarlyStopping(**stopping), cr.ReduceLearningRateOnPlateau(**plateau)]
    others = [Stopping(**stopping), Plateau(**plateau)]
    if place % 2:
        callbacks.reverse()
        others.reverse()
    with going(engine):
        one, other = trained(case, callbacks), trained(case, others)
    assert seen[0] is not None and seen[1] is None
    assert_same_training(one, other)
    for callback, twin in zip(callbacks, others, strict=True):
        assert (callback.best, callback.best_epoch) == (twin.best, twin.best_epoch)
        for name in ("stopped_epoch", "reduced_epochs"):
            assert getattr(callback, name, None) == getattr(twin, name, None)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("best", ["loss", "accuracy"])
@pytest.mark.parametrize("case", CASES)
def test_the_best_epoch_is_that_of_python(
    engine: str, best: str, case: Case, seen: list[Any]
) -> None:
    with going(engine):
        one = trained(case, [], best_epoch=best)
        other = trained(case, [Plateau(patience=10**9)], best_epoch=best)
    assert seen[0] is not None and seen[1] is None
    assert_same_training(one, other)


def test_bits_do_not_depend_on_the_number_of_threads(
    restore_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_TEAM", "always")
    case = Case(ENDS[6], "relu", "adam", dtype=np.float32, sizes=(20, 70, 3))
    models = []
    for threads in (1, 2, 3, 8):
        cr.set_num_threads(threads)
        models.append(
            trained(case, [cr.EarlyStopping(patience=3), cr.ReduceLearningRateOnPlateau()])
        )
    for model in models[1:]:
        assert_same_training(model, models[0])


def test_a_value_that_is_nan_is_no_improvement() -> None:
    case = Case(ENDS[6], "linear", dtype=np.float32, accuracy=False)
    models = []
    for kind in (cr.EarlyStopping, Stopping):
        model = make_model(case)
        X, y = make_data(case, 20)
        stopping = kind("loss", patience=4)
        with np.errstate(all="ignore"):
            model.train(
                X * 1e18,
                y,
                epochs=40,
                callbacks=[stopping],
                on_nonfinite="ignore",
                check_finite=False,
            )
        models.append((model, stopping))
    (one, first), (other, second) = models
    assert (first.stopped_epoch, first.best_epoch) == (second.stopped_epoch, second.best_epoch)
    assert first.stopped_epoch is not None
    assert_same_training(one, other)


def test_a_value_that_is_not_recorded_is_refused_as_before() -> None:
    case = CASES[0]
    model = make_model(case)
    X, y = make_data(case, 20)
    with pytest.raises(ValueError, match="EarlyStopping: monitor: expected a recorded value"):
        model.train(X, y, epochs=5, callbacks=[cr.EarlyStopping()])


@pytest.mark.parametrize(
    "callbacks",
    [
        lambda: [cr.EarlyStopping(), cr.EarlyStopping("loss")],
        lambda: [cr.EarlyStopping(), cr.LearningRateSchedule(lambda epoch: 0.1 / epoch)],
        lambda: [Stopping()],
        lambda: [cr.EarlyStopping("seconds")],
    ],
    ids=["two that keep", "another kind", "a subclass", "the time"],
)
def test_what_the_core_does_not_serve_goes_through_python(callbacks: Any, seen: list[Any]) -> None:
    trained(CASES[0], callbacks())
    assert seen == [None]


def test_layers_of_the_users_own_have_their_callbacks_in_python() -> None:
    class Own(cr.Activation_Tanh):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return super().forward(inputs, training)

    model, twin = make_model(CASES[0]), make_model(CASES[0])
    model.layers[1] = Own()
    histories = []
    for each in (model, twin):
        stopping = cr.EarlyStopping(patience=3)
        with going("layers"):
            histories.append(each.train(**samples(CASES[0]), epochs=60, callbacks=[stopping]))
    assert len(histories[0]) == len(histories[1]) < 60
    assert_equal(all_arrays(model), all_arrays(twin))


def test_callbacks_may_serve_again() -> None:
    stopping = cr.EarlyStopping(patience=3)
    first = trained(CASES[0], [stopping])
    found = (stopping.best, stopping.best_epoch, stopping.stopped_epoch)
    assert stopping.best_parameters is None
    second = trained(CASES[0], [stopping])
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == found
    assert_same_training(first, second)
    assert copy.deepcopy(stopping).best == stopping.best


def test_callbacks_without_a_hook_after_epochs_do_not_stop_the_plan(seen: list[Any]) -> None:
    class Ending(cr.Callback):
        ended = 0

        def on_train_end(self) -> None:
            self.ended += 1

    ending = Ending()
    trained(CASES[0], [ending, cr.EarlyStopping(patience=2)])
    assert ending.ended == 1 and seen[0] is not None
