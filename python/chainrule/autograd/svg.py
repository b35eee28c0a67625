"""A graph as an SVG: boxes from left to right, the lines between them, and what flows back.

Opaque and light, so that it reads on a dark page too; text is monospaced, so that its width is
known without a font.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

from ..arrays import Array
from .graph import GraphEdge, GraphRow, text_of
from .heat import png
from .layout import Box, Layout, laid_out

CHARACTER, SMALL = 7.3, 6.1  # widths at 12 and 10 pixels, on the safe side
PAD, LINE, MARGIN, PICTURE = 8.0, 16.0, 12.0, 30.0
PORT = 28.0  # two lines of labels
LONGEST = 34  # characters of a line
LEGEND = "blue: value | red: gradient | on a line: the local derivative, below what it sends back"

HEAD = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='{w:.0f}' height='{h:.0f}' "
    "viewBox='0 0 {w:.0f} {h:.0f}' font-family='DejaVu Sans Mono,Menlo,Consolas,monospace' "
    "font-size='12'>"
    "<style>.b{{fill:#fff;stroke:#8a8f98}}.l{{fill:none;stroke:#8a8f98}}.t{{fill:#20242a;"
    "font-weight:bold}}.v{{fill:#2462a8}}.g{{fill:#b32d1e}}.n{{fill:#5b616b}}.s{{font-size:10px}}"
    ".e{{font-size:10px;text-anchor:end}}image{{image-rendering:pixelated}}</style>"
    "<rect width='100%' height='100%' fill='#fff'/>"
)


def drawing(rows: Sequence[GraphRow], heat: bool = True) -> str:
    """Return the picture of a graph; without `heat`, arrays have no pictures of their own."""
    contents = [_lines(row, rows) for row in rows]
    boxes = [_box(row, lines, heat) for row, lines in zip(rows, contents, strict=True)]
    layout = laid_out(boxes)
    width = max(layout.width, len(LEGEND) * SMALL) + 2 * MARGIN
    sheet = Sheet(width, layout.height + 2 * MARGIN + LINE)
    _draw_lines(sheet, layout)
    for row, box, lines in zip(rows, boxes, contents, strict=True):
        _draw_labels(sheet, row, box)
        _draw_box(sheet, row, box, lines, heat)
    sheet.text("s n", 0, layout.height + LINE, LEGEND)
    return sheet.svg()


def table(lines: Sequence[Sequence[str]]) -> str:
    """Return a table, for graphs that are too large to draw."""
    widths = [max(_columns(line[k]) for line in lines) * CHARACTER for k in range(len(lines[0]))]
    starts = [sum(widths[:k]) + k * 2 * PAD for k in range(len(widths))]
    total = starts[-1] + widths[-1] + 2 * MARGIN
    sheet = Sheet(total, len(lines) * LINE + 2 * MARGIN)
    for number, line in enumerate(lines):
        kinds = ("t", "t", "t", "t") if number == 0 else ("n", "n", "v", "g")
        for start, kind, cell in zip(starts, kinds, line, strict=True):
            if cell:
                sheet.text(kind, start, (number + 0.75) * LINE, cell)
    return sheet.svg()


class Sheet:
    """What is drawn, gathered by class; classes lie above each other as they were first used."""

    def __init__(self, width: float, height: float) -> None:
        self.head = HEAD.format(w=width, h=height)
        self._drawn: dict[str, list[str]] = {"l": [], "b": []}

    def draw(self, kind: str, element: str) -> None:
        """Add an element of one or several classes."""
        self._drawn.setdefault(kind, []).append(element)

    def text(self, kind: str, x: float, y: float, text: str) -> None:
        """Add a text whose base line begins, or in class e ends, at a place."""
        self.draw(kind, f"<text x='{x:.0f}' y='{y:.0f}'>{escape(text)}</text>")

    def svg(self) -> str:
        """Return the whole."""
        groups = "".join(
            f"<g class='{kind}'>{''.join(elements)}</g>" for kind, elements in self._drawn.items()
        )
        place = f"<g transform='translate({MARGIN:.0f} {MARGIN:.0f})'>"
        return f"{self.head}{place}{groups}</g></svg>"


def local_text(edge: GraphEdge) -> str:
    """Return the text of an edge's local derivative."""
    if isinstance(edge.local, str):
        return f"\u00d7 {edge.local}"
    local = np.asarray(edge.local)
    if local.ndim and local.size and (local == local.flat[0]).all():
        local = local.reshape(-1)[0]
    return f"\u00d7 {text_of(np.asarray(local, dtype=np.float64))}"


def _columns(text: str) -> int:
    """The width of a text in characters; those of East Asia take two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _short(text: str) -> str:
    while _columns(text) > LONGEST:
        text = text[: max(0, len(text) - 2)] + "\u2026"
    return text


def _lines(row: GraphRow, rows: Sequence[GraphRow]) -> list[tuple[str, str]]:
    """The lines of a box: class and text."""
    sizes = "\u00d7".join(map(str, row.value.shape)) or "value"
    value = f"{sizes} {text_of(row.value)}"
    return [("t", _short(row.formula)), ("v", value), _gradient_line(row, rows)]


def _gradient_line(row: GraphRow, rows: Sequence[GraphRow]) -> tuple[str, str]:
    if row.gradient is None:
        return "n", "grad not yet"
    text = text_of(row.gradient)
    place = next(k for k, each in enumerate(rows) if each is row)
    parts = [
        edge.contribution
        for each in rows
        for edge in each.edges
        if edge.source == place and edge.contribution is not None
    ]
    if len(parts) < 2:
        return "g", f"grad {text}"
    if row.value.ndim or len(parts) > 3:
        return "g", f"grad, sum of {len(parts)}: {text}"
    total = " + ".join(text_of(part) for part in parts).replace("+ -", "\u2212 ")
    return "g", f"grad {total} = {text}"


def _edge_lines(edge: GraphEdge) -> list[tuple[str, str]]:
    lines = [("n", _short(local_text(edge)))]
    if edge.contribution is not None:
        lines.append(("g", text_of(edge.contribution)))
    return lines


def _has_pictures(row: GraphRow) -> bool:
    return row.value.ndim > 0 and row.value.size > 0


def _box(row: GraphRow, lines: Sequence[tuple[str, str]], heat: bool) -> Box:
    title, *rest = (_columns(text) * CHARACTER for _, text in lines)
    pictures = (PICTURE + PAD) if heat and _has_pictures(row) else 0.0
    width = max(title, max(rest) + pictures) + 2 * PAD
    height = 2 * PAD + LINE * 3
    if pictures:
        height = 2 * PAD + LINE + 2 * (PICTURE + PAD / 2)
    strip = max(
        (_columns(text) * SMALL + 2 * PAD for edge in row.edges for _, text in _edge_lines(edge)),
        default=0.0,
    )
    return Box(
        width, max(height, PORT * len(row.edges)), strip, [edge.source for edge in row.edges]
    )


def _draw_box(
    sheet: Sheet, row: GraphRow, box: Box, lines: Sequence[tuple[str, str]], heat: bool
) -> None:
    """Draw the box with its lines and pictures."""
    x, y = box.x, box.y
    sheet.draw("b", f"<rect x='{x:.0f}' y='{y:.0f}' width='{box.width:.0f}' "
               f"height='{box.height:.0f}' rx='4'/>")  # fmt: skip
    (kind, title), *rest = lines
    sheet.text(kind, x + PAD, y + PAD + 0.7 * LINE, title)
    top = y + PAD + LINE
    for array, (kind, text) in zip((row.value, row.gradient), rest, strict=True):
        if not (heat and _has_pictures(row)):
            sheet.text(kind, x + PAD, top + 0.7 * LINE, text)
            top += LINE
            continue
        if array is not None:
            sheet.draw("i", _picture(x + PAD, top + PAD / 2, array))
        sheet.text(kind, x + 2 * PAD + PICTURE, top + PAD / 2 + PICTURE / 2 + 4, text)
        top += PICTURE + PAD / 2


def _picture(x: float, y: float, array: Array) -> str:
    data = b64encode(png(array)).decode()
    return (
        f"<image x='{x:.0f}' y='{y:.0f}' width='{PICTURE:.0f}' height='{PICTURE:.0f}' "
        f"preserveAspectRatio='none' href='data:image/png;base64,{data}'/>"
    )


def _draw_labels(sheet: Sheet, row: GraphRow, box: Box) -> None:
    """Write the local derivative above an edge's line, the contribution below."""
    for edge, port in zip(row.edges, box.ports, strict=True):
        for (kind, text), shift in zip(_edge_lines(edge), (-3.0, 10.0), strict=False):
            sheet.text(f"e {kind}", box.x - PAD, port + shift, text)


def _draw_lines(sheet: Sheet, layout: Layout) -> None:
    """Draw all lines, one path for those that leave one box, and an arrow at each end."""
    paths: dict[int, list[str]] = {k: [] for k in range(len(layout.boxes))}
    drawn: set[tuple[int, int]] = set()
    for box in layout.boxes:
        for source, port in zip(box.sources, box.ports, strict=True):
            start = layout.boxes[source]
            x, y = start.x + start.width, start.y + start.height / 2
            for column in range(start.column + 1, box.column):
                across = layout.lines[source, column]
                if (source, column) not in drawn:
                    drawn.add((source, column))
                    paths[source].append(_curve(layout, column, x, y, across))
                    paths[source].append(f"H{layout.right[column]:.0f}")
                x, y = layout.right[column], across
            paths[source].append(_curve(layout, box.column, x, y, port) + f"H{box.x:.0f}")
            paths[source].append("m-5 -3l5 3l-5 3")
    for path in filter(None, paths.values()):
        sheet.draw("l", f"<path d='{''.join(path)}'/>")


def _curve(layout: Layout, column: int, x: float, y: float, to: float) -> str:
    """From a box or a passing line to the left edge of a column, across the gap before it."""
    left, right = layout.right[column - 1], layout.left[column]
    middle = (left + right) / 2
    if abs(to - y) < 0.5:
        return f"M{x:.0f} {y:.0f}H{right:.0f}"
    return (
        f"M{x:.0f} {y:.0f}H{left:.0f}C{middle:.0f} {y:.0f} {middle:.0f} {to:.0f} "
        f"{right:.0f} {to:.0f}"
    )
