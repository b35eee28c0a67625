"""The best validated epoch: its parameters are kept, and put back when training ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..history import History
from ..layers.parameters import slots_of
from .busy import parameter_lock
from .evaluation import evaluate
from .passes import parametric_layers
from .request import Runner, TrainingRequest


class BestEpoch:
    """Looks at each epoch's validation, before any callback does.

    The lowest loss or the highest accuracy is best, the last of equal ones; NaN never is. A loss
    with label smoothing is taken without it.
    """

    def __init__(self, model: Any, request: TrainingRequest, history: History) -> None:
        self.model = model
        self.request = request
        self.history = history
        self.sign = 1.0 if request.best_epoch == "validation_loss" else -1.0
        self.best = math.inf
        self._kept: list[tuple[Any, str, Array]] = []
        self._plain_loss: Any = None
        if self.sign > 0 and hasattr(model.loss, "without_smoothing"):
            plain = model.loss.without_smoothing()
            self._plain_loss = None if plain is model.loss else plain

    @property
    def looks_itself(self) -> bool:
        """The value is none that a plan reports."""
        return self._plain_loss is not None

    def keep(self, parameters: list[tuple[Any, str, Array]]) -> None:
        """Keep parameters of the best epoch that somebody else has found."""
        self._kept = parameters

    def look(self, epoch: int, logs: dict[str, float], runner: Runner) -> None:
        """Keep the parameters where this epoch is the best so far."""
        value = self.sign * self._value(logs, runner)
        if not value <= self.best or value == math.inf:
            return
        self.best = value
        self.history.best_epoch = epoch
        runner.write_back()
        self._kept = [
            (layer, slot.name, np.array(getattr(layer, slot.name)))
            for layer in parametric_layers(self.model)
            for slot in slots_of(layer)
        ]

    def _value(self, logs: dict[str, float], runner: Runner) -> float:
        if self._plain_loss is None:
            return logs[str(self.request.best_epoch)]
        runner.write_back()
        assert self.request.validation is not None
        size = self.request.validation_batch_size
        return evaluate(self.model, *self.request.validation, size, loss=self._plain_loss).loss

    def put_back(self) -> None:
        """Put the kept parameters back, in place."""
        with parameter_lock(self.model):
            for layer, name, values in self._kept:
                getattr(layer, name)[...] = values
        self._kept = []
