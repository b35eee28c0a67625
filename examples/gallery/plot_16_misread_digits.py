"""
What is taken for what
======================

The confusion of digits that the net has not seen, and those that it misread.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

X, y = cr.datasets.load_digits()
net = cr.mlp(64, 32, 10, output="softmax", seed=0)
net.train(X[:1200], y[:1200], epochs=30, batch_size=32, progress=False)
cr.plot.confusion(net, X[1200:], y[1200:])

# %%
# The surest mistakes first.

p = net.predict(X[1200:])
taken = p.argmax(axis=1)
wrong = np.flatnonzero(taken != y[1200:])
wrong = wrong[np.argsort(-p[wrong, taken[wrong]])][:10]
fig, axes = plt.subplots(2, 5, figsize=(9, 4.2), layout="constrained")
for place in axes.flat:
    place.axis("off")
for place, k in zip(axes.flat, wrong, strict=False):
    place.imshow(X[1200 + k].reshape(8, 8), cmap="gray_r")
    place.set_title(f"{y[1200 + k]} as {taken[k]}: {p[k, taken[k]]:.0%}", fontsize=10)
plt.show()
