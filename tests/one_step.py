"""One step of training, and how far two libraries may be apart after it by rounding alone.

Magnitudes run through the net with absolute values: M behind a layer bounds its outputs and, times
gamma(k), their errors; N does so for gradients. An activation here has |f(x)| <= |x|, slope and
curvature at most 1, so its slope is off by the error of its input: N gets the factor 1 + M. k
counts the roundings of all layers in both directions (Higham, 3.1). Both libraries round: twice
the bound.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import chainrule as cr
from tolerance import gamma, unit

Array = np.ndarray[Any, Any]

RATE, MOMENTUM, BETAS, EPSILON = 0.05, 0.9, (0.8, 0.95), 1e-3
STEPS_BEFORE = 3  # that the optimizer's arrays have seen
RULES = {
    "sgd": lambda: cr.Optimizer_SGD(RATE),
    "momentum": lambda: cr.Optimizer_SGD(RATE, momentum=MOMENTUM),
    "nesterov": lambda: cr.Optimizer_SGD(RATE, momentum=MOMENTUM, nesterov=True),
    "adam": lambda: cr.Optimizer_Adam(RATE, epsilon=EPSILON, beta_1=BETAS[0], beta_2=BETAS[1]),
    "adam_hat": lambda: cr.Optimizer_Adam(
        RATE, epsilon=EPSILON, beta_1=BETAS[0], beta_2=BETAS[1], epsilon_hat=True
    ),
}


class Case(NamedTuple):
    """A net with an optimizer in mid-training, samples, and targets."""

    model: Any
    X: Array
    y: Array


def case(rule: str, end: str, dtype: Any, seed: int = 0) -> Case:
    """A net 4-6-3 of tanh; its optimizer's arrays are as after some steps.

    The squares are so small that epsilon counts.
    """
    rng = np.random.default_rng(seed)
    model = cr.Model()
    model.add(cr.Layer_Dense(4, 6, init="glorot_uniform", dtype=dtype, rng=rng))
    model.add(cr.Activation_Tanh())
    model.add(cr.Layer_Dense(6, 3, init="glorot_uniform", dtype=dtype, rng=rng))
    optimizer = RULES[rule]()
    optimizer.iterations = STEPS_BEFORE if optimizer.states else 0
    for layer in model.layers[::2]:
        for name, slot in (("weights", "weight"), ("biases", "bias")):
            shape = getattr(layer, name).shape
            if optimizer.states:
                momentums = 0.01 * rng.standard_normal(shape)
                setattr(layer, f"{slot}_momentums", momentums.astype(dtype))
            if "cache" in optimizer.states:
                cache = EPSILON**2 * rng.uniform(0.5, 2, shape)
                setattr(layer, f"{slot}_cache", cache.astype(dtype))
    X = rng.standard_normal((8, 4)).astype(dtype)
    if end == "softmax":
        model.add(cr.Activation_Softmax())
        model.set(loss=cr.Loss_CategoricalCrossentropy(), optimizer=optimizer)
        y: Array = rng.integers(0, 3, 8)
    else:
        model.set(loss=cr.Loss_MeanSquaredError(), optimizer=optimizer)
        y = rng.standard_normal((8, 3)).astype(dtype)
    model.finalize()
    return Case(model, X, y)


def dense_layers(model: Any) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, cr.Layer_Dense)]


def gradient_bounds(found: Case) -> list[tuple[Array, Array]]:
    """What the weights' and biases' gradients, in the precision of the case, may be off by."""
    layers, dtype = dense_layers(found.model), found.X.dtype
    n, roundings = len(found.X), 50
    magnitudes = [np.abs(found.X).astype(np.float64)]
    for layer in layers:
        roundings += 2 * (layer.n_inputs + layer.n_neurons + n + 20)
        magnitudes.append(magnitudes[-1] @ np.abs(layer.weights) + np.abs(layer.biases))
    last, m = magnitudes[-1], layers[-1].n_neurons
    if found.y.ndim == 1:
        p = np.asarray(found.model.predict(found.X), dtype=np.float64)
        d = (p * (1 + 2 * last.max(axis=1, keepdims=True)) + np.eye(m)[found.y]) / n
    else:
        d = 2 * (last + np.abs(found.y)) / (m * n)
    bounds = []
    for place in reversed(range(len(layers))):
        bounds.append((magnitudes[place].T @ d, d.sum(axis=0, keepdims=True)))
        d = (d @ np.abs(layers[place].weights).T) * (1 + magnitudes[place])
    factor = gamma(roundings, dtype)
    return [(factor * w, factor * b) for w, b in reversed(bounds)]


def after_one_step(found: Case) -> list[tuple[Array, Array]]:
    """The parameters of each layer after one step, and what they may be off by.

    Both are (2, d, m) and (2, 1, m): the value, and the bound.
    """
    model, optimizer = found.model, found.model.optimizer
    before = [(layer.weights.copy(), layer.biases.copy()) for layer in dense_layers(model)]
    states = [
        [np.array(getattr(layer, f"{slot}_{kind}"), dtype=np.float64) for kind in optimizer.states]
        for layer in dense_layers(model)
        for slot in ("weight", "bias")
    ]
    errors = [error for pair in gradient_bounds(found) for error in pair]
    model.backward(model.forward(found.X, training=True), found.y)
    layers = dense_layers(model)
    gradients = [g.copy() for layer in layers for g in (layer.dweights, layer.dbiases)]
    model.train(found.X, found.y)
    after = [a for layer in layers for a in (layer.weights, layer.biases)]
    olds = [a for pair in before for a in pair]
    u = unit(found.X.dtype)
    results = []
    for new, old, g, error, state in zip(after, olds, gradients, errors, states, strict=True):
        moved = np.abs(new.astype(np.float64) - old)
        step = step_error(optimizer, g.astype(np.float64), error, state, moved, u)
        results.append(np.stack([new, 2 * (step + 4 * u * (np.abs(old) + moved))]))
    return list(zip(results[::2], results[1::2], strict=True))


def step_error(
    optimizer: Any, g: Array, error: Array, states: list[Array], moved: Array, u: float
) -> Array:
    """What an error of the gradient, and the rule's own roundings, make of the step."""
    if not hasattr(optimizer, "beta_1"):
        momentum = np.abs(states[0]) if states else 0 * g
        factor = 2 if optimizer.nesterov else 1
        result: Array = factor * RATE * error + 8 * u * (2 * momentum + factor * RATE * np.abs(g))
        return result
    (beta_1, beta_2), t = BETAS, STEPS_BEFORE + 1
    c = beta_2 * states[1] + (1 - beta_2) * g**2
    corrected = np.sqrt(c / (1 - beta_2**t))
    off_m = (1 - beta_1) * error + 4 * u * (np.abs(states[0]) + np.abs(g))
    off_c = 2 * (1 - beta_2) * (np.abs(g) + error) * error
    relative = off_c / c + 16 * u  # of c; half of it of the root
    off = off_m / (1 - beta_1**t) / (corrected + optimizer.epsilon)
    result = 2 * (RATE * off + moved * relative)
    return result
