"""Callbacks that the core serves itself: they only compare a value of each epoch with its best.

Early stopping, a rate that falls on a plateau and the best epoch need no Python between epochs: a
tiny net trains thousands of epochs in the time of one call. The plan watches in their place; what
it has found is put on the callbacks when it stops.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..layers.parameters import names_of
from ..monitoring import EarlyStopping, ReduceLearningRateOnPlateau
from .best_epoch import BestEpoch
from .passes import parametric_layers
from .request import TrainingRequest

SERVED = (EarlyStopping, ReduceLearningRateOnPlateau)


class Row(NamedTuple):
    """What the core is told of one: bindings/plan_arguments.cpp reads these fields in this order.

    ``patience`` below 0 has no end; a ``factor`` of 0 ends the training.
    """

    value: str
    upwards: bool
    ties: bool
    keeps: bool
    min_delta: float
    patience: int
    factor: float
    least: float
    cooldown: int


class Monitors:
    """The callbacks of a training that the core serves, and the best epoch if one is wanted."""

    def __init__(self, model: Any, callbacks: list[Any], best: BestEpoch | None) -> None:
        self.model = model
        self.watching: list[Any] = [*callbacks, *([] if best is None else [best])]
        self._acted = [0] * len(self.watching)

    def rows(self) -> tuple[Row, ...]:
        """Return what the core is told."""
        return tuple(row_of(each) for each in self.watching)

    def bring_up_to_date(self, plan: Any) -> None:
        """Give the callbacks what the plan has found since the last time."""
        for place, (best_epoch, best, acted) in enumerate(plan.monitors()):
            each = self.watching[place]
            if isinstance(each, BestEpoch):
                each.history.best_epoch = best_epoch or None
                continue
            each.best, each.best_epoch = (best, best_epoch) if best_epoch else (None, None)
            if acted > self._acted[place]:
                self._acted[place] = acted
                self._act(each, acted)

    def _act(self, callback: Any, epoch: int) -> None:
        """Let patience have been over after an epoch."""
        if isinstance(callback, EarlyStopping):
            callback.stopped_epoch, self.model.stop_training = epoch, True
        elif callback.reduce(self.model.optimizer):
            callback.reduced_epochs.append(epoch)

    def take_best(self, plan: Any, arrays: Any) -> None:
        """Give the one that keeps parameters those of its best epoch.

        `arrays` makes a place for each parameter: it returns them with layer and name.
        """
        for each, (best_epoch, _, _) in zip(self.watching, plan.monitors(), strict=True):
            if best_epoch == 0 or not row_of(each).keeps:
                continue
            places = arrays()
            plan.store_best(tuple((array,) for _, _, array in places))
            if isinstance(each, BestEpoch):
                each.keep(places)
                return
            found = {(id(layer), name): array for layer, name, array in places}
            each.best_parameters = [
                tuple(parameter_of(layer, name, found) for name in names_of(layer))
                for layer in parametric_layers(self.model)
            ]


def parameter_of(layer: Any, name: str, found: dict[tuple[int, str], Array]) -> Array | None:
    """Return a parameter from among those found, else as the layer has it."""
    held = getattr(layer, name, None)
    if held is None:
        return None
    return found[id(layer), name] if (id(layer), name) in found else np.array(held)


def row_of(watching: Any) -> Row:
    """Return what the core is told of a callback, or of the best epoch."""
    if isinstance(watching, BestEpoch):
        value = str(watching.request.best_epoch)
        return Row(value, value.endswith("accuracy"), True, True, 0.0, -1, 0.0, 0.0, 0)
    value, patience = watching.monitor, watching.patience
    upwards, delta = value.endswith("accuracy"), float(watching.min_delta)
    if isinstance(watching, EarlyStopping):
        keeps = watching.restore_best_weights
        return Row(value, upwards, False, keeps, delta, patience, 0.0, 0.0, 0)
    factor, least = float(watching.factor), float(watching.least)
    return Row(value, upwards, False, False, delta, patience, factor, least, watching.cooldown)


def monitors_for(
    model: Any, request: TrainingRequest, hooked: list[Any], best: BestEpoch | None
) -> Monitors | None:
    """Return the callbacks that run after epochs as the core serves them; None where it cannot.

    Subclasses, other callbacks, values that are not recorded, and more than one that keeps
    parameters go through Python.
    """
    if not hooked and best is None:
        return None
    recorded = {"loss", "data_loss", "regularization_loss"}
    if model.accuracy is not None:
        recorded.add("accuracy")
    if request.validation is not None:
        recorded |= {f"validation_{each}" for each in ("loss", "accuracy") if each in recorded}
    for each in hooked:
        if type(each) not in SERVED or "on_epoch_end" in vars(each) or each.monitor not in recorded:
            return None
    if best is not None and best.looks_itself:
        return None
    found = Monitors(model, hooked, best)
    return found if sum(row.keeps for row in found.rows()) <= 1 else None
