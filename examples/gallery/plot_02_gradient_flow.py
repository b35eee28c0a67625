"""
Why ten sigmoids do not learn
=============================

What reaches each layer on the way back: a sigmoid passes at most a quarter of its gradient on,
a ReLU with He's initial weights all that it should.
"""

import matplotlib.pyplot as plt

import chainrule as cr

X, y = cr.datasets.load_digits()
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for place, name in zip(axes, ("sigmoid", "relu"), strict=True):
    deep = cr.mlp(64, *[32] * 9, 10, activation=name, output="softmax", seed=0)
    cr.plot.gradient_flow(deep, X, y, axes=place)
    place.set_title(name, loc="left")
plt.show()
