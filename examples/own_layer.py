"""A layer of your own, with parameters of its own names: normalised rows, a gain and a shift.

    output = gain * (x - mean) / sqrt(variance + epsilon) + shift,  mean and variance of each row

It names its parameters in `parameter_names` and sets a gradient for each, `d` + name. That is all:
gradcheck, optimizers, clipping, early stopping and model files find them there.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import chainrule as cr


class Layer_Normalise:
    """Layer normalisation (Ba, Kiros and Hinton, 2016) of m columns."""

    parameter_names = ("gain", "shift")

    def __init__(self, n: int, epsilon: float = 1e-5) -> None:
        self.epsilon = epsilon
        self.gain = np.ones((1, n))
        self.shift = np.zeros((1, n))

    def forward(self, inputs: Any, training: bool = False) -> Any:
        """Normalise each row, then scale and shift each column."""
        inputs = np.asarray(inputs)
        centred = inputs - inputs.mean(axis=1, keepdims=True)
        self.deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + self.epsilon)
        self.normalised = centred / self.deviation
        self.output = self.normalised * self.gain + self.shift
        return self.output

    def backward(self, dvalues: Any) -> Any:
        """Take the chain rule through shift, gain, deviation and mean."""
        self.dshift = dvalues.sum(axis=0, keepdims=True)
        self.dgain = (dvalues * self.normalised).sum(axis=0, keepdims=True)
        slope = dvalues * self.gain
        along = (slope * self.normalised).mean(axis=1, keepdims=True)
        level = slope.mean(axis=1, keepdims=True)
        self.dinputs = (slope - level - self.normalised * along) / self.deviation
        return self.dinputs


def make_model() -> cr.Model:
    """Digits through a normalised hidden layer."""
    model = cr.Model()
    for layer in (
        cr.Layer_Dense(64, 32, init="he_normal", rng=0),
        Layer_Normalise(32),
        cr.Activation_ReLU(),
        cr.Layer_Dense(32, 10, init="he_normal", rng=1),
        cr.Activation_Softmax(),
    ):
        model.add(layer)
    model.set(
        loss=cr.Loss_CategoricalCrossentropy(),
        optimizer=cr.Optimizer_Adam(0.01),
        accuracy=cr.Accuracy_Categorical(),
    )
    model.finalize()
    return model


def main() -> float:
    """Check, train, save and load; return the accuracy of the loaded model."""
    X, y = cr.datasets.load_digits()
    model = make_model()
    report = cr.gradcheck(model, X[:16], y[:16])
    print(report)
    assert report
    print(model.plan)
    model.train(X[:1500], y[:1500], epochs=5, batch_size=50, clip_norm=5.0, progress=False)
    print(f"gain: {model.layers[1].gain.min():.2f} to {model.layers[1].gain.max():.2f}")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        model.save(path)
        again = cr.Model.load(path, custom=[Layer_Normalise])
    loss, accuracy = again.evaluate(X[1500:], y[1500:])
    assert (again.layers[1].gain == model.layers[1].gain).all() and loss < 1
    return float(accuracy)


if __name__ == "__main__":
    main()
