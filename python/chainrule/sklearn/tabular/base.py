"""What the tabular classifier and regressor share: fits of one or several members."""

from __future__ import annotations

import copy
import numbers
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_y, check_consistent_length, check_is_fitted

from ...arrays import Array
from ...losses import Loss_CategoricalCrossentropy
from ..base import weights_of
from ..saved import Saved
from ..settings import check_each, hidden_sizes
from .ensemble import jobs_here, run_all
from .folds import Parts, parts_of
from .member import Member, Samples, train_member
from .net import Recipe
from .presets import PRESETS
from .settings import CHECKS, or_usual
from .table import Table, TableReader
from .watch import Watch

Held = tuple[Any, Any, Any]  # X_val, y_val, sample_weight_val

ROWS = 65536  # encoded at a time
LARGEST_SEED = 2**31 - 1
INTERRUPTED = "interrupted: the estimator has what was trained"


class HeldOut(NamedTuple):
    """Outputs of members for rows that they were not trained on; `rows` is None for X_val's."""

    outputs: Array
    rows: Array | None
    samples: Samples


class Split(NamedTuple):
    """What each member trains on and is validated with; copies are made when they are asked for.

    Either all of `samples` and `validation`, or `parts` of the samples.
    """

    samples: Samples
    validation: Samples | None
    parts: Parts | None

    def of_member(self, k: int) -> tuple[Samples, Samples]:
        """Return a member's samples, and those held out."""
        if self.parts is None:
            assert self.validation is not None
            return self.samples, self.validation
        kept, held = self.parts[k]
        return self.samples.rows(kept), self.samples.rows(held)

    def held_out(self, k: int, member: Member) -> HeldOut:
        """Return a member's outputs for the rows held out."""
        if self.parts is None:
            assert self.validation is not None
            return HeldOut(member.outputs(self.validation.table), None, self.validation)
        rows = self.parts[k][1]
        samples = self.samples.rows(rows)
        return HeldOut(member.outputs(samples.table), rows, samples)


class BaseTabular(Saved, BaseEstimator, ABC):  # type: ignore[misc]
    """Base of the tabular estimators; a subclass says what targets are and what outputs mean."""

    _classifies = False
    members_: list[Member]
    _reader: TableReader

    @abstractmethod
    def _see_targets(self, y: Any, first: bool) -> Array:
        """Learn or check what the targets may be; return them as nets take them, unscaled."""

    @abstractmethod
    def _recipe(self) -> Recipe:
        """Return what all nets of the fit have in common."""

    @abstractmethod
    def _learn(self, held_out: list[HeldOut], n: int) -> None:
        """Keep what the members' outputs for rows held out tell."""

    # --- fitting ----------------------------------------------------------------------------------

    def _train(self, X: Any, y: Any, sample_weight: Any, held: Held) -> None:
        """Do what `fit` does; a fit that fails changes nothing."""
        before = dict(self.__dict__)
        try:
            self._fit(X, y, sample_weight, held)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(self, X: Any, y: Any, sample_weight: Any, held: Held) -> None:
        check_each(self, CHECKS)
        y = self._checked_y(y)
        self._reader = TableReader(self.categorical_features)
        table = self._reader.fit(self, X)
        check_consistent_length(table.numbers, y)
        samples = Samples(
            table, self._see_targets(y, True), weights_of(sample_weight, table.numbers)
        )
        validation = self._given(held)
        seeds = self._seeds()
        labels = samples.targets if self._classifies else None
        recipe = self._recipe()
        parts: Parts | None = None
        if validation is None:
            count, fraction = self.ensemble, self.validation_fraction
            parts = parts_of(len(table), labels, count, fraction, seeds[0])
        runs = jobs_here(self.ensemble) * recipe.epochs * (2 if self.combine == "refit" else 1)
        watch = Watch(runs, [len(levels) for levels in self._reader.levels])
        try:
            self._train_members(recipe, Split(samples, validation, parts), seeds, watch)
        finally:
            watch.close()
        if watch.stopped:
            warnings.warn(f"{type(self).__name__}: {INTERRUPTED}", stacklevel=4)

    def _train_members(self, recipe: Recipe, split: Split, seeds: list[int], watch: Watch) -> None:
        """Train each member on its part; with combine="refit" once more on all rows."""
        jobs = [
            partial(self._member, k, recipe, partial(split.of_member, k), seed, watch)
            for k, seed in enumerate(seeds)
        ]
        found = run_all(jobs, watch, self.n_threads)
        places = [k for k, member in enumerate(found) if member is not None]
        members = [found[k] for k in places]
        self.seeds_ = [seeds[k] for k in places]
        self.best_epoch_ = np.array([member.best_epoch for member in members])
        self.validation_curve_ = curves_of(members, recipe.epochs)
        self._learn([split.held_out(k, found[k]) for k in places], len(split.samples.table))
        if self.combine == "refit" and not watch.stopped:
            members = self._refitted(recipe, split.samples, members, watch) or members
        self.members_ = members

    def _member(
        self,
        k: int,
        recipe: Recipe,
        rows: Callable[[], tuple[Samples, Samples | None]],
        seed: int,
        watch: Watch,
        last: int | None = None,
    ) -> Member:
        """Train one member; with several each has copies of the callbacks."""
        callbacks = list(self.callbacks)
        if self.ensemble > 1:
            callbacks = copy.deepcopy(callbacks)
        samples, held = rows()
        member = train_member(recipe, samples, held, seed, watch, callbacks, last)
        if self.verbose:
            value = "no validation"
            if len(member.curve):
                value = (
                    f"{recipe.metric.replace('_', ' ')} {member.curve[member.best_epoch - 1]:.6g}"
                )
            watch.say(
                f"member {k + 1} of {self.ensemble}: epoch {member.best_epoch} of "
                f"{recipe.epochs}, {value}"
            )
        return member

    def _refitted(
        self, recipe: Recipe, samples: Samples, members: list[Member], watch: Watch
    ) -> list[Member] | None:
        """Return nets trained on all rows up to the epoch that is best for the members' mean.

        None where an interrupt came.
        """
        length = min(len(member.curve) for member in members)  # callbacks may have stopped some
        curve = np.mean([member.curve[:length] for member in members], axis=0)
        best = last_best(curve, recipe.metric)
        jobs = [
            partial(self._member, k, recipe, lambda: (samples, None), seed, watch, best)
            for k, seed in enumerate(self.seeds_)
        ]
        found = run_all(jobs, watch, self.n_threads)
        if watch.stopped:
            return None
        self.best_epoch_ = np.full(len(found), best)
        return found

    def _checked_y(self, y: Any) -> Any:
        """Return targets as scikit-learn checks them."""
        name = type(self).__name__
        if y is None:
            raise ValueError(
                f"This {name} estimator requires y to be passed, but the target y is None."
            )
        check_cells(y, self._classifies)
        several = not self._classifies
        return _check_y(y, multi_output=several, y_numeric=several, estimator=self)

    def _given(self, held: Held) -> Samples | None:
        """Return the validation samples that `fit` was given, checked; None without any."""
        X, y, weight = held
        if X is None and y is None and weight is None:
            return None
        if X is None or y is None:
            raise ValueError("X_val: expected y_val with it, got one of them alone")
        if self.combine == "refit":
            raise ValueError(
                "X_val: expected none with combine='refit', which trains on all rows in the end"
            )
        table = self._reader.table(self, X, "X_val")
        y = self._checked_y(y)
        check_consistent_length(table.numbers, y)
        return Samples(table, self._see_targets(y, False), weights_of(weight, table.numbers))

    def _seeds(self) -> list[int]:
        """Return a seed a member: the first one is `random_state` where that is an int."""
        rng = check_random_state(self.random_state)
        seeds = [int(seed) for seed in rng.randint(LARGEST_SEED, size=self.ensemble)]
        if isinstance(self.random_state, numbers.Integral):
            seeds[0] = int(self.random_state)
        return seeds

    def _recipe_of(self, n_outputs: int, loss: Any, activation: str) -> Recipe:
        """Return the recipe: the preset's, where parameters are "auto"."""
        preset = PRESETS[self.preset]
        rates = preset.learning_rate
        automatic = isinstance(self.activation, str) and self.activation == "auto"
        metric = getattr(self, "metric", "log_loss")
        embedding = self.numeric_embedding
        return Recipe(
            sizes=hidden_sizes(self.hidden_layer_sizes),
            activation=activation if automatic else self.activation,
            n_outputs=n_outputs,
            loss=loss,
            learning_rate=or_usual(
                self.learning_rate, rates.classes if self._classifies else rates.values
            ),
            dropout=or_usual(self.dropout, preset.dropout),
            weight_decay=or_usual(self.weight_decay, preset.weight_decay),
            batch_size=None if isinstance(self.batch_size, str) else self.batch_size,
            epochs=self.epochs,
            metric="validation_accuracy" if metric == "accuracy" else "validation_loss",
            class_weight=None,
            periodic=preset.periodic if embedding == "auto" else embedding == "periodic",
            max_onehot=self.max_onehot if preset.embeds else None,
            embedding_size=self.embedding_size,
            parametric=preset.parametric,
            from_data=preset.from_data,
            shared=preset.shared,
        )

    # --- predictions ------------------------------------------------------------------------------

    def _tables(self, X: Any) -> Iterator[Table]:
        """Yield X, checked, some rows at a time."""
        check_is_fitted(self)
        for table in self._reader.tables(self, X):
            for start in range(0, len(table), ROWS):
                yield table.rows(slice(start, start + ROWS))

    def __sklearn_is_fitted__(self) -> bool:
        return "members_" in self.__dict__

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def curves_of(members: list[Member], epochs: int) -> Array:
    """Return the members' curves (k, epochs), NaN after their ends."""
    curves = np.full((len(members), epochs), np.nan)
    for row, member in zip(curves, members, strict=True):
        row[: len(member.curve)] = member.curve
    return curves


def last_best(curve: Array, metric: str) -> int:
    """Return the best epoch of a curve, from 1, the last of equal ones."""
    values = curve if metric == "validation_loss" else -curve
    return len(values) - int(np.argmin(values[::-1]))


def check_cells(y: Any, classifies: bool) -> None:
    """Refuse targets of objects or texts among which scikit-learn would not name the odd one.

    Raises
    ------
    ValueError
        Naming it and its place: a missing class, or a text for a number.
    """
    cells = np.asarray(y)
    if cells.dtype.kind not in ("OUS" if not classifies else "O") or cells.ndim != 1:
        return
    for place, cell in enumerate(cells.tolist()):
        missing = cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell
        if missing and classifies:
            raise ValueError(f"y: expected a class for each sample, got {cell!r} at index {place}")
        if not classifies and not missing:
            try:
                float(cell)
            except (TypeError, ValueError):
                raise ValueError(
                    f"y: expected numbers, got {cell!r} at index {place}; "
                    "for classes there is TabularClassifier"
                ) from None


def cross_entropy(smoothing: float) -> Any:
    """Return the classifier's loss."""
    return Loss_CategoricalCrossentropy(label_smoothing=smoothing)
