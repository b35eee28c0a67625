"""
Initial weights and what runs through ten layers
================================================

Nothing is trained here: random inputs run through ten ReLU layers of 256 neurons. With weights of
0.01 the signal dies away, with variance ``2 / d`` it keeps its size.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 256))
fig, axes = plt.subplots(layout="constrained")
for init in ("notebook", "lecun_normal", "glorot_uniform", "he_normal"):
    values, sizes = X, [1.0]
    for k in range(10):
        values = cr.Layer_Dense(256, 256, init=init, rng=k).forward(values)
        values = cr.Activation_ReLU().forward(values)
        sizes.append(np.sqrt((values**2).mean()))
    axes.semilogy(sizes, "o-", label=init)
axes.set(xlabel="layers passed", ylabel="root mean square of the values")
axes.legend()
axes.grid(alpha=0.3)
plt.show()
