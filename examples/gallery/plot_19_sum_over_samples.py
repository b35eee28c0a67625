"""
A weight's gradient is a sum over samples
=========================================

Each sample pulls at a weight by its input times the gradient that comes back to it. Some pull up,
some down; the sum is what the step sees.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

X, y = cr.datasets.load_digits()
model = cr.mlp(64, 32, 10, output="softmax", seed=0)
model.train(X[:256], y[:256], epochs=2, batch_size=32, progress=False)
step = model.explain(X[:256], y[:256])
place = 2  # the second dense layer
dense = step[place]
strongest = np.abs(dense.inputs).T @ np.abs(dense.dvalues)
i, j = np.unravel_index(strongest.argmax(), (32, 10))
pulls = dense.inputs[:, i].astype(float) * dense.dvalues[:, j]
print(f"sum {pulls.sum():.6f}, gradient {dense.gradients['weights'][i, j]:.6f}")

fig, (bars, total) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
order = np.argsort(pulls)
bars.bar(range(256), pulls[order], color=np.where(pulls[order] > 0, "C3", "C0"), width=1)
bars.set(xlabel="samples, sorted", ylabel="pull at the weight", title=f"unit {i} to output {j}")
for digit in range(10):
    total.bar(digit, pulls[y[:256] == digit].sum(), color="C7")
total.set(xlabel="digit of the sample", ylabel="sum of pulls", xticks=range(10))
plt.show()
