"""Nets for tests of exporters: every activation of the catalogue, behind and between layers."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr
from part_cases import examples

Array = np.ndarray[Any, Any]
ACTIVATIONS = examples("activation")


def net_with(activation: Any, dtype: Any, seed: int = 0) -> Any:
    """A net 5-7-3 with this activation in its middle, and none behind."""
    rng = np.random.default_rng(seed)
    model = cr.Model()
    model.add(cr.Layer_Dense(5, 7, init="lecun_normal", dtype=dtype, rng=rng))
    model.add(activation)
    model.add(cr.Layer_Dense(7, 3, init="lecun_normal", dtype=dtype, rng=rng))
    for layer in (model.layers[0], model.layers[2]):
        layer.biases = rng.standard_normal(layer.biases.shape).astype(dtype)
    model.finalize()
    return model


def samples(n: int, d: int, dtype: Any, seed: int = 1) -> Array:
    """Rows of moderate numbers."""
    return np.random.default_rng(seed).standard_normal((n, d)).astype(dtype)


def net_for_tables(dtype: Any) -> tuple[Any, Array]:
    """A net of layers for tables, and rows: three numbers, one that passes, two codes."""
    model = cr.Model()
    for layer in (
        cr.Layer_PeriodicFeatures(6, 3, frequency_scale=1.0, dtype=dtype, rng=1),
        cr.Layer_Embedding(15, (4, 7), 3, dtype=dtype, rng=2),
        cr.Layer_Dense(19, 8, dtype=dtype, rng=3),
        cr.Layer_ParametricActivation(8, "gelu", dtype=dtype),
        cr.Layer_ParametricActivation(8, cr.Activation_LeakyReLU(0.2), dtype=dtype),
        cr.Layer_Dense(8, 2, dtype=dtype, rng=4),
    ):
        model.add(layer)
    rng = np.random.default_rng(5)
    for layer in model.layers[3:5]:
        layer.weights = rng.uniform(0, 1.5, (1, 8)).astype(dtype)
    model.finalize()
    numbers, codes = rng.standard_normal((200, 4)), rng.integers(0, (4, 7), (200, 2))
    return model, np.concatenate([numbers, codes], axis=1).astype(dtype)
