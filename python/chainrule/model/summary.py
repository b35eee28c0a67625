"""What `Model.summary` prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import label_of
from ..layers.parameters import slots_of
from ..shapes import output_width
from ..training.network import plan_text


def summary_text(model: Any) -> str:
    """Return the table: position, layer, output shape, parameters, memory; then the plan.

    A frozen layer is marked, and the parameters of all of them are counted below the total.
    """
    rows, notes = summary_parts(model)
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join(
            text.rjust(width) if column in (0, 3, 4) else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(len(line) for line in lines)
    last = len(model.layers) - len(rows) + 1  # of the lines below the layers, from behind
    lines = [lines[0], rule, *lines[1:last], rule, *lines[last:]]
    return "\n".join([*lines, *notes])


def summary_parts(model: Any) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the table's rows, the head first and the totals last, and the lines below it."""
    rows: list[tuple[str, ...]] = [("", "layer", "output", "parameters", "memory")]
    total, total_bytes, frozen = 0, 0, 0
    for position, layer in enumerate(model.layers, 1):
        arrays = [np.asarray(getattr(layer, slot.name)) for slot in slots_of(layer)]
        count = sum(array.size for array in arrays)
        size = sum(array.nbytes for array in arrays)
        total, total_bytes = total + count, total_bytes + size
        learns = not arrays or getattr(layer, "trainable", True)
        frozen += 0 if learns else count
        width = output_width(model.layers[:position])
        shape = "(n, ?)" if width is None else f"(n, {width[1]})"
        name = label_of(layer) if learns else f"{label_of(layer)}, frozen"
        rows.append((str(position), name, shape, f"{count:,}", memory_text(size)))
    rows.append(("", "total", "", f"{total:,}", memory_text(total_bytes)))
    if frozen:
        rows.append(("", "of it frozen", "", f"{frozen:,}", ""))
    notes = [
        f"{name}: {part!r}"
        for name in ("loss", "optimizer", "accuracy")
        if (part := getattr(model, name)) is not None
    ]
    return rows, [*notes, f"plan: {plan_text(model)}"]


def memory_text(size: float) -> str:
    """Return a number of bytes in B, kB or MB (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
