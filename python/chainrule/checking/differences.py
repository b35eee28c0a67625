"""Central differences of a float64 subject, each with what it is uncertain by.

    slope(h) = (v(a + h d) - v(a - h d)) / 2h        along d: one entry, or many at once
    result   = slope(h) + (slope(h) - slope(2h)) / 3

The uncertainty is rounding (noise.py) plus a tenth of the extrapolation and of the jump that a
kink shows between the slopes on both sides. Where it is more than a small share of the array's
gradient, other steps are tried: smaller ones where the value bends, larger where rounding rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kinks import Branch, branches_of, crossed
from .noise import STEP, Condition
from .subjects import Subject

# A tolerance's largest share of an array's largest gradient. A factor of 1.01 is ten times beyond
# it; the extrapolated difference is far more exact wherever the value is smooth at a step's scale.
SHARE = 1e-3
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Slope:
    """A difference at the flat `index`; `uncertain` is inf where there is none.

    `floor` is the part of `uncertain` that float64 arithmetic cannot go below. At a kink the
    value says nothing. `jump` is that between both sides' slopes, if there is one.
    """

    index: int
    value: float = np.nan
    uncertain: float = np.inf
    floor: float = 0.0
    jump: float = 0.0
    at_kink: bool = False


def size_of(slopes: Iterable[Slope]) -> float:
    """The largest magnitude of slopes that is certain; 0 of none."""
    certain = [abs(s.value) - s.uncertain for s in slopes if np.isfinite(s.uncertain)]
    return max([0.0, *certain])


class Differences:
    """Slopes of a float64 subject, `twin`, round the kinks of `base`."""

    def __init__(self, twin: Subject, base: list[Branch], condition: Condition) -> None:
        self.twin, self.base, self.condition = twin, base, condition
        self.terms = twin.terms()

    def entries(self, array: NDArray[Any], indices: NDArray[np.intp]) -> list[Slope]:
        """Return the slopes at flat `indices`."""
        spread = float(np.sqrt(np.mean(np.square(array)))) if array.any() else 1.0
        places = [(int(k), abs(float(array.flat[k]))) for k in indices]
        slopes = [
            self.along(array, np.array([k]), np.ones(1), STEP * max(1.0, entry))
            for k, entry in places
        ]
        enough = SHARE * size_of(slopes) / 2
        lucky = 0
        for place, (slope, (_, entry)) in enumerate(zip(slopes, places, strict=True)):
            if slope.uncertain > enough:
                steps = _other_steps(entry, spread, slope)
                slopes[place], lucky = self._retried(array, slope, steps, enough, lucky)
        return slopes

    def _retried(
        self, array: NDArray[Any], known: Slope, steps: list[float], enough: float, lucky: int
    ) -> tuple[Slope, int]:
        """Return the slope of the first step that is certain enough, else the most certain.

        The step that served last comes first; it is returned as well.
        """
        found = [known]
        for place in sorted(range(len(steps)), key=lambda place: place != lucky):
            slope = self.along(array, np.array([known.index]), np.ones(1), steps[place])
            if slope.uncertain <= enough:
                return slope, place
            found.append(slope)
        best = min(found, key=lambda slope: slope.uncertain)
        jumps = [slope.jump for slope in found if slope.jump]
        if len(jumps) > 1 and max(jumps) < 1.2 * min(jumps):  # at every step the same: a kink
            return Slope(known.index, at_kink=True), lucky
        return best, lucky

    def along(
        self, array: NDArray[Any], indices: NDArray[np.intp], direction: NDArray[Any], h: float
    ) -> Slope:
        """Return the slope along a direction: the share of a step that each index takes."""
        place = int(indices[0])
        slopes, sides = [], []
        for step in (h, 2 * h):
            above = self._moved(array, indices, direction * step)
            below = self._moved(array, indices, direction * -step) if above else None
            if above is None or below is None:
                return Slope(place, at_kink=True)
            width = above[1] - below[1] if len(indices) == 1 else 2 * step
            up, down = above[0] - self.terms, below[0] - self.terms
            with np.errstate(all="ignore"):
                slopes.append(float((above[0] - below[0]).sum() / width))
                sides.append(float((up + down).sum() / width))
        extrapolation = (slopes[0] - slopes[1]) / 3
        jump = abs(2 * sides[0] - sides[1])
        rounding = self.condition.of_slope(h, self.condition.eps)
        uncertain = rounding + (abs(extrapolation) + jump) / 10
        if not np.isfinite(uncertain):
            return Slope(place)
        value = slopes[0] + extrapolation
        clear = jump > max(0.5 * abs(sides[0]), SHARE * abs(value) + 4 * rounding)
        floor = self.condition.of_slope(h, EPS)
        return Slope(place, value, uncertain, floor, jump if clear else 0.0)

    def _moved(
        self, array: NDArray[Any], indices: NDArray[np.intp], step: NDArray[Any]
    ) -> tuple[NDArray[Any], float] | None:
        """Return the terms a step away, and the first entry there; None across a kink."""
        before = array.flat[indices]
        array.flat[indices] = before + step
        try:
            with np.errstate(all="ignore"):
                terms = self.twin.terms()
            if crossed(self.base, branches_of(self.twin)):
                return None
            return terms, float(array.flat[indices[0]])
        finally:
            array.flat[indices] = before


def _other_steps(entry: float, spread: float, known: Slope) -> list[float]:
    """Steps to try after `STEP * max(1, entry)`.

    At a kink only one on the array's own scale; where nothing changed, only a large one.
    """
    usual, own = STEP * max(1.0, entry), STEP * max(entry, spread)
    if known.at_kink:
        return [own] if own < usual else []
    if known.value == 0:
        return [1e4 * own]
    steps = [own, 100 * own, 100 * usual, 1e4 * own, own / 100, STEP * entry]
    return [h for h in dict.fromkeys(steps) if h > 0 and h != usual]
