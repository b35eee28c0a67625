"""The run: check that all contestants agree, then measure them in turns.

In each round every contestant is measured once, in one process after the other, every second
round in reverse order; a short rest in between lets the last one's threads fall asleep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from .agreement import LOSS_TOLERANCE, check_steps, compare, reference
from .peers import CONTESTANTS, Contestant
from .process import Missing, NotSupported, WorkerFailed, WorkerProcess
from .results import Block, Series
from .worker import PEAK
from .workloads import Workload

Progress = Callable[[str], None]

REST_SECONDS = 0.03
# A contestant with this many samples is left alone once they have taken that long.
ENOUGH_SAMPLES, ENOUGH_SECONDS = 3, 5.0
PEAK_SECONDS = 0.05


@dataclass(frozen=True)
class Settings:
    """What to measure. `seconds` is aimed at for one measurement of one contestant."""

    workloads: list[Workload]
    peers: list[str]
    paths: list[str]
    threads: list[int]
    dtypes: list[str]
    repeats: int = 7
    seconds: float = 0.15

    def contestants(self) -> list[Contestant]:
        chosen = {*self.paths, *self.peers}
        return [c for c in CONTESTANTS if c.choice in chosen]


@dataclass
class Team:
    """The processes, started when they are first needed."""

    processes: dict[tuple[str, int], WorkerProcess] = field(default_factory=dict)
    problems: dict[str, WorkerFailed] = field(default_factory=dict)

    def member(self, contestant: Contestant, threads: int) -> WorkerProcess:
        """The contestant's process.

        Raises
        ------
        WorkerFailed
            If it cannot take part; then it is not tried again.
        """
        if contestant.name in self.problems:
            raise self.problems[contestant.name]
        key = contestant.name, threads
        if key not in self.processes:
            process = WorkerProcess(contestant.name, threads)
            try:
                process.about = process.ask("about")
            except WorkerFailed as error:
                process.end()
                self.problems[contestant.name] = absence(contestant, error)
                raise self.problems[contestant.name] from error
            self.processes[key] = process
        return self.processes[key]

    def introduce(self, contestant: Contestant, threads: int) -> dict[str, Any] | None:
        """What the contestant's process tells of itself; None if it cannot take part."""
        try:
            return self.member(contestant, threads).about
        except WorkerFailed:
            return None

    def peak_meter(self) -> WorkerProcess:
        """The process that measures the machine's peak, on one core."""
        if (PEAK, 1) not in self.processes:
            self.processes[PEAK, 1] = WorkerProcess(PEAK, 1)
        return self.processes[PEAK, 1]

    def drop(self, name: str, threads: int) -> None:
        process = self.processes.pop((name, threads), None)
        if process is not None:
            process.end()

    def end(self) -> None:
        for process in self.processes.values():
            process.end()
        self.processes.clear()


@contextmanager
def team() -> Iterator[Team]:
    """A team whose processes end with the block, whatever happens in it."""
    members = Team()
    try:
        yield members
    finally:
        members.end()


def absence(contestant: Contestant, error: WorkerFailed) -> WorkerFailed:
    """Why a contestant cannot take part, and what would help; that we cannot is a failure."""
    if not isinstance(error, Missing):
        return error
    if contestant.ours:
        return WorkerFailed(str(error))
    return Missing(f"{contestant.package} is not installed; {contestant.remedy}")


def blocks(settings: Settings, members: Team, progress: Progress) -> Iterator[Block]:
    """Measure every workload with every dtype and thread count, one block after the other."""
    for dtype in settings.dtypes:
        for workload in settings.workloads:
            expected: dict[str, Any] | None = None
            for threads in settings.threads:
                title = f"{workload.name}, {dtype}, {threads} thread{'s' * (threads > 1)}"
                if expected is None:
                    progress(f"{title}: reference")
                    expected = reference(workload, dtype)
                block = Block(
                    workload, dtype, threads, check_steps(workload), LOSS_TOLERANCE[dtype], []
                )
                Course(block, settings, members, progress, title).run(expected)
                yield block


class Course:
    """One block's way: open and check everybody, measure in rounds, close."""

    def __init__(
        self, block: Block, settings: Settings, members: Team, progress: Progress, title: str
    ) -> None:
        self.block, self.settings, self.members = block, settings, members
        self._progress, self._title = progress, title
        self.running: dict[str, tuple[WorkerProcess, Series]] = {}

    def progress(self, text: str) -> None:
        self._progress(f"{self._title}: {text}")

    def run(self, expected: dict[str, Any]) -> None:
        for contestant in self.settings.contestants():
            series = Series(contestant.name)
            self.block.series.append(series)
            self.progress(f"{contestant.name}: first call and check")
            self._guard(series, partial(self._enter, contestant, series, expected))
        for k in range(self.settings.repeats):
            self._round(k)
        for process, series in list(self.running.values()):
            self._guard(series, partial(process.ask, "close"))

    def _guard(self, series: Series, action: Callable[[], Any]) -> None:
        """Do it; a contestant that fails is out of this block, its process is replaced."""
        try:
            action()
        except WorkerFailed as error:
            series.problem = str(error)
            series.failed = not isinstance(error, (Missing, NotSupported))
            series.seconds.clear()
            self.running.pop(series.name, None)
            if series.failed:
                self.members.drop(series.name, self.block.threads)

    def _enter(self, contestant: Contestant, series: Series, expected: dict[str, Any]) -> None:
        block = self.block
        process = self.members.member(contestant, block.threads)
        workload = asdict(block.workload)
        process.ask("open", workload=workload, dtype=block.dtype, threads=block.threads)
        got = process.ask("first", steps=block.check_steps)
        series.first_call, series.note = got["seconds"], got["note"]
        series.loss_error, problem = compare(got, expected, block.dtype)
        if problem:
            series.failed = True
            steps = f"{block.check_steps} step{'s' * (block.check_steps > 1)}"
            series.problem = f"computes something else: after {steps} {problem}"
            process.ask("close")
            return
        series.steps = process.ask("calibrate", seconds=self.settings.seconds)["steps"]
        self.running[series.name] = process, series

    def _round(self, k: int) -> None:
        self._measure_peak()
        turn = list(self.running.values())
        for process, series in reversed(turn) if k % 2 else turn:
            if len(series.seconds) >= ENOUGH_SAMPLES and series.total > ENOUGH_SECONDS:
                continue
            self.progress(f"round {k + 1} of {self.settings.repeats}: {series.name}")
            time.sleep(REST_SECONDS)
            self._guard(series, partial(self._sample, process, series))

    @staticmethod
    def _sample(process: WorkerProcess, series: Series) -> None:
        series.seconds.append(process.ask("sample", steps=series.steps)["seconds"])

    def _measure_peak(self) -> None:
        if self.block.peak_problem:
            return
        try:
            meter = self.members.peak_meter()
            answer = meter.ask("peak", dtype=self.block.dtype, seconds=PEAK_SECONDS)
            self.block.peak_gflops.append(answer["gflops"])
        except WorkerFailed as error:
            self.block.peak_problem = str(error)
            self.members.drop(PEAK, 1)
