"""
Activations and their slopes
============================

Each activation of the package, by its own ``forward`` and ``backward``: with ``dvalues`` of 1 the
gradient is the derivative.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

NAMES = [name for name in dir(cr) if name.startswith("Activation_") and "_Loss_" not in name]
NAMES = [name for name in NAMES if not name.endswith(("Softmax", "Linear", "Exponential"))]

x = np.linspace(-4, 4, 401)[:, None]
fig, axes = plt.subplots(2, 5, figsize=(13, 5), sharex=True, sharey=True, layout="constrained")
for place, name in zip(axes.flat, NAMES, strict=True):
    activation = getattr(cr, name)()
    place.plot(x, activation.forward(x), label="value")
    place.plot(x, activation.backward(np.ones_like(x)), "--", label="slope")
    place.set(title=name.removeprefix("Activation_"), ylim=(-2, 3))
    place.grid(alpha=0.3)
axes[0, 0].legend()
plt.show()
