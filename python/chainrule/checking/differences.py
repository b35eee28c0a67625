"""Central differences of a float64 subject, each with what it is uncertain by.

    slope(h) = (v(a + h d) - v(a - h d)) / 2h        along d: one entry, or many at once
    result   = slope(h) + (slope(h) - slope(2h)) / 3

The uncertainty is rounding (noise.py) plus twice the extrapolation and the jump between the slopes
on both sides; twice, because a kink two thirds of a step away shows half of its error in them.
Where it is more than a small share of the array's gradient, other steps are tried: smaller ones
where the value bends, larger where rounding rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kinks import Branch, branches_of, crossed
from .noise import EPS, STEP, Condition, largest
from .subjects import Subject

# A tolerance's largest share of an array's largest gradient. A factor of 1.01 is ten times beyond
# it; the extrapolated difference is far more exact wherever the value is smooth at a step's scale.
SHARE = 1e-3
LEARNT = 8  # entries after which an array's other entries try the step that served most of them


@dataclass(frozen=True)
class Slope:
    """A difference at the flat `index`; `uncertain` is inf where there is none.

    `floor` is what rounding in float64 costs at the usual step: less than that is never asked
    of a gradient that is tiny beside the value. `jump` is that between both sides' slopes, if
    there is one. At a kink the value says nothing.
    """

    index: int
    value: float = np.nan
    uncertain: float = np.inf
    floor: float = 0.0
    jump: float = 0.0
    step: float = 0.0
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
        places = [(int(k), abs(float(array.flat[k]))) for k in indices]
        slopes = [
            self.along(array, np.array([k]), np.ones(1), STEP * max(1.0, entry))
            for k, entry in places
        ]
        enough = SHARE * size_of(slopes) / 2
        served: Counter[str] = Counter()
        for place, slope in enumerate(slopes):
            if slope.uncertain > enough:
                learnt = served.most_common(1)[0][0] if served.total() >= LEARNT else ""
                slopes[place] = self.refined(array, slope, learnt)
                steps = _other_steps(array, slope)
                served.update(name for name, h in steps.items() if h == slopes[place].step)
        return slopes

    def refined(self, array: NDArray[Any], known: Slope, learnt: str = "") -> Slope:
        """Return the most certain slope of several steps, which `known` may be.

        From the smallest step to the largest, as long as each says what the smaller ones say:
        where a step is too large for the function, the slope is another one, however certain it
        looks. A jump that steps of several sizes show and none avoids is a kink. `learnt` names
        the step that served other entries: then only that one is tried.
        """
        place = np.array([known.index])
        named = _other_steps(array, known)
        steps = [named[learnt]] if learnt in named else [*named.values()]
        found = [known, *(self.along(array, place, np.ones(1), h) for h in steps)]
        seen = sorted((s for s in found if np.isfinite(s.uncertain)), key=lambda s: s.step)
        best = seen[0] if seen else known
        for slope in seen[1:]:
            apart = abs(slope.value - best.value)
            if apart > slope.uncertain + best.uncertain:
                break
            if max(slope.uncertain, apart) < best.uncertain:
                best = replace(slope, uncertain=max(slope.uncertain, apart))
        for small, large in pairwise(sorted(slope.jump for slope in seen if slope.jump)):
            if large < 1.2 * small and best.uncertain > 0.3 * small:
                return Slope(known.index, at_kink=True)
        return best

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
            width = 2 * step
            if len(indices) == 1:
                width = (above[1] - below[1]) / float(direction[0])
            up, down = above[0] - self.terms, below[0] - self.terms
            with np.errstate(all="ignore"):
                slopes.append(float((above[0] - below[0]).sum() / width))
                sides.append(float((up + down).sum() / width))
        extrapolation = (slopes[0] - slopes[1]) / 3
        jump = abs(2 * sides[0] - sides[1])
        usual = STEP * max(1.0, largest(array.flat[indices]))
        rounding = self.condition.of_slope(h, usual, self.condition.eps)
        uncertain = rounding + 2 * (abs(extrapolation) + jump)
        if not np.isfinite(uncertain):
            return Slope(place)
        value = slopes[0] + extrapolation
        clear = jump > max(0.5 * abs(sides[0]), SHARE * abs(value) + 4 * rounding)
        floor = self.condition.of_slope(min(h, usual), usual, EPS)
        return Slope(place, value, uncertain, floor, jump if clear else 0.0, h)

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


def _other_steps(array: NDArray[Any], known: Slope) -> dict[str, float]:
    """Steps to try after the usual one, `STEP * max(1, entry)`, each with a name.

    At a kink only one on the array's own scale; where nothing changed, only larger ones.
    """
    entry = abs(float(array.flat[known.index]))
    spread = float(np.sqrt(np.mean(np.square(array)))) if array.any() else 1.0
    usual, own = STEP * max(1.0, entry), STEP * max(entry, spread)
    if known.at_kink:
        return {"own": own} if own < usual else {}
    powers = (2, 4) if known.value == 0 else (-4, -2, 0, 1, 2, 3, 4)
    steps = {f"own, {power}": own * 10.0**power for power in powers}
    if known.value != 0:
        steps |= {"usual, 2": 100 * usual, "entry": STEP * entry}
    return {name: h for name, h in steps.items() if h > 0 and h != usual}
