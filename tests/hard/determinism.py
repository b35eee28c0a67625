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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import chainrule as cr
import other_process
import test_plan_of_tables as tables
from plan_cases import ACTIVATIONS, RULES, WALKED_ENDS, Case, all_arrays, make_data, make_model

QUICK, LONG = 3, 500

THREADS = (1, 2, 3, 4, 8)


Made = tuple[cr.Model, Any, Any]


def random_training(random: random.Random) -> tuple[str, Callable[[], Made], dict[str, Any]]:
    """Return a training's name, what makes its model, X and y, and the arguments of `train`."""
    n = random.choice([1, 7, 40, 131])
    arguments: dict[str, Any] = {
        "epochs": random.choice([1, 3]),
        "batch_size": random.choice([None, *(size for size in (1, 5, 32) if size <= n)]),
        "shuffle": random.random() < 0.5,
        "clip_norm": random.choice([None, None, 0.3]),
        "accumulate": random.choice([1, 1, 2]),
        "drop_last": False,
        "rng": 4,
        "on_nonfinite": "ignore",
    }
    if random.random() < 0.25:
        case: Any = random_tables(random)

        def make() -> Made:
            return (tables.model_of(**case), *tables.samples(n, case["tables"], case["dtype"]))

    else:
        case = random_case(random)

        def make() -> Made:
            return (make_model(case), *make_data(case, n))

    return f"{case}, {n} samples, {arguments}", make, arguments


def random_tables(random: random.Random) -> dict[str, Any]:
    """Return a net with learned features, shares of activations, or both."""
    found = {name: random.choice(values) for name, values in tables.CHOICES.items()}
    found["scale"] = random.choice(["", "frozen", "learning"])
    found["tables"] = found["tables"] or not found["periodic"]
    return found


def random_case(random: random.Random) -> Case:
    """Return a net of dense layers."""
    end = random.choice(WALKED_ENDS)
    widths = [1, 2, 5, 17, 33, 64, 130]
    last = random.choice([1, 3, 10]) if end[1] != "softmax" else random.choice([2, 3, 10])
    sizes = (*(random.choice(widths) for _ in range(random.choice([1, 2, 3]))), last)
    return Case(
        end,
        hidden=random.choice(list(ACTIVATIONS)),
        rule=random.choice(list(RULES)),
        dropout=random.choice(["none", "hidden"]),
        dtype=random.choice([np.float32, np.float64]),
        sizes=sizes,
        bias=random.random() < 0.8,
        scheduled=random.random() < 0.3,
    )


def trained_hash(make: Callable[[], Made], arguments: dict[str, Any], threads: int) -> str:
    cr.set_num_threads(threads)
    model, X, y = make()
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
        name, make, arguments = random_training(random_)
        kinds = {trained_hash(make, arguments, threads) for threads in THREADS}
        assert len(kinds) == 1, f"seed {seed}, {place}: {name}"
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
