"""Two arms of a spiral by a Model that ends in a sigmoid."""

from course_data import finish, spiral_data, start

from chainrule import (
    Accuracy_Categorical,
    Activation_ReLU,
    Activation_Sigmoid,
    Layer_Dense,
    Loss_BinaryCrossentropy,
    Model,
    Optimizer_Adam,
)

epochs = start(801)
X, y = spiral_data(samples=100, classes=2)
y = y.reshape(-1, 1)

model = Model()
model.add(Layer_Dense(2, 64, weight_regularizer_l2=5e-4, bias_regularizer_l2=5e-4))
model.add(Activation_ReLU())
model.add(Layer_Dense(64, 1))
model.add(Activation_Sigmoid())
model.set(
    loss=Loss_BinaryCrossentropy(),
    optimizer=Optimizer_Adam(learning_rate=0.01, decay=5e-7),
    accuracy=Accuracy_Categorical(binary=True),
)
model.finalize()
history = model.train(X, y, epochs=epochs, print_every=100)

finish(X=X, y=y, losses=history.data_loss, accuracies=history.accuracy)
