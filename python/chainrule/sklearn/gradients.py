"""A net's loss and gradient as functions of one flat vector of parameters, in double."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..base_loss import targets_for
from ..parameters import slots_of
from ..training.meter import total_loss
from ..training.passes import backward_pass, forward_pass
from .validation import Samples


class Gradient:
    """``gradient(flat) -> (loss, slope)`` over all samples, penalties included.

    Parameters
    ----------
    model : Model
    samples : Samples
    """

    def __init__(self, model: Any, samples: Samples) -> None:
        self.model, self.samples = model, samples
        self.slots = [(layer, slot) for layer in model.layers for slot in slots_of(layer)]
        self.inputs = samples.X.astype(self.slots[0][0].dtype, copy=False)

    def parameters(self) -> Array:
        """Return the parameters as they are, one vector."""
        arrays = [getattr(layer, slot.name) for layer, slot in self.slots]
        return np.concatenate([array.ravel() for array in arrays], dtype=np.float64)

    def take(self, flat: Array) -> None:
        """Write a vector to the layers' arrays."""
        start = 0
        for layer, slot in self.slots:
            array = getattr(layer, slot.name)
            array[...] = flat[start : start + array.size].reshape(array.shape)
            start += array.size

    def __call__(self, flat: Array) -> tuple[float, Array]:
        """Return the loss and its gradient at `flat`."""
        self.take(flat)
        model, (_, _, targets, weight) = self.model, self.samples
        output = forward_pass(model.layers, self.inputs, True)
        total = total_loss(model.loss, output, targets_for(model.loss, output, targets), weight)
        count = float(len(output) if weight is None else weight.sum())
        backward_pass(model.layers, model.loss, output, targets, weight)
        model.loss.remember_trainable_layers(model.layers)
        penalty = float(model.loss.regularization_loss())
        slopes = [getattr(layer, slot.gradient) for layer, slot in self.slots]
        slope = np.concatenate([each.ravel() for each in slopes], dtype=np.float64)
        return total / count + penalty, slope
