"""
A computation as a graph
========================

``Variable`` records what NumPy computes. In blue the values, in red the gradients, and on each line
the local derivative and what it sends back: the graph shows itself in a notebook and here.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x, y, z = cr.Variable(1.0, "x"), cr.Variable(2.0, "y"), cr.Variable(4.0, "z")
r = (z * (x**2 + y)) ** 2
r.backward()
r.graph(locals())

# %%
# The same for many values at once: the gradient of r by x, along x.

along = cr.Variable(np.linspace(-2, 2, 101), "x")
many = (4.0 * (along**2 + 2.0)) ** 2
many.sum().backward()
fig, axes = plt.subplots(layout="constrained")
axes.plot(along.value, many.value, label="r")
axes.plot(along.value, along.grad, label="dr/dx")
axes.plot(1.0, x.grad, "o", color="C1", label=f"dr/dx at 1: {float(x.grad):.0f}")
axes.set_xlabel("x")
axes.legend()
plt.show()
