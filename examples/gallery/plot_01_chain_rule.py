"""
The chain rule, seen as a tangent
=================================

One sigmoid neuron: ``a = sigmoid(x w)``, cost ``(a - t)^2``. Its derivative by the weight is a
product of three factors, and the slope of the tangent.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x, t = 1.5, 0.5


def neuron(weight):
    """Return the weight, the activation and the cost as variables that know their gradients."""
    w = cr.Variable(weight, "w")
    a = 1 / (1 + np.exp(-x * w))
    cost = (a - t) ** 2
    cost.backward()
    return w, a, cost


# %%
# By hand the three factors are ``2 (a - t)``, ``a (1 - a)`` and ``x``. The graph of the same
# computation multiplies them on its way back.

w, a, cost = neuron(0.8)
by_hand = 2 * (a.value - t) * a.value * (1 - a.value) * x
print(f"by hand {by_hand:.6f}, by the graph {w.grad:.6f}")
assert np.isclose(by_hand, w.grad, rtol=1e-12)

# %%
# Ten steps of gradient descent walk down the curve, each along its own tangent.

weights = np.linspace(-3, 3, 301)
costs = (1 / (1 + np.exp(-x * weights)) - t) ** 2
fig, axes = plt.subplots(layout="constrained")
axes.plot(weights, costs, color="0.6")
weight, rate = 2.5, 5.0
for step in range(10):
    w, a, cost = neuron(weight)
    near = weight + np.array([-0.5, 0.5])
    axes.plot(near, cost.value + w.grad * (near - weight), color="C0", alpha=0.8)
    axes.plot(weight, cost.value, "o", color=plt.cm.plasma(step / 10))
    weight = weight - rate * float(w.grad)
axes.set(xlabel="weight", ylabel="cost", title="each step follows the tangent")
plt.show()
