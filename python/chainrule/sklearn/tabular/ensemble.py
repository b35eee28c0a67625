"""Several members at once: a thread each, with one core, as many as there are cores.

A member's bits do not depend on the others, nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

from ...runtime import get_num_threads
from ..base import threads
from .watch import Watch

Job = Callable[[], Any]

PAUSE = 0.1  # seconds until Ctrl-C acts, at most


def run_all(jobs: Sequence[Job], watch: Watch, n_threads: int | None) -> list[Any]:
    """Return what the jobs return, in their order; None for those that an interrupt kept back.

    One job has all cores. The first job is never kept back.
    """
    cores = get_num_threads() if n_threads is None else min(n_threads, get_num_threads())
    if len(jobs) == 1 or cores == 1:
        with threads(n_threads):
            return [None if place and watch.stopped else job() for place, job in enumerate(jobs)]

    def run(place: int) -> Any:
        if place and watch.stopped:
            return None
        with threads(1):
            return jobs[place]()

    with ThreadPoolExecutor(min(cores, len(jobs)), "chainrule-member") as pool:
        futures = [pool.submit(run, place) for place in range(len(jobs))]
        try:
            finish(futures)
        except KeyboardInterrupt:
            watch.stop()
            wait(futures)
        except BaseException:
            watch.stop()
            raise
        return [future.result() for future in futures]


def finish(futures: list[Future[Any]]) -> None:
    """Wait for all; the first failure is raised at once."""
    waiting = set(futures)
    while waiting:  # in short stretches: a signal does not end a wait in every case
        done, waiting = wait(waiting, PAUSE, FIRST_EXCEPTION)
        for future in done:
            future.result()
