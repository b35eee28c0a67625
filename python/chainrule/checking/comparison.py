"""Gradients against slopes: which entries are compared, with which tolerance, and the verdict.

Three things must hold for an array:

    float64     the gradient of a float64 copy is the slope, entry by entry
    beyond      so it is along random directions through the entries that were not drawn
    own dtype   the gradient in the model's own dtype is the slope, within that dtype's rounding
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .differences import SHARE, Differences, Slope, size_of
from .noise import EPS, SAFETY, STEP, largest
from .report import UNKNOWN, WRONG

ENTRIES = 200
DIRECTIONS = 8
RETAKEN = 8


@dataclass(frozen=True)
class Compared:
    """One comparison. Within `allowed` it is right; beyond `doubtful` it is wrong."""

    index: int
    expected: float
    got: float
    allowed: float
    doubtful: float

    @property
    def error(self) -> float:
        return abs(self.got - self.expected)

    @property
    def ratio(self) -> float:
        """The error's share of what is allowed; a gradient that is no number is worst."""
        if np.isnan(self.expected) or not np.isfinite(self.got):
            return np.inf
        return self.error / max(self.allowed, 1e-300)

    @property
    def fault(self) -> str:
        if self.ratio <= 1:
            return ""
        return UNKNOWN if self.error <= self.doubtful else WRONG


@dataclass
class Sample:
    """The slopes of one array, and what the gradients of a float64 copy differ by.

    `coarse`: even in the float64 copy the value is computed in less than float64.
    """

    array: NDArray[Any]
    slopes: list[Slope]
    size: float
    coarse: bool
    wide: list[Compared] = field(default_factory=list)

    @property
    def usable(self) -> list[Slope]:
        return [slope for slope in self.slopes if not slope.at_kink]


def drawn(size: int, full: bool) -> NDArray[np.intp]:
    """Return the flat indices of the entries to compare, at most ENTRIES unless `full`."""
    if full or size <= ENTRIES:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).choice(size, ENTRIES, replace=False))


def sample_of(differences: Differences, array: NDArray[Any], full: bool) -> Sample:
    """Take the slopes of an array."""
    slopes = differences.entries(array, drawn(array.size, full))
    return Sample(array, slopes, size_of(slopes), differences.condition.eps > EPS)


def allowances(sample: Sample, slope: Slope, rounding: float) -> tuple[float, float]:
    """Return what a float64 gradient may differ by, and what it may differ by without being WRONG.

    The first is at most a share of the largest, which never counts for less than the rounding of
    the difference itself. A coarse value needs steps so large that they cross kinks of which
    nobody tells: there less than half of the largest gradient proves nothing.
    """
    tolerance = slope.uncertain + rounding
    allowed = min(tolerance, SHARE * sample.size + slope.floor)
    return allowed, max(tolerance, sample.size / 2) if sample.coarse else tolerance


def compare_wide(
    differences: Differences, label: str, sample: Sample, gradient: NDArray[Any], eps: float,
    full: bool,
) -> None:  # fmt: skip
    """Compare the gradient of the float64 copy itself, also beyond the entries drawn.

    Constants may have been rounded in the thing's own dtype, whose unit is `eps`.
    """
    condition = differences.condition
    rounding = condition.of_gradient(label, condition.eps) + SAFETY * eps * sample.size
    sample.wide = _compared(sample, gradient, rounding)
    doubtful = sorted((each for each in sample.wide if each.fault), key=lambda each: -each.ratio)
    if _retaken(differences, sample, doubtful[:RETAKEN]):
        _retaken(differences, sample, doubtful[RETAKEN:])
    sample.wide = _compared(sample, gradient, rounding)
    rest = np.setdiff1d(np.arange(sample.array.size), drawn(sample.array.size, full))
    if not len(rest) or any(each.fault for each in sample.wide):
        return
    rng = np.random.default_rng(4)
    for block in np.array_split(rng.permutation(rest), DIRECTIONS):
        if len(block):
            sample.wide += _beyond(differences, sample, gradient, block, rounding, rng)


def _compared(sample: Sample, gradient: NDArray[Any], rounding: float) -> list[Compared]:
    return [
        Compared(
            slope.index,
            slope.value,
            float(gradient.flat[slope.index]),
            *allowances(sample, slope, rounding),
        )
        for slope in sample.usable
    ]


def _retaken(differences: Differences, sample: Sample, doubtful: list[Compared]) -> bool:
    """Take slopes that speak against a gradient again, with other steps; True if one changed."""
    wanted, changed = {each.index for each in doubtful}, False
    for place, slope in enumerate(sample.slopes):
        if slope.index in wanted:
            again = differences.refined(sample.array, slope)
            apart = abs(again.value - slope.value)
            changed = changed or not apart <= slope.uncertain
            sample.slopes[place] = again
    sample.size = size_of(sample.slopes)
    return changed


def _beyond(
    differences: Differences, sample: Sample, gradient: NDArray[Any], block: NDArray[np.intp],
    rounding: float, rng: np.random.Generator,
) -> list[Compared]:  # fmt: skip
    """Compare along a direction through a block; where it differs, close in on the entry."""
    found = _directed(differences, sample, gradient, block, rounding, rng)
    if found is None or not found.fault:
        return []
    while len(block) > 1:
        half, other = np.array_split(block, 2)
        first = _directed(differences, sample, gradient, half, rounding, rng)
        block = half if first is not None and first.fault else other
    (slope,) = differences.entries(sample.array, block)
    got = float(gradient.flat[slope.index])
    alone = Compared(slope.index, slope.value, got, *allowances(sample, slope, rounding))
    return [alone if alone.fault and not slope.at_kink else found]


def _directed(
    differences: Differences, sample: Sample, gradient: NDArray[Any], block: NDArray[np.intp],
    rounding: float, rng: np.random.Generator,
) -> Compared | None:  # fmt: skip
    """Compare along random shares of a block's entries; None where kinks are in the way."""
    direction = rng.choice([-1.0, 1.0], len(block)) * rng.uniform(0.5, 1.5, len(block))
    got = float(gradient.flat[block] @ direction)
    scale = max(1.0, largest(sample.array))
    best: Slope | None = None
    for h in STEP * scale * np.array([1.0, 1e-2, 1e-4]):
        slope = differences.along(sample.array, block, direction, float(h))
        if not slope.at_kink and (best is None or slope.uncertain < best.uncertain):
            best = slope
        if best is not None and best.uncertain <= SHARE * sample.size / 2:
            break
    if best is None or not np.isfinite(best.uncertain) or best.jump:
        return None
    spread = rounding * float(np.linalg.norm(direction))
    tolerance = best.uncertain + spread + np.finfo(np.float64).eps * largest(sample.array) / STEP
    allowed = max(tolerance, SHARE * sample.size + best.floor)
    return Compared(best.index, best.value, got, allowed, allowed)


def compare_own(
    differences: Differences, label: str, sample: Sample, gradient: NDArray[Any], eps: float,
    extra: float = 0.0,
) -> list[Compared]:  # fmt: skip
    """Compare a gradient of the model's own dtype; `extra` is what else may have rounded it."""
    rounding = differences.condition.of_gradient(label, eps) + extra
    rounding += SAFETY * float(np.finfo(gradient.dtype).tiny)
    found = []
    for slope in sample.usable:
        wide = differences.condition.of_gradient(label, differences.condition.eps)
        allowed, tolerance = allowances(sample, slope, wide)
        got = float(gradient.flat[slope.index])
        found.append(
            Compared(slope.index, slope.value, got, allowed + rounding, tolerance + rounding)
        )
    return found
