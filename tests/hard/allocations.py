"""An allocation of the core fails, the k-th one for every k: MemoryError, and nothing half done.

failing.cpp is preloaded and lets the k-th ``operator new`` of a call fail, once or from then on;
those below 64 bytes are pybind11's, which ends the process where it cannot note an object.
After a failure the parameters are those of a whole step, and the next call gives the right bits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

QUICK, LONG = 60, 10_000  # places at most

SOURCE = Path(__file__).resolve().parent / "failing.cpp"
SCRIPT = """
import copy, ctypes, sys
import numpy as np
import chainrule as cr
from chainrule.layers.parameters import slots_of
from hard.arrays import CODES, new_model, new_model_of_tables

most, seed = int(sys.argv[1]), int(sys.argv[2])
library = ctypes.CDLL(sys.argv[3])
rng = np.random.default_rng(1)
X, y = rng.standard_normal((40, 4)).astype("f4"), rng.integers(0, 3, 40)
X[:, 3] = rng.integers(0, CODES, 40)
cr.set_num_threads(2)

CALLS = {
    "train": lambda m: m.train(X, y, epochs=2, batch_size=16, validation_data=(X, y)),
    "train_on_batch": lambda m: m.train_on_batch(X, y),
    "gradients": lambda m: m.gradients(X, y),
    "predict": lambda m: m.predict(X),
    "evaluate": lambda m: m.evaluate(X, y, quiet=True),
    "classes": lambda m: m.train(X, y, engine="classes"),
}

def state(model):
    slots = [(layer, slot.name) for layer in model.layers for slot in slots_of(layer)]
    return b"".join(getattr(layer, name).tobytes() for layer, name in slots)

tried = failed = 0
for first in (new_model(np.float32), new_model_of_tables(np.float32)):
    first.finalize()
    # the states between whole steps, from trainings that are cut off after each
    whole = {state(first)}
    for call in ("train", "classes", "train_on_batch"):
        for epochs in (1, 2):
            for n in (16, 32, 40):
                model = copy.deepcopy(first)
                if call == "train":
                    if epochs == 2: model.train(X, y, batch_size=16)
                    model.train(X[:n], y[:n], batch_size=16)
                else:
                    CALLS[call](model)
                whole.add(state(model))

    for name, call in CALLS.items():
        right = copy.deepcopy(first)
        call(right)
        call(right)
        library.fail_at(0, False)
        call(copy.deepcopy(first))
        total = library.allocations()
        step = max(1, total * len(CALLS) * 4 // most)
        for stays in (False, True):
            for place in range(1 + seed % step, total + 1, step):
                model = copy.deepcopy(first)
                tried += 1
                library.fail_at(place, stays)
                try:
                    call(model)
                except MemoryError:
                    failed += 1
                    library.fail_at(0, False)
                    assert state(model) in whole, (name, place, stays, "half a step")
                    assert "_owner" not in vars(model), (name, place, stays, "still in use")
                    model = copy.deepcopy(first)
                    call(model)
                finally:
                    library.fail_at(0, False)
                call(model)
                assert state(model) == state(right), (name, place, stays, "other bits")
print(tried, failed)
"""


def check(count: int, seed: int) -> str:
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("c++")
    if compiler is None or sys.platform != "linux":
        return "not tried: needs a C++ compiler, and Linux"
    with tempfile.TemporaryDirectory() as name:
        library = Path(name) / "failing.so"
        command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", str(SOURCE), "-o", library]
        subprocess.run(command, check=True)
        paths = [str(SOURCE.parents[1]), os.environ.get("PYTHONPATH", "")]
        variables = {**os.environ, "LD_PRELOAD": str(library), "CHAINRULE_TEAM": "always"}
        variables["PYTHONPATH"] = os.pathsep.join(paths)
        arguments = [sys.executable, "-c", SCRIPT, str(count), str(seed), str(library)]
        done = subprocess.run(
            arguments, env=variables, capture_output=True, text=True, timeout=7200, check=False
        )
    assert done.returncode == 0, f"code {done.returncode}: {done.stderr[-3000:]}"
    tried, failed = map(int, done.stdout.split())
    return (
        f"{tried} places of six calls with two nets: {failed} ended in MemoryError, the others did "
        "without; parameters of whole steps, the next call right"
    )
