"""The report as a Markdown page, all of it: how it was measured, machine, tables, picture.

Nothing in it is written by hand, so that one command writes it anew.
"""

from __future__ import annotations

import os
from pathlib import Path

from .report import header_lines, microseconds, percent, plural, spread, worst_line
from .results import OURS, YARDSTICK, Block, Run
from .workloads import FIRST_CALL, JOBS, ONLINE, PRACTICE, PREDICT, TRAIN

HEAD = """\
# Benchmarks

Written by `chainrule bench`. Every contestant runs in a process of its own, pinned to its cores;
all do the same steps from the same parameters, and what they compute is compared with a loop in
float64 first. Then they are measured in turns, round after round. Times faster means the
contestant's time by chainrule's in the same round: the median of the rounds, in brackets the
lowest and the highest. What limits these figures: [kernels.md](kernels.md).

`numpy` is a loop written by hand, `numpy-classes` the notebooks' classes, `numba` their formulas
compiled; `jax step` calls one jitted step from Python, `jax loop` (`fori_loop`) and `jax scan`
(`scan`, four steps unrolled) have the whole loop jitted, `rbg` with that generator for dropout
instead of threefry. Predictions and online calls go from NumPy to NumPy. The numbers of a first
call begin where NumPy has been imported.

`--json FILE` keeps every sample, and `--compare FILE` sets a later run on the same CPU beside it.
A time is called slower where its median has grown by more than 2 % and by more than the larger of
the two runs' spreads (lowest to highest sample); then the command fails.
"""

TITLES = {
    TRAIN: "Training steps: plain, batches in order",
    PRACTICE: "Practice: Adam, shuffled batches, dropout, validation every epoch",
    PREDICT: "Predictions",
    ONLINE: "Online: a call for each row",
    FIRST_CALL: "First call of a process",
}


def write_markdown(path: Path, run: Run, plot: Path | None) -> None:
    """Write the page."""
    path.write_text("\n".join(markdown_lines(run, _link(path, plot))), encoding="utf-8")


def _link(page: Path, plot: Path | None) -> str | None:
    if plot is None:
        return None
    return Path(os.path.relpath(plot, page.parent)).as_posix()


def markdown_lines(run: Run, plot: str | None) -> list[str]:
    """The page, line by line."""
    lines = [HEAD, *(f"* {line}" for line in header_lines(run)), "", "```", run.command, "```", ""]
    if plot is not None:
        lines += [f"![Times of the peers by chainrule's]({plot})", ""]
    for ours in OURS:
        lines += _overview(run, ours)
    for job in JOBS:
        lines += _details(run, job)
    return [*lines, f"**{worst_line(run)}**", "", *_remarks(run)]


def _lines(rows: list[list[str]]) -> list[str]:
    """A Markdown table, its first row the header."""
    rule = ["---", *["---:"] * (len(rows[0]) - 1)]
    return ["| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]]]


def _overview(run: Run, ours: str) -> list[str]:
    """Times faster than the decisive peer, which is named, for each dtype and thread count."""
    groups = [group for group in run.groups() if any(b.decisive(ours) for b in group[2])]
    if not groups:
        return []
    against = f"`{YARDSTICK[ours]}`" if ours in YARDSTICK else "the best peer"
    rows = [["workload", *(f"{dtype}, {plural(n, 'thread')}" for dtype, n, _ in groups)]]
    for workload in dict.fromkeys(b.workload for *_, blocks in groups for b in blocks):
        cells = [_decisive(run.find(workload, dtype, n), ours) for dtype, n, _ in groups]
        if any(cells):
            rows.append([f"`{workload.name}`", *cells])
    return [f"## {ours}: times faster than {against}", "", *_lines(rows), ""]


def _decisive(block: Block | None, ours: str) -> str:
    ratio = block.decisive(ours) if block else None
    return f"{spread(ratio)} {ratio.peer}" if ratio else ""


def _details(run: Run, job: str) -> list[str]:
    """All contestants' times at one job, a table for each of our paths, dtype and threads."""
    lines: list[str] = []
    for ours in OURS:
        for dtype, threads, blocks in run.groups():
            measured = [b for b in blocks if b.workload.job == job and b.find(ours)]
            if measured:
                lines += [f"### {ours}, {dtype}, {plural(threads, 'thread')}", ""]
                lines += [*_table(ours, measured), ""]
    if not lines:
        return []
    unit = next(b.workload.unit for b in run.blocks if b.workload.job == job)
    explained = (
        f"Microseconds {unit}: median (minimum); of the others the median and in square brackets "
        "how many times faster chainrule is."
    )
    return [f"## {TITLES[job]}", "", explained, "", *lines]


def _table(ours: str, blocks: list[Block]) -> list[str]:
    peers = list(dict.fromkeys(r.peer for block in blocks for r in block.ratios(ours)))
    rows = [_row(ours, block, peers) for block in blocks]
    return _lines([["workload", ours, "of peak", *peers], *rows])


def _row(ours: str, block: Block, peers: list[str]) -> list[str]:
    own = block.find(ours)
    assert own is not None
    cells = [
        f"`{block.workload.name}`",
        f"**{microseconds(own.median)}** ({microseconds(own.minimum)})",
        percent(block.share_of_peak(own)),
    ]
    decisive = block.decisive(ours)
    for peer in peers:
        series, ratio = block.find(peer), block.ratio(ours, peer)
        text = f"{microseconds(series.median)} [{spread(ratio)}]" if series else "-"
        cells.append(f"**{text}**" if decisive and peer == decisive.peer else text)
    return cells


def _remarks(run: Run) -> list[str]:
    """The workloads, and what took no part, with the reason, each once."""
    workloads = dict.fromkeys(block.workload for block in run.blocks)
    lines = ["## Workloads", ""]
    lines += [f"* `{workload.name}`: {workload.describe()}" for workload in workloads]
    reasons: dict[str, list[str]] = {}
    for block in run.blocks:
        for series in (s for s in block.series if s.problem):
            names = reasons.setdefault(f"{series.name}: {series.problem}", [])
            names += [block.workload.name] * (block.workload.name not in names)
    missing = [f"* {why} ({', '.join(names)})" for why, names in reasons.items()]
    return [*lines, "", *(["Not measured:", "", *missing, ""] if missing else [])]
