"""An optimizer of one's own, AdaMax, that keeps its arrays on the layers."""

import numpy as np
from course_data import finish, spiral_data, start

from chainrule import (
    Accuracy_Categorical,
    Activation_ReLU,
    Activation_Softmax,
    Layer_Dense,
    Loss_CategoricalCrossentropy,
    Model,
)


class Optimizer_AdaMax:
    """m = b1 m + (1 - b1) g; u = max(b2 u, |g|); w -= rate / (1 - b1^t) * m / (u + epsilon)."""

    def __init__(self, learning_rate=0.02, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.iterations = 0

    def update_params(self, layer):
        if not hasattr(layer, "mean"):
            layer.mean = [np.zeros_like(layer.weights), np.zeros_like(layer.biases)]
            layer.peak = [np.zeros_like(layer.weights), np.zeros_like(layer.biases)]
        rate = self.learning_rate / (1 - self.beta_1 ** (self.iterations + 1))
        gradients = (layer.dweights, layer.dbiases)
        for i, gradient in enumerate(gradients):
            layer.mean[i] = self.beta_1 * layer.mean[i] + (1 - self.beta_1) * gradient
            layer.peak[i] = np.maximum(self.beta_2 * layer.peak[i], np.abs(gradient))
        layer.weights += -rate * layer.mean[0] / (layer.peak[0] + self.epsilon)
        layer.biases += -rate * layer.mean[1] / (layer.peak[1] + self.epsilon)

    def post_update_params(self):
        self.iterations += 1


epochs = start(601)
X, y = spiral_data(samples=100, classes=3)

model = Model()
model.add(Layer_Dense(2, 64))
model.add(Activation_ReLU())
model.add(Layer_Dense(64, 3))
model.add(Activation_Softmax())
model.set(
    loss=Loss_CategoricalCrossentropy(),
    optimizer=Optimizer_AdaMax(),
    accuracy=Accuracy_Categorical(),
)
model.finalize()
print(model.plan)
history = model.train(X, y, epochs=epochs, print_every=100)

finish(X=X, y=y, losses=history.data_loss, accuracies=history.accuracy, plan=model.plan)
