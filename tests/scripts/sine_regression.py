"""A sine by 1-64-64-1, ReLU, with Adam."""

import numpy as np
from course_data import finish, sine_data, start

from chainrule import (
    Activation_Linear,
    Activation_ReLU,
    Layer_Dense,
    Loss_MeanSquaredError,
    Optimizer_Adam,
)

epochs = start(501)
X, y = sine_data(200)
dense1 = Layer_Dense(1, 64, weight_scale=0.1)
activation1 = Activation_ReLU()
dense2 = Layer_Dense(64, 64, weight_scale=0.1)
activation2 = Activation_ReLU()
dense3 = Layer_Dense(64, 1, weight_scale=0.1)
activation3 = Activation_Linear()
loss_function = Loss_MeanSquaredError()
optimizer = Optimizer_Adam(learning_rate=0.005, decay=1e-3)
accuracy_precision = np.std(y) / 250
losses, accuracies = [], []

for epoch in range(epochs):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    activation2.forward(dense2.output)
    dense3.forward(activation2.output)
    activation3.forward(dense3.output)
    loss = loss_function.calculate(activation3.output, y)
    accuracy = np.mean(np.absolute(activation3.output - y) < accuracy_precision)
    losses.append(loss)
    accuracies.append(accuracy)
    if not epoch % 100:
        print(f"epoch: {epoch}, acc: {accuracy:.3f}, loss: {loss:.5f}")

    loss_function.backward(activation3.output, y)
    activation3.backward(loss_function.dinputs)
    dense3.backward(activation3.dinputs)
    activation2.backward(dense3.dinputs)
    dense2.backward(activation2.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)

    optimizer.pre_update_params()
    optimizer.update_params(dense1)
    optimizer.update_params(dense2)
    optimizer.update_params(dense3)
    optimizer.post_update_params()

finish(X=X, y=y, losses=losses, accuracies=accuracies)
