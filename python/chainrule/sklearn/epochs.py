"""A fit by stochastic steps: the estimator's epochs, run by a plan or by the classes.

A request and a runner are those of `Model.train`; the loop is the estimators' own, since what is
due between epochs is scikit-learn's: loss curves, rules of convergence, a rate that changes.
"""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..arrays import Array
from ..history import COLUMNS, History, same
from ..training.arguments import checked_callbacks
from ..training.interrupts import Interrupts
from ..training.loop import STRETCH, has_hook, runner_for
from ..training.request import Objective, Runner, TrainingRequest
from . import stopping
from .construction import set_alpha
from .heads import Head, poisson_remainder
from .scikit_callbacks import Reporter
from .scoring import VALIDATION_LOSS, counts_hits, scorer_for, usual_accuracy
from .settings import stops_early
from .validation import Orders, Samples

LOSS = COLUMNS.index("loss")
INTERRUPTED = "interrupted: the estimator has the parameters of the last whole step"


def batch_size_for(estimator: Any, n: int) -> int:
    """Return the samples of a batch: 200 or all, if "auto"; at most all, with a warning."""
    if isinstance(estimator.batch_size, str):
        return min(200, n)
    if estimator.batch_size > n:
        warnings.warn(
            f"batch_size: expected at most the {n} samples there are, got "
            f"{estimator.batch_size}; all are one batch",
            stacklevel=4,
        )
    return min(int(estimator.batch_size), n)


class Epochs:
    """What the epochs of a fit recorded: the last one at hand, a history brought up late."""

    def __init__(self) -> None:
        self.history = History()
        self._waiting: list[Any] = []  # columns of one epoch each

    def add(self, runner: Runner) -> None:
        """Take the epoch that has just ended."""
        _, self._columns = runner.take_epochs()
        self._waiting.append(self._columns)

    def last(self, column: int) -> float:
        """Return a value of the epoch that was added last."""
        value = self._columns[column]
        return value if isinstance(value, float) else float(value[-1])

    def flush(self) -> None:
        """Bring the history up to date."""
        columns = [joined(values) for values in zip(*self._waiting, strict=True)]
        self.history.extend(len(self._waiting), columns)
        self._waiting.clear()


def joined(values: tuple[Any, ...]) -> Any:
    """Return a column's values of several epochs as `History.extend` takes them."""
    if isinstance(values[0], float) and all(same(values[0], each) for each in values):
        return values[0]
    return np.array([each if isinstance(each, float) else each.item() for each in values])


class Fit:
    """One call of `fit` or `partial_fit`.

    Parameters
    ----------
    estimator : object
        With `model_`, `head` and an optimizer.
    samples, validation : Samples
        The second may be None.
    epochs : int
    rng : RandomState
    """

    def __init__(
        self,
        estimator: Any,
        head: Head,
        samples: Samples,
        validation: Samples | None,
        epochs: int,
        rng: np.random.RandomState,
    ) -> None:
        self.estimator, self.model = estimator, estimator.model_
        self.head, self.samples, self.validation = head, samples, validation
        self.epochs = Epochs()
        n = len(samples.X)
        size = batch_size_for(estimator, n)
        # one batch is the same in any order, but for rounding; a generator of its own tells nobody
        shuffles = size < n or not isinstance(estimator.random_state, numbers.Integral)
        self.orders = Orders(rng) if estimator.shuffle and shuffles else None
        held = None
        if validation is not None:
            held = (validation.X, validation.targets, validation.weight)
        self.request = TrainingRequest(
            X=samples.X,
            y=samples.targets,
            epochs=epochs,
            batch_size=size,
            shuffle=self.orders is not None,
            generator=self.orders,  # type: ignore[arg-type]
            validation=held,
            validation_batch_size=0 if validation is None else len(validation.X),
            sample_weight=samples.weight,
            on_nonfinite="stop",
            clip_norm=estimator.clip_norm,
            objective=Objective(head.loss_factor, of_batch=True),
            dtype=samples.X.dtype,
        )
        self.callbacks = checked_callbacks(estimator.callbacks)
        self.hooks = [each for each in self.callbacks if has_hook(each)]
        self.remainder = None
        if estimator.loss == "poisson" and not estimator._classifies:
            self.remainder = poisson_remainder(samples.targets)

    def run(self, reporter: Reporter) -> None:
        """Train; an interrupt warns and ends the fit, and so does what has converged.

        Raises
        ------
        ValueError
            The loss, or a parameter, is not finite.
        """
        estimator, model = self.estimator, self.model
        set_alpha(model, estimator.alpha)
        counted = counts_hits(estimator, self.validation)
        model.accuracy = usual_accuracy(estimator) if counted else None
        estimator.n_iter_ = 0
        with model._used_by("train", alone=True):
            model._prepare(parts=("loss", "optimizer"))
            model.history, model.stop_training = self.epochs.history, False
            for callback in self.callbacks:
                callback.model = model
            runner = runner_for(model, self.request)
            rule = self.rule(runner)
            try:
                with Interrupts() as interrupts:
                    self.call("on_train_begin", interrupts)
                    if self.callbacks:
                        runner.read_back()
                    self.run_epochs(runner, rule, reporter, interrupts)
                    runner.write_back()
                    self.call("on_train_end", interrupts)
            except KeyboardInterrupt:
                warnings.warn(f"{type(estimator).__name__}: {INTERRUPTED}", stacklevel=4)
            finally:
                runner.write_back()
                diverged = runner.nonfinite
                runner.close()
                self.epochs.flush()
            rule.finish()
            model.accuracy = usual_accuracy(estimator)
        if diverged is not None:
            raise nonfinite_error(*diverged)

    def rule(self, runner: Runner) -> Any:
        """Return the rule of convergence."""
        if self.validation is None or not stops_early(self.estimator):
            return stopping.LossRule(self.estimator)
        self.estimator._trusted = self.validation.X
        score = scorer_for(
            self.estimator, self.head, self.validation, self.epochs, runner.write_back
        )
        return stopping.ScoreRule(self.estimator, score, runner.write_back)

    def call(self, hook: str, interrupts: Interrupts) -> None:
        """Call a method of the callbacks that have it."""
        for callback in self.callbacks:
            if hasattr(callback, hook):
                with interrupts.at_once():
                    getattr(callback, hook)()

    def run_epochs(
        self, runner: Runner, rule: Any, reporter: Reporter, interrupts: Interrupts
    ) -> None:
        """Run whole epochs until the last, the rule's end, a callback's or a loss that is NaN."""
        estimator, steps = self.estimator, self.request.steps
        while not runner.done:
            runner.run(steps - runner.step, STRETCH)
            if runner.nonfinite is not None:
                return
            interrupts.answer()
            if runner.step:
                continue
            self.epochs.add(runner)
            stops = self.end_epoch(runner, rule)
            if self.hooks or reporter.active:
                stops = self.tell(runner, reporter, interrupts) or stops
            if stops:
                runner.stop()
            elif runner.done and not estimator._incremental:
                warnings.warn(
                    f"{type(estimator).__name__}: max_iter={estimator.max_iter} epochs were done "
                    "and the optimization has not converged yet",
                    ConvergenceWarning,
                    stacklevel=5,
                )

    def end_epoch(self, runner: Runner, rule: Any) -> bool:
        """Record the epoch; tell whether the rule ends the fit here."""
        estimator = self.estimator
        loss = self.epochs.last(LOSS)
        if self.remainder is not None:
            loss += self.mean_remainder()
        if self.validation is not None:
            estimator.validation_loss_curve_.append(self.epochs.last(VALIDATION_LOSS))
        optimizer = self.model.optimizer
        rate = optimizer.learning_rate
        over = record_epoch(estimator, optimizer, rule, loss, len(self.samples.X))
        if rate != optimizer.learning_rate:
            runner.read_rate()
        return over

    def mean_remainder(self) -> float:
        """Return the mean over the epoch's batches, by their samples, of what the loss lacks."""
        values, weight = self.remainder, self.samples.weight
        assert values is not None
        if weight is None:
            return float(values.mean())
        order: Any = slice(None) if self.orders is None else self.orders.order
        starts = np.arange(0, len(values), self.request.batch_size)
        sums = np.add.reduceat((weight * values)[order], starts)
        means = sums / np.add.reduceat(weight[order], starts)
        rows = np.diff(np.append(starts, len(values)))
        return float((means * rows).sum() / len(values))

    def tell(self, runner: Runner, reporter: Reporter, interrupts: Interrupts) -> bool:
        """Run the callbacks; tell whether one of them ends the fit."""
        runner.write_back()
        self.epochs.flush()
        history = self.epochs.history
        with interrupts.at_once():
            for hook in self.hooks:
                hook.on_epoch_end(len(history), history.epoch(len(history)))
            stops = reporter.epoch_ended(self.estimator)
        if self.hooks:
            runner.read_back()
        return bool(stops or self.model.stop_training)


def record_epoch(estimator: Any, optimizer: Any, rule: Any, loss: float, n: int) -> bool:
    """Count an epoch of n samples, set the next one's rate; tell whether the rule ends the fit."""
    estimator.n_iter_ += 1
    estimator.t_ += n
    estimator.loss_ = loss
    estimator.loss_curve_.append(loss)
    if estimator.verbose:
        print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
    rule.look(loss)
    if estimator.learning_rate == "invscaling" and estimator.solver == "sgd":
        if estimator.optimizer is None:
            scale = (estimator.t_ + 1) ** estimator.power_t
            optimizer.learning_rate = float(estimator.learning_rate_init) / scale
    return stopping.is_over(estimator, optimizer)


def nonfinite_error(epoch: int, step: int) -> ValueError:
    """Return what a fit raises whose loss has grown beyond all bounds."""
    return ValueError(
        f"Solver produced non-finite parameter weights: epoch {epoch}, step {step}; "
        "expected samples of a moderate size, scale them first"
    )


def all_finite(arrays: list[Array]) -> bool:
    """Tell whether no parameter is NaN or infinite."""
    return all(math.isfinite(float(array.sum(dtype=np.float64))) for array in arrays)
