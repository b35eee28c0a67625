"""One pass forwards and backwards through a 2-3-3 net, with all gradients printed."""

import numpy as np
from course_data import finish, spiral_data, start

from chainrule import (
    Activation_ReLU,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Layer_Dense,
)

start()
X, y = spiral_data(samples=100, classes=3)

dense1 = Layer_Dense(2, 3)
activation1 = Activation_ReLU()
dense2 = Layer_Dense(3, 3)
loss_activation = Activation_Softmax_Loss_CategoricalCrossentropy()

dense1.forward(X)
activation1.forward(dense1.output)
dense2.forward(activation1.output)
loss = loss_activation.forward(dense2.output, y)
print(loss_activation.output[:5])
print("loss:", loss)

predictions = np.argmax(loss_activation.output, axis=1)
if len(y.shape) == 2:
    y = np.argmax(y, axis=1)
accuracy = np.mean(predictions == y)
print("acc:", accuracy)

loss_activation.backward(loss_activation.output, y)
dense2.backward(loss_activation.dinputs)
activation1.backward(dense2.dinputs)
dense1.backward(activation1.dinputs)
for gradient in (dense1.dweights, dense1.dbiases, dense2.dweights, dense2.dbiases):
    print(gradient)

finish(
    X=X,
    y=y,
    loss=loss,
    accuracy=accuracy,
    dweights1=dense1.dweights,
    dbiases1=dense1.dbiases,
    dweights2=dense2.dweights,
    dbiases2=dense2.dbiases,
)
