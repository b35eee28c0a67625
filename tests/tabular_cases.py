"""Tables for the tests of the tabular estimators, and small estimators for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.sklearn import TabularClassifier, TabularRegressor

Array = NDArray[Any]

COLUMNS = ("length", "colour", "side", "flag", "count")


def cells(n: int = 240, seed: int = 0) -> dict[str, list[Any]]:
    """Return columns of numbers, words and truth values, some cells missing."""
    rng = np.random.default_rng(seed)
    length = rng.normal(size=n).tolist()
    side = rng.choice(["left", "right"], n).tolist()
    for row in range(0, n, 7):
        length[row] = None
    for row in range(0, n, 11):
        side[row] = None
    return {
        "length": length,
        "colour": rng.choice(["blue", "green", "red"], n).tolist(),
        "side": side,
        "flag": (rng.random(n) > 0.5).tolist(),
        "count": rng.integers(0, 9, n).tolist(),
    }


def frame(n: int = 240, seed: int = 0) -> Any:
    """Return them as a pandas frame; colours are a category."""
    import pandas as pd

    table = pd.DataFrame(cells(n, seed))
    table["length"] = table["length"].astype(float)
    return table.astype({"colour": "category"})


def objects(n: int = 240, seed: int = 0) -> Array:
    """Return them as an array of objects."""
    columns = cells(n, seed)
    table = np.empty((n, len(COLUMNS)), dtype=object)
    for place, name in enumerate(COLUMNS):
        table[:, place] = columns[name]
    return table


def labels(n: int = 240, seed: int = 0) -> Array:
    """Return labels that two columns of words decide together."""
    columns = cells(n, seed)
    pairs = zip(columns["colour"], columns["side"], strict=True)
    return np.array(["yes" if (a == "red") ^ (b == "left") else "no" for a, b in pairs])


def values(n: int = 240, seed: int = 0) -> Array:
    """Return values that numbers and words make together, far from 0."""
    columns = cells(n, seed)
    rows = zip(columns["length"], columns["colour"], columns["count"], strict=True)
    return np.array([1e4 + 50 * (a or 0) + 80 * (b == "red") + 9 * c for a, b, c in rows])


def classifier(**parameters: Any) -> TabularClassifier:
    """Return a small classifier."""
    return TabularClassifier(**{**SMALL, **parameters})


def regressor(**parameters: Any) -> TabularRegressor:
    """Return a small regressor."""
    return TabularRegressor(**{**SMALL, **parameters})


SMALL: dict[str, Any] = {
    "preset": "small",
    "hidden_layer_sizes": (16, 8),
    "epochs": 30,
    "random_state": 3,
}
