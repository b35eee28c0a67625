"""The spiral with 2-64-3, trained by each optimizer in turn from the same beginning."""

import numpy as np
from course_data import finish, spiral_data, start

from chainrule import (
    Activation_ReLU,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Layer_Dense,
    Optimizer_Adagrad,
    Optimizer_Adam,
    Optimizer_RMSprop,
    Optimizer_SGD,
)

optimizers = {
    "sgd": Optimizer_SGD(),
    "decay": Optimizer_SGD(decay=1e-3),
    "momentum": Optimizer_SGD(decay=1e-3, momentum=0.9),
    "adagrad": Optimizer_Adagrad(decay=1e-4),
    "rmsprop": Optimizer_RMSprop(learning_rate=0.02, decay=1e-5, rho=0.999),
    "adam": Optimizer_Adam(learning_rate=0.05, decay=5e-7),
}
results = {}

for name, optimizer in optimizers.items():
    epochs = start(1001)
    X, y = spiral_data(samples=100, classes=3)
    dense1 = Layer_Dense(2, 64)
    activation1 = Activation_ReLU()
    dense2 = Layer_Dense(64, 3)
    loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()
    losses, accuracies = [], []

    for epoch in range(epochs):
        dense1.forward(X)
        activation1.forward(dense1.output)
        dense2.forward(activation1.output)
        loss = loss_activation.forward(dense2.output, y)
        accuracy = np.mean(np.argmax(loss_activation.output, axis=1) == y)
        losses.append(loss)
        accuracies.append(accuracy)
        if not epoch % 500:
            rate = optimizer.current_learning_rate
            print(f"{name}: epoch: {epoch}, acc: {accuracy:.3f}, loss: {loss:.3f}, lr: {rate}")

        loss_activation.backward(loss_activation.output, y)
        dense2.backward(loss_activation.dinputs)
        activation1.backward(dense2.dinputs)
        dense1.backward(activation1.dinputs)

        optimizer.pre_update_params()
        optimizer.update_params(dense1)
        optimizer.update_params(dense2)
        optimizer.post_update_params()

    results[f"losses_{name}"] = losses
    results[f"accuracies_{name}"] = accuracies

finish(X=X, y=y, **results)
