"""A training request: everything `Model.train` was asked for, checked and converted.

All refusals happen here, before anything changes. X keeps the dtype it came with, and y if it is
float32 or float64: each batch is converted when it is gathered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, check_finite
from ..history import History
from ..record import Record

Weights = NDArray[np.float64]
Batch = tuple[Array, Array, Weights | None]


class StepRecord(NamedTuple):
    """What one step reports: ``loss = data_loss + regularization_loss``."""

    accuracy: float
    data_loss: float
    regularization_loss: float
    rate: float


class Objective(NamedTuple):
    """What a step minimises: ``loss_factor * data loss + penalties``.

    `of_batch` divides the penalties by the sum of the batch's weights, its samples without weights;
    an epoch then reports the mean over its batches, by their samples, of both terms before the
    step. Without it penalties are added as they are, and an epoch reports the mean loss of its
    samples and the penalties at its end.
    """

    loss_factor: float = 1.0
    of_batch: bool = False


PLAIN = Objective()


@dataclass
class TrainingRequest:
    """What a runner needs to know.

    Attributes
    ----------
    X : ndarray (n, ...) of any real dtype
    y : ndarray: int64 labels (n,), or float targets (n, m)
    epochs, batch_size : int
        `batch_size` is at most n; the last batch may be smaller.
    drop_last : bool
        Leave a smaller last batch out.
    accumulate : int
        Batches whose gradients make one step; at the end of an epoch those that are left.
    shuffle : bool
    rng : numpy.random.Generator or None
        The one that `train` was given.
    generator : numpy.random.Generator or None
        Shuffles the samples of each epoch; None takes them in order. Set when training begins.
    validation : (X, y, weights or None) or None, and the batch size it is run with
        y in the form of the training's, where `mixes_targets` is not set.
    mixes_targets : bool
        One of the two y holds class labels, the other soft targets.
    sample_weight : ndarray (n,), float64, or None
        Not all 0; a batch whose weights are all 0 is no step.
    check_finite : bool
        NaN and infinity in samples are refused, also those that a callback puts there.
    on_nonfinite : "raise", "stop" or "ignore"
    clip_norm : float or None
        Largest global L2 norm of the gradients of all parameters that learn.
    record : Record or None
        What is noted of some steps, in the history's `layers`.
    engine : "classes" or None
        Whether the classes are to run layer by layer, whatever the plan could do.
    best_epoch : "validation_loss", "validation_accuracy" or None
        What chooses the epoch whose parameters are put back at the end.
    objective : Objective
        `Model.train` leaves it as it is.
    feature_names : tuple of str or None
        The columns of the frame that X was.
    dtype : the model's dtype, None where its layers have several or none
    precision : the accuracy's, None where it has none; set when training begins
    spare : numpy.random.Generator or None
        Shuffles where neither `rng` nor the model has one; without it `numpy.random` seeds it.
    n_of_all : int or None
        Number of samples, where X holds only a part of them.
    """

    X: Array
    y: Array
    epochs: int
    batch_size: int
    drop_last: bool = False
    accumulate: int = 1
    shuffle: bool = False
    rng: np.random.Generator | None = None
    generator: np.random.Generator | None = None
    validation: tuple[Array, Array, Weights | None] | None = None
    validation_batch_size: int = 0
    mixes_targets: bool = False
    sample_weight: Weights | None = None
    check_finite: bool = False
    on_nonfinite: str = "raise"
    clip_norm: float | None = None
    engine: str | None = None
    record: Record | None = None
    best_epoch: str | None = None
    objective: Objective = PLAIN
    feature_names: tuple[str, ...] | None = None
    dtype: np.dtype[Any] | None = None
    precision: float | None = None
    spare: np.random.Generator | None = None
    n_of_all: int | None = None

    # whether samples come in parts, by `take_samples`: X, y and weights are then those in hand
    in_parts: ClassVar[bool] = False

    def __enter__(self) -> TrainingRequest:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what a training has opened."""

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.X) if self.n_of_all is None else self.n_of_all

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return self.n // self.batch_size if self.drop_last else -(-self.n // self.batch_size)

    @property
    def end(self) -> int:
        """The step of the epoch at which the samples in hand are used up."""
        return self.steps

    @property
    def last(self) -> bool:
        """Whether the samples in hand are the epoch's last."""
        return True

    @property
    def known_steps(self) -> int | None:
        """Batches per epoch; None where nobody knows before it is over."""
        return self.steps

    @property
    def updates(self) -> int | None:
        """The optimizer's steps per epoch; None where nobody knows."""
        return None if self.known_steps is None else -(-self.known_steps // self.accumulate)

    @property
    def all_targets(self) -> Array:
        """The targets that an accuracy learns from."""
        return self.y

    def take_samples(self, seconds: float) -> bool:
        """Take the samples that come next, waiting so long at most; tell whether some came.

        Arrays are in hand as a whole: no others come.
        """
        return False

    def check_numbers(self) -> None:
        """Refuse samples that somebody has made NaN or infinite since they were checked."""
        if not self.check_finite:
            return
        named: list[tuple[str, Array]] = []
        if not self.in_parts:  # parts are checked as they come
            named += [("X", self.X), ("y", self.y)]
        if self.validation is not None:
            named += [("validation X", self.validation[0]), ("validation y", self.validation[1])]
        for name, array in named:
            check_finite(array, name, self.dtype)

    def next_order(self) -> NDArray[np.int64] | None:
        """Draw the next epoch's order of samples; None means as they are."""
        if self.generator is None:
            return None
        return self.generator.permutation(self.n).astype(np.int64, copy=False)

    def batch(self, step: int, order: NDArray[np.int64] | None) -> Batch:
        """Gather a batch's samples."""
        rows = self._rows(step, 1, order)
        return batch_of((self.X, self.y, self.sample_weight), rows, self.dtype)

    def weight_of_step(self, step: int, order: NDArray[np.int64] | None) -> float:
        """Return the weight of all samples of the update that a batch is part of; each is 1."""
        rows = self._rows(step - step % self.accumulate, self.accumulate, order)
        if self.sample_weight is None:
            return float(len(self.y[rows]))
        return float(self.sample_weight[rows].sum())

    def _rows(self, step: int, count: int, order: NDArray[np.int64] | None) -> Any:
        stop = min((step + count) * self.batch_size, self.steps * self.batch_size)
        rows = slice(step * self.batch_size, stop)
        return rows if order is None else order[rows]


def batch_of(
    samples: tuple[Array, Array, Weights | None], rows: Any, dtype: np.dtype[Any] | None
) -> Batch:
    """Gather some rows of X, y and weights, converted to the model's dtype."""
    X, y, weight = samples
    targets = y[rows]
    if dtype is not None and targets.dtype.kind == "f":
        targets = targets.astype(dtype, copy=False)
    return as_batch(X[rows], dtype), targets, None if weight is None else weight[rows]


def as_batch(X: Array, dtype: np.dtype[Any] | None) -> Array:
    """Return samples in the model's dtype; without one, floats stay and all else is float64."""
    if dtype is None:
        if X.dtype.kind == "f" and X.dtype.itemsize in (4, 8):
            return X
        dtype = np.dtype(np.float64)
    return X.astype(dtype, copy=False)


class Runner(Protocol):
    """Runs a request: layer by layer or as a compiled plan. `Loop` drives it.

    `monitors` are what it watches for itself between epochs; None where Python does.
    """

    monitors: Any

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
    def validating(self) -> bool:
        """Whether the last call of `run` ended within a validation; the next one goes on there."""

    @property
    def nonfinite(self) -> tuple[int, int] | None:
        """Epoch (from 1) and step (from 0) of a loss that was not finite; not updated."""

    def run(self, max_steps: int, seconds: float) -> int:
        """Run whole steps until `max_steps`, `seconds` or the end; return their number.

        A batch that is no step, since its samples weigh nothing, is counted here.
        """

    def step_record(self) -> StepRecord:
        """Return what the last step reported.

        Between the steps that a line or an epoch's end is due after, a plan does not know the
        regularisation: it is NaN or that of an earlier step.
        """

    def take_epochs(self) -> tuple[int, Any]:
        """Return the epochs finished since the last call as `History.extend` takes them."""

    def report_epochs(self, history: History) -> None:
        """Add the epochs finished since the last call."""

    def write_back(self) -> None:
        """Bring the Python objects up to date: parameters, optimizer arrays, rate, steps."""

    def read_back(self) -> None:
        """Read parameters, rate, momentum and decay from the Python objects."""

    def read_rate(self) -> None:
        """Read the optimizer's settings again, and nothing else, at the end of an epoch."""

    def read_unchanged(self) -> bool:
        """Read values again where nothing but values has changed; else do nothing: False."""

    def stop(self) -> None:
        """End the training after the steps done."""

    def take_best(self) -> None:
        """Let what it watches for have the parameters of the best epoch, after the last one."""

    def close(self) -> None:
        """Nothing more will be asked of it."""
