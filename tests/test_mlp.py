"""chainrule.mlp: a net with defaults fit for practice, in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import (
    Accuracy_Categorical,
    Accuracy_Regression,
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_Hinge,
    Loss_Huber,
    Loss_MeanSquaredError,
    Loss_Quantile,
    Optimizer_Adam,
    Optimizer_SGD,
    mlp,
)
from chainrule.catalogue import classes

ENDS = {
    None: (Activation_Linear, Loss_MeanSquaredError, Accuracy_Regression, False),
    "softmax": (Activation_Softmax, Loss_CategoricalCrossentropy, Accuracy_Categorical, False),
    "sigmoid": (Activation_Sigmoid, Loss_BinaryCrossentropy, Accuracy_Categorical, True),
}
RNG = np.random.default_rng(3)
X = RNG.standard_normal((60, 5))
TARGETS = {
    None: X @ [1.0, -1.0, 0.5, 0.0, 2.0],
    "softmax": np.argmax(X[:, :3], axis=1),
    "sigmoid": (X[:, 0] > 0) * 1,
}
OUTPUTS = {None: 1, "softmax": 3, "sigmoid": 1}


@pytest.mark.parametrize("output", ENDS)
def test_the_output_chooses_activation_loss_and_accuracy(output: str | None) -> None:
    last, loss, accuracy, binary = ENDS[output]
    model = mlp(5, 16, 8, OUTPUTS[output], output=output, seed=1)
    kinds = [Layer_Dense, Activation_ReLU, Layer_Dense, Activation_ReLU, Layer_Dense, last]
    assert [type(layer) for layer in model.layers] == kinds
    assert type(model.loss) is loss and type(model.accuracy) is accuracy
    assert getattr(model.accuracy, "binary", False) == binary
    assert type(model.optimizer) is Optimizer_Adam
    assert [layer.dtype for layer in model.trainable_layers] == [np.float32] * 3
    assert model.plan.startswith("compiled plan, float32")
    history = model.train(X, TARGETS[output], epochs=300, batch_size=20)
    assert history.loss[-1] < 0.2 * history.loss[0]


@pytest.mark.parametrize("kind", classes("activation"), ids=lambda kind: kind.__name__)
def test_every_activation_serves_by_its_name(kind: Any) -> None:
    model = mlp(5, 16, 3, activation=kind.core_name, output="softmax", seed=1)
    assert type(model.layers[1]) is kind
    by_class = mlp(5, 16, 3, activation=kind, output="softmax", seed=1)
    np.testing.assert_array_equal(by_class.layers[0].weights, model.layers[0].weights)
    model.train(X, TARGETS["softmax"], epochs=2)


def variance(model: Any, position: int) -> float:
    return float(model.layers[position].weights.var())


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("relu", 2 / 400), ("gelu", 2 / 400), ("leaky_relu", 2 / 400), ("selu", 1 / 400),
     ("tanh", 2 / 700), ("sigmoid", 2 / 700)],
)  # fmt: skip
def test_initial_weights_fit_the_activation(activation: str, expected: float) -> None:
    """Variances 2 / d (He), 1 / d (LeCun), 2 / (d + m) (Glorot): of 120,000 numbers, to 2 %."""
    model = mlp(400, 300, 200, activation=activation, seed=1)
    assert variance(model, 0) == pytest.approx(expected, rel=0.02)
    assert variance(model, 2) == pytest.approx(2 / 500, rel=0.02)  # linear: Glorot


def test_dropout_stands_behind_each_hidden_layer() -> None:
    model = mlp(5, 8, 8, 3, dropout=0.25, seed=1)
    assert [k for k, layer in enumerate(model.layers) if isinstance(layer, Layer_Dropout)] == [2, 5]
    assert model.layers[2].rate == 0.75 and model.layers[2].key != model.layers[5].key
    assert not any(isinstance(layer, Layer_Dropout) for layer in mlp(5, 8, 3).layers)


def test_a_seed_repeats_and_without_one_numpy_s_counts() -> None:
    def weights(**settings: Any) -> Any:
        return mlp(5, 8, 3, dropout=0.1, **settings).layers[0].weights

    np.testing.assert_array_equal(weights(seed=4), weights(seed=4))
    assert (weights(seed=4) != weights(seed=5)).any()
    np.testing.assert_array_equal(weights(seed=np.random.default_rng(4)), weights(seed=4))
    drawn = []
    for _ in range(2):
        np.random.seed(7)  # noqa: NPY002
        drawn.append(weights())
    np.testing.assert_array_equal(*drawn)
    np.random.seed(7)  # noqa: NPY002
    weights(seed=4)
    np.testing.assert_array_equal(weights(), drawn[0])


def test_parts_may_be_given() -> None:
    optimizer = Optimizer_SGD(0.1)
    model = mlp(5, 8, 1, activation=Activation_Tanh, optimizer=optimizer, loss=Loss_Huber(0.5))
    assert model.optimizer is optimizer and model.loss.delta == 0.5
    assert type(model.accuracy) is Accuracy_Regression
    assert type(mlp(5, 1, loss="log_cosh").loss).__name__ == "Loss_LogCosh"
    logits = mlp(5, 8, 1, loss=Loss_BinaryCrossentropy(from_logits=True))
    for model in (logits, mlp(5, 8, 1, loss=Loss_Hinge())):
        assert model.accuracy.binary
        history = model.train(X, TARGETS["sigmoid"], epochs=500, batch_size=20)
        assert history.accuracy[-1] > 0.9
    assert mlp(5, 8, 2, loss=Loss_Quantile((0.1, 0.9))).accuracy is None
    assert mlp(5, 3, dtype=np.float64).layers[0].dtype == np.float64
    assert len(mlp(5, 3).layers) == 2


@pytest.mark.parametrize(
    ("sizes", "settings", "error", "text"),
    [
        ((), {}, ValueError, "mlp: expected at least two sizes, inputs and outputs, got 0"),
        ((5,), {}, ValueError, "mlp: expected at least two sizes, inputs and outputs, got 1"),
        ((5, 0, 3), {}, ValueError, "mlp: size 2: expected an int of at least 1, got 0"),
        ((5, 2.5), {}, TypeError, "mlp: size 2: expected an int of at least 1, got 2.5"),
        ((5, 8, 3), {"activation": "swoosh"}, ValueError, "mlp: activation: expected one of .*'re"),
        ((5, 8, 3), {"activation": 3}, TypeError, "mlp: activation: expected a name or a class"),
        (
            (5, 8, 3),
            {"activation": Activation_ReLU()},
            TypeError,
            "mlp: activation: expected a name or a class, got an object",
        ),
        ((5, 3), {"output": "tanh"}, ValueError, "mlp: output: expected None, 'softmax' or 'sigm"),
        ((5, 3), {"loss": "mse"}, ValueError, "mlp: loss: expected one of .*'mean_squared_error'"),
        ((5, 3), {"loss": 3}, TypeError, "mlp: loss: expected an object with forward and backward"),
        ((5, 3), {"dropout": 1}, ValueError, "mlp: dropout: expected a number of at least 0 and b"),
        ((5, 3), {"dtype": "int8"}, ValueError, "mlp: dtype: expected float32 or float64"),
        ((5, 3), {"seed": -1}, ValueError, "mlp: seed: expected a seed of at least 0, got -1"),
    ],
)
def test_what_makes_no_net_is_refused(
    sizes: tuple[Any, ...], settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        mlp(*sizes, **settings)


def test_it_is_the_package_s_own_name() -> None:
    assert chainrule.mlp is mlp and callable(chainrule.mlp)
