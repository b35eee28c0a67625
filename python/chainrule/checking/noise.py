"""How far rounding moves values and gradients: the condition of a float64 copy, measured.

A nudge multiplies every array, every layer's output and every layer's dinputs by 1 + delta, with
delta up to 2 amplitudes. What a gradient or the value changes by, over the amplitude, is its
condition; times the unit of rounding it is what rounding can do in a dtype. (Outputs are nudged
because a sigmoid that is 1 to the last bit stays so for any nudge of its inputs, yet its
derivative is uncertain.) The amplitude is far above rounding, so that a condition is not itself
noise, and so small that hardly a kink is crossed. What rounding does within a layer or a loss shows
in the value: twice the nudge does not change it twice as much.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kinks import branches_of
from .subjects import Subject
from .walk import FloatArray, Nudge, unchanged

ROUNDS = 6
AMPLITUDE = 2.0**-40
STEP = 1e-5
SAFETY = 16.0
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Condition:
    """The conditions of a subject, and the unit of rounding that its own arithmetic shows.

    `value` is that of the sum of terms where the subject stands, `moved` how much it grows a
    step of `STEP * max(1, entry)` away; `gradients` by label.
    """

    value: float
    moved: float
    gradients: dict[str, float]
    eps: float

    def of_slope(self, h: float, usual: float, eps: float) -> float:
        """How far rounding moves a quotient of step h, where `moved` is that of a step `usual`."""
        return SAFETY * eps * (self.value / h + self.moved / usual)

    def of_gradient(self, label: str, eps: float) -> float:
        return SAFETY * eps * self.gradients.get(label, 0.0)


def largest(array: NDArray[Any]) -> float:
    """The largest magnitude; 0 of no entry."""
    return float(np.max(np.abs(array), initial=0.0))


def condition_of(
    twin: Subject, gradients: dict[str, FloatArray], unsteady: Collection[str]
) -> Condition:
    """Measure the conditions of a float64 subject, which is left as it was.

    `gradients` are its own, those whose form is right. Those that are `unsteady` change for
    other reasons than a nudge: they count with their size.
    """
    twin.terms()
    eps = _unit_seen(twin, gradients)
    amplitude = AMPLITUDE if eps == EPS else 4 * eps
    finite = {k: v for k, v in gradients.items() if np.isfinite(v).all()}
    found = {name: largest(gradient) for name, gradient in finite.items()}
    base, branches = twin.terms(), branches_of(twin)
    changes, noise = [], [largest(base)]
    for seed in range(ROUNDS):
        with np.errstate(all="ignore"), nudged(twin, _nudge(seed, 2 * amplitude)):
            double = _change(twin.terms(), base)
        with np.errstate(all="ignore"), nudged(twin, _nudge(seed, amplitude)):
            change = _change(twin.terms(), base)
            changes.append(change / amplitude)
            noise.append(abs(double - 2 * change) / eps)
            crossed = any(
                bool(np.any(a.region != b.region))
                for a, b in zip(branches, branches_of(twin), strict=True)
            )
            again = {} if crossed else twin.backward()
        for name in (found.keys() & again.keys()).difference(unsteady):
            change = largest(np.asarray(again[name] - gradients[name])) / amplitude
            found[name] = max(found[name], change)
    value = max([*noise, *map(abs, changes)])
    beside = _changes_beside(twin, amplitude) if eps == EPS else changes
    growth = [abs(b - a) for a, b in zip(changes, beside, strict=True)]
    return Condition(value, max(filter(np.isfinite, growth), default=0.0), found, eps)


def _changes_beside(twin: Subject, amplitude: float) -> list[float]:
    """The changes by the same nudges a random step of STEP away."""
    kept = {name: array.copy() for name, array in twin.arrays().items()}
    rng = np.random.default_rng(2)
    for array in twin.arrays().values():
        array += STEP * rng.choice([-1.0, 1.0], array.shape) * np.maximum(1.0, np.abs(array))
    changes = []
    try:
        with np.errstate(all="ignore"):
            base = twin.terms()
            for seed in range(ROUNDS):
                with nudged(twin, _nudge(seed, amplitude)):
                    changes.append(_change(twin.terms(), base) / amplitude)
    finally:
        for name, array in twin.arrays().items():
            array[...] = kept[name]
    return changes


def _change(terms: FloatArray, base: FloatArray) -> float:
    return float((terms - base).sum())


def _unit_seen(twin: Subject, gradients: dict[str, FloatArray]) -> float:
    """The coarsest unit of rounding among what a float64 subject has computed."""
    walk = twin.walk
    seen = [twin.output, *walk.outputs, *walk.dinputs, *gradients.values()]
    kinds = {each.dtype for each in seen if isinstance(each, np.ndarray) and each.dtype.kind == "f"}
    return max([float(np.finfo(kind).eps) for kind in kinds] + [EPS])


def _nudge(seed: int, amplitude: float) -> Nudge:
    """The nudge of a round: the same numbers each time that it is made."""
    rng = np.random.default_rng(seed)

    def nudge(array: Any) -> Any:
        array = np.asarray(array)
        factors = 1 + amplitude * rng.integers(-2, 3, array.shape)
        return array * factors.astype(array.dtype)

    return nudge


@contextmanager
def nudged(target: Subject, nudge: Nudge) -> Iterator[None]:
    """Nudge every array of `target` now, and every value that passes through it as it comes."""
    kept = {name: array.copy() for name, array in target.arrays().items()}
    for array in target.arrays().values():
        array[...] = nudge(array)
    target.nudge = nudge
    try:
        yield
    finally:
        target.nudge = unchanged
        for name, array in target.arrays().items():
            array[...] = kept[name]
