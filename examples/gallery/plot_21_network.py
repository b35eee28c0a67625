"""
The net itself
==============

A small net before and after it has learned: red weights are above 0, blue ones below, and thick
ones are large.
"""

import matplotlib.pyplot as plt

import chainrule as cr

points, kinds = cr.datasets.vertical_data(100, 3, rng=0)
net = cr.mlp(2, 6, 3, output="softmax", seed=0)
fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
cr.plot.network(net, axes=axes[0])
net.train(points, kinds, epochs=1500, progress=False)
cr.plot.network(net, axes=axes[1])
cr.plot.decision_regions(net, points, kinds, axes=axes[2])
axes[0].set_title("before", loc="left")
axes[1].set_title("after 1500 steps", loc="left")
plt.show()
