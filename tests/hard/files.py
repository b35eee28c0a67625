"""Mutants of model, parameter and estimator files: our error or OSError, or what was saved.

Bits are flipped, pieces cut, put in, doubled; documents and headers are changed and signed again,
as a forger would. Reading never takes more than twice the file and a megabyte.
"""

from __future__ import annotations

import json
import random
import tempfile
import tracemalloc
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.datasets import spiral_data
from forgery import joined, places, split

QUICK, LONG = 1_500, 100_000

EACH = 25  # so many files one is watched for its memory
MEGABYTE = 1 << 20


def small_model() -> cr.Model:
    model = cr.Model()
    model.add(cr.Layer_Dense(2, 3, rng=0))
    model.add(cr.Activation_ReLU())
    model.add(cr.Layer_Dropout(0.25, rng=1))
    model.add(cr.Layer_Dense(3, 3, weight_regularizer_l2=1e-4, rng=2))
    model.add(cr.Activation_Softmax())
    model.set(
        loss=cr.Loss_CategoricalCrossentropy(),
        optimizer=cr.Optimizer_Adam(),
        accuracy=cr.Accuracy_Categorical(),
    )
    X, y = spiral_data(5, 3, rng=0)
    model.train(X, y, epochs=3, shuffle=True, rng=3)
    return model


# --- mutants --------------------------------------------------------------------------------------

LEAVES = [
    *(None, True, 0, 1, -1, 2, 3, 2**31, 2**63, 10**40, 0.5, 1e308, "", "F64", "float64"),
    *("Layer_Dense", "Loss", "1.weights", "weights", "PCG64", "../x", [], {}, [1], {"a": 1}),
    *([2, 3], [-1, 2], [2**40, 2**40], {"float": "nan"}, {"list": []}, "x" * 500),
]


def changed(random: random.Random, value: Any) -> Any:
    """Return a copy of a JSON value with one node replaced, removed or added."""
    value = json.loads(json.dumps(value))
    *way, last = random.choice(places(value))
    node = value
    for key in way:
        node = node[key]
    action = random.choice(["replace", "replace", "remove", "add"])
    if action == "replace":
        node[last] = random.choice(LEAVES)
    elif action == "remove":
        del node[last]
    elif isinstance(node, dict):
        node[random.choice(["a", "own", "tensor", "class"])] = random.choice(LEAVES)
    else:
        node.append(random.choice(LEAVES))
    return value


def flipped(random: random.Random, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 8])):
        found[random.randrange(len(found))] ^= 1 << random.randrange(8)
    return bytes(found)


def cut(random: random.Random, data: bytes) -> bytes:
    first, last = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return random.choice([data[:first], data[first:], data[:first] + data[last:]])


def doubled(random: random.Random, data: bytes) -> bytes:
    first, last = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:last] + data[first:]


def stuffed(random: random.Random, data: bytes) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.randbytes(random.randrange(40)) + data[place:]


def other_length(random: random.Random, data: bytes) -> bytes:
    length = random.choice([0, 1, 7, 2**20, 2**63, len(data), len(data) - 8, 10_000_001])
    return length.to_bytes(8, "little") + data[8:]


def forged_document(random: random.Random, data: bytes) -> bytes:
    header, document, body = split(data)
    for _ in range(random.choice([1, 1, 2])):
        document = changed(random, document)
    return joined(header, document, body)


def forged_header(random: random.Random, data: bytes) -> bytes:
    header, document, body = split(data)
    del header["__metadata__"]
    return joined(changed(random, header), document, body)


MUTANTS: list[Callable[[random.Random, bytes], bytes]] = [
    *(flipped, cut, doubled, stuffed, other_length),
    *(forged_document, forged_document, forged_header),
]


# --- reading --------------------------------------------------------------------------------------


def read_model(path: Path) -> None:
    model = cr.Model.load(path)
    repr(model)
    assert isinstance(model.plan, str)


def read_parameters(path: Path) -> None:
    model = small_model_untrained()
    before = model.fingerprint()
    try:
        model.load_parameters(path)
    except cr.ModelFileError:
        assert model.fingerprint() == before  # nothing was changed
        raise


def small_model_untrained() -> cr.Model:
    model = cr.Model()
    for layer in (cr.Layer_Dense(2, 3, rng=0), cr.Layer_Dense(3, 3, rng=2)):
        model.add(layer)
    return model


def estimator_file(path: Path) -> tuple[bytes, Callable[[Path], None]] | None:
    """Return the bytes of a classifier's file and its reader; None without scikit-learn."""
    if not find_spec("sklearn"):
        return None
    from chainrule.sklearn import MLPClassifier

    X, y = spiral_data(20, 3, rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs do not converge
        found = MLPClassifier(hidden_layer_sizes=(3,), max_iter=3, random_state=0).fit(X, y)
    found.save(path)

    def read(path: Path) -> None:
        repr(MLPClassifier.load(path))

    return path.read_bytes(), read


def good_files(path: Path) -> list[tuple[bytes, Callable[[Path], None]]]:
    """Return the bytes of a file of each kind, and what reads it; `path` is written on the way."""
    model = small_model()
    found: list[tuple[bytes, Callable[[Path], None]]] = []
    for save, read in ((model.save, read_model), (model.save_parameters, read_parameters)):
        save(path)
        found.append((path.read_bytes(), read))
    found.append((found[0][0], read_parameters))
    estimator = estimator_file(path)
    if estimator is not None:
        found.append(estimator)
    for data, read in found:
        path.write_bytes(data)
        assert taken(path, read)
    return found


def read_within(path: Path, read: Callable[[Path], None], watched: bool) -> bool:
    """Read a file; return whether it was taken. Its memory is bounded by its size."""
    if not watched:
        return taken(path, read)
    tracemalloc.start()
    try:
        found = taken(path, read)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = path.stat().st_size
    assert peak <= 2 * size + MEGABYTE, f"{peak} bytes for a file of {size}"
    return found


def taken(path: Path, read: Callable[[Path], None]) -> bool:
    try:
        read(path)
    except (cr.ModelFileError, OSError):
        return False
    return True


def check(count: int, seed: int) -> str:
    random_ = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "file"
        good = good_files(path)
        accepted = 0
        with np.errstate(all="ignore"):
            for place in range(count):
                data, read = random_.choice(good)
                mutate = random_.choice(MUTANTS)
                path.write_bytes(mutate(random_, data))
                try:
                    accepted += read_within(path, read, place % EACH == 0)
                except Exception as error:
                    raise AssertionError(f"seed {seed}, {place}: {mutate.__name__}") from error
    return (
        f"{count} mutants: {count - accepted} refused by our errors, {accepted} taken at their "
        "word, memory at most 2 times the file + 1 MB"
    )
