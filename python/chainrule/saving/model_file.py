"""The bytes of a model file: a safetensors file with a JSON document as metadata.

architecture.py says what is in the document; here it gets ``format``, ``version`` and
``sha256``, the checksum of all the rest of it and of all tensors. Reading looks at the header
first: only when its shapes are what the document promises are the tensors read, each straight
into the array that it becomes. Writing hands the arrays themselves to the file. So neither needs
the file's size in memory beside the arrays. One metadata entry, since the order of several is
random: equal models give equal files.

A safetensors file is 8 bytes with the header's length, the header (JSON: dtype, shape and place of
each tensor; padded with spaces to a multiple of 8) and the tensors' bytes, little-endian, without
gaps (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from io import FileIO
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from .atomic_file import replace_file

FORMAT, VERSION = "chainrule", 2
READABLE = (1, 2)  # versions.py brings an older document up to date
LARGEST_HEADER = 10_000_000  # bytes; a layer takes under 1 kB
DTYPES = {"F32": "float32", "F64": "float64"}
CODES = {name: code for code, name in DTYPES.items()}
LIMIT = 2**63  # of every size in a file
LARGEST_RANK = 32  # of a tensor: NumPy's before 2.0


class Tensor(NamedTuple):
    """What a tensor must be; a dtype of None means float32 or float64."""

    dtype: str | None
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype or 'float32 or float64'} {self.shape}"


class Entry(NamedTuple):
    """Where a tensor stands in the file, counted from the end of the header."""

    tensor: Tensor
    begin: int
    end: int


Document = dict[str, Any]


def shown(value: Any) -> str:
    """Return a short text of something that came out of a file."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}"
    text = ascii(value) if isinstance(value, str | float) else str(value)[:60]
    return text if len(text) <= 60 else f"{text[:57]}..."


def parsed(text: str, name: str) -> Document:
    """Return the JSON object that `text` holds; no NaN, no infinity, no name twice.

    Raises
    ------
    ValueError
        Anything else, also what is nested too deep.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"expected finite numbers, got {constant}")

    def unique(pairs: list[tuple[str, Any]]) -> Document:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("expected each name once, got one twice")
        return found

    try:
        value = json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except RecursionError:
        raise ValueError(f"{name}: expected JSON, got one nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{name}: expected JSON, got something else: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected a JSON object, got {shown(value)}")
    return value


# --- writing ------------------------------------------------------------------------------------


def write(path: str, document: Document, tensors: dict[str, Array]) -> None:
    """Replace the file by one with this document and these float32 or float64 arrays.

    Raises
    ------
    OSError
        The file cannot be written; what was there is there still.
    ValueError
        The document holds something that JSON cannot, or is too large.
    """
    document = {"format": FORMAT, "version": VERSION, **document}
    little = {
        name: np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        for name, array in tensors.items()
    }
    parts = ((name, tensor_of(array), bytes_of(array)) for name, array in little.items())
    signed = {**document, "sha256": checksum(document, parts)}
    # the larger elements first, so that each tensor lies at a multiple of its element
    order = sorted(little, key=lambda name: (-little[name].itemsize, name))
    header = header_of(json.dumps(signed, separators=(",", ":")), little, order)
    if len(header) > LARGEST_HEADER:
        raise ValueError(
            f"save: expected a description of at most {LARGEST_HEADER} bytes, got {len(header)}"
        )
    body = (bytes_of(little[name]) for name in order)
    replace_file(path, len(header).to_bytes(8, "little"), header, *body)


def tensor_of(array: Array) -> Tensor:
    """Return dtype and shape of an array."""
    return Tensor(array.dtype.name, array.shape)


def bytes_of(array: Array) -> memoryview:
    """Return the memory of a C-contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def header_of(document: str, arrays: Mapping[str, Array], order: list[str]) -> bytes:
    """Return the header of a file that holds these arrays in this order."""
    fields: Document = {"__metadata__": {"chainrule": document}}
    end = 0
    for name in order:
        array = arrays[name]
        begin, end = end, end + array.nbytes
        fields[name] = {
            "dtype": CODES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": [begin, end],
        }
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    return text.ljust(-(-len(text) // 8) * 8)


def checksum(document: Document, tensors: Iterable[tuple[str, Tensor, Any]]) -> str:
    """Return the SHA-256 of the document, then of each tensor's name, shape and bytes.

    Raises
    ------
    ValueError
        The document holds NaN or infinity.
    """
    digest = hashlib.sha256(json.dumps(document, allow_nan=False, sort_keys=True).encode())
    for name, tensor, data in sorted(tensors, key=lambda part: part[0]):
        digest.update(json.dumps([name, tensor.dtype, tensor.shape]).encode())
        digest.update(data)
    return digest.hexdigest()


# --- reading ------------------------------------------------------------------------------------


def read(
    path: str, expected: Callable[[Document], Mapping[str, Tensor]]
) -> tuple[Document, dict[str, Array]]:
    """Return a file's document and tensors, each a writeable array of its own.

    Parameters
    ----------
    expected : callable
        Takes the document, says which tensors there must be, or refuses with ValueError.
        It is called before any tensor is read.

    Raises
    ------
    OSError
        The file cannot be opened or read.
    ValueError
        Its content is damaged or not what is expected.
    """
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise ValueError("expected a regular file, got a device or a pipe")
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        head = read_head(file, size)
        entries, text = read_header(head[8:], size - len(head))
        document = parsed(text, "document")
        check_version(document)
        promised = document.pop("sha256", None)
        compare({name: entry.tensor for name, entry in entries.items()}, expected(document))
        tensors = {name: read_tensor(file, entry) for name, entry in by_place(entries)}
        check_rest(file, head)
    parts = ((name, entries[name].tensor, bytes_of(array)) for name, array in tensors.items())
    found = checksum(document, parts)
    if found != promised:
        raise ValueError(
            f"checksum: expected {shown(promised)}, got '{found}': the file is damaged"
        )
    if sys.byteorder == "big":
        for array in tensors.values():
            array.byteswap(inplace=True)
    return document, tensors


def by_place(entries: Mapping[str, Entry]) -> list[tuple[str, Entry]]:
    """Return names and entries in the order of their places in the file."""
    return sorted(entries.items(), key=lambda pair: pair[1][1:])


def read_tensor(file: FileIO, entry: Entry) -> Array:
    """Return the bytes that come next as an array of their own."""
    array = np.empty(entry.tensor.shape, dtype=entry.tensor.dtype)
    left = bytes_of(array)
    while left:
        count = file.readinto(left)
        if not count:
            raise changing()
        left = left[count:]
    return array


def check_rest(file: FileIO, head: bytes) -> None:
    """Refuse a file that goes on behind its last tensor, or whose head is another one by now."""
    end = file.read(1)
    file.seek(0)
    if end or file.read(len(head)) != head:
        raise changing()


def changing() -> ValueError:
    """Return the error of a file that somebody writes to."""
    return ValueError("expected a file at rest, got one that changes while it is read")


def read_head(file: FileIO, size: int) -> bytes:
    """Return the first bytes: the header's length, 8 bytes little-endian, and the header."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > LARGEST_HEADER or 8 + length > size:
        refuse_pickle(start)
    if len(start) < 8:
        raise ValueError(f"expected a safetensors file, got {size} bytes")
    if length > LARGEST_HEADER or 8 + length > size:
        most = min(LARGEST_HEADER, size - 8)
        raise ValueError(
            f"expected a safetensors file, whose header has at most {most} bytes here, got a "
            f"length of {length}: it is none, or cut off"
        )
    header = file.read(length)
    if len(header) < length:
        raise ValueError(f"header: expected {length} bytes, got {len(header)}")
    return start + header


def refuse_pickle(start: bytes) -> None:
    """Say so where a file that is none of ours begins as pickles do: protocol 2 to 5."""
    if len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= 5:
        raise ValueError(
            "expected a safetensors file, got a pickle; pickles are never opened, since whatever "
            "stands in one would be executed"
        )


def read_header(header: bytes, body: int) -> tuple[dict[str, Entry], str]:
    """Return the tensors' places and the document; the tensors must fill the body exactly."""
    try:
        text = header.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"header: expected UTF-8, got something else: {error.reason}") from None
    fields = parsed(text, "header")
    metadata = fields.pop("__metadata__", None)
    document = metadata.get("chainrule") if isinstance(metadata, dict) else None
    if not isinstance(document, str) or len(metadata) != 1:
        raise ValueError(
            f"metadata: expected 'chainrule' with a text, got {shown(metadata)}; "
            "not a file that chainrule wrote"
        )
    entries = {name: entry_of(name, value) for name, value in fields.items()}
    place = 0
    for name, entry in by_place(entries):
        if entry.begin != place:
            raise ValueError(
                f"tensor {shown(name)}: expected to begin at byte {place}, got {entry.begin}"
            )
        place = entry.end
    if place != body:
        raise ValueError(f"tensors: expected {place} bytes after the header, got {body}")
    return entries, document


def entry_of(name: str, value: Any) -> Entry:
    """Return a tensor's place as the header tells it."""
    where = f"tensor {shown(name)}"
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{where}: expected dtype, shape and data_offsets, got {shown(value)}")
    code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(f"{where}: dtype: expected F32 or F64, got {shown(code)}")
    for numbers, what, most in ((shape, "shape", LARGEST_RANK), (offsets, "data_offsets", 2)):
        if (
            not isinstance(numbers, list)
            or len(numbers) > most
            or not all(type(number) is int and 0 <= number < LIMIT for number in numbers)
        ):
            raise ValueError(
                f"{where}: {what}: expected at most {most} sizes of at least 0, "
                f"got {shown(numbers)}"
            )
    tensor = Tensor(DTYPES[code], tuple(shape))
    needed = math.prod(shape) * np.dtype(DTYPES[code]).itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != needed:
        raise ValueError(f"{where}: data_offsets: expected {needed} bytes apart, got {offsets}")
    return Entry(tensor, offsets[0], offsets[1])


def check_version(document: Document) -> None:
    """Refuse another format, and every version that is not known."""
    name, version = document.get("format"), document.get("version")
    if name != FORMAT:
        raise ValueError(f"document: format: expected '{FORMAT}', got {shown(name)}")
    if type(version) is not int or version not in READABLE:
        raise ValueError(
            f"document: version: expected {' or '.join(map(str, READABLE))}, got {shown(version)}; "
            "another version of chainrule wrote the file"
        )


def compare(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse missing tensors, more tensors, other dtypes and other shapes."""
    for name, tensor in expected.items():
        if name not in found:
            raise ValueError(f"tensor '{name}': expected {tensor}, got none")
        same = tensor.dtype in (None, found[name].dtype)
        if not same or tensor.shape != found[name].shape:
            raise ValueError(f"tensor '{name}': expected {tensor}, got {found[name]}")
    for name in found:
        if name not in expected:
            raise ValueError(f"tensor {shown(name)}: expected none of this name, got one")
