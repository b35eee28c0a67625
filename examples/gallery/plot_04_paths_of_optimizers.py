"""
The paths of four optimizers in a valley
========================================

One layer with two weights and badly scaled inputs: the loss is a long narrow valley. Each
optimizer starts from the same place and makes 60 steps.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 2)) * [1.0, 0.25]
y = X @ [[1.0], [1.0]]
OPTIMIZERS = {
    "SGD": cr.Optimizer_SGD(0.9),
    "momentum": cr.Optimizer_SGD(0.2, momentum=0.9),
    "RMSprop": cr.Optimizer_RMSprop(0.05),
    "Adam": cr.Optimizer_Adam(0.15),
}


class Trail(cr.Callback):
    """Note the weights after each epoch, which is one step here."""

    def on_train_begin(self):
        self.places = [self.model.layers[0].weights.ravel().copy()]

    def on_epoch_end(self, epoch, logs):
        self.places.append(self.model.layers[0].weights.ravel().copy())


def path_of(optimizer):
    """Return the weights (61, 2) before and after each step."""
    model, trail = cr.Model(), Trail()
    model.add(cr.Layer_Dense(weights=[[-1.5], [3.5]], bias=False))
    model.set(loss=cr.Loss_HalfSquaredError(), optimizer=optimizer)
    model.train(X, y, epochs=60, callbacks=[trail], progress=False)
    return np.array(trail.places)


a, b = np.meshgrid(np.linspace(-2, 4, 200), np.linspace(-1.5, 4, 200))
grid = np.stack((a.ravel(), b.ravel()))
losses = (0.5 * (X @ grid - y) ** 2).mean(axis=0).reshape(a.shape)
fig, axes = plt.subplots(figsize=(8, 5), layout="constrained")
axes.contour(a, b, losses, np.geomspace(1e-3, 10, 16), colors="0.8")
for name, optimizer in OPTIMIZERS.items():
    axes.plot(*path_of(optimizer).T, ".-", label=name, linewidth=1)
axes.plot(1, 1, "k*", markersize=14)
axes.set(xlabel="weight of the large input", ylabel="weight of the small input")
axes.legend()
plt.show()
