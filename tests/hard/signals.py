"""Signals at random moments: Ctrl-C, and an alarm whose handler raises; whole steps, usable models.

The alarm comes by the system's timer after a random part of the time that the call takes: in plan
and classes, validation, callbacks and short calls. All counts of a model then tell of the same
number of steps, and the next call works.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import chainrule as cr

QUICK, LONG = 60, 3_000


class Alarm(Exception):
    """What a handler of the user's own raises."""


class Own_Adam(cr.Optimizer_Adam):
    """A class of the user's own: layer by layer."""

    def pre_update_params(self) -> None:
        super().pre_update_params()


def trained_net(engine: str) -> tuple[cr.Model, Any, Any]:
    rng = np.random.default_rng(5)
    model = cr.Model()
    model.add(cr.Layer_Dense(4, 8, rng=1))
    model.add(cr.Activation_ReLU())
    model.add(cr.Layer_Dropout(0.8, rng=2))
    model.add(cr.Layer_Dense(8, 2, rng=3))
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_Adam(0.01))
    if engine == "classes":
        model.optimizer = Own_Adam(0.01)
    return model, rng.standard_normal((12, 4)), rng.standard_normal((12, 2))


def steps_of(model: cr.Model) -> set[int]:
    """Return what every count of the training says of the steps done."""
    first, _, dropout, last = model.layers
    counts = [layer.optimizer_steps.values() for layer in (first, last)]
    return {model.optimizer.iterations, dropout.step, *counts[0], *counts[1]}


CALLS: dict[str, Callable[[cr.Model, Any, Any], Any]] = {
    "train": lambda model, X, y: model.train(X, y, epochs=3, batch_size=5),
    "train with validation": lambda model, X, y: model.train(
        X, y, epochs=2, batch_size=5, validation_data=(X, y)
    ),
    "train_on_batch": lambda model, X, y: model.train_on_batch(X, y),
    "get_parameters": lambda model, X, y: model.get_parameters(),
    "apply_gradients": lambda model, X, y: model.apply_gradients(model.gradients(X, y)[1]),
}


class Slow:
    """A callback in which a signal acts at once."""

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        sum(range(2000))


MORE: dict[str, Callable[[cr.Model, Any, Any], Any]] = {
    **CALLS,
    "train for long": lambda model, X, y: model.train(X, y, epochs=300, batch_size=5),
    "callbacks": lambda model, X, y: model.train(X, y, epochs=20, callbacks=[Slow()]),
    "predict": lambda model, X, y: [model.predict(X) for _ in range(50)],
    "evaluate": lambda model, X, y: [model.evaluate(X, y, quiet=True) for _ in range(20)],
}


def ring(*_: object) -> None:
    raise Alarm


def press(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def handlers(alarm: Any) -> Iterator[None]:
    kept = signal.signal(signal.SIGALRM, alarm), signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept[0])
        signal.signal(signal.SIGINT, kept[1])


def stopped(call: Callable[[], Any], seconds: float) -> float | None:
    """Make a call with the timer set; return how long after the signal it ended; None: before."""
    try:
        try:
            due = time.perf_counter() + seconds
            signal.setitimer(signal.ITIMER_REAL, seconds)
            call()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (Alarm, KeyboardInterrupt):
        return time.perf_counter() - due
    return None


def check(count: int, seed: int) -> str:
    if not hasattr(signal, "setitimer"):
        return "not tried: needs POSIX timers"
    random_ = random.Random(seed)
    found = [try_one(random_, f"seed {seed}, {place}") for place in range(count)]
    after = [each for each in found if each is not None]
    within = 1000 * float(np.percentile(after, 99))
    return (
        f"{count} moments, {len(after)} of them within a call: whole steps, models usable, "
        f"99 % ended within {within:.1f} ms"
    )


def try_one(random_: random.Random, where: str) -> float | None:
    """Return how long after the signal the call ended; None where it came later."""
    alarm = random_.choice([ring, press])
    engine, name = random_.choice(["plan", "classes"]), random_.choice(list(MORE))
    where = f"{where}: {name}, {engine}, {alarm.__name__}"
    call = MORE[name]
    model, X, y = trained_net(engine)
    CALLS["train_on_batch"](model, X, y)  # makes all counts
    started = time.perf_counter()
    call(model, X, y)
    seconds = time.perf_counter() - started
    with handlers(alarm):
        came = stopped(lambda: call(model, X, y), max(1e-5, random_.uniform(0, seconds)))
        assert signal.getsignal(signal.SIGALRM) is alarm, where
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, where
    done = steps_of(model)
    # between `gradients` and `apply_gradients` dropout is one pass ahead
    assert len(done) == 1 or (name == "apply_gradients" and len(done) == 2), where
    assert model.__dict__.get("_owner") is None, where
    call(model, X, y)
    return came
