"""``chainrule bench``: read the arguments, run, report."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from .comparison import compare_runs, read_run
from .machine import allowed_cores, cpu_name, describe_machine
from .markdown import write_markdown
from .measurement import Settings, Team, blocks, team
from .peers import PATHS, PEERS
from .plot import write_plot
from .progress import StatusLine
from .report import block_lines, header_lines, summary_lines
from .results import Run
from .workloads import GRID, GROUPS, select

DTYPES = ("float32", "float64")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; '{self.prog} --help' shows what is possible\n")


def make_parser() -> argparse.ArgumentParser:
    names = ", ".join(workload.name for workload in GRID)
    parser = _Parser(
        prog="chainrule bench",
        description="Compare chainrule's speed with other libraries on this machine. "
        "All take the same steps from the same parameters, which is checked first; then each is "
        "measured in its own process, in turns. Let nothing else run meanwhile.",
        epilog=f"Workloads: {names}; groups of them: {', '.join(GROUPS)}. Default: nine.",
    )
    add = parser.add_argument
    add("--workloads", type=_words, default=["nine"], metavar="A,B")
    add("--peers", type=_words, default=list(PEERS), metavar="A,B", help=f"of {', '.join(PEERS)}")
    add("--threads", type=_numbers, metavar="1,2", help="default: 1,2 if there are two cores")
    add("--dtype", type=_words, default=["float32"], metavar="A,B", help="of float32, float64")
    add("--path", type=_words, default=list(PATHS), metavar="A,B",
        help="plan (Model.train), layers (the classes in a Python loop)")  # fmt: skip
    add("--batch", type=int, metavar="N", help="another batch size for every workload")
    add("--repeats", type=int, default=7, metavar="N", help="rounds of measurements (default: 7)")
    add("--minutes", type=float, metavar="N",
        help="fewer rounds where the run would take longer, one at least")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="write every sample")
    add("--compare", type=Path, metavar="FILE",
        help="an earlier --json: name what has become slower, and then fail")  # fmt: skip
    add("--plot", type=Path, metavar="FILE", help="draw the ratios (needs matplotlib)")
    add("--markdown", type=Path, metavar="FILE", help="write the report as a page, all of it")
    return parser


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers, got {text}") from None


def make_settings(options: argparse.Namespace) -> Settings:
    """The settings that the arguments ask for.

    Raises
    ------
    ValueError
        If a name is unknown or a number out of range.
    """
    cores = len(allowed_cores())
    threads = options.threads or ([1, 2] if cores > 1 else [1])
    _among("--peers", options.peers, PEERS)
    _among("--path", options.path, PATHS)
    _among("--dtype", options.dtype, DTYPES)
    _at_least_one("--repeats", options.repeats)
    for n in threads:
        if not 1 <= n <= cores:
            raise ValueError(f"--threads: expected 1 to {cores} (the cores to be had), got {n}")
    workloads = select(options.workloads)
    if options.batch is not None:
        _at_least_one("--batch", options.batch)
        workloads = [workload.with_batch(options.batch) for workload in workloads]
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise ValueError(f"--minutes: expected a number above 0, got {options.minutes:g}")
    return Settings(
        workloads, options.peers, options.path, threads, options.dtype, options.repeats,
        minutes=options.minutes,
    )  # fmt: skip


def _among(option: str, words: Sequence[str], known: Sequence[str]) -> None:
    for word in words:
        if word not in known:
            raise ValueError(f"{option}: expected some of {', '.join(known)}, got {word}")


def _at_least_one(option: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{option}: expected at least 1, got {number}")


def measure(settings: Settings, command: str) -> Run:
    """Run all blocks; print the header and each block as soon as it is done."""
    status = StatusLine()
    date = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    run = Run(command, date, describe_machine(), {}, {})
    with team() as members:
        status("starting the processes")
        start(settings, members, run)
        status.clear()
        print("\n".join(header_lines(run)), end="\n\n", flush=True)
        for block in blocks(settings, members, status):
            run.blocks.append(block)
            status.clear()
            print("\n".join(block_lines(block)), end="\n\n", flush=True)
    return run


def start(settings: Settings, members: Team, run: Run) -> None:
    """Start every process; note what each of them is."""
    for contestant in settings.contestants(workload.job for workload in settings.workloads):
        for threads in settings.threads:
            about = members.introduce(contestant, threads)
            if about is not None:
                run.versions.update(about["versions"])
                run.contestants[contestant.name] = about


def write_files(options: argparse.Namespace, run: Run) -> bool:
    """Write what was asked for; False if something could not be written (and why is printed)."""
    try:
        if options.json:
            options.json.write_text(json.dumps(run.to_json(), indent=1), encoding="utf-8")
        if options.plot:
            write_plot(options.plot, run)
        if options.markdown:
            write_markdown(options.markdown, run, options.plot)
    except (OSError, ImportError, ValueError) as error:
        print(f"chainrule bench: {error}", file=sys.stderr)
        return False
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Returns
    -------
    int
        0; 1 if a contestant failed or computes something else, a file could not be written, or
        with ``--compare`` something has become slower; 130 after Ctrl-C.

    Raises
    ------
    SystemExit
        From argparse: after ``--help`` (0) and wrong arguments (2).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        settings = make_settings(options)
        old = read_run(options.compare, cpu_name()) if options.compare else None
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        run = measure(settings, shlex.join(["chainrule", "bench", *arguments]))
    except KeyboardInterrupt:
        print("\nchainrule bench: interrupted", file=sys.stderr)
        return 130
    written = write_files(options, run)
    compared, as_fast = compare_runs(run, old) if old else ([], True)
    print("\n".join([*compared, *summary_lines(run)]))
    failed = any(series.failed for block in run.blocks for series in block.series)
    return 1 if failed or not written or not as_fast else 0
