"""What the tool is doing: one line on a terminal that is rewritten, silence elsewhere."""

from __future__ import annotations

import shutil
import sys


class StatusLine:
    """A line on the standard error that the next one replaces."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = ""

    def __call__(self, text: str) -> None:
        if not self._live:
            return
        text = text[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write("\r" + text.ljust(len(self._shown)))
        sys.stderr.flush()
        self._shown = text

    def clear(self) -> None:
        """Make room for other output."""
        if self._live and self._shown:
            sys.stderr.write("\r" + " " * len(self._shown) + "\r")
            sys.stderr.flush()
            self._shown = ""
