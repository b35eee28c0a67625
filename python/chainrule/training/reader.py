"""A thread that reads ahead: the next item of an iterator is made while one is in use.

It holds one item at a time, so that memory is bounded however fast it reads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

LAST_WAIT = 1.0  # seconds that `close` gives the iterator to finish an item


class Reader(Generic[T]):
    """Takes an iterator's items in a thread of its own.

    An iterator that hangs hangs nobody else: `take` comes back after the seconds given, and the
    thread does not keep the process alive.

    Parameters
    ----------
    items : iterator
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._changed = threading.Condition()
        self._held: list[T] = []  # at most one
        self._error: BaseException | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="chainrule-reader", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        error: BaseException = StopIteration()
        try:
            for item in self._items:
                if not self._give(item):
                    break
        except BaseException as found:
            error = found
        finally:
            if hasattr(self._items, "close"):
                self._items.close()
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def _give(self, item: T) -> bool:
        """Hold an item until it is taken; False where nobody wants any more."""
        with self._changed:
            self._held.append(item)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or not self._held)
            return not self._closed

    def take(self, seconds: float) -> T | None:
        """Return the next item, None where none has come in so many seconds.

        Raises
        ------
        StopIteration
            There is none.
        BaseException
            What the iterator has raised, after the items before it.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._held or self._error is not None, seconds)
            if self._held:
                item = self._held.pop()
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            return None

    def close(self) -> None:
        """Let the thread end; an item that is being made is waited for, but not for long."""
        with self._changed:
            self._closed = True
            self._held.clear()
            self._changed.notify_all()
        self._thread.join(LAST_WAIT)
