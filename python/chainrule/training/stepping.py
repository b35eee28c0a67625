"""One training step through the classes, with every array on the way kept.

It runs on a copy of the model, as `train` would with one batch of all samples, layer by layer:
forward, loss, backward, update. `Seen` is what one layer made of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..catalogue import Part
from ..layers.embedding import held_to_codes
from ..layers.parameters import slots_of
from ..losses.base import targets_for
from ..multipliers import shares_of
from ..optimizers import Optimizer
from ..shapes import takes_training
from .beginning import begin_steps, scheduled_dropouts
from .busy import parameter_lock
from .layer_step import LayerStep, parameters_of
from .layerwise import clip_gradients
from .meter import Meter
from .passes import joint_loss, learning, located, update_pass, weighted_rows
from .request import batch_of
from .samples import checked_samples
from .targets import model_dtype
from .weights import checked_weights

Nudge = Callable[[Any], Any]


def unchanged(array: Any) -> Any:
    """The nudge that does nothing."""
    return array


class Observer:
    """A copy of a model that makes steps in the open.

    Parameters
    ----------
    model : Model
        With a loss; it is left as it is. Without an optimizer there is no update.
    X, y : array_like
        One batch.
    sample_weight : array_like (n,), optional
    nudge : function
        Applied to every output, every `dinputs` and gradient as it comes: to see how far rounding
        moves what follows.
    clip_norm : float, optional
        As in `Model.train`; what is seen are the gradients before.

    Attributes
    ----------
    data_loss, penalty : float
        Of the last step, before its update.
    """

    def __init__(
        self,
        model: Any,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        nudge: Nudge = unchanged,
        clip_norm: float | None = None,
    ) -> None:
        self.model = copy_without_history(model)
        self.model._prepare(parts=("loss",))
        samples = checked_samples(self.model, X, y, finite=False)
        weight = checked_weights(sample_weight, len(samples[0]))
        dtype = model_dtype(self.model.layers)
        self.X, self.y, self.weight = batch_of((*samples, weight), slice(None), dtype)
        self.nudge = nudge
        self.clip_norm = clip_norm
        self.data_loss = self.penalty = float("nan")

    def steps(self, count: int) -> Iterator[list[LayerStep]]:
        """Make so many steps; yield what each layer saw in each of them."""
        if self.model.optimizer is not None:
            begin_steps(self.model, count)
        for number in range(count):
            self._set_dropped_shares(number / count)
            yield self._step()

    def loss(self) -> float:
        """Return data loss and penalties of a forward as the next step would make it."""
        self._set_dropped_shares(0.0)
        self._pass_forward()
        return self.data_loss + self.penalty

    def _pass_forward(self) -> tuple[list[LayerStep], Any]:
        seen = [LayerStep(layer, position) for position, layer in enumerate(self.model.layers, 1)]
        output = self._forward(seen)
        meter = Meter(self.model)
        self.data_loss = meter.add_loss(output, self.y, self.weight)
        self.penalty = meter.penalty()
        return seen, output

    def _step(self) -> list[LayerStep]:
        seen, output = self._pass_forward()
        self._backward(seen, output)
        if self.model.optimizer is not None:
            self._update(seen)
        return seen

    def _set_dropped_shares(self, share: float) -> None:
        """Tell dropouts with a schedule where the training stands; `share` where nobody knows."""
        dropouts, optimizer = scheduled_dropouts(self.model.layers), self.model.optimizer
        if dropouts and isinstance(optimizer, Optimizer):
            share = float(shares_of(optimizer, optimizer.iterations, 1)[0])
        for layer in dropouts:
            layer.training_share = share

    def _forward(self, seen: list[LayerStep]) -> Any:
        values = self.X
        for each in seen:
            if self.nudge is not unchanged:
                values = held_to_codes(each.layer, values)
            each.inputs, layer = values, each.layer
            with self._located(each):
                two = takes_training(getattr(type(layer), "forward", None))
                result = layer.forward(values, True) if two else layer.forward(values)
            values = layer.output if result is None else result
            if self.nudge is not unchanged:
                values = layer.output = self.nudge(values)
            each.output = values
        return values

    def _backward(self, seen: list[LayerStep], output: Any) -> None:
        loss, last = self.model.loss, seen[-1]
        joint = joint_loss(last.layer, loss)
        if joint is None:
            result = loss.backward(output, targets_for(loss, output, self.y))
            values = weighted_rows(loss.dinputs if result is None else result, self.weight)
        else:
            values = weighted_rows(loss.joint_backward(joint, output, self.y), self.weight)
            values = last.dinputs = last.layer.dinputs = self.nudge(values)
        for each in reversed(seen if joint is None else seen[:-1]):
            each.dvalues, layer = values, each.layer
            with self._located(each):
                result = layer.backward(values)
            values = self.nudge(layer.dinputs if result is None else result)
            each.dinputs = values
            for slot in slots_of(layer):
                gradient = getattr(layer, slot.gradient, None)
                if gradient is not None:
                    gradient = self.nudge(gradient)
                    setattr(layer, slot.gradient, gradient)
                    each.gradients[slot.name] = gradient

    def _update(self, seen: list[LayerStep]) -> None:
        learners = learning(self.model.trainable_layers)
        for each in seen:
            each.before = parameters_of(each.layer)
        if self.clip_norm is not None:
            clip_gradients(learners, self.clip_norm)
        update_pass(self.model.optimizer, learners)
        ids = {id(layer) for layer in learners}
        for each in seen:
            if id(each.layer) in ids:
                each.after = parameters_of(each.layer)

    @contextmanager
    def _located(self, each: LayerStep) -> Iterator[None]:
        """Say in an error of a layer of the package where it stands."""
        try:
            yield
        except (TypeError, ValueError) as error:
            if not isinstance(each.layer, Part):
                raise
            raise located(error, self.model.layers, each.position) from None


def copy_without_history(model: Any) -> Any:
    """Return a deep copy of a model as of one moment; its history stays behind."""
    with parameter_lock(model):
        twin = copy.deepcopy(model, {id(model.history): None})
    return twin
