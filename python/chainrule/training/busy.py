"""Who may use a model when: one thread at a time changes it, any number predict beside it.

The first rule is a mark that the model carries while it is in use, the second a lock: whoever
changes more than one parameter holds it, and predictions hold it while they read them.
"""

from __future__ import annotations

import os
import threading
from typing import Any


class in_use:
    """Mark the model as in use by this thread for the length of the block.

    The mark holds process and thread: a child forked in mid-training is not locked out, and
    the owning thread (a callback) may do what need not be `alone`.

    Raises
    ------
    RuntimeError
        Another thread uses the model, or this one does and `operation` must be alone.
    """

    __slots__ = ("alone", "marked", "operation", "state")

    def __init__(self, model: Any, operation: str, *, alone: bool = False) -> None:
        self.state = model.__dict__
        self.operation = operation
        self.alone = alone
        self.marked = False

    def __enter__(self) -> None:
        mark = (os.getpid(), threading.get_ident(), self.operation)
        owner = self.state.setdefault("_owner", mark)  # one step: two threads cannot both win
        if owner is not mark and owner[0] != mark[0]:
            self.state["_owner"] = owner = mark
        if owner is mark:
            self.marked = True
        elif owner[1] != mark[1] or self.alone:
            raise RuntimeError(
                f"Model: {self.operation}: expected a model that is not in use, got one whose "
                f"{owner[2]} is running"
            )

    def __exit__(self, *error: object) -> None:
        if self.marked:
            del self.state["_owner"]


_process = object()  # another one in a forked child, where nobody lets go of the parent's locks


def _forget_locks() -> None:
    global _process
    _process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)


def parameter_lock(model: Any) -> threading.RLock:
    """Return the lock under which the model's parameters belong together.

    A thread that has it may take it again: a callback in training may predict.
    """
    locks: dict[object, threading.RLock] = model.__dict__.setdefault("_parameter_locks", {})
    lock = locks.get(_process)
    return locks.setdefault(_process, threading.RLock()) if lock is None else lock
