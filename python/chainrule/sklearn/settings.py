"""The estimators' parameters, checked when a fit begins; constructors keep what they are given."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arrays import as_count, as_number
from ..optimizers import Optimizer
from ..training.arguments import checked_callbacks

SOLVERS = ("adam", "sgd", "lbfgs")
RATES = ("constant", "invscaling", "adaptive")
DTYPES = ("auto", "float32", "float64")

Check = Callable[[Any, str], object]


def one_of(*values: str) -> Check:
    """Return a check for some texts."""

    def check(value: Any, name: str) -> None:
        if not isinstance(value, str) or value not in values:
            expected = ", ".join(map(repr, values))
            raise ValueError(f"{name}: expected one of {expected}, got {value!r}")

    return check


def flag(value: Any, name: str) -> None:
    """Refuse anything but True and False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {value!r}")


def number(value: Any, name: str, **bounds: float) -> float:
    """Refuse anything but a real number within bounds; a bool is none."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    return as_number(value, name, **bounds)


def not_negative(value: Any, name: str) -> None:
    """Refuse numbers below 0."""
    number(value, name)


def positive(value: Any, name: str) -> None:
    """Refuse numbers that are not above 0."""
    if number(value, name) == 0:
        raise ValueError(f"{name}: expected a number above 0, got 0")


def share(value: Any, name: str) -> None:
    """Refuse what does not lie in [0, 1)."""
    number(value, name, below=1.0)


def momentum(value: Any, name: str) -> None:
    """Refuse what does not lie in [0, 1]."""
    if number(value, name) > 1:
        raise ValueError(f"{name}: expected a number from 0 to 1, got {value!r}")


def count(value: Any, name: str) -> None:
    """Refuse anything but an int of at least 1."""
    as_count(value, name, 1)


def patience(value: Any, name: str) -> None:
    """Refuse anything but an int of at least 1, or infinity."""
    if not (isinstance(value, float) and value == math.inf):
        as_count(value, name, 1)


def batch_size(value: Any, name: str) -> None:
    """Refuse anything but "auto" and an int of at least 1."""
    if isinstance(value, str):
        one_of("auto")(value, name)
    else:
        as_count(value, name, 1)


def verbosity(value: Any, name: str) -> None:
    """Refuse anything but a bool and an int of at least 0."""
    if not isinstance(value, bool | np.bool_):
        as_count(value, name, 0)


def early_stopping(value: Any, name: str) -> None:
    """Refuse anything but a bool, a scorer's name and a scorer."""
    if not isinstance(value, bool | np.bool_ | str) and not callable(value):
        raise TypeError(f"{name}: expected True, False, a scorer's name or a scorer, got {value!r}")


def loss(value: Any, name: str) -> None:
    """Refuse what is no name and no loss; heads.py knows which fit."""
    if isinstance(value, str):
        return
    if isinstance(value, tuple | list | int):
        raise TypeError(
            f"{name}: expected a name or a loss, got {value!r}; the layers' sizes are the second "
            f"argument: hidden_layer_sizes={value!r}"
        )
    if isinstance(value, type) or not all(hasattr(value, each) for each in ("forward", "backward")):
        raise TypeError(f"{name}: expected a name or a loss, got {value!r}")


def optimizer(value: Any, name: str) -> None:
    """Refuse what is neither None nor one of the package's optimizers."""
    if value is not None and not isinstance(value, Optimizer):
        raise TypeError(f"{name}: expected None or an optimizer of chainrule, got {value!r}")


def callbacks(value: Any, name: str) -> None:
    """Refuse what are no callbacks."""
    checked_callbacks(value)


def or_none(check: Check) -> Check:
    """Return a check that lets None pass."""
    return lambda value, name: None if value is None else check(value, name)


def anything(value: Any, name: str) -> None:
    """Let it pass: it is checked where it is used, with what it must fit."""


CHECKS: dict[str, Check] = {
    "hidden_layer_sizes": anything,
    "activation": anything,
    "loss": loss,
    "solver": one_of(*SOLVERS),
    "alpha": not_negative,
    "batch_size": batch_size,
    "learning_rate": one_of(*RATES),
    "learning_rate_init": positive,
    "power_t": not_negative,
    "max_iter": count,
    "shuffle": flag,
    "random_state": anything,
    "tol": not_negative,
    "verbose": verbosity,
    "warm_start": flag,
    "momentum": momentum,
    "nesterovs_momentum": flag,
    "early_stopping": early_stopping,
    "validation_fraction": share,
    "beta_1": share,
    "beta_2": share,
    "epsilon": positive,
    "n_iter_no_change": patience,
    "max_fun": count,
    "class_weight": anything,
    "dropout": anything,
    "optimizer": optimizer,
    "schedule": anything,
    "clip_norm": or_none(positive),
    "dtype": one_of(*DTYPES),
    "callbacks": callbacks,
    "n_threads": or_none(count),
}


def keep_parameters(estimator: Any, given: dict[str, Any]) -> None:
    """Keep a constructor's arguments as they came, as scikit-learn wants it; `given`: locals()."""
    names = (name for name in given if name not in ("self", "__class__"))
    vars(estimator).update({name: given[name] for name in names})


def check_each(estimator: Any, checks: Mapping[str, Check]) -> None:
    """Refuse parameters of the wrong type or outside their range.

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, what was expected and what came.
    """
    for name, check in checks.items():
        if name in vars(estimator):
            check(getattr(estimator, name), name)


def check_parameters(estimator: Any) -> None:
    """Refuse parameters that are none, or that do not go together."""
    check_each(estimator, CHECKS)
    if estimator.solver == "lbfgs":
        check_quasi_newton(estimator)


def check_quasi_newton(estimator: Any) -> None:
    """Refuse what L-BFGS has no use for, where it would change what is minimised."""
    if np.any(np.asarray(estimator.dropout, dtype=float) > 0):
        raise ValueError("dropout: expected 0 with solver='lbfgs', whose loss must stay the same")
    for name in ("optimizer", "schedule", "clip_norm"):
        if getattr(estimator, name) is not None:
            raise ValueError(f"{name}: expected None with solver='lbfgs', got one")


def stops_early(estimator: Any) -> bool:
    """Tell whether a fit is stopped by a validation score."""
    value = estimator.early_stopping
    return bool(value) if isinstance(value, bool | np.bool_) else True


def hidden_sizes(sizes: Any) -> list[int]:
    """Return the sizes of the hidden layers; one int is one layer.

    Raises
    ------
    TypeError, ValueError
        A size that is no int of at least 1.
    """
    found = list(sizes) if hasattr(sizes, "__iter__") and not isinstance(sizes, str) else [sizes]
    name = "hidden_layer_sizes"
    return [as_count(size, f"{name}[{k}]", 1) for k, size in enumerate(found)]
