"""NaN and infinities: in data, weights, parameters, and arising on the way: never in silence.

A training that returns has finite parameters; else the error names where it was found.
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.layers.parameters import slots_of
from hard.arrays import CODES, new_model, new_model_of_tables

QUICK, LONG = 200, 20_000

Scene = Callable[[Any, dict[str, Any], random.Random], str]


def odd(random: random.Random) -> float:
    return random.choice([np.nan, np.inf, -np.inf])


def spoiled(array: Any, random: random.Random) -> None:
    array.flat[random.randrange(array.size)] = odd(random)


def in_samples(model: Any, call: dict[str, Any], random: random.Random) -> str:
    spoiled(call["X"], random)
    return r"X: expected finite values"


def in_validation(model: Any, call: dict[str, Any], random: random.Random) -> str:
    X = call["X"].copy()
    spoiled(X, random)
    call["validation_data"] = (X, call["y"])
    return r"validation X: expected finite values"


def in_weights(model: Any, call: dict[str, Any], random: random.Random) -> str:
    call["sample_weight"] = np.ones(len(call["y"]))
    spoiled(call["sample_weight"], random)
    return r"sample_weight: expected"


def in_parameters(model: Any, call: dict[str, Any], random: random.Random) -> str:
    layer = random.choice(model.trainable_layers)
    spoiled(getattr(layer, random.choice(slots_of(layer)).name), random)
    return r"^epoch \d+, step \d+: expected (a finite loss|finite parameters)"


def from_a_callback(model: Any, call: dict[str, Any], random: random.Random) -> str:
    epoch_of_it, state = random.choice([1, 2]), random.getrandbits(32)

    class Spoil:
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            if epoch == epoch_of_it:
                spoiled(call["X"], type(random)(state))

    call["callbacks"], call["epochs"] = [Spoil()], 4
    return (
        r"X: expected finite values|Layer_Embedding 2: inputs: expected a code .* got (nan|-?inf)"
    )


def from_the_rate(model: Any, call: dict[str, Any], random: random.Random) -> str:
    model.optimizer = cr.Optimizer_SGD(random.choice([1e38, 1e300, 1e25]))
    call["X"][:, :3] *= 1e3
    return r"^epoch \d+, step \d+: expected (a finite loss|finite parameters)|^$"


SCENES: list[Scene] = [
    in_samples,
    in_validation,
    in_weights,
    in_parameters,
    from_a_callback,
    from_the_rate,
]


def check(count: int, seed: int) -> str:
    random_ = random.Random(seed)
    named = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for place in range(count):
            scene = random_.choice(SCENES)
            named += try_one(scene, random_, f"seed {seed}, {place}: {scene.__name__}")
    return f"{count} trainings: {named} refused or stopped by name, none silent"


def try_one(scene: Scene, random_: random.Random, where: str) -> int:
    """Return whether an error told; no error means finite parameters."""
    rng = np.random.default_rng(random_.getrandbits(32))
    dtype = random_.choice([np.float32, np.float64])
    with_tables = random_.random() < 0.3
    model = new_model_of_tables(dtype) if with_tables else new_model(dtype)
    model.finalize()
    call: dict[str, Any] = {"X": rng.standard_normal((20, 4)), "y": rng.integers(0, 3, 20)}
    if with_tables:
        call["X"][:, -1] = rng.integers(0, CODES, 20)
    call |= {"epochs": random_.choice([1, 3]), "batch_size": random_.choice([None, 7])}
    call["engine"] = random_.choice([None, "classes"])
    expected = scene(model, call, random_)
    try:
        history = model.train(**call)
    except (ValueError, FloatingPointError) as error:
        assert re.search(expected, str(error)), f"{where}: {error}"
        return 1
    assert re.search(expected, ""), f"{where}: nothing was told"
    assert np.isfinite(history.loss).all(), where
    for layer in model.trainable_layers:
        for slot in slots_of(layer):
            assert np.isfinite(getattr(layer, slot.name)).all(), where
    return 0
