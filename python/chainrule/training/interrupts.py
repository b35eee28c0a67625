"""Signals between steps: one that comes within a step is answered after it.

Parameters are then always those of a whole step, whatever a signal's handler raises: the
KeyboardInterrupt of Ctrl-C, or an exception of the user's own. A second Ctrl-C acts at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from .. import _core

Handler = Callable[[int, FrameType | None], Any]


class Interrupts:
    """Holds the signals back that Python code handles, in the main thread.

    Elsewhere it does nothing: handlers run in the main thread only.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Handler] = {}
        self._pending: dict[int, FrameType | None] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            try:
                self._hold_all()
            except BaseException:
                _core.set_signal_handlers(self._handlers)
                raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            _core.set_signal_handlers(self._handlers)
        finally:
            self.answer()  # one that came after the last step is not lost

    def _hold_all(self) -> None:
        """Put `_hold` in the place of all handlers."""
        found = _core.signal_handlers()
        self._handlers = {
            number: self._handlers[number] if each == self._hold else each
            for number, each in found.items()
        }
        _core.set_signal_handlers(dict.fromkeys(found, self._hold))

    def _hold(self, signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGINT and signum in self._pending:
            self._handlers[signum](signum, frame)
        self._pending[signum] = frame

    def answer(self) -> None:
        """Run the handlers that were there before, of the signals that came."""
        if not self._pending:
            return
        signum = next(iter(self._pending))
        frame = self._pending.pop(signum)
        try:
            self._handlers[signum](signum, frame)
        finally:
            self.answer()

    def at_once(self) -> AtOnce:
        """Let signals act at once in the block: for callbacks, which may take long."""
        return AtOnce(self)


class AtOnce:
    """The handlers that were there before, for a block.

    No generator: one that an exception has kept from going on would put `Interrupts._hold` in
    place when it is collected, long after the training.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts

    def __enter__(self) -> None:
        self._interrupts.answer()
        if self._interrupts._handlers:
            _core.set_signal_handlers(self._interrupts._handlers)

    def __exit__(self, *_: object) -> None:
        if self._interrupts._handlers:
            self._interrupts._hold_all()
