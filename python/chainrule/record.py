"""What a training notes of its layers, every so many steps: `Record`, and what it noted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_count
from .errors import labelled

__all__ = ["LayerHistory", "Record"]

KINDS = ("gradients",)


class Record:
    """What `Model.train` is to note in ``history.layers``, and how often.

    Parameters
    ----------
    kind : {"gradients"}
        Norms of gradients, steps and parameters of each layer that learns, the ratio of step to
        weights, and the number of dead ReLUs.
    every : int
        The first step is noted, and from there every so many. The parameters that the training
        ends with are the same to the bit.

    Raises
    ------
    TypeError, ValueError
        Another kind, or an `every` that is no int from 1.
    """

    def __init__(self, kind: str = "gradients", every: int = 10) -> None:
        if not isinstance(kind, str) or kind not in KINDS:
            expected = " or ".join(map(repr, KINDS))
            raise ValueError(f"Record: kind: expected {expected}, got {kind!r}")
        with labelled("Record"):
            self.every = as_count(every, "every", 1)
        self.kind = kind

    def __repr__(self) -> str:
        return f"Record({self.kind!r}, every={self.every})"


class LayerHistory(Mapping[tuple[int, str], NDArray[np.float64]]):
    """Columns of what was noted, by the model's layer (from 0) and name.

    ``layers[2, "dweights"]`` is an array with one value for each of `steps`. Of a layer that
    learns: the L2 norms ``dweights`` and ``dbiases`` (penalties included, before clipping),
    ``step_weights`` and ``step_biases`` (what the update changed), ``weights`` and ``biases``
    (before it), and ``ratio``, that of the first of them, ``step_weights / weights``. Of a ReLU:
    ``dead``, the number of its units that gave 0 for every sample of the step.
    ``pandas.DataFrame(dict(layers), index=layers.steps)`` is a table of all.

    Attributes
    ----------
    steps : ndarray (k,) of int64
        The numbers of the optimizer's steps, from 1, in this training.
    """

    def __init__(self) -> None:
        self._steps: list[NDArray[np.int64]] = []
        self._columns: dict[tuple[int, str], list[NDArray[np.float64]]] = {}

    def extend(
        self, steps: NDArray[np.int64], columns: Mapping[tuple[int, str], NDArray[np.float64]]
    ) -> None:
        """Add what was noted of some steps; a column that is new or missing is NaN elsewhere."""
        if not len(steps):
            return
        before = len(self.steps)
        for key in columns:
            if key not in self._columns:
                self._columns[key] = [np.full(before, np.nan)]
        for key, parts in self._columns.items():
            parts.append(columns[key] if key in columns else np.full(len(steps), np.nan))
        self._steps.append(steps)

    @property
    def steps(self) -> NDArray[np.int64]:
        """The numbers of the steps that were noted."""
        self._steps = [joined(self._steps, np.int64)]
        return self._steps[0]

    def __getitem__(self, key: tuple[int, str]) -> NDArray[np.float64]:
        if key not in self._columns:
            hint = ", ".join(map(str, self._columns)) or "none, for lack of a record"
            raise KeyError(f"expected one of {hint}; got {key!r}")
        self._columns[key] = [joined(self._columns[key], np.float64)]
        return self._columns[key][0]

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        places = {place for place, _ in self._columns}
        return f"LayerHistory({len(self.steps)} steps of {len(places)} layers)"


def joined(parts: list[Any], dtype: Any) -> Any:
    """Return one array of all parts."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.empty(0, dtype), *parts])
