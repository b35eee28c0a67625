"""Small tables: error and log loss of the tabular classifier beside scikit-learn's estimators.

    python benchmarks/small_tables.py [--seeds 2]

Five folds a seed of the tables that scikit-learn brings with it; prints lines of a table. Nothing
but what it prints is written.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.sklearn import TabularClassifier

TABLES = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}


def ours(**settings: Any) -> Callable[[int], Any]:
    """Return what makes our classifier for a seed."""
    return lambda seed: TabularClassifier(random_state=seed, **settings)


ESTIMATORS: dict[str, Callable[[int], Any]] = {
    "default": ours(),
    "default, temperature": ours(calibration="temperature"),
    "default, 5 members": ours(ensemble=5),
    "default, 5 members, temperature": ours(ensemble=5, calibration="temperature"),
    "small": ours(preset="small"),
    "small, temperature": ours(preset="small", calibration="temperature"),
    "small, 5 members": ours(preset="small", ensemble=5),
    "small, 5 members, temperature": ours(preset="small", ensemble=5, calibration="temperature"),
    "scikit-learn's MLP": lambda seed: make_pipeline(
        StandardScaler(), MLPClassifier(random_state=seed, max_iter=400)
    ),
    "logistic regression": lambda seed: make_pipeline(StandardScaler(), LogisticRegression()),
    "random forest": lambda seed: RandomForestClassifier(random_state=seed),
}


def measured(make: Callable[[int], Any], X: Any, y: Any, seeds: int) -> tuple[float, float]:
    """Return the means of error and log loss over the folds of all seeds."""
    found = []
    for seed in range(seeds):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        for kept, held in folds.split(X, y):
            shares = make(seed).fit(X[kept], y[kept]).predict_proba(X[held])
            error = np.mean(shares.argmax(axis=1) != y[held])  # classes are 0, 1, ...
            found.append((float(error), float(log_loss(y[held], shares))))
    error, loss = np.mean(found, axis=0)
    return float(error), float(loss)


def main() -> None:
    """Print a line an estimator: error and log loss on each table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    print("| |", " | ".join(f"{name}: error | log loss" for name in TABLES), "|")
    print("|---|" + "---:|" * (2 * len(TABLES)))
    for label, make in ESTIMATORS.items():
        cells = []
        for load in TABLES.values():
            X, y = load(return_X_y=True)
            error, loss = measured(make, X, y, seeds)
            cells += [f"{error:.4f}", f"{loss:.4f}"]
        print(f"| {label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
