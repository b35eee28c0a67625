"""One model, many threads: all predict at once, and beside a training they see its whole steps."""

from __future__ import annotations

import copy
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.busy import parameter_lock
from teams import needs_fork
from test_fork import in_child
from test_predict import Outer, classifier, inputs_of, net

Array = np.ndarray[Any, Any]


def run_together(*works: Callable[[], Any]) -> list[Any]:
    """Results of functions that begin at the same time, each in a thread of its own."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = works[place]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


@pytest.mark.parametrize("own", [False, True], ids=["ours", "own layers"])
@pytest.mark.parametrize("sizes", [(5, 8, 3), (200, 300, 150, 7)], ids=["small", "large"])
def test_eight_threads_predict_and_evaluate_with_one_model(
    own: bool, sizes: tuple[int, ...]
) -> None:
    model = net(*sizes, dtype=np.float32)
    if own:
        model.layers[1] = Outer(model.layers[1])
    model.set(loss=cr.Loss_MeanSquaredError(), accuracy=cr.Accuracy_Regression())
    model.accuracy.precision = 0.2
    rng = np.random.default_rng(1)
    samples = [inputs_of(model, n, rng) for n in (1, 3, 20, 40, 100, 333, 700, 1500)]
    targets = [rng.standard_normal((len(X), sizes[-1])).astype(np.float32) for X in samples]
    twin = copy.deepcopy(model)
    expected = [twin.predict(X) for X in samples]
    losses = [twin.evaluate(X, y, quiet=True) for X, y in zip(samples, targets, strict=True)]

    def work(place: int) -> None:
        for turn in range(20):
            k = (place + turn) % len(samples)
            np.testing.assert_array_equal(model.predict(samples[k]), expected[k])
            assert model.evaluate(samples[k], targets[k], quiet=True) == losses[k]

    run_together(*(lambda place=place: work(place) for place in range(8)))  # type: ignore[misc]


class Versions:
    """A callback that keeps copies of the parameters after each epoch."""

    model: Any

    def __init__(self, model: cr.Model) -> None:
        self.kept = [model.get_parameters()]

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.kept.append(self.model.get_parameters())


class Slow(cr.Optimizer_SGD):
    """Lets other threads in between two layers, and keeps the parameters after each step."""

    def update_params(self, layer: Any) -> None:
        super().update_params(layer)
        time.sleep(0.001)

    def watch(self, model: cr.Model) -> Slow:
        self.model, self.kept = model, [model.get_parameters()]
        return self

    def post_update_params(self) -> None:
        super().post_update_params()
        self.kept.append(self.model.get_parameters())


def predictions_beside(
    model: cr.Model, train: Callable[[], Any], samples: list[Array]
) -> list[list[Array]]:
    """What each of some threads saw, for its samples, while another one trained."""
    over = threading.Event()

    def work(X: Array) -> list[Array]:
        seen: list[Array] = []
        while not over.is_set() or not seen:
            output = model.predict(X)
            if not seen or not np.array_equal(seen[-1], output):
                seen.append(output)
        return seen

    def training() -> None:
        try:
            train()
        finally:
            over.set()

    works = [lambda X=X: work(X) for X in samples]
    return run_together(training, *works)[1:]  # type: ignore[misc]


def assert_of_versions(seen: list[Array], kept: list[Any], twin: cr.Model, X: Array) -> None:
    """Each output is that of one version, and they come in their order."""
    outputs = []
    for parameters in kept:
        twin.set_parameters(parameters)
        outputs.append(twin.predict(X))
    place = 0
    for output in seen:
        while place < len(outputs) and not np.array_equal(outputs[place], output):
            place += 1
        assert place < len(outputs), "expected the predictions of a whole step"


def regression(*sizes: int, own: bool = False) -> tuple[cr.Model, Array, Array]:
    model = net(*sizes, dtype=np.float32)
    if own:
        model.layers[1] = Outer(model.layers[1])
        Outer.backward = lambda self, dvalues: dvalues  # type: ignore[method-assign]
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.05))
    rng = np.random.default_rng(1)
    return model, inputs_of(model, 64, rng), rng.standard_normal((64, sizes[-1]))


def test_beside_a_plan_predictions_are_those_of_what_was_written_back() -> None:
    """Weights so large that they are copied while other threads run."""
    model, X, y = regression(64, 512, 256, 8)
    twin, versions = copy.deepcopy(model), Versions(model)
    samples = [X[:1], X[:30], X]

    def train() -> None:
        model.train(X, y, epochs=80, callbacks=[versions])

    seen = predictions_beside(model, train, samples)
    for outputs, rows in zip(seen, samples, strict=True):
        assert_of_versions(outputs, versions.kept, twin, rows)
    assert max(map(len, seen)) > 2


@pytest.mark.parametrize("own", [False, True], ids=["ours", "own layers"])
def test_beside_a_training_layer_by_layer_they_are_those_of_whole_steps(own: bool) -> None:
    model, X, y = regression(6, 9, 7, 2, own=own)
    model.set(optimizer=Slow(0.3))
    twin = copy.deepcopy(model)
    kept = model.optimizer.watch(model).kept
    samples = [X[:1], X[:3], X]
    seen = predictions_beside(model, lambda: model.train(X, y, epochs=60), samples)
    assert len(kept) == 61
    for outputs, rows in zip(seen, samples, strict=True):
        assert_of_versions(outputs, kept, twin, rows)
    assert max(map(len, seen)) > 2


def test_beside_set_parameters_they_are_of_one_set() -> None:
    model, X, _ = regression(64, 400, 300, 8)
    twin = copy.deepcopy(model)
    one = model.get_parameters()
    other = [tuple(array + 0.5 for array in pair) for pair in one]

    def change() -> None:
        for turn in range(300):
            model.set_parameters(one if turn % 2 else other)

    seen = predictions_beside(model, change, [X[:2], X])
    for outputs, rows in zip(seen, (X[:2], X), strict=True):
        possible = []
        for parameters in (one, other):
            twin.set_parameters(parameters)
            possible.append(twin.predict(rows))
        assert all(any(np.array_equal(a, b) for b in possible) for a in outputs)


@pytest.mark.parametrize("way", ["plan", "layers"])
def test_evaluations_beside_a_training_do_not_disturb_it(way: str) -> None:
    """Losses and accuracies add up what they see: an evaluation has its own."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((90, 5)), rng.integers(0, 3, 90)
    settings: dict[str, Any] = {"epochs": 40, "batch_size": 10, "validation_data": (X, y)}
    histories = []
    for beside in (False, True):
        model = classifier(False)
        if way == "layers":
            model.layers[1].forward = cr.Activation_ReLU().forward
            model.layers[1].backward = lambda dvalues: dvalues
        over = threading.Event()

        def train(model: cr.Model = model, over: threading.Event = over) -> Any:
            try:
                return model.train(X, y, **settings)
            finally:
                over.set()

        def look(model: cr.Model = model, over: threading.Event = over) -> None:
            while not over.is_set():
                model.evaluate(X[:33], y[:33], batch_size=9, quiet=True)

        histories.append(run_together(train, *([look] * 2 if beside else []))[0])
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        np.testing.assert_array_equal(histories[0][name], histories[1][name])


@pytest.mark.parametrize("operation", ["train", "forward", "add"])
def test_who_changes_the_model_is_not_kept_off_by_predictions(operation: str) -> None:
    """Only another change is in the way."""
    model, X, y = regression(6, 9, 2)
    with parameter_lock(model):
        pass
    over = threading.Event()

    before = len(model.layers)

    def look() -> int:
        count = 0
        while not over.is_set() or count == 0:
            assert np.isfinite(model.predict(X)).all()
            count += 1
        return count

    def change() -> int:
        done = 0
        try:
            for _ in range(20):
                {
                    "train": lambda: model.train(X, y),
                    "forward": lambda: model.forward(X),
                    "add": lambda: model.add(cr.Layer_Dense(2, 2, dtype=np.float32)),
                }[operation]()
                done += 1
        finally:
            over.set()
        return done

    changes, looks = run_together(change, look)
    assert changes == 20 and looks >= 1
    assert model.optimizer.iterations == (20 if operation == "train" else 0)
    assert len(model.layers) == before + (20 if operation == "add" else 0)


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_fork_predicts_although_a_thread_held_the_lock() -> None:
    model, X, _ = regression(6, 9, 2)
    expected = model.predict(X)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with parameter_lock(model):
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert in_child(lambda: np.array_equal(model.predict(X), expected)) == "right"
    finally:
        done.set()
        thread.join()
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("which", ["layer", "activation", "model"])
def test_a_copy_of_what_another_thread_runs_is_that_of_one_moment(which: str) -> None:
    """Attributes come and go while the state is read: it is read in one step."""
    model = net(4, 8, 3, dtype=np.float32)
    thing: Any = {"layer": model.layers[0], "activation": model.layers[1], "model": model}[which]
    vars(thing).update({f"mark{place}": place for place in range(30)})
    over = threading.Event()

    def change() -> None:
        count = 0
        while not over.is_set():
            count += 1
            if count % 2:
                vars(thing)["passing"] = count
            else:
                vars(thing).pop("passing", None)

    def copies() -> list[Any]:
        try:
            return [copy.copy(thing) for _ in range(500)]
        finally:
            over.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        _, made = run_together(change, copies)
    finally:
        sys.setswitchinterval(interval)
    assert all(each.mark29 == 29 for each in made)
