"""The run: check that all contestants agree, then measure them in turns.

In each round every contestant is measured once, in one process after the other, every second
round in reverse order; a short rest in between lets the last one's threads fall asleep. With a
budget each block gets an equal share of the time that is left, and does fewer rounds, one at least.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from .agreement import LOSS_TOLERANCE, Check, Fingerprint, check_steps, checks
from .peers import CONTESTANTS, Contestant
from .process import Missing, NotSupported, WorkerFailed, WorkerProcess
from .results import Block, Series
from .worker import PEAK
from .workloads import FIRST_CALL, Workload

Progress = Callable[[str], None]

REST_SECONDS = 0.03
# A contestant with this many samples is left alone once they have taken that long.
ENOUGH_SAMPLES, ENOUGH_SECONDS = 3, 5.0
PEAK_SECONDS = 0.05


@dataclass(frozen=True)
class Settings:
    """What to measure.

    ``seconds`` is aimed at for one measurement of one contestant; ``minutes``, if given, for the
    whole run.
    """

    workloads: list[Workload]
    peers: list[str]
    paths: list[str]
    threads: list[int]
    dtypes: list[str]
    repeats: int = 7
    seconds: float = 0.15
    minutes: float | None = None

    def contestants(self, jobs: Iterable[str]) -> list[Contestant]:
        """Those that were asked for and do one of these jobs."""
        chosen, jobs = {*self.paths, *self.peers}, set(jobs)
        return [c for c in CONTESTANTS if c.choice in chosen and not jobs.isdisjoint(c.jobs)]


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
    left = len(settings.dtypes) * len(settings.workloads) * len(settings.threads)
    end = None if settings.minutes is None else time.monotonic() + 60 * settings.minutes
    for dtype in settings.dtypes:
        for workload in settings.workloads:
            progress(f"{workload.name}, {dtype}: reference")
            to_pass = checks(workload, dtype)
            for threads in settings.threads:
                title = f"{workload.name}, {dtype}, {threads} thread{'s' * (threads > 1)}"
                block = Block(
                    workload, dtype, threads, check_steps(workload), LOSS_TOLERANCE[dtype], []
                )
                share = None if end is None else max(0.0, end - time.monotonic()) / left
                kind = FreshCourse if workload.job == FIRST_CALL else Course
                kind(block, settings, members, progress, title).run(to_pass, share)
                left -= 1
                yield block


class Course:
    """One block's way: open and check everybody, measure in rounds, close."""

    def __init__(
        self, block: Block, settings: Settings, members: Team, progress: Progress, title: str
    ) -> None:
        self.block, self.settings, self.members = block, settings, members
        self._progress, self._title = progress, title
        self.running: dict[str, tuple[Contestant, Series]] = {}

    def progress(self, text: str) -> None:
        self._progress(f"{self._title}: {text}")

    def run(self, to_pass: list[Check], share: float | None = None) -> None:
        """Check and measure everybody, in about `share` seconds if that is given."""
        begin = time.monotonic()
        for contestant in self.settings.contestants([self.block.workload.job]):
            series = Series(contestant.name)
            self.block.series.append(series)
            self.progress(f"{contestant.name}: first call and check")
            self._guard(series, partial(self._enter, contestant, series, to_pass))
        for k in range(self.settings.repeats):
            if k and share is not None and time.monotonic() - begin > share:
                break
            self._round(k)
        for contestant, series in list(self.running.values()):
            self._guard(series, partial(self._leave, contestant))

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

    def _enter(self, contestant: Contestant, series: Series, to_pass: list[Check]) -> None:
        """Let it take part if it passes all checks."""
        for check in to_pass:
            got = self._first(contestant, check)
            series.first_call, series.note = got["seconds"], got["note"]
            error, problem = check.compare(got)
            series.loss_error = error if error is not None else series.loss_error
            if problem:
                series.failed = True
                steps = f"{check.steps} step{'s' * (check.steps > 1)}"
                series.problem = f"computes something else: after {steps} {problem}"
                self._leave(contestant)
                return
        self._calibrate(contestant, series)
        self.running[series.name] = contestant, series

    def _round(self, k: int) -> None:
        self._measure_peak()
        turn = list(self.running.values())
        for contestant, series in reversed(turn) if k % 2 else turn:
            if len(series.seconds) >= ENOUGH_SAMPLES and series.total > ENOUGH_SECONDS:
                continue
            self.progress(f"round {k + 1} of {self.settings.repeats}: {series.name}")
            time.sleep(REST_SECONDS)
            self._guard(series, partial(self._sample, contestant, series))

    def _process(self, contestant: Contestant) -> WorkerProcess:
        return self.members.member(contestant, self.block.threads)

    def _task(self, check: Check) -> dict[str, Any]:
        block = self.block
        workload = asdict(check.workload)
        return {"workload": workload, "dtype": block.dtype, "threads": block.threads}

    def _first(self, contestant: Contestant, check: Check) -> Fingerprint:
        process = self._process(contestant)
        process.ask("open", **self._task(check))
        return process.ask("first", steps=check.steps)

    def _calibrate(self, contestant: Contestant, series: Series) -> None:
        answer = self._process(contestant).ask("calibrate", seconds=self.settings.seconds)
        series.steps = answer["steps"]

    def _sample(self, contestant: Contestant, series: Series) -> None:
        answer = self._process(contestant).ask("sample", steps=series.steps)
        series.seconds.append(answer["seconds"])

    def _leave(self, contestant: Contestant) -> None:
        self._process(contestant).ask("close")

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


class FreshCourse(Course):
    """Each measurement in a process of its own, from import to the end of the first epoch."""

    def run(self, to_pass: list[Check], share: float | None = None) -> None:
        (self.check,) = to_pass
        super().run(to_pass, share)

    def _first(self, contestant: Contestant, check: Check) -> Fingerprint:
        self._process(contestant)  # which tells whether it can take part
        process = WorkerProcess(contestant.name, self.block.threads)
        try:
            return process.ask("fresh", steps=check.steps, **self._task(check))
        finally:
            process.end()

    def _calibrate(self, contestant: Contestant, series: Series) -> None:
        series.steps = 1

    def _sample(self, contestant: Contestant, series: Series) -> None:
        series.seconds.append(self._first(contestant, self.check)["seconds"])

    def _leave(self, contestant: Contestant) -> None:
        pass
