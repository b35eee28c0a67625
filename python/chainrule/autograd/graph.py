"""The graph that led to a variable: its rows, its texts, and where its picture comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from ..arrays import Array
from .passing import youngest_first
from .variable import Variable

__all__ = ["Graph", "GraphEdge", "GraphRow"]

LARGEST_DRAWN = 200  # nodes
LONGEST_TABLE = 60  # rows: the first and last ones


class GraphEdge(NamedTuple):
    """One use of a variable.

    Attributes
    ----------
    source, target : int
        Places in `Graph.rows`: of the operand, and of the result.
    local : float, ndarray or str
        d target / d source, a text where it is no number for each entry.
    contribution : ndarray or None
        What this use adds to the operand's gradient; None before `backward`.
    """

    source: int
    target: int
    local: Any
    contribution: Array | None


class GraphRow(NamedTuple):
    """One variable of a graph.

    Attributes
    ----------
    name, operation, formula : str
        A leaf has no operation.
    value : ndarray
    gradient : ndarray or None
        None before `backward`.
    edges : tuple of GraphEdge
        From its operands.
    """

    name: str
    operation: str
    formula: str
    value: Array
    gradient: Array | None
    edges: tuple[GraphEdge, ...]


class Graph:
    """How a variable was computed, as rows, a table, a picture (SVG) or Graphviz's text (DOT).

    In the picture values are blue and gradients red. On each edge stands the local derivative, by
    which the red number of the result is multiplied on its way back, and what arrives; where a
    variable is used several times, these are added up. Arrays are told by shape, root mean square
    and a picture of their entries. Values and gradients are those of the moment of asking.

    Above 200 nodes there is a table in the picture's place.
    """

    def __init__(self, result: Variable, names: Mapping[str, Any] | None = None) -> None:
        self._variables = youngest_first(result)[::-1]
        given = {id(each): name for name, each in (names or {}).items()
                 if isinstance(each, Variable) and not name.startswith("_")}  # fmt: skip
        self._names = [
            "".join(c if c.isprintable() else " " for c in each.name or given.get(id(each), ""))
            for each in self._variables
        ]
        taken, count = set(self._names), 0
        for place, name in enumerate(self._names):
            while not name:
                count += 1
                name = "" if f"v{count}" in taken else f"v{count}"
            self._names[place] = name

    def __len__(self) -> int:
        return len(self._variables)

    @property
    def rows(self) -> tuple[GraphRow, ...]:
        """The variables, oldest first, the result last."""
        return self._rows(range(len(self)))

    def _rows(self, wanted: Iterable[int]) -> tuple[GraphRow, ...]:
        places = {id(each): place for place, each in enumerate(self._variables)}
        with np.errstate(all="ignore"):
            return tuple(self._row(place, places) for place in wanted)

    def _row(self, place: int, places: dict[int, int]) -> GraphRow:
        variable, node = self._variables[place], self._variables[place]._node
        name, value, gradient = self._names[place], variable.value, variable.grad
        if node is None:
            return GraphRow(name, "", name, value, gradient, ())
        operands = [
            text_of_constant(each) if parent is None else self._names[places[id(parent)]]
            for parent, each in zip(node.parents, node.values, strict=True)
        ]
        edges = []
        for k, parent in enumerate(node.parents):
            if parent is None:
                continue
            local = node.operation.derivative(k, value, node.values, node.settings)
            if isinstance(local, str):
                local = local.format(*operands)
            contribution = None if gradient is None else node.operation.gradient(
                k, gradient, value, node.values, node.settings
            )  # fmt: skip
            edges.append(GraphEdge(places[id(parent)], place, local, contribution))
        formula = f"{name} = {node.operation.text.format(*operands)}"
        return GraphRow(name, node.operation.name, formula, value, gradient, tuple(edges))

    def svg(self) -> str:
        """Return the picture as the text of an SVG, self-contained."""
        from .svg import drawing, table

        return drawing(self.rows) if len(self) <= LARGEST_DRAWN else table(self.cells())

    def dot(self) -> str:
        """Return the graph as Graphviz takes it."""
        from .dot import dot_of

        return dot_of(self.rows)

    def save(self, path: Any) -> None:
        """Write the picture to ``*.svg``, or the text for Graphviz to ``*.dot``.

        Raises
        ------
        ValueError
            Another ending.
        """
        target = Path(path)
        writers = {".svg": self.svg, ".dot": self.dot}
        if target.suffix not in writers:
            raise ValueError(f"path: expected a name that ends in .svg or .dot, got {target.name}")
        target.write_text(writers[target.suffix](), encoding="utf-8")

    def cells(self) -> list[tuple[str, ...]]:
        """Return the table's lines, the head first; of a long one the first and last 30."""
        head = ("variable", "shape", "value", "gradient")
        places, half = range(len(self)), LONGEST_TABLE // 2
        left_out = max(0, len(self) - LONGEST_TABLE)
        shown = [*places[:half], *places[-half:]] if left_out else places
        body = [
            (row.formula, str(row.value.shape), text_of(row.value), text_of_gradient(row))
            for row in self._rows(shown)
        ]
        if left_out:
            body.insert(half, (f"... {left_out} more ...", "", "", ""))
        return [head, *body]

    def __str__(self) -> str:
        lines = self.cells()
        widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """A picture as an image, where it is small enough, else a table."""
        from ..seeing.html import LIMIT, Card, Table, escaped
        from .svg import drawing

        caption = f"Graph of {self._names[-1]}: {len(self)} nodes."
        if len(self) <= LARGEST_DRAWN:
            alt, rows = escaped(self._told()), self.rows
            for heat in (True, False):
                source = quote(drawing(rows, heat), safe=" !$*()+,-./:;=?@_'")
                picture = (
                    f'<div style="overflow-x:auto"><img alt="{alt}" style="max-width:none" '
                    f'src="data:image/svg+xml,{source}"></div>'
                )
                if len(picture) <= LIMIT:
                    return picture
            caption += ' The picture: .save("graph.svg").'
        head, *lines = self.cells()
        return Card(caption, Table(head, lines)).html()

    def _told(self) -> str:
        """The graph in words, for those who do not see the picture."""
        told = [f"{line[0]}: {line[2]}, gradient {line[3]}" for line in self.cells()[1:] if line[2]]
        text = f"Graph of {self._names[-1]}, {len(self)} nodes. " + "; ".join(told)
        return text if len(text) <= 1000 else text[:997] + "..."


def text_of(array: Array) -> str:
    """Return a number, or the root mean square of an array."""
    if array.ndim == 0:
        return f"{float(array):.5g}"
    largest = float(np.abs(array).max(initial=0.0)) or 1.0
    if not array.size or not np.isfinite(largest):
        return f"rms {largest if array.size else 0:g}"
    shares = array.astype(np.float64) / largest  # squares of the numbers themselves may overflow
    return f"rms {largest * np.sqrt((shares * shares).mean()):.4g}"


def text_of_gradient(row: GraphRow) -> str:
    """Return the text of a row's gradient."""
    return "not yet" if row.gradient is None else text_of(row.gradient)


def text_of_constant(value: Any) -> str:
    """Return what a formula shows for an operand that is no variable."""
    if np.ndim(value) == 0:
        return f"{value.item() if hasattr(value, 'item') else value:.6g}"
    return f"array{np.shape(value)}"
