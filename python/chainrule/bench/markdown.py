"""The report as a Markdown page: machine, versions, date, command, tables, plot.

If the file exists and holds the two marks, only what stands between them is replaced, so that
remarks written by hand round the numbers stay.
"""

from __future__ import annotations

from pathlib import Path

from .report import header_lines, microseconds, percent, plural, spread, worst_line
from .results import OURS, Block, Run

BEGIN = "<!-- measured by chainrule bench: begin -->"
END = "<!-- measured by chainrule bench: end -->"
TITLE = "# Benchmarks"


def write_markdown(path: Path, run: Run, plot: Path | None) -> None:
    """Write the page, or renew the measured part of an existing one."""
    measured = "\n".join([BEGIN, "", *markdown_lines(run, _link(path, plot)), END])
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    text = before + measured + after if begin and end else f"{TITLE}\n\n{measured}\n"
    path.write_text(text, encoding="utf-8")


def _link(page: Path, plot: Path | None) -> str | None:
    if plot is None:
        return None
    try:
        return plot.resolve().relative_to(page.resolve().parent).as_posix()
    except ValueError:
        return plot.as_posix()


def markdown_lines(run: Run, plot: str | None) -> list[str]:
    """The measured part, line by line."""
    lines = [*(f"* {line}" for line in header_lines(run)), "", "```", run.command, "```", ""]
    if plot is not None:
        lines += [f"![Times of the peers by chainrule's]({plot})", ""]
    lines += [
        "Microseconds a step: median (minimum). For each peer the median and, in brackets, how",
        "many times faster chainrule is: median of the rounds (lowest to highest).",
        "",
    ]
    for ours in OURS:
        for dtype, threads, blocks in run.groups():
            measured = [block for block in blocks if block.find(ours)]
            if measured:
                lines += [f"## {ours}, {dtype}, {plural(threads, 'thread')}", ""]
                lines += [*_table(ours, measured), ""]
    lines += [f"**{worst_line(run)}**", "", *_remarks(run)]
    return lines


def _table(ours: str, blocks: list[Block]) -> list[str]:
    peers = list(dict.fromkeys(r.peer for block in blocks for r in block.ratios(ours)))
    header = ["workload", ours, "of peak", *peers]
    rows = [_row(ours, block, peers) for block in blocks]
    rule = ["---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(row) + " |" for row in [header, rule, *rows]]


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
    """What took no part, with the reason, each once."""
    reasons = dict.fromkeys(
        f"* {series.name}: {series.problem}"
        for block in run.blocks
        for series in block.series
        if series.problem
    )
    lines = ["Workloads:", ""]
    workloads = dict.fromkeys(block.workload for block in run.blocks)
    lines += [f"* `{workload.name}`: {workload.describe()}" for workload in workloads]
    return [*lines, "", *(["Not measured:", "", *reasons, ""] if reasons else [])]
