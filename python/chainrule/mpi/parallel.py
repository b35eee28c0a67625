"""DataParallel: `Model.train` on many ranks at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..arrays import as_count
from ..history import History
from ..training.arguments import checked_batch_size, checked_flag
from ..training.network import NoPlan, layers_of
from ..training.request import TrainingRequest
from .loop import ParallelLoop
from .ranks import Ranks, end_job_with_errors
from .runner import parallel_network
from .state import structure_of

SHARDS = 8  # of a deterministic training: whole or nearly whole shares for 1 to 4, and 8, ranks


class DataParallel:
    """Trains one model on all ranks of a communicator, each with its part of every batch.

    The ranks' parts of a batch's gradient are added up, and all make the step that one process
    would make with the whole batch. Parameters, history, early stopping and the best epoch are the
    same, bit by bit, on all ranks; the bits of a training on another number of ranks differ in the
    last places, unless it is deterministic.

    Parameters
    ----------
    model : Model
        One that has a compiled plan. Every rank has a model of the same structure; where a training
        begins, parameters, the optimizer's state and generators are rank 0's on all of them.
    comm : mpi4py.MPI.Intracomm, optional
        ``COMM_WORLD`` without it.
    deterministic : bool or int
        Cut each batch into that many parts, 8 for True, whatever the number of ranks, and add their
        gradients in a fixed tree: any number of ranks gives the same bits. More ranks than parts
        are of no use.
    sharded : bool
        Each rank gives `train` rows of its own, any number of them, instead of all; targets have
        the same form on all ranks, and validation data are the same on all.
    local_steps : int, optional
        Local SGD: each rank steps by itself, with its part of each batch, and after so many steps
        and at the end of each epoch all ranks take the mean of parameters and optimizer's arrays.

    Attributes
    ----------
    rank, size : int
        This process's place among the ranks, and their number.

    Notes
    -----
    All ranks draw the same orders of the samples, and the masks of dropout are those of the whole
    batch. Callbacks run on every rank, which needs as many of them, and must do the same on each;
    bars, lines, warnings and the files of `Checkpoint` are rank 0's.

    An error in the arguments of one rank, or in a callback, is raised on all ranks; others end the
    whole job at once, with their text on stderr. So does any exception that nobody catches, from
    the first `DataParallel` on. ``sys.exit`` on one rank alone does not: start such programs with
    ``python -m mpi4py``.

    Ranks on one machine share its cores: where ``OMP_NUM_THREADS`` is not set, a training uses the
    threads that `get_num_threads` tells, divided by the ranks that may run on the same cores.

    References
    ----------
    Zinkevich, Weimer, Smola and Li (2010), "Parallelized stochastic gradient descent"; Stich
    (2019), "Local SGD converges fast and communicates little".
    """

    def __init__(
        self,
        model: Any,
        comm: Any = None,
        *,
        deterministic: bool | int = False,
        sharded: bool = False,
        local_steps: int | None = None,
    ) -> None:
        self.model = model
        self.sharded = checked_flag(sharded, "sharded")
        self._shards = checked_shards(deterministic)
        self.local_steps = None if local_steps is None else as_count(local_steps, "local_steps", 1)
        if self._shards and self.sharded:
            raise ValueError(
                "deterministic: expected sharded=False with it, got True; which rows a rank holds "
                "decides what it adds up"
            )
        if self._shards and self.local_steps is not None:
            raise ValueError(
                f"deterministic: expected no local_steps with it, got {self.local_steps}"
            )
        self.ranks = Ranks(comm)
        self._counts: list[int] | None = None
        self._asked: dict[str, Any] = {}
        self._checked = False  # all ranks have agreed to this training
        if self.size > 1:
            end_job_with_errors()

    @property
    def rank(self) -> int:
        """This process's place among the ranks, from 0."""
        return self.ranks.rank

    @property
    def size(self) -> int:
        """The number of ranks."""
        return self.ranks.size

    def train(self, X: Any, y: Any, **options: Any) -> History:
        """Train on all ranks, each of which calls this; arguments, errors and result are those of
        `Model.train`.

        `record` and ``engine="classes"`` are not available; with `sharded` neither are
        `validation_split` and ``class_weight="balanced"``, and with `local_steps` not `accumulate`.

        Returns
        -------
        History
            The same on all ranks; `seconds` are those of the slowest one.

        Raises
        ------
        RuntimeError
            Another rank has failed; the text says which, and why.
        ValueError
            Arguments that differ between ranks.
        """
        self._asked = dict(options)
        if self.sharded:
            X, y, options = self._with_some_row(X, y, options)
        history: History = self.model.train(X, y, comm=self, **options)
        return history

    def _with_some_row(self, X: Any, y: Any, options: dict[str, Any]) -> Any:
        """Note how many rows each rank holds (collective); lend one to ranks that have none.

        They check its form as the others do theirs, and never use it.
        """
        count = len(X) if hasattr(X, "__len__") else 0
        self._counts = self.ranks.comm.allgather(count)
        if 0 not in self._counts or not any(self._counts):
            return X, y, options
        lender = next(rank for rank, each in enumerate(self._counts) if each)
        row = (X[:1], y[:1]) if self.rank == lender else None
        row = self.ranks.comm.bcast(row, root=lender)
        if count:
            return X, y, options
        weight = None if options.get("sample_weight") is None else np.ones(1)
        return *row, {**options, "sample_weight": weight}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let all ranks hear of an error in the block, or end the job; share cores in it."""
        self._checked = False
        with self.ranks.sharing_cores():
            try:
                yield
            except BaseException as error:
                if not self._checked and isinstance(error, Exception):
                    if not self.ranks.is_known(error):
                        self.ranks.agree(None, error)
                elif self.size > 1 and not self.ranks.is_known(error):
                    self.ranks.abort(error)
                raise
            finally:
                self._counts, self._asked = None, {}

    def loop(
        self,
        model: Any,
        request: TrainingRequest,
        print_every: int | None,
        progress: bool | None,
        callbacks: list[Any],
    ) -> ParallelLoop:
        """Return the loop of a training that all ranks have checked (collective)."""
        self._check(request)
        if self._counts is not None:
            self._count_all_rows(request, self._counts)
        largest = request.batch_size
        try:
            parallel_network(model, layers_of(model), request, largest)
        except NoPlan as reason:
            raise ValueError(
                "DataParallel: expected a model with a compiled plan, got one that is trained "
                f"layer by layer: {reason}"
            ) from None
        self.ranks.agree_on(self._common(model, request, callbacks))
        self._checked = True
        return ParallelLoop(
            model,
            request,
            print_every,
            progress,
            callbacks,
            ranks=self.ranks,
            shards=self._shards,
            local_steps=self.local_steps,
            counts=self._counts,
        )

    def _check(self, request: TrainingRequest) -> None:
        """Refuse what several ranks cannot do."""
        if request.in_parts:
            raise ValueError(
                "X: expected arrays or memory maps on ranks of MPI, got a source of blocks"
            )
        if request.record is not None:
            raise ValueError(f"record: expected None on ranks of MPI, got {request.record!r}")
        if request.engine is not None:
            raise ValueError(f"engine: expected None on ranks of MPI, got {request.engine!r}")
        if request.mixes_targets:
            raise ValueError("validation y: expected the form of y, got another one")
        if self.local_steps is not None and request.accumulate > 1:
            raise ValueError(f"accumulate: expected 1 with local_steps, got {request.accumulate}")
        if not self.sharded:
            return
        if self._counts is None:
            raise ValueError("comm: expected a communicator, got a sharded DataParallel; use train")
        if self._asked.get("validation_split") is not None:
            raise ValueError("validation_split: expected validation_data with sharded=True")
        if isinstance(self._asked.get("class_weight"), str):
            raise ValueError("class_weight: expected a dict with sharded=True, got 'balanced'")

    def _count_all_rows(self, request: TrainingRequest, counts: list[int]) -> None:
        """Let batches be those of all ranks' rows."""
        request.n_of_all = sum(counts)
        size = self._asked.get("batch_size")
        request.batch_size = checked_batch_size(size, request.n)
        request.accumulate = min(int(self._asked.get("accumulate", 1)), request.steps)
        if request.validation is not None:
            count = len(request.validation[0])
            request.validation_batch_size = checked_batch_size(size, count)

    def _common(self, model: Any, request: TrainingRequest, callbacks: list[Any]) -> dict[str, Any]:
        """Return what must be the same on all ranks, by its name."""
        validation = () if request.validation is None else request.validation
        return {
            "model": structure_of(model),
            "deterministic": self._shards,
            "local_steps": self.local_steps,
            "samples": request.n,
            "columns of X": request.X.shape[1:],
            "form of y": (request.y.shape[1:], request.y.dtype.kind),
            "validation samples": [None if each is None else each.shape for each in validation],
            "sample_weight": request.sample_weight is not None,
            "epochs": request.epochs,
            "batch_size": request.batch_size,
            "drop_last": request.drop_last,
            "accumulate": request.accumulate,
            "shuffle": request.shuffle,
            "on_nonfinite": request.on_nonfinite,
            "clip_norm": request.clip_norm,
            "best_epoch": request.best_epoch,
            "callbacks": [type(each).__name__ for each in callbacks],
        }


def checked_shards(deterministic: Any) -> int:
    """Return the number of parts of a batch that are added in a fixed tree; 0 for none."""
    if isinstance(deterministic, bool | np.bool_):
        return SHARDS if deterministic else 0
    return as_count(deterministic, "deterministic", 1)


def as_parallel(model: Any, comm: Any) -> DataParallel:
    """Return `comm`, a communicator, as what trains the model on its ranks."""
    if isinstance(comm, DataParallel):
        if comm.model is not model:
            raise ValueError("comm: expected the DataParallel of this model, got another model's")
        return comm
    return DataParallel(model, comm)
