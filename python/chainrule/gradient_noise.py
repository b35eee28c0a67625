"""How much rounding moves a gradient or a loss, measured: nudge every array and look again.

A nudge changes each entry by at most two units in the last place, so that every rounding on the
way falls out anew; the largest change among some such runs is what rounding can do.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .check_subjects import Subject, hold_masks, subject

ROUNDS = 6


def gradient_noise(
    thing: Any,
    inputs: NDArray[Any],
    targets: NDArray[Any] | None,
    own: Subject,
    base: dict[str, NDArray[Any]],
    eps: float,
) -> dict[str, float]:
    """How much rounding moves each gradient: the largest change among nudged runs.

    A run in which the nudge crossed a kink tells of the kink, not of rounding: it is left out.
    """
    rng = np.random.default_rng(1)
    branches = own.branches()
    moved = {name: eps * largest(gradient) for name, gradient in base.items()}
    for _ in range(ROUNDS):
        nudged = subject(copy.deepcopy(thing), inputs.copy(), targets)
        hold_masks(nudged.layers, own.layers)
        nudged.gradients()
        nudge(nudged, rng, eps)
        again = nudged.gradients()
        pairs = zip(branches, nudged.branches(), strict=True)
        if any(bool(np.any(a.region != b.region)) for a, b in pairs):
            continue
        for name, gradient in base.items():
            moved[name] = max(moved[name], largest(again[name] - gradient))
    return moved


def loss_noise(twin: Subject) -> float:
    """How much rounding moves the float64 loss; the arrays of `twin` are restored."""
    eps = float(np.finfo(np.float64).eps)
    rng = np.random.default_rng(2)
    value = twin.value()
    kept = {name: array.copy() for name, array in twin.arrays().items()}
    noise = eps * abs(value)
    for _ in range(ROUNDS):
        nudge(twin, rng, eps)
        noise = max(noise, abs(twin.value() - value))
        for name, array in twin.arrays().items():
            array[...] = kept[name]
    return noise


def nudge(target: Subject, rng: np.random.Generator, eps: float) -> None:
    """Change every array of `target` in place by -2 to 2 units in the last place."""
    for array in target.arrays().values():
        array *= (1 + eps * rng.integers(-2, 3, array.shape)).astype(array.dtype)


def largest(array: NDArray[Any]) -> float:
    """The largest magnitude; 0 of no entry."""
    return float(np.max(np.abs(array), initial=0.0))
