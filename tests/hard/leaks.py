"""Memory in use grows by less than 64 kB over many calls, trainings and failures.

What was allocated and not freed is counted, by the C library: the pages that a process holds also
grow when an allocator gives a new thread another part of its heaps. Those are looked at with a
wider bound, for mappings that the core asks of the system itself. Python's objects are allocated by
the C library too here: the test runs in a process of its own with ``PYTHONMALLOC=malloc``.
"""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from hard.arrays import CODES, core_arguments, core_functions, new_model, new_model_of_tables

QUICK, LONG = 2_000, 100_000

GROWTH = 64 * 1024  # bytes in use
PAGES = 1024 * 1024  # bytes of pages held; the core's own mappings are larger
ROUNDS = 3  # a leak grows in each; what is made for a new thread comes once
SHARE = 100  # so many calls for one training


class Heap(ctypes.Structure):
    """The C library's ``struct mallinfo2``."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def held() -> np.ndarray:
    """Return the bytes allocated and not freed, in all heaps, and those of the pages held."""
    gc.collect()
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Heap
    heap = library.mallinfo2()
    library.malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return np.array([heap.uordblks + heap.hblkhd, pages * os.sysconf("SC_PAGE_SIZE")])


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
    X = rng.standard_normal((40, 4))
    X[:, 3] = rng.integers(0, CODES, 40)
    return X, rng.integers(0, 3, 40)


def trainings() -> Callable[[], Any]:
    X, y = samples()

    def call() -> None:
        for make in (new_model, new_model_of_tables):
            model = make(np.float32)
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


def growth_of(call: Callable[[], Any], calls: int) -> np.ndarray:
    """Return by how much the two grow in so many calls."""
    before = held()
    for _ in range(calls):
        call()
    return held() - before


def measured(count: int) -> str:
    """Return the growth over ``count`` calls and a share of it of trainings; raise for a leak."""
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
        used, pages = np.min([growth_of(call, calls) for _ in range(ROUNDS)], axis=0).tolist()
        told = f"{make.__name__} {calls}: {used} bytes"
        assert used < GROWTH and pages < PAGES, f"{told}, {pages} of pages"
        figures.append(told)
    return "growth after warm-up: " + ", ".join(figures)


def check(count: int, seed: int) -> str:
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):
        return "not tried: needs glibc 2.33"
    done = subprocess.run(
        [sys.executable, __file__, str(count)],
        env={**os.environ, "PYTHONMALLOC": "malloc", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


if __name__ == "__main__":
    print(measured(int(sys.argv[1])))
