"""The reference itself: against published numbers, central differences and hand-made examples."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference as ref
from perturbation import with_tolerance
from tolerance import STEP, assert_within, central_differences, difference_bound

Array = np.ndarray[Any, Any]


def test_reference_needs_numpy_only() -> None:
    tree = ast.parse(Path(ref.__file__).read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    assert found == {"__future__", "collections", "dataclasses", "numpy", "typing"}


# Published numbers


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_philox_gives_the_known_answers_of_its_authors(
    counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    words = ref.philox([np.array([c], dtype=np.uint64) for c in counter], key)
    assert tuple(int(w[0]) for w in words) == expected


NOTEBOOK_WEIGHTS = np.array(
    [[0.2, 0.8, -0.5, 1], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]
).T
NOTEBOOK_INPUTS = np.array([[1, 2, 3, 2.5], [2.0, 5.0, -1.0, 2], [-1.5, 2.7, 3.3, -0.8]])


def test_dense_backward_gives_the_tables_of_the_dense_layer_notebook() -> None:
    dvalues = np.array([[1.0, 1, 1], [2, 2, 2], [3, 3, 3]])
    dweights, dbiases, dinputs = ref.dense_backward(NOTEBOOK_INPUTS, dvalues, NOTEBOOK_WEIGHTS)
    row = np.array([0.44, -0.38, -0.07, 1.37])
    np.testing.assert_allclose(dinputs, [row, 2 * row, 3 * row], rtol=1e-14)
    np.testing.assert_allclose(dweights, np.outer([0.5, 20.1, 10.9, 4.1], np.ones(3)), rtol=1e-14)
    np.testing.assert_array_equal(dbiases, [[6.0, 6, 6]])


def test_relu_gives_the_tables_of_the_dense_layer_notebook() -> None:
    z = np.array([[1.0, 2, -3, -4], [2, -7, -1, 3], [-1, 2, 5, -1]])
    dvalues = np.arange(1.0, 13.0).reshape(3, 4)
    expected = [[1, 2, 0, 0], [5, 0, 0, 8], [0, 10, 11, 0]]
    np.testing.assert_array_equal(ref.relu_backward(dvalues, z), expected)


def test_one_update_gives_the_parameters_of_the_dense_layer_notebook() -> None:
    weights, biases = NOTEBOOK_WEIGHTS.copy(), np.array([[2, 3, 0.5]])
    inputs = NOTEBOOK_INPUTS
    layer_outputs = ref.dense_forward(inputs, weights, biases)
    drelu = ref.relu_backward(ref.relu_forward(layer_outputs), layer_outputs)
    dweights, dbiases, _ = ref.dense_backward(inputs, drelu, weights)
    ref.sgd(weights, dweights, 0.001)
    ref.sgd(biases, dbiases, 0.001)
    expected = [
        [0.179515, 0.5003665, -0.262746],
        [0.742093, -0.9152577, -0.2758402],
        [-0.510153, 0.2529017, 0.1629592],
        [0.971328, -0.5021842, 0.8636583],
    ]
    np.testing.assert_allclose(weights, expected, rtol=1e-13)
    np.testing.assert_allclose(biases, [[1.98489, 2.997739, 0.497389]], rtol=1e-13)


def test_one_neuron_gives_the_table_of_the_chain_rule_notebook() -> None:
    """Cost (a - t)^2 of one sigmoid neuron without bias, ten steps at rate 0.1."""
    x, t, w = np.array([[1.5]]), np.array([[0.5]]), np.array([[0.8]])
    activations, costs = [], []
    for _ in range(10):
        a = ref.sigmoid_forward(x @ w)
        activations.append(a.item())
        costs.append(ref.mean_squared_error_forward(a, t).item())
        dvalues = ref.sigmoid_backward(ref.mean_squared_error_backward(a, t), a)
        ref.sgd(w, x.T @ dvalues, 0.1)
    table = [0.769, 0.765, 0.761, 0.757, 0.753, 0.749, 0.745, 0.741, 0.737, 0.733]
    assert np.round(activations, 3).tolist() == table
    table = [0.072, 0.070, 0.068, 0.066, 0.064, 0.062, 0.060, 0.058, 0.056, 0.054]
    assert np.round(costs, 3).tolist() == table
    assert w.item() == pytest.approx(0.659501646183345, rel=1e-13)


def test_two_sigmoid_layers_give_the_steps_of_the_delta_rule_notebook() -> None:
    x, target = np.array([[0.5, 0.1, -0.2]]), np.array([[0.6]])
    hidden_weights = np.array([[0.5, -0.6], [0.1, -0.2], [0.1, 0.7]])
    output_weights = np.array([[0.1], [-0.3]])
    hidden = ref.sigmoid_forward(x @ hidden_weights)
    output = ref.sigmoid_forward(hidden @ output_weights)
    assert (target - output).item() == pytest.approx(0.11502656915, abs=5e-12)
    delta = ref.sigmoid_backward(ref.half_squared_error_backward(output, target), output)
    dweights, _, dhidden = ref.dense_backward(hidden, delta, output_weights)
    np.testing.assert_allclose(-0.5 * dweights.ravel(), [0.00804047, 0.00555918], atol=5e-9)
    hidden_delta = ref.sigmoid_backward(dhidden, hidden)
    expected = [
        [1.77005547e-04, -5.11178506e-04],
        [3.54011093e-05, -1.02235701e-04],
        [-7.08022187e-05, 2.04471402e-04],
    ]
    np.testing.assert_allclose(-0.5 * x.T @ hidden_delta, expected, rtol=1e-8)


def test_four_sigmoid_layers_give_the_gradients_of_the_graph_notebook() -> None:
    """10-20-30-40-1, sigmoid everywhere, 100 samples: loss and norms of the weight gradients."""
    random = np.random.RandomState(0)
    sizes = (10, 20, 30, 40, 1)
    layers: list[Any] = []
    for d, m in itertools.pairwise(sizes):
        weights, biases = random.randn(m, d).T.copy(), random.randn(m)[None, :]
        layers += [ref.Dense(weights, biases), ref.Activation("sigmoid")]
    X, y = random.randn(100, 10), random.randn(100, 1)
    spec = ref.Spec(layers, "half_squared_error", ref.Optimizer())
    trace = ref.forward(spec, X, training=True)
    loss = ref.half_squared_error_forward(trace[-1][1], y).mean()
    assert loss == pytest.approx(0.7117102313306255, rel=1e-12)
    norms = [np.linalg.norm(dweights) for _, dweights, _ in ref.backward(spec, trace, y)][::-1]
    np.testing.assert_allclose(norms, [0.0364224, 0.161648, 0.301942, 0.426662], rtol=2e-6)


def test_training_follows_the_loop_of_the_sine_notebook() -> None:
    """1-10-1 tanh net on augmented matrices (biases in row 0), exact gradient, 300 steps."""
    X = np.random.RandomState(0).uniform(-10, 10, 25).reshape(25, 1)
    Y = np.sin(X)
    random = np.random.RandomState(11)
    W1, W2 = random.randn(2, 10), random.randn(11, 1)
    layers = [
        ref.Dense(W1[1:].copy(), W1[:1].copy()),
        ref.Activation("tanh"),
        ref.Dense(W2[1:].copy(), W2[:1].copy()),
    ]
    spec = ref.Spec(list(layers), "half_squared_error", ref.Optimizer(learning_rate=0.1))

    def train(spec: ref.Spec) -> dict[str, Array]:
        history = ref.train(spec, X, Y, epochs=300)
        first, last = spec.layers[0], spec.layers[2]
        assert isinstance(first, ref.Dense) and isinstance(last, ref.Dense)
        return {  # one row: where the last step stands
            "W1": np.vstack((first.biases, first.weights))[None],
            "W2": np.vstack((last.biases, last.weights))[None],
            "loss": np.array([history[-1]["loss"]]),
        }

    actual = with_tolerance(train, spec, np.float64)

    ones = np.ones((25, 1))
    Xt = np.hstack((ones, X))
    for _ in range(300):
        Zt = np.hstack((ones, np.tanh(Xt @ W1)))
        loss = (0.5 * (Zt @ W2 - Y) ** 2).mean()
        G2 = (Zt @ W2 - Y) / 25
        G1 = (G2 @ W2[1:].T) * (1 - np.tanh(Xt @ W1) ** 2)
        W2 -= 0.1 * Zt.T @ G2
        W1 -= 0.1 * Xt.T @ G1
    for name, expected in {"W1": W1, "W2": W2, "loss": loss}.items():
        value, tolerance = actual[name]
        assert_within(value[0], expected, tolerance[0])


# Activations and losses against central differences


@pytest.mark.parametrize(("name", "third"), [("relu", 0), ("sigmoid", 1), ("tanh", 2)])
def test_activation_gradient(name: str, third: float, rng: np.random.Generator) -> None:
    inputs, direction = rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    output = ref.FORWARD[name](inputs)
    expected = central_differences(lambda: ref.FORWARD[name](inputs), inputs, direction)
    actual = ref.activation_backward(name, direction, inputs, output)
    assert np.abs(actual - expected).max() <= difference_bound(third, direction, output)


def test_softmax_gradient(rng: np.random.Generator) -> None:
    inputs, direction = rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    output = ref.softmax_forward(inputs)
    expected = central_differences(lambda: ref.softmax_forward(inputs), inputs, direction)
    actual = ref.softmax_backward(direction, output)
    assert np.abs(actual - expected).max() <= difference_bound(1, direction, output)


def targets(kind: str, rng: np.random.Generator, n: int, m: int) -> Any:
    """Labels, soft targets, or real numbers far from the predictions' kinks."""
    if kind == "labels":
        return rng.integers(0, m, n)
    if kind == "soft":
        return rng.dirichlet(np.ones(m), n)
    return rng.integers(0, 2, (n, m)).astype(np.float64)


@pytest.mark.parametrize(
    ("name", "kind", "third"),
    [
        ("half_squared_error", "real", 0),
        ("mean_squared_error", "real", 0),
        ("mean_absolute_error", "real", 0),
        ("binary_crossentropy", "real", 2 / 0.2**3),
        ("categorical_crossentropy", "labels", 2 / 0.2**3),
        ("categorical_crossentropy", "soft", 2 / 0.2**3),
    ],
)
def test_loss_gradient(name: str, kind: str, third: float, rng: np.random.Generator) -> None:
    """The gradient belongs to the mean of the per-sample values; p stays in [0.2, 0.8]."""
    n, m = 5, 4
    y_pred, y_true = rng.uniform(0.2, 0.8, (n, m)), targets(kind, rng, n, m)
    value, gradient = ref.LOSSES[name]
    direction = np.full(n, 1 / n)
    expected = central_differences(lambda: value(y_pred, y_true), y_pred, direction)
    bound = difference_bound(third, direction, value(y_pred, y_true))
    assert np.abs(gradient(y_pred, y_true) - expected).max() <= bound


@pytest.mark.parametrize("kind", ["labels", "soft"])
def test_joint_gradient_is_the_composition(kind: str, rng: np.random.Generator) -> None:
    inputs, y_true = rng.standard_normal((5, 4)), targets(kind, rng, 5, 4)
    output, losses = ref.softmax_crossentropy_forward(inputs, y_true)
    np.testing.assert_array_equal(losses, ref.categorical_crossentropy_forward(output, y_true))
    separate = ref.softmax_backward(ref.categorical_crossentropy_backward(output, y_true), output)
    joint = ref.softmax_crossentropy_backward(output, y_true)
    np.testing.assert_allclose(joint, separate, rtol=0, atol=1e-15)


def test_clipping_keeps_losses_finite() -> None:
    y_pred = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    labels = np.array([0, 0])
    largest = -np.log(np.float32(1e-7))
    losses = ref.categorical_crossentropy_forward(y_pred, labels)
    np.testing.assert_allclose(losses, [largest, 0], atol=1.2e-7, rtol=1e-7)
    assert np.isfinite(ref.binary_crossentropy_forward(y_pred, 1 - y_pred)).all()
    assert np.isfinite(ref.binary_crossentropy_backward(y_pred, 1 - y_pred)).all()


# Optimizers, by hand


def one_step(rule: str, **options: float) -> tuple[float, float]:
    """w = 1, g = 0.5 twice: the parameter after one step and after two."""
    layer = ref.Dense(np.ones((1, 1)), np.ones((1, 1)))
    optimizer = ref.Optimizer(rule, learning_rate=0.1, **options)  # type: ignore[arg-type]
    after = []
    for _ in range(2):
        optimizer.update(layer, np.full((1, 1), 0.5), np.full((1, 1), 0.5))
        optimizer.iterations += 1
        after.append(layer.weights.item())
    return after[0], after[1]


def test_sgd_by_hand() -> None:
    assert one_step("sgd") == pytest.approx((0.95, 0.90))
    assert one_step("sgd", decay=1.0) == pytest.approx((0.95, 0.925))
    assert one_step("sgd", momentum=0.9) == pytest.approx((0.95, 0.855))
    # v = -0.05, then -0.095; w += 0.9 v - 0.05
    nesterov = one_step("sgd", momentum=0.9, nesterov=True)
    assert nesterov == pytest.approx((1 - 0.095, 1 - 0.095 - 0.1355))


def test_adaptive_rules_by_hand() -> None:
    root = np.sqrt
    assert one_step("adagrad") == pytest.approx((0.9, 0.9 - 0.05 / root(0.5)), rel=1e-6)
    first = 1 - 0.05 / root(0.025)
    assert one_step("rmsprop") == pytest.approx((first, first - 0.05 / root(0.0475)), rel=1e-5)
    assert one_step("adam") == pytest.approx((0.9, 0.8), rel=1e-6)
    decayed = 0.99 - 0.1
    expected = (decayed, decayed * 0.99 - 0.1)
    assert one_step("adam", weight_decay=0.1) == pytest.approx(expected, rel=1e-6)


def test_weight_decay_spares_biases() -> None:
    layer = ref.Dense(np.ones((1, 1)), np.ones((1, 1)))
    optimizer = ref.Optimizer("adam", learning_rate=0.1, weight_decay=0.5)
    optimizer.update(layer, np.zeros((1, 1)), np.zeros((1, 1)))
    assert layer.weights.item() == pytest.approx(0.95) and layer.biases.item() == 1.0


# Regularisation and dropout


def test_regularize_takes_the_sign_of_zero_as_one() -> None:
    gradient, parameter = np.zeros(4), np.array([2.0, -3.0, 0.0, -0.0])
    ref.regularize(gradient, parameter, 0.5, 0.25)
    np.testing.assert_array_equal(gradient, [1.5, -2.0, 0.5, 0.5])
    assert ref.regularization_loss(parameter, 0.5, 0.25) == 0.5 * 5 + 0.25 * 13


def test_dropout_is_a_function_of_key_step_and_element() -> None:
    whole = ref.dropout_uniforms((5, 7), key=2**63 + 5, step=2**33)
    np.testing.assert_array_equal(
        ref.dropout_uniforms((3, 7), key=2**63 + 5, step=2**33), whole[:3]
    )
    assert not np.array_equal(whole, ref.dropout_uniforms((5, 7), key=2**63 + 5, step=0))
    assert not np.array_equal(whole, ref.dropout_uniforms((5, 7), key=5, step=2**33))
    np.testing.assert_array_equal(whole, whole.astype(np.float32).astype(np.float64))


def test_dropout_keeps_its_share_and_the_mean() -> None:
    """200,000 draws: mean 1/2 and kept share within five standard deviations."""
    u = ref.dropout_uniforms((200, 1000), key=1, step=0)
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / u.size)
    output, mask = ref.dropout_forward(np.ones((200, 1000)), 0.8, key=1, step=0)
    np.testing.assert_array_equal(output, mask)
    assert set(np.unique(mask)) == {0.0, 1 / 0.8}
    assert abs((mask > 0).mean() - 0.8) < 5 * np.sqrt(0.16 / mask.size)


# Training


def small_spec(rng: np.random.Generator, last: str, loss: str, accuracy: str | None) -> ref.Spec:
    """3-6-4 with dropout and all four regularisers."""
    layers = [
        ref.Dense(rng.standard_normal((3, 6)), rng.standard_normal((1, 6)), 0.01, 0.02, 0.03, 0.04),
        ref.Activation("tanh"),
        ref.Dropout(0.75, key=99),
        ref.Dense(rng.standard_normal((6, 4)), rng.standard_normal((1, 4)), weight_l2=0.05),
        ref.Activation(last),
    ]
    return ref.Spec(list(layers), loss, ref.Optimizer(), accuracy)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("last", "loss", "kind"),
    [
        ("linear", "half_squared_error", "real"),
        ("linear", "mean_squared_error", "real"),
        ("linear", "mean_absolute_error", "real"),
        ("sigmoid", "binary_crossentropy", "real"),
        ("sigmoid", "categorical_crossentropy", "soft"),
        ("softmax", "categorical_crossentropy", "labels"),
        ("softmax", "categorical_crossentropy", "soft"),
        ("softmax", "mean_squared_error", "real"),
    ],
)
def test_one_sgd_step_at_rate_one_subtracts_the_gradient(
    last: str, loss: str, kind: str, weighted: bool, rng: np.random.Generator
) -> None:
    """Loss with regularisation, dropout mask held fixed, against central differences."""
    spec = small_spec(rng, last, loss, None)
    X, y = rng.standard_normal((7, 3)), targets(kind, rng, 7, 4)
    share = rng.uniform(0.5, 2.0, 7) if weighted else np.ones(7)
    dropout = spec.layers[2]
    assert isinstance(dropout, ref.Dropout)

    def total() -> np.ndarray[Any, Any]:
        dropout.step = 0
        output = ref.forward(spec, X, training=True)[-1][1]
        mean = (share * ref.LOSSES[loss][0](output, y)).sum() / share.sum()
        return np.array([mean + spec.regularization_loss()])

    one = np.ones(1)
    bound = STEP**2 / 6 * 6e3  # third derivatives of this net stay below 6000
    expected = []
    for layer in (spec.layers[0], spec.layers[3]):
        assert isinstance(layer, ref.Dense)
        expected += [central_differences(total, p, one) for p in (layer.weights, layer.biases)]
    before = [p.copy() for x in spec.layers if isinstance(x, ref.Dense) for p in parameters(x)]
    dropout.step = 0
    ref.train(spec, X, y, sample_weight=share if weighted else None)
    after = [p for x in spec.layers if isinstance(x, ref.Dense) for p in parameters(x)]
    for old, new, gradient in zip(before, after, expected, strict=True):
        np.testing.assert_allclose(old - new, gradient, rtol=0, atol=bound)


def parameters(layer: ref.Dense) -> tuple[Any, Any]:
    return layer.weights, layer.biases


def test_epoch_record_is_sums_over_batches_divided_by_counts(rng: np.random.Generator) -> None:
    """Ten samples in batches of four: 4, 4 and 2, at rate 0 so that nothing moves."""
    spec = small_spec(rng, "softmax", "categorical_crossentropy", "categorical")
    spec.layers.pop(2)
    spec.optimizer.learning_rate = 0.0
    X, y = rng.standard_normal((10, 3)), rng.integers(0, 4, 10)
    records = ref.train(spec, X, y, epochs=2, batch_size=4, validation_data=(X[:5], y[:5]))
    output = ref.forward(spec, X, training=False)[-1][1]
    sample_losses = ref.categorical_crossentropy_forward(output, y)
    assert len(records) == 2 and spec.optimizer.iterations == 6
    for record in records:
        assert record["data_loss"] == pytest.approx(sample_losses.mean(), rel=1e-14)
        assert record["accuracy"] == (output.argmax(axis=1) == y).mean()
        assert record["loss"] == record["data_loss"] + spec.regularization_loss()
        assert record["validation_loss"] == pytest.approx(sample_losses[:5].mean(), rel=1e-14)


def test_training_keeps_its_dtype(dtype: Any, rng: np.random.Generator) -> None:
    for rule in ("sgd", "adagrad", "rmsprop", "adam"):
        layer = ref.Dense(
            rng.standard_normal((3, 2)).astype(dtype), np.zeros((1, 2), dtype=dtype), 0.1, 0.1
        )
        spec = ref.Spec([layer], "mean_squared_error", ref.Optimizer(rule, momentum=0.5))
        X, y = rng.standard_normal((5, 3)).astype(dtype), rng.standard_normal((5, 2)).astype(dtype)
        ref.train(spec, X, y, epochs=3)
        assert layer.weights.dtype == dtype and layer.biases.dtype == dtype
        assert all(array.dtype == dtype for array in layer.state.values())


def test_training_lowers_the_loss() -> None:
    rng = np.random.default_rng(4)
    X = rng.uniform(-1, 1, (40, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    for rule, rate in (("sgd", 0.5), ("adagrad", 0.1), ("rmsprop", 0.02), ("adam", 0.05)):
        start = np.random.default_rng(5)
        layers = [
            ref.Dense(start.standard_normal((2, 16)), np.zeros((1, 16))),
            ref.Activation("relu"),
            ref.Dense(start.standard_normal((16, 2)), np.zeros((1, 2))),
            ref.Activation("softmax"),
        ]
        optimizer = ref.Optimizer(rule, learning_rate=rate)
        spec = ref.Spec(list(layers), "categorical_crossentropy", optimizer, "categorical")
        history = ref.train(spec, X, y, epochs=150, batch_size=16)
        assert history[-1]["loss"] < 0.5 * history[0]["loss"]
        assert history[-1]["accuracy"] >= 0.9
