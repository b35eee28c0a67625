"""The ranks of a training: what they agree on, what they add up, and how one that fails ends all.

Every call that is a collective of MPI says so; all ranks make them in the same order. An error that
all ranks know of is raised on all of them; one that a single rank has ends the job by MPI's Abort,
after its text is on stderr, since the others wait for that rank and would do so for ever.
"""

from __future__ import annotations

import os
import stat
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from ..arrays import Array
from ..runtime import get_num_threads, set_num_threads


def mpi() -> Any:
    """Return ``mpi4py.MPI``; importing it starts MPI.

    Raises
    ------
    ImportError
        Naming the extra.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            "chainrule.mpi: expected mpi4py and an MPI library, got "
            f"{error}; pip install 'chainrule[mpi]'"
        ) from None
    return MPI


class Ranks:
    """A communicator, and this process's place in it.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm or None
        None: all ranks that the job has.

    Attributes
    ----------
    rank, size : int
    """

    def __init__(self, comm: Any = None) -> None:
        self.mpi = mpi()
        if comm is None:
            comm = self.mpi.COMM_WORLD
        if not isinstance(comm, self.mpi.Intracomm):
            raise TypeError(f"comm: expected an mpi4py intracommunicator, got {comm!r}")
        self.comm = comm
        self.rank: int = comm.Get_rank()
        self.size: int = comm.Get_size()
        self._known_to_all: list[BaseException] = []

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which prints, saves, and is copied where a training begins."""
        return self.rank == 0

    def neighbours(self) -> int:
        """Return how many ranks share this one's cores, itself included (collective)."""
        beside = self.comm.Split_type(self.mpi.COMM_TYPE_SHARED)
        try:
            masks = beside.allgather(cores_of_process())
        finally:
            beside.Free()
        mine = cores_of_process()
        return sum(bool(mine & each) for each in masks)

    @contextmanager
    def sharing_cores(self) -> Iterator[None]:
        """Use this rank's part of the threads in the block (collective).

        Where ``OMP_NUM_THREADS`` is set somebody has decided.
        """
        threads, sharing = get_num_threads(), self.neighbours()
        part = max(1, threads // sharing)
        if part == threads or os.environ.get("OMP_NUM_THREADS"):
            yield
            return
        set_num_threads(part)
        try:
            yield
        finally:
            set_num_threads(threads)

    # --- agreements -------------------------------------------------------------------------------

    def agree(self, value: Any, error: BaseException | None = None) -> list[Any]:
        """Return every rank's value (collective).

        Raises
        ------
        RuntimeError
            Another rank comes with an error; the text names the rank, and it is raised on all
            ranks but on those that have one of their own.
        """
        text = None if error is None else f"{type(error).__name__}: {error}"
        found = self.comm.allgather((text, value))
        if error is not None:
            self._known_to_all.append(error)
        else:
            for rank, (text, _) in enumerate(found):
                if text is not None:
                    raise self.known(RuntimeError(f"rank {rank}: {text}"))
        return [each for _, each in found]

    def agree_on(self, named: dict[str, Any]) -> None:
        """Refuse values that are not the same on all ranks (collective).

        Raises
        ------
        ValueError
            On all ranks, with the name and what each of them has.
        """
        found = self.agree(named)
        for name, value in found[0].items():
            values = [each[name] for each in found]
            if any(each != value for each in values):
                got = ", ".join(map(str, values))
                raise self.known(
                    ValueError(f"{name}: expected the same on all ranks of MPI, got {got}")
                )

    def copied(self, value: Any) -> Any:
        """Return rank 0's value (collective)."""
        return self.comm.bcast(value)

    def known(self, error: BaseException) -> BaseException:
        """Return an error that every rank raises at the same place."""
        self._known_to_all.append(error)
        return error

    def is_known(self, error: BaseException) -> bool:
        """Tell whether all ranks raise this error, or their own in its place."""
        return any(each is error for each in self._known_to_all)

    def abort(self, error: BaseException) -> None:
        """Print an error that no other rank knows of, and end the job."""
        lines = "".join(traceback.format_exception(error))
        print(f"chainrule.mpi: rank {self.rank} of {self.size} failed:\n{lines}", file=sys.stderr)
        let_launcher_read()
        self.comm.Abort(1)

    # --- sums -------------------------------------------------------------------------------------

    def add(self, *arrays: Array) -> None:
        """Put the ranks' sums in the arrays' place, the same bits on all (collective).

        All but the last one are small; their sums are under way together.
        """
        if self.size == 1:
            return
        here = self.mpi.IN_PLACE
        *small, last = arrays
        under_way = [self.comm.Iallreduce(here, each) for each in small]
        self.comm.Allreduce(here, last)
        self.mpi.Request.Waitall(under_way)

    def exchange(self, send: Array, counts: list[int], receive: Array, others: list[int]) -> None:
        """Send `counts` values to the ranks in turn, receive `others` from each (collective)."""
        outgoing, incoming = (counts, starts_of(counts)), (others, starts_of(others))
        self.comm.Alltoallv([send, outgoing], [receive, incoming])

    def gather_parts(self, flat: Array, counts: list[int]) -> None:
        """Complete an array of which each rank holds its part, `counts` long (collective)."""
        self.comm.Allgatherv(self.mpi.IN_PLACE, [flat, (counts, starts_of(counts))])


def starts_of(counts: list[int]) -> list[int]:
    """Return where parts of these lengths begin, one behind the other."""
    return [0, *np.cumsum(counts[:-1]).tolist()]


def cut(total: int, parts: int) -> list[int]:
    """Return the ends of `parts` nearly equal parts of `total`: ``total * k // parts``."""
    return [total * k // parts for k in range(parts + 1)]


def lengths(ends: list[int]) -> list[int]:
    """Return the lengths of the parts between such ends."""
    return [b - a for a, b in pairwise(ends)]


def cores_of_process() -> frozenset[int]:
    """Return the cores that this process may use; where nobody can tell, one that all share."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset({0})


def let_launcher_read(seconds: float = 5.0) -> None:
    """Wait until the launcher has read what this process printed, `seconds` at most.

    A launcher reads its processes' output from pipes, and drops what it has not read when one of
    them aborts: an error's text would end in the middle.
    """
    end = time.monotonic() + seconds
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        while unread(stream) and time.monotonic() < end:
            time.sleep(0.005)


def unread(stream: TextIO) -> int:
    """Return the bytes in a stream's pipe that its reader has not taken; 0 for what is no pipe."""
    try:
        import fcntl
        import termios

        number = stream.fileno()
        if not stat.S_ISFIFO(os.fstat(number).st_mode):
            return 0
        return int.from_bytes(fcntl.ioctl(number, termios.FIONREAD, bytes(4)), sys.byteorder)
    except (ImportError, OSError, ValueError):  # no Unix; a notebook's or a closed stream
        return 0


_hooked = False


def end_job_with_errors() -> None:
    """Let an exception that nobody catches end all ranks, in this process from now on.

    Python would else wait in MPI's end for ranks that wait for this one.
    """
    global _hooked
    if _hooked:
        return
    _hooked = True
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        let_launcher_read()
        mpi().COMM_WORLD.Abort(1)

    sys.excepthook = hook
