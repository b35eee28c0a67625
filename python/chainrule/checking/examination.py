"""The examination of one subject: its passes, its slopes, and a row for each of its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparison import Compared, Sample, compare_own, compare_wide, sample_of
from .copies import Copies
from .diagnosis import Diagnosis, Facts
from .differences import SHARE, Differences
from .gradients import Parameter
from .kinks import branches_of
from .noise import EPS, SAFETY, Condition, condition_of, largest
from .repeats import ADDS, DEPENDS, Repeats, shaped
from .report import UNKNOWN, WRONG, GradientRow

NOTHING = (0, 0, 0.0, 0.0)


class Examination:
    """Gradients of `copies`' thing against slopes of its float64 copy.

    Attributes
    ----------
    repeats : Repeats
        The passes in its own dtype.
    samples : dict
        The slopes of each array, by label; empty where differences would say nothing.
    unsteady : str
        Why they would say nothing.
    """

    def __init__(self, copies: Copies, full: bool) -> None:
        self.copies = copies
        self.repeats = Repeats(copies.own)
        self.own = self.repeats.own
        self.samples: dict[str, Sample] = {}
        self.unsteady = "" if self.repeats.steady else "not compared: the value is not steady"
        if self.unsteady:
            return
        self.eps = _eps([self.own.inputs, *self.own.arrays().values()])
        twin = copies.wide(self.own)
        terms = twin.terms()
        if not np.isfinite(terms).all():
            bad = float(terms[~np.isfinite(terms)][0])
            self.unsteady = f"the value holds {bad}: nothing to compare with"
            return
        self.wide = shaped(twin.gradients(), twin)
        self.condition: Condition = condition_of(twin, self.wide, self.repeats.faults)
        twin.gradients()
        pairs = zip(branches_of(twin), branches_of(self.own), strict=True)
        base = [branch.doubtful(other, self.eps) for branch, other in pairs]
        self.whole = not any(branch.apart.any() for branch in base)
        self.differences = Differences(twin, base, self.condition)
        for label, array in twin.arrays().items():
            if label not in self.repeats.found:
                continue  # no slope would help
            self.samples[label] = sample_of(self.differences, array, full)
            if label in self.wide:
                sample, gradient = self.samples[label], self.wide[label]
                compare_wide(self.differences, label, sample, gradient, self.eps, full)

    def rows(
        self, gradients: Mapping[str, NDArray[Any] | None], way: str = "layers"
    ) -> list[GradientRow]:
        """Return the rows of `gradients`, those of the subject's own passes or other ones."""
        labels = ["inputs", *(p.label for p in self.own.parameters)]
        rest = [label for label in self.repeats.faults if label not in labels]
        return [
            *(self._fault_row(label, way) for label in rest if label.endswith("output")),
            *(self._row(label, gradients.get(label), way) for label in labels),
            *(self._fault_row(label, way) for label in rest if not label.endswith("output")),
        ]

    def _fault_row(self, label: str, way: str) -> GradientRow:
        fault, text = self.repeats.faults[label]
        return GradientRow(label, way, np.nan, *NOTHING, text, fault)

    def _row(self, label: str, gradient: Any, way: str) -> GradientRow:
        fault, text = self.repeats.faults.get(label, ("", ""))
        if label in self.samples and gradient is not None:
            row = self.compared(label, gradient, way)
            if not fault:
                return row
            hint = row.hint if ADDS in text or not text.startswith(DEPENDS) else ""
            return replace(row, fault=fault, hint="\n".join(filter(None, [text, hint])))
        got = self.repeats.found.get(label)
        if got is not None and label in self.samples and got.dtype.kind == "f":
            shape = self.diagnosis(label, SAFETY * self.eps * largest(got)).of_shape(got)
            text += f": {shape}" if shape else ""
        size = np.nan if got is None or got.dtype.kind not in "fiu" else largest(got)
        return GradientRow(label, way, size, *NOTHING, text or self.unsteady, fault or UNKNOWN)

    def compared(
        self, label: str, gradient: NDArray[Any], way: str, extra: float = 0.0
    ) -> GradientRow:
        """Return the row of one gradient of the right shape; `extra`: see `compare_own`."""
        sample = self.samples[label]
        if label not in self.wide:
            return GradientRow(label, way, largest(gradient), *NOTHING,
                               "in float64 it has another form", UNKNOWN)  # fmt: skip
        pairs = compare_own(self.differences, label, sample, gradient, self.eps, extra)
        pairs += self._everywhere(label, gradient, extra)
        pairs += sample.wide
        worst = max(pairs, key=lambda pair: pair.ratio, default=None)
        faults = {pair.fault for pair in pairs}
        fault = WRONG if WRONG in faults else UNKNOWN if UNKNOWN in faults else ""
        if not np.isfinite(gradient).all():
            fault = WRONG
        error, tolerance = (worst.error, worst.allowed) if worst else (0.0, 0.0)
        usable = sample.usable
        rounding = self.condition.of_gradient(label, max(self.eps, self.condition.eps)) + extra
        hint = self._hint(label, gradient, fault, worst, rounding)
        shows = sample.size > 0 and rounding > SHARE * sample.size and self.eps > EPS and not hint
        return GradientRow(
            label, way, largest(gradient), len(usable), len(sample.slopes) - len(usable),
            error, tolerance, hint, fault, rounding / sample.size if shows else 0.0,
        )  # fmt: skip

    def _everywhere(self, label: str, gradient: NDArray[Any], extra: float) -> list[Compared]:
        """Compare with the gradient of the float64 copy at every entry, where no kink is near."""
        if not self.whole or gradient.size == 0:
            return []
        wide = self.wide[label]
        with np.errstate(invalid="ignore"):
            errors = np.nan_to_num(np.abs(gradient - wide), nan=0.0, posinf=0.0)
        index = int(errors.argmax())
        allowed = self.condition.of_gradient(label, max(self.eps, self.condition.eps)) + extra
        allowed += float(np.finfo(gradient.dtype).tiny)
        got = float(gradient.flat[index])
        return [Compared(index, float(wide.flat[index]), got, allowed, allowed)]

    def _hint(
        self,
        label: str,
        gradient: NDArray[Any],
        fault: str,
        worst: Compared | None,
        rounding: float,
    ) -> str:
        sample = self.samples[label]
        if fault == WRONG:
            hint = self.diagnosis(label, rounding).of_value(gradient)
            if worst is None or hint:
                return hint
            where = np.unravel_index(worst.index, gradient.shape)
            place = tuple(int(k) for k in where)
            return f"at {place}: expected {worst.expected:.6g}, got {worst.got:.6g}"
        if fault == UNKNOWN and worst is not None:
            return (
                f"the difference is uncertain by {worst.doubtful:.1e}, more than "
                f"{SHARE:g} of the gradient{self._why()}"
            )
        if worst is not None and max(largest(gradient), sample.size) <= worst.allowed:
            return "0 within rounding: a factor would not be seen in this batch"
        return ""

    def _why(self) -> str:
        if self.condition.eps <= EPS:
            return ""
        patched = getattr(np.dot, "__module__", "numpy") or "numpy"
        why = "" if patched.startswith("numpy") else f"; numpy.dot has been replaced by {patched}"
        return f": forward computes in less than float64{why}"

    def diagnosis(self, label: str, rounding: float) -> Diagnosis:
        """Return the diagnosis of one array."""
        return Diagnosis(self.samples[label], self._facts(label), rounding)

    def _facts(self, label: str) -> Facts:
        own = self.own
        shape = np.shape(own.output)
        facts = Facts(len(own.inputs), shape[-1] if len(shape) > 1 else 1)
        if label == "inputs":
            dvalues = own.walk.dvalues[0] if own.walk.dvalues else None
            if dvalues is None or own.parameters or np.shape(dvalues) != own.inputs.shape:
                return facts
            return replace(facts, dvalues=np.asarray(dvalues))
        parameter = _of(own.parameters, label)
        l1, l2 = own.strengths(parameter)
        array = np.asarray(own.held(parameter), dtype=np.float64)
        return replace(facts, l1=l1 * np.where(array >= 0, 1.0, -1.0), l2=2 * l2 * array)


def _of(parameters: tuple[Parameter, ...], label: str) -> Parameter:
    return next(parameter for parameter in parameters if parameter.label == label)


def _eps(arrays: list[Any]) -> float:
    """The coarsest unit of rounding at work."""
    return max(float(np.finfo(array.dtype).eps) for array in arrays)
