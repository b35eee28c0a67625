"""The whole library in plain NumPy: the specification. Read this first.

Every function carries the name and the arguments of its compiled twin in ``chainrule._core``,
states its formula, and computes in the dtype of its arguments (float32, float64 or, to judge
float64, ``np.longdouble``). ``n`` samples, ``d`` inputs, ``m`` neurons; rows are samples.
``train`` at the end puts the pieces together as ``Model.train`` does.

Contents: dense layer, regularisation, activations, dropout, losses, optimizers, accuracy,
network, training.
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


# Regularisation


def regularization_loss(parameter: Array, l1: float, l2: float) -> float:
    """l1 * sum |parameter| + l2 * sum parameter^2."""
    return l1 * float(np.abs(parameter).sum()) + l2 * float((parameter * parameter).sum())


def regularize(gradient: Array, parameter: Array, l1: float, l2: float) -> None:
    """In place: gradient += l1 * sign(parameter) + 2 * l2 * parameter, where sign(0) = +1."""
    sign = np.where(parameter < 0, -1, 1).astype(parameter.dtype)
    gradient += l1 * sign + 2 * l2 * parameter


# Activations


def relu_forward(inputs: Array) -> Array:
    """output = 0 where inputs <= 0, else inputs; a NaN passes."""
    return np.where(inputs <= 0, np.zeros_like(inputs), inputs)


def relu_backward(dvalues: Array, inputs: Array) -> Array:
    """dinputs = 0 where inputs <= 0 (0 and -0 included), else dvalues."""
    return np.where(inputs <= 0, np.zeros_like(dvalues), dvalues)


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


def dropout_uniforms(shape: tuple[int, ...], key: int, step: int) -> Array:
    """One number u in [0, 1) for each element, a pure function of (key, step, element).

    Element e, counted row by row, takes word e % 4 of the block with the counter words
    (block low, block high, step low, step high), block = e // 4, under the key words
    (key low, key high). u = (word >> 8) / 2^24, exact in float32.
    """
    count = int(np.prod(shape))
    block = np.arange((count + 3) // 4, dtype=np.uint64)
    low_half, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter = [
        block & low_half,
        block >> shift,
        np.full_like(block, step & 0xFFFFFFFF),
        np.full_like(block, step >> 32),
    ]
    words = np.stack(philox(counter, (key & 0xFFFFFFFF, key >> 32)), axis=1).ravel()[:count]
    return ((words >> np.uint64(8)).astype(np.float64) * 2.0**-24).reshape(shape)


def dropout_forward(inputs: Array, keep: float, key: int, step: int) -> tuple[Array, Array]:
    """mask = (u < keep) / keep, output = inputs * mask; ``step`` counts training forwards."""
    kept = dropout_uniforms(inputs.shape, key, step) < keep
    mask = np.where(kept, inputs.dtype.type(1.0 / keep), inputs.dtype.type(0))
    return inputs * mask, mask


# Losses: forward gives one value a sample (n,), backward takes y_pred as ``dvalues``


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


def one_hot(y_true: Array, like: Array) -> Array:
    """Class labels (n,) as targets (n, m) in the dtype of ``like``; targets stay as they are."""
    if y_true.ndim == 2:
        return y_true
    return (y_true[:, None] == np.arange(like.shape[1])).astype(like.dtype)


def categorical_crossentropy_forward(y_pred: Array, y_true: Array) -> Array:
    """-log p_target for labels (n,), -sum_j y log p for targets (n, m), with the clipped p."""
    return -(one_hot(y_true, y_pred) * np.log(clip_probabilities(y_pred))).sum(axis=1)


def categorical_crossentropy_backward(dvalues: Array, y_true: Array) -> Array:
    """-y / max(p, CLIP) / n, y one-hot where labels are given."""
    p = np.maximum(dvalues, dvalues.dtype.type(CLIP))
    return -one_hot(y_true, dvalues) / p / len(dvalues)


def softmax_crossentropy_forward(inputs: Array, y_true: Array) -> tuple[Array, Array]:
    """output = softmax(inputs), and the categorical cross-entropy of it per sample."""
    output = softmax_forward(inputs)
    return output, categorical_crossentropy_forward(output, y_true)


def softmax_crossentropy_backward(dvalues: Array, y_true: Array) -> Array:
    """(p - y) / n: both derivatives in one; ``dvalues`` is the softmax output p."""
    return (dvalues - one_hot(y_true, dvalues)) / len(dvalues)


# Optimizers: each changes parameter and state in place


def decayed_rate(learning_rate: float, decay: float, iterations: int) -> float:
    """learning_rate * (1 / (1 + decay * iterations))."""
    return learning_rate * (1.0 / (1.0 + decay * iterations))


def sgd_update(parameter: Array, gradient: Array, rate: float) -> None:
    """w -= rate * g."""
    parameter -= rate * gradient


def sgd_momentum_update(
    parameter: Array,
    gradient: Array,
    momentums: Array,
    rate: float,
    momentum: float,
    nesterov: bool,
) -> None:
    """v = momentum * v - rate * g; w += v; Nesterov: w += momentum * v - rate * g, v new."""
    step = rate * gradient
    momentums[...] = momentum * momentums - step
    parameter += momentum * momentums - step if nesterov else momentums


def adagrad_update(
    parameter: Array, gradient: Array, cache: Array, rate: float, epsilon: float
) -> None:
    """c += g^2; w -= rate * g / (sqrt(c) + epsilon)."""
    cache += gradient * gradient
    parameter -= rate * gradient / (np.sqrt(cache) + epsilon)


def rmsprop_update(
    parameter: Array, gradient: Array, cache: Array, rate: float, epsilon: float, rho: float
) -> None:
    """c = rho c + (1 - rho) g^2; w -= rate * g / (sqrt(c) + epsilon)."""
    cache[...] = rho * cache + (1 - rho) * (gradient * gradient)
    parameter -= rate * gradient / (np.sqrt(cache) + epsilon)


def adam_update(
    parameter: Array,
    gradient: Array,
    momentums: Array,
    cache: Array,
    rate: float,
    beta_1: float,
    beta_2: float,
    correction_1: float,
    correction_2: float,
    epsilon: float,
    decay: float,
) -> None:
    """First w -= decay * w, then one step along the corrected mean of the gradients.

    v = beta_1 v + (1 - beta_1) g,      m_hat = v / correction_1
    c = beta_2 c + (1 - beta_2) g^2,    c_hat = c / correction_2
    w -= rate * m_hat / (sqrt(c_hat) + epsilon)

    correction_k = 1 - beta_k^(iterations + 1); decay = rate * weight_decay, 0 for biases.
    """
    parameter -= decay * parameter
    momentums[...] = beta_1 * momentums + (1 - beta_1) * gradient
    cache[...] = beta_2 * cache + (1 - beta_2) * (gradient * gradient)
    corrected = momentums / correction_1
    parameter -= rate * corrected / (np.sqrt(cache / correction_2) + epsilon)


# Accuracy: ``compare`` functions give an array of right and wrong


def compare_categorical(predictions: Array, y_true: Array) -> Array:
    """predictions (n,) == labels; targets (n, m) stand for their largest entry."""
    return predictions == (y_true.argmax(axis=1) if y_true.ndim == 2 else y_true)


def compare_binary(predictions: Array, y_true: Array) -> Array:
    """predictions (n, m) == y_true, element by element."""
    return predictions == y_true


def compare_regression(predictions: Array, y_true: Array, precision: float) -> Array:
    """|predictions - y_true| < precision, where precision = std(training y) / 250."""
    return np.abs(predictions - y_true) < precision


# A network: a list of Dense, Activation and Dropout


@dataclass
class Dense:
    """Parameters of a dense layer, its regularisation strengths, its optimizer arrays."""

    weights: Array
    biases: Array
    weight_l1: float = 0.0
    weight_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0
    state: dict[str, Array] = field(default_factory=dict)

    def regularization_loss(self) -> float:
        return regularization_loss(
            self.weights, self.weight_l1, self.weight_l2
        ) + regularization_loss(self.biases, self.bias_l1, self.bias_l2)


@dataclass
class Activation:
    """One of "relu", "sigmoid", "tanh", "linear", "softmax"."""

    name: str


@dataclass
class Dropout:
    """Keeps a share ``keep`` of its inputs in training; ``step`` counts its training forwards."""

    keep: float
    key: int
    step: int = 0


@dataclass
class Optimizer:
    """``rule`` is one of "sgd", "adagrad", "rmsprop", "adam"; ``iterations`` counts steps."""

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

    @property
    def rate(self) -> float:
        return decayed_rate(self.learning_rate, self.decay, self.iterations)

    def update(self, layer: Dense, dweights: Array, dbiases: Array) -> None:
        self.update_parameter(layer, "weight", layer.weights, dweights, self.weight_decay)
        self.update_parameter(layer, "bias", layer.biases, dbiases, 0.0)

    def update_parameter(
        self, layer: Dense, kind: str, parameter: Array, gradient: Array, weight_decay: float
    ) -> None:
        """One step of the rule; momentums and cache start at zero on the first step."""
        rate = self.rate
        momentums = layer.state.setdefault(f"{kind}_momentums", np.zeros_like(parameter))
        cache = layer.state.setdefault(f"{kind}_cache", np.zeros_like(parameter))
        if self.rule == "sgd" and not self.momentum:
            sgd_update(parameter, gradient, rate)
        elif self.rule == "sgd":
            sgd_momentum_update(parameter, gradient, momentums, rate, self.momentum, self.nesterov)
        elif self.rule == "adagrad":
            adagrad_update(parameter, gradient, cache, rate, self.epsilon)
        elif self.rule == "rmsprop":
            rmsprop_update(parameter, gradient, cache, rate, self.epsilon, self.rho)
        elif self.rule == "adam":
            corrections = (
                1 - self.beta_1 ** (self.iterations + 1),
                1 - self.beta_2 ** (self.iterations + 1),
            )
            betas = (self.beta_1, self.beta_2)
            adam_update(
                parameter, gradient, momentums, cache, rate, *betas, *corrections,
                self.epsilon, rate * weight_decay,
            )  # fmt: skip
        else:
            raise ValueError(f"rule: expected sgd, adagrad, rmsprop or adam, got {self.rule!r}")


@dataclass
class Spec:
    """Everything ``train`` needs beside the data.

    ``loss`` is the stem of a loss above, for example "half_squared_error";
    ``accuracy`` is None, "categorical", "binary" or "regression".
    """

    layers: list[Dense | Activation | Dropout]
    loss: str
    optimizer: Optimizer
    accuracy: str | None = None

    def joint(self) -> bool:
        """Softmax followed by categorical cross-entropy: differentiated as one."""
        last = self.layers[-1]
        softmax = isinstance(last, Activation) and last.name == "softmax"
        return softmax and self.loss == "categorical_crossentropy"

    def regularization_loss(self) -> float:
        return sum(x.regularization_loss() for x in self.layers if isinstance(x, Dense))


FORWARD: dict[str, Callable[[Array], Array]] = {
    "relu": relu_forward,
    "sigmoid": sigmoid_forward,
    "tanh": tanh_forward,
    "softmax": softmax_forward,
    "linear": lambda inputs: inputs,
}
LOSSES: dict[str, tuple[Callable[[Array, Array], Array], Callable[[Array, Array], Array]]] = {
    "half_squared_error": (half_squared_error_forward, half_squared_error_backward),
    "mean_squared_error": (mean_squared_error_forward, mean_squared_error_backward),
    "mean_absolute_error": (mean_absolute_error_forward, mean_absolute_error_backward),
    "binary_crossentropy": (binary_crossentropy_forward, binary_crossentropy_backward),
    "categorical_crossentropy": (
        categorical_crossentropy_forward,
        categorical_crossentropy_backward,
    ),
}


def forward(spec: Spec, inputs: Array, training: bool) -> list[tuple[Array, Array]]:
    """(input, output) of each layer; dropout's input is replaced by its mask."""
    trace: list[tuple[Array, Array]] = []
    for layer in spec.layers:
        kept = inputs
        if isinstance(layer, Dense):
            output = dense_forward(inputs, layer.weights, layer.biases)
        elif isinstance(layer, Activation):
            output = FORWARD[layer.name](inputs)
        elif training:
            output, kept = dropout_forward(inputs, layer.keep, layer.key, layer.step)
            layer.step += 1
        else:
            output, kept = inputs.copy(), np.ones_like(inputs)
        trace.append((kept, output))
        inputs = output
    return trace


def activation_backward(name: str, dvalues: Array, inputs: Array, output: Array) -> Array:
    """The chain rule through one activation."""
    if name == "relu":
        return relu_backward(dvalues, inputs)
    if name == "sigmoid":
        return sigmoid_backward(dvalues, output)
    if name == "tanh":
        return tanh_backward(dvalues, output)
    if name == "softmax":
        return softmax_backward(dvalues, output)
    return dvalues


def backward(
    spec: Spec, trace: list[tuple[Array, Array]], y_true: Array, sample_weight: Array | None = None
) -> list[tuple[Dense, Array, Array]]:
    """(layer, dweights, dbiases) of each dense layer, regularisation included, last layer first.

    With weights s (n,) row i of the loss gradient is multiplied by n s_i / sum(s).
    """
    output = trace[-1][1]
    if spec.joint():
        dvalues = softmax_crossentropy_backward(output, y_true)
    else:
        dvalues = LOSSES[spec.loss][1](output, y_true)
    if sample_weight is not None:
        scale = len(output) / float(sample_weight.sum()) * sample_weight[:, None]
        dvalues = dvalues * scale.astype(dvalues.dtype)
    gradients = []
    pairs = list(zip(spec.layers, trace, strict=True))
    for layer, (inputs, output) in reversed(pairs[:-1] if spec.joint() else pairs):
        if isinstance(layer, Dense):
            dweights, dbiases, dinputs = dense_backward(inputs, dvalues, layer.weights)
            regularize(dweights, layer.weights, layer.weight_l1, layer.weight_l2)
            regularize(dbiases, layer.biases, layer.bias_l1, layer.bias_l2)
            gradients.append((layer, dweights, dbiases))
            dvalues = dinputs
        elif isinstance(layer, Activation):
            dvalues = activation_backward(layer.name, dvalues, inputs, output)
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
    return compare_regression(output, y_true, precision)


def batches(count: int, batch_size: int | None) -> Iterator[slice]:
    """Slices in order; the last one may be smaller."""
    size = batch_size or max(count, 1)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def evaluate(
    spec: Spec, X: Array, y: Array, batch_size: int | None = None, precision: float = 0.0
) -> tuple[float, float]:
    """Data loss and accuracy (NaN without one) over all samples, dropout off."""
    losses, hits = Total(), Total()
    for rows in batches(len(X), batch_size):
        output = forward(spec, X[rows], training=False)[-1][1]
        losses.add(LOSSES[spec.loss][0](output, y[rows]))
        if spec.accuracy:
            hits.add(compare(spec, output, y[rows], precision))
    return losses.mean, hits.mean


def train_step(
    spec: Spec, X: Array, y: Array, sample_weight: Array | None = None
) -> tuple[Array, Array]:
    """Forward, backward and one update of all parameters; output and losses per sample."""
    trace = forward(spec, X, training=True)
    output = trace[-1][1]
    sample_losses = LOSSES[spec.loss][0](output, y)
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
    validation_data: tuple[Array, Array] | None = None,
    sample_weight: Array | None = None,
) -> list[dict[str, float]]:
    """Minibatches in order, the last one smaller where it must be; one record an epoch.

    Data loss and accuracy of an epoch are sums over its batches, each batch as it was before
    its update, divided by the counts; the regularisation loss is that of the parameters after
    the epoch's last update; the rate is the one its last step used. Validation follows each epoch.
    """
    precision = float(np.std(y)) / 250 if spec.accuracy == "regression" else 0.0
    history = []
    for _ in range(epochs):
        losses, hits, rate = Total(), Total(), float("nan")
        for rows in batches(len(X), batch_size):
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
            checked = evaluate(spec, *validation_data, batch_size, precision)
            record["validation_loss"], record["validation_accuracy"] = checked
        history.append(record)
    return history
