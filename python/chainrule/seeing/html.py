"""HTML for notebooks: tables with inline styles and pictures as data, and nothing else.

That is what an untrusted notebook still shows; it drops scripts, style sheets and inline SVG.
Colours are the page's own or of middling lightness, so that a light and a dark page both serve.
Every text is escaped here. What is shown of a thing is a `Card`; it never exceeds `LIMIT` bytes:
where rows or texts are too many, some are left out, and it says so.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["LIMIT", "Card", "Picture", "Table", "escaped"]

LIMIT = 30_000  # bytes
LONGEST_CELL, LONGEST_NOTE, MOST_NOTES = 120, 400, 8
UNBROKEN = 12  # a number or a shape; what is longer, and heads, may take several lines
ROW_LIMITS = (40, 20, 10, 4)  # tried in turn

GREEN, RED, AMBER = "#2e9e6b", "#d6404e", "#c77f1a"
LINE = "1px solid rgba(128,128,128,0.35)"


class Picture(NamedTuple):
    """An SVG document and what it shows, in words."""

    svg: str
    alt: str

    def html(self) -> str:
        """Return the picture as an image with its SVG as data."""
        data = base64.b64encode(self.svg.encode()).decode()
        return (
            f'<img src="data:image/svg+xml;base64,{data}" alt="{escaped(self.alt)}" '
            'style="max-width:100%;margin:4px 0">'
        )


@dataclass
class Table:
    """A table of texts.

    Attributes
    ----------
    head : sequence of str
    rows : sequence of sequences of str
        As long as `head`, or of one text, which then goes over all columns.
    right : set of int
        Columns that are aligned right: numbers.
    colours : dict
        (row, column) -> colour of a text.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[int] = frozenset()
    colours: dict[tuple[int, int], str] = field(default_factory=dict)

    def html(self, most: int) -> str:
        """Return the table with at most so many rows: the first and the last of them."""
        count = len(self.rows)
        shown: list[int] = list(range(count))
        above = count
        if count > most:
            above = most - most // 3
            shown = [*range(above), *range(count - most // 3, count)]
        lines = ["".join(self._cell("th", -1, k, text) for k, text in enumerate(self.head))]
        for place, row in enumerate(shown):
            if place == above:
                lines.append(self._whole(f"… {count - most:,} more rows …"))
            texts = self.rows[row]
            if len(texts) < len(self.head):
                lines.append(self._whole(texts[0]))
                continue
            lines.append("".join(self._cell("td", row, k, text) for k, text in enumerate(texts)))
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        return f'<table style="border-collapse:collapse;margin:4px 0">{body}</table>'

    def _cell(self, tag: str, row: int, column: int, text: str) -> str:
        side = "right" if column in self.right else "left"
        style = f"text-align:{side};padding:2px 9px"
        if tag == "th":
            style += f";border-bottom:{LINE}"
        elif len(text) <= UNBROKEN:
            style += ";white-space:nowrap"
        if (row, column) in self.colours:
            style += f";color:{self.colours[row, column]};font-weight:bold"
        return f'<{tag} style="{style}">{escaped(shortened(text, LONGEST_CELL))}</{tag}>'

    def _whole(self, text: str) -> str:
        text = escaped(shortened(text, LONGEST_NOTE))
        style = "text-align:left;padding:2px 9px 6px 24px;font-style:italic;white-space:normal"
        return f'<td colspan="{len(self.head)}" style="{style}">{text}</td>'


@dataclass
class Card:
    """What a notebook shows of one thing: a title, a picture, a table, notes below it."""

    title: str
    table: Table | None = None
    picture: Picture | None = None
    notes: Iterable[str] = ()

    def html(self) -> str:
        """Return the HTML, at most `LIMIT` bytes: by fewer rows, at last without the picture."""
        for picture in (self.picture, None):
            for most in ROW_LIMITS:
                text = self._html(picture, most)
                if len(text.encode()) <= LIMIT:
                    return text
        return Card(self.title).html()

    def _html(self, picture: Picture | None, most: int) -> str:
        notes = [note for note in self.notes if note]
        if len(notes) > MOST_NOTES:
            left = len(notes) - MOST_NOTES + 1
            notes = [*notes[: MOST_NOTES - 1], f"… {left} more notes"]
        parts = [paragraph(self.title, "font-weight:bold")]
        parts += [] if picture is None else [picture.html()]
        parts += [] if self.table is None else [self.table.html(most)]
        parts += [paragraph(note) for note in notes]
        return f'<div style="overflow-x:auto">{"".join(parts)}</div>'


def paragraph(text: str, style: str = "") -> str:
    """Return a line of text."""
    style = f"margin:2px 0;{style}".rstrip(";")
    return f'<p style="{style}">{escaped(shortened(text, LONGEST_NOTE))}</p>'


def escaped(text: object) -> str:
    """Return a text that stands for itself in HTML, in an attribute too."""
    return html.escape(str(text), quote=True)


def shortened(text: str, longest: int) -> str:
    """Return the text, without what goes beyond so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
