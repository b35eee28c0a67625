"""
Few of a kind
=============

One sample of thirty is of the rare kind. With class weights the net looks for them: more are found
at the usual limit of one half, and more that are none. The curve shows all limits at once.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve

from chainrule.sklearn import MLPClassifier

rng = np.random.default_rng(0)


def samples(n):
    """Return samples (n, 8), and 1 for the rare kind."""
    y = (rng.random(n) < 1 / 30).astype(int)
    return rng.standard_normal((n, 8)) + 1.2 * y[:, None] * np.linspace(0, 1, 8), y


X, y = samples(4000)
X_test, y_test = samples(8000)
fig, axes = plt.subplots(layout="constrained")
for weights in (None, "balanced"):
    net = MLPClassifier(
        (32,), class_weight=weights, early_stopping="average_precision", random_state=0
    ).fit(X, y)
    p = net.predict_proba(X_test)[:, 1]
    precision, recall, limits = precision_recall_curve(y_test, p)
    line = axes.plot(recall, precision, label=f"class_weight={weights!r}")[0]
    usual = min(np.searchsorted(limits, 0.5), len(limits) - 1)
    axes.plot(recall[usual], precision[usual], "o", color=line.get_color())
    print(f"{weights}: average precision {average_precision_score(y_test, p):.3f}")
axes.set(xlabel="share of the rare that is found", ylabel="share of the found that is rare")
axes.set_title("points: limit one half")
axes.legend()
plt.show()
