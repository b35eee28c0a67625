"""A search over settings, in a pipeline, with calibrated probabilities of the winner.

The estimators are scikit-learn's in every way: `Pipeline`, `GridSearchCV` and the calibration take
them as they are. Activations come from the whole catalogue.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainrule.sklearn import MLPClassifier

GRID = {
    "mlpclassifier__activation": ["relu", "gelu", "mish"],
    "mlpclassifier__alpha": [1e-4, 1.0],
    "mlpclassifier__dropout": [0.0, 0.2],
}


def main() -> None:
    """Search, and calibrate what was found."""
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
    net = MLPClassifier(hidden_layer_sizes=(16,), max_iter=200, random_state=0, dtype="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GridSearchCV(make_pipeline(StandardScaler(), net), GRID, cv=3).fit(X, y)
        best = search.best_estimator_
        calibrated = CalibratedClassifierCV(best, method="sigmoid", cv=3).fit(X, y)
    for name, value in search.best_params_.items():
        print(f"{name.removeprefix('mlpclassifier__'):12}{value}")
    print(f"{'accuracy':12}{search.best_score_:.3f} in three folds, ", end="")
    print(f"{search.score(X_test, y_test):.3f} of the test samples")
    for name, each in (("as it is", best), ("calibrated", calibrated)):
        print(f"{name:12}log loss {log_loss(y_test, each.predict_proba(X_test)):.3f}")
    print("(it pays for nets that are too sure of themselves; this one is not)")
    whole = best.predict_proba(X_test)
    rows = np.concatenate([best.predict_proba(row[None]) for row in X_test])
    print("one row at a time:", "agree" if np.array_equal(whole, rows) else "WRONG")


if __name__ == "__main__":
    main()
