"""Where the boxes of a graph stand: columns from left to right, operands before their results.

    column      longest way from a leaf; what serves one result only stands right before it
    order       each item at the mean place of its neighbours, a few sweeps to and fro
    height      as near as can be to the neighbours' mean, at the least distance from the others

A line that passes over columns holds a place in each of them, one for all uses of a box: no line
crosses a box. Labels of edges stand in their own strip in front of the box that they lead to, one
port apart from each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

GAP_X, GAP_Y = 46.0, 22.0
LINE = 10.0  # height of the place that a passing line holds
SWEEPS = 6


@dataclass
class Box:
    """One node: its size, the operands it comes from, and once laid out its left upper corner.

    `strip` is the width for the labels of the edges that come in. `ports` are the heights at
    which they do, one for each source in order.
    """

    width: float
    height: float
    strip: float
    sources: Sequence[int]
    x: float = 0.0
    y: float = 0.0
    column: int = 0
    ports: list[float] = field(default_factory=list)


@dataclass
class Item:
    """What stands in a column: a box, or the place of the line that leaves a box."""

    box: int
    column: int
    height: float
    is_line: bool
    before: list[Item] = field(default_factory=list)
    after: list[Item] = field(default_factory=list)
    middle: float = 0.0


@dataclass(frozen=True)
class Layout:
    """Boxes in place; `lines` are the passing places of a box's line: {(box, column): y}.

    `left` and `right` are the columns' edges, strips included.
    """

    boxes: Sequence[Box]
    lines: dict[tuple[int, int], float]
    left: Sequence[float]
    right: Sequence[float]
    width: float
    height: float


def laid_out(boxes: Sequence[Box]) -> Layout:
    """Place boxes whose sources stand before them in the sequence."""
    _set_columns(boxes)
    columns = _items(boxes)
    _set_order(columns)
    _set_heights(columns)
    lines = {(i.box, i.column): i.middle for items in columns for i in items if i.is_line}
    left, right, edge = [], [], 0.0
    for items in columns:
        real = [boxes[item.box] for item in items if not item.is_line]
        left.append(edge)
        start = edge + max((box.strip for box in real), default=0.0)
        edge = start + max((box.width for box in real), default=0.0)
        right.append(edge)
        edge += GAP_X
        for item in items:
            if not item.is_line:
                box = boxes[item.box]
                box.x, box.y = start, item.middle - box.height / 2
    height = max(item.middle + item.height / 2 for items in columns for item in items)
    _set_ports(boxes, lines)
    return Layout(boxes, lines, left, right, right[-1], height)


def _set_columns(boxes: Sequence[Box]) -> None:
    for box in boxes:
        box.column = max((boxes[k].column + 1 for k in box.sources), default=0)
    users: list[list[Box]] = [[] for _ in boxes]
    for box in boxes:
        for k in set(box.sources):
            users[k].append(box)
    alone: list[bool] = []  # nothing that it comes from has another use
    for box in boxes:
        alone.append(all(alone[k] and len(users[k]) == 1 for k in box.sources))
    for k in reversed(range(len(boxes))):
        if alone[k] and users[k]:
            boxes[k].column = min(user.column for user in users[k]) - 1


def _items(boxes: Sequence[Box]) -> list[list[Item]]:
    """The items of each column, joined to those beside them."""
    columns: list[list[Item]] = [[] for _ in range(1 + max(box.column for box in boxes))]
    made: dict[tuple[int, int], Item] = {}
    for k, box in enumerate(boxes):
        made[k, box.column] = Item(k, box.column, box.height, False)
        columns[box.column].append(made[k, box.column])
    for k, box in enumerate(boxes):
        for source in box.sources:
            previous = made[source, boxes[source].column]
            for column in range(boxes[source].column + 1, box.column):
                if (source, column) not in made:
                    made[source, column] = Item(source, column, LINE, True)
                    columns[column].append(made[source, column])
                    _join(previous, made[source, column])
                previous = made[source, column]
            _join(previous, made[k, box.column])
    return columns


def _join(one: Item, other: Item) -> None:
    one.after.append(other)
    other.before.append(one)


def _set_order(columns: list[list[Item]]) -> None:
    for items in columns:
        for place, item in enumerate(items):
            item.middle = float(place)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for items in columns if forward else reversed(columns):
            items.sort(key=lambda item: _mean(item.before if forward else item.after, item.middle))
            for place, item in enumerate(items):
                item.middle = float(place)


def _mean(items: Iterable[Item], otherwise: float) -> float:
    middles = [item.middle for item in items]
    return sum(middles) / len(middles) if middles else otherwise


def _set_heights(columns: list[list[Item]]) -> None:
    for items in columns:
        _stack(items, [0.0] * len(items))
    for sweep in range(4 * SWEEPS + 1):
        for items in columns if sweep % 2 == 0 else reversed(columns):
            _stack(items, [_mean([*item.before, *item.after], item.middle) for item in items])
    top = min(item.middle - item.height / 2 for items in columns for item in items)
    for items in columns:
        for item in items:
            item.middle -= top


def _stack(items: list[Item], wanted: list[float]) -> None:
    """Set middles nearest to `wanted` in the sum of squares that keep order and distance.

    Measured from where a tight stack would put them, they must not fall: pool those that do.
    """
    offsets = np.cumsum([
        (items[k - 1].height + item.height) / 2 + GAP_Y if k else 0.0
        for k, item in enumerate(items)
    ])  # fmt: skip
    pools: list[tuple[float, int]] = []  # (mean, count)
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - float(offset), 1
        while pools and pools[-1][0] > mean:
            before, n = pools.pop()
            mean, count = (before * n + mean * count) / (n + count), n + count
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    for item, mean, offset in zip(items, means, offsets, strict=True):
        item.middle = mean + float(offset)


def _set_ports(boxes: Sequence[Box], lines: dict[tuple[int, int], float]) -> None:
    """Spread the edges that come in over a box's left side, in the order of where they come from.

    A port is above another one if its line is.
    """
    for box in boxes:
        came = [
            lines.get((k, box.column - 1), boxes[k].y + boxes[k].height / 2) for k in box.sources
        ]
        order = sorted(range(len(came)), key=lambda place: (came[place], place))
        box.ports = [0.0] * len(came)
        for rank, place in enumerate(order):
            box.ports[place] = box.y + box.height * (rank + 0.5) / len(came)
