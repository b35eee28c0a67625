"""
Stopping where it is best
=========================

Few samples and many weights: the training loss falls on, the validation loss turns.
``EarlyStopping`` waits for some epochs and gives the best parameters back.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

rng = np.random.default_rng(1)
X = rng.uniform(-3, 3, (25, 1))
y = np.sin(2 * X) + 0.5 * rng.standard_normal(X.shape)
X_val = rng.uniform(-3, 3, (200, 1))
y_val = np.sin(2 * X_val) + 0.5 * rng.standard_normal(X_val.shape)

optimizer = cr.Optimizer_Adam(0.003)
net = cr.mlp(1, 100, 100, 1, activation="gelu", optimizer=optimizer, seed=0)
stop = cr.EarlyStopping(patience=300, restore_best_weights=True)
history = net.train(
    X, y, epochs=3000, validation_data=(X_val, y_val), callbacks=[stop], progress=False
)
best = int(np.argmin(history.validation_loss))

fig, (curves, fit) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
curves.semilogy(history.loss, label="training")
curves.semilogy(history.validation_loss, label="validation")
curves.axvline(best, color="0.6", linestyle="--")
curves.set(xlabel="epoch", title=f"best epoch {best + 1}, stopped after {len(history)}")
curves.legend()
x = np.linspace(-3, 3, 300)[:, None]
fit.plot(X, y, ".", color="0.6")
fit.plot(x, np.sin(2 * x), "--", label="truth")
fit.plot(x, net.predict(x), label="net of the best epoch")
fit.legend()
plt.show()
