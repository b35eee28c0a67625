"""Memory of the process: it grows by less than 64 kB over many calls, trainings and failures."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import _core
from hard.arrays import core_arguments, core_functions, new_model

QUICK, LONG = 2_000, 100_000

GROWTH = 64 * 1024  # bytes
ROUNDS = 3  # a leak grows in each; what the allocator of a new thread takes comes once
SHARE = 100  # so many calls for one training


def resident() -> int:
    """Return the bytes of memory that the process holds, after everything free was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def compiled_calls() -> Callable[[], Any]:
    """Every compiled function on arrays that fit or do not."""
    import random

    functions = list(core_functions().items())
    random_ = random.Random(3)
    prepared = [
        (function, core_arguments(random_, name, function))
        for _ in range(4)
        for name, function in functions
        if name not in ("catalogue",)
    ]
    place = 0

    def call() -> None:
        nonlocal place
        function, arguments = prepared[place % len(prepared)]
        place += 1
        with np.errstate(all="ignore"):
            try:
                function(*arguments)
            except Exception:
                pass

    return call


def samples() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((40, 4)), rng.integers(0, 3, 40)


def trainings() -> Callable[[], Any]:
    X, y = samples()

    def call() -> None:
        model = new_model(np.float32)
        model.train(X, y, epochs=2, batch_size=9, shuffle=True, validation_data=(X, y))
        model.train_on_batch(X, y)
        model.gradients(X, y)
        model.predict(X)

    return call


def failed_trainings() -> Callable[[], Any]:
    X, y = samples()
    bad = X.copy()
    bad[3, 1] = np.nan

    class Failing:
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            raise LookupError

    def call() -> None:
        model = new_model(np.float64)
        for arguments in (
            {"X": bad, "y": y},
            {"X": X, "y": y + 9},
            {"X": X, "y": y, "callbacks": [Failing()], "epochs": 2},
            {"X": X[:, :3], "y": y},
        ):
            try:
                model.train(**arguments)
            except (ValueError, LookupError):
                pass

    return call


def threads() -> Callable[[], Any]:
    X, y = samples()
    model = new_model(np.float32)

    def call() -> None:
        workers = [threading.Thread(target=lambda: model.predict(X)) for _ in range(2)]
        for worker in workers:
            worker.start()
        model.train_on_batch(X, y)
        for worker in workers:
            worker.join()

    return call


def growth_of(call: Callable[[], Any], calls: int) -> int:
    """Return by how much the memory grows in so many calls."""
    before = resident()
    for _ in range(calls):
        call()
    return resident() - before


def check(count: int, seed: int) -> str:
    if sys.platform != "linux":
        return "not tried: needs /proc"
    cr.set_num_threads(1)
    figures = []
    for make, calls in (
        (compiled_calls, count),
        (trainings, count // SHARE),
        (failed_trainings, count // SHARE),
        (threads, count // SHARE),
    ):
        call = make()
        for _ in range(max(calls // 2, 600 if make is compiled_calls else 40)):
            call()  # what is kept for reuse is there
        growth = min(growth_of(call, calls) for _ in range(ROUNDS))
        assert growth < GROWTH, f"{make.__name__}: {growth} bytes in {calls} calls"
        figures.append(f"{make.__name__} {calls}: {growth // 1024} kB")
    _core.get_num_threads()
    return "growth after warm-up: " + ", ".join(figures)
