"""Training layer by layer: the Python classes' own methods, one after the other.

A step: forward, loss, (is it finite?), backward, update. The compiled plan does the same
without Python; a model with a layer, loss or optimizer of the user's own comes here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..history import History
from ..layers import Layer_Dropout
from ..layers.parameters import slots_of
from ..multipliers import shares_of
from ..optimizers import Optimizer
from .beginning import scheduled_dropouts
from .epoch_rows import EpochRows
from .evaluation import Evaluation, evaluating
from .meter import Meter
from .notes import ClassNotes
from .passes import backward_pass, forward_pass, learning, lowest_learning
from .predicting import Pieces
from .request import StepRecord, TrainingRequest
from .weights import checked_weights
from .whole_update import WholeUpdate


def clip_gradients(layers: list[Any], clip_norm: float) -> None:
    """Scale all gradients by ``clip_norm / norm`` where their global L2 norm exceeds it."""
    names = [
        (layer, slot.gradient)
        for layer in layers
        for slot in slots_of(layer)
        if getattr(layer, slot.gradient, None) is not None
    ]
    squares = [np.square(getattr(*name), dtype=np.float64).sum() for name in names]
    norm = math.sqrt(sum(squares, 0.0))
    if norm > clip_norm:
        for layer, name in names:
            gradient = np.asarray(getattr(layer, name))
            setattr(layer, name, gradient * gradient.dtype.type(clip_norm / norm))


@contextmanager
def penalties_times(layers: list[Any], share: float) -> Iterator[None]:
    """Multiply the strengths of the layers' penalties for the length of the block."""
    names = [] if share == 1.0 else strengths_of(layers)
    kept = [(layer, name, getattr(layer, name)) for layer, name in names]
    try:
        for layer, name, value in kept:
            setattr(layer, name, value * share)
        yield
    finally:
        for layer, name, value in kept:
            setattr(layer, name, value)


def strengths_of(layers: list[Any]) -> list[tuple[Any, str]]:
    """Return the attributes that hold the strength of a penalty, where it is not 0."""
    names = [
        (layer, f"{slot.prefix}_regularizer_{kind}")
        for layer in layers
        for slot in slots_of(layer)
        for kind in ("l1", "l2")
    ]
    return [(layer, name) for layer, name in names if getattr(layer, name, 0)]


class LayerwiseRunner:
    """Runs a training request step by step through the Python classes; see `Runner`."""

    monitors = None

    def __init__(self, model: Any, request: TrainingRequest) -> None:
        self.model = model
        self.request = request
        self.done = request.epochs == 0
        self.epoch = 1
        self.step = 0
        self.nonfinite: tuple[int, int] | None = None
        self._meter = Meter(model)
        self._order: NDArray[np.int64] | None = None
        self._batches = np.zeros(3)  # samples, and sums over batches for an objective of theirs
        self._epochs = EpochRows()
        self._record = StepRecord(math.nan, math.nan, math.nan, math.nan)
        self._seconds = 0.0
        self._validation: Pieces[Evaluation] | None = None  # the one in progress
        self._end = 0  # the step at which the samples in hand are used up, where they come in parts
        self._forwards: list[tuple[Any, int]] = []  # where dropouts stood before this step
        self._sums: dict[tuple[int, str], Array] = {}  # of gradients that make one step together
        self._update = WholeUpdate()
        record = request.record
        self._notes = None if record is None else ClassNotes(model.layers, record.every)

    def run(self, max_steps: int, seconds: float) -> int:
        """Run whole steps until `max_steps`, `seconds` or the end; return their number.

        Without a time limit to speak of it is one step, or one piece of a validation.
        """
        started = last = time.perf_counter()
        count = 0
        while not self.done:
            if not self.validating:
                if count >= max_steps or not self._has_samples(seconds) or not self._whole_step():
                    break
                count += 1
            ended = self.step == self.request.steps
            validation = self._validate() if ended else None
            now = time.perf_counter()
            self._seconds += now - last
            last = now
            if ended and not self.validating:
                self._end_epoch(validation)
            if now - started >= seconds:
                break
        return count

    @property
    def validating(self) -> bool:
        """The last steps of the epoch are done, its validation is not."""
        return self._validation is not None

    def _has_samples(self, seconds: float) -> bool:
        """Take the next part of the samples where it is due; False where it is not there yet."""
        if self.request.in_parts and self.step in (0, self._end):
            if not self.request.take_samples(seconds):
                return False
            self._end = self.request.end
        return True

    def _whole_step(self) -> bool:
        """Do one step, or leave everything as it was: False where the loss is not finite."""
        if self.step == 0:
            self._start_epoch()
        try:
            whole = self._one_step()
        except BaseException:
            self._take_forwards_back()
            raise
        if whole:
            self.step += 1
        else:
            self._take_forwards_back()
            self.done = True
        return whole

    def _start_epoch(self) -> None:
        self._order = self.request.next_order()
        self._meter.new_pass()
        self._batches[:] = 0
        self._dropouts = scheduled_dropouts(self.model.layers)
        self._find_learners()

    def _find_learners(self) -> None:
        """See which layers learn: a callback between epochs may have changed that."""
        model = self.model
        self._learners = learning(model.trainable_layers)
        self._lowest = lowest_learning(model.layers, self._learners)
        # those of the user's own may get their parameters in their first forward
        self._all_known = all(slots_of(layer) for layer in model.trainable_layers)

    def _one_step(self) -> bool:
        """Do one step; False where the loss is not finite, and then nothing was updated."""
        model = self.model
        X, y, weight = self.request.batch(self.step, self._order)
        total = self.request.weight_of_step(self.step, self._order)
        if total == 0:
            return True  # no sample counts: no step
        if self.step % self.request.accumulate == 0 or not self._forwards:
            dropouts = (layer for layer in model.layers if isinstance(layer, Layer_Dropout))
            self._forwards = [(layer, layer.step) for layer in dropouts]
        self._set_dropped_shares()
        output = forward_pass(model.layers, X, True)
        objective = self.request.objective
        share = 1.0 / total if objective.of_batch else 1.0
        data_loss = objective.loss_factor * self._meter.add_loss(output, y, weight)
        penalty = share * self._meter.penalty()
        if not math.isfinite(data_loss + penalty) and self.request.on_nonfinite != "ignore":
            self.nonfinite = (self.epoch, self.step)
            return False
        accuracy = self._meter.add_accuracy(output, y)
        if self._notes is not None and self._notes.due:
            self._notes.look()
        if not self._all_known:
            self._find_learners()
        factor = objective.loss_factor
        with penalties_times(self._learners, share):
            backward_pass(model.layers, model.loss, output, y, weight, self._lowest, factor=factor)
        self._batches += (len(y), len(y) * data_loss, len(y) * penalty)
        if self.request.accumulate > 1:
            self._add_up((float(len(y)) if weight is None else float(weight.sum())) / total)
        last = self.step + 1
        if last % self.request.accumulate == 0 or last == self.request.steps:
            self._spend()
            self._forwards = []
        rate = float(getattr(model.optimizer, "current_learning_rate", math.nan))
        self._record = StepRecord(accuracy, data_loss, penalty, rate)
        return True

    def _take_forwards_back(self) -> None:
        """Let the streams of dropout stand where the step began that was not made."""
        for layer, step in self._forwards:
            layer.step = step

    def _add_up(self, share: float) -> None:
        """Add this batch's gradients, times its share of the step's weight; set the sums so far.

        The shares of a step add up to 1, and so does the penalties' part, which is in each.
        """
        if self.step % self.request.accumulate == 0:
            self._sums = {}
        for layer in self._learners:
            for slot in slots_of(layer):
                gradient = np.asarray(getattr(layer, slot.gradient))
                part = gradient.astype(np.float64) * share
                key = (id(layer), slot.name)
                self._sums[key] = part + self._sums.get(key, 0.0)
                setattr(layer, slot.gradient, self._sums[key].astype(gradient.dtype))

    def _set_dropped_shares(self) -> None:
        """Tell dropout layers with a schedule which share of the training is done."""
        if not self._dropouts:
            return
        optimizer = self.model.optimizer
        if isinstance(optimizer, Optimizer):
            share = float(shares_of(optimizer, optimizer.iterations, 1)[0])
        else:
            updates = self.request.updates
            if updates is None:
                raise ValueError(
                    "dropout's schedule: expected a source that knows its number of rows "
                    "(n_rows=), got one that does not"
                )
            done = (self.epoch - 1) * updates + self.step // self.request.accumulate
            share = done / (self.request.epochs * updates)
        for layer in self._dropouts:
            layer.training_share = share

    def _spend(self) -> None:
        """Clip and update, and note the step where it is due."""
        notes = self._notes
        noted = notes is not None and notes.due
        if notes is not None and noted:
            notes.begin(self._learners)
        if self.request.clip_norm is not None:
            clip_gradients(self._learners, self.request.clip_norm)
        self._update.make(self.model, self._learners)
        if notes is not None:
            if noted:
                notes.end()
            notes.count()

    def _validate(self) -> Evaluation | None:
        """Begin the validation, or go on with it; return what it came to when it is over."""
        request = self.request
        if request.validation is None:
            return None
        if self._validation is None:
            size = request.validation_batch_size
            self._validation = evaluating(self.model, *request.validation, size)
        try:
            next(self._validation)
        except StopIteration as end:
            self._validation = None
            return end.value  # type: ignore[no-any-return]
        return None

    def _sums_of_epoch(self) -> tuple[float, float, float]:
        """Return the epoch's data loss, penalty and accuracy."""
        meter, objective = self._meter, self.request.objective
        if not objective.of_batch:
            losses = objective.loss_factor * meter.data_loss(), meter.penalty()
        else:
            rows, *sums = self._batches.tolist()
            losses = (sums[0] / rows, sums[1] / rows) if rows else (math.nan, math.nan)
        return (*losses, meter.mean_accuracy())

    def _end_epoch(self, validated: Evaluation | None) -> None:
        data_loss, penalty, accuracy = self._sums_of_epoch()
        validation = (math.nan, math.nan)
        if validated is not None:
            factor = self.request.objective.loss_factor
            validation = factor * validated.loss, validated.accuracy
        row = (data_loss + penalty, data_loss, penalty, accuracy, self._record.rate)
        self._epochs.add(*row, self._seconds, *validation)
        self._seconds = 0.0
        self.step = 0
        self.epoch += 1
        self.done = self.epoch > self.request.epochs

    def step_record(self) -> StepRecord:
        """Return what the last step reported."""
        return self._record

    def take_epochs(self) -> tuple[int, Any]:
        """Return the epochs finished since the last call: their number and the columns."""
        return self._epochs.take()

    def report_epochs(self, history: History) -> None:
        """Add the epochs finished since the last call."""
        self._epochs.report(history)
        if self._notes is not None:
            history.layers.extend(*self._notes.take())

    def write_back(self) -> None:
        """Nothing to do: the classes' own arrays were changed."""

    def read_back(self) -> None:
        """Look at numbers and weights that somebody may have edited: nobody else would.

        The classes' own attributes are read in each step, and so are labels and targets.
        """
        if not self.done:
            request = self.request
            request.check_numbers()
            if not request.in_parts:
                checked_weights(request.sample_weight, request.n)
            if request.validation is not None:
                X, _, weight = request.validation
                checked_weights(weight, len(X), "validation weights")

    def read_rate(self) -> None:
        """Nothing to do: the optimizer's settings are read in each step."""

    def take_best(self) -> None:
        """Nothing to do: Python looks at the epochs."""

    def close(self) -> None:
        """Forget the sums of gradients, the copies of parameters, a validation in progress."""
        self._sums, self._update = {}, WholeUpdate()
        if self._validation is not None:
            self._validation.close()
            self._validation = None

    def read_unchanged(self) -> bool:
        """Nothing is known of the classes between their steps: False."""
        return False

    def stop(self) -> None:
        """End the training after the steps done."""
        self.done = True
