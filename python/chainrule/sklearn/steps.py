"""The short way of `partial_fit`: few rows, one step, by a plan that is kept between calls.

Rows and targets are copied to buffers that the plan gathers from. Parameters and the optimizer's
arrays are read from the layers before each step and written back after it, so that nothing can tell
the two ways apart. What is not plain (frames, weights, several batches, callbacks, printing) goes
the long way, and so does all that would have to be refused.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..arrays import Array
from ..runtime import threads_limited_to
from ..training.loop import runner_for
from ..training.plan_runner import PlanRunner
from ..training.request import Objective, TrainingRequest
from .construction import fits, set_alpha
from .epochs import nonfinite_error, record_epoch
from .inputs import is_plain
from .scoring import usual_accuracy
from .settings import stops_early
from .stopping import LossRule

MOST_ROWS = 64
ENDLESS = 2**62  # epochs
LOSS = 0  # the first column of a history
PLAIN = frozenset((bool, int, float, str))
# Parameters that a kept plan was made with, or that send calls the long way
WATCHED = (
    "alpha", "batch_size", "callbacks", "class_weight", "clip_norm", "early_stopping",
    "learning_rate", "loss", "n_iter_no_change", "n_threads", "optimizer", "random_state",
    "schedule", "shuffle", "solver", "tol", "verbose", "warm_start",
)  # fmt: skip


def settings_of(estimator: Any) -> tuple[Any, ...]:
    """Return the parameters that are watched."""
    state = estimator.__dict__
    return tuple([state.get(name) for name in WATCHED])


def numbers_of(model: Any) -> list[Any]:
    """Return what layers hold beside arrays: sizes, strengths, rates, whether they learn."""
    return [
        value for layer in model.layers for value in vars(layer).values() if type(value) in PLAIN
    ]


class KeptSteps:
    """A plan for one step over so many rows, and what it was made for.

    Parameters
    ----------
    estimator : object
        Fitted; its last call went the long way, so that its parameters have been checked.
    rows : int
    dtype : dtype
        Of the samples.
    """

    def __init__(self, estimator: Any, rows: int, dtype: np.dtype[Any]) -> None:
        self.model, self.rows, self.dtype = estimator.model_, rows, dtype
        self.optimizer = self.model.optimizer
        self.settings = settings_of(estimator)
        self.rule = LossRule(estimator)
        self.runner = self._runner(estimator) if is_simple(estimator, rows) else None
        self.layers = numbers_of(self.model)

    def _runner(self, estimator: Any) -> PlanRunner | None:
        """Return a runner that has a plan; None where the net is trained layer by layer."""
        head, n_inputs = estimator._head, estimator.n_features_in_
        dtype = estimator._dense_layers()[0].dtype
        self.X = np.zeros((self.rows, n_inputs), dtype=self.dtype)
        width = getattr(estimator, "_n_columns", head.n_outputs)
        self.y = (
            np.zeros(self.rows, dtype=np.int64)
            if head.labels
            else np.zeros((self.rows, width), dtype=dtype)
        )
        set_alpha(self.model, estimator.alpha)
        self.model.accuracy = None
        request = TrainingRequest(
            X=self.X,
            y=self.y,
            epochs=ENDLESS,
            batch_size=self.rows,
            on_nonfinite="stop",
            clip_norm=estimator.clip_norm,
            objective=Objective(head.loss_factor, of_batch=True),
            dtype=dtype,
        )
        runner = runner_for(self.model, request)
        self.model.accuracy = usual_accuracy(estimator)
        if not isinstance(runner, PlanRunner):
            return None
        runner.gather_always()
        return runner

    def serves(self, estimator: Any, X: Any) -> bool:
        """Tell whether this plan is still the one for such samples."""
        return (
            estimator.model_ is self.model
            and self.model.optimizer is self.optimizer
            and X.shape[0] == self.rows
            and X.dtype == self.dtype
            and settings_of(estimator) == self.settings
            and numbers_of(self.model) == self.layers
        )

    def step(self, estimator: Any, X: Array, targets: Array) -> None:
        """Do the step and record it.

        Raises
        ------
        ValueError
            The loss is not finite; nothing has changed then.
        """
        runner = self.runner
        assert runner is not None
        with self.model._used_by("partial_fit", alone=True):
            self.X[...] = X
            self.y[...] = targets
            runner.load_again()
            with threads_limited_to(estimator.n_threads):
                runner.run(1, math.inf)
            _, columns = runner.take_epochs()
            if runner.nonfinite is not None:
                estimator.__dict__.pop("_steps")
                raise nonfinite_error(1, 0)
            runner.write_back()
            self.layers = numbers_of(self.model)
        loss = columns[LOSS]
        estimator.n_iter_ = 0
        record_epoch(
            estimator,
            self.optimizer,
            self.rule,
            loss if isinstance(loss, float) else float(loss[-1]),
            self.rows,
        )


def is_simple(estimator: Any, rows: int) -> bool:
    """Tell whether a step over so many rows is all that a call of `partial_fit` is."""
    alone = isinstance(estimator.random_state, numbers.Integral) or not estimator.shuffle
    one_batch = estimator.batch_size == "auto" or estimator.batch_size == rows
    return bool(
        one_batch
        and (alone or rows == 1)
        and estimator.solver != "lbfgs"
        and not stops_early(estimator)
        and getattr(estimator, "class_weight", None) is None
        and not estimator.callbacks
        and not estimator.verbose
        and not getattr(estimator, "_skl_callbacks", None)
        and estimator.loss != "poisson"
        and estimator.schedule is None
        and estimator.model_.optimizer is not None
        and fits(estimator.model_.optimizer, estimator)
        and "loss_curve_" in estimator.__dict__
        and estimator.best_loss_ is not None
    )


def quick_samples(estimator: Any, X: Any) -> bool:
    """Tell whether X can go the short way: a few plain rows, for a net fitted without names."""
    state = estimator.__dict__
    return (
        "model_" in state
        and "feature_names_in_" not in state
        and is_plain(X, state["n_features_in_"])
        and len(X) <= MOST_ROWS
    )


def step_quickly(estimator: Any, X: Any, y: Any) -> bool:
    """Do what `partial_fit` does the short way; False where nothing was done."""
    if not quick_samples(estimator, X):
        return False
    kept = estimator.__dict__.get("_steps")
    if kept is None or not kept.serves(estimator, X):
        # settings may be new: the long way checks them, and a plan serves from the next call on
        estimator._steps = None
        return False
    if kept.runner is None:
        return False
    targets = estimator._quick_targets(y, len(X))
    if targets is None:
        return False
    kept.step(estimator, X, targets)
    return True


def keep_steps(estimator: Any, X: Any) -> None:
    """Keep a plan after a call that went the long way, for calls like it."""
    if quick_samples(estimator, X) and estimator.__dict__.get("_steps") is None:
        estimator._steps = KeptSteps(estimator, len(X), X.dtype)
