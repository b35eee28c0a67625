"""scikit-learn's callbacks (`sklearn.callback`, from 1.9 on): each epoch is a task of the fit.

Where scikit-learn has none, the estimators have no `set_callbacks`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar, cast

try:
    from sklearn import callback as scikit
except ImportError:  # before 1.9
    scikit = None

__all__ = ["Reporter", "Supporting", "told"]


class NoCallbacks:
    """Stands where scikit-learn has no callbacks."""


Supporting: Any = NoCallbacks if scikit is None else scikit.CallbackSupportMixin
Method = TypeVar("Method", bound=Callable[..., Any])


def told(method: Method) -> Method:
    """Let a fit close the callbacks that it has opened, however it ends."""
    return method if scikit is None else cast(Method, scikit.with_callbacks(method))


class Reporter:
    """Tells scikit-learn's callbacks of a fit what happens; does nothing where there are none."""

    def __init__(self, estimator: Any, samples: dict[str, Any], epochs: int) -> None:
        self.active = bool(getattr(estimator, "_skl_callbacks", None))
        self.samples = samples
        if not self.active:
            return
        self.context = estimator._init_callback_context(max_subtasks=epochs)
        self.context.call_on_fit_task_begin(estimator=estimator, **samples)
        self.begin_epoch(estimator)

    def begin_epoch(self, estimator: Any) -> None:
        """Open the next epoch's task."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=estimator, **self.samples)

    def epoch_ended(self, estimator: Any) -> bool:
        """Close the epoch's task; return whether a callback ends the fit."""
        if not self.active:
            return False
        fitted = fitted_attributes(estimator)
        stops = self.epoch.call_on_fit_task_end(
            estimator=estimator, **self.samples, reconstruction_attributes=fitted
        )
        if not stops and estimator.n_iter_ < estimator.max_iter:
            self.begin_epoch(estimator)
        return bool(stops)

    def finish(self, estimator: Any) -> None:
        """Close the fit's task."""
        if self.active:
            fitted = fitted_attributes(estimator)
            self.context.call_on_fit_task_end(
                estimator=estimator, **self.samples, reconstruction_attributes=fitted
            )


def fitted_attributes(estimator: Any) -> dict[str, Any]:
    """Return what a copy of the estimator needs to predict as this one does now."""
    names = ("_labels", "_head", "classes_", "n_outputs_", "out_activation_", "n_layers_")
    found = {name: getattr(estimator, name) for name in names if hasattr(estimator, name)}
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            found[name] = getattr(estimator, name)
    return {**found, "model_": copy.deepcopy(estimator.model_)}
