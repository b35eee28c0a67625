"""Saving under SIGKILL, on a full disk, and by several processes at once: no file lost or mixed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

QUICK, LONG = 40, 400

HEAD = """
import json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
from chainrule import Layer_Dense, Model

folder, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
path = folder / "model"
numbers = random.Random(seed)

def filled(value):
    model = Model()
    model.add(Layer_Dense(64, 256))
    model.layers[0].weights[...] = value
    model.layers[0].biases[...] = value
    return model

def value_in(path):
    layer = Model.load(path).layers[0]
    values = np.unique(np.concatenate([layer.weights.ravel(), layer.biases.ravel()]))
    assert values.shape == (1,), values
    return float(values[0])

models = [filled(value) for value in (1.0, 2.0)]
models[0].save(path)
"""

KILLS = (
    HEAD
    + """
def save_for_ever(begins):
    while True:
        for model in models:
            os.write(begins, b"!")
            model.save(path)

seen, interrupted, one_save = set(), 0, 0.0
for _ in range(rounds):
    begun, begins = os.pipe()
    child = os.fork()
    if child == 0:
        save_for_ever(begins)
    os.read(begun, 1)
    for _ in range(numbers.randint(0, 2)):  # so many saves come to their end, however slow
        started = time.perf_counter()
        os.read(begun, 1)
        one_save = time.perf_counter() - started
    time.sleep(numbers.uniform(0, one_save))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(begun)
    os.close(begins)
    seen.add(value_in(path))
    interrupted += len(list(folder.iterdir())) > 1
models[0].save(path)
names = sorted(each.name for each in folder.iterdir())
print(json.dumps([sorted(seen), interrupted, names]))
"""
)

FULL = (
    HEAD
    + """
import resource
size, value = path.stat().st_size, 1.0
for _ in range(rounds):
    room = numbers.randrange(size + 1)  # SIGXFSZ is ignored by Python: a write fails instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        models[1].save(path)
        value = 2.0
    except OSError:
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert value_in(path) == value and os.listdir(folder) == ["model"], os.listdir(folder)
    if value == 2.0:
        models[0].save(path)
        value = 1.0
print("whole")
"""
)

SEVERAL = (
    HEAD
    + """
children = []
for value in (1.0, 2.0, 3.0):
    pid = os.fork()
    if pid == 0:
        model = filled(value)
        for _ in range(rounds):
            model.save(path)
            assert value_in(path) in (1.0, 2.0, 3.0)
        os._exit(0)
    children.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in children]
assert codes == [0, 0, 0] and os.listdir(folder) == ["model"], (codes, os.listdir(folder))
print("whole")
"""
)


def run(script: str, folder: Path, rounds: int, seed: int) -> str:
    command = [sys.executable, "-c", script, str(folder), str(rounds), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def check(count: int, seed: int) -> str:
    if os.name != "posix":
        return "not tried: needs fork and kill -9"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seen, interrupted, names = json.loads(run(KILLS, folder, count, seed))
        assert seen == [1.0, 2.0] and names == ["model"], (seen, names)
        assert interrupted >= count // 40, "the kills did not hit the saves"
        assert run(FULL, folder, count, seed).split() == ["whole"]
        each = max(1, count // 4)
        assert run(SEVERAL, folder, each, random.Random(seed).getrandbits(16)).split() == ["whole"]
    return (
        f"{count} kills ({interrupted} within a write), {count} full disks, "
        f"3 processes with {each} saves each: no file lost or mixed, nothing left behind"
    )
