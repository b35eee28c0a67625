"""`chainrule demo`: what the package does, shown in under a minute.

    digits   read handwritten digits with a 64-128-64-10 net
    sine     fit a sine with a 1-10-1 net, 100,000 steps
    spiral   part the three arms of a spiral

Each trains through `Model.train`, checks the gradient of the model it has trained, races a
plain NumPy loop over the same steps, and draws a picture where matplotlib is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule

from . import pictures
from .numpy_loop import numpy_training

SPLIT_SEED = 0
TEST_DIGITS = 360
REPEATS = 3

Arrays = tuple[NDArray[Any], NDArray[Any]]


def run(name: str, output: Path) -> None:
    """Run the demo `name`; its picture goes into the folder `output`."""
    output.mkdir(parents=True, exist_ok=True)
    print(f"chainrule {chainrule.__version__}, {chainrule.cpu_target()} kernels, "
          f"{_count(chainrule.get_num_threads(), 'thread')}")  # fmt: skip
    {"digits": digits, "sine": sine, "spiral": spiral}[name](output)


def split_digits() -> tuple[Arrays, Arrays]:
    """Training and test digits, float32: a fixed permutation, its first 360 for the test."""
    X, y = chainrule.datasets.load_digits()
    order = np.random.default_rng(SPLIT_SEED).permutation(len(X))
    X, y = X[order].astype(np.float32), y[order]
    return (X[TEST_DIGITS:], y[TEST_DIGITS:]), (X[:TEST_DIGITS], y[:TEST_DIGITS])


def digits_model() -> chainrule.Model:
    """64-128-64-10, ReLU, softmax cross-entropy, SGD with momentum; always the same weights."""
    return _classifier([64, 128, 64, 10], chainrule.Optimizer_SGD(0.05, momentum=0.9))


def digits(output: Path) -> None:
    """Train on 1,437 digits and read the other 360."""
    training, test = split_digits()
    print(f"data: {len(training[0])} handwritten digits to learn from, {len(test[0])} as a test")
    print("model: 64-128-64-10, ReLU, softmax cross-entropy, SGD with momentum, float32")
    settings = {"epochs": 40, "batch_size": 32}
    model = digits_model()
    history = _train(model, training, validation_data=test, **settings)
    read = _classes(model, test[0])
    print(f"test accuracy: {100 * np.mean(read == test[1]):.1f} %")
    _check(model, training[0][:32], training[1][:32])
    _race(digits_model, training, settings)
    _draw(output / "chainrule-digits.png",
          lambda: pictures.digits_picture(history, model, *test))  # fmt: skip


def sine(output: Path) -> None:
    """Fit 25 points of a sine: full batch, 100,000 steps of plain SGD."""
    np.random.seed(0)  # noqa: NPY002
    X = np.random.uniform(-10, 10, 25).reshape(-1, 1)  # noqa: NPY002
    training = (X, np.sin(X))
    print("data: 25 points of a sine between -10 and 10")
    print("model: 1-10-1, tanh, half squared error, SGD, float64")
    model = sine_model()
    history = _train(model, training, epochs=100_000)
    error = float(np.mean((model.predict(X) - training[1]) ** 2))
    print(f"mean squared error: {error:.3g}")
    _check(model, *training)
    _race(sine_model, training, {"epochs": 20_000})
    t = np.arange(-10, 10, 0.05)
    _draw(output / "chainrule-sine.png",
          lambda: pictures.sine_picture((X.ravel(), training[1].ravel()),
                                        (t, model.predict(t[:, None]).ravel()),
                                        history.data_loss))  # fmt: skip


def sine_model() -> chainrule.Model:
    """1-10-1, tanh, with weights drawn as rows 1 of two augmented matrices, biases as rows 0."""
    np.random.seed(11)  # noqa: NPY002
    first = np.random.randn(2, 10)  # noqa: NPY002
    second = np.random.randn(11, 1)  # noqa: NPY002
    model = chainrule.Model()
    model.add(chainrule.Layer_Dense(1, 10))
    model.add(chainrule.Activation_Tanh())
    model.add(chainrule.Layer_Dense(10, 1))
    model.add(chainrule.Activation_Linear())
    for layer, rows in zip(model.layers[::2], (first, second), strict=True):
        layer.set_parameters(rows[1:], rows[:1])
    model.set(loss=chainrule.Loss_HalfSquaredError(), optimizer=chainrule.Optimizer_SGD(0.1))
    model.finalize()
    return model


def spiral(output: Path) -> None:
    """Part three arms of 100 points each."""
    X, y = chainrule.datasets.spiral_data(100, 3, rng=0)
    training = (X.astype(np.float32), y)
    print("data: 300 points in three spiral arms")
    print("model: 2-64-64-3, ReLU, softmax cross-entropy, SGD with momentum, float32")
    model = spiral_model()
    history = _train(model, training, epochs=10_000)
    reached = float(np.mean(_classes(model, training[0]) == y))
    print(f"training accuracy: {100 * reached:.1f} %")
    _check(model, training[0][::10], y[::10])
    _race(spiral_model, training, {"epochs": 1_000})
    _draw(output / "chainrule-spiral.png",
          lambda: pictures.spiral_picture(*training, history, model))  # fmt: skip


def spiral_model() -> chainrule.Model:
    """2-64-64-3, ReLU, softmax cross-entropy, SGD with momentum; always the same weights."""
    return _classifier([2, 64, 64, 3], chainrule.Optimizer_SGD(0.02, momentum=0.9))


def _classifier(sizes: list[int], optimizer: Any) -> chainrule.Model:
    rng = np.random.default_rng(1)
    model = chainrule.Model()
    for n_inputs, n_neurons in pairwise(sizes):
        model.add(
            chainrule.Layer_Dense(n_inputs, n_neurons, init="he_normal", dtype=np.float32, rng=rng)
        )
        last = n_neurons == sizes[-1]
        model.add(chainrule.Activation_Softmax() if last else chainrule.Activation_ReLU())
    model.set(
        loss=chainrule.Loss_CategoricalCrossentropy(),
        optimizer=optimizer,
        accuracy=chainrule.Accuracy_Categorical(),
    )
    model.finalize()
    return model


def _classes(model: chainrule.Model, X: NDArray[Any]) -> NDArray[np.int64]:
    classes: NDArray[np.int64] = np.argmax(model.predict(X), axis=1)
    return classes


def _train(model: chainrule.Model, training: Arrays, **settings: Any) -> chainrule.History:
    start = perf_counter()
    history = model.train(*training, progress=True, **settings)
    seconds = perf_counter() - start
    print(f"time: {seconds:.3g} s for {settings['epochs']:,} epochs ({model.plan})")
    return history


def _check(model: chainrule.Model, X: NDArray[Any], y: NDArray[Any]) -> None:
    print(f"\n{chainrule.gradcheck(model, X, y)}\n")


def _race(make: Callable[[], chainrule.Model], training: Arrays, settings: dict[str, Any]) -> None:
    """The same steps by chainrule and by plain NumPy, in turns; the best time of each counts."""
    ours, theirs = [], []
    for _ in range(REPEATS):
        model, other = make(), make()
        start = perf_counter()
        history = model.train(*training, progress=False, **settings)
        ours.append(perf_counter() - start)
        start = perf_counter()
        loss = numpy_training(other, *training, **settings)
        theirs.append(perf_counter() - start)
    print(f"{settings['epochs']:,} epochs from the start again: chainrule {min(ours):.3g} s, "
          f"plain NumPy loop {min(theirs):.3g} s, ratio {min(theirs) / min(ours):.1f}")  # fmt: skip
    print(f"loss of the last epoch: chainrule {history.loss[-1]:.4g}, NumPy {loss:.4g} "
          "(each rounds in its own way)")  # fmt: skip


def _draw(path: Path, picture: Callable[[], Any]) -> None:
    try:
        pictures.pyplot()
    except ImportError as error:
        print(f"no picture: {error}")
        return
    print(f"picture: {pictures.save_picture(picture(), path)}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
