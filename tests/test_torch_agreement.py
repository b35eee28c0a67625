"""Activations, losses, rules and schedules against PyTorch's and scikit-learn's of the same name.

Both sides get the same random inputs. PyTorch computes in double; for float32 its error does not
count, for float64 each bound stands for both sides. Skipped where a package is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import reference
from tolerance import gamma

torch = pytest.importorskip("torch")
functional = torch.nn.functional

Array = np.ndarray[Any, Any]
Torch = Callable[..., Any]

ACTIVATIONS: dict[str, tuple[Any, Torch]] = {
    "relu": (cr.Activation_ReLU(), functional.relu),
    "leaky_relu": (cr.Activation_LeakyReLU(), functional.leaky_relu),
    "leaky_relu 0.3": (cr.Activation_LeakyReLU(0.3), lambda x: functional.leaky_relu(x, 0.3)),
    "elu": (cr.Activation_ELU(), functional.elu),
    "elu 0.7": (cr.Activation_ELU(0.7), lambda x: functional.elu(x, 0.7)),
    "selu": (cr.Activation_SELU(), functional.selu),
    "gelu": (cr.Activation_GELU(), functional.gelu),
    "gelu tanh": (
        cr.Activation_GELU("tanh"),
        lambda x: functional.gelu(x, approximate="tanh"),
    ),
    "silu": (cr.Activation_SiLU(), functional.silu),
    "mish": (cr.Activation_Mish(), functional.mish),
    # by default PyTorch's is linear beyond 20
    "softplus": (cr.Activation_Softplus(), lambda x: functional.softplus(x, threshold=1e3)),
    "exponential": (cr.Activation_Exponential(), torch.exp),
    "sigmoid": (cr.Activation_Sigmoid(), torch.sigmoid),
    "tanh": (cr.Activation_Tanh(), torch.tanh),
    "softmax": (cr.Activation_Softmax(), lambda x: functional.softmax(x, dim=1)),
}


def as_torch(array: Array) -> Any:
    return torch.tensor(array, dtype=torch.float64)


def value_and_gradient(function: Torch, inputs: Array, dvalues: Any = None) -> tuple[Array, Array]:
    """The function's value and the gradient of its inputs, by autograd in double."""
    x = as_torch(inputs).requires_grad_()
    output = function(x)
    output.backward(None if dvalues is None else as_torch(dvalues))
    return output.detach().numpy(), x.grad.numpy()


def assert_close(actual: Array, expected: Array, bound: Array) -> None:
    error = np.abs(actual.astype(np.float64) - expected)
    assert (error <= bound).all(), f"{float((error / bound).max())} times the bound"


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str, dtype: Any, rng: np.random.Generator) -> None:
    """Some 16 roundings of the output, of the slope's terms (below 1 + |x| + |f|), and of x.

    An x off by u moves f by |x f'|; |x f''| is below 2 (1 + |x| + |f|) for all of them. Where
    PyTorch's GELU adds 1 to erf or tanh it loses what is small beside |x|.
    """
    activation, function = ACTIVATIONS[name]
    inputs = rng.uniform(-12, 12, (40, 25)).astype(dtype)
    inputs[:, 1::2] /= 8
    dvalues = rng.standard_normal(inputs.shape).astype(dtype)
    value, gradient = value_and_gradient(function, inputs, dvalues)
    _, slope = value_and_gradient(function, inputs, np.ones_like(dvalues))
    terms = 1 + np.abs(inputs) + np.abs(value)
    sum_terms = 1 + np.abs(dvalues).sum(axis=1, keepdims=True) if name == "softmax" else 1
    bound = 2 * gamma(16, dtype) * (np.abs(value) + np.abs(inputs * slope) + (name == "softmax"))
    bound = bound + gamma(16, np.float64) * np.abs(inputs)
    assert_close(activation.forward(inputs), value, bound + np.finfo(dtype).tiny)
    size = np.abs(dvalues) * terms * sum_terms
    assert_close(activation.backward(dvalues), gradient, 2 * gamma(48, dtype) * size)


def quantile_loss(p: Any, y: Any, quantiles: tuple[float, ...]) -> Any:
    d = y - p
    q = torch.tensor(quantiles, dtype=torch.float64)
    return torch.maximum(q * d, (q - 1) * d).mean()


def log_cosh(p: Any, y: Any) -> Any:
    return torch.log(torch.cosh(p - y)).mean()


def hinge(p: Any, y: Any) -> Any:
    return torch.relu(1 - torch.where(y > 0, 1.0, -1.0) * p).mean()


def poisson(p: Any, y: Any) -> Any:
    return functional.poisson_nll_loss(p, y, log_input=False, eps=0.0)


QUANTILES = (0.1, 0.5, 0.75, 0.9)
# our loss, PyTorch's, predictions, targets
LOSSES: dict[str, tuple[Any, Torch, str, str]] = {
    "half squared": (
        cr.Loss_HalfSquaredError(),
        lambda p, y: ((p - y) ** 2).sum(dim=1).mean() / 2,
        "real",
        "real",
    ),
    "mean squared": (cr.Loss_MeanSquaredError(), functional.mse_loss, "real", "real"),
    "mean absolute": (cr.Loss_MeanAbsoluteError(), functional.l1_loss, "real", "real"),
    "huber": (cr.Loss_Huber(), functional.huber_loss, "real", "real"),
    "huber 0.3": (
        cr.Loss_Huber(0.3),
        lambda p, y: functional.huber_loss(p, y, delta=0.3),
        "real",
        "real",
    ),
    "log cosh": (cr.Loss_LogCosh(), log_cosh, "real", "real"),
    "poisson": (cr.Loss_Poisson(), poisson, "rates", "counts"),
    "quantile": (
        cr.Loss_Quantile(QUANTILES),
        lambda p, y: quantile_loss(p, y, QUANTILES),
        "real",
        "one",
    ),
    "hinge": (cr.Loss_Hinge(), hinge, "real", "0 and 1"),
    "hinge of signs": (cr.Loss_Hinge(), hinge, "real", "-1 and 1"),
    "binary": (cr.Loss_BinaryCrossentropy(), functional.binary_cross_entropy, "shares", "shares"),
    "binary, logits": (
        cr.Loss_BinaryCrossentropy(from_logits=True),
        functional.binary_cross_entropy_with_logits,
        "real",
        "shares",
    ),
    "categorical": (
        cr.Loss_CategoricalCrossentropy(),
        lambda p, y: -(y * torch.log(p)).sum(dim=1).mean(),
        "shares",
        "shares",
    ),
    "categorical, labels": (
        cr.Loss_CategoricalCrossentropy(),
        lambda p, y: functional.nll_loss(torch.log(p), y),
        "shares",
        "labels",
    ),
}


def draw(kind: str, rng: np.random.Generator, n: int, m: int, dtype: Any) -> Array:
    if kind == "labels":
        return rng.integers(0, m, n)
    found = {
        "real": lambda: 3 * rng.standard_normal((n, m)),
        "rates": lambda: np.exp(rng.standard_normal((n, m))),
        "counts": lambda: rng.poisson(2, (n, m)),
        "one": lambda: 3 * rng.standard_normal((n, 1)),
        "0 and 1": lambda: rng.integers(0, 2, (n, m)),
        "-1 and 1": lambda: 2 * rng.integers(0, 2, (n, m)) - 1,
        "shares": lambda: rng.uniform(0.02, 0.98, (n, m)),
        "rows": lambda: rng.dirichlet(np.ones(m), n),
    }
    return found[kind]().astype(dtype)


def targets_of(y: Array) -> Any:
    return torch.tensor(y) if y.dtype == np.int64 else as_torch(y)


def check_loss(loss: Any, joint: Any, p: Array, y: Array, function: Torch, dtype: Any) -> None:
    """Values and gradients within 32 roundings of the largest term.

    A term is below (|p| + |y| + 4)^2 (|log 0.02| < 4), a gradient's below the largest gradient,
    of which 1 - p may lose a factor 1 / (1 - p) <= 50.
    """
    value, gradient = value_and_gradient(lambda x: function(x, targets_of(y)), p)
    term = (np.abs(p).max() + (np.abs(y).max() if y.dtype == dtype else 1) + 4) ** 2
    actual = joint.forward(p, y) if joint else loss.calculate(p, y)
    bound = 2 * gamma(32 + p.shape[1], dtype) * float(term)
    assert_close(np.asarray(actual), value, np.asarray(bound))
    actual = joint.backward(joint.output, y) if joint else loss.backward(p, y)
    bound = 2 * gamma(64, dtype) * float(np.abs(gradient).max())
    assert_close(actual, gradient, np.full(p.shape, bound))


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name: str, dtype: Any, rng: np.random.Generator) -> None:
    loss, function, predictions, targets = LOSSES[name]
    p, y = draw(predictions, rng, 50, 4, dtype), draw(targets, rng, 50, 4, dtype)
    check_loss(loss, None, p, y, function, dtype)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("targets", ["labels", "rows", "shares"])
def test_softmax_and_categorical_crossentropy(
    targets: str, smoothing: float, dtype: Any, rng: np.random.Generator
) -> None:
    """Joined, with label smoothing, for rows of any sum: `cross_entropy` of logits."""
    logits, y = 3 * draw("shares", rng, 50, 4, dtype), draw(targets, rng, 50, 4, dtype)
    joint = cr.Activation_Softmax_Loss_CategoricalCrossentropy()
    joint.loss = cr.Loss_CategoricalCrossentropy(smoothing)

    def function(x: Any, y_true: Any) -> Any:
        return functional.cross_entropy(x, y_true, label_smoothing=smoothing)

    assert joint.activation.forward(logits).min() > 1e-3  # nothing is clipped
    check_loss(None, joint, logits, y, function, dtype)


def test_sigmoid_and_binary_crossentropy(dtype: Any, rng: np.random.Generator) -> None:
    logits, y = draw("real", rng, 50, 4, dtype), draw("shares", rng, 50, 4, dtype)
    joint = cr.Activation_Sigmoid_Loss_BinaryCrossentropy()
    function = functional.binary_cross_entropy_with_logits
    check_loss(None, joint, logits, y, function, dtype)


def test_exponential_and_poisson(dtype: Any, rng: np.random.Generator) -> None:
    """`poisson_nll_loss` of logarithms of rates."""
    logs, counts = draw("shares", rng, 50, 4, dtype), draw("counts", rng, 50, 4, dtype)
    exponential, loss = cr.Activation_Exponential(), cr.Loss_Poisson()
    name = loss.joint_with(exponential)
    assert name is not None

    class Joint:
        """The two as a model joins them."""

        def forward(self, inputs: Array, y: Array) -> Any:
            self.output = exponential.forward(inputs)
            return loss.calculate(self.output, y)

        def backward(self, output: Array, y: Array) -> Any:
            return loss.joint_backward(name, output, y)

    check_loss(None, Joint(), logs, counts, functional.poisson_nll_loss, dtype)


# The reference's rules, step by step

OPTIMIZERS: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "sgd": ({"rule": "sgd"}, lambda w: torch.optim.SGD(w, 0.1)),
    "momentum": (
        {"rule": "sgd", "momentum": 0.9},
        lambda w: torch.optim.SGD(w, 0.1, momentum=0.9),
    ),
    "nesterov": (
        {"rule": "sgd", "momentum": 0.9, "nesterov": True},
        lambda w: torch.optim.SGD(w, 0.1, momentum=0.9, nesterov=True),
    ),
    "adagrad": ({"rule": "adagrad"}, lambda w: torch.optim.Adagrad(w, 0.1, eps=1e-7)),
    "rmsprop": (
        {"rule": "rmsprop", "rho": 0.8},
        lambda w: torch.optim.RMSprop(w, 0.1, alpha=0.8, eps=1e-7),
    ),
    "adam": ({"rule": "adam"}, lambda w: torch.optim.Adam(w, 0.1, eps=1e-7)),
    "amsgrad": (
        {"rule": "adam", "amsgrad": True},
        lambda w: torch.optim.Adam(w, 0.1, eps=1e-7, amsgrad=True),
    ),
    "adam, decoupled decay": (
        {"rule": "adam", "weight_decay": 0.3},
        lambda w: torch.optim.AdamW(w, 0.1, eps=1e-7, weight_decay=0.3),
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rule(name: str, rng: np.random.Generator) -> None:
    """20 steps of some 20 roundings each; an error of Adam's step is that of its quotient."""
    settings, make = OPTIMIZERS[name]
    layer = reference.Dense(rng.standard_normal((5, 4)), None)
    weights = as_torch(layer.weights).requires_grad_()
    ours, theirs = reference.Optimizer(learning_rate=0.1, **settings), make([weights])
    for scale in np.exp(rng.standard_normal(20)):
        gradient = scale * rng.standard_normal((5, 4))
        weights.grad = as_torch(gradient)
        theirs.step()
        ours.update(layer, gradient, None)
        ours.iterations += 1
    bound = gamma(20 * 20, np.float64) * 20
    assert_close(layer.weights, weights.detach().numpy(), np.full((5, 4), bound))


def test_epsilon_hat_is_scikit_learns(rng: np.random.Generator) -> None:
    """An epsilon as large as the gradients, so that its place shows."""
    optimizers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    layer = reference.Dense(rng.standard_normal((5, 4)), None)
    weights = layer.weights.copy()
    ours = reference.Optimizer("adam", 0.1, epsilon=0.5, epsilon_hat=True)
    theirs = optimizers.AdamOptimizer([weights], learning_rate_init=0.1, epsilon=0.5)
    for _ in range(20):
        gradient = rng.standard_normal((5, 4))
        theirs.update_params([weights], [gradient])
        ours.update(layer, gradient, None)
        ours.iterations += 1
    assert_close(layer.weights, weights, np.full((5, 4), gamma(20 * 20, np.float64) * 20))


# Layers in front of a net of tables


def assert_layer_agrees(
    layer: Any, inputs: Array, function: Torch, rng: np.random.Generator, scale: float
) -> None:
    """Output and gradients against autograd's of ``function(inputs, *parameters)``, both in double.

    Each is a sum of terms of at most `scale`, a product each of fewer than 64 rounded factors.
    """
    x = as_torch(inputs).requires_grad_()
    parameters = [as_torch(each).requires_grad_() for each in layer.get_parameters()]
    expected = function(x, *parameters)
    dvalues = rng.uniform(-1, 1, tuple(expected.shape))
    expected.backward(as_torch(dvalues))
    output, dinputs = layer.forward(inputs), layer.backward(dvalues)
    bound = 2 * gamma(64, np.float64) * scale
    assert_close(output, expected.detach().numpy(), np.full(output.shape, bound))
    assert_close(dinputs, x.grad.numpy(), np.full(inputs.shape, bound))
    for name, each in zip(layer.parameter_names, parameters, strict=True):
        gradient = getattr(layer, f"d{name}")
        assert_close(gradient, each.grad.numpy(), np.full(gradient.shape, bound * len(inputs)))


def test_periodic_features(rng: np.random.Generator) -> None:
    """Angles of at most 2 pi 4 4 + 4, weights of at most 4: 3 mixtures of 8 terms each."""
    layer = cr.Layer_PeriodicFeatures(5, 3, n_frequencies=8, n_outputs=4, dtype=np.float64, rng=1)
    layer.frequencies = np.clip(rng.standard_normal((3, 8)), -4, 4)
    inputs = np.clip(rng.standard_normal((30, 5)), -4, 4)

    def function(x: Any, frequencies: Any, phases: Any, weights: Any, biases: Any) -> Any:
        first = x[:, :3, None]
        waves = torch.cos(2 * torch.pi * frequencies * first + phases)
        mixed = torch.einsum("npk,pkm->npm", waves, weights) + biases
        return torch.cat([torch.cat([mixed, first], dim=2).reshape(30, 12), x[:, 3:]], dim=1)

    scale = (2 * np.pi * 16 + 4) * 2 * np.pi * 4 * 3 * 8
    assert_layer_agrees(layer, inputs, function, rng, scale)


def test_embedding(rng: np.random.Generator) -> None:
    sizes, width = (3, 5), 4
    layer = cr.Layer_Embedding(4, sizes, width, dtype=np.float64, rng=1)
    codes = np.stack([rng.integers(0, size, 40) for size in sizes], axis=1)
    inputs = np.concatenate([rng.standard_normal((40, 2)), codes], axis=1)

    def function(x: Any, weights: Any) -> Any:
        rows = [
            functional.embedding(x[:, 2 + k].long(), table)
            for k, table in enumerate(torch.split(weights, sizes))
        ]
        return torch.cat([x[:, :2], *rows], dim=1)

    assert_layer_agrees(layer, inputs, function, rng, 4.0)


@pytest.mark.parametrize("name", ["selu", "mish", "leaky_relu 0.3"])
def test_parametric_activation(name: str, rng: np.random.Generator) -> None:
    activation, function = ACTIVATIONS[name]
    layer = cr.Layer_ParametricActivation(6, activation, dtype=np.float64)
    layer.weights = rng.uniform(-2, 2, (1, 6))
    inputs = rng.uniform(-4, 4, (50, 6))
    assert_layer_agrees(
        layer, inputs, lambda x, a: (1 - a) * x + a * function(x), rng, 3 * 4 + 2 * 8
    )


# Schedules


def rates_of(make: Callable[[Any], Any], steps: int) -> list[float]:
    """The rate of each step of a PyTorch schedule over an optimizer of rate 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedule, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_one_cycle() -> None:
    """PyTorch's peak stands at step 0.3 n - 1 of the steps 0 to n - 1."""
    n = 100
    expected = rates_of(
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 1.0, total_steps=n + 1, pct_start=0.3, cycle_momentum=False
        ),
        n,
    )
    peak = (0.3 * (n + 1) - 1) / n
    ours = cr.schedules.OneCycle(peak, start=1 / 25, end=1 / 25 / 1e4)
    np.testing.assert_allclose(ours(np.arange(n) / n), expected, rtol=0, atol=1e-14)


def test_cosine_and_step() -> None:
    schedulers, t = torch.optim.lr_scheduler, np.arange(100) / 100
    expected = rates_of(lambda o: schedulers.CosineAnnealingLR(o, 100, eta_min=0.1), 100)
    # PyTorch multiplies from step to step: 100 roundings
    np.testing.assert_allclose(cr.schedules.Cosine(0.1)(t), expected, rtol=0, atol=100 * 1e-15)
    expected = rates_of(lambda o: schedulers.MultiStepLR(o, [50, 75], gamma=0.1), 100)
    np.testing.assert_allclose(cr.schedules.Step()(t), expected, rtol=1e-14)
