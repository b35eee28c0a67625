"""Small images through a flatten layer of the script's own; predictions one at a time.

The points of the spiral stand for images of 1 x 2 pixels. At the end the parameters go into a
second model, as the last chapters of the published book do it.
"""

import numpy as np
from course_data import finish, spiral_data, start

from chainrule import (
    Accuracy_Categorical,
    Activation_ReLU,
    Activation_Softmax,
    Layer_Dense,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_Adam,
)


class Layer_Flatten:
    def forward(self, inputs, training):
        self.inputs = inputs
        self.output = inputs.reshape(inputs.shape[0], -1)

    def backward(self, dvalues):
        self.dinputs = dvalues.reshape(self.inputs.shape)


def build():
    model = Model()
    model.add(Layer_Flatten())
    model.add(Layer_Dense(2, 64))
    model.add(Activation_ReLU())
    model.add(Layer_Dense(64, 3))
    model.add(Activation_Softmax())
    model.set(
        loss=Loss_CategoricalCrossentropy(),
        optimizer=Optimizer_Adam(learning_rate=0.05, decay=1e-4),
        accuracy=Accuracy_Categorical(),
    )
    model.finalize()
    return model


epochs = start(401)
X, y = spiral_data(samples=100, classes=3)
images = X.reshape(-1, 1, 2)
model = build()
history = model.train(images, y, validation_data=(images, y), epochs=epochs)

second = build()
second.set_parameters(model.get_parameters())
loss, accuracy = second.evaluate(images, y)

predictions = []
for image in images[:20]:
    confidences = second.predict(image[np.newaxis])
    predictions.append(second.output_layer_activation.predictions(confidences)[0])

finish(
    X=X,
    y=y,
    losses=history.data_loss,
    accuracies=history.accuracy,
    validation_losses=history.validation_loss,
    test_loss=loss,
    test_accuracy=accuracy,
    predictions=np.array(predictions),
    expected=np.argmax(model.predict(images[:20]), axis=1),
    plan=model.plan,
)
