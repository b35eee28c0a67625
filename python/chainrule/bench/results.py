"""What was measured, and the numbers derived from it.

A `Block` is one workload with one dtype and one thread count; a `Series` is one contestant in
it. A ratio pairs the contestants' samples of the same round, so that a slow drift of the
machine cancels; its spread is the lowest and the highest of these pairs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, NamedTuple

from .workloads import Workload

SCHEMA = 1
OURS = ("chainrule plan", "chainrule layers")
YARDSTICK = {"chainrule layers": "numpy-classes"}


class Ratio(NamedTuple):
    """Time of `peer` by time of `ours`: above 1 we are faster."""

    ours: str
    peer: str
    median: float
    lowest: float
    highest: float


@dataclass
class Series:
    """Samples of one contestant, seconds a step or call; `problem` says why there are none.

    ``first_call`` (seconds) counts nowhere; ``loss_error`` is the relative difference of its
    losses in the check; ``note`` is what the peer tells about itself; ``failed``: the
    problem is an error, or it computes something else, and not just that it cannot take part.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    first_call: float | None = None
    steps: int = 0
    loss_error: float | None = None
    note: str = ""
    problem: str = ""
    failed: bool = False

    @property
    def measured(self) -> bool:
        return bool(self.seconds)

    @property
    def total(self) -> float:
        """Seconds that all samples have taken."""
        return sum(self.seconds) * self.steps

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def minimum(self) -> float:
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """From the lowest sample to the highest."""
        return max(self.seconds) - min(self.seconds)


@dataclass
class Block:
    """All contestants on one workload, dtype and thread count."""

    workload: Workload
    dtype: str
    threads: int
    check_steps: int
    tolerance: float
    series: list[Series]
    peak_gflops: list[float] = field(default_factory=list)
    peak_problem: str = ""

    def find(self, name: str) -> Series | None:
        """The contestant of this name if it has been measured."""
        return next((s for s in self.series if s.name == name and s.measured), None)

    def share_of_peak(self, series: Series) -> float | None:
        """Flops of the median step by the peak of all threads; None without a peak."""
        if not self.peak_gflops:
            return None
        peak = median(self.peak_gflops) * 1e9 * self.threads
        return self.workload.flops / series.median / peak

    def ratio(self, ours: str, peer: str) -> Ratio | None:
        a, b = self.find(ours), self.find(peer)
        if a is None or b is None:
            return None
        pairs = [theirs / own for own, theirs in zip(a.seconds, b.seconds, strict=False)]
        return Ratio(ours, peer, median(pairs), min(pairs), max(pairs))

    def ratios(self, ours: str) -> list[Ratio]:
        """Against every measured peer, in the order of the series."""
        peers = [s.name for s in self.series if s.measured and s.name not in OURS]
        return [r for r in (self.ratio(ours, peer) for peer in peers) if r is not None]

    def decisive(self, ours: str) -> Ratio | None:
        """Against the best peer; for the layers against the notebooks' classes if they ran."""
        yardstick = self.ratio(ours, YARDSTICK.get(ours, ""))
        return yardstick or min(self.ratios(ours), key=lambda r: r.median, default=None)


def worst(blocks: list[Block], ours: str) -> tuple[Block, Ratio] | None:
    """The smallest decisive ratio of all blocks and where it is."""
    found = [(block, block.decisive(ours)) for block in blocks]
    pairs = [(block, ratio) for block, ratio in found if ratio is not None]
    return min(pairs, key=lambda pair: pair[1].median, default=None)


@dataclass
class Run:
    """A whole run: everything the reports are made from."""

    command: str
    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    contestants: dict[str, dict[str, Any]]
    blocks: list[Block] = field(default_factory=list)

    def speed_up(self, block: Block, ours: str) -> float | None:
        """Time with one thread by time with the block's threads; None if only one was run."""
        alone = self.find(block.workload, block.dtype, 1) if block.threads > 1 else None
        own, single = block.find(ours), alone.find(ours) if alone else None
        return single.median / own.median if own and single else None

    def find(self, workload: Workload, dtype: str, threads: int) -> Block | None:
        """The block of these, None if they were not run."""
        key = workload, dtype, threads
        return next((b for b in self.blocks if (b.workload, b.dtype, b.threads) == key), None)

    def groups(self) -> list[tuple[str, int, list[Block]]]:
        """The blocks by dtype and thread count, in the order of the run."""
        keys = dict.fromkeys((block.dtype, block.threads) for block in self.blocks)
        return [
            (dtype, n, [b for b in self.blocks if (b.dtype, b.threads) == (dtype, n)])
            for dtype, n in sorted(keys)
        ]

    def to_json(self) -> dict[str, Any]:
        """Every sample, and the derived numbers beside them."""
        document = {"schema": SCHEMA, **asdict(self)}
        for entry, block in zip(document["blocks"], self.blocks, strict=True):
            entry["flops"] = block.workload.flops
            entry["ratios"] = [r._asdict() for ours in OURS for r in block.ratios(ours)]
            for series, s in zip(entry["series"], block.series, strict=True):
                if s.measured:
                    series["median"], series["minimum"] = s.median, s.minimum
                    series["share_of_peak"] = block.share_of_peak(s)
        lows = {ours: worst(self.blocks, ours) for ours in OURS}
        document["worst"] = [
            {"workload": b.workload.name, "dtype": b.dtype, "threads": b.threads, **r._asdict()}
            for b, r in (low for low in lows.values() if low is not None)
        ]
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Run:
        """Read a document of `to_json` again.

        Raises
        ------
        ValueError
            If it is of another schema.
        """
        if document.get("schema") != SCHEMA:
            raise ValueError(f"schema: expected {SCHEMA}, got {document.get('schema')}")
        names = cls.__dataclass_fields__
        fields = {key: value for key, value in document.items() if key in names}
        fields["blocks"] = [_block_from(entry) for entry in document["blocks"]]
        return cls(**fields)


def _block_from(entry: dict[str, Any]) -> Block:
    fields = {key: value for key, value in entry.items() if key in Block.__dataclass_fields__}
    fields["workload"] = Workload.from_dict(entry["workload"])
    fields["series"] = [
        Series(**{k: v for k, v in s.items() if k in Series.__dataclass_fields__})
        for s in entry["series"]
    ]
    return Block(**fields)
