"""
A table as it comes
===================

Words, truth values and missing cells without a pipeline. Five members, each with other rows held
out: what they say of those rows shows whether their probabilities can be trusted.
"""

import matplotlib.pyplot as plt
import numpy as np

from chainrule.sklearn import TabularClassifier

rng = np.random.default_rng(0)
n = 1200
area, quarter = rng.gamma(9, 9, n), rng.integers(0, 4, n)
garden = rng.random(n) < 0.3
merit = 0.03 * (area - 80) + np.array([1.5, 0.3, -0.5, -1.3])[quarter] + 0.8 * garden
sold = np.where(rng.random(n) < 1 / (1 + np.exp(-merit)), "sold", "open")
table = np.empty((n, 3), dtype=object)
table[:, 0] = area.tolist()
table[:, 1] = np.array(["centre", "harbour", "hill", "north"])[quarter]
table[:, 2] = garden.tolist()
table[rng.random(n) < 0.1, 0] = None
print(table[:5])

# %%
# In each bin the share that was really sold, against the probability that was said for rows that
# the member had not seen.

net = TabularClassifier(
    ensemble=5, hidden_layer_sizes=(32, 32), epochs=30, calibration="temperature", random_state=0
)
net.fit(table, sold)
said = net.oof_predict_proba_[:, 1]
edges = np.quantile(said, np.linspace(0, 1, 11))
place = np.clip(np.searchsorted(edges, said) - 1, 0, 9)
seen = [np.mean(sold[place == k] == net.classes_[1]) for k in range(10)]
mean = [said[place == k].mean() for k in range(10)]
fig, axes = plt.subplots(figsize=(5, 5), layout="constrained")
axes.plot([0, 1], [0, 1], color="0.7")
axes.plot(mean, seen, "o-")
axes.set(xlabel=f"probability of {net.classes_[1]}", ylabel="share that was")
axes.set_title(f"{net.score(table, sold):.0%} right, temperature {net.temperature_:.2f}")
plt.show()
