"""A 1-10-1 tanh net learns the sine: by the analytic gradient, then by numerical gradients.

    Z = tanh([1 X] W1)       O = [1 Z] W2       loss = 1/n sum 1/2 (y - o)^2

The biases are row 0 of the augmented matrices W1 (2, 10) and W2 (11, 1). Three trainings:

    model      `Model.train`: 100,000 full-batch steps, all gradients taken at one point
    by hand    the layer classes in the notebook's order: the second weights are updated before
               the first layer's gradient is taken with them
    numerical  10,000 sweeps; each parameter moves by its own central difference, one by one

Run: python examples/sine_analytic_and_numerical.py [--steps N] [--sweeps N] [--output FOLDER]
"""
# ruff: noqa: NPY002

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from chainrule import (
    Activation_Linear,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Activation_Tanh,
    Layer_Dense,
    Loss_HalfSquaredError,
    Model,
    Optimizer_SGD,
    gradcheck,
    numerical_gradient,
)
from chainrule.demo.pictures import BLUE, RED, pyplot, save_picture

SAMPLES, NEURONS = 25, 10
STEPS, RATE = 100_000, 0.1
SWEEPS, NUMERICAL_RATE, H = 10_000, 1e-2, 1e-5


def analytic_data():
    """25 points from -10 to 10. The notebook draws them before it seeds; here seed 0 does."""
    np.random.seed(0)
    X = np.random.uniform(-10, 10, SAMPLES).reshape(-1, 1)
    return X, np.sin(X)


def analytic_start():
    """The augmented matrices, seed 11."""
    np.random.seed(11)
    return np.random.randn(2, NEURONS), np.random.randn(NEURONS + 1, 1)


def dense(rows):
    """A layer whose biases are row 0 of `rows` and whose weights are the others."""
    layer = Layer_Dense(len(rows) - 1, rows.shape[1], rng=0)
    layer.set_parameters(rows[1:].copy(), rows[:1].copy())
    return layer


def augmented(layers):
    """The matrices W1, W2 of two dense layers."""
    return [np.vstack([layer.biases, layer.weights]) for layer in layers]


def mean_squared_error(predictions, y):
    return float(np.mean((predictions - y) ** 2))


def train_model(steps=STEPS, progress=None):
    """`Model.train`, the exact gradient. Returns the model and its mean squared error."""
    W1, W2 = analytic_start()
    X, y = analytic_data()
    model = Model()
    for layer in (dense(W1), Activation_Tanh(), dense(W2), Activation_Linear()):
        model.add(layer)
    model.set(loss=Loss_HalfSquaredError(), optimizer=Optimizer_SGD(RATE))
    model.finalize()
    model.train(X, y, epochs=steps, progress=progress)
    return model, mean_squared_error(model.predict(X), y)


def train_by_hand(steps=STEPS, progress=False):
    """Layer classes in the notebook's order. Returns the layers and the mean squared error."""
    W1, W2 = analytic_start()
    X, y = analytic_data()
    first, tanh, second, loss = dense(W1), Activation_Tanh(), dense(W2), Loss_HalfSquaredError()
    for _ in tqdm(range(steps), "by hand", disable=not progress):
        second.forward(tanh.forward(first.forward(X)))
        dvalues = loss.backward(second.output, y)
        second.backward(dvalues)
        second.weights -= RATE * second.dweights
        second.biases -= RATE * second.dbiases
        second.backward(dvalues)
        first.backward(tanh.backward(second.dinputs))
        first.weights -= RATE * first.dweights
        first.biases -= RATE * first.dbiases
    return (first, second), mean_squared_error(predict((first, second), X), y)


def predict(layers, X):
    first, second = layers
    return second.forward(Activation_Tanh().forward(first.forward(X)))


def train_numerically(sweeps=SWEEPS, progress=False):
    """Each parameter is updated before the next one's difference is taken.

    Returns the layers, the loss before, the training loss and the testing loss after: mean
    squared errors, without the half.
    """
    np.random.seed(111)
    X = np.random.uniform(-np.pi, np.pi, SAMPLES).reshape(-1, 1)
    y = np.sin(X)
    layers = (dense(np.random.randn(2, NEURONS)), dense(np.random.randn(NEURONS + 1, 1)))
    (first, second), tanh = layers, Activation_Tanh()

    def loss():
        error = second.forward(tanh.forward(first.forward(X))) - y
        return float((error * error).sum()) / SAMPLES

    before = loss()
    for _ in tqdm(range(sweeps), "numerical", disable=not progress):
        for layer in layers:
            for array in (layer.biases, layer.weights):
                descend_one_by_one(array, loss)
    t = np.arange(-2 * np.pi, 2 * np.pi, 0.1)[:, None]
    return layers, before, loss(), mean_squared_error(predict(layers, t), np.sin(t)), (X, y)


def descend_one_by_one(array, loss):
    """Central difference and step for one entry after the other, in place."""
    entries = array.reshape(-1)
    for k in range(len(entries)):
        value = entries[k]
        entries[k] = value + H
        upper = loss()
        entries[k] = value - H
        lower = loss()
        entries[k] = value - NUMERICAL_RATE * (upper - lower) / (2 * H)


def crossentropy_gradient():
    """Softmax cross-entropy, `1/n sum -y log o`: its gradient by the sums is (O - Y) / n too."""
    rng = np.random.default_rng(0)
    sums, Y = rng.standard_normal((4, 3)), np.eye(3, dtype=np.float64)[[0, 2, 1, 2]]
    both = Activation_Softmax_Loss_CategoricalCrossentropy()
    both.forward(sums, Y)
    both.backward(both.output, Y)
    return both.dinputs, (both.output - Y) / len(Y), numerical_gradient(
        lambda z: float(both.forward(z, Y)), sums
    )  # fmt: skip


def draw(model, hand, numerical, path):
    plt = pyplot()
    figure, panels = plt.subplots(1, 2, figsize=(12, 4.3), layout="constrained")
    X, y = analytic_data()
    t = np.arange(-10, 10, 0.05)
    panels[0].plot(t, model.predict(t[:, None]), color=BLUE, label="Model")
    panels[0].plot(t, predict(hand, t[:, None]), "--", color="#e08214", label="by hand")
    panels[0].set_title("Analytic gradient, 25 points from −10 to 10")
    layers, points = numerical
    s = np.arange(-2 * np.pi, 2 * np.pi, 0.05)
    panels[1].plot(s, predict(layers, s[:, None]), color=BLUE, label="prediction")
    panels[1].axvspan(-np.pi, np.pi, color="#f2f4f7", zorder=0)
    panels[1].set_title("Numerical gradient, 25 points from −π to π (shaded)")
    for axes, line, data in ((panels[0], t, (X, y)), (panels[1], s, points)):
        axes.plot(line, np.sin(line), ":", color=RED, label="sin x")
        axes.scatter(*data, s=30, facecolor="white", edgecolor=RED, zorder=3, label="data")
        axes.set(xlabel="x", ylim=(-2.2, 2.2))
        axes.legend(loc="upper center", ncols=4, fontsize=9)
    return save_picture(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of both analytic forms")
    parser.add_argument("--sweeps", type=int, default=SWEEPS, help="sweeps of the numerical form")
    parser.add_argument("--output", type=Path, default=Path(), help="folder for the picture")
    options = parser.parse_args()

    print("Analytic gradient")
    model, error = train_model(options.steps, progress=True)
    hand, hand_error = train_by_hand(options.steps, progress=True)
    print(f"mean squared error after {options.steps:,} steps")
    print(f"  Model, exact gradient              {error!r}")
    print(f"  by hand, in the notebook's order   {hand_error!r}")
    print("The notebook updates W2 before it uses it for the gradient of W1, so what it follows is")
    print("not the gradient at one point; it also draws X before it seeds.\n")
    print(gradcheck(model, *analytic_data()))

    ours, formula, differences = crossentropy_gradient()
    print("\nThe notebook's other loss, softmax cross-entropy, has the same gradient (O - Y) / n:")
    print(f"largest difference to the formula {np.abs(ours - formula).max():.1e}, "
          f"to central differences {np.abs(ours - differences).max():.1e}\n")  # fmt: skip

    print("Numerical gradient")
    layers, before, training, testing, points = train_numerically(options.sweeps, progress=True)
    print(f"loss = {before:.3f}")
    print(f"training loss = {training:.3f} ({training:.11f})")
    print(f"testing loss = {testing:.3f}")
    print("Between -pi and pi the net has learned the sine; outside it has seen no data.")
    try:
        path = options.output / "sine_analytic_and_numerical.png"
        print(f"\npicture: {draw(model, hand, (layers, points), path)}")
    except ImportError as error:
        print(f"\nno picture: {error}")


if __name__ == "__main__":
    main()
