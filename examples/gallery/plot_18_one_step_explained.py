"""
One step, explained
===================

``Model.explain`` makes one training step on copies and shows what each layer did with it. The model
stays as it is, to the bit.
"""

import matplotlib.pyplot as plt

import chainrule as cr

X, y = cr.datasets.load_digits()
model = cr.mlp(64, 48, 24, 10, output="softmax", seed=0)
model.train(X, y, epochs=3, batch_size=32, progress=False)
step = model.explain(X[:256], y[:256])
step

# %%
# Each weight's own step by its size, with Adam's momenta in it. Around a thousandth is usual.

cr.plot.update_ratios(step)
plt.show()
