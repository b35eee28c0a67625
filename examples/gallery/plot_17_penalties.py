"""
How much penalty?
=================

Fifteen noisy samples and a net of a thousand weights. The L2 penalty draws weights towards 0: too
little, and the curve follows the noise; too much, and it follows nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

rng = np.random.default_rng(3)
X = np.sort(rng.uniform(-3, 3, (15, 1)), axis=0)
y = np.sin(X) + 0.3 * rng.standard_normal(X.shape)
x = np.linspace(-3, 3, 300)[:, None]

fig, axes = plt.subplots(1, 3, figsize=(13, 4), sharey=True, layout="constrained")
for place, strength in zip(axes, (0.0, 3e-3, 0.3), strict=True):
    model = cr.Model()
    for d, m, activation in ((1, 30, cr.Activation_Tanh()), (30, 30, cr.Activation_Tanh())):
        model.add(cr.Layer_Dense(d, m, 0, strength, init="he_normal", rng=d))
        model.add(activation)
    model.add(cr.Layer_Dense(30, 1, 0, strength, init="he_normal", rng=2))
    optimizer = cr.Optimizer_Adam(0.02, schedule=cr.schedules.Cosine())
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=optimizer)
    model.train(X, y, epochs=3000, progress=False)
    place.plot(x, np.sin(x), "--", color="0.6")
    place.plot(X, y, "o", color="0.4")
    place.plot(x, model.predict(x))
    off = np.sqrt(((model.predict(x) - np.sin(x)) ** 2).mean())
    place.set(title=f"l2 = {strength:g}: off by {off:.2f}", ylim=(-2, 2))
plt.show()
