"""One step at a time, by the plan of the last one: whatever a user changes between is seen."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import one_step
from plan_cases import (
    ENDS,
    WAYS,
    Case,
    all_arrays,
    few_of_all,
    going,
    layers_with_parameters,
    make_data,
    make_model,
)
from teams import assert_equal

N = 12
CASES = few_of_all(sizes=(4, 7, 5, 3))
CASE = Case(ENDS[6], "tanh", "momentum", "l2", "hidden", dtype=np.float32)


def state_of(model: cr.Model) -> tuple[Any, ...]:
    dropouts = [each for each in model.layers if isinstance(each, cr.Layer_Dropout)]
    optimizer = model.optimizer
    return (
        [getattr(layer, "optimizer_steps", None) for layer in layers_with_parameters(model)],
        [(each.key, each.step) for each in dropouts],
        (optimizer.iterations, optimizer.current_learning_rate),
    )


def assert_same(one: cr.Model, other: cr.Model) -> None:
    assert_equal(all_arrays(one), all_arrays(other))
    assert state_of(one) == state_of(other)


def slowly(model: cr.Model, X: Any, y: Any, **settings: Any) -> float:
    """A step by a training of its own, with nothing kept from before."""
    model.release()
    history = model.train(X, y, progress=False, callbacks=[cr.Callback()], **settings)
    return float(history.data_loss[0])


@pytest.fixture
def count_long_ways(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a step went the long way."""
    counted: list[int] = []
    long_step = one_step.long_step

    def counting(*arguments: Any) -> Any:
        counted.append(1)
        return long_step(*arguments)

    monkeypatch.setattr(one_step, "long_step", counting)
    return counted


# --- the same step --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", range(len(CASES)))
def test_a_step_is_that_of_train(way: str, place: int) -> None:
    case = CASES[place]
    X, y = make_data(case, N)
    weight = np.linspace(0, 2, N) if place % 2 else None
    model, twin, third = make_model(case), make_model(case), make_model(case)
    with going(way):
        for _ in range(4):
            loss = model.train_on_batch(X, y, sample_weight=weight)
            data_loss = slowly(twin, X, y, sample_weight=weight)
            history = third.train(X, y, sample_weight=weight)
            assert history.data_loss[0] == data_loss
            assert abs(loss - data_loss) <= abs(loss) + 1  # with penalties; see the next test
            assert_same(model, twin)
            assert_same(third, twin)
            assert len(history) == 1 and third.history is history


@pytest.mark.parametrize("case", CASES[::4])
def test_the_loss_is_that_of_gradients(case: Case) -> None:
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    for _ in range(3):
        expected, flat = twin.gradients(X, y)
        assert model.train_on_batch(X, y) == expected
        twin.apply_gradients(flat)


def test_the_second_step_goes_the_short_way(count_long_ways: list[int]) -> None:
    X, y = make_data(CASE, N)
    model = make_model(CASE)
    for _ in range(5):
        model.train_on_batch(X, y)
    assert len(count_long_ways) == 1
    model.train_on_batch(X[:5], y[:5])
    for _ in range(3):
        model.train_on_batch(X, y)
        model.train_on_batch(X[:5], y[:5])
    assert len(count_long_ways) == 2


def test_targets_of_one_output_may_be_flat(count_long_ways: list[int]) -> None:
    case = Case(ENDS[6], "tanh", sizes=(4, 5, 1))
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    for _ in range(3):
        model.train_on_batch(X, y[:, 0])
        slowly(twin, X, y)
    assert_same(model, twin)
    assert len(count_long_ways) == 1


def test_train_of_one_step_leaves_what_train_leaves() -> None:
    X, y = make_data(CASE, N)
    model, twin = make_model(CASE), make_model(CASE)
    for each, train in ((model, cr.Model.train), (twin, slowly)):
        for _ in range(3):
            train(each, X, y)
    assert model.history is not None and twin.history is not None
    for name in ("loss", "data_loss", "regularization_loss", "accuracy", "learning_rate"):
        np.testing.assert_array_equal(model.history[name], twin.history[name])
    assert model.history.recorded() == twin.history.recorded()
    assert model.history.seconds[0] > 0
    assert model.plan == twin.plan


# --- what changes between steps -------------------------------------------------------------------


def set_weights(model: cr.Model) -> None:
    model.layers[0].weights = model.layers[0].weights * 2


def widen(model: cr.Model) -> None:
    model.layers[0] = cr.Layer_Dense(4, 9, rng=3, dtype=np.float32)
    model.layers[3] = cr.Layer_Dense(9, 3, rng=4, dtype=np.float32)
    model.set(optimizer=cr.Optimizer_SGD(0.1, momentum=0.5))


def share_memory(model: cr.Model) -> None:
    flat = model.flatten_()
    assert flat.base is None


EDITS: dict[str, Callable[[cr.Model], None]] = {
    "weights in place": lambda m: np.multiply(m.layers[0].weights, 2, out=m.layers[0].weights),
    "other weights": set_weights,
    "momentums in place": lambda m: m.layers[0].weight_momentums.fill(0.25),
    "other widths": widen,
    "flattened": share_memory,
    "rate": lambda m: setattr(m.optimizer, "learning_rate", 0.3),
    "decay": lambda m: setattr(m.optimizer, "decay", 0.3),
    "weight decay": lambda m: setattr(m.optimizer, "weight_decay", 0.3),
    "iterations": lambda m: setattr(m.optimizer, "iterations", 7),
    "momentum": lambda m: setattr(m.optimizer, "momentum", 0.5),
    "no momentum": lambda m: setattr(m.optimizer, "momentum", 0.0),
    "nesterov": lambda m: setattr(m.optimizer, "nesterov", True),
    "schedule": lambda m: setattr(m.optimizer, "schedule", cr.schedules.Constant()),
    "another optimizer": lambda m: m.set(optimizer=cr.Optimizer_Adam(0.01)),
    "another like it": lambda m: m.set(optimizer=copy.copy(m.optimizer)),
    "l2": lambda m: setattr(m.layers[0], "weight_regularizer_l2", 0.5),
    "bias l1": lambda m: setattr(m.layers[0], "bias_regularizer_l1", 0.5),
    "rate factor": lambda m: setattr(m.layers[0], "learning_rate_factor", 0.5),
    "pair of factors": lambda m: setattr(m.layers[0], "learning_rate_factor", (0.5, 2.0)),
    "frozen": lambda m: setattr(m.layers[0], "trainable", False),
    "fewer learners": lambda m: m.trainable_layers.pop(0),
    "dropout's rate": lambda m: setattr(m.layers[2], "rate", 0.5),
    "dropout's key": lambda m: setattr(m.layers[2], "key", 99),
    "dropout's step": lambda m: setattr(m.layers[2], "step", 5),
    "dropout's schedule": lambda m: setattr(m.layers[2], "schedule", cr.schedules.Constant()),
    "without dropout": lambda m: m.layers.pop(2),
    "another activation": lambda m: m.layers.__setitem__(1, cr.Activation_ReLU()),
    "one with a setting": lambda m: m.layers.__setitem__(1, cr.Activation_LeakyReLU(0.3)),
    "another loss": lambda m: m.set(loss=cr.Loss_MeanAbsoluteError()),
    "a loss with a setting": lambda m: m.set(loss=cr.Loss_Huber(delta=0.1)),
    "no accuracy": lambda m: setattr(m, "accuracy", None),
    "after forward": lambda m: m.forward(np.ones((3, 4)), training=True),
    "after predict": lambda m: m.predict(np.ones((30, 4))),
    "a layer's copy": lambda m: m.layers.__setitem__(0, copy.deepcopy(m.layers[0])),
    "an attribute": lambda m: setattr(m.layers[0], "note", "mine"),
    "no steps": lambda m: m.layers[0].optimizer_steps.clear(),
    "released": lambda m: m.release(),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_change_between_steps_is_seen(name: str) -> None:
    X, y = make_data(CASE, N)
    model, twin = make_model(CASE), make_model(CASE)
    for _ in range(2):
        model.train_on_batch(X, y)
        slowly(twin, X, y)
    for each in (model, twin):
        EDITS[name](each)
        if name in ("schedule", "dropout's schedule"):
            each.optimizer.schedule_start, each.optimizer.schedule_steps = 0, 100
    for _ in range(3):
        model.train_on_batch(X, y)
        slowly(twin, X, y)
        assert_same(model, twin)


def test_a_setting_of_an_activation_is_seen() -> None:
    X, y = make_data(CASE, N)
    models = [make_model(CASE), make_model(CASE)]
    for model in models:
        model.layers[1] = cr.Activation_LeakyReLU(0.1)
    for slope in (0.1, 0.1, 0.5, 0.5):
        for model, step in zip(models, (cr.Model.train_on_batch, slowly), strict=True):
            model.layers[1].negative_slope = slope
            step(model, X, y)
        assert_same(*models)


def test_a_method_of_the_users_own_is_seen() -> None:
    X, y = make_data(CASE, N)
    model = make_model(CASE)
    for _ in range(2):
        model.train_on_batch(X, y)
    calls = []
    layer = model.layers[1]
    forward = layer.forward

    def counting(*arguments: Any) -> Any:
        calls.append(1)
        return forward(*arguments)

    layer.forward = counting
    for _ in range(2):
        model.train_on_batch(X, y)
    assert len(calls) == 2


def test_a_class_attribute_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = make_data(CASE, N)
    model, twin = make_model(CASE), make_model(CASE)
    for step in range(4):
        if step == 2:
            monkeypatch.setattr(cr.Layer_Dense, "learning_rate_factor", 0.25)
        model.train_on_batch(X, y)
        slowly(twin, X, y)
        assert_same(model, twin)


@pytest.mark.parametrize("name", EDITS)
def test_a_change_between_trainings_is_seen(name: str) -> None:
    """Of several batches and epochs, with clipping and shuffling."""
    X, y = make_data(CASE, 3 * N)
    model, twin = make_model(CASE), make_model(CASE)
    settings: dict[str, Any] = {"epochs": 2, "batch_size": N, "clip_norm": 0.5, "shuffle": True}
    for each in (model, twin):
        each.train(X, y, **settings, rng=1)
        each.train(X, y, **settings)
        EDITS[name](each)
        if name in ("schedule", "dropout's schedule"):
            each.optimizer.schedule_start, each.optimizer.schedule_steps = 0, 100
    for clip_norm in (0.5, 0.5, 0.1):
        settings["clip_norm"] = clip_norm
        model.train(X, y, **settings)
        twin.release()
        twin.train(X, y, **settings)
        assert_same(model, twin)


def test_trainings_of_other_forms_between_are_their_own() -> None:
    X, y = make_data(CASE, 3 * N)
    model, twin = make_model(CASE), make_model(CASE)
    forms: list[dict[str, Any]] = [
        {"batch_size": N},
        {"batch_size": N, "accumulate": 2},
        {"batch_size": N, "clip_norm": 0.1},
        {},
        {"batch_size": N, "sample_weight": np.linspace(0, 1, 3 * N)},
        {"batch_size": N, "validation_data": make_data(CASE, 7)},
        {"batch_size": N, "engine": "classes"},
    ]
    for form in [*forms, *reversed(forms), *forms]:
        model.train(X, y, epochs=2, **form)
        twin.release()
        twin.train(X, y, epochs=2, **form)
        assert_same(model, twin)
        model.train_on_batch(X[:N], y[:N])
        twin.release()
        twin.train(X[:N], y[:N])
        assert_same(model, twin)


# --- samples --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        lambda X: X.astype(np.float64),
        lambda X: (10 * X).astype(np.int32),
        lambda X: X.tolist(),
        np.asfortranarray,
        lambda X: X[::-1],
        lambda X: X.astype(X.dtype.newbyteorder()),
    ],
)
def test_samples_of_any_form(form: Callable[[Any], Any]) -> None:
    X, y = make_data(CASE, N)
    model, twin = make_model(CASE), make_model(CASE)
    for _ in range(3):
        model.train_on_batch(form(X.astype(np.float32)), y)
        slowly(twin, form(X.astype(np.float32)), y)
    assert_same(model, twin)


@pytest.mark.parametrize(
    ("X", "y", "weight", "match"),
    [
        (np.ones((N, 5)), np.ones((N, 3)), None, r"inputs: expected \(n, 4\), got"),
        (np.ones((N, 4)), np.ones((N - 1, 3)), None, "y: expected 12 samples"),
        (np.full((N, 4), np.nan), np.ones((N, 3)), None, "X: expected finite values"),
        (np.full((N, 4), 1e300), np.ones((N, 3)), None, "X: expected values within float32"),
        (np.ones((N, 4)), np.full((N, 3), np.inf), None, "y: expected finite values"),
        (np.ones((N, 4)), np.ones((N, 3)), -np.ones(N), "sample_weight: expected values of"),
        (np.ones((N, 4)), np.ones((N, 3)), np.zeros(N), "sample_weight: expected a sum above 0"),
        (np.ones((N, 4)), np.ones((N, 3)), np.ones(3), r"sample_weight: expected \(12,\)"),
    ],
)
def test_bad_samples_are_refused_after_good_ones(X: Any, y: Any, weight: Any, match: str) -> None:
    model, twin = make_model(CASE), make_model(CASE)
    good = make_data(CASE, N)
    for each in (model, twin):
        each.train_on_batch(*good)
        each.train_on_batch(*good)
    for _ in range(2):
        with pytest.raises(ValueError, match=match):
            model.train_on_batch(X, y, sample_weight=weight)
        assert_same(model, twin)
    model.train_on_batch(*good)
    twin.train_on_batch(*good)
    assert_same(model, twin)


def test_labels_out_of_range_are_refused() -> None:
    case = Case(ENDS[0], "tanh")
    assert case.end[2] == "labels"
    X, y = make_data(case, N)
    model = make_model(case)
    model.train_on_batch(X, y)
    y = y.copy()
    y[4] = 3
    with pytest.raises(ValueError, match="label 3 at index 4"):
        model.train_on_batch(X, y)


def test_a_loss_that_is_not_finite_changes_nothing() -> None:
    X, y = make_data(CASE, N)
    model = make_model(CASE)
    for _ in range(2):
        model.train_on_batch(X, y)
    before, state = all_arrays(model), state_of(model)
    large = X.copy()
    large[3] = 3e38
    model.layers[1] = cr.Activation_Linear()
    before, state = all_arrays(model), state_of(model)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="finite loss"):
        model.train_on_batch(large, y)
    assert_equal(all_arrays(model), before)
    assert state_of(model) == state


def test_samples_that_share_memory_with_parameters_go_the_long_way() -> None:
    case = Case(ENDS[6], "tanh", "momentum", sizes=(4, 4, 3))
    X, y = make_data(case, 4)
    model, twin = make_model(case), make_model(case)
    for _ in range(2):
        model.train_on_batch(X, y)
        slowly(twin, X, y)
    for _ in range(2):
        model.train_on_batch(model.layers[0].weights, y)
        slowly(twin, twin.layers[0].weights, y)
        assert_same(model, twin)


# --- what is kept ---------------------------------------------------------------------------------


def test_pickles_and_copies_leave_plans_out() -> None:
    X, y = make_data(CASE, N)
    model = make_model(CASE)
    size = len(pickle.dumps(model))
    for _ in range(2):
        model.train_on_batch(X, y)
    assert vars(model)["_plans"] and vars(model)["_short_ways"]
    for twin in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model)):
        assert not {"_plans", "_short_ways"} & set(vars(twin))
    assert len(pickle.dumps(model)) < 3 * size
    twin = copy.deepcopy(model)
    twin.train_on_batch(X, y)
    model.train_on_batch(X, y)
    assert_same(model, twin)


def test_release_gives_the_plans_back() -> None:
    X, y = make_data(CASE, N)
    model, twin = make_model(CASE), make_model(CASE)
    for _ in range(2):
        model.train_on_batch(X, y)
        twin.train_on_batch(X, y)
    model.predict(X)
    model.release()
    assert not vars(model)["_plans"] and not vars(model)["_short_ways"]
    model.train_on_batch(X, y)
    twin.train_on_batch(X, y)
    assert_same(model, twin)


def test_few_plans_are_kept(count_long_ways: list[int]) -> None:
    X, y = make_data(CASE, 40)
    model = make_model(CASE)
    for n in range(1, 30):
        model.train_on_batch(X[:n], y[:n])
    assert len(vars(model)["_plans"]) == 2
    assert len(vars(model)["_short_ways"]) == 4  # by their sizes, and by the forms of requests
    assert len(count_long_ways) == 29


def test_a_model_that_goes_takes_its_plans_along() -> None:
    X, y = make_data(CASE, N)
    model = make_model(CASE)
    for _ in range(3):
        model.train_on_batch(X, y)
    gone = weakref.ref(model)
    layer = weakref.ref(model.layers[0])
    plan = next(iter(vars(model)["_plans"].values()))
    samples = X
    del model
    gc.collect()
    assert gone() is None and layer() is None
    assert plan.done and samples is X


def test_plans_keep_no_samples() -> None:
    class Samples(np.ndarray):
        """An array that can be watched."""

    model = make_model(CASE)
    X, y = (array.astype(np.float32) for array in make_data(CASE, N))
    watched = X.view(Samples)
    gone = weakref.ref(watched)
    model.train(watched, y, epochs=3)
    del watched
    gc.collect()
    assert gone() is None


def test_other_threads_are_refused() -> None:
    X, y = make_data(CASE, N)
    model = make_model(CASE)
    found: list[Any] = []

    class Trying(cr.Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            def attempt() -> None:
                try:
                    model.train_on_batch(X, y)
                except RuntimeError as error:
                    found.append(str(error))

            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join()
            with pytest.raises(RuntimeError, match="train_on_batch: expected a model that is not"):
                model.train_on_batch(X, y)

    model.train(X, y, callbacks=[Trying()])
    assert len(found) == 1 and "whose train is running" in found[0]


def test_layers_of_the_users_own_take_their_steps() -> None:
    class Own(cr.Activation_Tanh):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return super().forward(inputs, training)

    X, y = make_data(CASE, N)
    model, twin = make_model(CASE), make_model(CASE)
    model.layers[1] = Own()
    for _ in range(3):
        loss = model.train_on_batch(X, y)
        assert np.isfinite(loss)
        with going("layers"):
            slowly(twin, X, y)
    assert_same(model, twin)
