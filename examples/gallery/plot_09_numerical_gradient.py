"""
How good is a numerical gradient?
=================================

Central differences ``(f(w + h) - f(w - h)) / 2h`` against the gradient by backward. A large h has
an error of ``h^2``, a small one of rounding, ``eps / h``: best near the cube root of eps.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

rng = np.random.default_rng(0)
X, y = rng.standard_normal((50, 3)), rng.standard_normal((50, 1))
layer, tanh = cr.Layer_Dense(3, 1, init="glorot_uniform", rng=1), cr.Activation_Tanh()
loss = cr.Loss_MeanSquaredError()


def cost(weights):
    """Return the loss of these weights."""
    return float(((np.tanh(X @ weights + layer.biases) - y) ** 2).mean())


loss.backward(tanh.forward(layer.forward(X)), y)
layer.backward(tanh.backward(loss.dinputs))

steps = np.geomspace(1e-13, 1, 53)
errors = [
    np.abs(cr.numerical_gradient(cost, layer.weights.copy(), h=h) - layer.dweights).max()
    for h in steps
]
eps = np.finfo(float).eps
fig, axes = plt.subplots(layout="constrained")
axes.loglog(steps, errors, "o-", label="error")
axes.loglog(steps, steps**2, "--", label="$h^2$")
axes.loglog(steps, eps / steps, "--", label=r"$\varepsilon / h$")
axes.axvline(eps ** (1 / 3), color="0.7")
axes.set(xlabel="h", ylabel="largest error", ylim=(1e-14, 10))
axes.legend()
plt.show()
