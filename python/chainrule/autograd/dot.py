"""A graph as the text that Graphviz takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .graph import GraphRow, text_of, text_of_gradient
from .svg import local_text


def dot_of(rows: Sequence[GraphRow]) -> str:
    """Return a directed graph from left to right: boxes, and edges with what flows back."""
    lines = ["digraph {", "  rankdir=LR", '  node [shape=box, fontname="monospace"]',
             '  edge [fontname="monospace"]']  # fmt: skip
    for place, row in enumerate(rows):
        shape = [str(row.value.shape)] if row.value.ndim else []
        text = [row.formula, *shape, f"value {text_of(row.value)}",
                f"gradient {text_of_gradient(row)}"]  # fmt: skip
        lines.append(f"  n{place} [label={_quoted(text)}]")
    for row in rows:
        for edge in row.edges:
            text = [local_text(edge)]
            if edge.contribution is not None:
                text.append(text_of(edge.contribution))
            lines.append(f"  n{edge.source} -> n{edge.target} [label={_quoted(text)}]")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(lines: Sequence[Any]) -> str:
    escaped = (str(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
