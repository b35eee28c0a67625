"""
A whole training, watched
=========================

``Record`` notes norms of gradients and steps in the compiled plan while it trains, and changes no
bit of the result. The ratio of step to weights tells whether a rate is fit.
"""

import matplotlib.pyplot as plt

import chainrule as cr

X, y = cr.datasets.load_digits()
fig, axes = plt.subplots(1, 3, figsize=(13, 4), sharey=True, layout="constrained")
for place, rate in zip(axes, (1e-5, 1e-3, 0.1), strict=True):
    optimizer = cr.Optimizer_Adam(rate)
    model = cr.mlp(64, 32, 32, 10, output="softmax", optimizer=optimizer, seed=0)
    record = cr.Record("gradients", every=5)
    history = model.train(X, y, epochs=10, batch_size=64, record=record, progress=False)
    for layer in (0, 2, 4):
        ratios = history.layers[layer, "ratio"]
        place.semilogy(history.layers.steps, ratios, label=f"dense layer {layer // 2 + 1}")
    place.axhline(1e-3, color="0.7", linestyle="--")
    place.set(xlabel="step", title=f"rate {rate:g}: loss {history.loss[-1]:.3f}")
axes[0].set_ylabel("norm of the step by norm of the weights")
axes[0].legend()
plt.show()
