"""Whole trainings on fixed data; as a program it prints the hashes of what they end with.

    CHAINRULE_TARGET=x86_64_v3 python tests/training_hashes.py

prints one JSON object, name -> SHA-256 of parameters, optimizer arrays and the History's columns
(all but the seconds). Equal hashes mean equal bits. `ENGINES` are all that can be forced.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

import chainrule as cr
from kernel_hashes import data
from plan_cases import few_of_all, make_data, make_model

ENGINES = ("automatic", "nano", "panels")
THREADS = (1, 2, 3, 8)
TABLES = (30, 2, 17, 5)  # sizes

Array = np.ndarray[Any, Any]
Layers = list[Any]


def dense(dtype: Any, *sizes: int, strengths: tuple[float, ...] = ()) -> Layers:
    layers = []
    for k, (d, m) in enumerate(pairwise(sizes)):
        layer = cr.Layer_Dense(d, m, *strengths, dtype=dtype, rng=0)
        layer.weights = data((d, m), dtype, 20 + k, 1 / np.sqrt(d))
        layer.biases = data((1, m), dtype, 40 + k, 0.1)
        layers.append(layer)
    return layers


def model_of(layers: Layers, loss: Any, optimizer: Any, accuracy: Any) -> cr.Model:
    model = cr.Model()
    for layer in layers:
        model.add(layer)
    model.set(loss=loss, optimizer=optimizer, accuracy=accuracy)
    return model


def classifier(dtype: Any, sizes: tuple[int, ...], optimizer: Any, dropout: float = 0) -> cr.Model:
    """ReLU nets with softmax at the end."""
    layers: Layers = []
    for layer in dense(dtype, *sizes):
        layers += [layer, cr.Activation_ReLU()]
        if dropout:
            layers.append(cr.Layer_Dropout(dropout, rng=len(layers)))
    del layers[-2 if dropout else -1 :]
    layers.append(cr.Activation_Softmax())
    return model_of(layers, cr.Loss_CategoricalCrossentropy(), optimizer, cr.Accuracy_Categorical())


def regressor(dtype: Any, sizes: tuple[int, ...], optimizer: Any) -> cr.Model:
    """Tanh and sigmoid, L1 and L2 everywhere, nothing at the end."""
    layers: Layers = []
    for k, layer in enumerate(dense(dtype, *sizes, strengths=(1e-3, 2e-3, 3e-3, 4e-3))):
        layers += [layer, (cr.Activation_Tanh, cr.Activation_Sigmoid)[k % 2]()]
    del layers[-1]
    return model_of(layers, cr.Loss_MeanSquaredError(), optimizer, cr.Accuracy_Regression())


def labelled_data(dtype: Any, n: int, d: int, m: int) -> tuple[Array, Array]:
    X = data((n, d), dtype, 1, 2.0)
    return X, np.arange(n, dtype=np.int64) * 7 % m


def trainings(dtype: Any) -> dict[str, tuple[cr.Model, tuple[Array, Array], dict[str, Any]]]:
    """Name -> model, data, arguments of `train`. Steps of the first ones share their work."""
    weights = data((301,), np.float64, 3, 0.5) + 0.5
    held = labelled_data(dtype, 70, 64, 10)
    wide = (data((330, 700), dtype, 4), data((330, 512), dtype, 5))
    return {
        "wide, waits for the team": (
            regressor(dtype, (700, 1040, 512), cr.Optimizer_SGD(0.01, 0, 0.9)),
            wide,
            {"epochs": 2},
        ),
        "softmax, many steps": (
            classifier(dtype, (64, 128, 64, 10), cr.Optimizer_SGD(0.05, 1e-3, 0.9)),
            labelled_data(dtype, 301, 64, 10),
            {"epochs": 100, "batch_size": 128, "validation_data": held},
        ),
        "softmax, shuffled, clipped, dropout": (
            classifier(dtype, (64, 100, 70, 10), cr.Optimizer_Adam(1e-3, weight_decay=0.01), 0.2),
            labelled_data(dtype, 301, 64, 10),
            {"epochs": 6, "batch_size": 150, "shuffle": True, "rng": 9, "clip_norm": 0.5},
        ),
        "clipped, many steps": (
            regressor(dtype, (45, 130, 47), cr.Optimizer_RMSprop(1e-3)),
            (data((300, 45), dtype, 6), data((300, 47), dtype, 7)),
            {"epochs": 60, "clip_norm": 0.1},
        ),
        "regression, weighted": (
            regressor(dtype, (33, 65, 17), cr.Optimizer_Adagrad(0.02)),
            (data((301, 33), dtype, 8), data((301, 17), dtype, 9)),
            {"epochs": 10, "batch_size": 64, "sample_weight": weights},
        ),
        "sine": (
            regressor(dtype, (1, 10, 1), cr.Optimizer_SGD(0.05, nesterov=True, momentum=0.5)),
            (data((25, 1), dtype, 10), data((25, 1), dtype, 11)),
            {"epochs": 300},
        ),
        "tables, features and shares": (
            tabular(dtype),
            table(dtype, 500),
            {"epochs": 6, "batch_size": 200, "shuffle": True, "rng": 9, "clip_norm": 0.5},
        ),
        "tables, spent at once": (
            tabular(dtype),
            table(dtype, 500),
            {"epochs": 6, "batch_size": 450, "validation_data": table(dtype, 60)},
        ),
    }


def tabular(dtype: Any) -> cr.Model:
    """Periodic features, tables, factors, and two layers whose neurons learn their shares."""
    layers: Layers = [
        cr.Layer_PeriodicFeatures(11, 7, n_frequencies=5, dtype=dtype, rng=1),
        cr.Layer_Embedding(32, TABLES, 5, dtype=dtype, rng=2),
        cr.Layer_Scale(48, dtype=dtype),
    ]
    for layer, activation in zip(dense(dtype, 48, 65, 33), ("mish", "selu"), strict=True):
        m = layer.weights.shape[1]
        layers += [layer, cr.Layer_ParametricActivation(m, activation, dtype=dtype)]
        layers.append(cr.Layer_Dropout(0.2, rng=len(layers)))
    layers += dense(dtype, 33, 4)
    return model_of(layers, cr.Loss_MeanSquaredError(), cr.Optimizer_Adam(0.01), None)


def table(dtype: Any, n: int) -> tuple[Array, Array]:
    numbers = data((n, 7), dtype, 12)
    codes = [(np.arange(n) * (k + 3) // 2 % size) for k, size in enumerate(TABLES)]
    X = np.column_stack([numbers, *codes]).astype(dtype)
    return X, data((n, 4), dtype, 13)


def walked(dtype: Any) -> dict[str, tuple[cr.Model, tuple[Array, Array], dict[str, Any]]]:
    """Small trainings in which every part that is listed occurs, the last batch a short one."""
    found = {}
    for place, case in enumerate(few_of_all(sizes=(5, 19, 3))):
        case = replace(case, dtype=dtype)
        clip_norm = (None, 0.3)[place // 2 % 2]
        arguments = {"epochs": 3, "batch_size": 9, "clip_norm": clip_norm, "shuffle": place % 2 > 0}
        name = f"{place}, {case.hidden}, {case.end}, {case.rule}"
        found[name] = (make_model(case), make_data(case, 23), {**arguments, "rng": 4})
    return found


def digest(model: cr.Model, history: cr.History) -> str:
    found = hashlib.sha256()
    for layer in model.trainable_layers:
        for name, value in sorted(vars(layer).items()):
            if isinstance(value, np.ndarray):
                found.update(name.encode() + np.ascontiguousarray(value).tobytes())
    for name in history.keys():
        if name != "seconds":
            found.update(np.ascontiguousarray(history[name]).tobytes())
    return found.hexdigest()


def hashes(engine: str, threads: int) -> dict[str, str]:
    """Train everything in both dtypes and return the hash of each."""
    kept = os.environ.get("CHAINRULE_ENGINE")
    os.environ["CHAINRULE_ENGINE"] = engine
    before = cr.get_num_threads()
    cr.set_num_threads(threads)
    found = {}
    try:
        for dtype in (np.float32, np.float64):
            every = {**trainings(dtype), **walked(dtype)}
            for name, (model, samples, arguments) in every.items():
                if engine == "nano" and name.startswith("wide"):
                    continue  # half a minute on one thread, and another layout of the same sums
                history = model.train(*samples, progress=False, **arguments)
                assert "layer by layer" not in model.plan, model.plan
                found[f"{name}, {np.dtype(dtype).name}"] = digest(model, history)
    finally:
        cr.set_num_threads(before)
        os.environ.pop("CHAINRULE_ENGINE")
        if kept is not None:
            os.environ["CHAINRULE_ENGINE"] = kept
    return found


if __name__ == "__main__":
    result = {engine: hashes(engine, int(sys.argv[1])) for engine in ENGINES}
    json.dump({"target": cr.cpu_target(), "hashes": result}, sys.stdout)
