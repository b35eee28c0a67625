"""How a CSV file is written: encoding, delimiter, decimal mark, found out from its beginning."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from itertools import islice
from pathlib import Path
from typing import NamedTuple

SAMPLE = 1 << 18  # bytes that are looked at
ROWS = 200
DELIMITERS = ",;\t|"
MARKS = (  # the longer ones first: UTF-16's mark begins UTF-32's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WITH_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?")
WITH_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
GROUPED = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?")


class Dialect(NamedTuple):
    """How a CSV file is written; `thousands` is a mark between groups of digits, or None."""

    encoding: str
    delimiter: str
    decimal: str
    thousands: str | None

    def __str__(self) -> str:
        name = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}.get(
            self.delimiter, repr(self.delimiter)
        )
        marks = ", decimal comma" if self.decimal == "," else ""
        encoding = "" if self.encoding.startswith("utf-8") else f", {self.encoding}"
        return f"CSV, {name}{marks}{encoding}"


def dialect_of(
    path: Path,
    encoding: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
) -> Dialect:
    """Return how a file is written; what is given is taken as it is.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is empty, or not written in the encoding.
    """
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        head = file.read(SAMPLE)
    if encoding is None:
        encoding = next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")
    text = decoded(path, head, encoding)
    if not text.strip():
        raise ValueError(f"{path}: expected a table, got an empty file")
    if len(head) == SAMPLE:
        text = text[: text.rfind("\n") + 1] or text
    if delimiter is None:
        delimiter = delimiter_of(text)
    columns = list(zip(*records(text, delimiter)[1:], strict=False))
    grouped = False
    if decimal is None:
        decimal = "," if has_decimal_commas(columns) else "."
    if decimal == ",":
        grouped = any(GROUPED.fullmatch(cell) for column in columns for cell in column)
    return Dialect(encoding, delimiter, decimal, "." if grouped else None)


def decoded(path: Path, head: bytes, encoding: str) -> str:
    """Return the text of a file's first bytes, which may end within a character."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except LookupError:
        raise ValueError(f"--encoding: expected one that Python knows, got {encoding!r}") from None
    except UnicodeDecodeError as error:
        raise ValueError(not_in(path, encoding, error)) from None


def not_in(path: Path, encoding: str, error: UnicodeDecodeError) -> str:
    """Say that a file has another encoding."""
    return (
        f"{path}: expected {encoding}, got the byte 0x{error.object[error.start]:02x}; name the "
        "encoding, as in --encoding latin-1"
    )


def records(text: str, delimiter: str) -> list[list[str]]:
    """Return the first records, quoted fields taken as one, without empty lines."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        return [[cell.strip() for cell in row] for row in islice(rows, ROWS) if row]
    except csv.Error:
        return []


def delimiter_of(text: str) -> str:
    """Return the delimiter that parts the most records into as many fields as the first has."""
    best, found = (0.0, 0), DELIMITERS[0]
    for delimiter in DELIMITERS:
        rows = records(text, delimiter)
        if not rows or len(rows[0]) < 2:
            continue
        width = len(rows[0])
        score = (sum(len(row) == width for row in rows) / len(rows), width)
        if score > best:
            best, found = score, delimiter
    return found


def has_decimal_commas(columns: list[tuple[str, ...]]) -> bool:
    """Tell whether more columns of numbers have decimal commas than decimal points."""
    commas = points = 0
    for column in columns:
        cells = [cell for cell in column if cell]
        numbers = [cell for cell in cells if is_number(cell)]
        if not cells or len(numbers) < 0.5 * len(cells):
            continue
        commas += any(WITH_COMMA.fullmatch(cell) for cell in numbers)
        points += not any("," in cell for cell in numbers) and any(
            WITH_POINT.fullmatch(cell) for cell in numbers
        )
    return commas > points


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number with either mark."""
    plain = cell.lstrip("+-").isdecimal()
    return plain or bool(WITH_COMMA.fullmatch(cell) or WITH_POINT.fullmatch(cell))
