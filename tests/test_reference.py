"""The reference itself: against published numbers, central differences and hand-made examples."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import reference as ref
from part_cases import slopes
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


# Activations against their definitions in 60 digits, by mpmath


def tanh_share(x: Any) -> Any:
    """(1 + tanh u) / 2 = 1 / (1 + e^(-2 u)): 1 + tanh u would cancel."""
    u = mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf(0.044715) * x**3)
    return 1 / (1 + mpmath.exp(-2 * u))


SELU = [mpmath.mpf(constant) for constant in (ref.SELU_SCALE, ref.SELU_ALPHA)]
PARAMETERS = {"leaky_relu": (0.125,), "elu": (0.75,)}
DEFINITIONS: dict[str, Any] = {
    "relu": lambda x: max(x, 0),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "leaky_relu": lambda x: x if x > 0 else x / 8,
    "elu": lambda x: x if x > 0 else (mpmath.exp(x) - 1) * 3 / 4,
    "selu": lambda x: SELU[0] * (x if x > 0 else SELU[1] * (mpmath.exp(x) - 1)),
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "gelu_tanh": lambda x: x * tanh_share(x),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "mish": lambda x: x * mpmath.tanh(mpmath.log(1 + mpmath.exp(x))),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "exponential": mpmath.exp,
}
ELEMENTWISE = [name for name in ref.ACTIVATIONS if name != "softmax"]


def points(dtype: Any) -> Array:
    """Evenly within 40 of 0, and all sizes of small numbers on both sides."""
    rng = np.random.default_rng(11)
    small = np.exp2(rng.uniform(-60, 2, 100)) * rng.choice([-1, 1], 100)
    return np.concatenate([rng.uniform(-40, 40, 200), [-2.0, 2.0, 0.0], small]).astype(dtype)


def as_mpf(value: Any) -> Any:
    """A NumPy float of any width, exactly: two halves of the mantissa, and the exponent."""
    mantissa, exponent = np.frexp(value)
    high = float(mantissa)
    return mpmath.ldexp(mpmath.mpf(high) + mpmath.mpf(float(mantissa - high)), int(exponent))


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_activation_is_its_definition(name: str, dtype: Any) -> None:
    """Some 16 roundings, each of the result or of an argument x, which moves f by |x f'(x)|.

    The 3 is gelu_tanh's cube: where x is off by u, x^3 is off by 3 u.
    """
    x, parameters = points(dtype), PARAMETERS.get(name, ())
    output = ref.FORWARD[name](x, *parameters)
    slope = ref.activation_backward(name, np.ones_like(x), x, output, parameters)
    eps, tiny = as_mpf(np.finfo(dtype).eps), as_mpf(np.finfo(dtype).tiny)
    with mpmath.workdps(60):
        for x_i, output_i, slope_i in zip(x, output, slope, strict=True):
            exact = DEFINITIONS[name](as_mpf(x_i))
            bound = 16 * eps * (abs(exact) + 3 * abs(as_mpf(x_i * slope_i))) + tiny
            assert abs(as_mpf(output_i) - exact) <= bound, (x_i, output_i, exact)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_activation_at_infinity_is_its_limit(name: str) -> None:
    """No NaN, no warning: 0 times infinity does not occur; NaN gives NaN."""
    x, parameters = np.array([-np.inf, -1e300, 1e300, np.inf, np.nan]), PARAMETERS.get(name, ())
    with np.errstate(over="ignore"):
        output = ref.FORWARD[name](x, *parameters)
        slope = ref.activation_backward(name, np.ones(5), x, output, parameters)
    limits = {
        "sigmoid": (0, 1),
        "tanh": (-1, 1),
        "elu": (-0.75, np.inf),
        "leaky_relu": (-np.inf, np.inf),
    }
    limits["selu"] = (-ref.SELU_SCALE * ref.SELU_ALPHA, np.inf)
    assert (output[0], output[3]) == limits.get(name, (0, np.inf))
    slopes = {"leaky_relu": (0.125, 1), "selu": (0, ref.SELU_SCALE), "exponential": (0, np.inf)}
    slopes |= {"sigmoid": (0, 0), "tanh": (0, 0)}
    assert (slope[0], slope[3]) == slopes.get(name, (0, 1))
    np.testing.assert_array_equal(slope[:4:3], slope[1:3])
    assert np.isnan(output[4]) and (np.isnan(slope[4]) or name in ("relu", "leaky_relu"))


# Activations and losses against central differences


THIRD = {
    "relu": 0.0,
    "leaky_relu": 0.0,
    "tanh": 2.0,
    "mish": 2.0,
    "exponential": np.exp(4),
    "selu": 2.0,
}


@pytest.mark.parametrize("name", ref.ACTIVATIONS)
def test_activation_gradient(name: str, rng: np.random.Generator) -> None:
    """The third derivative is at most 1 within 4 of 0, else in THIRD; no input is near a kink."""
    inputs = rng.uniform(0.05, 3.5, (4, 5)) * rng.choice([-1.0, 1.0], (4, 5))
    direction, parameters = rng.standard_normal((4, 5)), PARAMETERS.get(name, ())

    def forward() -> Array:
        return ref.FORWARD[name](inputs, *parameters)

    output = forward()
    expected = central_differences(forward, inputs, direction)
    actual = ref.activation_backward(name, direction, inputs, output, parameters)
    bound = difference_bound(THIRD.get(name, 1.0), direction, output)
    assert np.abs(actual - expected).max() <= bound


def targets(kind: str, rng: np.random.Generator, n: int, m: int) -> Any:
    """Labels, soft targets, or 0 and 1: far from the kinks at predictions in [0.2, 0.8]."""
    if kind == "labels":
        return rng.integers(0, m, n)
    if kind == "soft":
        return rng.dirichlet(np.ones(m), n)
    if kind == "any sum":
        return rng.uniform(0, 1, (n, m))
    return rng.integers(0, 2, (n, 1 if kind == "one" else m)).astype(np.float64)


LOSS_CASES: list[tuple[str, str, float, tuple[float, ...]]] = [
    ("half_squared_error", "real", 0, ()),
    ("mean_squared_error", "real", 0, ()),
    ("mean_absolute_error", "real", 0, ()),
    ("huber", "real", 0, (0.1,)),  # every |p - y| is at least 0.2
    ("huber", "real", 0, (1.5,)),
    ("log_cosh", "real", 1, ()),
    ("poisson", "any sum", 2 / 0.2**3, ()),
    ("quantile", "one", 0, (0.1, 0.3, 0.6, 0.9)),
    ("hinge", "real", 0, ()),
    ("binary_crossentropy", "real", 2 / 0.2**3, ()),
    ("binary_crossentropy_logits", "any sum", 0.1, ()),
    ("categorical_crossentropy", "labels", 2 / 0.2**3, (0.0,)),
    ("categorical_crossentropy", "soft", 2 / 0.2**3, ()),
    ("categorical_crossentropy", "any sum", 4 * 2 / 0.2**3, ()),
    ("categorical_crossentropy", "labels", 2 / 0.2**3, (0.1,)),
    ("categorical_crossentropy", "soft", 2 / 0.2**3, (0.3,)),
]


@pytest.mark.parametrize(("name", "kind", "third", "parameters"), LOSS_CASES)
def test_loss_gradient(
    name: str, kind: str, third: float, parameters: tuple[float, ...], rng: np.random.Generator
) -> None:
    """The gradient belongs to the mean of the per-sample values; p stays in [0.2, 0.8]."""
    n, m = 5, 4
    y_pred, y_true = rng.uniform(0.2, 0.8, (n, m)), targets(kind, rng, n, m)
    value, gradient = ref.LOSSES[name]
    direction = np.full(n, 1 / n)
    expected = central_differences(lambda: value(y_pred, y_true, *parameters), y_pred, direction)
    bound = difference_bound(third, direction, value(y_pred, y_true, *parameters))
    assert np.abs(gradient(y_pred, y_true, *parameters) - expected).max() <= bound


def test_every_loss_has_a_case() -> None:
    assert {name for name, *_ in LOSS_CASES} == set(ref.LOSS_NAMES) == set(ref.LOSSES)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["labels", "soft", "any sum"])
def test_joint_gradient_is_the_composition(
    kind: str, smoothing: float, rng: np.random.Generator
) -> None:
    inputs, y_true = rng.standard_normal((5, 4)), targets(kind, rng, 5, 4)
    output, losses = ref.softmax_crossentropy_forward(inputs, y_true, smoothing)
    separate = ref.categorical_crossentropy_forward(output, y_true, smoothing)
    np.testing.assert_array_equal(losses, separate)
    dvalues = ref.categorical_crossentropy_backward(output, y_true, smoothing)
    joint = ref.softmax_crossentropy_backward(output, y_true, smoothing)
    np.testing.assert_allclose(joint, ref.softmax_backward(dvalues, output), rtol=0, atol=4e-15)


def test_other_joint_gradients_are_the_composition(rng: np.random.Generator) -> None:
    inputs, y_true = rng.standard_normal((5, 4)), rng.uniform(0, 1, (5, 4))
    output, losses = ref.exponential_poisson_forward(inputs, y_true)
    np.testing.assert_array_equal(losses, ref.poisson_forward(output, y_true))
    separate = ref.exponential_backward(ref.poisson_backward(output, y_true), output)
    joint = ref.exponential_poisson_backward(output, y_true)
    np.testing.assert_allclose(joint, separate, rtol=0, atol=4e-15)
    output, losses = ref.sigmoid_crossentropy_forward(inputs, y_true)
    apart = ref.binary_crossentropy_forward(output, y_true)
    np.testing.assert_allclose(losses, apart, rtol=1e-14)
    separate = ref.sigmoid_backward(ref.binary_crossentropy_backward(output, y_true), output)
    joint = ref.sigmoid_crossentropy_backward(output, y_true)
    np.testing.assert_allclose(joint, separate, rtol=0, atol=4e-15)
    np.testing.assert_array_equal(joint, ref.binary_crossentropy_logits_backward(inputs, y_true))


def test_loss_values_by_hand() -> None:
    y_pred, y_true = np.array([[1.0, 3.0]]), np.array([[0.5, 0.0]])
    assert ref.huber_forward(y_pred, y_true, 1.0) == [(0.125 + 2.5) / 2]
    cosh = np.log(np.cosh([0.5, 3.0])).mean()
    np.testing.assert_allclose(ref.log_cosh_forward(y_pred, y_true), [cosh], rtol=1e-15)
    assert ref.log_cosh_forward(np.array([[1e300]]), np.zeros((1, 1))) == [1e300]
    tiny = ref.log_cosh_forward(np.array([[1e-9]]), np.zeros((1, 1)))  # d^2 / 2
    np.testing.assert_allclose(tiny, [5e-19], rtol=1e-15)
    expected = (1 + 3 - 0.5 * np.log(1)) / 2
    np.testing.assert_allclose(ref.poisson_forward(y_pred, y_true), [expected], rtol=1e-15)
    # d = 2 - 1 and 2 - 3
    assert ref.quantile_forward(y_pred, np.array([[2.0]]), 0.25, 0.875) == [(0.25 + 0.125) / 2]
    for labels in ([[1.0, -1.0]], [[1.0, 0.0]]):
        assert ref.hinge_forward(np.array([[0.25, 3.0]]), np.array(labels)) == [(0.75 + 4) / 2]
        np.testing.assert_array_equal(
            ref.hinge_backward(np.array([[0.25, -3.0]]), np.array(labels)), [[-0.5, 0]]
        )
    # at most the rounding of log: -log sigmoid(z) for y = 1
    logits = ref.binary_crossentropy_logits_forward(np.array([[-800.0], [800.0]]), np.ones((2, 1)))
    np.testing.assert_array_equal(logits, [800.0, 0.0])


def test_label_smoothing_is_a_change_of_the_targets(rng: np.random.Generator) -> None:
    p, labels = rng.dirichlet(np.ones(4), 5), rng.integers(0, 4, 5)
    smooth = 0.8 * np.eye(4)[labels] + 0.05
    for y in (labels, np.eye(4)[labels]):
        for plain, smoothed in (
            (ref.categorical_crossentropy_forward, ref.categorical_crossentropy_forward),
            (ref.categorical_crossentropy_backward, ref.categorical_crossentropy_backward),
            (ref.softmax_crossentropy_backward, ref.softmax_crossentropy_backward),
        ):
            np.testing.assert_allclose(
                smoothed(p, y, 0.2), plain(p, smooth), rtol=1e-14, atol=1e-16
            )


def test_clipping_keeps_losses_finite() -> None:
    y_pred = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    labels = np.array([0, 0])
    largest = -np.log(np.float32(1e-7))
    losses = ref.categorical_crossentropy_forward(y_pred, labels)
    np.testing.assert_allclose(losses, [largest, 0], atol=1.2e-7, rtol=1e-7)
    assert np.isfinite(ref.binary_crossentropy_forward(y_pred, 1 - y_pred)).all()
    assert np.isfinite(ref.binary_crossentropy_backward(y_pred, 1 - y_pred)).all()


# Schedules, by hand

HALF_COSINE = [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0]


@pytest.mark.parametrize(
    ("schedule", "settings", "expected"),
    [
        ("constant", {}, [1, 1, 1, 1, 1]),
        ("step", {}, [1, 1, 0.1, 0.01, 0.01]),
        ("step", {"factor": 0.5, "at": (0.25,)}, [1, 0.5, 0.5, 0.5, 0.5]),
        ("exponential", {"end": 0.0625}, [1, 0.5, 0.25, 0.125, 0.0625]),
        ("cosine", {}, HALF_COSINE),
        ("cosine", {"end": 0.5}, [1, (3 + 0.5**0.5) / 4, 0.75, (3 - 0.5**0.5) / 4, 0.5]),
        ("cosine_warmup", {"warmup": 0.5}, [0, 0.5, 1, 0.5, 0]),
        ("cosine_warmup", {"warmup": 0.0}, HALF_COSINE),
        ("one_cycle", {"peak": 0.5, "start": 0.25, "end": 0.5}, [0.25, 0.625, 1, 0.75, 0.5]),
        ("one_cycle", {"peak": 0.0, "end": 0.0}, HALF_COSINE),
        ("flat_cosine", {}, [1, 1, 1, 0.5, 0]),
        ("cosine_log", {"cycles": 1}, [0, (1 - np.cos(2 * np.pi * np.log2(1.25))) / 2,
                                       (1 - np.cos(2 * np.pi * np.log2(1.5))) / 2,
                                       (1 - np.cos(2 * np.pi * np.log2(1.75))) / 2, 0]),
    ],
)  # fmt: skip
def test_schedule_by_hand(schedule: str, settings: dict[str, Any], expected: list[float]) -> None:
    t = np.arange(5) / 4
    actual = getattr(ref, f"{schedule}_schedule")(t, **settings)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=4e-16)


def test_cosine_log_falls_to_zero_after_each_cycle() -> None:
    """At t = (2^k - 1) / (2^cycles - 1), k = 0 to cycles; in between it reaches 1."""
    ends = (2.0 ** np.arange(4) - 1) / 7
    middles = (2.0 ** (np.arange(3) + 0.5) - 1) / 7
    np.testing.assert_allclose(ref.cosine_log_schedule(ends, 3), 0, atol=1e-15)
    np.testing.assert_allclose(ref.cosine_log_schedule(middles, 3), 1, rtol=1e-15)


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


def test_amsgrad_keeps_the_largest_cache() -> None:
    """g = 2, then 0: the cache falls, its largest value stays in the denominator."""
    layer = ref.Dense(np.ones((1, 1)), None)
    optimizer = ref.Optimizer("adam", 0.1, beta_1=0.0, beta_2=0.5, epsilon=0.0, amsgrad=True)
    caches = []
    for gradient in (2.0, 0.0, 1.0):
        optimizer.update(layer, np.full((1, 1), gradient), None)
        optimizer.iterations += 1
        caches.append((layer.state["weight_cache"].item(), layer.state["weight_cache_max"].item()))
    assert caches == [(2.0, 2.0), (1.0, 2.0), (1.0, 2.0)]
    # steps: 0.1 * 2 / sqrt(2 / 0.5), 0, 0.1 * 1 / sqrt(2 / 0.875)
    assert layer.weights.item() == pytest.approx(1 - 0.1 - 0.1 / (2 / 0.875) ** 0.5)


def test_epsilon_hat_by_hand() -> None:
    """m_hat = 0.5, c_hat = 0.25, 1 - beta_2 = 0.25: 0.1 * 0.5 / (0.5 + 1 / sqrt(0.25))."""
    plain = one_step("adam", beta_2=0.75, epsilon=1.0)[0]
    assert plain == pytest.approx(1 - 0.05 / 1.5, rel=1e-15)
    assert one_step("adam", beta_2=0.75, epsilon=1.0, epsilon_hat=True)[0] == 1 - 0.05 / 2.5


@pytest.mark.parametrize("rule", ["adagrad", "rmsprop", "adam"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_a_denominator_of_zero_is_no_step(rule: str, amsgrad: bool) -> None:
    layer = ref.Dense(np.ones((1, 2)), None)
    optimizer = ref.Optimizer(rule, 0.1, epsilon=0.0, amsgrad=amsgrad)
    optimizer.update(layer, np.array([[0.0, 0.5]]), None)
    assert layer.weights[0, 0] == 1.0 and layer.weights[0, 1] < 1.0


@pytest.mark.parametrize(
    ("rule", "momentum"), [(r, 0.0) for r in ("sgd", "adagrad", "rmsprop", "adam")] + [("sgd", 0.9)]
)
def test_weight_decay_is_apart_and_spares_biases(rule: str, momentum: float) -> None:
    """rate * weight_decay * factor * w comes off first; the rule does not see it."""
    gradient = np.full((1, 1), 0.25)
    layers = [ref.Dense(np.ones((1, 1)), np.ones((1, 1))) for _ in range(3)]
    layers[2].weight_decay_factor = (0.5, 0.25)
    for layer, decay in zip(layers, (0.0, 0.5, 0.5), strict=True):
        optimizer = ref.Optimizer(rule, 0.1, momentum=momentum, weight_decay=decay)
        optimizer.update(layer, gradient, gradient)
    plain, decayed, apart = ((layer.weights.item(), layer.biases.item()) for layer in layers)  # type: ignore[union-attr]
    assert decayed == pytest.approx((plain[0] - 0.05, plain[1]), rel=1e-14)
    assert apart == pytest.approx((plain[0] - 0.025, plain[1] - 0.0125), rel=1e-14)


def test_factors_of_a_layer() -> None:
    """Rate and epsilon of weights and biases; decay is not multiplied by the rate's factor."""
    gradient = np.full((1, 1), 0.25)
    layer = ref.Dense(np.ones((1, 1)), np.ones((1, 1)))
    layer.learning_rate_factor, layer.epsilon_factor = (0.5, 2.0), 3.0
    ref.Optimizer("adagrad", 0.1, weight_decay=0.5, epsilon=0.25).update(layer, gradient, gradient)
    assert layer.weights.item() == pytest.approx(1 - 0.05 - 0.05 * 0.25 / (0.25 + 0.75))
    assert layer.biases is not None
    assert layer.biases.item() == pytest.approx(1 - 0.2 * 0.25 / (0.25 + 0.75))


def test_corrections_count_a_parameters_own_steps() -> None:
    """A layer that joins at iteration 7 with steps of its own at 0 moves as at the first step."""
    gradient = np.full((1, 1), 0.5)
    late = ref.Dense(np.ones((1, 1)), None, steps={"weight": 0})
    ref.Optimizer("adam", 0.1, iterations=7).update(late, gradient, None)
    first = ref.Dense(np.ones((1, 1)), None)
    ref.Optimizer("adam", 0.1).update(first, gradient, None)
    assert late.weights == first.weights and late.steps == {"weight": 1}


def test_schedules_multiply_rate_decay_and_dropped_share() -> None:
    optimizer = ref.Optimizer(
        "sgd", 0.5, decay=0.5, weight_decay=0.25, iterations=3,
        schedule=lambda t: 1 - t, weight_decay_schedule=lambda t: 2 * t,
        schedule_start=1, schedule_steps=4,
    )  # fmt: skip
    assert optimizer.share == 0.5
    assert optimizer.rate == 0.5 / (1 + 0.5 * 3) * 0.5
    layer = ref.Dense(np.ones((1, 1)), None)
    optimizer.update(layer, np.zeros((1, 1)), None)
    assert layer.weights.item() == 1 - optimizer.rate * 0.25
    assert ref.Dropout(0.75, key=0, schedule=lambda t: 2 * t).kept(0.25) == 0.875
    optimizer.schedule_over(100)
    assert (optimizer.schedule_start, optimizer.schedule_steps) == (1, 4)
    optimizer.iterations = 5
    optimizer.schedule_over(100)
    assert (optimizer.schedule_start, optimizer.schedule_steps) == (5, 100)


# Scale


def test_scale_by_hand() -> None:
    inputs, weights = np.array([[1.0, 2], [3, 4]]), np.array([[10.0, 100]])
    np.testing.assert_array_equal(ref.scale_forward(inputs, weights), [[10, 200], [30, 400]])
    dweights, dinputs = ref.scale_backward(inputs, np.array([[1.0, 2], [3, 4]]), weights)
    np.testing.assert_array_equal(dweights, [[10, 20]])
    np.testing.assert_array_equal(dinputs, [[10, 200], [30, 400]])


# Periodic features, embedding, parametric activation


def test_periodic_by_hand() -> None:
    """One column with frequencies 1/4 and 1: at x = 1 the cosines are 0 and 1."""
    inputs = np.array([[1.0, 7]])
    frequencies, phases = np.array([[0.25, 1]]), np.zeros((1, 2))
    weights, biases = np.array([[[10.0, 3], [20, 5]]]), np.array([[1.0, 2]])
    output = ref.periodic_forward(inputs, frequencies, phases, weights, biases, 1)
    np.testing.assert_allclose(output, [[21, 7, 1, 7]], rtol=1e-14)
    dvalues = np.array([[1.0, 0, 0, 9]])
    found = ref.periodic_backward(inputs, dvalues, frequencies, phases, weights, biases, n_passed=1)
    # the slope of cos at a quarter of a turn is -1
    expected = ([[-20 * np.pi, 0]], [[-10, 0]], [[[0, 0], [1, 0]]], [[1, 0]], [[-5 * np.pi, 9]])
    for value, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-14, atol=1e-13)


def test_periodic_gradients_are_the_slopes(rng: np.random.Generator) -> None:
    inputs, dvalues = rng.standard_normal((4, 3)), rng.standard_normal((4, 7))
    arrays = [rng.standard_normal(each) for each in ((2, 5), (2, 5), (2, 5, 2), (2, 2))]
    gradients = ref.periodic_backward(inputs, dvalues, *arrays, 1)
    for array, gradient in zip([*arrays, inputs], gradients, strict=True):
        slope, bound = slopes(lambda: ref.periodic_forward(inputs, *arrays, 1), array, dvalues)
        assert (abs(slope - gradient) <= bound).all()


def test_embedding_by_hand() -> None:
    """A number, and codes of tables with 2 and 3 rows; the first two samples share both codes."""
    inputs = np.array([[0.5, 1, 2], [1.5, 1, 2], [2.5, 0, 0]])
    weights = np.arange(10.0).reshape(5, 2)
    output = ref.embedding_forward(inputs, weights, (2, 3), 1)
    np.testing.assert_array_equal(output[0], [0.5, 2, 3, 8, 9])
    np.testing.assert_array_equal(output[2], [2.5, 0, 1, 4, 5])
    dvalues = np.arange(15.0).reshape(3, 5)
    dweights, dinputs = ref.embedding_backward(inputs, dvalues, weights, (2, 3), 1)
    np.testing.assert_array_equal(dweights, [[11, 12], [7, 9], [13, 14], [0, 0], [11, 13]])
    np.testing.assert_array_equal(dinputs, [[0, 0, 0], [5, 0, 0], [10, 0, 0]])


def test_embedding_gradient_is_the_slope(rng: np.random.Generator) -> None:
    inputs = np.array([[0.5, 1], [1.5, 1], [2.5, 0]])
    weights, dvalues = rng.standard_normal((3, 2)), rng.standard_normal((3, 3))
    dweights, _ = ref.embedding_backward(inputs, dvalues, weights, (3,), 1)
    slope, bound = slopes(lambda: ref.embedding_forward(inputs, weights, (3,), 1), weights, dvalues)
    assert (abs(slope - dweights) <= bound).all()


def test_parametric_gradients_are_the_slopes(rng: np.random.Generator) -> None:
    inputs, dvalues = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    weights = rng.standard_normal((1, 3))

    def forward() -> Array:
        return ref.parametric_forward(inputs, ref.tanh_forward(inputs), weights)

    activated = ref.tanh_forward(inputs)
    through = ref.tanh_backward(dvalues, activated)
    gradients = ref.parametric_backward(dvalues, through, inputs, activated, weights)
    for array, gradient in zip((weights, inputs), gradients, strict=True):
        slope, bound = slopes(forward, array, dvalues)
        assert (abs(slope - gradient) <= bound).all()


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
    """A scale, then 3-6-4 with dropout and all four regularisers."""
    layers = [
        ref.Scale(rng.uniform(0.5, 1.5, (1, 3))),
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
        ("softmax", "categorical_crossentropy", "any sum"),
        ("exponential", "poisson", "any sum"),
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
    dropout = spec.layers[3]
    assert isinstance(dropout, ref.Dropout)

    def total() -> np.ndarray[Any, Any]:
        dropout.step = 0
        output = ref.forward(spec, X, training=True)[-1][1]
        mean = (share * ref.LOSSES[loss][0](output, y)).sum() / share.sum()
        return np.array([mean + spec.regularization_loss()])

    one = np.ones(1)
    bound = STEP**2 / 6 * 6e3  # third derivatives of this net stay below 6000
    expected = []
    for layer in (spec.layers[0], spec.layers[1], spec.layers[4]):
        expected += [central_differences(total, p, one) for p in parameters(layer)]
    before = [p.copy() for x in spec.layers if isinstance(x, ref.Dense) for p in parameters(x)]
    dropout.step = 0
    ref.train(spec, X, y, sample_weight=share if weighted else None)
    after = [p for x in spec.layers if isinstance(x, ref.Dense) for p in parameters(x)]
    for old, new, gradient in zip(before, after, expected, strict=True):
        np.testing.assert_allclose(old - new, gradient, rtol=0, atol=bound)


def parameters(layer: ref.Dense) -> list[Any]:
    return [p for p in (layer.weights, layer.biases) if p is not None]


def test_a_frozen_layer_stays_and_adds_no_penalty(rng: np.random.Generator) -> None:
    spec = small_spec(rng, "linear", "mean_squared_error", None)
    first, last = spec.layers[1], spec.layers[4]
    whole = spec.regularization_loss()
    first.trainable = False
    assert 0 < spec.regularization_loss() == last.regularization_loss() < whole
    kept, moved = first.weights.copy(), last.weights.copy()
    ref.train(spec, rng.standard_normal((7, 3)), rng.standard_normal((7, 4)))
    np.testing.assert_array_equal(first.weights, kept)
    assert (last.weights != moved).all() and first.steps == {}


def test_batches_of_weight_zero_and_dropped_rests(rng: np.random.Generator) -> None:
    X, y = rng.standard_normal((10, 3)), rng.standard_normal((10, 4))
    weight = np.array([1.0] * 4 + [0.0] * 4 + [1.0] * 2)
    for drop_last, steps in ((False, 2), (True, 1)):
        spec = small_spec(rng, "linear", "mean_squared_error", None)
        ref.train(spec, X, y, batch_size=4, sample_weight=weight, drop_last=drop_last)
        assert spec.optimizer.iterations == steps


def test_validation_takes_weights(rng: np.random.Generator) -> None:
    spec = small_spec(rng, "linear", "mean_squared_error", None)
    X, y = rng.standard_normal((6, 3)), rng.standard_normal((6, 4))
    weight = np.array([1.0, 0, 0, 0, 0, 3])
    record = ref.train(spec, X, y, batch_size=2, validation_data=(X, y, weight))[0]
    losses = spec.sample_losses(ref.forward(spec, X, training=False)[-1][1], y)
    expected = (losses[0] + 3 * losses[5]) / 4
    assert record["validation_loss"] == pytest.approx(expected, rel=1e-14)


def test_epoch_record_is_sums_over_batches_divided_by_counts(rng: np.random.Generator) -> None:
    """Ten samples in batches of four: 4, 4 and 2, at rate 0 so that nothing moves."""
    spec = small_spec(rng, "softmax", "categorical_crossentropy", "categorical")
    spec.layers.pop(3)
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
