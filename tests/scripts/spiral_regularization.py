"""The spiral with L2 and with L1 terms in the first layer, judged on points not trained on."""

import numpy as np
from course_data import finish, spiral_data, start

from chainrule import (
    Activation_ReLU,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Layer_Dense,
    Optimizer_Adam,
)

epochs = start(601)
X, y = spiral_data(samples=100, classes=3)
dense1 = Layer_Dense(2, 64, weight_regularizer_l2=5e-4, bias_regularizer_l2=5e-4)
activation1 = Activation_ReLU()
dense2 = Layer_Dense(64, 3, weight_regularizer_l1=1e-5, bias_regularizer_l1=1e-5)
loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()
optimizer = Optimizer_Adam(learning_rate=0.02, decay=5e-7)
losses, penalties, accuracies = [], [], []

for epoch in range(epochs):
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    data_loss = loss_activation.forward(dense2.output, y)
    regularization_loss = loss_activation.loss.regularization_loss(
        dense1
    ) + loss_activation.loss.regularization_loss(dense2)
    accuracy = np.mean(np.argmax(loss_activation.output, axis=1) == y)
    losses.append(data_loss)
    penalties.append(regularization_loss)
    accuracies.append(accuracy)
    if not epoch % 200:
        print(
            f"epoch: {epoch}, acc: {accuracy:.3f}, loss: {data_loss + regularization_loss:.3f} "
            f"(data_loss: {data_loss:.3f}, reg_loss: {regularization_loss:.3f})"
        )

    loss_activation.backward(loss_activation.output, y)
    dense2.backward(loss_activation.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)

    optimizer.pre_update_params()
    optimizer.update_params(dense1)
    optimizer.update_params(dense2)
    optimizer.post_update_params()

X_test, y_test = spiral_data(samples=100, classes=3)
dense1.forward(X_test)
activation1.forward(dense1.output)
dense2.forward(activation1.output)
test_loss = loss_activation.forward(dense2.output, y_test)
test_accuracy = np.mean(np.argmax(loss_activation.output, axis=1) == y_test)
print(f"validation, acc: {test_accuracy:.3f}, loss: {test_loss:.3f}")

finish(
    X=X,
    y=y,
    losses=losses,
    penalties=penalties,
    accuracies=accuracies,
    test_accuracy=test_accuracy,
)
