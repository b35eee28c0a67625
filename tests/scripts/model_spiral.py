"""The spiral by a Model: shuffled data, minibatches, dropout, L2, validation each epoch."""

import numpy as np
from course_data import finish, spiral_data, start

from chainrule import (
    Accuracy_Categorical,
    Activation_ReLU,
    Activation_Softmax,
    Layer_Dense,
    Layer_Dropout,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_Adam,
)

epochs = start(201)
X, y = spiral_data(samples=100, classes=3)
X_test, y_test = spiral_data(samples=100, classes=3)
keys = np.array(range(len(X)))
np.random.shuffle(keys)  # noqa: NPY002
X, y = X[keys], y[keys]

model = Model()
model.add(Layer_Dense(2, 64, weight_regularizer_l2=5e-4, bias_regularizer_l2=5e-4))
model.add(Activation_ReLU())
model.add(Layer_Dropout(0.1))
model.add(Layer_Dense(64, 3))
model.add(Activation_Softmax())
model.set(
    loss=Loss_CategoricalCrossentropy(),
    optimizer=Optimizer_Adam(learning_rate=0.05, decay=5e-5),
    accuracy=Accuracy_Categorical(),
)
model.finalize()
history = model.train(
    X, y, validation_data=(X_test, y_test), epochs=epochs, batch_size=64, print_every=100
)
test_loss, test_accuracy = model.evaluate(X_test, y_test)

finish(
    X=X,
    y=y,
    X_test=X_test,
    y_test=y_test,
    losses=history.data_loss,
    penalties=history.regularization_loss,
    accuracies=history.accuracy,
    validation_losses=history.validation_loss,
    test_accuracy=test_accuracy,
)
