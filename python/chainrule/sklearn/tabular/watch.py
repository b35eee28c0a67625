"""What the nets of a fit share while they train: a bar over members and epochs, an early end."""

from __future__ import annotations

import multiprocessing
import threading
from typing import Any

from ...training.progress import bar_class, someone_is_looking


class Watch:
    """Counts the epochs of all members, and tells them when to stop.

    Parameters
    ----------
    epochs : int
        Of all members together.
    n_levels : list of int
        Levels of each column of words.
    """

    def __init__(self, epochs: int, n_levels: list[int]) -> None:
        self.n_levels = n_levels
        self.stopped = False
        self._lock = threading.Lock()
        self._bar: Any = None
        child = multiprocessing.parent_process() is not None
        if someone_is_looking() and not child and in_main_thread():
            self._bar = bar_class()(total=epochs, unit="epoch", leave=False)

    def epoch_ended(self) -> bool:
        """Count an epoch of a member; tell whether all are to stop."""
        if self._bar is not None:
            with self._lock:
                self._bar.update()
        return self.stopped

    def stop(self) -> None:
        """Let every member stop after its epoch, and no other one begin."""
        self.stopped = True

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        with self._lock:
            if self._bar is None:
                print(text, flush=True)
            else:
                self._bar.write(text)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def in_main_thread() -> bool:
    """Tell whether this is the main thread: others, as those of joblib, show no bar."""
    return threading.current_thread() is threading.main_thread()
