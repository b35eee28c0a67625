"""Methods that an estimator has only with some parameters: elsewhere they are no attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from sklearn.utils.metaestimators import available_if

Method = TypeVar("Method", bound=Callable[..., Any])


def is_stochastic(estimator: Any) -> bool:
    """Tell whether the solver goes step by step; an AttributeError says what it is otherwise."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit: expected solver='adam' or 'sgd', got 'lbfgs'")
    return True


def has_probabilities(estimator: Any) -> bool:
    """Tell whether outputs are probabilities; an AttributeError says what gives none."""
    if getattr(estimator, "out_activation_", "") == "identity":
        raise AttributeError(
            f"predict_proba: expected a loss with probabilities, got {estimator.loss!r}"
        )
    return True


def has_members(estimator: Any) -> bool:
    """Tell whether there are several members; an AttributeError says that there are none."""
    if estimator.ensemble < 2:
        raise AttributeError(f"predict_std: expected ensemble=2 or more, got {estimator.ensemble}")
    return True


def stochastic_only(method: Method) -> Method:
    """Let there be the method where the solver goes step by step."""
    return cast(Method, available_if(is_stochastic)(method))


def probabilistic_only(method: Method) -> Method:
    """Let there be the method where outputs are probabilities."""
    return cast(Method, available_if(has_probabilities)(method))


def with_members(method: Method) -> Method:
    """Let there be the method where there are several members."""
    return cast(Method, available_if(has_members)(method))
