"""
Losses and what they pull with
==============================

What one sample costs, and its gradient, by how far off the prediction is. A squared error pulls
harder the further it is; Huber's and the absolute error do not, so that a wild sample weighs less.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

LOSSES = {
    "mean squared": cr.Loss_MeanSquaredError(),
    "half squared": cr.Loss_HalfSquaredError(),
    "absolute": cr.Loss_MeanAbsoluteError(),
    "Huber": cr.Loss_Huber(),
    "log-cosh": cr.Loss_LogCosh(),
    "quantile 0.9": cr.Loss_Quantile([0.9]),
}
off = np.linspace(-3, 3, 301)[:, None]
target = np.zeros_like(off)
fig, (values, slopes) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, loss in LOSSES.items():
    values.plot(off, loss.forward(off, target), label=name)
    slopes.plot(off, loss.backward(off, target) * len(off))
values.set(xlabel="prediction - target", title="value", ylim=(0, 5))
slopes.set(xlabel="prediction - target", title="gradient of one sample", ylim=(-4, 4))
values.legend()
plt.show()
