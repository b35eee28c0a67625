"""How far a training step in float32 or float64 may be from the reference's, derived.

`Step(spec, X, y, dtype)` runs one step of tests/reference.py on a copy of ``spec`` one precision
wider than ``dtype`` and carries along a bound of the error that rounding in ``dtype`` can make:
each operation adds its own roundings (in units of u, a sum of k terms gamma(k), an elementary
function 4 ulp <= 8 u) to what its operands bring. At a kink (ReLU at 0, sign of p - y) the bound
includes the jump where rounding may step over it. No constant is fitted.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

import reference
from tolerance import gamma, unit, wider

Array = np.ndarray[Any, Any]

ELEMENTARY = 8  # u: exp, log, tanh and sigmoid are good to 4 ulp
FEW = 8  # roundings of a short expression


def float64(array: Array) -> Array:
    return np.abs(array).astype(np.float64)


def widened(spec: reference.Spec) -> reference.Spec:
    """The same network one precision up."""
    spec = copy.deepcopy(spec)
    for layer in spec.layers:
        if isinstance(layer, reference.Dense):
            layer.weights, layer.biases = wider(layer.weights), wider(layer.biases)
            layer.state = {name: wider(array) for name, array in layer.state.items()}
    return spec


class Forward:
    """The trace of a forward pass, and a bound of each layer's output error."""

    def __init__(self, spec: reference.Spec, X: Array, dtype: Any, training: bool) -> None:
        self.spec, self.dtype, self.u = spec, dtype, unit(dtype)
        self.trace = reference.forward(spec, wider(X.astype(dtype)), training=training)
        self.output = self.trace[-1][1]
        self.errors = [np.zeros(X.shape)]  # of the input of each layer, then of the output
        for layer, (kept, output) in zip(spec.layers, self.trace, strict=True):
            self.errors.append(self.layer_error(layer, kept, float64(output), self.errors[-1]))
        self.error = self.errors[-1]

    def layer_error(self, layer: Any, kept: Array, size: Array, error: Array) -> Array:
        if isinstance(layer, reference.Dense):
            weights, biases = float64(layer.weights), float64(layer.biases)
            terms = (float64(kept) + error) @ weights + biases
            return error @ weights + gamma(len(weights) + 2, self.dtype) * terms
        if isinstance(layer, reference.Dropout):
            return error * float64(kept) + 2 * self.u * size
        if layer.name == "sigmoid":
            return error / 4 + ELEMENTARY * self.u * (size + error)
        if layer.name == "tanh":
            return error + ELEMENTARY * self.u * (size + error)
        if layer.name == "softmax":
            spread = float64(kept - kept.max(axis=1, keepdims=True))
            shift = (error + self.u * spread).max(axis=1, keepdims=True)
            return size * (np.expm1(2 * shift) + gamma(2 * ELEMENTARY + size.shape[1], self.dtype))
        return error

    def sample_losses(self, y: Array) -> tuple[Array, Array]:
        """Loss of each sample, and its bound."""
        p, error, u = self.output, self.error, self.u
        losses = reference.LOSSES[self.spec.loss][0](p, y)
        terms = gamma(p.shape[1] + 2 * FEW, self.dtype)
        if self.spec.loss.endswith("crossentropy"):
            size, share = float64(p), 1 if self.spec.loss.startswith("cat") else p.shape[1]
            targets, others = self.shares_of(y)
            # the gradient's bound does not know of clipped probabilities
            assert (size - error > 1e-6).all() and (size + error < 1 - 1e-6).all()
            bound = targets * error / (size - error) + others * (error + u) / (1 - size - error - u)
            logs = -targets * np.log(size) - others * np.log(1 - size)
            return losses, (bound + (terms + ELEMENTARY * u) * logs).sum(axis=1) / share
        difference = float64(p - y)
        if self.spec.loss == "mean_absolute_error":
            bound, share = error + terms * (difference + error), p.shape[1]
        else:
            bound = difference * error + error**2 / 2 + terms * (difference + error) ** 2 / 2
            share = 1 if self.spec.loss.startswith("half") else p.shape[1] / 2
        return losses, bound.sum(axis=1) / share

    def shares_of(self, y: Array) -> tuple[Array, Array]:
        """What multiplies -log p and -log (1 - p)."""
        targets = float64(reference.one_hot(y, self.output))
        binary = self.spec.loss.startswith("binary")
        return targets, float64(1 - targets) if binary else np.zeros_like(targets)

    def hits(self, y: Array, precision: float) -> tuple[Array, Array]:
        """Right predictions of each sample, and whether rounding may turn them."""
        right = reference.compare(self.spec, self.output, y, precision)
        right = right.astype(np.float64).reshape(len(y), -1)
        p, margin = self.output.astype(np.float64), self.error + 2 * self.u * float64(self.output)
        if self.spec.accuracy == "categorical":
            rows = np.arange(len(p))
            best = p.argmax(axis=1)
            gap = (p[rows, best] - margin[rows, best])[:, None] - (p + margin)
            gap[rows, best] = 1
            doubt = (gap <= 0).any(axis=1, keepdims=True)
        else:
            limit = 0.5 if self.spec.accuracy == "binary" else precision
            value = p if self.spec.accuracy == "binary" else np.abs(p - y)
            doubt = np.abs(value - limit) <= margin + 2 * self.u * np.abs(value)
        return right.mean(axis=1), doubt.mean(axis=1) + FEW * self.u


class Step:
    """One training step: ``spec`` after it, the bounds, losses and hits of its forward pass."""

    def __init__(
        self,
        spec: reference.Spec,
        X: Array,
        y: Array,
        dtype: Any,
        sample_weight: Array | None = None,
        clip_norm: float | None = None,
    ) -> None:
        self.dtype, self.u, self.spec = dtype, unit(dtype), widened(spec)
        self.y = wider(y.astype(dtype)) if y.dtype.kind == "f" else y
        self.forward = Forward(self.spec, X, dtype, training=True)
        self.rate = self.spec.optimizer.rate
        weight = None if sample_weight is None else wider(sample_weight)
        self.gradients = reference.backward(self.spec, self.forward.trace, self.y, weight)
        self.gradient_errors = self.backward_errors(weight)
        if clip_norm is not None:
            self.clip(clip_norm)

    def update(self, optimizer: reference.Optimizer | None = None) -> reference.Spec:
        """A copy of the network after the optimizer's step; `bounds` then holds its errors."""
        spec = copy.deepcopy(self.spec)
        spec.optimizer = copy.deepcopy(optimizer or spec.optimizer)
        dense = [layer for layer in spec.layers if isinstance(layer, reference.Dense)]
        self.bounds: list[dict[str, Array]] = []
        for k, layer in enumerate(dense):
            _, dweights, dbiases = self.gradients[len(dense) - 1 - k]
            found = {}
            for kind, gradient in (("weight", dweights), ("bias", dbiases)):
                parameter = layer.weights if kind == "weight" else layer.biases
                state = [
                    layer.state.get(f"{kind}_{name}", np.zeros_like(parameter))
                    for name in ("momentums", "cache")
                ]
                error = self.gradient_errors[k][kind]
                found[kind] = update_bounds(
                    spec.optimizer, kind, parameter, gradient, error, *state, self.u
                )
            self.bounds.append(found)
            spec.optimizer.update(layer, dweights, dbiases)
        spec.optimizer.iterations += 1
        return spec

    def loss_error(self, weight: Array | None) -> tuple[Array, Array]:
        """Gradient of the loss (of the logits where it is joint) and its bound."""
        spec, forward, u = self.spec, self.forward, self.u
        p, error = forward.output, forward.error
        if spec.joint():
            gradient = reference.softmax_crossentropy_backward(p, self.y)
            bound = error
        else:
            gradient = reference.LOSSES[spec.loss][1](p, self.y)
            if spec.loss.endswith("crossentropy"):
                size, (targets, others) = float64(p), forward.shares_of(self.y)
                bound = targets / size * (error / (size - error) + FEW * u)
                bound += others / (1 - size) * ((error + u) / (1 - size - error - u) + FEW * u)
            elif spec.loss == "mean_absolute_error":
                bound = 2.0 * (float64(p - self.y) <= error + u)
            else:
                bound = error * (1 if spec.loss.startswith("half") else 2)
            if not spec.loss.startswith(("half", "cat")):
                bound = bound / p.shape[1]
        bound = bound / len(p)
        if weight is not None:
            scale = len(p) / weight.sum() * weight[:, None]
            gradient, bound = gradient * scale, bound * float64(scale)
        return gradient, bound * (1 + FEW * u) + FEW * u * float64(gradient)

    def backward_errors(self, weight: Array | None) -> list[dict[str, Array]]:
        """Bounds of each dense layer's gradients, first layer first."""
        gradient, error = self.loss_error(weight)
        found: list[dict[str, Array]] = []
        layers = list(zip(self.spec.layers, self.forward.trace, strict=True))
        last = len(layers) - 1 - self.spec.joint()
        for k in range(last, -1, -1):
            layer, (kept, output) = layers[k]
            before, after = self.forward.errors[k], self.forward.errors[k + 1]
            if isinstance(layer, reference.Dense):
                found.insert(0, self.dense_errors(layer, float64(kept), before, gradient, error))
                weights = float64(layer.weights)
                terms = gamma(weights.shape[1] + 2, self.dtype) * (float64(gradient) + error)
                error = error @ weights.T + terms @ weights.T
                gradient = gradient @ layer.weights.T
            elif isinstance(layer, reference.Dropout):
                gradient = gradient * kept
                error = error * float64(kept) + 2 * self.u * float64(gradient)
            else:
                new = reference.activation_backward(layer.name, gradient, kept, output)
                error = self.activation_error(
                    layer.name, gradient, error, kept, before, output, after
                )
                gradient = new
        return found

    def dense_errors(
        self, layer: Any, inputs: Array, before: Array, gradient: Array, error: Array
    ) -> dict[str, Array]:
        size = float64(gradient) + error
        sums = gamma(len(inputs) + FEW, self.dtype)
        weight = (inputs + before).T @ error + before.T @ float64(gradient)
        weight = weight + sums * ((inputs + before).T @ size)
        bias = error.sum(axis=0, keepdims=True) + sums * size.sum(axis=0, keepdims=True)
        strengths = {
            "weight": (layer.weights, layer.weight_l1, layer.weight_l2),
            "bias": (layer.biases, layer.bias_l1, layer.bias_l2),
        }
        errors = {"weight": weight, "bias": bias}
        for kind, (parameter, l1, l2) in strengths.items():
            errors[kind] = errors[kind] + FEW * self.u * (l1 + 2 * l2 * float64(parameter))
        return errors

    def activation_error(
        self,
        name: str,
        gradient: Array,
        error: Array,
        kept: Array,
        before: Array,
        output: Array,
        after: Array,
    ) -> Array:
        size, out, u = float64(gradient), float64(output), self.u
        if name == "relu":
            doubtful = float64(kept) <= before
            return np.where(doubtful, size + error, np.where(kept < 0, 0, error))
        if name == "softmax":
            total = ((gradient * output).sum(axis=1, keepdims=True)).astype(np.float64)
            terms = size * out + size * after + error * (out + after)
            sums = (error * out + (size + error) * after).sum(axis=1, keepdims=True)
            sums = sums + gamma(out.shape[1] + 2, self.dtype) * terms.sum(axis=1, keepdims=True)
            centred = np.abs(gradient.astype(np.float64) - total)
            rounding = FEW * u * (size + np.abs(total) + error + sums)
            return (out + after) * (error + sums + rounding) + after * centred
        if name in ("sigmoid", "tanh"):
            slope = out * (1 - out) if name == "sigmoid" else np.abs(1 - out * out)
            change = 2 * after + after**2 + FEW * u * out  # |slope'| <= 2
            return (size + error) * (change + FEW * u * slope) + error * slope
        return error

    def clip(self, clip_norm: float) -> None:
        """Scale the gradients by ``clip_norm / norm`` where their norm is larger."""
        arrays = [array for _, *pair in self.gradients for array in pair]
        errors = [array for found in self.gradient_errors for array in found.values()]
        norm = float(np.sqrt(sum((array * array).sum() for array in arrays)))
        error = float(np.sqrt(sum((array * array).sum() for array in errors)))
        error += gamma(FEW, self.dtype) * norm
        scale = clip_norm / norm if norm > clip_norm else 1.0
        doubt = scale * (error / (norm - error) + FEW * self.u) if norm + error > clip_norm else 0.0
        for k, (layer, dweights, dbiases) in enumerate(self.gradients):
            found = self.gradient_errors[len(self.gradients) - 1 - k]
            for kind, gradient in (("weight", dweights), ("bias", dbiases)):
                found[kind] = found[kind] * scale + (float64(gradient) + found[kind]) * doubt
            self.gradients[k] = (layer, dweights * scale, dbiases * scale)


def update_bounds(
    rule: reference.Optimizer,
    kind: str,
    parameter: Array,
    gradient: Array,
    error: Array,
    momentums: Array,
    cache: Array,
    u: float,
) -> dict[str, Array]:
    """Error of parameter, momentums and cache after one step, given that of the gradient."""
    rate, w, g = rule.rate, float64(parameter), float64(gradient)
    v, c = float64(momentums), float64(cache)
    few, squares = FEW * u, (2 * g + error) * error + FEW * u * (g + error) ** 2
    tiny = 1e-37 if u > 1e-10 else 1e-307  # what a plan flushes to zero
    if rule.rule == "sgd" and not rule.momentum:
        return {"parameter": rate * error + few * rate * (g + error) + u * (w + rate * g)}
    if rule.rule == "sgd":
        moved = rate * error + few * (rule.momentum * v + rate * (g + error))
        factor = 1 + rule.momentum if rule.nesterov else 1
        size = factor * (rule.momentum * v + rate * (g + error))
        return {"momentums": moved, "parameter": factor * moved + few * size + u * (w + size)}
    share = {"adagrad": 1.0, "rmsprop": 1 - rule.rho, "adam": 1 - rule.beta_2}[rule.rule]
    keep = {"adagrad": 1.0, "rmsprop": rule.rho, "adam": rule.beta_2}[rule.rule]
    new_cache = keep * c + share * g * g
    found = {"cache": share * squares + few * new_cache + tiny}
    new, new_error = g, error
    corrections = (1.0, 1.0)
    if rule.rule == "adam":
        powers = rule.iterations + 1
        corrections = (1 - rule.beta_1**powers, 1 - rule.beta_2**powers)
        sizes = rule.beta_1 * v + (1 - rule.beta_1) * g
        new = np.abs(rule.beta_1 * momentums + (1 - rule.beta_1) * gradient).astype(np.float64)
        new_error = found["momentums"] = (1 - rule.beta_1) * error + few * (sizes + error)
    numerator = rate / corrections[0] * new
    numerator_error = rate / corrections[0] * (new_error + few * (new + new_error))
    low = np.maximum(new_cache - found["cache"], 0) / corrections[1]
    high = (new_cache + found["cache"]) / corrections[1]
    root = np.sqrt(new_cache / corrections[1])
    spread = np.maximum(np.sqrt(high) - root, root - np.sqrt(low)) + few * root
    bottom = np.maximum(np.sqrt(low) * (1 - few), 0) + rule.epsilon * (1 - few)
    quotient = numerator / (root + rule.epsilon)
    moved = (numerator_error + quotient * (spread + few * (root + rule.epsilon))) / bottom
    decayed = rate * rule.weight_decay * w if kind == "weight" else 0.0
    found["parameter"] = moved + few * (quotient + decayed) + 2 * u * (w + quotient)
    return found
