"""Trainings that are worth a team, and scripts in a process of their own, where none has been."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from plan_cases import ENDS, Case, all_arrays, make_data, make_model

# Enough work in a step for a team, and enough to wait for it (see engine_panels, training.cpp).
TEAM = Case(ENDS[0], "relu", "momentum", dtype=np.float32, sizes=(64, 128, 64, 10))
HEAVY = Case(ENDS[6], "tanh", "adam", dtype=np.float32, sizes=(512, 1024, 512))
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")

# heavy(threads) trains a net that calls for a team at once; it returns how many threads came to
# stay and a hash of the parameters. OpenMP makes its threads when a region first wants them.
HEAD = """
import hashlib, os, sys
import numpy as np

def tasks():
    return len(os.listdir("/proc/self/task"))

def train(*sizes, n, threads, epochs):
    import chainrule as cr
    cr.set_num_threads(threads)
    rng = np.random.default_rng(1)
    model = cr.Model()
    for d, m in zip(sizes, sizes[1:]):
        model.add(cr.Layer_Dense(d, m, rng=rng, dtype=np.float32))
        model.add(cr.Activation_ReLU())
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(1e-3))
    X, y = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1]))
    before = tasks()
    model.train(X, y, epochs=epochs)
    parameters = b"".join(layer.weights.tobytes() for layer in model.trainable_layers)
    return tasks() - before, hashlib.sha256(parameters).hexdigest()[:16]

def heavy(threads):
    return train(512, 1024, 512, n=400, threads=threads, epochs=2)
"""


class Each:
    """A callback that calls `action(model, epoch)` after each epoch."""

    model: Any

    def __init__(self, action: Callable[[Any, int], Any]) -> None:
        self.action = action

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.action(self.model, epoch)


def trained(case: Case, n: int, **arguments: Any) -> list[Any]:
    model = make_model(case)
    model.train(*make_data(case, n), **arguments)
    return all_arrays(model)


def assert_equal(one: list[Any], other: list[Any]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def same(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def run_script(
    code: str, *arguments: object, timeout: float = 120, **environment: str
) -> list[str]:
    """Words that HEAD and `code` print, under no setting but `environment`."""
    variables = {
        k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "CHAINRULE_"))
    }
    variables["PYTHONPATH"] = str(Path(cr.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", HEAD + code, *map(str, arguments)],
        env={**variables, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert run.returncode == 0, (run.returncode, run.stdout, run.stderr)
    return run.stdout.split()


@functools.cache
def openmp_library() -> str:
    """Path of the libgomp that the core uses; skips the test where it uses another runtime."""
    paths = set(
        run_script(
            "import chainrule\n"
            "for line in open('/proc/self/maps'):\n"
            "    if 'libgomp' in line: print(line.split()[-1])\n"
        )
    )
    if len(paths) != 1:
        pytest.skip(f"needs one libgomp, found {sorted(paths)}")
    return paths.pop()
