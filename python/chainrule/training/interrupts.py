"""Ctrl-C between steps: a signal that comes within a step is answered after it.

Parameters are then always those of a whole step. A second Ctrl-C acts at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Holds SIGINT back in the main thread; elsewhere it does nothing."""

    def __init__(self) -> None:
        self._handler: Callable[[int, FrameType | None], Any] | None = None
        self._pending: FrameType | bool | None = False

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self._handler = handler
                signal.signal(signal.SIGINT, self._hold)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            self.answer()  # one that came after the last step is not lost

    def _hold(self, signum: int, frame: FrameType | None) -> None:
        if self._pending is not False and self._handler is not None:
            self._handler(signum, frame)
        self._pending = frame

    def answer(self) -> None:
        """Run the handler that was there before, if a signal came: KeyboardInterrupt."""
        if self._pending is False or self._handler is None:
            return
        frame, self._pending = self._pending, False
        self._handler(signal.SIGINT, frame if isinstance(frame, FrameType) else None)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let Ctrl-C act at once in the block: for callbacks, which may take long."""
        self.answer()
        if self._handler is None:
            yield
            return
        signal.signal(signal.SIGINT, self._handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, self._hold)
