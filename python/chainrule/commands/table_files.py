"""Tables in files: CSV and Parquet, read and written by pandas."""

from __future__ import annotations

import argparse
import gzip
import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..libraries import library
from ..saving.atomic_file import replace_file
from .dialect import Dialect, dialect_of, not_in

TEXTS = (".csv", ".tsv", ".txt", ".gz")
PARQUET = (".parquet", ".pq")
MISSING = ["?"]  # beside pandas' own: empty, NA, NaN, null, None, n/a, ...
EXTRA = "'chainrule[cli]'"


def pandas() -> Any:
    """Return pandas.

    Raises
    ------
    ImportError
        It is not installed; names the extra that brings it.
    """
    return library("pandas", "tables", EXTRA)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of how a CSV file is written."""
    group = parser.add_argument_group("how the CSV file is written (found out, where not given)")
    group.add_argument("--delimiter", metavar="CHAR", help="between cells; 'tab' for tabs")
    group.add_argument("--decimal", choices=(".", ","), help="the mark before decimals")
    group.add_argument("--encoding", metavar="NAME", help="such as latin-1 (default: UTF-8)")


def read_table(
    path: Path, options: argparse.Namespace, texts: Iterable[str] = ()
) -> tuple[Any, Dialect | None]:
    """Return a file's table, and how it is written; None for Parquet.

    Parameters
    ----------
    path : Path
        Parquet by its suffix, else CSV; ``.gz`` is unpacked.
    options : Namespace
        With those of `add_options`.
    texts : iterable of str
        Columns of a CSV file that stay texts, whatever they look like.

    Raises
    ------
    ImportError
        pandas, or for Parquet pyarrow, is not installed.
    OSError
        The file cannot be read.
    ValueError
        It is no table.
    """
    pd = pandas()
    if path.is_dir():
        raise IsADirectoryError(21, "expected a file, got a directory", str(path))
    if path.suffix.lower() in PARQUET:
        frame, dialect = read_parquet(pd, path), None
    else:
        frame, dialect = read_csv(pd, path, options, texts)
    frame.columns = [str(name) for name in frame.columns]
    if not len(frame):
        raise ValueError(f"{path}: expected at least one row below the names, got none")
    return frame, dialect


def read_parquet(pd: Any, path: Path) -> Any:
    """Return a Parquet file's table."""
    library("pyarrow", str(path), EXTRA)
    with path.open("rb") as file:
        try:
            return pd.read_parquet(file)
        except ValueError as error:
            raise ValueError(f"{path}: expected a Parquet file: {error}") from None
        except OSError as error:  # pyarrow's word for what is no Parquet
            raise ValueError(f"{path}: expected a Parquet file: {error}") from None


def read_csv(
    pd: Any, path: Path, options: argparse.Namespace, texts: Iterable[str]
) -> tuple[Any, Dialect]:
    """Return a CSV file's table, and how it is written."""
    dialect = dialect_of(path, options.encoding, delimiter_named(options), options.decimal)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # of cells that would be lost
        try:
            frame = pd.read_csv(
                path,
                sep=dialect.delimiter,
                decimal=dialect.decimal,
                thousands=dialect.thousands,
                encoding=dialect.encoding,
                na_values=MISSING,
                skipinitialspace=True,
                low_memory=False,
                dtype=dict.fromkeys(texts, "str"),
                index_col=False,
            )
        except UnicodeDecodeError as error:
            raise ValueError(not_in(path, dialect.encoding, error)) from None
        except pd.errors.ParserWarning:
            text = f"{path}: expected as many cells as there are names in the first row, got more"
            raise ValueError(f"{text} (read as {dialect})") from None
        except ValueError as error:  # pandas' errors of parsing among them
            raise ValueError(f"{path}: expected a table of CSV: {error}") from None
    return frame, dialect


def delimiter_named(options: argparse.Namespace) -> str | None:
    """Return the delimiter that was given.

    Raises
    ------
    ValueError
        It is not one character.
    """
    given: str | None = options.delimiter
    if given is None:
        return None
    given = {"tab": "\t", "\\t": "\t"}.get(given, given)
    if len(given) != 1:
        raise ValueError(f"--delimiter: expected one character, or tab, got {given!r}")
    return given


def check_writable(path: Path | None) -> None:
    """Refuse, before anything takes long, a file in a folder that is not there.

    Raises
    ------
    OSError
        The folder is none, or the path is one.
    """
    if path is None:
        return
    if path.is_dir():
        raise IsADirectoryError(21, "expected a file name, got a directory", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(2, "expected a folder that is there, got none", str(path.parent))


def check_table_name(path: Path | None) -> None:
    """Refuse a name that promises another kind of table than would be written.

    Raises
    ------
    ValueError
        Naming the endings that are known.
    """
    if path is None or path.suffix.lower() in ("", *TEXTS, *PARQUET):
        return
    raise ValueError(
        f"{path}: expected a name that ends in {', '.join((*TEXTS, *PARQUET))}, got {path.suffix!r}"
    )


def write_table(frame: Any, path: Path | None, dialect: Dialect | None) -> str:
    """Write a table to a file, as a whole; return it as text where there is no file.

    Parquet by its suffix, else CSV with the marks of `dialect`, in UTF-8, packed where it ends in
    ``.gz``.
    """
    if path is not None and path.suffix.lower() in PARQUET:
        buffer = io.BytesIO()
        library("pyarrow", str(path), EXTRA)
        frame.to_parquet(buffer, index=False)
        replace_file(str(path), buffer.getvalue())
        return ""
    marks = {} if dialect is None else {"sep": dialect.delimiter, "decimal": dialect.decimal}
    text: str = frame.to_csv(index=False, **marks)
    if path is None:
        return text
    data = text.encode()
    replace_file(str(path), gzip.compress(data, mtime=0) if path.suffix.lower() == ".gz" else data)
    return ""
