"""What would make a wrong gradient right, where that can be seen from the slopes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparison import Sample
from .differences import SHARE

FloatArray = NDArray[Any]
FEW = 3  # entries below which any factor fits


@dataclass(frozen=True)
class Facts:
    """What a diagnosis knows of an array beside its slopes.

    `dvalues` is what a layer's backward got, where the array is that layer's inputs and of its
    shape; `l1` and `l2` are the terms that regularisation adds to the gradient, (0, 0) without.
    """

    n_samples: int
    n_outputs: int
    dvalues: FloatArray | None = None
    l1: FloatArray | float = 0.0
    l2: FloatArray | float = 0.0


class Diagnosis:
    """Candidates of one array, tried against its slopes."""

    def __init__(self, sample: Sample, facts: Facts, rounding: float) -> None:
        usable = [slope for slope in sample.usable if np.isfinite(slope.uncertain)]
        self.shape, self.facts = sample.array.shape, facts
        self.indices = np.array([slope.index for slope in usable], dtype=np.intp)
        self.slopes = np.array([slope.value for slope in usable])
        floor = max((slope.floor for slope in usable), default=0.0)
        uncertain = max((slope.uncertain for slope in usable), default=0.0)
        self.limit = min(SHARE * sample.size + floor, 4 * uncertain) + 4 * rounding

    def fits(self, candidate: FloatArray, factor: float = 1.0) -> bool:
        """Tell whether `factor * candidate` is the slope at every entry compared."""
        got = factor * candidate.flat[self.indices].astype(np.float64)
        return bool(np.all(np.abs(got - self.slopes) <= self.limit * max(1.0, abs(factor))))

    def of_value(self, gradient: FloatArray) -> str:
        """Return the hint for a gradient of the right shape; empty where there is none."""
        bad = np.argwhere(~np.isfinite(gradient))
        if len(bad):
            where = _place(tuple(bad[0]))
            return f"expected finite numbers, got {gradient[tuple(bad[0])]} at {where}"
        if not len(self.slopes):
            return ""
        if self.fits(gradient):
            return ""
        got = gradient.flat[self.indices].astype(np.float64)
        if np.all(np.abs(self.slopes) <= self.limit) and not np.all(np.abs(got) <= self.limit):
            return "expected 0: the value does not move with it"
        if not got.any():
            return "expected other numbers than 0: the value moves with it"
        return next(self._recognised(gradient), "") or self._worst(gradient)

    def _recognised(self, gradient: FloatArray) -> Iterator[str]:
        dvalues = self.facts.dvalues
        if dvalues is not None and np.allclose(gradient, dvalues, rtol=1e-5, atol=0):
            yield "dinputs equals dvalues: the activation's derivative is missing"
        yield from self._regularised(gradient)
        factor = self._factor(gradient)
        if factor:
            yield f"expected: multiply by {factor}"
        yield from self._rearranged(gradient)
        best = self._best_factor(gradient)
        if best is not None:
            yield f"expected: multiply by {best:.6g}"

    def _regularised(self, gradient: FloatArray) -> Iterator[str]:
        l1, l2 = self.facts.l1, self.facts.l2
        both = l1 + l2
        if not np.any(both):
            return
        parts = {"regularisation": both, "L1's term": l1, "L2's term": l2}
        for name, part in parts.items():
            if not np.any(part):
                continue
            for factor, text in ((1, "is missing"), (-1, "is counted twice"), (0.5, "counts half"),
                                 (2, "has the wrong sign")):  # fmt: skip
                if self.fits(gradient + factor * part):
                    yield f"{name} {text}"
        named = self._factor(gradient - both, both)
        if named:
            yield f"expected: multiply by {named}, all but the regularisation"

    def _factor(self, gradient: FloatArray, added: FloatArray | float = 0.0) -> str:
        """Return the factors with a name that make `gradient * factor + added` the slope."""
        named = _factors(self.facts.n_samples, self.facts.n_outputs)
        rest = self.slopes - np.broadcast_to(added, self.shape).flat[self.indices]
        got = gradient.flat[self.indices].astype(np.float64)
        fitting = [
            (factor, text)
            for factor, text in named
            if np.all(np.abs(factor * got - rest) <= self.limit * max(1.0, abs(factor)))
        ]
        if not fitting:
            return ""
        near = min(fitting, key=lambda pair: float(np.abs(pair[0] * got - rest).max()))[0]
        return ", or ".join(text for factor, text in fitting if abs(factor / near - 1) < 1e-9)

    def _rearranged(self, gradient: FloatArray) -> Iterator[str]:
        if gradient.ndim == 2 and gradient.shape == gradient.T.shape:
            if self.fits(np.array(gradient.T)):
                yield "expected the transpose"
            elif factor := self._factor(np.array(gradient.T)):
                yield f"expected the transpose, multiplied by {factor}"
        for axis in range(gradient.ndim):
            for shift in (1, -1):
                if gradient.shape[axis] > 1 and self.fits(np.roll(gradient, shift, axis)):
                    yield f"expected the same numbers, shifted by {shift} along axis {axis}"

    def _best_factor(self, gradient: FloatArray) -> float | None:
        got = gradient.flat[self.indices].astype(np.float64)
        if len(got) < FEW:
            return None
        with np.errstate(all="ignore"):
            factor = float((got @ self.slopes) / (got @ got))
        return factor if np.isfinite(factor) and self.fits(gradient, factor) else None

    def _worst(self, gradient: FloatArray) -> str:
        got = gradient.flat[self.indices].astype(np.float64)
        errors = np.abs(got - self.slopes)
        wrong, worst = int((errors > self.limit).sum()), int(errors.argmax())
        where = _place(np.unravel_index(int(self.indices[worst]), self.shape))
        return (
            f"{wrong} of {len(errors)} entries differ, most at {where}: "
            f"expected {self.slopes[worst]:.6g}, got {got[worst]:.6g}"
        )

    def of_shape(self, gradient: FloatArray) -> str:
        """Return the hint for a gradient of another shape; empty where there is none."""
        for text, candidate in _reshaped(gradient, self.shape):
            if candidate.shape != self.shape:
                continue
            if not len(self.slopes) or self.fits(candidate):
                return text
            factor = self._factor(candidate)
            return f"{text}; then multiply by {factor}" if factor else f"{text}, and other numbers"
        return ""


def _place(index: tuple[Any, ...]) -> str:
    return str(tuple(int(k) for k in index))


def _factors(n: int, m: int) -> list[tuple[float, str]]:
    """Return the factors that have a name, with their texts."""
    samples, outputs = f"n = {n} samples", f"m = {m} outputs"
    found = [(1.0, ""), (2.0, "2"), (0.5, "1/2")]
    if n > 1:
        found += [
            (1 / n, f"1/n ({samples}): a sum where a mean is meant"),
            (float(n), f"n ({samples}): divided by n once too often"),
        ]
    if m > 1:
        found += [(1 / m, f"1/m ({outputs})"), (float(m), f"m ({outputs})")]
    if n > 1 and m > 1:
        found += [
            (1 / (n * m), f"1/(n m) ({samples}, {outputs})"),
            (float(n * m), f"n m ({samples}, {outputs})"),
        ]
    negative = [(-factor, f"-{text or '1'}") for factor, text in found]
    return [*found[1:], *negative]


def _reshaped(gradient: FloatArray, shape: tuple[int, ...]) -> Iterator[tuple[str, FloatArray]]:
    if gradient.ndim == 2:
        yield "transposed", np.array(gradient.T)
    squeezed = tuple(k for k in shape if k != 1)
    if tuple(k for k in gradient.shape if k != 1) == squeezed:
        yield "keep the dimension (keepdims=True)", gradient.reshape(shape)
    if gradient.ndim == len(shape) and gradient.ndim > 0:
        yield "sum over the samples", gradient.sum(axis=0, keepdims=True)
