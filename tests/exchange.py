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
