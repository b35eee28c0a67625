"""Who may use a model when: one thread at a time changes it, any number predict beside it.

The first rule is a mark that the model carries while it is in use, the second a lock: whoever
changes more than one parameter holds it, and predictions hold it while they read them.
"""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from typing import Any

from .. import _core


def in_use(model: Any, operation: str, *, alone: bool = False) -> AbstractContextManager[None]:
    """Mark the model as in use by this thread for the length of a ``with`` block.

    The mark holds the thread and the number of forks: a child forked in mid-training is not locked
    out, and the owning thread (a callback) may do what need not be `alone`. The core makes and
    removes it, so that no exception of a signal leaves it behind.

    Raises
    ------
    RuntimeError
        Another thread uses the model, or this one does and `operation` must be alone.
    """
    return _core.InUse(model.__dict__, operation, alone)


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
