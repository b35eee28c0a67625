"""Several members at once: a thread each, with one core, as many as there are cores.

A member's bits do not depend on the others, nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ...runtime import get_num_threads
from ...training.company import run_jobs
from ..base import threads
from .watch import Watch

Job = Callable[[], Any]


def run_all(jobs: Sequence[Job], watch: Watch, n_threads: int | None) -> list[Any]:
    """Return what the jobs return, in their order; None for those that an interrupt kept back.

    One job has all cores. The first job is never kept back.
    """
    cores = get_num_threads() if n_threads is None else min(n_threads, get_num_threads())
    if len(jobs) == 1 or cores == 1:
        with threads(n_threads):
            return [None if place and watch.stopped else job() for place, job in enumerate(jobs)]

    def run(place: int) -> Any:
        return None if place and watch.stopped else jobs[place]()

    runs = [partial(run, place) for place in range(len(jobs))]
    futures, interruption = run_jobs(runs, n_threads, watch.stop)
    if interruption is not None and not isinstance(interruption, KeyboardInterrupt):
        raise interruption
    return [None if future.cancelled() else future.result() for future in futures]
