"""Random trainings: the same bits for 1, 2, 3, 4 and 8 threads, and on all targets with FMA.

    CHAINRULE_TARGET=x86_64_v3 python tests/hard/determinism.py COUNT SEED

prints the hash of each training, after every number of threads has given it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import chainrule as cr
import other_process
from plan_cases import ACTIVATIONS, RULES, WALKED_ENDS, Case, all_arrays, make_data, make_model

QUICK, LONG = 3, 500

THREADS = (1, 2, 3, 4, 8)


def random_case(random: random.Random) -> tuple[Case, int, dict[str, Any]]:
    """Return a training, its number of samples and arguments."""
    end = random.choice(WALKED_ENDS)
    widths = [1, 2, 5, 17, 33, 64, 130]
    last = random.choice([1, 3, 10]) if end[1] != "softmax" else random.choice([2, 3, 10])
    sizes = (*(random.choice(widths) for _ in range(random.choice([1, 2, 3]))), last)
    case = Case(
        end,
        hidden=random.choice(list(ACTIVATIONS)),
        rule=random.choice(list(RULES)),
        dropout=random.choice(["none", "hidden"]),
        dtype=random.choice([np.float32, np.float64]),
        sizes=sizes,
        bias=random.random() < 0.8,
        scheduled=random.random() < 0.3,
    )
    n = random.choice([1, 7, 40, 131])
    arguments: dict[str, Any] = {
        "epochs": random.choice([1, 3]),
        "batch_size": random.choice([None, 1, 5, 32]),
        "shuffle": random.random() < 0.5,
        "clip_norm": random.choice([None, None, 0.3]),
        "accumulate": random.choice([1, 1, 2]),
        "drop_last": False,
        "rng": 4,
        "on_nonfinite": "ignore",
    }
    if arguments["batch_size"] is not None:
        arguments["batch_size"] = min(n, arguments["batch_size"])
    return case, n, arguments


def trained_hash(case: Case, n: int, arguments: dict[str, Any], threads: int) -> str:
    cr.set_num_threads(threads)
    model = make_model(case)
    X, y = make_data(case, n)
    with np.errstate(all="ignore"):
        history = model.train(X, y, **arguments)
        output = model.predict(X)
    found = hashlib.sha256()
    for array in (*all_arrays(model), history.loss, output):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def hashes(count: int, seed: int) -> dict[str, str]:
    """Return the hash of each training; a difference between numbers of threads is an error."""
    os.environ["CHAINRULE_TEAM"] = "always"
    random_ = random.Random(seed)
    found = {}
    for place in range(count):
        case, n, arguments = random_case(random_)
        kinds = {trained_hash(case, n, arguments, threads) for threads in THREADS}
        assert len(kinds) == 1, f"seed {seed}, {place}: {case}, {n} samples, {arguments}"
        found[f"{place}"] = kinds.pop()
    return found


def check(count: int, seed: int) -> str:
    targets = [name for name in other_process.FUSED if name in cr.available_targets()]
    program = sys.modules[__name__]
    sets = [
        other_process.hashes_of_target(program, target, str(count), str(seed), timeout=7200)
        for target in targets or cr.available_targets()
    ]
    for other in sets[1:]:
        different = other_process.differences(sets[0], other)
        assert not different, f"seed {seed}: trainings {different} differ between {targets}"
    names = " and ".join(targets) or "baseline alone"
    return f"{count} of {count} trainings equal, threads {THREADS}, {names}"


if __name__ == "__main__":
    found = hashes(int(sys.argv[1]), int(sys.argv[2]))
    json.dump({"target": cr.cpu_target(), "hashes": found}, sys.stdout)
