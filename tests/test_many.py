"""`fit_many`: each model as if alone, one bar over all, errors that name the model."""

from __future__ import annotations

import io
import os
import pickle
import signal
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training import company, samples
from many_cases import LABELS, VALUES, X, classifier, fitted


def fingerprints(models: list[cr.Model]) -> list[str]:
    return [model.fingerprint() for model in models]


class Each(cr.Callback):
    def __init__(self, function: Any) -> None:
        self.function = function

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.function(self.model, epoch)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "one batch": {},
    "shuffled": {"batch_size": 32, "shuffle": True},
    "weights": {"batch_size": 48, "sample_weight": np.arange(200.0), "class_weight": {0: 2.0}},
    "balanced": {"batch_size": 48, "class_weight": "balanced", "validation_split": 0.25},
    "best epoch": {"batch_size": 48, "validation_split": 0.25, "best_epoch": "loss"},
    "clipped": {"batch_size": 48, "clip_norm": 0.1, "accumulate": 2, "drop_last": True},
    "classes": {"batch_size": 100, "engine": "classes"},
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_each_model_is_as_if_fitted_alone(name: str, threads: int, restore_threads: None) -> None:
    """Models of several sizes, dtypes and rates, some of one form."""
    cr.set_num_threads(threads)

    def models() -> list[cr.Model]:
        found = [classifier(seed, dropout=0.2) for seed in range(4)]
        found += [classifier(9, 16, 7), classifier(8, dtype="float64")]
        found[1].optimizer = cr.Optimizer_SGD(0.1, momentum=0.9)
        found[2].loss = cr.Loss_CategoricalCrossentropy(label_smoothing=0.1)
        return found

    arguments = {"epochs": 4, **ARGUMENTS[name]}
    alone, together = models(), models()
    expected = [model.train(X, LABELS, rng=seed, **arguments) for seed, model in enumerate(alone)]
    found = cr.fit_many(together, X, LABELS, rng=range(6), **arguments)
    assert fingerprints(together) == fingerprints(alone)
    for one, other, model in zip(expected, found, together, strict=True):
        assert model.history is other and other.best_epoch == one.best_epoch
        for column in ("loss", "accuracy", "validation_loss", "learning_rate"):
            np.testing.assert_array_equal(one[column], other[column])


def test_training_goes_on_afterwards_as_if_alone() -> None:
    """The generator, the optimizer's arrays and the plans of before are in place."""
    alone, together = [classifier(3)], [classifier(3)]
    for models in (alone, together):
        models[0].train(X, LABELS, epochs=2, batch_size=32, shuffle=True, rng=5)
    alone[0].train(X, LABELS, epochs=2, batch_size=32, shuffle=True)
    cr.fit_many(together, X, LABELS, epochs=2, batch_size=32, shuffle=True)
    for models in (alone, together):
        models[0].train(X, LABELS, epochs=2, batch_size=32, shuffle=True)
        models[0].train_on_batch(X[:32], LABELS[:32])
    assert fingerprints(together) == fingerprints(alone)


def test_numpy_seeds_generators_in_the_order_of_the_models() -> None:
    alone, together = ([classifier(seed) for seed in range(5)] for _ in range(2))
    np.random.seed(3)  # noqa: NPY002
    for model in alone:
        model.train(X, LABELS, epochs=2, batch_size=32, shuffle=True)
    np.random.seed(3)  # noqa: NPY002
    cr.fit_many(together, X, LABELS, epochs=2, batch_size=32, shuffle=True)
    assert fingerprints(together) == fingerprints(alone)


def test_layers_of_the_users_own_and_callbacks_of_each_model() -> None:
    class Twice(cr.Layer_Scale):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            return 2 * super().forward(inputs)

    def models() -> list[cr.Model]:
        found = []
        for seed in range(3):
            model = cr.Model()
            model.add(Twice(5))
            model.add(cr.Layer_Dense(5, 1, rng=seed))
            model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.1))
            found.append(model)
        return found

    def stops() -> list[cr.EarlyStopping]:
        return [cr.EarlyStopping("loss", patience=k, min_delta=0.01) for k in range(3)]

    alone, together = models(), models()
    for model, stop in zip(alone, stops(), strict=True):
        model.train(X, VALUES, epochs=50, callbacks=[stop])
    cr.fit_many(together, X, VALUES, epochs=50, callbacks=[[each] for each in stops()])
    assert fingerprints(together) == fingerprints(alone)
    assert [len(model.history) for model in together] == [len(model.history) for model in alone]


def test_shared_samples_are_checked_once_for_each_form(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    before = samples.checked_inputs
    monkeypatch.setattr(
        samples, "checked_inputs", lambda *args: seen.append(args[0]) or before(*args)
    )
    models = [*(classifier(seed) for seed in range(20)), classifier(1, 16)]
    cr.fit_many(models, X, LABELS, validation_data=(X, LABELS))
    assert seen == [models[0]] * 2 + [models[20]] * 2


def test_many_models_of_one_structure_need_one_plan_a_thread(restore_threads: None) -> None:
    cr.set_num_threads(2)
    models = [classifier(seed) for seed in range(6)]
    cr.fit_many(models, X, LABELS)
    assert all(not model._plans and not model._short_ways for model in models)


def test_no_model_is_no_work() -> None:
    assert cr.fit_many([], X, LABELS) == []


def test_zero_epochs_change_nothing() -> None:
    models = [classifier(1)]
    before = fingerprints(models)
    assert len(cr.fit_many(models, X, LABELS, epochs=0)[0]) == 0
    assert fingerprints(models) == before


# --- errors ---------------------------------------------------------------------------------------


def shared(kind: str) -> list[cr.Model]:
    one, other = classifier(1), classifier(2)
    if kind == "model":
        return [one, other, one]
    if kind == "layer 1":
        other.layers[0] = one.layers[0]
    elif kind == "generator":
        one.rng = other.rng = np.random.default_rng(1)
    else:
        setattr(other, kind, getattr(one, kind))
    return [classifier(0), one, other]


@pytest.mark.parametrize("kind", ["model", "layer 1", "generator", "loss", "optimizer", "accuracy"])
def test_models_that_share_something_are_refused(kind: str) -> None:
    models = shared(kind)
    before = fingerprints(models)
    with pytest.raises(ValueError, match=rf"models\[2\]: expected a {kind} of its own, got that"):
        cr.fit_many(models, X, LABELS)
    assert fingerprints(models) == before


def test_parameters_that_share_memory_are_refused() -> None:
    whole = np.zeros((10, 8), np.float32)
    models = [classifier(0), classifier(1)]
    models[0].layers[0].weights = whole[:6][:5]
    models[1].layers[0].weights = whole[4:][:5]
    text = r"models\[1\]: expected parameters of its own, got memory of models\[0\]"
    with pytest.raises(ValueError, match=text):
        cr.fit_many(models, X, LABELS)


def test_a_generator_serves_one_model() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match="a generator of its own"):
        cr.fit_many([classifier(0), classifier(1)], X, LABELS, shuffle=True, rng=[rng, rng])
    stop = cr.EarlyStopping("loss")
    with pytest.raises(ValueError, match="a callback of its own"):
        cr.fit_many([classifier(0), classifier(1)], X, LABELS, callbacks=[[stop], stop])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"rng": 3}, "rng: expected one for each of 2 models, got 3"),
        ({"rng": [3]}, "rng: expected one for each of 2 models, got 1"),
        ({"callbacks": [None]}, "callbacks: expected one for each of 2 models, got 1"),
        ({"print_every": 1}, "fit_many: expected arguments among epochs, .*got 'print_every'"),
        ({"epochs": -1}, r"models\[0\]: epochs: expected an int of at least 0, got -1"),
        ({"rng": [0, "a"]}, r"models\[1\]: rng: expected a numpy.random.Generator or a seed"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], text: str) -> None:
    models = [classifier(0), classifier(1)]
    before = fingerprints(models)
    with pytest.raises((TypeError, ValueError), match=text):
        cr.fit_many(models, X, LABELS, **arguments)
    assert fingerprints(models) == before


def test_models_must_be_models_that_fit() -> None:
    with pytest.raises(TypeError, match="models: expected a sequence of Model, got 3"):
        cr.fit_many(3, X, LABELS)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"models\[1\]: expected a Model, got 'a'"):
        cr.fit_many([classifier(0), "a"], X, LABELS)  # type: ignore[list-item]
    wide = cr.mlp(6, 3, output="softmax")
    with pytest.raises(ValueError, match=r"models\[1\]: .*expected \(n, 6\), got \(200, 5\)"):
        cr.fit_many([classifier(0), wide], X, LABELS)
    with pytest.raises(TypeError, match="y: expected targets, got none"):
        cr.fit_many([classifier(0)], X, None)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_error_of_a_training_names_the_model(threads: int, restore_threads: None) -> None:
    """Those in progress end with their epochs, those that had not begun stay as they were."""
    cr.set_num_threads(threads)
    models = [classifier(seed) for seed in range(40)]
    models[3].optimizer = cr.Optimizer_SGD(1e30)
    models[3].layers[0].weights *= 1e30
    before = models[39].fingerprint()
    slow = [Each(lambda *_: time.sleep(0.01)) for _ in models]
    with pytest.raises(FloatingPointError, match=r"models\[3\]: epoch \d+, step \d+: expected"):
        cr.fit_many(models, X, LABELS, epochs=3, callbacks=slow)
    assert models[39].fingerprint() == before and models[39].history is None
    assert len(models[0].history) == 3


class Odd(Exception):
    """An error with no text."""


def test_an_error_of_a_callback_keeps_its_class(restore_threads: None) -> None:
    cr.set_num_threads(2)

    def fail(model: Any, epoch: int) -> None:
        raise Odd(1, 2)

    with pytest.raises(Odd) as caught:
        cr.fit_many([classifier(0), classifier(1)], X, LABELS, callbacks=[None, Each(fail)])
    assert caught.value.args == (1, 2)
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["models[1]"]


def test_a_model_that_is_in_use_is_refused() -> None:
    models = [classifier(0), classifier(1)]

    def within(model: Any, epoch: int) -> None:
        with pytest.raises(RuntimeError, match=r"models\[1\]: .*in use|models\[1\]: .*train"):
            cr.fit_many(models, X, LABELS)

    models[1].train(X, LABELS, callbacks=Each(within))


# --- interrupts -----------------------------------------------------------------------------------


@pytest.mark.several_threads
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_leaves_whole_epochs(threads: int, restore_threads: None) -> None:
    cr.set_num_threads(threads)
    arguments: dict[str, Any] = {"batch_size": 10, "shuffle": True}
    models = [classifier(seed) for seed in range(8)]
    before = fingerprints(models)

    def press(model: Any, epoch: int) -> None:
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)

    callbacks = [Each(press), *(Each(lambda *_: time.sleep(0.005)) for _ in range(7))]
    with pytest.raises(KeyboardInterrupt):
        cr.fit_many(
            models, X, LABELS, epochs=100_000, rng=range(8), callbacks=callbacks, **arguments
        )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert models[0].history is not None and len(models[0].history) >= 3
    for seed, model in enumerate(models):
        if model.history is None:
            assert model.fingerprint() == before[seed] and seed >= threads
            continue
        alone = classifier(seed)
        alone.train(X, LABELS, epochs=len(model.history), rng=seed, **arguments)
        assert model.fingerprint() == alone.fingerprint()


@pytest.mark.several_threads
def test_a_second_interrupt_ends_within_the_epoch(restore_threads: None) -> None:
    cr.set_num_threads(2)
    X = np.zeros((2_000_000, 5), np.float32)
    y = np.zeros(2_000_000, int)
    models = [classifier(0), classifier(1)]
    pressed: list[int] = []

    def press() -> None:
        while models[1].history is None:
            time.sleep(0.01)
        for _ in range(40):
            pressed.append(1)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            if ended.is_set():
                return

    ended = threading.Event()
    worker = threading.Thread(target=press)
    worker.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            cr.fit_many(models, X, y, epochs=100_000, batch_size=2, check_finite=False)
    finally:
        ended.set()
        worker.join()
    assert len(pressed) >= 2
    assert all(len(model.history) == 0 for model in models)


def test_an_interrupt_is_not_lost_behind_an_error(restore_threads: None) -> None:
    cr.set_num_threads(1)

    def press_and_fail(model: Any, epoch: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        raise Odd("no")

    with pytest.raises(KeyboardInterrupt) as caught:
        cr.fit_many([classifier(0)], X, LABELS, callbacks=[Each(press_and_fail)])
    assert isinstance(caught.value.__cause__, Odd)


# --- the bar --------------------------------------------------------------------------------------


def test_one_bar_shows_the_steps_of_all_models(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    models = [classifier(seed) for seed in range(4)]
    cr.fit_many(models, X, LABELS, epochs=5, batch_size=50, progress=True)
    last = shown.getvalue().split("\r")[-1]
    assert "80/80" in last and "4 of 4 models" in last


def test_a_model_that_stops_early_shortens_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    models = [classifier(seed) for seed in range(2)]
    stop = Each(lambda model, epoch: setattr(model, "stop_training", epoch == 2))
    cr.fit_many(models, X, LABELS, epochs=5, batch_size=50, progress=True, callbacks=[None, stop])
    assert "28/28" in shown.getvalue().split("\r")[-1]


# --- other ways to many cores ---------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_joblib_gives_the_same_bits(backend: str) -> None:
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(fitted)(seed) for seed in range(4))
    models = [classifier(seed) for seed in range(4)]
    cr.fit_many(
        models, X, LABELS, epochs=3, batch_size=32, shuffle=True, rng=range(4), progress=False
    )
    assert [each for each, _ in found] == fingerprints(models)


def test_workers_of_loky_share_the_cores() -> None:
    joblib = pytest.importorskip("joblib")
    told = os.environ.get("OMP_NUM_THREADS")  # joblib leaves it as it is
    share = int(told) if told else max(1, joblib.cpu_count() // 2)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(fitted)(seed) for seed in range(2))
    assert all(threads <= share for _, threads in found)


@pytest.mark.several_threads
def test_threads_of_fit_many_share_the_cores(restore_threads: None) -> None:
    """No model has more than its share, and the caller's own bound is as before."""
    cr.set_num_threads(6)
    seen: list[int] = []
    note = [Each(lambda *_: seen.append(cr.get_num_threads())) for _ in range(3)]
    cr.fit_many([classifier(seed) for seed in range(3)], X, LABELS, callbacks=note)
    assert seen == [2, 2, 2] and cr.get_num_threads() == 6


def test_a_pickled_model_is_little_more_than_its_parameters() -> None:
    """Neither plans nor samples go to other processes: parameters and two arrays of Adam's."""
    models = [classifier(seed, 64) for seed in range(2)]
    cr.fit_many(models, X, LABELS, epochs=3)
    parameters = sum(layer.weights.nbytes + layer.biases.nbytes for layer in models[0].layers[::2])
    assert len(pickle.dumps(models[0])) < 3 * parameters + 10_000


# --- jobs -----------------------------------------------------------------------------------------


def test_jobs_behind_a_failure_are_cancelled(restore_threads: None) -> None:
    cr.set_num_threads(1)
    ended: list[int] = []

    def fail() -> None:
        raise ValueError("no")

    futures, raised = company.run_jobs([fail, fail], None, lambda: ended.append(1))
    assert raised is None and ended == [1]
    assert isinstance(futures[0].exception(), ValueError)
