"""The table that a gradient check returns."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GradientReport", "GradientRow"]


@dataclass(frozen=True)
class GradientRow:
    """One array's line of a `GradientReport`.

    `gradient` is the largest absolute entry; `error` and `tolerance` are those of the entry that
    comes nearest to its tolerance (or goes furthest beyond it).
    """

    array: str
    way: str
    gradient: float
    checked: int
    at_kinks: int
    error: float
    tolerance: float

    def __bool__(self) -> bool:
        return self.checked == 0 or self.error <= self.tolerance

    @property
    def verdict(self) -> str:
        return ("ok" if self else "WRONG") if self.checked else "all at kinks"


@dataclass(frozen=True)
class GradientReport:
    """The outcome of `gradcheck`: true if every array is right and something was checked."""

    title: str
    rows: tuple[GradientRow, ...]
    plan: str = ""

    def __bool__(self) -> bool:
        return all(self.rows) and any(row.checked for row in self.rows)

    def __str__(self) -> str:
        head = ("array", "way", "gradient", "checked", "at kinks", "error", "tolerance", "verdict")
        cells = [
            (r.array, r.way, f"{r.gradient:.1e}", str(r.checked), str(r.at_kinks),
             f"{r.error:.1e}", f"{r.tolerance:.1e}", r.verdict)
            for r in self.rows
        ]  # fmt: skip
        widths = [max(len(line[k]) for line in [head, *cells]) for k in range(len(head))]
        lines = [
            "  ".join(
                cell.rjust(width) if 2 <= k <= 6 else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in [head, *cells]
        ]
        lines.insert(1, "-" * max(map(len, lines)))
        end = f"all {len(self.rows)} arrays agree" if self else "the gradient is WRONG"
        if not any(row.checked for row in self.rows):
            end = "nothing could be checked"
        return "\n".join([self.title, *lines, *([self.plan] if self.plan else []), end])

    __repr__ = __str__
