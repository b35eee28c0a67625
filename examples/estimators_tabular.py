"""A table as it comes: texts, categories, truth values and missing cells, without a pipeline.

Five members of an ensemble, each with another part of the rows held out: what they say of those
rows is an honest estimate, and one temperature makes their probabilities fit it. A regressor gives
the range in which four of five prices lie.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import log_loss

from chainrule.sklearn import TabularClassifier, TabularRegressor

NAMES = ("area", "rooms", "quarter", "heating", "garden")
QUARTERS = ("centre", "harbour", "hill", "north", "south")
SMALL: dict[str, Any] = {"hidden_layer_sizes": (32, 32), "epochs": 100, "random_state": 0}


def flats(n: int, seed: int) -> tuple[Any, Any, Any]:
    """Return a table of flats, their prices, and whether each is sold within a month.

    A frame of pandas or polars would do as well; this is an array of objects, None is missing.
    """
    rng = np.random.default_rng(seed)
    area, rooms = rng.gamma(9, 9, n), rng.integers(1, 6, n)
    quarter, gas = rng.integers(0, 5, n), rng.random(n) < 0.4
    garden = rng.random(n) < 0.3
    worth = np.array([5.0, 4.2, 3.4, 2.3, 2.8])[quarter] * area * (1 + 0.1 * garden - 0.08 * gas)
    price = worth * np.exp(0.15 * rng.normal(size=n))
    sold = rng.random(n) < 1 / (1 + np.exp(12 * (price / worth - 1) - garden))
    table = np.empty((n, len(NAMES)), dtype=object)
    columns = (area, rooms, np.array(QUARTERS)[quarter], np.where(gas, "gas", "heat pump"), garden)
    for place, column in enumerate(columns):
        table[:, place] = column.tolist()
    table[rng.random(n) < 0.1, 0] = None
    table[rng.random(n) < 0.1, 3] = None
    return table, price, np.where(sold, "sold", "not yet")


def classes() -> None:
    """Fit one net and five, and compare what they say of flats that they have not seen."""
    table, price, sold = flats(1500, seed=0)
    test_table, test_price, test_sold = flats(1500, seed=1)
    # the price asked is known, and a number like any other
    X, X_test = (np.column_stack(each) for each in ((table, price), (test_table, test_price)))
    one = TabularClassifier(**SMALL).fit(X, sold)
    five = TabularClassifier(ensemble=5, calibration="temperature", **SMALL).fit(X, sold)
    print(f"{'':14}{'right':>8}{'log loss':>10}   best epochs")
    losses = []
    for name, net in (("one net", one), ("five members", five)):
        losses.append(log_loss(test_sold, net.predict_proba(X_test)))
        score = net.score(X_test, test_sold)
        print(f"{name:14}{score:8.1%}{losses[-1]:10.4f}   {net.best_epoch_.tolist()}")
    held_out = log_loss(sold, five.oof_predict_proba_)
    print(f"held-out rows of the five, before the temperature {five.temperature_:.2f}: ", end="")
    print(f"log loss {held_out:.4f}")
    unsure = five.predict_std(X_test)[:, 0]
    print(f"the members differ by {np.median(unsure):.3f} at most for half of the flats")
    print("five are better than one:", "agree" if losses[1] < losses[0] else "WRONG")
    strange = X_test[:1].copy()
    strange[0, 2] = "lighthouse"
    chance = five.predict_proba(strange)[0, list(five.classes_).index("sold")]
    print(f"with a quarter that no flat had, the first one is sold with {chance:.0%}")


def values() -> None:
    """Fit quantiles of prices and count what lies between them."""
    table, price, _ = flats(3000, seed=2)
    test_table, test_price, _ = flats(3000, seed=3)
    net = TabularRegressor(quantiles=[0.1, 0.5, 0.9], **SMALL).fit(table, price)
    low, middle, high = net.predict(test_table).T
    inside = np.mean((low <= test_price) & (test_price <= high))
    print(f"\n{inside:.1%} of the prices lie between their quantiles of 10 and 90 %")
    print(f"the median is {np.median(np.abs(middle / test_price - 1)):.1%} off for half of them")
    # of 3000 draws a share is known to 0.01; the nets' own error is larger
    print("share and quantiles:", "agree" if abs(inside - 0.8) < 0.06 else "WRONG")


if __name__ == "__main__":
    classes()
    values()
