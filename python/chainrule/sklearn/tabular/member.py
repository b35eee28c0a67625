"""One net: its encoding, its training, and what is kept for predictions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...arrays import Array
from ...callbacks import Callback
from ...losses import Loss_MeanSquaredError
from ...model import Model
from ...training.evaluation import evaluate
from ..base import combined
from .encoding import Encoding
from .ensemble import common_communicator
from .net import Recipe, folded, new_net
from .shared import mean_outputs
from .table import Table
from .units import Units
from .watch import Watch

EVALUATED = 4096  # rows at a time


class Samples(NamedTuple):
    """Samples of a fit: a table, targets as nets take them, weights or None."""

    table: Table
    targets: Array
    weight: Array | None

    def rows(self, places: Array) -> Samples:
        """Return some of the samples."""
        weight = None if self.weight is None else self.weight[places]
        return Samples(self.table.rows(places), self.targets[places], weight)


class Member(NamedTuple):
    """A trained net.

    Attributes
    ----------
    encoding : Encoding
    models : list of Model
        One net, or those that share their weights, from the encoding's inputs to logits, or to
        standardised values. The member's prediction is their mean.
    units : Units or None
        Those of a regression's target.
    best_epoch : int
        The epoch, from 1, whose parameters these are.
    curve : ndarray (epochs,)
        The metric of the validation rows after each epoch, in its units; empty without any.
    """

    encoding: Encoding
    models: list[Model]
    units: Units | None
    best_epoch: int
    curve: Array

    def outputs(self, table: Table) -> Array:
        """Return logits (n, K), or values (n, m) in the target's units, in float64."""
        X = self.encoding(table)
        each = [model.predict(X).astype(np.float64) for model in self.models]
        outputs = mean_outputs(each, self.units is None)
        return outputs if self.units is None else self.units.restored(outputs)


class Epochs(Callback):
    """Between a net's epochs: the curve where the plan has none, the bar, an early end."""

    def __init__(self, watch: Watch, last: int, held: Any) -> None:
        self.watch, self.last, self.held = watch, last, held
        self.curve: list[float] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Count the epoch."""
        if self.held is not None:
            loss = self.model.loss.without_smoothing()
            X, y, weight = self.held
            found = evaluate(self.model, X, y, weight, EVALUATED, loss=loss)
            self.curve.append(found.loss)
        if self.watch.epoch_ended() or epoch >= self.last:
            self.model.stop_training = True


def train_member(
    recipe: Recipe,
    samples: Samples,
    held: Samples | None,
    seed: int,
    watch: Watch,
    callbacks: list[Any],
    last: int | None = None,
) -> Member:
    """Return a net that was trained on samples and has its best epoch's parameters.

    Parameters
    ----------
    held : Samples, optional
        Choose the epoch; without them it is the last.
    last : int, optional
        The epoch to end after; rates go as if there were all.
    """
    rng = np.random.default_rng(seed)
    encoding = Encoding(samples.table, watch.n_levels, recipe.max_onehot)
    X = encoding(samples.table)
    factors = class_factors(recipe, samples.targets)
    weight = weighted(samples.weight, factors, samples.targets)
    units = None if recipe.classifies else Units.of(samples.targets, weight)
    validation = None
    if held is not None:
        held_weight = weighted(held.weight, factors, held.targets)
        validation = (encoding(held.table), as_trained(held.targets, units), held_weight)
    model = new_net(recipe, encoding.columns, rng, X)
    other = model.loss.without_smoothing() is not model.loss  # than the one that is trained on
    looks = validation if other and recipe.metric == "validation_loss" else None
    epochs = Epochs(watch, recipe.epochs if last is None else last, looks)
    try:
        model.train(
            X,
            as_trained(samples.targets, units),
            epochs=recipe.epochs,
            batch_size=min(recipe.batch_size or 256, len(X)),
            drop_last=True,
            shuffle=True,
            rng=rng,
            progress=False,
            check_finite=False,
            sample_weight=weight,
            validation_data=validation,
            best_epoch=None if validation is None else recipe.metric,
            callbacks=[*callbacks, epochs],
            comm=common_communicator(),
        )
    except KeyboardInterrupt:
        if model.history is None:  # nothing has begun
            raise
        watch.stop()
    history = model.history
    assert history is not None
    curve = np.array(epochs.curve if looks is not None else history[recipe.metric])
    curve = curve[:0] if validation is None else in_units(curve, recipe, units)
    best = history.best_epoch
    return Member(encoding, folded(model), units, len(history) if best is None else best, curve)


def as_trained(targets: Array, units: Units | None) -> Array:
    """Return labels as they are, values standardised."""
    return targets if units is None else units.standardised(targets)


def in_units(curve: Array, recipe: Recipe, units: Units | None) -> Array:
    """Return a curve of a regression as roots of squared errors, or pinball losses.

    In the target's units where it is one column, else in standard deviations.
    """
    if units is None:
        return curve
    roots = np.sqrt(curve) if isinstance(recipe.loss, Loss_MeanSquaredError) else curve
    return roots * units.std[0] if len(units.std) == 1 else roots


def class_factors(recipe: Recipe, labels: Array) -> Array | None:
    """Return each class's weight (K,); balanced: ``n / (K count)``, K the classes there are."""
    if recipe.class_weight is None:
        return None
    if not isinstance(recipe.class_weight, str):
        given: Array = recipe.class_weight
        return given
    counts = np.bincount(labels, minlength=recipe.n_outputs)
    present = counts > 0
    factors = np.ones(recipe.n_outputs)
    factors[present] = len(labels) / (present.sum() * counts[present])
    return factors


def weighted(weight: Array | None, factors: Array | None, labels: Array) -> Array | None:
    """Return samples' weights times those of their classes."""
    return weight if factors is None else combined(weight, factors[labels])
