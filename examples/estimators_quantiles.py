"""Not one value but a range: three quantiles of a net with three outputs.

The noise grows with x. The net learns the 10 %, 50 % and 90 % quantiles at once; four of five test
samples should lie between the outer two, wherever x is.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from chainrule import Loss_Quantile, schedules
from chainrule.sklearn import MLPRegressor

QUANTILES = [0.1, 0.5, 0.9]


def data(n: int, seed: int) -> Any:
    """Return x (n, 1), and a sine with noise that grows with x."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 3, (n, 1))
    return x, np.sin(2 * x[:, 0]) + 0.3 * x[:, 0] * rng.normal(size=n)


def main() -> None:
    """Fit the quantiles and count what lies between them."""
    x, y = data(3000, seed=0)
    net = MLPRegressor(
        loss=Loss_Quantile(QUANTILES),
        hidden_layer_sizes=(32, 32),
        activation="gelu",
        learning_rate_init=0.01,
        schedule=schedules.Cosine(),
        max_iter=120,
        n_iter_no_change=120,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(x, y)
    x_test, y_test = data(3000, seed=1)
    predicted = net.predict(x_test)
    below = (y_test[:, None] <= predicted).mean(axis=0)
    for quantile, share in zip(QUANTILES, below, strict=True):
        print(f"{quantile:4.0%} quantile: {share:6.1%} of the test samples lie below")
    inside = (predicted[:, 0] <= y_test) & (y_test <= predicted[:, 2])
    for low in (0, 1, 2):
        part = (x_test[:, 0] >= low) & (x_test[:, 0] < low + 1)
        width = (predicted[part, 2] - predicted[part, 0]).mean()
        print(f"x from {low} to {low + 1}: {inside[part].mean():.1%} inside, width {width:.2f}")
    # of 3000 draws a share is known to 0.01; the net's own error is about as large
    print("shares and quantiles:", "agree" if np.abs(below - QUANTILES).max() < 0.04 else "WRONG")


if __name__ == "__main__":
    main()
