"""A training whose samples come in parts, from a source: the blocks of an epoch, cut anew.

An epoch is a stream of rows. Its blocks are cut into parts of whole steps, whatever sizes they
come in, so that the bits are those of a training on one array of all rows. A thread reads and
checks the next part while the core works on one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import placed
from .reader import Reader
from .request import TrainingRequest, Weights

ENDLESS = 1 << 62  # steps of an epoch whose last part has not come
MOST_ROWS = 1 << 48  # of a step: more than any stream has, and what the core takes
LEAST_BYTES = 1 << 18  # of a part that is joined of small blocks


class Block(NamedTuple):
    """Samples that a source has yielded, checked and converted."""

    X: Array
    y: Array
    weight: Weights | None

    def rows(self, rows: slice) -> Block:
        """Return some of the samples."""
        weight = None if self.weight is None else self.weight[rows]
        return Block(self.X[rows], self.y[rows], weight)

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.X)


class Part(NamedTuple):
    """Samples of an epoch that follow each other: of whole steps, unless they are the last."""

    samples: Block
    last: bool


Check = Callable[[Any, bool], Block | None]  # of what was yielded, and whether to look for NaN


@dataclass
class SourceRequest(TrainingRequest):
    """A training request over a source.

    Attributes
    ----------
    source : see `chainrule.data`
    check : function
        Block as it was yielded, whether to look for NaN -> Block, None for one without samples.
    first : iterator or None
        The blocks of the first epoch, where one was begun to see what they are like.
    whole_targets : ndarray or None
        All targets, for an accuracy that learns from them.
    finite : bool
        Look for NaN and infinity in the first epoch.
    """

    source: Any = None
    check: Check | None = None
    first: Iterator[Any] | None = None
    whole_targets: Array | None = None
    finite: bool = True

    in_parts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._begin = self._end = 0  # the steps at which the samples in hand begin and end
        self._last = False
        self._epoch = 0
        self._reader: Reader[Part] | None = None

    def __exit__(self, *_: object) -> None:
        """End the reading."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        close(self.first)
        self.first = None

    @property
    def end(self) -> int:
        """The step of the epoch at which the samples in hand are used up."""
        return self._end

    @property
    def last(self) -> bool:
        """Whether the samples in hand are the epoch's last."""
        return self._last

    @property
    def steps(self) -> int:
        """Batches of the epoch; `ENDLESS` until its last part is in hand."""
        return self._end if self._last else ENDLESS

    @property
    def known_steps(self) -> int | None:
        """Batches per epoch; None where the source does not know its rows."""
        n = self.source.n_rows
        if n is None:
            return None
        return int(n // self.batch_size if self.drop_last else -(-n // self.batch_size))

    @property
    def all_targets(self) -> Array:
        """All targets where the source has them, else those of its first block."""
        return self.y if self.whole_targets is None else self.whole_targets

    def next_order(self) -> None:
        """Return None: samples come in the order of the source."""

    def take_samples(self, seconds: float) -> bool:
        """Take the next part, or begin to read an epoch; tell whether a part came in time.

        Raises
        ------
        Exception
            What the source has raised, or what is wrong with a block; names the block.
        """
        if self._reader is None:
            self._epoch += 1
            self._last, self._end = False, 0
            self._reader = Reader(self._parts(self._blocks()))
        part = self._reader.take(seconds)
        if part is None:
            return False
        self.X, self.y, self.sample_weight = part.samples
        self._begin, self._last = self._end, part.last
        self._end = self._begin - (-part.samples.n // self.batch_size)
        if part.last:
            self._reader.close()
            self._reader = None
        return True

    def _rows(self, step: int, count: int, order: Any) -> slice:
        here = step - self._begin
        return slice(here * self.batch_size, (here + count) * self.batch_size)

    # --- in the thread that reads -----------------------------------------------------------------

    def _blocks(self) -> Iterator[Any]:
        """Return an epoch's blocks; the generator draws here, before the thread begins."""
        if self.first is not None:
            blocks, self.first = self.first, None
            return blocks
        if self.generator is None:
            return iter(self.source.blocks())
        seed = int(self.generator.integers(2**63))
        return iter(self.source.blocks(np.random.default_rng(seed)))

    def _parts(self, blocks: Iterator[Any]) -> Iterator[Part]:
        """Yield the parts of an epoch."""
        found = self._checked(blocks, self._epoch)
        size = self.batch_size if self.drop_last else 1
        return parts_of(found, self.batch_size * self.accumulate, size)

    def _checked(self, blocks: Iterator[Any], epoch: int) -> Iterator[Block]:
        """Yield the blocks, checked; what goes wrong is told with epoch and block."""
        assert self.check is not None
        place = f"source: epoch {epoch}"
        number, n = 1, 0
        weight: float | None = None
        try:
            with located(lambda: f"{place}, block {number}"):
                for given in blocks:
                    block = self.check(given, self.finite and epoch == 1)
                    if block is not None:
                        n += block.n
                        self._look_at_rows(n)
                        if block.weight is not None:
                            weight = (weight or 0.0) + float(block.weight.sum())
                        yield block
                    number += 1
            with located(lambda: place):
                self._look_at_end(n, weight)
        finally:
            close(blocks)

    def _look_at_rows(self, n: int) -> None:
        expected = self.source.n_rows
        if expected is not None and n > expected:
            raise ValueError(f"expected {expected} rows in all, as n_rows says, got more")

    def _look_at_end(self, n: int, weight: float | None) -> None:
        """Refuse an epoch of too few rows."""
        expected, least = self.source.n_rows, self.batch_size if self.drop_last else 1
        if expected is not None and n < expected:
            raise ValueError(f"expected {expected} rows in all, as n_rows says, got {n}")
        if n == 0:
            raise ValueError(
                "expected at least one sample, got none; a generator yields its blocks once: "
                "give the function that makes it"
            )
        if n < least:
            raise ValueError(f"expected a whole batch of {least} with drop_last, got {n} samples")
        if weight == 0:
            raise ValueError("weights: expected a sum above 0, got 0")


def parts_of(blocks: Iterator[Block], unit: int, tail: int) -> Iterator[Part]:
    """Cut blocks into parts of a multiple of `unit` rows; the last has one of `tail` rows.

    Whole steps within a block are not copied. Blocks that are small are joined.
    """
    held: Block | None = None
    small: list[Block] = []
    n = 0  # rows of them
    for block in blocks:
        least = unit * max(1, LEAST_BYTES // max(1, unit * row_bytes(block.X)))
        if n + block.n < least:
            small.append(block)
            n += block.n
            continue
        cut = -n % unit  # rows that make a whole step of those before
        found = []
        if n:
            found.append(joined([*small, block.rows(slice(cut))]))
            block = block.rows(slice(cut, None))
        rest = block.n - block.n % unit
        found.append(block.rows(slice(rest)))
        small = [block.rows(slice(rest, None))]
        n = small[0].n
        for each in found:
            if each.n:
                if held is not None:
                    yield Part(held, False)
                held = each
    if n >= tail:
        rest = n - n % tail
        whole = joined(small).rows(slice(rest))
        if held is not None:
            yield Part(held, False)
        held = whole
    if held is not None:
        yield Part(held, True)


def joined(blocks: list[Block]) -> Block:
    """Return one block of several."""
    blocks = [block for block in blocks if block.n]
    if len(blocks) == 1:
        return blocks[0]
    X, y, weights = zip(*blocks, strict=True)
    weight = None if weights[0] is None else np.concatenate(weights)
    return Block(np.concatenate(X), np.concatenate(y), weight)


def row_bytes(X: Array) -> int:
    """Return the size of one sample."""
    return int(X.nbytes // max(1, len(X)))


@contextmanager
def located(place: Callable[[], str]) -> Iterator[None]:
    """Say in an error of the block where it happened."""
    try:
        yield
    except Exception as error:
        placed(error, place())
        raise


def close(blocks: Any) -> None:
    """End a generator's work; other iterators have no end of their own."""
    if hasattr(blocks, "close"):
        blocks.close()
