"""Five nets instead of one: better, with an error that is known before any test, and a doubt.

Each member trains without a fifth of the rows. What the members say of those rows is an honest
estimate; how far they are apart tells where they are unsure. They train at the same time, a core
each, and the bits do not depend on the number of cores.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_friedman1

from chainrule.sklearn import TabularRegressor

SMALL: dict[str, Any] = {"hidden_layer_sizes": (32, 32), "epochs": 60, "random_state": 0}


def rmse(predicted: Any, y: Any) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean(np.square(predicted - y))))


def main() -> None:
    """Fit one net, five, and five on all rows; compare what they say of rows they never saw."""
    X, y = make_friedman1(4000, noise=1.0, random_state=0)
    X, y, X_test, y_test = X[:1000], y[:1000], X[1000:], y[1000:]
    nets = {
        "one net": TabularRegressor(**SMALL),
        "five members": TabularRegressor(ensemble=5, **SMALL),
        "five, refitted on all rows": TabularRegressor(ensemble=5, combine="refit", **SMALL),
    }
    print(f"{'':28}{'held-out rows':>14}{'test rows':>12}   best epochs")
    errors = []
    for name, net in nets.items():
        net.fit(X, y)
        held = ~np.isnan(net.oof_prediction_)
        errors.append(rmse(net.predict(X_test), y_test))
        print(f"{name:28}{rmse(net.oof_prediction_[held], y[held]):14.3f}", end="")
        print(f"{errors[-1]:12.3f}   {net.best_epoch_.tolist()}")
    print("five are better than one:", "agree" if max(errors[1:]) < errors[0] else "WRONG")

    five = nets["five members"]
    doubt, left = five.predict_std(X_test), np.abs(five.predict(X_test) - y_test)
    sure, unsure = left[doubt < np.median(doubt)], left[doubt >= np.median(doubt)]
    print(f"\nthe members differ by {np.median(doubt):.2f} for half of the rows")
    print(
        f"mean error where they differ less: {sure.mean():.3f}, more: {unsure.mean():.3f}", end=""
    )
    print(", agree" if sure.mean() < unsure.mean() else ", WRONG")

    serial = TabularRegressor(ensemble=5, n_threads=1, **SMALL).fit(X, y)
    same = np.array_equal(serial.predict(X_test), five.predict(X_test))
    print("one thread and all:", "agree to the last bit" if same else "WRONG")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "five.safetensors"
        five.save(path)
        same = np.array_equal(TabularRegressor.load(path).predict(X_test), five.predict(X_test))
        print(f"saved in {path.stat().st_size / 1000:.0f} kB, and loaded:", end=" ")
        print("agree to the last bit" if same else "WRONG")


if __name__ == "__main__":
    main()
