"""The tables for the terminal: one for each block as it is done, a summary at the end."""

from __future__ import annotations

from statistics import median

from .results import OURS, YARDSTICK, Block, Ratio, Run, Series, worst
from .workloads import PRACTICE, PREDICT


def microseconds(seconds: float) -> str:
    """Three or more significant digits: 0.104, 1.57, 12.3, 1,210."""
    value = seconds * 1e6
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:,.1f} ms"


def percent(share: float | None) -> str:
    if share is None:
        return ""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


def times(factor: float | None) -> str:
    return "" if factor is None else f"x {factor:.2f}"


def spread(ratio: Ratio | None) -> str:
    """``2.03 (1.98 to 2.10)``; empty without a ratio."""
    if ratio is None:
        return ""
    return f"{ratio.median:.2f} ({ratio.lowest:.2f} to {ratio.highest:.2f})"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def table(rows: list[list[str]], left: int = 1) -> list[str]:
    """Rows of equal length as aligned lines; the first `left` columns are set to the left."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def block_lines(block: Block) -> list[str]:
    """One workload: every contestant's times, then how far ahead we are of each."""
    ours = [name for name in OURS if block.find(name)]
    short = [name.removeprefix("chainrule ") for name in ours]
    header = ["", "median", "minimum", "of peak", "first call"]
    rows = [[*header, *(f"{name} faster by" for name in short)]]
    for series in block.series:
        if series.measured:
            figures = _figures(block, series)
            rows.append([f"  {series.name}", *figures, *_ahead(block, series, ours)])
    title = f"{block.workload.name}: {block.workload.describe()}"
    where = f"{block.dtype}, {plural(block.threads, 'thread')}"
    lines = [title, f"  {where}; microseconds {block.workload.unit}{_peak(block)}"]
    lines += table(rows) if len(rows) > 1 else []
    lines += [f"  {s.name}: {s.note}" for s in block.series if s.note]
    lines += [f"  {s.name}: not measured: {s.problem}" for s in block.series if not s.measured]
    return [*lines, *_doubts(block), *_agreement(block)]


def _figures(block: Block, series: Series) -> list[str]:
    return [
        microseconds(series.median),
        microseconds(series.minimum),
        percent(block.share_of_peak(series)),
        milliseconds(series.first_call),
    ]


def _ahead(block: Block, series: Series, ours: list[str]) -> list[str]:
    if series.name in OURS:
        return [""] * len(ours)
    return [spread(block.ratio(name, series.name)) for name in ours]


def _peak(block: Block) -> str:
    if not block.peak_gflops:
        return f"; peak not measured: {block.peak_problem}"
    each = " a thread" if block.threads > 1 else ""
    return f"; peak {median(block.peak_gflops):.0f} GFLOP/s{each}"


def _doubts(block: Block) -> list[str]:
    shares = [block.share_of_peak(series) or 0.0 for series in block.series if series.measured]
    if max(shares, default=0.0) <= 1.0:
        return []
    return ["  a share above 100 %: the peak was measured too low, on a busy machine for instance"]


def _agreement(block: Block) -> list[str]:
    errors = [s.loss_error for s in block.series if s.loss_error is not None and not s.failed]
    if not errors:
        return []
    return [
        f"  {_checked(block)}: all within {max(errors):.1e} of a "
        f"float64 loop (relative; tolerance {block.tolerance:.0e})"
    ]


def _checked(block: Block) -> str:
    if block.workload.job == PREDICT:
        return "outputs"
    if block.workload.job == PRACTICE:
        return "losses without dropout and in order"
    return f"loss after {plural(block.check_steps, 'step')}"


def summary_lines(run: Run) -> list[str]:
    """A row for each workload: our time, the decisive peer, the ratio; then the worst."""
    lines: list[str] = []
    for ours in OURS:
        against = f"against {YARDSTICK[ours]}" if ours in YARDSTICK else "against the best peer"
        for dtype, threads, blocks in run.groups():
            rows = [[b.workload.name, *_summary(run, b, ours)] for b in blocks if b.find(ours)]
            if rows:
                header = ["", "microseconds", "of peak", "by threads"]
                header += ["decisive peer", "microseconds", "faster by"]
                title = f"{ours} {against}, {dtype}, {plural(threads, 'thread')}"
                lines += [title, *("  " + line for line in table([header, *rows])), ""]
    return [*lines, worst_line(run)]


def _summary(run: Run, block: Block, ours: str) -> list[str]:
    own, ratio = block.find(ours), block.decisive(ours)
    assert own is not None
    peer = block.find(ratio.peer) if ratio else None
    return [
        microseconds(own.median),
        percent(block.share_of_peak(own)),
        times(run.speed_up(block, ours)),
        ratio.peer if ratio else "",
        microseconds(peer.median) if peer else "",
        spread(ratio),
    ]


def worst_line(run: Run) -> str:
    """The last line: where we are least ahead."""
    parts = []
    for ours in OURS:
        found = worst(run.blocks, ours)
        if found:
            block, ratio = found
            where = f"{block.workload.name}, {block.dtype}, {plural(block.threads, 'thread')}"
            name = ours.removeprefix("chainrule ")
            parts.append(f"{name} {spread(ratio)} against {ratio.peer} ({where})")
    return "worst ratio: " + ("; ".join(parts) or "none: no peer and chainrule on one workload")


def header_lines(run: Run) -> list[str]:
    """The machine, the versions, and which BLAS kernels run."""
    machine = run.machine
    extensions = ", ".join(machine["vector_extensions"])
    size = f"{plural(machine['cores'], 'core')}, {machine['memory_gib']} GiB"
    lines = [
        f"{machine['cpu']}, {size}; {extensions}",
        f"{machine['system']}, Python {machine['python']}, {run.date}",
        ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items())),
    ]
    blas: dict[str, list[str]] = {}
    for name, about in run.contestants.items():
        if about["blas"]:
            blas.setdefault(about["blas"], []).append(name)
    return [*lines, *(f"BLAS of {', '.join(names)}: {text}" for text, names in blas.items())]
