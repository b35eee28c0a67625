"""A loss of one's own, log cosh, as a subclass of Loss; the Model trains with it."""

import numpy as np
from course_data import finish, sine_data, start

from chainrule import (
    Activation_Linear,
    Activation_Tanh,
    Layer_Dense,
    Loss,
    Model,
    Optimizer_SGD,
)


class Loss_LogCosh(Loss):
    """mean_j log cosh(p - y): a parabola near 0, a straight line far out."""

    def forward(self, y_pred, y_true):
        return np.mean(np.log(np.cosh(y_pred - y_true)), axis=-1)

    def backward(self, dvalues, y_true):
        samples, outputs = dvalues.shape
        self.dinputs = np.tanh(dvalues - y_true) / outputs / samples


epochs = start(601)
X, y = sine_data(100)

model = Model()
model.add(Layer_Dense(1, 16, weight_scale=1))
model.add(Activation_Tanh())
model.add(Layer_Dense(16, 1, weight_scale=0.1, weight_regularizer_l2=1e-5))
model.add(Activation_Linear())
model.set(loss=Loss_LogCosh(), optimizer=Optimizer_SGD(0.3, decay=1e-4, momentum=0.9))
model.finalize()
print(model.plan)
history = model.train(X, y, epochs=epochs, print_every=100)

finish(
    X=X,
    y=y,
    losses=history.data_loss,
    penalties=history.regularization_loss,
    plan=model.plan,
)
