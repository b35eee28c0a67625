"""How much rounding moves a gradient or a loss, measured: nudge every array and look again.

A nudge changes each entry of the inputs, the parameters and every layer's output by at most two
units in the last place, so that each rounding on the way falls out anew; the largest change among
some such runs is what rounding can do. (The outputs matter where a value saturates: a sigmoid
that is 1 to the last bit stays so for any nudge of its inputs, yet its derivative is uncertain.)
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .subjects import Nudge, Subject, hold_masks, subject, unchanged

ROUNDS = 6


def gradient_noise(
    thing: Any,
    inputs: NDArray[Any],
    targets: NDArray[Any] | None,
    own: Subject,
    base: dict[str, NDArray[Any]],
    eps: float,
) -> dict[str, float]:
    """How much rounding moves each gradient of `own`.

    A run in which the nudge crossed a kink tells of the kink, not of rounding: it is left out.
    """
    nudge = _nudge(np.random.default_rng(1), eps)
    branches = own.branches()
    moved = {name: eps * largest(gradient) for name, gradient in base.items()}
    for _ in range(ROUNDS):
        run = subject(copy.deepcopy(thing), inputs.copy(), targets)
        hold_masks(run.layers, own.layers)
        run.gradients()
        with _nudged(run, nudge):
            again = run.gradients()
        pairs = zip(branches, run.branches(), strict=True)
        if any(bool(np.any(a.region != b.region)) for a, b in pairs):
            continue
        for name, gradient in base.items():
            moved[name] = max(moved[name], largest(again[name] - gradient))
    return moved


def loss_noise(twin: Subject) -> float:
    """How much rounding moves the float64 loss of `twin`, which is left as it was."""
    eps = float(np.finfo(np.float64).eps)
    nudge = _nudge(np.random.default_rng(2), eps)
    value = twin.value()
    noise = eps * abs(value)
    for _ in range(ROUNDS):
        with _nudged(twin, nudge):
            noise = max(noise, abs(twin.value() - value))
    return noise


def largest(array: NDArray[Any]) -> float:
    """The largest magnitude; 0 of no entry."""
    return float(np.max(np.abs(array), initial=0.0))


def _nudge(rng: np.random.Generator, eps: float) -> Nudge:
    def nudge(array: NDArray[Any]) -> NDArray[Any]:
        factors = 1 + eps * rng.integers(-2, 3, array.shape)
        nudged: NDArray[Any] = array * factors.astype(array.dtype)
        return nudged

    return nudge


@contextmanager
def _nudged(target: Subject, nudge: Nudge) -> Iterator[None]:
    """Nudge every array of `target` now, and every layer's output as it comes."""
    kept = {name: array.copy() for name, array in target.arrays().items()}
    forwards = [vars(layer).get("forward") for layer in target.layers]
    for array in target.arrays().values():
        array[...] = nudge(array)
    for layer in target.layers:
        layer.forward = _nudged_forward(layer, layer.forward, nudge)
    target.nudge = nudge
    try:
        yield
    finally:
        target.nudge = unchanged
        for layer, forward in zip(target.layers, forwards, strict=True):
            del layer.forward
            if forward is not None:
                layer.forward = forward
        for name, array in target.arrays().items():
            array[...] = kept[name]


def _nudged_forward(layer: Any, forward: Any, nudge: Nudge) -> Any:
    def nudged(*arguments: Any) -> Any:
        forward(*arguments)
        layer.output = nudge(layer.output)
        return layer.output

    return nudged
