"""Local SGD: each rank makes steps of its own, and every k of them all take the ranks' mean.

Between two means there is no traffic at all. What is averaged are the parameters and the arrays of
the optimizer, each rank's by the weight of the samples that it has seen since the last mean.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..training.network import described
from ..training.request import TrainingRequest
from .ranks import Ranks
from .rows import Share
from .runner import ParallelRunner, Sums


class LocalRunner(ParallelRunner):
    """Runs a training request with `every` own steps between two means.

    A loss that is not finite ends the training with the parameters of the last mean.
    """

    def __init__(
        self, model: Any, request: TrainingRequest, ranks: Ranks, share: Share, every: int
    ) -> None:
        self._every = every
        super().__init__(model, request, ranks, share, 0)
        self._since = 0  # steps since the last mean
        self._sums_since = np.zeros(4)
        self._broken = False

    def _one_step(self, knows_penalty: bool) -> bool:
        if self._share.weight_of_step(self.step) > 0:
            self._own_step()
            self._since += 1
        ends_epoch = self.step + 1 == self.request.steps
        if self._since == self._every or (ends_epoch and self._since):
            return self._take_mean()
        return True

    def _own_step(self) -> None:
        """Make this rank's step; without rows the optimizer goes on with a gradient of 0."""
        rows = self._share.of(self.step, self.ranks.rank)
        weight = self._weight_of(rows.first, rows.size)
        factors, sums = self._factors(1), np.zeros(4)
        self._flat.fill(0)
        if weight > 0:
            sums = self._pass(self.ranks.rank, rows, rows.size, weight, factors, self._flat)
        self._broken |= not math.isfinite(sums[0]) and self.request.on_nonfinite != "ignore"
        self._forwards_done += 1
        if not self._broken:
            self._plan.spend(self._flat, factors, self._forwards_done)
            self._written_back = False
        self._sums_since += sums
        self._note_step(sums)

    def _note_step(self, sums: Sums) -> None:
        before = self._sums.copy()
        self._note(sums, math.nan if self._regularized else 0.0)
        self._sums = before  # the epoch's sums are those of all ranks

    def _weight_of(self, first: int, count: int) -> float:
        """Return the weight of some of this rank's rows."""
        weight, order = self.request.sample_weight, self._share.order
        if weight is None:
            return float(count)
        rows: Any = slice(first, first + count)
        return float(weight[rows if order is None else order[rows]].sum())

    def _take_mean(self) -> bool:
        """Give all ranks the mean (collective); False where a loss was not finite."""
        own = self._sums_since[1]
        broken = np.array([float(self._broken)])
        total = self._sums_since.copy()
        self.ranks.add(broken, total)
        if broken[0] > 0:
            self._written_back = True  # Python's arrays are those of the last mean
            self.nonfinite = (self.epoch, self.step)
            return False
        self.write_back()
        arrays = self._averaged_arrays()
        share = own / total[1]
        flat = np.concatenate([np.ravel(each) for each in arrays]) * arrays[0].dtype.type(share)
        self.ranks.add(flat)
        start = 0
        for each in arrays:
            each[...] = flat[start : start + each.size].reshape(each.shape)
            start += each.size
        self._load()
        self._sums += total
        self._since, self._sums_since = 0, np.zeros(4)
        return True

    def _averaged_arrays(self) -> list[Array]:
        """Return the parameters that learn, and what the optimizer keeps beside them."""
        states = self.model.optimizer.states
        return [
            getattr(layer, name)
            for layer, slot, parameter in described(self._layers, self._network)
            if parameter.learns
            for name in (slot.name, *(slot.state(kind) for kind in states))
        ]
