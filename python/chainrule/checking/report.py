"""The table that a gradient check returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["GradientReport", "GradientRow"]

WRONG = "WRONG"
UNKNOWN = "not checkable"
HEAD = ("array", "way", "gradient", "checked", "at kinks", "error", "tolerance", "verdict")


@dataclass(frozen=True)
class GradientRow:
    """One array's line of a `GradientReport`.

    Attributes
    ----------
    array, way : str
        What the gradient belongs to, and who computed it: "layers" or "plan".
    gradient : float
        The largest absolute entry; NaN where there is no gradient of the right shape.
    checked, at_kinks : int
        Entries that were compared, and entries counted apart.
    error, tolerance : float
        Those of the entry that comes nearest to its tolerance, or goes furthest beyond it.
    hint : str
        What was expected and what came, or what would make the gradient right.
    fault : str
        "WRONG" or "not checkable"; empty where `error` and `tolerance` decide.
    rounding : float
        The share of its largest entry by which the gradient's dtype may round it, where that is
        more than the differences are held to; else 0.
    """

    array: str
    way: str
    gradient: float
    checked: int
    at_kinks: int
    error: float
    tolerance: float
    hint: str = ""
    fault: str = ""
    rounding: float = 0.0

    def __bool__(self) -> bool:
        return not self.fault and (self.checked == 0 or self.error <= self.tolerance)

    @property
    def verdict(self) -> str:
        if self.fault:
            return self.fault
        if self.checked:
            return "ok" if self else WRONG
        return "all at kinks" if self.at_kinks else "empty"

    def cells(self) -> tuple[str, ...]:
        """Return the line's texts, one for each column."""
        numbers = (f"{self.gradient:.1e}", f"{self.error:.1e}", f"{self.tolerance:.1e}")
        if self.fault and not self.checked:
            numbers = ("-" if math.isnan(self.gradient) else numbers[0], "-", "-")
        counts = (str(self.checked), str(self.at_kinks))
        return (self.array, self.way, numbers[0], *counts, *numbers[1:], self.verdict)


@dataclass(frozen=True)
class GradientReport:
    """The outcome of `gradcheck`: true if every array is right and something was checked.

    `notes` are remarks on the whole: which layer is the cause, what may be a parameter.
    """

    title: str
    rows: tuple[GradientRow, ...]
    plan: str = ""
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return all(self.rows) and any(row.checked for row in self.rows)

    def __str__(self) -> str:
        table = [HEAD, *(row.cells() for row in self.rows)]
        widths = [max(len(line[k]) for line in table) for k in range(len(HEAD))]
        lines = [
            "  ".join(
                cell.rjust(width) if 2 <= k <= 6 else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        ]
        body = [
            text
            for line, row in zip(lines[1:], self.rows, strict=True)
            for text in [line, *(f"    {hint}" for hint in row.hint.splitlines())]
        ]
        above = [self.title, lines[0], "-" * max(map(len, lines))]
        return "\n".join([*above, *body, *self.remarks(), self.end()])

    def remarks(self) -> list[str]:
        """Return what is said of the whole: notes, rounding that shows, the plan."""
        worst = max(self.rows, key=lambda row: row.rounding if row else 0.0, default=None)
        rounded = []
        if worst is not None and worst and worst.rounding > 0:
            rounded.append(
                f"float32 rounds gradients by up to {100 * worst.rounding:.2g} % of their largest "
                f"entry ({worst.array}); in float64 they agree"
            )
        return [*self.notes, *rounded, *filter(None, [self.plan])]

    def end(self) -> str:
        """Return the last line: what it all amounts to."""
        if any(row.verdict == WRONG for row in self.rows):
            return "the gradient is WRONG"
        unknown = sum(row.verdict == UNKNOWN for row in self.rows)
        if unknown:
            return f"{unknown} of {len(self.rows)} arrays could not be checked"
        return f"all {len(self.rows)} arrays agree" if self else "nothing could be checked"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..seeing.cards import report_card

        return report_card(self).html()
