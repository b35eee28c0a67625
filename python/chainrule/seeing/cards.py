"""What a notebook shows of a model, a history, a layer and a gradient report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layers.parameters import slots_of
from ..optimizers.state import state_kinds
from . import sketches
from .html import AMBER, GREEN, RED, Card, Picture, Table
from .stages import columns_of

PASSED = ("inputs", "output", "dinputs")  # what a pass leaves on a layer
PARTS_OF_LOSS = ("data_loss", "regularization_loss")
SHOWN_EPOCHS = (1, 2, 5)  # times powers of ten


def model_card(model: Any) -> Card:
    """Return the layers with output, parameters and memory, a drawing of the net, and its parts."""
    from ..model.summary import summary_parts

    kind = type(model).__name__
    if not model.layers:
        return Card(f"{kind} without layers")
    (head, *rows), notes = summary_parts(model)
    columns = columns_of(model.layers)
    picture = None
    if len(columns) > 1:
        sizes = "-".join(str(column.size) for column in columns)
        picture = Picture(sketches.net(columns), f"the net {sizes}: units and weights")
    table = Table(head, rows, frozenset({0, 3, 4}))
    return Card(kind, table, picture, notes)


def history_card(history: Any) -> Card:
    """Return the recorded values of some epochs, and the curves of the loss."""
    count = len(history)
    if not count:
        return Card("History of no epoch")
    names = history.recorded()
    if not np.any(history.regularization_loss):  # then the loss says it all
        names = tuple(name for name in names if name not in PARTS_OF_LOSS)
    numbers = {1, count} | {k * 10**p for p in range(7) for k in SHOWN_EPOCHS if k * 10**p < count}
    if history.best_epoch is not None:
        numbers.add(history.best_epoch)
    rows = []
    for number in sorted(numbers):
        values = history.epoch(number)
        best = " (best)" if number == history.best_epoch else ""
        rows.append((f"{number:,}{best}", *(f"{values[name]:.4g}" for name in names)))
    head = ("epoch", *(name.replace("_", " ") for name in names))
    losses = {n.replace("_", " "): history[n] for n in ("loss", "validation_loss") if n in names}
    picture = None
    if losses:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in losses.items())
        alt = f"learning curve over {count:,} epochs; at the end {last}"
        picture = Picture(sketches.curves(losses), alt)
    title = f"History of {count:,} epoch" + ("" if count == 1 else "s")
    return Card(title, Table(head, rows, frozenset(range(len(head)))), picture)


def layer_card(layer: Any) -> Card:
    """Return the arrays that a layer holds, and how its first parameter or output is spread."""
    arrays = dict(arrays_of(layer))
    title = repr(layer)
    if not arrays:
        return Card(title)
    rows = [(name, *described(array)) for name, array in arrays.items()]
    head = ("array", "shape", "dtype", "root mean square", "least", "greatest", "zeros")
    slots = slots_of(layer)
    name = slots[0].name if slots else "output" if "output" in arrays else next(iter(arrays))
    svg, low, high = sketches.histogram(arrays[name])
    picture = Picture(svg, f"histogram of {name}, from {low:.3g} to {high:.3g}")
    return Card(title, Table(head, rows, frozenset({3, 4, 5, 6})), picture)


def arrays_of(layer: Any) -> list[tuple[str, NDArray[Any]]]:
    """Return a layer's parameters, their gradients, the optimizer's arrays, what a pass left."""
    slots = slots_of(layer)
    names = [slot.name for slot in slots] + [slot.gradient for slot in slots]
    names += [slot.state(kind) for kind in state_kinds() for slot in slots] + list(PASSED)
    held = ((name, getattr(layer, name, None)) for name in names)
    return [
        (name, array)
        for name, array in held
        if isinstance(array, np.ndarray) and array.dtype.kind in "biuf" and array.size
    ]


def described(array: NDArray[Any]) -> tuple[str, ...]:
    """Return shape, dtype, root mean square, least, greatest and share of zeros as texts."""
    values = np.asarray(array, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        size = float(np.sqrt(np.mean(np.square(values))))
        low, high = float(values.min()), float(values.max())
    zeros = 100 * float(np.mean(values == 0))
    numbers = (f"{size:.3g}", f"{low:.3g}", f"{high:.3g}", f"{zeros:.0f} %")
    return (str(array.shape), str(array.dtype), *numbers)


def report_card(report: Any) -> Card:
    """Return a gradient report's lines, verdicts coloured; what makes one wrong comes first."""
    from ..checking.report import HEAD, UNKNOWN

    rows: list[tuple[str, ...]] = []
    colours = {}
    for line in sorted(report.rows, key=bool):
        colour = GREEN if line else AMBER if line.fault == UNKNOWN else RED
        colours[len(rows), len(HEAD) - 1] = colour
        rows.append(line.cells())
        rows += [(hint,) for hint in line.hint.splitlines()]
    table = Table(HEAD, rows, frozenset(range(2, 7)), colours)
    return Card(report.title, table, None, (*report.remarks(), report.end()))


def explanation_card(explanation: Any) -> Card:
    """Return the layers' numbers, those of findings in red; below them the loss and findings."""
    from .rows import HEAD

    rows = [row.cells() for row in explanation.rows]
    right = frozenset(range(3, len(HEAD)))
    colours = {
        (each.layer, column_of(each.kind)): RED
        for each in explanation.findings
        if each.layer is not None
    }
    table = Table(HEAD, rows, right, colours)
    return Card(explanation.title(), table, None, explanation.notes())


def column_of(kind: str) -> int:
    """Return the column of an explanation's table that a finding is about."""
    columns = {"dead": 5, "saturated": 6, "vanishing": 7, "exploding": 7}
    return columns.get(kind, 11 if kind.startswith("step") else 1)
