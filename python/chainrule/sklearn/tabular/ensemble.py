"""Several members at once: a thread each, with one core, as many as there are cores.

On ranks of MPI each rank has some of the members; a single one is trained by all of them, each with
its part of every batch. A member's bits do not depend on the others, nor on the number of threads,
nor on which rank trains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from ...runtime import get_num_threads, threads_limited_to
from ...training.company import run_jobs
from .watch import Watch

Job = Callable[[], Any]

_ranks: ContextVar[Any] = ContextVar("ranks", default=None)  # who share the fits begun here
_comm: ContextVar[Any] = ContextVar("comm", default=None)  # who train the member begun here


@contextmanager
def on_ranks(ranks: Any) -> Iterator[None]:
    """Let the fits in the block be those of all `ranks`, each of which comes here."""
    token = _ranks.set(ranks)
    try:
        with ranks.sharing_cores():
            yield
    finally:
        _ranks.reset(token)


def common_communicator() -> Any:
    """Return the communicator whose ranks train the member that begins now; None: nobody else."""
    return _comm.get()


def jobs_here(count: int) -> int:
    """Return how many of so many jobs `run_all` will run in this process."""
    ranks = _ranks.get()
    if ranks is None or count == 1:
        return count
    return len(range(ranks.rank, count, ranks.size))


def run_all(jobs: Sequence[Job], watch: Watch, n_threads: int | None) -> list[Any]:
    """Return what the jobs return, in their order; None for those that an interrupt kept back.

    One job has all cores. The first job is never kept back.

    Raises
    ------
    RuntimeError
        A job of another rank has failed; the text says which rank, and why.
    """
    ranks = _ranks.get()
    if ranks is None or ranks.size == 1:
        return run_here(jobs, watch, n_threads)
    if len(jobs) == 1:
        token = _comm.set(ranks.comm)
        try:
            return run_here(jobs, watch, n_threads)
        finally:
            _comm.reset(token)
    return run_apart(ranks, jobs, watch, n_threads)


def run_apart(ranks: Any, jobs: Sequence[Job], watch: Watch, n_threads: int | None) -> list[Any]:
    """Run every `size`-th job here, and return what all jobs return (collective)."""
    found: list[Any] = []
    raised: Exception | None = None
    try:
        mine = jobs[ranks.rank :: ranks.size]
        found = run_here(mine, watch, n_threads) if mine else []
    except Exception as error:
        raised = error
    every = ranks.agree((found, watch.stopped), raised)
    if raised is not None:
        raise raised
    if any(stopped for _, stopped in every):
        watch.stop()
    results: list[Any] = [None] * len(jobs)
    for rank, (theirs, _) in enumerate(every):
        results[rank :: ranks.size] = theirs
    return results


def run_here(jobs: Sequence[Job], watch: Watch, n_threads: int | None) -> list[Any]:
    """Run the jobs in this process."""
    cores = get_num_threads() if n_threads is None else min(n_threads, get_num_threads())
    if len(jobs) == 1 or cores == 1:
        with threads_limited_to(n_threads):
            return [None if place and watch.stopped else job() for place, job in enumerate(jobs)]

    def run(place: int) -> Any:
        return None if place and watch.stopped else jobs[place]()

    runs = [partial(run, place) for place in range(len(jobs))]
    futures, interruption = run_jobs(runs, n_threads, watch.stop)
    if interruption is not None and not isinstance(interruption, KeyboardInterrupt):
        raise interruption
    return [None if future.cancelled() else future.result() for future in futures]
