"""The finished epochs of a runner that has no plan to keep them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..history import History


class EpochRows:
    """Rows of a history, from the time they are finished to the time they are asked for."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    def add(self, *row: float) -> None:
        """Add an epoch."""
        self._rows.append(row)

    def take(self) -> tuple[int, Any]:
        """Return the epochs since the last call: their number and the columns."""
        rows, self._rows = self._rows, []
        return len(rows), np.array(rows).T

    def report(self, history: History) -> None:
        """Move the epochs since the last call to a history."""
        if self._rows:
            history.extend(*self.take())
