"""One user at a time: the mark that a model carries while it is in use."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def in_use(model: Any, operation: str, *, alone: bool = False) -> Iterator[None]:
    """Mark the model as in use by this thread for the length of the block.

    The mark holds process and thread: a child forked in mid-training is not locked out, and
    the owning thread (a callback) may do what need not be `alone`.

    Raises
    ------
    RuntimeError
        Another thread uses the model, or this one does and `operation` must be alone.
    """
    state = model.__dict__
    mark = (os.getpid(), threading.get_ident(), operation)
    owner = state.setdefault("_owner", mark)  # one step: two threads cannot both win
    if owner is not mark and owner[0] != mark[0]:
        state["_owner"] = owner = mark
    if owner is mark:
        try:
            yield
        finally:
            del state["_owner"]
    elif owner[1] != mark[1] or alone:
        raise RuntimeError(
            f"Model: {operation}: expected a model that is not in use, got one whose "
            f"{owner[2]} is running"
        )
    else:
        yield
