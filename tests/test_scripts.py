"""Scripts as the world writes them run unchanged, with chainrule's data and with nnfs.

Each script of the folder scripts/ is run in a process of its own (nnfs patches NumPy). The first
50 epochs are compared with tests/reference.py, whose weights are drawn here from NumPy's random
stream as the classes promise to draw them; the ends are judged by their quality, the median of
three seeds.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference as ref
from perturbation import with_tolerance
from tolerance import assert_within, gamma, unit

Array = np.ndarray[Any, Any]
Results = dict[str, Array]

FOLDER = Path(__file__).parent / "scripts"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "course_data")
EPOCHS = 50
needs_nnfs = pytest.mark.skipif(
    importlib.util.find_spec("nnfs") is None, reason="needs the package nnfs"
)
SOURCES = [False, pytest.param(True, marks=needs_nnfs)]
NAMES = ["chainrule data", "nnfs"]


@functools.cache
def run(name: str, nnfs: bool = False, seed: int = 0, epochs: int | None = None) -> Results:
    """What the script hands to `finish`."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "results.npz")
        command = [sys.executable, "-W", "error::RuntimeWarning", str(FOLDER / f"{name}.py")]
        command += ["--seed", str(seed), "--out", out] + ["--nnfs"] * nnfs
        command += [] if epochs is None else ["--epochs", str(epochs)]
        # the bits are the same, and on a busy machine two threads would wait for each other
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=one_thread)
        assert done.returncode == 0, done.stderr
        with np.load(out) as results:
            return dict(results)


class Stream:
    """The numbers that a script draws, in its order."""

    def __init__(self, nnfs: bool, seed: int = 0) -> None:
        self.state = np.random.RandomState(seed)
        self.dtype = np.float32 if nnfs else np.float64

    def randn(self, *shape: int) -> Array:
        return self.state.randn(*shape).astype(self.dtype)

    def dense(self, d: int, m: int, scale: float = 0.01, **strengths: float) -> ref.Dense:
        return ref.Dense(scale * self.randn(d, m), np.zeros((1, m), dtype=self.dtype), **strengths)

    def dropout(self, keep: float) -> ref.Dropout:
        return ref.Dropout(keep, int(self.state.randint(0, 2**64, dtype=np.uint64)))


RELU, SOFTMAX, SIGMOID, TANH, LINEAR = (
    ref.Activation(name) for name in ("relu", "softmax", "sigmoid", "tanh", "linear")
)


@dataclass
class Twin:
    """A script's network in the reference: after `drawn` normal numbers, these layers."""

    drawn: int
    layers: Callable[[Stream], list[Any]]
    loss: str
    optimizer: ref.Optimizer
    accuracy: str | None
    shuffled: bool = False
    batch_size: int | None = None
    suffix: str = ""
    per_epoch: bool = False  # the regularisation loss is that of the epoch's end

    def spec(self, nnfs: bool) -> ref.Spec:
        stream = Stream(nnfs)
        stream.randn(self.drawn)
        if self.shuffled:
            stream.state.shuffle(np.arange(300))
        return ref.Spec(self.layers(stream), self.loss, self.optimizer, self.accuracy)

    def trainer(self, X: Array, y: Array) -> Callable[[ref.Spec], Results]:
        """50 epochs on X, y: their losses, and the regularisation where there is some."""

        def train(spec: ref.Spec) -> Results:
            rows, penalties = [], []
            for _ in range(EPOCHS):
                penalties.append(spec.regularization_loss())
                rows += ref.train(spec, X, y, batch_size=self.batch_size)
                if self.per_epoch:
                    penalties[-1] = spec.regularization_loss()
            losses = np.array([row["data_loss"] for row in rows])
            accuracies = np.array([row["accuracy"] for row in rows])
            return {"losses": losses, "penalties": np.array(penalties), "accuracies": accuracies}

        return train


@dataclass
class AdaMax(ref.Optimizer):
    """The optimizer of own_optimizer.py."""

    def update(self, layer: ref.Dense, dweights: Array, dbiases: Array | None) -> None:
        assert layer.biases is not None and dbiases is not None
        self.step(layer, "weight", layer.weights, dweights)
        self.step(layer, "bias", layer.biases, dbiases)

    def step(self, layer: ref.Dense, kind: str, parameter: Array, gradient: Array) -> None:
        mean = layer.state.setdefault(f"{kind}_mean", np.zeros_like(parameter))
        peak = layer.state.setdefault(f"{kind}_peak", np.zeros_like(parameter))
        mean[...] = self.beta_1 * mean + (1 - self.beta_1) * gradient
        peak[...] = np.maximum(self.beta_2 * peak, np.abs(gradient))
        rate = self.learning_rate / (1 - self.beta_1 ** (self.iterations + 1))
        parameter -= rate * mean / (peak + self.epsilon)


def spiral_net(classes: int = 3, **strengths: float) -> Callable[[Stream], list[Any]]:
    last = SOFTMAX if classes > 1 else SIGMOID
    return lambda s: [s.dense(2, 64, **strengths), RELU, s.dense(64, classes), last]


def dropout_net(stream: Stream) -> list[Any]:
    first = stream.dense(2, 64, weight_l2=5e-4, bias_l2=5e-4)
    return [first, RELU, stream.dropout(0.9), stream.dense(64, 3), SOFTMAX]


def regularized_net(stream: Stream) -> list[Any]:
    first = stream.dense(2, 64, weight_l2=5e-4, bias_l2=5e-4)
    return [first, RELU, stream.dense(64, 3, weight_l1=1e-5, bias_l1=1e-5), SOFTMAX]


def sine_net(stream: Stream) -> list[Any]:
    sizes = ((1, 64), (64, 64), (64, 1))
    first, second, third = (stream.dense(d, m, scale=0.1) for d, m in sizes)
    return [first, RELU, second, RELU, third, LINEAR]


def log_cosh_net(stream: Stream) -> list[Any]:
    first = stream.dense(1, 16, scale=1)
    return [first, TANH, stream.dense(16, 1, scale=0.1, weight_l2=1e-5), LINEAR]


def optimizer_twin(name: str, **settings: Any) -> Twin:
    optimizer = ref.Optimizer(**settings)
    net, loss = spiral_net(), "categorical_crossentropy"
    return Twin(300, net, loss, optimizer, "categorical", suffix=f"_{name}")


def adam(learning_rate: float, decay: float) -> ref.Optimizer:
    return ref.Optimizer("adam", learning_rate, decay)


SPIRAL = ("categorical_crossentropy", "categorical")
L2 = {"weight_l2": 5e-4, "bias_l2": 5e-4}
BINARY = Twin(
    200, spiral_net(1, **L2), "binary_crossentropy", adam(0.01, 5e-7), "binary", per_epoch=True
)
SINE = Twin(0, sine_net, "mean_squared_error", adam(0.005, 1e-3), "regression")
TWINS: dict[tuple[str, str], Twin] = {
    ("spiral_optimizers", "sgd"): optimizer_twin("sgd"),
    ("spiral_optimizers", "decay"): optimizer_twin("decay", decay=1e-3),
    ("spiral_optimizers", "momentum"): optimizer_twin("momentum", decay=1e-3, momentum=0.9),
    ("spiral_optimizers", "adagrad"): optimizer_twin("adagrad", rule="adagrad", decay=1e-4),
    ("spiral_optimizers", "rmsprop"): optimizer_twin(
        "rmsprop", rule="rmsprop", learning_rate=0.02, decay=1e-5, rho=0.999
    ),
    ("spiral_optimizers", "adam"): optimizer_twin(
        "adam", rule="adam", learning_rate=0.05, decay=5e-7
    ),
    ("spiral_regularization", ""): Twin(
        300, regularized_net, SPIRAL[0], adam(0.02, 5e-7), SPIRAL[1]
    ),
    ("spiral_dropout", ""): Twin(300, dropout_net, SPIRAL[0], adam(0.05, 5e-5), SPIRAL[1]),
    ("binary_logistic", ""): BINARY,
    ("sine_regression", ""): SINE,
    ("model_spiral", ""): Twin(
        600,
        dropout_net,
        SPIRAL[0],
        adam(0.05, 5e-5),
        SPIRAL[1],
        shuffled=True,
        batch_size=64,
        per_epoch=True,
    ),
    ("model_images", ""): Twin(300, spiral_net(), SPIRAL[0], adam(0.05, 1e-4), SPIRAL[1]),
    ("model_binary", ""): BINARY,
    ("model_sine", ""): SINE,
    ("own_loss", ""): Twin(
        0,
        log_cosh_net,
        "log_cosh",
        ref.Optimizer(learning_rate=0.3, decay=1e-4, momentum=0.9),
        None,
        per_epoch=True,
    ),
    ("own_optimizer", ""): Twin(
        300, spiral_net(), SPIRAL[0], AdaMax(learning_rate=0.02), SPIRAL[1]
    ),
    ("pickle_model", ""): Twin(300, spiral_net(), SPIRAL[0], adam(0.02, 1e-4), SPIRAL[1]),
}


def log_cosh(y_pred: Array, y_true: Array) -> Array:
    return np.mean(np.log(np.cosh(y_pred - y_true)), axis=-1)


def log_cosh_backward(dvalues: Array, y_true: Array) -> Array:
    return np.tanh(dvalues - y_true) / dvalues.shape[1] / len(dvalues)


@pytest.mark.parametrize("nnfs", SOURCES, ids=NAMES)
@pytest.mark.parametrize("key", TWINS, ids=" ".join)
def test_the_first_epochs_are_the_references(
    key: tuple[str, str], nnfs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the drift that rounding alone explains: some 1e-14 at first in float64."""
    monkeypatch.setitem(ref.LOSSES, "log_cosh", (log_cosh, log_cosh_backward))
    twin, results = TWINS[key], run(key[0], nnfs)
    dtype = np.float32 if nnfs else np.float64
    X, y = results["X"].astype(dtype), results["y"]
    y = y.astype(np.int64 if y.ndim == 1 else dtype)
    expected = with_tolerance(twin.trainer(X, y), twin.spec(nnfs), dtype)
    for name, (values, bound) in expected.items():
        if name + twin.suffix not in results:
            continue
        found = results[name + twin.suffix][:EPOCHS].astype(np.float64)
        if name != "accuracies":
            assert_within(found, values.astype(np.float64), bound.astype(np.float64))
            assert bound[0] < 100 * unit(dtype)
            assert nnfs or bound.max() < 1e-6, "a tolerance that tests nothing"
        elif not nnfs:  # one prediction of each batch may stand on the brink
            assert np.abs(found - values).max() <= 1.5 / len(X)


def test_every_script_has_a_twin_here() -> None:
    own = {"spiral_forward_backward", "random_search"}
    assert {name for name, _ in TWINS} | own == set(SCRIPTS)


@pytest.mark.parametrize("nnfs", SOURCES, ids=NAMES)
def test_one_pass_gives_the_references_gradients(nnfs: bool) -> None:
    results, stream = run("spiral_forward_backward", nnfs), Stream(nnfs)
    stream.randn(300)
    layers = [stream.dense(2, 3), RELU, stream.dense(3, 3), SOFTMAX]
    spec = ref.Spec(layers, SPIRAL[0], ref.Optimizer(), SPIRAL[1])
    for layer in (layers[0], layers[2]):
        layer.weights = layer.weights.astype(np.float64)
        layer.biases = layer.biases.astype(np.float64)
    X, y = results["X"].astype(np.float64), results["y"].astype(np.int64)
    trace = ref.forward(spec, X, training=True)
    (_, dweights2, dbiases2), (_, dweights1, dbiases1) = ref.backward(spec, trace, y)
    # all inputs are at most 1, p - onehot too, and the weights are known: sums of 300 terms
    error = gamma(350, stream.dtype)
    hidden = np.abs(trace[1][1]).max()
    weight = np.abs(layers[2].weights).sum()
    assert_within(results["dweights2"], dweights2, error * 2 * hidden)
    assert_within(results["dbiases2"], dbiases2, np.array(error * 2))
    assert_within(results["dweights1"], dweights1, error * 2 * weight)
    assert_within(results["dbiases1"], dbiases1, error * 2 * weight)
    assert abs(results["loss"] - np.log(3)) < 1e-3
    assert results["accuracy"] == np.mean(trace[-1][1].argmax(axis=1) == y)
    assert results["dweights1"].dtype == stream.dtype


@pytest.mark.parametrize("nnfs", SOURCES, ids=NAMES)
def test_random_search_takes_the_references_steps(nnfs: bool) -> None:
    """The weights are edited in place and put back: 200 tries, kept or not as in the reference."""
    results, stream = run("random_search", nnfs), Stream(nnfs)
    stream.randn(600)
    layers = [stream.dense(2, 3), RELU, stream.dense(3, 3), SOFTMAX]
    dense = [layers[0], layers[2]]
    X, y = results["X"], results["y"].astype(np.int64)
    lowest, best, losses = np.inf, [], []
    for _ in range(200):
        for layer in dense:
            layer.weights = layer.weights + 0.05 * stream.randn(*layer.weights.shape)
            layer.biases = layer.biases + 0.05 * stream.randn(*layer.biases.shape)
        output = ref.forward(ref.Spec(layers, "", ref.Optimizer()), X, training=False)[-1][1]
        losses.append(ref.categorical_crossentropy_forward(output, y).mean(dtype=np.float64))
        if losses[-1] < lowest:
            lowest, best = losses[-1], [(layer.weights, layer.biases) for layer in dense]
        else:
            for layer, kept in zip(dense, best, strict=True):
                layer.weights, layer.biases = kept
    # a logit is a sum of some terms below 2, twice; the loss has slope 1 in it, and the log
    bound = 64 * unit(stream.dtype) * np.ones(200)
    assert_within(results["losses"][:200].astype(np.float64), np.array(losses), bound)
    assert results["losses"].min() < 0.35 and results["accuracies"][-1] > 0.85


# Where the trainings end


QUALITY = {
    "spiral_dropout": ("accuracies", 0.6),
    "spiral_regularization": ("test_accuracy", 0.68),
    "binary_logistic": ("accuracies", 0.85),
    "model_spiral": ("test_accuracy", 0.5),
    "model_images": ("test_accuracy", 0.6),
    "model_binary": ("accuracies", 0.85),
    "own_optimizer": ("accuracies", 0.65),
    "pickle_model": ("accuracies", 0.6),
    "sine_regression": ("losses", 1e-3),
    "model_sine": ("losses", 1e-3),
    "own_loss": ("losses", 5e-3),
}


@pytest.mark.parametrize("name", QUALITY)
def test_trainings_end_well(name: str) -> None:
    what, limit = QUALITY[name]
    ends = [np.atleast_1d(run(name, seed=seed)[what])[-1] for seed in range(3)]
    if what == "losses":
        assert np.median(ends) < limit
    else:
        assert np.median(ends) > limit


@needs_nnfs
@pytest.mark.parametrize("name", QUALITY)
def test_trainings_end_well_after_nnfs_init(name: str) -> None:
    """In float32, since np.random.randn gives it: a band wider for the one seed."""
    what, limit = QUALITY[name]
    results = run(name, nnfs=True)
    end = np.atleast_1d(results[what])[-1]
    assert end < 3 * limit if what == "losses" else end > limit - 0.1


def test_each_optimizer_learns_the_spiral() -> None:
    runs = [run("spiral_optimizers", seed=seed) for seed in range(3)]
    for name, least in (("momentum", 0.7), ("adagrad", 0.55), ("rmsprop", 0.6), ("adam", 0.75)):
        ends = [results[f"accuracies_{name}"][-1] for results in runs]
        assert np.median(ends) > least, name


def test_a_pickled_model_and_a_copied_one_go_on_alike() -> None:
    assert run("pickle_model")["same"]


def test_one_image_at_a_time_is_predicted_as_all_are() -> None:
    results = run("model_images")
    np.testing.assert_array_equal(results["predictions"], results["expected"])
    assert results["test_loss"] == pytest.approx(results["validation_losses"][-1], rel=1e-12)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("model_images", "Layer_Flatten"),
        ("own_loss", "Loss_LogCosh"),
        ("own_optimizer", "Optimizer_AdaMax"),
    ],
)
def test_own_classes_take_the_layer_by_layer_way(name: str, reason: str) -> None:
    plan = str(run(name)["plan"])
    assert plan.startswith("layer by layer") and reason in plan
