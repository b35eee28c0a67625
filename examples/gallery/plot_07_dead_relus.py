"""
Dead ReLUs
==========

The same net with a fit rate and with one that is too large. One wild step moves a unit to where it
gives 0 for every sample; it passes no gradient on, gets none, and stays there.
"""

import matplotlib.pyplot as plt

import chainrule as cr

X, y = cr.datasets.load_digits()
fig, axes = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
for place, rate in zip(axes, (0.05, 0.7), strict=True):
    net = cr.mlp(64, 32, 32, 10, output="softmax", optimizer=cr.Optimizer_SGD(rate), seed=0)
    net.train(X, y, epochs=5, batch_size=32, progress=False)
    cr.plot.activations(net, X, y, axes=place)
    place.set_title(f"rate {rate}", loc="left")
plt.show()
