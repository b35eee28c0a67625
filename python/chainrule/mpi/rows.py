"""Which rows of a batch a rank, or a shard, has: for gradients of parts that add up to the batch's.

All ranks draw the same order of all samples. Where each holds all of them, a batch is cut into
equal parts, one behind the other. Where each holds its own, a rank has of a batch what it holds;
within a batch the ranks' rows count as standing one behind the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..training.request import TrainingRequest
from .ranks import Ranks, cut

Places = NDArray[np.int64]


class Rows(NamedTuple):
    """Rows of a batch: where they begin in the rank's order, how many, and the place in the batch.

    The place counts for the masks of dropout, which are those of the whole batch.
    """

    first: int
    size: int
    position: int


class Share(Protocol):
    """What a rank has of the batches of an epoch.

    `order` is the order of its own samples, None where they come as they are; `largest` the most
    rows that `of` gives.
    """

    order: Places | None
    largest: int

    def start_epoch(self) -> None:
        """Draw the next epoch's order (collective where ranks hold rows of their own)."""

    def of(self, step: int, part: int) -> Rows:
        """Return the rows of one part of a batch."""

    def weight_of_step(self, step: int) -> float:
        """Return the weight of all samples of the update that a batch is part of."""

    def rows_of_step(self, step: int) -> int:
        """Return their number."""


def rows_of_update(request: TrainingRequest, step: int) -> int:
    """Return the number of samples of the update that a batch is part of."""
    first = step - step % request.accumulate
    stop = min(first + request.accumulate, request.steps) * request.batch_size
    return min(stop, request.n) - first * request.batch_size


class WholeShare:
    """All ranks hold all rows: a batch is cut into `parts`, rank's or shards'."""

    def __init__(self, request: TrainingRequest, parts: int) -> None:
        self._request = request
        self._parts = parts
        self.order: Places | None = None
        self.largest = -(-request.batch_size // parts)

    def start_epoch(self) -> None:
        """Draw the next epoch's order."""
        self.order = self._request.next_order()

    def of(self, step: int, part: int) -> Rows:
        """Return the rows of one part of a batch."""
        request = self._request
        first = step * request.batch_size
        ends = cut(min(request.batch_size, request.n - first), self._parts)
        return Rows(first + ends[part], ends[part + 1] - ends[part], ends[part])

    def weight_of_step(self, step: int) -> float:
        """Return the weight of all samples of the update that a batch is part of."""
        request, rows = self._request, self.rows_of_step(step)
        if request.sample_weight is None:
            return float(rows)
        first = (step - step % request.accumulate) * request.batch_size
        place: Any = slice(first, first + rows)
        weight = request.sample_weight[place if self.order is None else self.order[place]]
        return float(np.cumsum(weight)[-1])  # one after the other, as a plan adds them

    def rows_of_step(self, step: int) -> int:
        """Return their number."""
        return rows_of_update(self._request, step)


class OwnShare:
    """Each rank holds rows of its own, `counts` of them; the order is one of all ranks' rows.

    Without shuffling the ranks' rows come evenly mixed: row i of n stands at ``(i + 1/2) / n``.
    """

    def __init__(self, request: TrainingRequest, ranks: Ranks, counts: list[int]) -> None:
        self._request = request
        self._ranks = ranks
        self._starts = np.cumsum([0, *counts])
        self._in_order: Places | None = None
        if request.generator is None:
            shares = [(np.arange(count) + 0.5) / count for count in counts if count]
            self._in_order = np.argsort(np.concatenate(shares), kind="stable")
        self.order: Places | None = None
        self.largest = max(1, min(request.batch_size, counts[ranks.rank]))

    def start_epoch(self) -> None:
        """Draw the next epoch's order; add up the weights of its batches (collective)."""
        request, rank, size = self._request, self._ranks.rank, self._ranks.size
        order = self._in_order if request.generator is None else request.next_order()
        assert order is not None
        owners = np.searchsorted(self._starts, order, side="right") - 1
        self.order = order[owners == rank] - self._starts[rank]
        taken = owners[: request.steps * request.batch_size]
        batches = np.arange(len(taken)) // request.batch_size
        counts = np.bincount(batches * size + taken, minlength=request.steps * size)
        counts = counts.reshape(request.steps, size)
        self._counts = counts[:, rank]
        self._firsts = np.cumsum(self._counts) - self._counts
        self._positions = counts[:, :rank].sum(axis=1)
        self._weights = counts.sum(axis=1).astype(np.float64)
        if request.sample_weight is not None:
            self._weights = self._own_weights()
            self._ranks.add(self._weights)

    def _own_weights(self) -> NDArray[np.float64]:
        """Return the weight of this rank's rows of each batch."""
        assert self.order is not None and self._request.sample_weight is not None
        weight = self._request.sample_weight[self.order[: self._counts.sum()]]
        steps = np.repeat(np.arange(self._request.steps), self._counts)
        return np.bincount(steps, weight, self._request.steps).astype(np.float64, copy=False)

    def of(self, step: int, part: int) -> Rows:
        """Return this rank's rows of a batch, whatever the part."""
        return Rows(int(self._firsts[step]), int(self._counts[step]), int(self._positions[step]))

    def weight_of_step(self, step: int) -> float:
        """Return the weight of all samples of the update that a batch is part of."""
        first = step - step % self._request.accumulate
        return float(self._weights[first : first + self._request.accumulate].sum())

    def rows_of_step(self, step: int) -> int:
        """Return their number."""
        return rows_of_update(self._request, step)


def share_of(request: TrainingRequest, ranks: Ranks, shards: int, counts: Any) -> Share:
    """Return what a rank has: of `shards` that all share out, or one part a rank where that is 0.

    `counts` are the ranks' numbers of rows where each has its own, else None.
    """
    if counts is not None:
        return OwnShare(request, ranks, counts)
    return WholeShare(request, shards or ranks.size)
