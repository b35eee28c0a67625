"""A training request: everything `Model.train` was asked for, checked and converted.

All refusals happen here, before anything changes. X and y stay float32 or float64 as they
came (each batch is converted when it is gathered); any other real dtype is converted once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..history import History


class StepRecord(NamedTuple):
    """What one step reports: ``loss = data_loss + regularization_loss``."""

    accuracy: float
    data_loss: float
    regularization_loss: float
    rate: float


@dataclass
class TrainingRequest:
    """What a runner needs to know.

    Attributes
    ----------
    X : ndarray (n, d), float32 or float64
    y : ndarray: int64 labels (n,), or float targets (n, m)
    epochs, batch_size : int
        `batch_size` is at most n; the last batch may be smaller.
    generator : numpy.random.Generator or None
        Shuffles the samples of each epoch; None takes them in order.
    validation : (X, y) or None, and the batch size it is run with
    sample_weight : ndarray (n,), float64, or None
    on_nonfinite : "raise", "stop" or "ignore"
    clip_norm : float or None
        Largest global L2 norm of all parameter gradients.
    dtype : the model's dtype, None where its layers have several or none
    precision : the accuracy's, None where it has none
    """

    X: Array
    y: Array
    epochs: int
    batch_size: int
    generator: np.random.Generator | None = None
    validation: tuple[Array, Array] | None = None
    validation_batch_size: int = 0
    sample_weight: NDArray[np.float64] | None = None
    on_nonfinite: str = "raise"
    clip_norm: float | None = None
    dtype: np.dtype[Any] | None = None
    precision: float | None = None

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.X)

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-self.n // self.batch_size)

    def next_order(self) -> NDArray[np.int64] | None:
        """Draw the next epoch's order of samples; None means as they are.

        Raises
        ------
        ValueError
            A batch whose sample weights add up to 0.
        """
        order = None
        if self.generator is not None:
            order = self.generator.permutation(self.n).astype(np.int64, copy=False)
        if self.sample_weight is not None and order is not None:
            self.check_weights(order)
        return order

    def check_weights(self, order: NDArray[np.int64] | None = None) -> None:
        """Refuse a batch whose sample weights add up to 0."""
        if self.sample_weight is None:
            return
        weight = self.sample_weight if order is None else self.sample_weight[order]
        sums = np.add.reduceat(weight, np.arange(0, self.n, self.batch_size))
        if not np.all(sums > 0):
            raise ValueError(
                "sample_weight: expected a sum above 0 in each batch, "
                f"got 0 in batch {int(np.argmin(sums > 0))}"
            )

    def batch(
        self, step: int, order: NDArray[np.int64] | None
    ) -> tuple[Array, Array, NDArray[np.float64] | None]:
        """Gather step's samples, converted to the model's dtype: X, y, weights."""
        rows: Any = slice(step * self.batch_size, (step + 1) * self.batch_size)
        if order is not None:
            rows = order[rows]
        X, y = self.X[rows], self.y[rows]
        if self.dtype is not None:
            X = X.astype(self.dtype, copy=False)
            if y.dtype.kind == "f":
                y = y.astype(self.dtype, copy=False)
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return X, y, weight


class Runner(Protocol):
    """Runs a request: layer by layer or as a compiled plan. `training` drives it."""

    @property
    def done(self) -> bool:
        """Whether all epochs are finished, or training was stopped."""

    @property
    def epoch(self) -> int:
        """The epoch in progress, from 1."""

    @property
    def step(self) -> int:
        """Steps done in this epoch."""

    @property
    def nonfinite(self) -> tuple[int, int] | None:
        """Epoch (from 1) and step (from 0) of a loss that was not finite; not updated."""

    def run(self, max_steps: int, seconds: float) -> int:
        """Run whole steps until `max_steps`, `seconds` or the end; return their number."""

    def step_record(self) -> StepRecord:
        """Return what the last step reported."""

    def report_epochs(self, history: History) -> None:
        """Add the epochs finished since the last call."""

    def write_back(self) -> None:
        """Bring the Python objects up to date: parameters, optimizer arrays, rate, steps."""

    def read_back(self) -> None:
        """Read parameters, rate, momentum and decay from the Python objects."""

    def stop(self) -> None:
        """End the training after the steps done."""
