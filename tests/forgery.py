"""Files that somebody has changed: taken apart, changed in one place, signed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st


def split(data: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header, document and body of a good file."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    document = json.loads(header["__metadata__"]["chainrule"])
    del document["sha256"]
    return header, document, data[end:]


def joined(header: Any, document: Any, body: bytes) -> bytes:
    """A file of these parts with a checksum that is right, as a forger would write it."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(header):
        entry = header[name]
        if name != "__metadata__" and isinstance(entry, dict) and "data_offsets" in entry:
            kind = {"F32": "float32", "F64": "float64"}.get(str(entry.get("dtype")))
            digest.update(json.dumps([name, kind, entry.get("shape")]).encode())
            try:
                digest.update(body[slice(*entry["data_offsets"])])
            except (TypeError, ValueError):
                pass
    text = (
        document
        if isinstance(document, str)
        else json.dumps({**document, "sha256": digest.hexdigest()})
    )
    metadata = {"chainrule": text}
    return with_header(json.dumps({**header, "__metadata__": metadata}).encode(), body)


def with_header(header: bytes, body: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + body


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["Layer_Dense", "Loss", "F32", "float32", "1.weights", "weights", "PCG64"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to all nodes of a JSON value."""
    found = [path] if path else []
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        found += places(inner, (*path, key))
    return found


def changed(value: Any, draw: Callable[..., Any]) -> Any:
    """A copy with one node replaced, removed or added."""
    value = json.loads(json.dumps(value))
    *way, last = draw(st.sampled_from(places(value)))
    node = value
    for key in way:
        node = node[key]
    action = draw(st.sampled_from(["replace", "remove", "add"]))
    if action == "replace":
        node[last] = draw(VALUES)
    elif action == "remove":
        del node[last]
    elif isinstance(node, dict):
        node[draw(st.text(max_size=5))] = draw(VALUES)
    else:
        node.append(draw(VALUES))
    return value
