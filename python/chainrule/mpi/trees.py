"""Sums of shards in a fixed tree: the same bits however the shards are spread over ranks.

A node (a, b) stands for the shards a to b - 1, and is the sum of its two halves; the left one has
the largest power of two below b - a. Each rank has neighbouring shards. It adds up the nodes that
lie within them, sends those to the ranks that finish the tree, each a part of the array, and gets
their parts: about as much traffic as an Allreduce.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ..arrays import Array
from .ranks import Ranks, cut, lengths

Node = tuple[int, int]


def halves(node: Node) -> tuple[Node, Node]:
    """Return the two nodes whose sum a node is."""
    first, last = node
    middle = first + (1 << ((last - first - 1).bit_length() - 1))
    return (first, middle), (middle, last)


def nodes_within(node: Node, first: int, last: int) -> list[Node]:
    """Return the largest nodes below `node` whose shards all lie in [first, last)."""
    if node[1] <= first or last <= node[0]:
        return []
    if first <= node[0] and node[1] <= last:
        return [node]
    return [each for half in halves(node) for each in nodes_within(half, first, last)]


def total_of(node: Node, value_of: Callable[[Node], Array | None], free: list[Array]) -> Array:
    """Return a node's sum; `value_of` gives an array, or None where halves must be added.

    The left half's array takes the sum, the right one's is free afterwards.
    """
    value = value_of(node)
    if value is not None:
        return value
    left, right = (total_of(half, value_of, free) for half in halves(node))
    left += right
    free.append(right)
    return left


class Tree:
    """The sum of `shards` arrays of `count` values, of which each rank makes some.

    Attributes
    ----------
    mine : range
        This rank's shards.
    """

    def __init__(self, ranks: Ranks, shards: int, count: int) -> None:
        self.ranks = ranks
        self._root = (0, shards)
        self._count = count
        self._free: list[Array] = []
        ends = cut(shards, ranks.size)
        self.mine = range(ends[ranks.rank], ends[ranks.rank + 1])
        spans = pairwise(ends)
        self._nodes = [nodes_within(self._root, *span) for span in spans]

    def add(self, write: Callable[[int, Array], None], flat: Array) -> None:
        """Write the sum of all shards to `flat` (collective); `write` makes one of this rank's."""

        def shard_of(node: Node) -> Array | None:
            if node[1] - node[0] > 1:
                return None
            array = self._free.pop() if self._free else np.empty_like(flat)
            write(node[0], array)
            return array

        nodes = self._nodes[self.ranks.rank]
        values = {node: total_of(node, shard_of, self._free) for node in nodes}
        if self.ranks.size == 1:
            flat[:] = values[self._root]
        else:
            self._finish(values, flat)
        self._free += values.values()

    def _finish(self, values: dict[Node, Array], flat: Array) -> None:
        rank, ends = self.ranks.rank, cut(self._count, self.ranks.size)
        parts = [slice(*span) for span in pairwise(ends)]
        sizes, mine = lengths(ends), ends[rank + 1] - ends[rank]
        send = [value[part] for part in parts for value in values.values()]
        others = [len(nodes) * mine for nodes in self._nodes]
        received = np.empty(sum(others), dtype=flat.dtype)
        joined = np.concatenate(send) if send else np.empty(0, dtype=flat.dtype)
        self.ranks.exchange(joined, [len(values) * size for size in sizes], received, others)
        known = [node for nodes in self._nodes for node in nodes]
        rows = dict(zip(known, received.reshape(len(known), mine), strict=True))
        flat[parts[rank]] = total_of(self._root, rows.get, [])
        self.ranks.gather_parts(flat, sizes)
