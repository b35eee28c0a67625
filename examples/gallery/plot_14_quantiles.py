"""
A range instead of a value
==========================

Three outputs, one for each quantile: between the first and the last lie four of five samples, and
the band is wide where the data are.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

rng = np.random.default_rng(0)
X = rng.uniform(0, 6, (1500, 1))
y = np.sin(X) + (0.05 + 0.12 * X) * rng.standard_normal(X.shape)
net = cr.mlp(
    1, 64, 64, 3, activation="tanh", loss=cr.Loss_Quantile([0.1, 0.5, 0.9]),
    optimizer=cr.Optimizer_Adam(0.01, schedule=cr.schedules.Cosine()), seed=0,
)  # fmt: skip
net.train(X, y, epochs=150, batch_size=64, shuffle=True, rng=0, progress=False)

x = np.linspace(0, 6, 200)[:, None]
low, middle, high = net.predict(x).T
inside = net.predict(X)
share = np.mean((inside[:, 0] < y[:, 0]) & (y[:, 0] < inside[:, 2]))
fig, axes = plt.subplots(layout="constrained")
axes.plot(X, y, ".", color="0.8", markersize=3)
axes.fill_between(x[:, 0], low, high, alpha=0.4, label=f"0.1 to 0.9: {share:.0%} lie within")
axes.plot(x, middle, label="median")
axes.legend()
plt.show()
