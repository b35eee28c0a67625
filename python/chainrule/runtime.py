"""Threads, CPU target and build: what the compiled core runs on and with."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from . import _core

__all__ = [
    "__version__",
    "available_targets",
    "cpu_target",
    "get_num_threads",
    "set_num_threads",
    "show_config",
]

__version__: str = _core.build_info()["version"]


def set_num_threads(count: int) -> None:
    """Set the largest number of threads a call may use.

    The results do not depend on it. It beats the environment variable ``OMP_NUM_THREADS``, which
    beats the smaller of the process's CPU affinity and its container's quota (control groups of
    either version). It acts at the next call, and only on chainrule: OpenMP's own default is left
    alone. Threads that the system refuses, under a limit of memory or processes, are done without.

    Parameters
    ----------
    count : int
        At least 1; more than there are cores is allowed.

    Raises
    ------
    TypeError
        If `count` is not an integer.
    ValueError
        If `count` is below 1.
    """
    if isinstance(count, bool):
        raise TypeError(f"num_threads: expected an int >= 1, got {count!r}")
    try:
        number = operator.index(count)
    except TypeError:
        raise TypeError(f"num_threads: expected an int >= 1, got {count!r}") from None
    if not 1 <= number <= 4096:
        raise ValueError(f"num_threads: expected an int from 1 to 4096, got {number}")
    _core.set_num_threads(number)


def get_num_threads() -> int:
    """Return the largest number of threads that a call from this Python thread may use.

    It is what `set_num_threads` describes, or less:

    * A limit that is set for OpenMP in the calling thread while the program runs, as
      ``threadpoolctl.threadpool_limits`` sets it, is an upper bound while it lasts. One that equals
      the number OpenMP started with (``OMP_NUM_THREADS``, or the cores) cannot be told from none.
      ``OMP_THREAD_LIMIT`` is a bound too.
    * It is 1 for good in a child of ``fork`` after a team: OpenMP's threads do not survive a fork.
      A child may use teams if chainrule had none before in any of its parent's threads, and no
      other library used OpenMP in the thread that forked.
    """
    return _core.get_num_threads()


def threads_limited_to(count: int | None) -> AbstractContextManager[None]:
    """Let the calls that the calling Python thread makes in the block use at most `count` threads.

    A limit that holds already is a bound too; None sets none.
    """
    return nullcontext() if count is None else _limited(count)


@contextmanager
def _limited(count: int) -> Iterator[None]:
    before = _core.limit_threads_here(0)
    _core.limit_threads_here(min(before, count) if before else count)
    try:
        yield
    finally:
        _core.limit_threads_here(before)


def cpu_target() -> str:
    """Return the name of the kernels in use: ``"baseline"``, ``"x86_64_v3"`` or ``"x86_64_v4"``.

    The environment variable ``CHAINRULE_TARGET``, read once at import, forces one.
    """
    return _core.cpu_target()


def available_targets() -> list[str]:
    """Return the names of the kernels that this CPU can run, the plainest first."""
    return _core.available_targets()


def config() -> dict[str, Any]:
    """Return what `show_config` prints, as a dictionary."""
    import numpy as np

    return {
        **_core.build_info(),
        "cpu_target": cpu_target(),
        "available_targets": available_targets(),
        "threads": get_num_threads(),
        "numpy": np.__version__,
    }


def show_config() -> None:
    """Print version, CPU target and the ones available, threads, OpenMP and build flags."""
    for name, value in config().items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{name.replace('_', ' ') + ':':19}{text}")
