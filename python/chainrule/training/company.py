"""Jobs beside each other: a Python thread each, with its share of the cores.

The core computes without Python's lock, so that Python's threads fill the cores. What is done
depends neither on their number nor on which job ends first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

from .. import _core
from ..runtime import get_num_threads
from .interrupts import Interrupts
from .progress import BAR_PAUSE, bar_class

PAUSE = 0.05  # seconds until a signal acts, at most

Job = Callable[[], Any]


class Withdrawn(BaseException):
    """Ends a training that others beside it have made pointless; never seen by users."""


class Company:
    """What trainings beside each other share: a bar over all their steps, and when to end.

    Parameters
    ----------
    steps : int
        Of all trainings together.
    count : int
        Trainings.
    shown : bool
        Whether there is a bar.
    """

    def __init__(self, steps: int, count: int, shown: bool) -> None:
        self._asked = 0  # to end: 1 after the epoch in progress, 2 after the step
        self._lock = threading.Lock()
        self._bar: Any = None
        self._text = f"of {count} models"
        self._ended = 0
        self._next = 0.0
        self._waiting = 0  # steps that the bar does not show yet
        if shown:
            self._bar = bar_class()(total=steps, unit="step", mininterval=BAR_PAUSE)

    def end(self) -> None:
        """Let all trainings end after their epochs; asked again, after the steps in progress."""
        self._asked += 1

    @property
    def ending(self) -> bool:
        """Whether they are to end."""
        return self._asked > 0

    def answer(self, *, whole_epoch: bool) -> None:
        """Raise `Withdrawn` where the training that calls is to end here."""
        if self._asked > (0 if whole_epoch else 1):
            raise Withdrawn

    def count_steps(self, steps: int) -> None:
        """Count steps of a training."""
        if self._bar is not None:
            with self._lock:
                self._waiting += steps
                if time.monotonic() >= self._next:
                    self._show()

    def count_end(self, steps: int) -> None:
        """Count a training that has ended, this number of steps before its last one."""
        if self._bar is not None:
            with self._lock:
                self._ended += 1
                self._bar.total -= steps
                self._show()

    def _show(self) -> None:
        self._bar.set_postfix_str(f"{self._ended} {self._text}", refresh=False)
        self._bar.update(self._waiting)
        self._waiting = 0
        self._next = time.monotonic() + BAR_PAUSE

    def close(self) -> None:
        """Show the last state and leave the bar as it is."""
        if self._bar is not None:
            self._show()
            self._bar.close()


def run_jobs(
    jobs: Sequence[Job], n_threads: int | None, end: Callable[[], None]
) -> tuple[list[Future[Any]], BaseException | None]:
    """Run jobs, as many at a time as there are cores; return their futures, all done.

    At the first failure, and at each signal, `end` is called, which lets those in progress end;
    those that have not begun are cancelled. What a signal's handler raised is returned beside.

    Parameters
    ----------
    jobs : sequence of functions without arguments
        They begin in this order.
    n_threads : int or None
        Cores, at most; all that `get_num_threads` tells without it.
    """
    cores = get_num_threads() if n_threads is None else min(n_threads, get_num_threads())
    workers = max(1, min(cores, len(jobs)))
    share = max(1, cores // workers)
    raised: BaseException | None = None
    ended = False
    with (
        Interrupts() as interrupts,
        ThreadPoolExecutor(workers, "chainrule", _core.limit_threads_here, (share,)) as pool,
    ):
        futures = [pool.submit(job) for job in jobs]
        waiting = set(futures)
        while waiting:  # in short stretches: a signal does not end a wait in every case
            try:
                done, waiting = wait(waiting, PAUSE, FIRST_EXCEPTION)
                due = not ended and any(failure_of(future) is not None for future in done)
                interrupts.answer()
            except BaseException as error:
                raised, due = raised or error, True
            if due:
                ended = True
                end()
                waiting = {future for future in waiting if not future.cancel()}
    return futures, raised


def failure_of(future: Future[Any]) -> BaseException | None:
    """Return what a job that is done has raised, but for one that had to end."""
    error = None if future.cancelled() else future.exception()
    return None if isinstance(error, Withdrawn) else error
