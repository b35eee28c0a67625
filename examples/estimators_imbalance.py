"""Few of one kind among many of another: class weights, and stopping by the score that matters.

One sample of 16 is of the rare kind. A plain net finds few of them; one with balanced weights finds
most. In 400 epochs both learn the samples by heart; early stopping holds some back, keeps the epoch
with the largest area under the ROC curve, and needs a ninth of the time.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.model_selection import train_test_split

from chainrule.sklearn import MLPClassifier


def data() -> Any:
    """Return training and test samples, about 6 % of them rare."""
    X, y = make_classification(
        4000, 20, n_informative=6, weights=[0.95], class_sep=0.8, flip_y=0.02, random_state=3
    )
    return train_test_split(X, y, random_state=0, stratify=y)


def fitted(X: Any, y: Any, **parameters: Any) -> MLPClassifier:
    """Return a net for these parameters."""
    net = MLPClassifier(hidden_layer_sizes=(32,), max_iter=400, random_state=0, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(X, y)
    return net


def main() -> None:
    """Fit three nets and say what each finds."""
    X, X_test, y, y_test = data()
    print(f"{np.mean(y):.1%} of {len(y)} samples are rare\n")
    nets = {
        "plain": fitted(X, y),
        "class_weight='balanced'": fitted(X, y, class_weight="balanced"),
        "early_stopping='roc_auc'": fitted(
            X, y, class_weight="balanced", early_stopping="roc_auc", n_iter_no_change=8
        ),
    }
    print(f"{'':28}{'rare ones found':>16}{'AUC':>8}{'epochs':>8}")
    recalls = []
    for name, net in nets.items():
        recalls.append(recall_score(y_test, net.predict(X_test)))
        auc = roc_auc_score(y_test, net.predict_proba(X_test)[:, 1])
        print(f"{name:28}{recalls[-1]:16.1%}{auc:8.3f}{net.n_iter_:8}")
    stopped = nets["early_stopping='roc_auc'"]
    kept = max(stopped.validation_scores_) == stopped.best_validation_score_
    print("\nweights find more of the rare kind:", "agree" if recalls[1] > recalls[0] else "WRONG")
    print("the best epoch's parameters are kept:", "agree" if kept else "WRONG")


if __name__ == "__main__":
    main()
