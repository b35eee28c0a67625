"""scikit-learn's multilayer perceptron by one changed import: the same net, sooner.

Both are fitted with one seed. They draw the same first weights and the same orders of samples, so
that their parameters differ by rounding alone. Then the net itself is checked by gradcheck, and
saved for a service that has no scikit-learn.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import chainrule
from chainrule.sklearn import MLPClassifier


def data() -> Any:
    """Return wines in training and test samples, scaled."""
    X, y = load_wine(return_X_y=True)
    names = np.array(["first grower", "second grower", "third grower"])
    parts = train_test_split(X, names[y], random_state=0, stratify=y)
    scaler = StandardScaler().fit(parts[0])
    return scaler.transform(parts[0]), scaler.transform(parts[1]), parts[2], parts[3]


def fit(kind: Any, X: Any, y: Any) -> tuple[Any, float]:
    """Return a fitted estimator and the seconds it took."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 200 epochs end before the loss stands still
        estimator = kind(hidden_layer_sizes=(100,), random_state=0).fit(X, y)
    return estimator, time.perf_counter() - start


def main(times: bool = False) -> None:
    """Fit both, compare them, check and save ours."""
    X, X_test, y, y_test = data()
    theirs, their_seconds = fit(neural_network.MLPClassifier, X, y)
    ours, our_seconds = fit(MLPClassifier, X, y)
    print(f"{'':24}{'scikit-learn':>14}{'chainrule':>14}")
    if times:
        print(f"{'seconds':24}{their_seconds:14.3f}{our_seconds:14.3f}")
    print(f"{'epochs':24}{theirs.n_iter_:14}{ours.n_iter_:14}")
    print(f"{'loss':24}{theirs.loss_:14.9f}{ours.loss_:14.9f}")
    print(f"{'accuracy, test':24}{theirs.score(X_test, y_test):14.3f}", end="")
    print(f"{ours.score(X_test, y_test):14.3f}")
    apart = max(np.abs(a - b).max() for a, b in zip(ours.coefs_, theirs.coefs_, strict=True))
    print(f"largest difference of a weight: {apart:.1e}", "agree" if apart < 1e-9 else "WRONG")

    places = np.searchsorted(ours.classes_, y)
    report = chainrule.gradcheck(ours.model_, X[:20], places[:20])
    print("gradients of ours and central differences:", "agree" if report else "WRONG")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wine.safetensors"
        ours.model_.save(path)
        net = chainrule.Model.load(path)  # needs no scikit-learn
        same = np.array_equal(net.predict(X_test), ours.predict_proba(X_test))
        print(f"saved in {path.stat().st_size} bytes, and loaded:", "agree" if same else "WRONG")
        ours.save(path)  # the whole estimator, with its labels
        same = np.array_equal(MLPClassifier.load(path).predict(X_test), ours.predict(X_test))
        print("the estimator, saved and loaded:", "agree" if same else "WRONG")


if __name__ == "__main__":
    main(times=True)
