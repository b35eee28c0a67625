"""Whether operations on variables are recorded; `no_grad` switches it off for a while."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar, Token

_recording: ContextVar[bool] = ContextVar("chainrule_recording", default=True)

is_recording = _recording.get


class no_grad(ContextDecorator):
    """Record nothing within the block, in this thread: results have no graph.

    It is where a variable may be updated in place::

        with cr.no_grad():
            w -= rate * w.grad

    Also a decorator of functions.
    """

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(_recording.set(False))

    def __exit__(self, *error: object) -> None:
        _recording.reset(self._tokens.pop())
