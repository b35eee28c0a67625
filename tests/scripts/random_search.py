"""Training without gradients: random changes of the weights, kept where they help."""

import numpy as np
from course_data import finish, start, vertical_data

from chainrule import (
    Activation_ReLU,
    Activation_Softmax,
    Layer_Dense,
    Loss_CategoricalCrossentropy,
)

tries = start(2001)
X, y = vertical_data(samples=100, classes=3)
dense1 = Layer_Dense(2, 3)
activation1 = Activation_ReLU()
dense2 = Layer_Dense(3, 3)
activation2 = Activation_Softmax()
loss_function = Loss_CategoricalCrossentropy()

lowest_loss = 9999999
best = [array.copy() for array in (dense1.weights, dense1.biases, dense2.weights, dense2.biases)]
losses, accuracies = [], []

for iteration in range(tries):
    dense1.weights += 0.05 * np.random.randn(2, 3)  # noqa: NPY002
    dense1.biases += 0.05 * np.random.randn(1, 3)  # noqa: NPY002
    dense2.weights += 0.05 * np.random.randn(3, 3)  # noqa: NPY002
    dense2.biases += 0.05 * np.random.randn(1, 3)  # noqa: NPY002

    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    activation2.forward(dense2.output)
    loss = loss_function.calculate(activation2.output, y)
    accuracy = np.mean(np.argmax(activation2.output, axis=1) == y)
    losses.append(loss)
    if loss < lowest_loss:
        if iteration % 10 == 0:
            print(f"try {iteration}: loss: {loss:.3f}, acc: {accuracy:.3f}")
        best = [
            array.copy() for array in (dense1.weights, dense1.biases, dense2.weights, dense2.biases)
        ]
        lowest_loss = loss
        accuracies.append(accuracy)
    else:
        dense1.weights = best[0].copy()
        dense1.biases = best[1].copy()
        dense2.weights = best[2].copy()
        dense2.biases = best[3].copy()

finish(X=X, y=y, losses=losses, accuracies=accuracies)
