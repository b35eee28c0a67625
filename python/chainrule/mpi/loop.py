"""The loop over a parallel training: what `training.loop.Loop` does, with the ranks in step."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from ..metrics import Accuracy_Regression
from ..monitoring import Checkpoint
from ..training.beginning import begin_steps
from ..training.interrupts import Interrupts
from ..training.loop import Loop, total_of
from ..training.request import Runner, TrainingRequest
from .local import LocalRunner
from .ranks import Ranks
from .rows import share_of
from .runner import ParallelRunner, check_equal
from .state import checksum, put_state, state_of


class QuietWatch:
    """Looks at nothing: one rank's warnings are enough."""

    def begin(self, runner: Runner) -> None:
        """Do nothing."""

    def look(self, history: Any, runner: Runner) -> None:
        """Do nothing."""


class ParallelLoop(Loop):
    """One call of `Model.train` on this rank.

    Parameters
    ----------
    ranks : Ranks
    shards : int
        Of a batch, added in a fixed tree; 0: one a rank.
    local_steps : int or None
        Own steps between two means.
    counts : list of int or None
        The ranks' numbers of rows where each holds its own.
    """

    def __init__(
        self,
        model: Any,
        request: TrainingRequest,
        print_every: int | None,
        progress: bool | None,
        callbacks: list[Any],
        *,
        ranks: Ranks,
        shards: int,
        local_steps: int | None,
        counts: list[int] | None,
    ) -> None:
        shown = (print_every, progress) if ranks.leads else (None, False)
        super().__init__(model, request, *shown, callbacks)
        self.ranks = ranks
        self._shards, self._local_steps, self._counts = shards, local_steps, counts
        if not ranks.leads:
            self._watch: Any = QuietWatch()

    def run(self) -> Any:
        """Train; checkpoints are rank 0's."""
        written = [each for each in self.callbacks if isinstance(each, Checkpoint) and each.writes]
        try:
            for each in written:
                each.writes = self.ranks.leads
            return super().run()
        finally:
            for each in written:
                each.writes = True

    def _make_runner(self) -> Runner:
        """Return the runner, once the model is rank 0's on all of them (collective)."""
        model, request, ranks = self.model, self.request, self.ranks
        state = ranks.copied(state_of(model) if ranks.leads else None)
        if not ranks.leads:
            put_state(model, state)
        request.generator = model.rng if request.shuffle else None
        if self._counts is not None:
            self._fit_accuracy(self._counts[ranks.rank])
        begin_steps(model, total_of(request.epochs, request.updates))
        share = share_of(request, ranks, self._shards, self._counts)
        if self._local_steps is not None:
            return LocalRunner(model, request, ranks, share, self._local_steps)
        return ParallelRunner(model, request, ranks, share, self._shards)

    def _fit_accuracy(self, count: int) -> None:
        """Let `Accuracy_Regression` know the spread of all ranks' targets (collective)."""
        accuracy = self.model.accuracy
        if not isinstance(accuracy, Accuracy_Regression):
            return
        learned = accuracy.precision == accuracy.learned_precision
        y = np.asarray(self.request.y[:count], dtype=np.float64)
        sums = np.array([y.size, y.sum()])
        self.ranks.add(sums)
        squares = np.array([np.square(y - sums[1] / sums[0]).sum()])
        self.ranks.add(squares)
        if learned:
            accuracy.precision = float(np.sqrt(squares[0] / sums[0])) / 250
            accuracy.learned_precision = accuracy.precision
            self.model._precision = self.request.precision = accuracy.precision

    def _run_epochs(self, runner: Runner, interrupts: Interrupts) -> None:
        try:
            super()._run_epochs(runner, interrupts)
        except FloatingPointError as error:
            raise self.ranks.known(error) from None  # the sums are the same everywhere

    def _run_hooks(self, runner: Runner, logs: dict[str, float], interrupts: Interrupts) -> None:
        """Run the callbacks; what one of them raises on one rank is raised on all (collective)."""
        failed: Exception | None = None
        try:
            super()._run_hooks(runner, logs, interrupts)
        except Exception as error:
            failed = error
        told = (self.model.stop_training, 0)
        with suppress(Exception):
            told = (self.model.stop_training, checksum(self.model))
        found = self.ranks.agree(told, failed)
        if failed is not None:
            raise failed
        check_equal(self.ranks, [each[1] for each in found], "callbacks")
        if any(each[0] for each in found):
            self.model.stop_training = True
            runner.stop()
