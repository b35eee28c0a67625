"""
Decision regions while a net learns
===================================

Three spiral arms in a plane. The stronger the colour, the surer the net; a wrong sample has a
ring.
"""

import matplotlib.pyplot as plt

import chainrule as cr

points, arms = cr.datasets.spiral_data(100, 3, rng=0)
net = cr.mlp(2, 64, 64, 3, output="softmax", seed=0)
fig, axes = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
done = 0
for place, epochs in zip(axes, (20, 200, 3000), strict=True):
    net.train(points, arms, epochs=epochs - done, progress=False)
    done = epochs
    cr.plot.decision_regions(net, points, arms, axes=place)
    loss, accuracy = net.evaluate(points, arms, quiet=True)
    place.set_title(f"{epochs} steps: {accuracy:.0%} right", loc="left")
plt.show()
