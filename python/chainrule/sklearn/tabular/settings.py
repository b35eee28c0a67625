"""The tabular estimators' parameters, checked when a fit begins."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..settings import (
    Check,
    anything,
    batch_size,
    callbacks,
    count,
    number,
    one_of,
    or_none,
    positive,
    share,
    verbosity,
)
from .presets import PRESETS


def or_auto(check: Check) -> Check:
    """Return a check that lets "auto" pass."""

    def checked(value: Any, name: str) -> None:
        if isinstance(value, str):
            one_of("auto")(value, name)
        else:
            check(value, name)

    return checked


def categorical_features(value: Any, name: str) -> None:
    """Refuse any text but "from_dtype"; table.py knows which columns there are."""
    if isinstance(value, str):
        one_of("from_dtype")(value, name)
    elif value is not None and not hasattr(value, "__len__"):
        raise TypeError(
            f"{name}: expected 'from_dtype', None or a sequence of columns, got {value!r}"
        )


def held_share(value: Any, name: str) -> None:
    """Refuse what does not lie in (0, 1)."""
    if number(value, name, below=1.0) == 0:
        raise ValueError(f"{name}: expected a number above 0 and below 1, got {value!r}")


def quantiles(value: Any, name: str) -> None:
    """Refuse anything but ascending numbers between 0 and 1."""
    given = list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else None
    if not given:
        raise TypeError(f"{name}: expected None or a sequence of numbers, got {value!r}")
    for each in given:
        held_share(each, name)
    if any(low >= high for low, high in pairwise(given)):
        raise ValueError(f"{name}: expected them in ascending order, got {value!r}")


CHECKS: dict[str, Check] = {
    "preset": one_of(*PRESETS),
    "hidden_layer_sizes": anything,
    "activation": anything,
    "numeric_embedding": or_none(one_of("auto", "periodic")),
    "categorical_features": categorical_features,
    "max_onehot": count,
    "embedding_size": count,
    "metric": one_of("log_loss", "accuracy"),
    "label_smoothing": or_auto(share),
    "learning_rate": or_auto(positive),
    "epochs": count,
    "batch_size": batch_size,
    "dropout": or_auto(share),
    "weight_decay": or_auto(number),
    "ensemble": count,
    "combine": one_of("bag", "refit"),
    "validation_fraction": held_share,
    "class_weight": anything,
    "calibration": or_none(one_of("temperature")),
    "quantiles": or_none(quantiles),
    "random_state": anything,
    "n_threads": or_none(count),
    "callbacks": callbacks,
    "verbose": verbosity,
}


def or_usual(value: Any, usual: float) -> float:
    """Return a setting, or the usual value where it is "auto"."""
    return usual if isinstance(value, str) else float(value)
