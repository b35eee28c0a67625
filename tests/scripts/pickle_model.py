"""A model goes through pickle in mid-training, and a twin through copy.deepcopy."""

import copy
import os
import pickle
import tempfile

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

epochs = start(401)
X, y = spiral_data(samples=100, classes=3)

model = Model()
model.add(Layer_Dense(2, 64))
model.add(Activation_ReLU())
model.add(Layer_Dense(64, 3))
model.add(Activation_Softmax())
model.set(
    loss=Loss_CategoricalCrossentropy(),
    optimizer=Optimizer_Adam(learning_rate=0.02, decay=1e-4),
    accuracy=Accuracy_Categorical(),
)
model.finalize()
first = model.train(X, y, epochs=epochs // 2)
twin = copy.deepcopy(model)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "spiral.model")
    with open(path, "wb") as file:
        pickle.dump(model, file)
    with open(path, "rb") as file:
        loaded = pickle.load(file)

outputs = [each.predict(X) for each in (model, twin, loaded)]
same = all(np.array_equal(outputs[0], output) for output in outputs)
second = loaded.train(X, y, epochs=epochs - epochs // 2)
other = twin.train(X, y, epochs=epochs - epochs // 2)
same = same and np.array_equal(second.loss, other.loss)
loaded.evaluate(X, y)

finish(
    X=X,
    y=y,
    losses=np.concatenate([first.data_loss, second.data_loss]),
    accuracies=np.concatenate([first.accuracy, second.accuracy]),
    same=same,
)
