"""The runner of a training on several ranks: a step in two halves, and a sum over ranks between.

The core computes this rank's part of a batch's gradient; the parts are added up; the core makes the
optimizer's step from the sum, the same on every rank. An epoch's row, and its validation, of which
each rank has some blocks of samples, are sums of what all ranks found.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..history import History
from ..training.epoch_rows import EpochRows
from ..training.evaluation import evaluate
from ..training.network import Layers, Network, described, network_of
from ..training.plan_runner import PlanRunner
from ..training.request import StepRecord, TrainingRequest
from .ranks import Ranks
from .rows import Rows, Share
from .state import checksum
from .trees import Tree

LEAST_BLOCK = 1024  # samples of a validation that a rank takes at a time (a guess)

Sums = NDArray[np.float64]  # loss, weight, hits and rows of a batch


class ParallelRunner(PlanRunner):
    """Runs a training request on all ranks; see `Runner`.

    Parameters
    ----------
    share : Share
        What this rank has of each batch.
    shards : int
        Into how many parts a batch is cut whose gradients are added in a fixed tree; 0: one a rank,
        added as MPI likes.
    """

    done = False
    epoch = 1
    step = 0
    validating = False
    nonfinite: tuple[int, int] | None = None

    def __init__(
        self, model: Any, request: TrainingRequest, ranks: Ranks, share: Share, shards: int
    ) -> None:
        self.ranks = ranks
        self._share = share
        self._forwards_done = 0
        super().__init__(model, request)
        self.done = request.epochs == 0
        self._shards = shards
        self._epochs = EpochRows()
        self._sums = np.zeros(4)  # of the epoch in progress
        self._record = StepRecord(math.nan, math.nan, math.nan, math.nan)
        self._seconds = 0.0
        self._make_room()

    def _make_room(self) -> None:
        learning = [
            getattr(layer, slot.name)
            for layer, slot, parameter in described(self._layers, self._network)
            if parameter.learns
        ]
        self._flat = np.zeros(sum(each.size for each in learning), dtype=self._network.dtype)
        self._part = np.empty_like(self._flat) if self.request.accumulate > 1 else self._flat
        self._tree = Tree(self.ranks, self._shards, len(self._flat)) if self._shards else None
        told = [parameter for _, _, parameter in described(self._layers, self._network)]
        self._regularized = any(each.l1 or each.l2 for each in told)

    def _described(self, layers: Layers) -> Network:
        return parallel_network(self.model, layers, self.request, self._share.largest)

    def _begin(self) -> None:
        self._plan.begin(
            self._samples,
            None,
            epochs=1,
            stop_on_nonfinite=False,
            drops_last=False,
            precision=self.request.precision or 0.0,
            monitors=(),
        )

    def _load(self) -> None:
        super()._load()
        self._forwards_done = 0

    def read_back(self) -> None:
        """Read everything again from the Python objects, at the end of an epoch."""
        super().read_back()
        self._way = None
        self._make_room()

    def read_unchanged(self) -> bool:
        """Everything is read again: False."""
        return False

    def run(self, max_steps: int, seconds: float) -> int:
        """Run whole steps until `max_steps`, `seconds` or the end; return their number."""
        started = last = time.perf_counter()
        count = 0
        while not self.done and count < max_steps and last - started < seconds:
            if self.step == 0:
                self._share.start_epoch()
                self._sums = np.zeros(4)
            ends_epoch = self.step + 1 == self.request.steps
            if not self._one_step(ends_epoch or count + 1 == max_steps):
                self.done = True
                break
            count += 1
            self.step += 1
            now = time.perf_counter()
            self._seconds += now - last
            last = now
            if ends_epoch:
                self._end_epoch()
                last = time.perf_counter()
        return count

    # --- a step -----------------------------------------------------------------------------------

    def _one_step(self, knows_penalty: bool) -> bool:
        """Do one step; False where the loss is not finite, and then nothing was updated."""
        request, weight = self.request, self._share.weight_of_step(self.step)
        if weight == 0:
            return True  # no sample counts: no step
        factors = self._factors(1)
        spends = self.step + 1 == request.steps or (self.step + 1) % request.accumulate == 0
        sums = self._gradient(weight, factors, spends)
        penalty = math.nan if self._regularized else 0.0
        if self._regularized and knows_penalty:
            penalty = self._plan.penalty()
        loss = sums[0] if math.isnan(penalty) else sums[0] + penalty
        if not math.isfinite(loss) and request.on_nonfinite != "ignore":
            self.nonfinite = (self.epoch, self.step)
            return False
        self._forwards_done += 1
        if spends:
            self._plan.spend(self._flat, factors, self._forwards_done)
            self._written_back = False
        self._note(sums, penalty)
        return True

    def _note(self, sums: Sums, penalty: float) -> None:
        """Keep what a step reports."""
        self._sums += sums
        loss, weight, hits, rows = sums.tolist()
        accuracy = hits / rows if rows and self._network.metric != "none" else math.nan
        rate = self._plan.step_record()[3]
        self._record = StepRecord(accuracy, loss / weight if weight else math.nan, penalty, rate)

    def _gradient(self, weight: float, factors: Any, spends: bool) -> Sums:
        """Leave the gradient of this step's batches, so far, in `_flat` (collective).

        `weight` is that of all samples of the step. Returns the batch's sums over all ranks.
        """
        first = self.step % self.request.accumulate == 0
        place = self._flat if first else self._part
        if self._tree is not None:
            sums = np.zeros((self._shards, 4))

            def write(shard: int, flat: Array) -> None:
                sums[shard] = self._part_gradient(shard, weight, factors, flat)

            self._tree.add(write, place)
            self.ranks.add(sums)  # each row has one writer
            found: Sums = np.add.reduce(sums, axis=0)
        else:
            found = self._part_gradient(self.ranks.rank, weight, factors, place)
        if not first:
            self._flat += self._part
        if self._tree is None:
            self.ranks.add(*([found, self._flat] if spends else [found]))
        return found

    def _part_gradient(self, part: int, weight: float, factors: Any, flat: Array) -> Sums:
        """Write a part's share of the gradient; return its sums."""
        rows = self._share.of(self.step, part)
        if rows.size == 0:
            flat.fill(0)
            return np.zeros(4)
        total = self._share.rows_of_step(self.step)
        return self._pass(part, rows, total, weight, factors, flat)

    def _pass(
        self, part: int, rows: Rows, total: int, weight: float, factors: Any, flat: Array
    ) -> Sums:
        """Write the gradient of some rows, in a step of `total` rows of this weight."""
        coming = Rows(0, 0, 0)
        if self.step + 1 < self.request.steps:
            coming = self._share.of(self.step + 1, part)
        place = (*rows, total, weight, self._forwards_done, coming.first, coming.size)
        dropped = None if factors is None or factors[2] is None else factors[2][0]
        return np.array(self._plan.part_gradients(flat, place, self._share.order, dropped))

    # --- an epoch ---------------------------------------------------------------------------------

    def _end_epoch(self) -> None:
        """Add the epoch's row, once all ranks have told of it (collective)."""
        started = time.perf_counter()
        self.write_back()
        validated = self._validate()
        self._seconds += time.perf_counter() - started
        found = self.ranks.agree((checksum(self.model), self._seconds, validated))
        check_equal(self.ranks, [each[0] for each in found], f"epoch {self.epoch}")
        loss, weight, hits, rows = self._sums.tolist()
        data_loss = loss / weight if weight else math.nan
        penalty = self._plan.penalty() if self._regularized else 0.0
        counted = self._network.metric != "none"
        accuracy = hits / rows if rows and counted else math.nan
        seconds = max(each[1] for each in found)
        row = (data_loss + penalty, data_loss, penalty, accuracy, self._record.rate, seconds)
        blocks = {place: sums for each in found for place, sums in each[2].items()}
        self._epochs.add(*row, *means_of(blocks, counted))
        self._seconds = 0.0
        self.step = 0
        self.epoch += 1
        self.done = self.done or self.epoch > self.request.epochs

    def _validate(self) -> dict[int, tuple[float, float, float, int]]:
        """Return the sums of this rank's blocks of the validation, by their places."""
        if self.request.validation is None:
            return {}
        X, y, weight = self.request.validation
        batch = self.request.validation_batch_size
        size = max(batch, LEAST_BLOCK)
        found = {}
        for place, start in enumerate(range(0, len(X), size)):
            if place % self.ranks.size != self.ranks.rank:
                continue
            rows = slice(start, start + size)
            share = None if weight is None else weight[rows]
            one = evaluate(self.model, X[rows], y[rows], share, batch)
            count = len(y[rows])
            total = float(count if share is None else share.sum())
            loss = one.loss * total if total else 0.0
            found[place] = (loss, total, one.accuracy * count, count)
        return found

    def step_record(self) -> StepRecord:
        """Return what the last step reported, summed over all ranks."""
        return self._record

    def take_epochs(self) -> tuple[int, Any]:
        """Return the epochs finished since the last call: their number and the columns."""
        return self._epochs.take()

    def report_epochs(self, history: History) -> None:
        """Add the epochs finished since the last call."""
        self._epochs.report(history)

    def read_rate(self) -> None:
        """Read the optimizer's settings again, and nothing else, at the end of an epoch."""
        if not self.done:
            self._set_schedule(self._plan.iterations)

    def stop(self) -> None:
        """End the training after the steps done."""
        self.done = True


def parallel_network(model: Any, layers: Layers, request: TrainingRequest, largest: int) -> Network:
    """Return the network of a part of a batch, of `largest` rows at most."""
    network = network_of(model, layers, request)
    return network._replace(batch_size=largest, keeps_gradients=True, accumulate=1)


def means_of(
    blocks: dict[int, tuple[float, float, float, int]], counted: bool
) -> tuple[float, float]:
    """Return loss and accuracy of a validation; the blocks are added in their order."""
    if not blocks:
        return math.nan, math.nan
    loss, weight, hits, count = (sum(column) for column in zip(*ordered(blocks), strict=True))
    return loss / weight if weight else math.nan, hits / count if counted else math.nan


def ordered(blocks: dict[int, tuple[float, float, float, int]]) -> list[tuple[float, ...]]:
    """Return the blocks' sums by their places."""
    return [blocks[place] for place in sorted(blocks)]


def check_equal(ranks: Ranks, sums: list[int], when: str) -> None:
    """Refuse to go on where ranks have different parameters; all of them find the same.

    Raises
    ------
    RuntimeError
        On all ranks.
    """
    if len(set(sums)) > 1:
        different = [str(rank) for rank, each in enumerate(sums) if each != sums[0]]
        raise ranks.known(
            RuntimeError(
                f"{when}: expected the same parameters and learning rate on all ranks, got others "
                f"on rank {', '.join(different)} than on rank 0"
            )
        )
