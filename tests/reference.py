"""The whole library in plain NumPy: the specification. Read this first.

Every function carries the name and the arguments of its compiled twin in ``chainrule._core``,
states its formula, and computes in the dtype of its arguments (float32, float64 or, to judge
float64, ``np.longdouble``). ``n`` samples, ``d`` inputs, ``m`` neurons; rows are samples.
``train`` at the end puts the pieces together as ``Model.train`` does.

Contents: dense layer, scale, periodic features, embedding, parametric activation, regularisation,
activations, dropout, losses, schedules, optimizers, accuracy, network, training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

CLIP = 1e-7  # probabilities are kept within [CLIP, 1 - CLIP] before a logarithm


# Dense layer


def dense_forward(inputs: Array, weights: Array, biases: Array) -> Array:
    """output = inputs . weights + biases, shapes (n, d) . (d, m) + (1, m) -> (n, m)."""
    return inputs @ weights + biases


def dense_backward(inputs: Array, dvalues: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Gradients of the parameters and of the inputs, from dvalues (n, m).

    dweights = inputs^T . dvalues         (d, m)
    dbiases  = sum over samples of dvalues (1, m)
    dinputs  = dvalues . weights^T        (n, d)
    """
    return inputs.T @ dvalues, dvalues.sum(axis=0, keepdims=True), dvalues @ weights.T


# Scale


def scale_forward(inputs: Array, weights: Array) -> Array:
    """output = inputs * weights, (n, d) * (1, d): one factor a column."""
    return inputs * weights


def scale_backward(inputs: Array, dvalues: Array, weights: Array) -> tuple[Array, Array]:
    """dweights = sum over samples of inputs * dvalues (1, d); dinputs = dvalues * weights."""
    return (inputs * dvalues).sum(axis=0, keepdims=True), dvalues * weights


# Periodic features: p columns with k cosines each, mixed to m columns; q columns pass


def two_pi(dtype: Any) -> Any:
    """2 pi in a dtype."""
    return 8 * np.arctan(np.ones((), dtype))


def waves(inputs: Array, frequencies: Array, phases: Array) -> tuple[Array, Array]:
    """cos and sin of 2 pi frequencies x + phases, (n, p, k)."""
    x = inputs[:, : len(frequencies), None]
    angle = two_pi(inputs.dtype) * frequencies * x + phases
    return np.cos(angle), np.sin(angle)


def periodic_forward(
    inputs: Array, frequencies: Array, phases: Array, weights: Array, biases: Array, n_passed: int
) -> Array:
    """Of each of the first p columns x: cos(2 pi frequencies x + phases) . weights + biases, x.

    inputs (n, p + q), frequencies and phases (p, k), weights (p, k, m), biases (p, m), output
    (n, p (m + 1) + q); the q = n_passed columns behind stay as they are.
    """
    p = len(frequencies)
    cosine, _ = waves(inputs, frequencies, phases)
    mixed = (cosine[..., None] * weights).sum(axis=2) + biases
    features = np.concatenate([mixed, inputs[:, :p, None]], axis=2)
    features = features.reshape(len(inputs), p * (weights.shape[2] + 1))
    return np.concatenate([features, inputs[:, p:]], axis=1)


def periodic_backward(
    inputs: Array,
    dvalues: Array,
    frequencies: Array,
    phases: Array,
    weights: Array,
    biases: Array,
    n_passed: int,
) -> tuple[Array, ...]:
    """dfrequencies, dphases, dweights, dbiases, dinputs; s is the gradient of the angle.

    s            = -sin(...) * (dvalues . weights^T)            (n, p, k)
    dfrequencies = 2 pi sum over samples of x s,  dphases = sum of s
    dweights     = sum of cos(...) dvalues,       dbiases = sum of dvalues
    dinputs      = dvalues of x + 2 pi sum over k of frequencies s
    """
    p, _, m = weights.shape
    n, tau = len(inputs), two_pi(inputs.dtype)
    cosine, sine = waves(inputs, frequencies, phases)
    first = dvalues[:, : p * (m + 1)].reshape(n, p, m + 1)
    dmixed = first[..., None, :m]
    s = -sine * (dmixed * weights).sum(axis=-1)
    dx = first[..., m] + tau * (s * frequencies).sum(axis=-1)
    return (
        tau * (s * inputs[:, :p, None]).sum(axis=0),
        s.sum(axis=0),
        (cosine[..., None] * dmixed).sum(axis=0),
        first[..., :m].sum(axis=0),
        np.concatenate([dx, dvalues[:, p * (m + 1) :]], axis=1),
    )


# Embedding: the last columns hold codes, each of which a row of its column's table replaces


def embedding_rows(inputs: Array, sizes: Sequence[int]) -> Array:
    """The row of the stacked tables that each code means, (n, len(sizes))."""
    codes = inputs[:, inputs.shape[1] - len(sizes) :].astype(np.int64)
    return codes + np.cumsum([0, *sizes[:-1]])


def embedding_forward(inputs: Array, weights: Array, sizes: Sequence[int], n_passed: int) -> Array:
    """The columns in front, then the rows: (n, q + c) -> (n, q + c width), c = len(sizes)."""
    rows = weights[embedding_rows(inputs, sizes)]
    rows = rows.reshape(len(inputs), len(sizes) * weights.shape[1])
    return np.concatenate([inputs[:, :n_passed], rows], axis=1)


def embedding_backward(
    inputs: Array, dvalues: Array, weights: Array, sizes: Sequence[int], n_passed: int
) -> tuple[Array, Array]:
    """dweights: the sum of the dvalues that a row has got; dinputs: 0 in the columns of codes."""
    q = n_passed
    dweights, dinputs = np.zeros_like(weights), np.zeros_like(inputs)
    parts = dvalues[:, q:].reshape(len(inputs), len(sizes), weights.shape[1])
    np.add.at(dweights, embedding_rows(inputs, sizes), parts)
    dinputs[:, :q] = dvalues[:, :q]
    return dweights, dinputs


# Parametric activation


def parametric_forward(inputs: Array, activated: Array, weights: Array) -> Array:
    """output = (1 - a) inputs + a activated, a = weights (1, d); activated = f(inputs)."""
    return (1 - weights) * inputs + weights * activated


def parametric_backward(
    dvalues: Array, through: Array, inputs: Array, activated: Array, weights: Array
) -> tuple[Array, Array]:
    """dweights = sum of dvalues (activated - inputs); dinputs = (1 - a) dvalues + a through.

    ``through`` is dvalues f'(inputs).
    """
    dweights = (dvalues * (activated - inputs)).sum(axis=0, keepdims=True)
    return dweights, (1 - weights) * dvalues + weights * through


# Regularisation


def regularization_loss(parameter: Array, l1: float, l2: float) -> float:
    """l1 * sum |parameter| + l2 * sum parameter^2."""
    return l1 * float(np.abs(parameter).sum()) + l2 * float((parameter * parameter).sum())


def regularize(gradient: Array, parameter: Array, l1: float, l2: float) -> None:
    """In place: gradient += l1 * sign(parameter) + 2 * l2 * parameter, where sign(0) = +1."""
    sign = np.where(parameter < 0, -1, 1).astype(parameter.dtype)
    gradient += l1 * sign + 2 * l2 * parameter


# Activations: ``<name>_backward(dvalues, saved, *parameters)``, where ``saved`` is the inputs for
# those in NEEDS_INPUTS and the output for the others

ACTIVATIONS = (
    "relu", "sigmoid", "tanh", "softmax", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu",
    "mish", "softplus", "exponential",
)  # fmt: skip
NEEDS_INPUTS = {"gelu", "gelu_tanh", "silu", "mish", "softplus"}


def relu_forward(inputs: Array) -> Array:
    """output = 0 where inputs <= 0, else inputs; a NaN passes."""
    return np.where(inputs <= 0, np.zeros_like(inputs), inputs)


def relu_backward(dvalues: Array, output: Array) -> Array:
    """dinputs = 0 where output <= 0 (where inputs are 0 or -0, too), else dvalues."""
    return np.where(output <= 0, np.zeros_like(dvalues), dvalues)


def leaky_relu_forward(inputs: Array, negative_slope: float) -> Array:
    """output = inputs where inputs > 0, else negative_slope * inputs."""
    return np.where(inputs > 0, inputs, negative_slope * inputs)


def leaky_relu_backward(dvalues: Array, output: Array, negative_slope: float) -> Array:
    """dinputs = negative_slope * dvalues where output <= 0, else dvalues."""
    return np.where(output <= 0, negative_slope * dvalues, dvalues)


def elu_forward(inputs: Array, alpha: float) -> Array:
    """output = inputs where inputs > 0, else alpha * (e^inputs - 1)."""
    return np.where(inputs > 0, inputs, alpha * np.expm1(np.minimum(inputs, 0)))


def elu_backward(dvalues: Array, output: Array, alpha: float) -> Array:
    """dinputs = dvalues where output > 0, else dvalues * (output + alpha): alpha e^inputs."""
    return dvalues * np.where(output > 0, 1, output + alpha)


# The constants for which mean 0 and variance 1 are a fixed point (Klambauer et al., 2017)
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def selu_forward(inputs: Array) -> Array:
    """output = SCALE * (inputs where inputs > 0, else ALPHA * (e^inputs - 1))."""
    return SELU_SCALE * elu_forward(inputs, SELU_ALPHA)


def selu_backward(dvalues: Array, output: Array) -> Array:
    """dinputs = SCALE * dvalues where output > 0, else dvalues * (output + SCALE * ALPHA)."""
    return dvalues * np.where(output > 0, SELU_SCALE, output + SELU_SCALE * SELU_ALPHA)


def sigmoid_forward(inputs: Array) -> Array:
    """output = 1 / (1 + e^-inputs), written with e^-|inputs| so that nothing overflows."""
    small = np.exp(-np.abs(inputs))
    return np.where(inputs < 0, small, np.ones_like(inputs)) / (1 + small)


def sigmoid_backward(dvalues: Array, output: Array) -> Array:
    """dinputs = dvalues * output * (1 - output)."""
    return dvalues * (output * (1 - output))


def tanh_forward(inputs: Array) -> Array:
    """output = tanh(inputs)."""
    return np.tanh(inputs)


def tanh_backward(dvalues: Array, output: Array) -> Array:
    """dinputs = dvalues * (1 - output^2)."""
    return dvalues * (1 - output * output)


def times(values: Array, share: Array) -> Array:
    """values * share, and 0 where the share is 0: the limit where values are infinite."""
    return np.multiply(values, share, out=np.zeros_like(values), where=share != 0)


def normal_density(x: Array) -> Array:
    """phi = e^(-x^2 / 2) / sqrt(2 pi), x^2 as a sum of two squares so that it loses no digits."""
    x = np.clip(x, -200, 200)  # e^-20000 is 0 in every dtype
    high = x.astype(np.float32).astype(x.dtype)
    root = np.sqrt(8 * np.arctan(x.dtype.type(1)))
    return np.exp(-high * high / 2) * np.exp(-(x - high) * (x + high) / 2) / root


def normal_distribution(x: Array) -> Array:
    """Phi = integral of phi from -infinity to x, to the last digits on either side.

    Near 0: 1/2 + phi (x + x^3 / 3 + x^5 / (3 5) + ...). Far below it, with |x| = z:
    phi / (z + 1 / (z + 2 / (z + 3 / ...))) (Marsaglia, Evaluating the normal distribution, 2004).
    """
    size = np.minimum(np.abs(x), 200)
    near, far = np.minimum(size, 2), np.maximum(size, 2)
    term, total = near, near
    for k in range(1, 40):
        term = term * (near * near) / (2 * k + 1)
        total = total + term
    fraction = far
    for k in range(160, 0, -1):
        fraction = far + k / fraction
    below = np.where(size < 2, 0.5 - normal_density(near) * total, normal_density(far) / fraction)
    return np.where(x > 0, 1 - below, below)


def gelu_forward(inputs: Array) -> Array:
    """output = inputs * Phi(inputs)."""
    return times(inputs, normal_distribution(inputs))


def gelu_backward(dvalues: Array, inputs: Array) -> Array:
    """dinputs = dvalues * (Phi(inputs) + inputs * phi(inputs))."""
    return dvalues * (normal_distribution(inputs) + times(inputs, normal_density(inputs)))


def gelu_tanh_share(inputs: Array) -> tuple[Array, Array, Array]:
    """s = (1 + tanh u) / 2 = sigmoid(2 u), 1 - s and 2 du, u = sqrt(2 / pi) (x + 0.044715 x^3)."""
    x = np.clip(inputs, -100, 100)  # beyond, s is 0 or 1 in every dtype
    factor = 2 * np.sqrt(1 / (2 * np.arctan(x.dtype.type(1))))
    twice = factor * (x + 0.044715 * x * x * x)
    slope = factor * (1 + 3 * 0.044715 * x * x)
    return sigmoid_forward(twice), sigmoid_forward(-twice), slope


def gelu_tanh_forward(inputs: Array) -> Array:
    """output = inputs / 2 * (1 + tanh(sqrt(2 / pi) (inputs + 0.044715 inputs^3)))."""
    return times(inputs, gelu_tanh_share(inputs)[0])


def gelu_tanh_backward(dvalues: Array, inputs: Array) -> Array:
    """dinputs = dvalues * (s + inputs * s (1 - s) 2 du)."""
    share, rest, slope = gelu_tanh_share(inputs)
    return dvalues * (share + np.clip(inputs, -100, 100) * slope * (share * rest))


def silu_forward(inputs: Array) -> Array:
    """output = inputs * s, s = sigmoid(inputs)."""
    return times(inputs, sigmoid_forward(inputs))


def silu_backward(dvalues: Array, inputs: Array) -> Array:
    """dinputs = dvalues * (s + inputs * s (1 - s))."""
    share = sigmoid_forward(inputs)
    return dvalues * (share + times(inputs, share * sigmoid_forward(-inputs)))


def tanh_of_softplus(inputs: Array) -> tuple[Array, Array]:
    """t = tanh(log(1 + e^x)) = k / (k + 2), k = e^x (e^x + 2), and 1 - t^2, without overflow."""
    e = np.exp(-np.abs(inputs))
    k, whole = e * (e + 2), 1 + 2 * e + 2 * e * e
    tangent = np.where(inputs < 0, k / (k + 2), (1 + 2 * e) / whole)
    above = 4 * (e * e) * (1 + 2 * e + e * e) / (whole * whole)
    return tangent, np.where(inputs < 0, 4 * (1 + k) / ((k + 2) * (k + 2)), above)


def mish_forward(inputs: Array) -> Array:
    """output = inputs * tanh(log(1 + e^inputs))."""
    return times(inputs, tanh_of_softplus(inputs)[0])


def mish_backward(dvalues: Array, inputs: Array) -> Array:
    """dinputs = dvalues * (t + inputs * sigmoid(inputs) * (1 - t^2))."""
    tangent, rest = tanh_of_softplus(inputs)
    return dvalues * (tangent + times(inputs, sigmoid_forward(inputs) * rest))


def softplus_forward(inputs: Array) -> Array:
    """output = log(1 + e^inputs), written with e^-|inputs| so that nothing overflows."""
    return np.maximum(inputs, 0) + np.log1p(np.exp(-np.abs(inputs)))


def softplus_backward(dvalues: Array, inputs: Array) -> Array:
    """dinputs = dvalues * sigmoid(inputs)."""
    return dvalues * sigmoid_forward(inputs)


def exponential_forward(inputs: Array) -> Array:
    """output = e^inputs."""
    return np.exp(inputs)


def exponential_backward(dvalues: Array, output: Array) -> Array:
    """dinputs = dvalues * output."""
    return dvalues * output


def softmax_forward(inputs: Array) -> Array:
    """output_j = e^(inputs_j - max) / sum_k e^(inputs_k - max), row by row."""
    powers = np.exp(inputs - inputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def softmax_backward(dvalues: Array, output: Array) -> Array:
    """dinputs = output * (dvalues - sum_k dvalues_k output_k): the Jacobian product, row by row."""
    return output * (dvalues - (dvalues * output).sum(axis=1, keepdims=True))


def multiply(a: Array, b: Array) -> Array:
    """a * b, element by element: dropout's backward with its mask, for one."""
    return a * b


# Dropout: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3)

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)


def philox(counter: Sequence[Array], key: tuple[int, int]) -> list[Array]:
    """Ten rounds over four 32-bit counter words (as uint64 arrays) with two 32-bit key words.

    A round multiplies words 0 and 2 to 64 bits and gives
    (high_2 ^ word_1 ^ key_0, low_2, high_0 ^ word_3 ^ key_1, low_0);
    after it, KEY_STEPS are added to the key modulo 2^32.
    """
    low_half, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p2 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c2 = (p2 >> shift) ^ c1 ^ np.uint64(k0), (p0 >> shift) ^ c3 ^ np.uint64(k1)
        c1, c3 = p2 & low_half, p0 & low_half
        k0, k1 = (k0 + KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + KEY_STEPS[1]) & 0xFFFFFFFF
    return [c0, c1, c2, c3]


def dropout_uniforms(shape: tuple[int, ...], key: int, step: int, start: int = 0) -> Array:
    """One number u in [0, 1) for each element, a pure function of (key, step, element).

    Element e, counted row by row from `start` on, takes word e % 4 of the block with the counter
    words (block low, block high, step low, step high), block = e // 4, under the key words
    (key low, key high). u = (word >> 8) / 2^24, exact in float32.
    """
    first, count = start % 4, int(np.prod(shape))
    block = np.uint64(start // 4) + np.arange((first + count + 3) // 4, dtype=np.uint64)
    low_half, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter = [
        block & low_half,
        block >> shift,
        np.full_like(block, step & 0xFFFFFFFF),
        np.full_like(block, step >> 32),
    ]
    words = np.stack(philox(counter, (key & 0xFFFFFFFF, key >> 32)), axis=1).ravel()
    words = words[first : first + count]
    return ((words >> np.uint64(8)).astype(np.float64) * 2.0**-24).reshape(shape)


def dropout_forward(
    inputs: Array, keep: float, key: int, step: int, start: int = 0
) -> tuple[Array, Array]:
    """mask = (u < keep) / keep, output = inputs * mask; ``step`` counts training forwards."""
    kept = dropout_uniforms(inputs.shape, key, step, start) < keep
    mask = np.where(kept, inputs.dtype.type(1.0 / keep), inputs.dtype.type(0))
    return inputs * mask, mask


# Losses: forward gives one value a sample (n,), backward takes y_pred as ``dvalues``. A joint loss
# includes the last activation: its forward takes that one's inputs and gives its output as well,
# its backward takes the output

LOSS_NAMES = (
    "half_squared_error", "mean_squared_error", "mean_absolute_error", "binary_crossentropy",
    "binary_crossentropy_logits", "categorical_crossentropy", "huber", "log_cosh", "poisson",
    "quantile", "hinge",
)  # fmt: skip
# (loss, last activation) -> the joint loss that a model uses for them
JOINT = {
    ("categorical_crossentropy", "softmax"): "softmax_crossentropy",
    ("poisson", "exponential"): "exponential_poisson",
}
# What targets may be; those of the others are any real numbers
DOMAINS = {
    "binary_crossentropy": "[0, 1]",
    "binary_crossentropy_logits": "[0, 1]",
    "sigmoid_crossentropy": "[0, 1]",
    "categorical_crossentropy": "[0, 1]",
    "softmax_crossentropy": "[0, 1]",
    "poisson": ">= 0",
    "exponential_poisson": ">= 0",
    "hinge": "-1 and 1, or 0 and 1",
}


def half_squared_error_forward(y_pred: Array, y_true: Array) -> Array:
    """sum_j (p - y)^2 / 2."""
    difference = y_pred - y_true
    return (difference * difference).sum(axis=1) / 2


def half_squared_error_backward(dvalues: Array, y_true: Array) -> Array:
    """(p - y) / n."""
    return (dvalues - y_true) / len(dvalues)


def mean_squared_error_forward(y_pred: Array, y_true: Array) -> Array:
    """mean_j (p - y)^2."""
    difference = y_pred - y_true
    return (difference * difference).mean(axis=1)


def mean_squared_error_backward(dvalues: Array, y_true: Array) -> Array:
    """2 (p - y) / m / n."""
    return 2 * (dvalues - y_true) / dvalues.shape[1] / len(dvalues)


def mean_absolute_error_forward(y_pred: Array, y_true: Array) -> Array:
    """mean_j |p - y|."""
    return np.abs(y_pred - y_true).mean(axis=1)


def mean_absolute_error_backward(dvalues: Array, y_true: Array) -> Array:
    """sign(p - y) / m / n, where sign(0) = 0."""
    return np.sign(dvalues - y_true) / dvalues.shape[1] / len(dvalues)


def huber_forward(y_pred: Array, y_true: Array, delta: float) -> Array:
    """mean_j of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); d = p - y."""
    size = np.abs(y_pred - y_true)
    return np.where(size <= delta, size * size / 2, delta * (size - delta / 2)).mean(axis=1)


def huber_backward(dvalues: Array, y_true: Array, delta: float) -> Array:
    """clip(d, -delta, delta) / m / n."""
    return np.clip(dvalues - y_true, -delta, delta) / dvalues.shape[1] / len(dvalues)


def log_cosh_forward(y_pred: Array, y_true: Array) -> Array:
    """mean_j log cosh d, d = p - y.

    log(1 + 2 sinh(d / 2)^2) near 0; |d| + log(1 + e^(-2 |d|)) - log 2 elsewhere.
    """
    size = np.abs(y_pred - y_true)
    near = 2 * np.sinh(np.minimum(size, 1) / 2) ** 2
    far = size + np.log1p(np.exp(-2 * size)) - np.log(size.dtype.type(2))
    return np.where(size < 1, np.log1p(near), far).mean(axis=1)


def log_cosh_backward(dvalues: Array, y_true: Array) -> Array:
    """tanh(p - y) / m / n."""
    return np.tanh(dvalues - y_true) / dvalues.shape[1] / len(dvalues)


def poisson_forward(y_pred: Array, y_true: Array) -> Array:
    """mean_j (p - y log p), p at least CLIP in the logarithm."""
    log = np.log(np.maximum(y_pred, y_pred.dtype.type(CLIP)))
    return (y_pred - y_true * log).mean(axis=1)


def poisson_backward(dvalues: Array, y_true: Array) -> Array:
    """(1 - y / p) / m / n, p at least CLIP in the quotient."""
    p = np.maximum(dvalues, dvalues.dtype.type(CLIP))
    return (1 - y_true / p) / dvalues.shape[1] / len(dvalues)


def exponential_poisson_forward(inputs: Array, y_true: Array) -> tuple[Array, Array]:
    """output = e^inputs, and the Poisson loss of it per sample."""
    output = exponential_forward(inputs)
    return output, poisson_forward(output, y_true)


def exponential_poisson_backward(dvalues: Array, y_true: Array) -> Array:
    """(p - y) / m / n: both derivatives in one; ``dvalues`` is the output p."""
    return (dvalues - y_true) / dvalues.shape[1] / len(dvalues)


def quantile_forward(y_pred: Array, y_true: Array, *quantiles: float) -> Array:
    """mean over outputs j of max(q_j d, (q_j - 1) d), d = y - p; y is (n, 1)."""
    d, q = y_true - y_pred, np.asarray(quantiles, dtype=y_pred.dtype)
    return np.where(d < 0, (q - 1) * d, q * d).mean(axis=1)


def quantile_backward(dvalues: Array, y_true: Array, *quantiles: float) -> Array:
    """(1[p >= y] - q) / m / n."""
    q = np.asarray(quantiles, dtype=dvalues.dtype)
    slope = np.where(dvalues >= y_true, 1 - q, -q)
    slope = np.where(np.isnan(dvalues - y_true), dvalues - y_true, slope)
    return slope / dvalues.shape[1] / len(dvalues)


def signs(y_true: Array) -> Array:
    """1 where y > 0, else -1: labels 0 and 1 become -1 and 1."""
    return np.where(y_true > 0, 1, -1).astype(y_true.dtype)


def hinge_forward(y_pred: Array, y_true: Array) -> Array:
    """mean_j max(0, 1 - y p), y as signs."""
    return np.maximum(0, 1 - signs(y_true) * y_pred).mean(axis=1)


def hinge_backward(dvalues: Array, y_true: Array) -> Array:
    """-y / m / n where y p < 1, else 0."""
    y = signs(y_true)
    slope = np.where(y * dvalues < 1, -y, np.where(np.isnan(dvalues), dvalues, 0))
    return slope / dvalues.shape[1] / len(dvalues)


def clip_probabilities(y_pred: Array) -> Array:
    """p within [CLIP, 1 - CLIP], both bounds rounded to the dtype of p; a NaN passes."""
    kind = y_pred.dtype.type
    return np.clip(y_pred, kind(CLIP), kind(1 - CLIP))


def binary_crossentropy_forward(y_pred: Array, y_true: Array) -> Array:
    """mean_j -(y log p + (1 - y) log(1 - p)) with the clipped p."""
    p = clip_probabilities(y_pred)
    return -(y_true * np.log(p) + (1 - y_true) * np.log(1 - p)).mean(axis=1)


def binary_crossentropy_backward(dvalues: Array, y_true: Array) -> Array:
    """-(y / p - (1 - y) / (1 - p)) / m / n with the clipped p."""
    p = clip_probabilities(dvalues)
    return -(y_true / p - (1 - y_true) / (1 - p)) / dvalues.shape[1] / len(dvalues)


def binary_crossentropy_logits_forward(y_pred: Array, y_true: Array) -> Array:
    """mean_j (max(z, 0) - y z + log(1 + e^-|z|)), z = y_pred: of p = sigmoid(z), unclipped."""
    linear = np.where(y_pred < 0, -y_true, 1 - y_true) * y_pred
    return (linear + np.log1p(np.exp(-np.abs(y_pred)))).mean(axis=1)


def binary_crossentropy_logits_backward(dvalues: Array, y_true: Array) -> Array:
    """(sigmoid(z) - y) / m / n."""
    return (sigmoid_forward(dvalues) - y_true) / dvalues.shape[1] / len(dvalues)


def sigmoid_crossentropy_forward(inputs: Array, y_true: Array) -> tuple[Array, Array]:
    """output = sigmoid(inputs), and the binary cross-entropy of these logits per sample."""
    return sigmoid_forward(inputs), binary_crossentropy_logits_forward(inputs, y_true)


def sigmoid_crossentropy_backward(dvalues: Array, y_true: Array) -> Array:
    """(p - y) / m / n: both derivatives in one; ``dvalues`` is the output p."""
    return (dvalues - y_true) / dvalues.shape[1] / len(dvalues)


def one_hot(y_true: Array, like: Array) -> Array:
    """Class labels (n,) as targets (n, m) in the dtype of ``like``; targets stay as they are."""
    if y_true.ndim == 2:
        return y_true
    return (y_true[:, None] == np.arange(like.shape[1])).astype(like.dtype)


def class_targets(y_true: Array, like: Array, label_smoothing: float) -> Array:
    """(1 - e) y + e / m with the smoothing e, y one-hot where labels are given."""
    y = one_hot(y_true, like)
    return (1 - label_smoothing) * y + label_smoothing / like.shape[1] if label_smoothing else y


def categorical_crossentropy_forward(
    y_pred: Array, y_true: Array, label_smoothing: float = 0.0
) -> Array:
    """-log p_target for labels (n,), -sum_j y log p for targets (n, m), with the clipped p."""
    y = class_targets(y_true, y_pred, label_smoothing)
    return -(y * np.log(clip_probabilities(y_pred))).sum(axis=1)


def categorical_crossentropy_backward(
    dvalues: Array, y_true: Array, label_smoothing: float = 0.0
) -> Array:
    """-y / max(p, CLIP) / n, y one-hot where labels are given."""
    p = np.maximum(dvalues, dvalues.dtype.type(CLIP))
    return -class_targets(y_true, dvalues, label_smoothing) / p / len(dvalues)


def softmax_crossentropy_forward(
    inputs: Array, y_true: Array, label_smoothing: float = 0.0
) -> tuple[Array, Array]:
    """output = softmax(inputs), and the categorical cross-entropy of it per sample."""
    output = softmax_forward(inputs)
    return output, categorical_crossentropy_forward(output, y_true, label_smoothing)


def softmax_crossentropy_backward(
    dvalues: Array, y_true: Array, label_smoothing: float = 0.0
) -> Array:
    """(p sum_k y_k - y) / n: both derivatives in one; ``dvalues`` is the softmax output p."""
    y = class_targets(y_true, dvalues, label_smoothing)
    return (dvalues * y.sum(axis=1, keepdims=True) - y) / len(dvalues)


# Schedules: multipliers of a rate at the shares t in [0, 1) of a training that are done


def constant_schedule(t: Array) -> Array:
    """1."""
    return np.ones_like(t)


def step_schedule(t: Array, factor: float = 0.1, at: Sequence[float] = (0.5, 0.75)) -> Array:
    """factor to the power of how many of ``at`` t has reached."""
    return factor ** (t[..., None] >= np.asarray(at)).sum(axis=-1)


def exponential_schedule(t: Array, end: float = 0.01) -> Array:
    """end^t."""
    return end**t


def cosine_schedule(t: Array, end: float = 0.0) -> Array:
    """end + (1 - end) (1 + cos(pi t)) / 2."""
    return end + (1 - end) * (1 + np.cos(np.pi * t)) / 2


def cosine_warmup_schedule(t: Array, warmup: float = 0.05, end: float = 0.0) -> Array:
    """t / warmup up to ``warmup``, then the cosine over the rest."""
    rest = cosine_schedule((t - warmup) / (1 - warmup), end)
    return np.where(t < warmup, t / warmup if warmup else t, rest)


def one_cycle_schedule(
    t: Array, peak: float = 0.3, start: float = 0.04, end: float = 1e-4
) -> Array:
    """Half a cosine from ``start`` up to 1 at ``peak``, half a cosine down to ``end``."""
    up = cosine_schedule(1 - t / peak if peak else t, start)
    return np.where(t < peak, up, cosine_schedule((t - peak) / (1 - peak), end))


def flat_cosine_schedule(t: Array) -> Array:
    """(1 + cos(pi (max(1, 2 t) - 1))) / 2."""
    return (1 + np.cos(np.pi * (np.maximum(1, 2 * t) - 1))) / 2


def cosine_log_schedule(t: Array, cycles: int = 4) -> Array:
    """(1 - cos(2 pi log2(1 + (2^cycles - 1) t))) / 2."""
    return (1 - np.cos(2 * np.pi * np.log2(1 + (2**cycles - 1) * t))) / 2


# Optimizers: each rule changes parameter and state arrays in place. ``step`` counts the updates of
# this parameter, from 1


def decayed_rate(learning_rate: float, decay: float, iterations: int) -> float:
    """learning_rate * (1 / (1 + decay * iterations))."""
    return learning_rate * (1.0 / (1.0 + decay * iterations))


def quotient(numerator: Array, denominator: Array) -> Array:
    """numerator / denominator, and 0, no step, where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator != 0)


def sgd(parameter: Array, gradient: Array, rate: float, step: int = 1) -> None:
    """w -= rate * g."""
    parameter -= rate * gradient


def momentum(
    parameter: Array, gradient: Array, momentums: Array, rate: float, step: int, momentum: float
) -> None:
    """v = momentum * v - rate * g; w += v."""
    momentums[...] = momentum * momentums - rate * gradient
    parameter += momentums


def nesterov(
    parameter: Array, gradient: Array, momentums: Array, rate: float, step: int, momentum: float
) -> None:
    """v = momentum * v - rate * g; w += momentum * v - rate * g with the new v."""
    momentums[...] = momentum * momentums - rate * gradient
    parameter += momentum * momentums - rate * gradient


def adagrad(
    parameter: Array, gradient: Array, cache: Array, rate: float, step: int, epsilon: float
) -> None:
    """c += g^2; w -= rate * g / (sqrt(c) + epsilon)."""
    cache += gradient * gradient
    parameter -= rate * quotient(gradient, np.sqrt(cache) + epsilon)


def rmsprop(
    parameter: Array,
    gradient: Array,
    cache: Array,
    rate: float,
    step: int,
    epsilon: float,
    rho: float,
) -> None:
    """c = rho c + (1 - rho) g^2; w -= rate * g / (sqrt(c) + epsilon)."""
    cache[...] = rho * cache + (1 - rho) * (gradient * gradient)
    parameter -= rate * quotient(gradient, np.sqrt(cache) + epsilon)


def adam(
    parameter: Array,
    gradient: Array,
    momentums: Array,
    cache: Array,
    rate: float,
    step: int,
    epsilon: float,
    beta_1: float,
    beta_2: float,
    epsilon_hat: float,
    cache_max: Array | None = None,
) -> None:
    """One step along the corrected mean of the gradients.

    v = beta_1 v + (1 - beta_1) g,      v_hat = v / (1 - beta_1^step)
    c = beta_2 c + (1 - beta_2) g^2,    c_hat = c / (1 - beta_2^step)
    w -= rate * v_hat / (sqrt(c_hat) + epsilon)

    With epsilon_hat, epsilon / sqrt(1 - beta_2^step) is added instead.
    """
    correction_1, correction_2 = 1 - beta_1**step, 1 - beta_2**step
    momentums[...] = beta_1 * momentums + (1 - beta_1) * gradient
    cache[...] = beta_2 * cache + (1 - beta_2) * (gradient * gradient)
    if cache_max is not None:
        cache_max[...] = cache = np.maximum(cache_max, cache)
    added = epsilon / correction_2**0.5 if epsilon_hat else epsilon
    parameter -= rate * quotient(momentums / correction_1, np.sqrt(cache / correction_2) + added)


def amsgrad(
    parameter: Array,
    gradient: Array,
    momentums: Array,
    cache: Array,
    cache_max: Array,
    rate: float,
    step: int,
    epsilon: float,
    beta_1: float,
    beta_2: float,
    epsilon_hat: float,
) -> None:
    """Adam with the largest c so far in the place of c, before its correction."""
    settings = (rate, step, epsilon, beta_1, beta_2, epsilon_hat)
    adam(parameter, gradient, momentums, cache, *settings, cache_max=cache_max)


# What each rule keeps beside a parameter, and its settings in their order
RULES: dict[str, tuple[Callable[..., None], tuple[str, ...], tuple[str, ...]]] = {
    "sgd": (sgd, (), ()),
    "momentum": (momentum, ("momentums",), ("momentum",)),
    "nesterov": (nesterov, ("momentums",), ("momentum",)),
    "adagrad": (adagrad, ("cache",), ("epsilon",)),
    "rmsprop": (rmsprop, ("cache",), ("epsilon", "rho")),
    "adam": (adam, ("momentums", "cache"), ("epsilon", "beta_1", "beta_2", "epsilon_hat")),
    "amsgrad": (
        amsgrad,
        ("momentums", "cache", "cache_max"),
        ("epsilon", "beta_1", "beta_2", "epsilon_hat"),
    ),
}


def update(rule: str, parts: Sequence[tuple[Any, ...]]) -> None:
    """First w -= decay * w, then the rule's step, for each parameter.

    A part is (parameter, gradient, state arrays, rate, decay, step, settings of the rule).
    """
    for parameter, gradient, states, rate, decay, step, settings in parts:
        parameter -= decay * parameter
        RULES[rule][0](parameter, gradient, *states, rate, step, *settings)


# Accuracy: ``compare`` functions give an array of right and wrong


def compare_categorical(predictions: Array, y_true: Array) -> Array:
    """predictions (n,) == labels; targets (n, m) stand for their largest entry."""
    return predictions == (y_true.argmax(axis=1) if y_true.ndim == 2 else y_true)


def compare_binary(predictions: Array, y_true: Array) -> Array:
    """predictions (n, m) == y_true, element by element."""
    return predictions == y_true


def compare_signs(outputs: Array, y_true: Array) -> Array:
    """Both above 0, or neither: of labels -1 and 1, or 0 and 1."""
    return (outputs > 0) == (y_true > 0)


def compare_regression(predictions: Array, y_true: Array, precision: float) -> Array:
    """|predictions - y_true| < precision, where precision = std(training y) / 250."""
    return np.abs(predictions - y_true) < precision


# A network: a list of Dense, Scale, Activation and Dropout

Factor = float | tuple[float, float]  # of weights and biases alike, or of each


@dataclass
class Dense:
    """Parameters of a dense layer, its regularisation strengths, its optimizer arrays.

    ``biases`` may be None. The factors multiply the optimizer's rate, decay and epsilon; ``steps``
    counts the updates of each parameter. A layer that is not ``trainable`` keeps its parameters
    and adds no penalty.
    """

    weights: Array
    biases: Array | None
    weight_l1: float = 0.0
    weight_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0
    state: dict[str, Array] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    learning_rate_factor: Factor = 1.0
    weight_decay_factor: Factor = 1.0
    epsilon_factor: Factor = 1.0
    trainable: bool = True

    def regularization_loss(self) -> float:
        if not self.trainable:
            return 0.0
        loss = regularization_loss(self.weights, self.weight_l1, self.weight_l2)
        if self.biases is None:
            return loss
        return loss + regularization_loss(self.biases, self.bias_l1, self.bias_l2)


@dataclass
class Scale(Dense):
    """One factor a column, ``weights (1, n)``."""

    biases: Array | None = None


@dataclass
class Activation:
    """One of ACTIVATIONS or "linear"; ``parameters`` as its functions take them."""

    name: str
    parameters: tuple[float, ...] = ()


Schedule = Callable[[Array], Array]


@dataclass
class Dropout:
    """Keeps a share ``keep`` of its inputs in training; ``step`` counts its training forwards.

    A schedule multiplies the dropped share, 1 - keep.
    """

    keep: float
    key: int
    step: int = 0
    schedule: Schedule | None = None

    def kept(self, share: float) -> float:
        """The kept share when ``share`` of the training is done."""
        if self.schedule is None:
            return self.keep
        return 1 - (1 - self.keep) * at(self.schedule, share)


def at(schedule: Schedule | None, share: float) -> float:
    """A schedule's multiplier at one share; 1 without a schedule."""
    return 1.0 if schedule is None else float(schedule(np.array([share]))[0])


@dataclass
class Optimizer:
    """``rule`` is one of "sgd", "adagrad", "rmsprop", "adam"; ``iterations`` counts steps.

    Decay takes ``rate * weight_decay * factor * w`` off the weights, where the rate is without the
    layer's own factor; biases decay only where ``weight_decay_factor`` is a pair.
    """

    rule: str = "sgd"
    learning_rate: float = 1.0
    decay: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False
    epsilon: float = 1e-7
    rho: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    weight_decay: float = 0.0
    iterations: int = 0
    amsgrad: bool = False
    epsilon_hat: bool = False
    schedule: Schedule | None = None
    weight_decay_schedule: Schedule | None = None
    schedule_start: int | None = None
    schedule_steps: int | None = None

    @property
    def share(self) -> float:
        """t = (iterations - schedule_start) / schedule_steps; 0 where these are not known."""
        if self.schedule_start is None or not self.schedule_steps:
            return 0.0
        return (self.iterations - self.schedule_start) / self.schedule_steps

    @property
    def rate(self) -> float:
        rate = decayed_rate(self.learning_rate, self.decay, self.iterations)
        return rate * at(self.schedule, self.share)

    @property
    def update_rule(self) -> str:
        """The name in RULES."""
        if self.rule == "sgd" and self.momentum:
            return "nesterov" if self.nesterov else "momentum"
        return "amsgrad" if self.rule == "adam" and self.amsgrad else self.rule

    def schedule_over(self, steps: int) -> None:
        """A training of ``steps`` begins: it goes on where a schedule is not used up."""
        if self.schedule_start is None or not self.schedule_steps or self.share >= 1:
            self.schedule_start, self.schedule_steps = self.iterations, steps

    def update(self, layer: Dense, dweights: Array, dbiases: Array | None) -> None:
        update(self.update_rule, list(self.parts(layer, dweights, dbiases).values()))

    def parts(
        self, layer: Dense, dweights: Array | None, dbiases: Array | None
    ) -> dict[str, tuple[Any, ...]]:
        """What `update` takes, for "weight" and "bias" as far as there are gradients."""
        shares = layer.weight_decay_factor
        pair = shares if isinstance(shares, tuple) else (shares, 0.0)
        found = {}
        if dweights is not None:
            found["weight"] = self.part(layer, "weight", layer.weights, dweights, pair[0])
        if layer.biases is not None and dbiases is not None:
            found["bias"] = self.part(layer, "bias", layer.biases, dbiases, pair[1])
        return found

    def part(
        self, layer: Dense, kind: str, parameter: Array, gradient: Array, decay_factor: float
    ) -> tuple[Any, ...]:
        """One parameter for `update`, its step counted; state arrays start at zero."""
        index = 0 if kind == "weight" else 1
        rate = self.rate * factor_of(layer.learning_rate_factor, index)
        decay = self.weight_decay * at(self.weight_decay_schedule, self.share) * decay_factor
        _, states, names = RULES[self.update_rule]
        arrays = [
            layer.state.setdefault(f"{kind}_{name}", np.zeros_like(parameter)) for name in states
        ]
        settings = {name: getattr(self, name) for name in names}
        if "epsilon" in settings:
            settings["epsilon"] *= factor_of(layer.epsilon_factor, index)
        layer.steps[kind] = step = layer.steps.get(kind, self.iterations) + 1
        return (
            parameter,
            gradient,
            arrays,
            rate,
            self.rate * decay,
            step,
            tuple(settings.values()),
        )


def factor_of(factor: Factor, index: int) -> float:
    """The factor of the weights (0) or the biases (1)."""
    return factor[index] if isinstance(factor, tuple) else factor


@dataclass
class Spec:
    """Everything ``train`` needs beside the data.

    ``loss`` is one of LOSS_NAMES, ``loss_parameters`` as its functions take them; ``accuracy`` is
    None, "categorical", "binary", "binary_logits", "signs" or "regression".
    """

    layers: list[Any]
    loss: str
    optimizer: Optimizer
    accuracy: str | None = None
    loss_parameters: tuple[float, ...] = ()

    def joint_loss(self) -> str | None:
        """The name of the joint loss that last activation and loss make."""
        last = self.layers[-1]
        return JOINT.get((self.loss, last.name)) if isinstance(last, Activation) else None

    def joint(self) -> bool:
        """Whether last activation and loss are differentiated as one."""
        return self.joint_loss() is not None

    def regularization_loss(self) -> float:
        return sum(x.regularization_loss() for x in self.layers if isinstance(x, Dense))

    def sample_losses(self, output: Array, y_true: Array) -> Array:
        """The loss of each sample, (n,)."""
        return LOSSES[self.loss][0](output, y_true, *self.loss_parameters)

    def loss_gradient(self, output: Array, y_true: Array) -> Array:
        """Gradient of the mean loss: of the output, or of the last activation's inputs (joint)."""
        joint = self.joint()
        gradient = globals()[f"{self.joint_loss()}_backward"] if joint else LOSSES[self.loss][1]
        return gradient(output, y_true, *self.loss_parameters)


FORWARD: dict[str, Callable[..., Array]] = {
    "linear": lambda inputs: inputs,
    **{name: globals()[f"{name}_forward"] for name in ACTIVATIONS},
}
LOSSES: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    name: (globals()[f"{name}_forward"], globals()[f"{name}_backward"]) for name in LOSS_NAMES
}


def forward(spec: Spec, inputs: Array, training: bool) -> list[tuple[Array, Array]]:
    """(input, output) of each layer; dropout's input is replaced by its mask."""
    trace: list[tuple[Array, Array]] = []
    for layer in spec.layers:
        kept = inputs
        if isinstance(layer, Scale):
            output = scale_forward(inputs, layer.weights)
        elif isinstance(layer, Dense):
            biases = 0 if layer.biases is None else layer.biases
            output = dense_forward(inputs, layer.weights, biases)
        elif isinstance(layer, Activation):
            output = FORWARD[layer.name](inputs, *layer.parameters)
        elif training:
            share = layer.kept(spec.optimizer.share)
            output, kept = dropout_forward(inputs, share, layer.key, layer.step)
            layer.step += 1
        else:
            output, kept = inputs.copy(), np.ones_like(inputs)
        trace.append((kept, output))
        inputs = output
    return trace


def activation_backward(
    name: str, dvalues: Array, inputs: Array, output: Array, parameters: tuple[float, ...] = ()
) -> Array:
    """The chain rule through one activation."""
    if name == "linear":
        return dvalues
    saved = inputs if name in NEEDS_INPUTS else output
    return globals()[f"{name}_backward"](dvalues, saved, *parameters)


def parameter_gradients(
    layer: Dense, inputs: Array, dvalues: Array
) -> tuple[Array, Array | None, Array]:
    """dweights and dbiases with the regularisation's part, and dinputs."""
    if isinstance(layer, Scale):
        dweights, dinputs = scale_backward(inputs, dvalues, layer.weights)
    else:
        dweights, dbiases, dinputs = dense_backward(inputs, dvalues, layer.weights)
    regularize(dweights, layer.weights, layer.weight_l1, layer.weight_l2)
    if layer.biases is None:
        return dweights, None, dinputs
    regularize(dbiases, layer.biases, layer.bias_l1, layer.bias_l2)
    return dweights, dbiases, dinputs


def backward(
    spec: Spec, trace: list[tuple[Array, Array]], y_true: Array, sample_weight: Array | None = None
) -> list[tuple[Dense, Array, Array | None]]:
    """(layer, dweights, dbiases) of each layer that learns, regularisation included, last first.

    With weights s (n,) row i of the loss gradient is multiplied by n s_i / sum(s).
    """
    output = trace[-1][1]
    dvalues = spec.loss_gradient(output, y_true)
    if sample_weight is not None:
        scale = len(output) / float(sample_weight.sum()) * sample_weight[:, None]
        dvalues = dvalues * scale.astype(dvalues.dtype)
    gradients = []
    pairs = list(zip(spec.layers, trace, strict=True))
    for layer, (inputs, output) in reversed(pairs[:-1] if spec.joint() else pairs):
        if isinstance(layer, Dense):
            dweights, dbiases, dvalues = parameter_gradients(layer, inputs, dvalues)
            if layer.trainable:
                gradients.append((layer, dweights, dbiases))
        elif isinstance(layer, Activation):
            dvalues = activation_backward(layer.name, dvalues, inputs, output, layer.parameters)
        else:
            dvalues = multiply(dvalues, inputs)
    return gradients


# Training


@dataclass
class Total:
    """A sum and the weight it is to be divided by."""

    sum: float = 0.0
    count: float = 0.0

    def add(self, values: Array, weight: Array | None = None) -> float:
        """Take in a batch; the batch's own mean comes back."""
        values = np.asarray(values, dtype=np.promote_types(values.dtype, np.float64))
        weight = np.ones(values.shape[0]) if weight is None else weight
        weight = np.broadcast_to(weight.reshape(-1, *[1] * (values.ndim - 1)), values.shape)
        batch_sum, batch_count = float((values * weight).sum()), float(weight.sum())
        self.sum += batch_sum
        self.count += batch_count
        return batch_sum / batch_count

    @property
    def mean(self) -> float:
        return self.sum / self.count if self.count else float("nan")


def compare(spec: Spec, output: Array, y_true: Array, precision: float) -> Array:
    """Right and wrong of a batch, by the accuracy that the spec names."""
    if spec.accuracy == "categorical":
        return compare_categorical(output.argmax(axis=1), y_true)
    if spec.accuracy == "binary":
        return compare_binary((output > 0.5) * 1, y_true)
    if spec.accuracy == "binary_logits":
        return compare_binary((output > 0) * 1, y_true)
    if spec.accuracy == "signs":
        return compare_signs(output, y_true)
    return compare_regression(output, y_true, precision)


def batches(count: int, batch_size: int | None, drop_last: bool = False) -> Iterator[slice]:
    """Slices in order; the last one may be smaller, or is left out then with ``drop_last``."""
    size = batch_size or max(count, 1)
    for start in range(0, count, size):
        if not drop_last or start + size <= count:
            yield slice(start, min(start + size, count))


def evaluate(
    spec: Spec,
    X: Array,
    y: Array,
    batch_size: int | None = None,
    precision: float = 0.0,
    sample_weight: Array | None = None,
) -> tuple[float, float]:
    """Data loss, weighted, and accuracy (NaN without one) over all samples, dropout off."""
    losses, hits = Total(), Total()
    for rows in batches(len(X), batch_size):
        weight = None if sample_weight is None else sample_weight[rows]
        output = forward(spec, X[rows], training=False)[-1][1]
        if weight is None or weight.any():
            losses.add(spec.sample_losses(output, y[rows]), weight)
        if spec.accuracy:
            hits.add(compare(spec, output, y[rows], precision))
    return losses.mean, hits.mean


def train_step(
    spec: Spec, X: Array, y: Array, sample_weight: Array | None = None
) -> tuple[Array, Array]:
    """Forward, backward and one update of all parameters; output and losses per sample."""
    trace = forward(spec, X, training=True)
    output = trace[-1][1]
    sample_losses = spec.sample_losses(output, y)
    for layer, dweights, dbiases in backward(spec, trace, y, sample_weight):
        spec.optimizer.update(layer, dweights, dbiases)
    spec.optimizer.iterations += 1
    return output, sample_losses


def train(
    spec: Spec,
    X: Array,
    y: Array,
    *,
    epochs: int = 1,
    batch_size: int | None = None,
    validation_data: tuple[Array, ...] | None = None,
    sample_weight: Array | None = None,
    drop_last: bool = False,
) -> list[dict[str, float]]:
    """Minibatches in order, the last one smaller where it must be; one record an epoch.

    Data loss and accuracy of an epoch are sums over its batches, each batch as it was before
    its update, divided by the counts; the regularisation loss is that of the parameters after
    the epoch's last update; the rate is the one its last step used. Validation follows each epoch;
    its third part is weights. A batch whose weights are all 0 is left out.
    """
    precision = float(np.std(y)) / 250 if spec.accuracy == "regression" else 0.0
    history = []
    slices = [
        rows
        for rows in batches(len(X), batch_size, drop_last)
        if sample_weight is None or sample_weight[rows].any()
    ]
    spec.optimizer.schedule_over(epochs * len(slices))
    for _ in range(epochs):
        losses, hits, rate = Total(), Total(), float("nan")
        for rows in slices:
            rate = spec.optimizer.rate
            weight = None if sample_weight is None else sample_weight[rows]
            output, sample_losses = train_step(spec, X[rows], y[rows], weight)
            losses.add(sample_losses, weight)
            if spec.accuracy:
                hits.add(compare(spec, output, y[rows], precision))
        penalty = spec.regularization_loss()
        record = {
            "loss": losses.mean + penalty,
            "data_loss": losses.mean,
            "regularization_loss": penalty,
            "accuracy": hits.mean,
            "learning_rate": rate,
        }
        if validation_data is not None:
            checked = evaluate(
                spec, *validation_data[:2], batch_size, precision, *validation_data[2:]
            )
            record["validation_loss"], record["validation_accuracy"] = checked
        history.append(record)
    return history
