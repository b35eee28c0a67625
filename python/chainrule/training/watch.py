"""Two things that go wrong without an error: a loss that explodes, and layers that are dead.

Each is said once, in a warning that names the layer and a number. Looking changes no bit: it
reads parameters, and runs a few samples through copies of the layers that share their arrays.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..catalogue import own_class
from ..history import History
from ..layers.parameters import slots_of
from .notices import tell_once
from .passes import parametric_layers
from .request import Runner, TrainingRequest, as_batch

EXPLOSION = 1e6  # times the first loss, the targets' mean square and 1: far beyond any recovery
MOST_SAMPLES = 256
SHARE = 64  # of all samples that the training runs through, one is looked at: under 1 % of the time


class Watch:
    """Looks at a training now and then."""

    def __init__(self, model: Any, request: TrainingRequest) -> None:
        self.model = model
        self.request = request
        self._first = self._last = math.nan

    def begin(self, runner: Runner) -> None:
        """Remember the first step's loss; 0 where the first batch was no step."""
        loss = runner.step_record().data_loss
        self._first = self._last = 0.0 if math.isnan(loss) else loss

    def look(self, history: History, runner: Runner) -> None:
        """Look at the last epoch, and once at the activations."""
        if not len(history):
            return
        loss, last = history.last_row()[1], self._last
        self._last = loss
        if last < loss < math.inf and loss > EXPLOSION * max(self._first, 1.0):
            self._tell_explosion(loss, len(history), runner)
        if not self.model._watched:
            self.model._watched = True
            self._look_at_units(runner)

    def _tell_explosion(self, loss: float, epoch: int, runner: Runner) -> None:
        y = self.request.y
        if y.dtype.kind == "f" and loss <= EXPLOSION * float(np.square(y, dtype=np.float64).mean()):
            return
        runner.write_back()
        tell_once(
            self.model,
            "explosion",
            f"train: the loss has grown from {self._first:.3g} to {loss:.3g} in epoch {epoch}"
            f"{largest_weights(self.model)}; a lower learning rate, inputs and targets of the "
            "order of 1, or clip_norm keep it small",
        )

    def _look_at_units(self, runner: Runner) -> None:
        """Warn of activations that give 0 for whatever comes in: nothing below them learns."""
        layers = known_layers(self.model.layers)
        if not any(is_relu(layer) for layer in layers):
            return
        runner.write_back()
        values: Any = sample_of(self.request)
        for position, layer in enumerate(layers, 1):
            values = copy.copy(layer).forward(values, False)
            if is_relu(layer) and not values.any():
                tell_once(
                    self.model,
                    "dead units",
                    f"{type(layer).__name__} {position}: all {values[0].size} units are 0 for all "
                    f"of {len(values)} samples, and no layer below gets a gradient; other initial "
                    "weights, a lower learning rate or Activation_LeakyReLU keep units alive",
                )
                return


def is_relu(layer: Any) -> bool:
    """Tell whether a layer may be 0, and pass no gradient, whatever comes in."""
    own = own_class(layer)
    return own is not None and own.core_name == "relu"


def known_layers(layers: list[Any]) -> list[Any]:
    """Return the layers before the first one of the user's own, whose `forward` may do anything."""
    for position, layer in enumerate(layers):
        if own_class(layer) is None:
            return layers[:position]
    return layers


def sample_of(request: TrainingRequest) -> Array:
    """Return a few samples, evenly spaced."""
    count = min(request.n, MOST_SAMPLES, max(16, request.n * request.epochs // SHARE))
    return as_batch(request.X[:: request.n // count][:count], request.dtype)


def largest_weights(model: Any) -> str:
    """Return ``; the largest weights are those of Layer_Dense 1, up to 3e+05``."""
    found = [
        (float(np.abs(getattr(layer, slots_of(layer)[0].name)).max(initial=0)), layer)
        for layer in parametric_layers(model)
    ]
    if not found:
        return ""
    size, layer = max(found, key=lambda pair: pair[0])
    place = next((k for k, each in enumerate(model.layers, 1) if each is layer), None)
    name = type(layer).__name__ if place is None else f"{type(layer).__name__} {place}"
    return f"; the largest {slots_of(layer)[0].name} are those of {name}, up to {size:.3g}"
