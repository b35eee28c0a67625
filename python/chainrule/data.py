"""Sources: samples that come in blocks, for data that no memory holds.

``model.train(source, epochs=...)`` takes a source in place of X and y. An epoch is the stream of
its rows, which is cut into batches of `batch_size` whatever the blocks are; a thread reads the next
block while the core works on one.

`Blocks` cuts arrays and memory maps, `Files` reads ``.npy`` files, `Arrow` Parquet files and other
data sets of pyarrow; these three shuffle: the blocks, and the rows within each. Any other iterable
of ``(X, y)`` or ``(X, y, weights)``, or a function that returns one, is a source as it is; `Stream`
tells how many rows it has.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .arrays import Array, as_count, as_real
from .errors import labelled
from .libraries import library

__all__ = ["Arrow", "Blocks", "Files", "Source", "Stream"]

BLOCK_BYTES = 1 << 24  # of X, where nothing else is asked for
PAGE = 4096


class Source(ABC):
    """Base of sources; a class of your own gives `blocks`.

    Attributes
    ----------
    n_rows : int or None
        Rows of an epoch, where they are known: for the bar, for schedules, for `batch_size`.
    shuffles : bool
        Whether `blocks` takes a generator, and yields another order then.
    once : bool
        Whether there is only one epoch in it.
    lends : bool
        Whether arrays that were yielded may be written to later; they are copied then.
    targets : array_like or None
        All y of an epoch, where they are at hand: for balanced class weights, and for an accuracy
        that learns from them.
    """

    n_rows: int | None = None
    shuffles: bool = False
    once: bool = False
    lends: bool = True
    targets: Any = None

    @abstractmethod
    def blocks(self, rng: np.random.Generator | None = None) -> Iterator[Any]:
        """Yield the blocks of an epoch: ``(X, y)`` or ``(X, y, weights)`` of any length."""


class Stream(Source):
    """Blocks that come from an iterable, or from a function that returns one.

    Parameters
    ----------
    blocks : iterable or function
        Yields ``(X, y)`` or ``(X, y, weights)``. A function is called once an epoch, an iterable
        is iterated once an epoch; a generator has one epoch in it. Its arrays are copied when they
        come, and may be filled anew.
    n_rows : int, optional
        Rows of an epoch. Another number is an error.

    Raises
    ------
    TypeError
        `blocks` can neither be called nor iterated.
    """

    def __init__(self, blocks: Any, *, n_rows: int | None = None) -> None:
        if not callable(blocks) and not hasattr(blocks, "__iter__"):
            raise TypeError(
                "source: expected an iterable of (X, y), or a function that returns one, got "
                f"{blocks!r}"
            )
        self._blocks = blocks
        self.n_rows = None if n_rows is None else as_count(n_rows, "n_rows", 1)
        self.once = not callable(blocks) and hasattr(blocks, "__next__")

    def blocks(self, rng: np.random.Generator | None = None) -> Iterator[Any]:
        """Return the blocks of an epoch."""
        return iter(self._blocks() if callable(self._blocks) else self._blocks)

    def __repr__(self) -> str:
        return f"Stream({self._blocks!r}, n_rows={self.n_rows})"


class RowBlocks(Source):
    """Base of sources whose rows can be reached in any order."""

    n_rows: int
    shuffles = True
    lends = False

    @abstractmethod
    def places(self) -> list[tuple[int, int, int]]:
        """Return the blocks in order: part, first row and end in it."""

    @abstractmethod
    def part(self, number: int) -> tuple[Any, ...]:
        """Return a part: X, y and weights if there are some."""

    def blocks(self, rng: np.random.Generator | None = None) -> Iterator[Any]:
        """Yield the blocks in order; with a generator in another one, their rows too.

        The orders are ``rng.permutation`` of the number of blocks, then of each block's rows.
        """
        places = self.places()
        order = range(len(places)) if rng is None else rng.permutation(len(places))
        for place in order:
            part, start, stop = places[place]
            arrays = self.part(part)
            if rng is None:
                yield tuple(touched(array[start:stop]) for array in arrays)
                continue
            rows = rng.permutation(stop - start)
            yield tuple(taken(array[start:stop], rows) for array in arrays)


class Blocks(RowBlocks):
    """Arrays or memory maps, cut into blocks of rows.

    In order the blocks are views: nothing is copied. Shuffled, each block is one copy.

    Parameters
    ----------
    X : ndarray or memory map (n, d)
    y : ndarray or memory map
        Labels (n,) or targets (n, m).
    sample_weight : ndarray (n,), optional
    rows : int, optional
        Of a block; a power of two that makes about 16 MB of X without it. Multiples of the batch
        size are read without a copy.

    Raises
    ------
    TypeError, ValueError
        No real numbers, arrays of different lengths, no row.
    """

    def __init__(self, X: Any, y: Any, sample_weight: Any = None, *, rows: Any = None) -> None:
        arrays = {"X": X, "y": y, "sample_weight": sample_weight}
        with labelled("Blocks"):
            found = {
                name: as_real(array, name) for name, array in arrays.items() if array is not None
            }
            n = check_lengths(found)
            self.rows = checked_rows(rows, found["X"])
        self._arrays = tuple(found.values())
        self.n_rows, self.targets = n, found["y"]

    def places(self) -> list[tuple[int, int, int]]:
        """Return the blocks in order."""
        return cut(0, self.n_rows, self.rows)

    def part(self, number: int) -> tuple[Array, ...]:
        """Return all arrays."""
        return self._arrays

    def __repr__(self) -> str:
        X = self._arrays[0]
        return f"Blocks({X.shape} {X.dtype}, rows={self.rows})"


class Files(RowBlocks):
    """Pairs or triples of ``.npy`` files, read as memory maps.

    Parameters
    ----------
    paths : sequence of (X, y) or (X, y, weights)
        Paths of files; each is open only while it is read.
    rows : int, optional
        Of a block, as for `Blocks`; a file's last one may be smaller.

    Raises
    ------
    TypeError, ValueError
        No pairs or triples, files of different lengths, no row.
    OSError
        A file cannot be read.
    """

    def __init__(self, paths: Sequence[Sequence[Any]], *, rows: Any = None) -> None:
        self._paths = [tuple(each) for each in paths]
        self._places: list[tuple[int, int, int]] = []
        self.n_rows = 0
        with labelled("Files"):
            for number, names in enumerate(self._paths):
                if len(names) not in (2, 3):
                    raise TypeError(
                        f"expected pairs (X, y) or triples (X, y, weights) of paths, got {names!r}"
                    )
                arrays = self.part(number)
                n = check_lengths(dict(zip(map(str, names), arrays, strict=True)), least=0)
                self._places += cut(number, n, checked_rows(rows, arrays[0]))
                self.n_rows += n
            if self.n_rows == 0:
                raise ValueError("expected at least one row, got none")

    def places(self) -> list[tuple[int, int, int]]:
        """Return the blocks in order."""
        return self._places

    def part(self, number: int) -> tuple[Array, ...]:
        """Return the maps of one pair of files."""
        return tuple(
            np.load(os.fspath(path), mmap_mode="r", allow_pickle=False)
            for path in self._paths[number]
        )

    def __repr__(self) -> str:
        return f"Files({len(self._paths)} pairs, {self.n_rows} rows)"


class Arrow(Source):
    """Columns of Parquet files, or of any other data set of pyarrow (extra ``arrow``).

    Missing cells are NaN, which `check_finite` refuses.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset, path or list of paths
    inputs : sequence of str
        The columns of X.
    target : str or sequence of str
        The column of y, (n,); several are (n, m).
    weight : str, optional
    rows : int
        Of a block, at most.

    Raises
    ------
    ImportError
        pyarrow is missing.
    ValueError
        A column that is not there.
    """

    shuffles = True
    lends = False

    def __init__(
        self,
        dataset: Any,
        inputs: Sequence[str],
        target: str | Sequence[str],
        *,
        weight: str | None = None,
        rows: int = 65536,
    ) -> None:
        arrow = library("pyarrow.dataset", "Arrow", "'chainrule[arrow]'")
        self._dataset = dataset if isinstance(dataset, arrow.Dataset) else arrow.dataset(dataset)
        self._inputs = list(inputs)
        self._target = target if isinstance(target, str) else list(target)
        self._weight = weight
        with labelled("Arrow"):
            self.rows = as_count(rows, "rows", 1)
            known = self._dataset.schema.names
            for name in self._columns():
                if name not in known:
                    raise ValueError(f"expected columns among {', '.join(known)}; got {name!r}")
        self.n_rows = int(self._dataset.count_rows())

    def _columns(self) -> list[str]:
        targets = [self._target] if isinstance(self._target, str) else self._target
        return [*self._inputs, *targets, *([] if self._weight is None else [self._weight])]

    def blocks(self, rng: np.random.Generator | None = None) -> Iterator[Any]:
        """Yield the blocks in order; with a generator files in another one, and rows in blocks.

        The orders are ``rng.permutation`` of the number of fragments, then of each block's rows.
        """
        fragments = list(self._dataset.get_fragments())
        if rng is not None:
            fragments = [fragments[place] for place in rng.permutation(len(fragments))]
        for fragment in fragments:
            batches = fragment.to_batches(
                schema=self._dataset.schema,
                columns=self._columns(),
                batch_size=self.rows,
                batch_readahead=1,  # the thread that reads is ahead already
                fragment_readahead=1,
                use_threads=False,
            )
            for batch in batches:
                arrays = self._arrays(batch)
                if rng is not None:
                    rows = rng.permutation(batch.num_rows)
                    arrays = tuple(array[rows] for array in arrays)
                yield arrays

    def _arrays(self, batch: Any) -> tuple[Array, ...]:
        def column(name: str) -> Array:
            return as_real(batch.column(name).to_numpy(zero_copy_only=False), name)

        X = np.stack([column(name) for name in self._inputs], axis=1)
        if isinstance(self._target, str):
            y = column(self._target)
        else:
            y = np.stack([column(name) for name in self._target], axis=1)
        return (X, y) if self._weight is None else (X, y, column(self._weight))

    def __repr__(self) -> str:
        return f"Arrow({len(self._inputs)} columns, {self.n_rows} rows)"


def as_source(given: Any) -> Source:
    """Return what `train` was given in place of X and y as a source.

    Raises
    ------
    TypeError
        An array or a frame, whose y is missing, or something else that yields no blocks.
    """
    if isinstance(given, Source):
        return given
    if hasattr(given, "__array__") or hasattr(given, "to_numpy") or isinstance(given, str | bytes):
        raise TypeError(
            "y: expected targets, got none; a source that yields (X, y) needs no y, an array does"
        )
    return Stream(given)


def check_lengths(arrays: dict[str, Array], least: int = 1) -> int:
    """Return the number of rows that all arrays have."""
    lengths = {name: len(array) if array.ndim else -1 for name, array in arrays.items()}
    first, n = next(iter(lengths.items()))
    for name, length in lengths.items():
        if length != n or length < least:
            raise ValueError(
                f"{name}: expected {f'{n} rows, as {first} has' if n >= least else 'rows'}, got "
                f"{arrays[name].shape}"
            )
    return n


def checked_rows(rows: Any, X: Array) -> int:
    """Return the rows of a block: as asked for, else of about `BLOCK_BYTES`, a power of two."""
    if rows is not None:
        return as_count(rows, "rows", 1)
    each = max(1, X.nbytes // max(1, len(X)))
    return 1 << max(0, (BLOCK_BYTES // each).bit_length() - 1)


def cut(part: int, n: int, rows: int) -> list[tuple[int, int, int]]:
    """Return the blocks of n rows of a part."""
    return [(part, start, min(start + rows, n)) for start in range(0, n, rows)]


def touched(array: Array) -> Array:
    """Return the array; a memory map's pages have been read then."""
    if array.flags.c_contiguous and array.nbytes:
        np.asarray(array).reshape(-1).view(np.uint8)[::PAGE].max()
    return array


def taken(array: Array, rows: Array) -> Array:
    """Return rows in another order; Python's lock is let go meanwhile."""
    return np.take(np.asarray(array), rows, axis=0)
