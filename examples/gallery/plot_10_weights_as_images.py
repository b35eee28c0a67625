"""
What a neuron looks for
=======================

A net without a hidden layer keeps a template of each digit. Red: ink here speaks for the digit,
blue: against it. Without weight decay the pixels that hardly ever have ink are noise.
"""

import matplotlib.pyplot as plt

import chainrule as cr

X, y = cr.datasets.load_digits()
for decay in (0.0, 0.05):
    optimizer = cr.Optimizer_SGD(0.1, weight_decay=decay)
    reader = cr.mlp(64, 10, output="softmax", optimizer=optimizer, seed=0)
    reader.train(X, y, epochs=50, batch_size=32, progress=False)
    axes = cr.plot.weights(reader)
    axes.set_title(f"weight decay {decay}", loc="left")
plt.show()
