"""What a pass over samples amounts to: sums over its batches, divided by their counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import label_of
from ..layers.parameters import slots_of
from ..losses import Loss
from ..losses.base import penalty_of, targets_for, total_of
from ..metrics import Accuracy
from .passes import predictions_of


class Meter:
    """Data loss and accuracy of batches, each by itself and of all since `new_pass`.

    Sums are float64. NaN stands where there is no accuracy, or no batch.
    """

    def __init__(self, model: Any, loss: Any = None) -> None:
        self.model = model
        self.loss = model.loss if loss is None else loss
        self.accuracy = model.accuracy
        self.new_pass()

    def new_pass(self) -> None:
        """Set the sums to 0."""
        self.losses, self.weight = 0.0, 0.0
        self.hits, self.samples = 0.0, 0
        self._penalized: bool | None = None  # not looked at yet
        for part in (self.loss, self.accuracy):
            if hasattr(part, "new_pass"):
                part.new_pass()

    def add_loss(self, output: Any, y: Any, weight: Array | None = None) -> float:
        """Return the batch's data loss, and add it up."""
        targets = targets_for(self.loss, output, y)
        count = float(len(output) if weight is None else weight.sum())
        if weight is None and isinstance(self.loss, Loss) and brings(self.loss, "calculate"):
            total = float(self.loss.calculate(output, targets)) * count
        else:
            total = total_loss(self.loss, output, targets, weight)
        self.losses += total
        self.weight += count
        return total / count if count else math.nan

    def add_accuracy(self, output: Any, y: Any) -> float:
        """Return the batch's accuracy, and add it up."""
        if self.accuracy is None:
            return math.nan
        predictions = output
        if not getattr(self.accuracy, "takes_outputs", False):
            predictions = predictions_of(self.model.layers, self.loss, output, y)
        value = float(self.accuracy.calculate(predictions, targets_for(self.loss, output, y)))
        self.hits += value * len(y)
        self.samples += len(y)
        return value

    def data_loss(self) -> float:
        """Return the mean loss since `new_pass`."""
        return self.losses / self.weight if self.weight else math.nan

    def mean_accuracy(self) -> float:
        """Return the accuracy since `new_pass`."""
        if not self.samples:
            return math.nan
        if isinstance(self.accuracy, Accuracy):
            return float(self.accuracy.calculate_accumulated())
        return self.hits / self.samples

    def penalty(self) -> float:
        """Return the regularisation terms of the layers that learn, as they are now."""
        if self._penalized is None:
            self._penalized = self._may_have_penalty()
        if not self._penalized:
            return 0.0
        if hasattr(self.loss, "regularization_loss"):
            return float(self.loss.regularization_loss())
        return sum((penalty_of(layer) for layer in self.model.trainable_layers), 0.0)

    def _may_have_penalty(self) -> bool:
        if brings(self.loss, "regularization_loss"):
            return True
        layers = self.model.trainable_layers
        return any(any(slot.strengths(layer)) for layer in layers for slot in slots_of(layer))


def brings(loss: Any, method: str) -> bool:
    """Tell whether a loss has a method that is not that of `Loss`."""
    if not isinstance(loss, Loss):
        return hasattr(loss, method)
    return getattr(type(loss), method) is not getattr(Loss, method) or method in vars(loss)


def total_loss(loss: Any, output: Any, y: Any, weight: Array | None) -> float:
    """Return the sum of the samples' losses, each times its weight.

    Raises
    ------
    ValueError
        The loss gives anything but one value per sample.
    """
    losses = np.asarray(loss.forward(output, y))
    if losses.shape != (len(output),):
        raise ValueError(
            f"{label_of(loss)}: forward: expected one loss per sample, "
            f"({len(output)},), got {losses.shape}"
        )
    if weight is None:
        return float(total_of(losses))
    return float((losses.astype(np.float64, copy=False) * weight).sum())
