"""Has chainrule become slower since an earlier run?

A contestant is slower where its median has grown by more than both `LEAST_CHANGE` of the old one
and the larger of the two runs' spreads (lowest to highest sample). Only ours are judged; what the
peers' medians did meanwhile tells whether it may be the machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from .report import microseconds, plural
from .results import OURS, Block, Run, Series

LEAST_CHANGE = 0.02


def read_run(path: Path, cpu: str) -> Run:
    """Read an earlier run of this CPU.

    Raises
    ------
    ValueError
        If it is none, or one of another CPU, whose times say nothing.
    OSError
        If it cannot be read.
    """
    try:
        run = Run.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: expected a file of --json, got {error!r}") from error
    if run.machine.get("cpu") != cpu:
        raise ValueError(f"{path}: expected a run on {cpu}, got {run.machine.get('cpu')}")
    return run


def is_slower(new: Series, old: Series) -> bool:
    change = new.median - old.median
    return change > LEAST_CHANGE * old.median and change > max(new.spread, old.spread)


def pairs(run: Run, old: Run) -> Iterator[tuple[Block, Series, Series]]:
    """What both have measured: the block, the new series, the old one."""
    for block in run.blocks:
        before = old.find(block.workload, block.dtype, block.threads)
        for series in block.series if before else []:
            earlier = before.find(series.name) if before else None
            if series.measured and earlier is not None:
                yield block, series, earlier


def compare_runs(run: Run, old: Run) -> tuple[list[str], bool]:
    """The lines to print, and whether all is well: something in common, nothing slower."""
    ours = [pair for pair in pairs(run, old) if pair[1].name in OURS]
    if not ours:
        return [f"compared with {old.date}: no workload of chainrule's in common"], False
    slower = [(b, new, before) for b, new, before in ours if is_slower(new, before)]
    lines = [f"compared with {old.date}: {len(slower)} of {plural(len(ours), 'time')} slower"]
    for block, new, before in slower:
        where = f"{block.workload.name}, {block.dtype}, {plural(block.threads, 'thread')}"
        lines.append(
            f"  {new.name} ({where}): {microseconds(before.median)} to {microseconds(new.median)} "
            f"us {block.workload.unit}, x {new.median / before.median:.2f}; "
            f"spreads {microseconds(before.spread)} and {microseconds(new.spread)}"
        )
    others = [new.median / b.median for _, new, b in pairs(run, old) if new.name not in OURS]
    if others:
        lines.append(f"  the peers meanwhile: x {median(others):.2f} (median of {len(others)})")
    return lines, not slower
