"""What `Model.summary` prints."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import label_of
from .shapes import output_width
from .training.specification import plan_text


def summary_text(model: Any) -> str:
    """Return the table: position, layer, output shape, parameters, memory; then the plan."""
    rows = [("", "layer", "output", "parameters", "memory")]
    total, total_bytes = 0, 0
    for position, layer in enumerate(model.layers, 1):
        arrays = [
            np.asarray(getattr(layer, name))
            for name in ("weights", "biases")
            if getattr(layer, name, None) is not None
        ]
        count = sum(array.size for array in arrays)
        size = sum(array.nbytes for array in arrays)
        total, total_bytes = total + count, total_bytes + size
        width = output_width(model.layers[:position])
        shape = "(n, ?)" if width is None else f"(n, {width[1]})"
        rows.append((str(position), label_of(layer), shape, f"{count:,}", memory_text(size)))
    rows.append(("", "total", "", f"{total:,}", memory_text(total_bytes)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "  ".join(
            text.rjust(width) if column in (0, 3, 4) else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(len(line) for line in lines)
    lines = [lines[0], rule, *lines[1:-1], rule, lines[-1]]
    lines += [
        f"{name}: {part!r}"
        for name in ("loss", "optimizer", "accuracy")
        if (part := getattr(model, name)) is not None
    ]
    lines.append(f"plan: {plan_text(model)}")
    return "\n".join(lines)


def memory_text(size: float) -> str:
    """Return a number of bytes in B, kB or MB (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
