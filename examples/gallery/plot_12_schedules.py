"""
Schedules of the learning rate
==============================

Every schedule multiplies the rate by a function of t, the share of the training that is done. Any
function of your own will do as well.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

t = np.linspace(0, 1, 500, endpoint=False)
fig, axes = plt.subplots(2, 4, figsize=(13, 5), sharex=True, sharey=True, layout="constrained")
NAMES = [name for name in cr.schedules.__all__ if name[0].isupper()]
for place, name in zip(axes.flat, NAMES, strict=True):
    place.plot(t, getattr(cr.schedules, name)()(t))
    place.set_title(name)
    place.grid(alpha=0.3)

# %%
# What they do to a training on the digits, each from the same first weights.

X, y = cr.datasets.load_digits()
fig, axes = plt.subplots(layout="constrained")
for name in ("Constant", "Step", "Cosine", "OneCycle"):
    optimizer = cr.Optimizer_SGD(0.1, momentum=0.9, schedule=getattr(cr.schedules, name)())
    net = cr.mlp(64, 32, 10, output="softmax", optimizer=optimizer, seed=0)
    history = net.train(
        X, y, epochs=40, batch_size=32, shuffle=True, rng=0, validation_split=0.3, progress=False
    )
    axes.plot(range(1, 41), history.validation_loss, label=name)
axes.set(xlabel="epoch", ylabel="validation loss", yscale="log")
axes.legend()
plt.show()
