"""The runner that lets the core do the steps, by a compiled plan.

The plan keeps its own packed copies of the parameters while it runs; `write_back` and `read_back`
bring both sides together.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays import Array
from ..history import History
from ..layers import Layer_Dense
from .request import StepRecord, TrainingRequest
from .specification import specification
from .structure import NoPlan, Structure, structure_of

SETTINGS = ("momentum", "epsilon", "rho", "beta_1", "beta_2", "weight_decay")
ARRAYS = {
    "momentum": ("momentums",),
    "nesterov": ("momentums",),
    "adagrad": ("cache",),
    "rmsprop": ("cache",),
    "adam": ("momentums", "cache"),
}


class PlanRunner:
    """Runs a training request in the core; see `Runner`."""

    def __init__(self, model: Any, request: TrainingRequest) -> None:
        self.model = model
        self.request = request
        self._structure = structure_of(model)
        self._spec = specification(model, self._structure, request)
        self._samples = (plain(request.X), plain(request.y), request.sample_weight)
        self._validation = None
        if request.validation is not None:
            X, y = request.validation
            self._validation = (plain(X), plain(y), None)
        self._epochs_before = 0
        self._order: NDArray[np.int64] | None = None
        self._written_back = True  # the Python objects are up to date, or ahead after a callback
        self._make_plan()
        model._batch_size = request.batch_size

    def _make_plan(self) -> None:
        """Make a plan for the epochs that are left."""
        request = self.request
        self._training = _core.Training(
            self._spec,
            self._samples,
            self._validation,
            min(request.epochs - self._epochs_before, 2**62),
            request.on_nonfinite != "ignore",
        )
        self._steps = 0  # done by this plan
        self._load()

    def _load(self) -> None:
        """Hand the parameters, the optimizer's arrays and its settings to the core."""
        self._arrays = arrays_of(self._structure, self._spec["rule"])
        self._training.load(self._arrays)
        self._set_schedule()

    def _set_schedule(self) -> None:
        optimizer = self.model.optimizer
        self._training.set_schedule(
            learning_rate=float(optimizer.learning_rate),
            decay=float(optimizer.decay),
            iterations=int(optimizer.iterations),
            clip_norm=float(self.request.clip_norm or 0.0),
            **{name: float(getattr(optimizer, name, 0.0)) for name in SETTINGS},
        )

    @property
    def done(self) -> bool:
        """All epochs are finished, or training was stopped."""
        return self._training.done

    @property
    def epoch(self) -> int:
        """The epoch in progress, from 1."""
        return self._epochs_before + self._training.epoch

    @property
    def step(self) -> int:
        """Steps done in this epoch."""
        return self._training.step

    @property
    def nonfinite(self) -> tuple[int, int] | None:
        """Epoch (from 1) and step (from 0) of a loss that was not finite."""
        return (self.epoch, self.step) if self._training.nonfinite else None

    def run(self, max_steps: int, seconds: float) -> int:
        """Run whole steps until `max_steps`, `seconds` or the end; return their number."""
        if self.request.generator is not None and self.step == 0 and not self.done:
            self._order = self.request.next_order()
        self._written_back = False
        count = self._training.run(max_steps, seconds, self._order)
        self._steps += count
        return count

    def step_record(self) -> StepRecord:
        """Return what the last step reported."""
        return StepRecord(*self._training.step_record())

    def report_epochs(self, history: History) -> None:
        """Add the epochs finished since the last call."""
        history.extend(*self._training.take_epochs())

    def write_back(self) -> None:
        """Bring the Python objects up to date: parameters, optimizer arrays, rate, steps.

        Does nothing where no step came since the last time: what a callback has changed stays.
        """
        if self._written_back:
            return
        self._written_back = True
        self._training.store(self._arrays)
        optimizer = self.model.optimizer
        optimizer.iterations = self._training.iterations
        rate = self._training.step_record()[3]
        if not math.isnan(rate):
            optimizer.current_learning_rate = rate
        stages = zip(self._structure.stages, self._spec["stages"], strict=True)
        dropouts = [(stage.dropout, entry[3]) for stage, entry in stages]
        for layer, (_, _, before) in [
            (self._structure.input_dropout, self._spec["input_dropout"]),
            *dropouts,
        ]:
            if layer is not None:
                layer.step = before + self._steps

    def read_back(self) -> None:
        """Read everything again from the Python objects, at the end of an epoch.

        Where the network itself was changed (an optimizer's kind, a strength, a rate of dropout),
        a new plan is made for the epochs that are left.

        Raises
        ------
        RuntimeError
            The model has become one without a plan.
        """
        if self.done:
            return
        try:
            self._structure = structure_of(self.model)
            if self._spec == specification(
                self.model, self._structure, self.request, steps=self._steps
            ):
                self._load()
                return
            self._spec = specification(self.model, self._structure, self.request)
        except NoPlan as reason:
            raise RuntimeError(
                "Model: train: expected callbacks to leave a model that can go on as a compiled "
                f"plan, got one that cannot: {reason}"
            ) from None
        self._epochs_before += self._training.epoch - 1
        self._make_plan()

    def stop(self) -> None:
        """End the training after the steps done."""
        self._training.stop()


def plain(array: Array) -> Array:
    """Return the array as the core reads it: a C-contiguous, aligned, native base ndarray."""
    flags = array.flags
    if type(array) is np.ndarray and flags.c_contiguous and flags.aligned and array.dtype.isnative:
        return array
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.require(native, requirements=["C", "A"]).view(np.ndarray)


def arrays_of(structure: Structure, rule: str) -> list[tuple[Array | None, ...]]:
    """Return per stage weights, biases and the optimizer's arrays, made where missing."""
    wanted = ARRAYS.get(rule, ())
    result = []
    for stage in structure.stages:
        dense = stage.dense
        row: list[Array | None] = [dense.weights, dense.biases]
        for kind in ("momentums", "cache"):
            if kind in wanted:
                row.append(state_of(dense, f"weight_{kind}", dense.weights))
                row.append(state_of(dense, f"bias_{kind}", dense.biases))
            else:
                row += [None, None]
        result.append(tuple(row))
    return result


def state_of(layer: Layer_Dense, name: str, like: Array) -> Array:
    """Return an optimizer's array, put on the layer as zeros, or as a plain copy, where needed."""
    array: Any = getattr(layer, name, None)
    usable = isinstance(array, np.ndarray) and array.shape == like.shape
    if not usable:
        array = np.zeros(like.shape, dtype=like.dtype)
    elif type(array) is not np.ndarray or array.dtype != like.dtype or not array.flags.carray:
        array = np.array(array, dtype=like.dtype, order="C")
    if getattr(layer, name, None) is not array:
        setattr(layer, name, array)
    result: Array = array
    return result
