"""A sine by a Model, 1-64-64-1."""

from course_data import finish, sine_data, start

from chainrule import (
    Accuracy_Regression,
    Activation_Linear,
    Activation_ReLU,
    Layer_Dense,
    Loss_MeanSquaredError,
    Model,
    Optimizer_Adam,
)

epochs = start(501)
X, y = sine_data(200)

model = Model()
model.add(Layer_Dense(1, 64, weight_scale=0.1))
model.add(Activation_ReLU())
model.add(Layer_Dense(64, 64, weight_scale=0.1))
model.add(Activation_ReLU())
model.add(Layer_Dense(64, 1, weight_scale=0.1))
model.add(Activation_Linear())
model.set(
    loss=Loss_MeanSquaredError(),
    optimizer=Optimizer_Adam(learning_rate=0.005, decay=1e-3),
    accuracy=Accuracy_Regression(),
)
model.finalize()
history = model.train(X, y, epochs=epochs, print_every=100)

finish(X=X, y=y, losses=history.data_loss, accuracies=history.accuracy)
