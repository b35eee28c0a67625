"""How far a training step in float32 or float64 may be from the reference's, derived.

`Step(spec, X, y, dtype)` runs one step of tests/reference.py on a copy of ``spec`` one precision
wider than ``dtype`` and carries along a bound of the error that rounding in ``dtype`` can make:
each operation adds its own roundings to what its operands bring. What a formula of one entry (an
activation, a loss, a rule) makes of an error is measured by the reference itself, at both ends of
the interval; so kinks are in the bound where rounding may step over them, and a part that is
newly listed needs no line here. No constant is fitted.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

import reference
from part_cases import relative_slope, sensitivity
from tolerance import gamma, unit, wider

Array = np.ndarray[Any, Any]

# A formula of at most 16 roundings beside two elementary functions of 4 ulp = 8 u each: its result
# is off by so many u, and so may be its arguments.
ROUNDINGS = 32
FEW = 8  # roundings of a short expression


def float64(array: Any) -> Array:
    return np.abs(array).astype(np.float64)


def flushed(dtype: Any) -> float:
    """What a plan takes for 0 is smaller."""
    return float(np.finfo(dtype).tiny)


@contextmanager
def rounded_clip(dtype: Any) -> Iterator[None]:
    """Probabilities of the reference are kept within bounds that are rounded to a dtype."""

    def clip(y_pred: Array) -> Array:
        low, high = dtype(reference.CLIP), dtype(1 - reference.CLIP)
        return np.clip(y_pred, y_pred.dtype.type(low), y_pred.dtype.type(high))

    with patch.object(reference, "clip_probabilities", clip):
        yield


def widened(spec: reference.Spec) -> reference.Spec:
    """The same network one precision up."""
    spec = copy.deepcopy(spec)
    for layer in spec.layers:
        if isinstance(layer, reference.Dense):
            layer.weights = wider(layer.weights)
            layer.biases = None if layer.biases is None else wider(layer.biases)
            layer.state = {name: wider(array) for name, array in layer.state.items()}
    return spec


def change(function: Callable[[Array], Array], array: Array, error: Array) -> Array:
    """The largest change of a function, entry by entry, at the ends of array +- error.

    Nothing between the ends is larger where the function is a parabola or monotone there.
    """
    middle = function(array)
    return np.maximum(*(float64(function(array + s * error) - middle) for s in (1, -1)))


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
        if isinstance(layer, reference.Scale):
            return error * float64(layer.weights) + 2 * self.u * size
        if isinstance(layer, reference.Dense):
            weights = float64(layer.weights)
            biases = 0.0 if layer.biases is None else float64(layer.biases)
            terms = (float64(kept) + error) @ weights + biases
            return error @ weights + gamma(len(weights) + 2, self.dtype) * terms
        if isinstance(layer, reference.Dropout):
            return error * float64(kept) + 2 * self.u * size
        if layer.name == "linear":
            return error
        if layer.name == "softmax":
            spread = float64(kept - kept.max(axis=1, keepdims=True))
            shift = (error + self.u * spread).max(axis=1, keepdims=True)
            return size * (np.expm1(2 * shift) + gamma(ROUNDINGS + size.shape[1], self.dtype))

        def function(x: Array) -> Array:
            return reference.FORWARD[layer.name](x, *layer.parameters)

        brought = change(function, kept, error)
        own = size + brought + float64(relative_slope(function, kept))
        return brought + self.roundings(own)

    def roundings(self, size: Array) -> Array:
        """A formula's own errors of results of a size; a 0 is exact, or a kink would be near."""
        return gamma(ROUNDINGS, self.dtype) * size + flushed(self.dtype) * (size > 0)

    def targets(self, y: Array) -> Array:
        """Targets (n, m) as the loss sees them."""
        return reference.one_hot(y, self.output)

    def sample_losses(self, y: Array) -> tuple[Array, Array]:
        """Loss of each sample, and its bound; a loss is a sum of terms, one a column."""
        p, numbers = self.output, self.spec.loss_parameters
        loss = reference.LOSSES[self.spec.loss][0]
        bound = np.zeros(len(p))
        with rounded_clip(self.dtype):
            for j in range(p.shape[1]):
                error = np.zeros_like(self.error)
                error[:, j] = self.error[:, j]
                ends = [loss(p + sign * error, y, *numbers) for sign in (1, -1, 0)]
                bound += np.maximum(*(float64(end - ends[2]) for end in ends[:2]))
            slopes = float64(sensitivity(loss, [p, self.targets(y), *numbers]))
        size = float64(ends[2]) + bound + 2 * slopes
        return ends[2], bound + gamma(ROUNDINGS + p.shape[1], self.dtype) * size

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
            limit = {"binary": 0.5, "regression": precision}.get(str(self.spec.accuracy), 0.0)
            value = np.abs(p - y) if self.spec.accuracy == "regression" else p
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
        self.layers = [x for x in self.spec.layers if isinstance(x, reference.Dense)]
        with rounded_clip(dtype):
            found = reference.backward(self.spec, self.forward.trace, self.y, weight)
        self.gradients: dict[int, dict[str, Array]] = {}  # by the layer's place; frozen: empty
        for place, layer in enumerate(self.layers):
            pair = next((pair for each, *pair in found if each is layer), [None, None])
            named = zip(("weight", "bias"), pair, strict=True)
            self.gradients[place] = {kind: each for kind, each in named if each is not None}
        self.gradient_errors = self.backward_errors(weight)
        if clip_norm is not None:
            self.clip(clip_norm)

    @functools.cached_property
    def after(self) -> reference.Spec:
        """A copy of the network after the optimizer's step."""
        return self._update[0]

    @functools.cached_property
    def bounds(self) -> list[dict[str, dict[str, Array]]]:
        """The errors of each layer's parameters and state arrays after the step, by their kind."""
        return self._update[1]

    @functools.cached_property
    def _update(self) -> tuple[reference.Spec, list[dict[str, dict[str, Array]]]]:
        spec = copy.deepcopy(self.spec)
        layers = [layer for layer in spec.layers if isinstance(layer, reference.Dense)]
        bounds: list[dict[str, dict[str, Array]]] = []
        for place, layer in enumerate(layers):
            gradients, errors = self.gradients[place], self.gradient_errors[place]
            parts = spec.optimizer.parts(layer, gradients.get("weight"), gradients.get("bias"))
            rule = spec.optimizer.update_rule
            bounds.append(
                {
                    kind: update_bounds(rule, part, errors[kind], self.dtype)
                    for kind, part in parts.items()
                }
            )
            reference.update(rule, list(parts.values()))
        spec.optimizer.iterations += 1
        return spec, bounds

    def loss_error(self, weight: Array | None) -> tuple[Array, Array]:
        """Gradient of the loss (of the last activation's inputs if joint) and its bound."""
        p, numbers = self.forward.output, self.spec.loss_parameters
        name = self.spec.joint_loss() if self.spec.joint() else self.spec.loss
        function = getattr(reference, f"{name}_backward")
        arguments = [p, self.forward.targets(self.y), *numbers]
        with rounded_clip(self.dtype):
            gradient = function(*arguments)
            bound = change(lambda x: function(x, *arguments[1:]), p, self.forward.error)
            size = float64(gradient) + bound + 2 * float64(sensitivity(function, arguments))
        bound = bound + gamma(ROUNDINGS + p.shape[1], self.dtype) * size
        if weight is not None:
            scale = len(p) / weight.sum() * weight[:, None]
            gradient, bound = gradient * scale, bound * float64(scale)
        return gradient, bound * (1 + FEW * self.u) + FEW * self.u * float64(gradient)

    def backward_errors(self, weight: Array | None) -> list[dict[str, Array]]:
        """Bounds of each layer's gradients, first layer first."""
        gradient, error = self.loss_error(weight)
        found: list[dict[str, Array]] = []
        layers = list(zip(self.spec.layers, self.forward.trace, strict=True))
        last = len(layers) - 1 - self.spec.joint()
        for k in range(last, -1, -1):
            layer, (kept, output) = layers[k]
            before, after = self.forward.errors[k], self.forward.errors[k + 1]
            if isinstance(layer, reference.Dense):
                found.insert(0, self.dense_errors(layer, float64(kept), before, gradient, error))
                gradient, error = self.through_weights(layer, gradient, error)
            elif isinstance(layer, reference.Dropout):
                gradient = gradient * kept
                error = error * float64(kept) + 2 * self.u * float64(gradient)
            elif layer.name != "linear":
                saved = (kept, before) if layer.name in reference.NEEDS_INPUTS else (output, after)
                new = reference.activation_backward(
                    layer.name, gradient, kept, output, layer.parameters
                )
                error = self.activation_error(layer, gradient, error, *saved)
                gradient = new
        return found

    def through_weights(self, layer: Any, gradient: Array, error: Array) -> tuple[Array, Array]:
        weights, size = float64(layer.weights), float64(gradient) + error
        if isinstance(layer, reference.Scale):
            return gradient * layer.weights, error * weights + 2 * self.u * size * weights
        terms = gamma(weights.shape[1] + 2, self.dtype) * size
        return gradient @ layer.weights.T, error @ weights.T + terms @ weights.T

    def dense_errors(
        self, layer: Any, inputs: Array, before: Array, gradient: Array, error: Array
    ) -> dict[str, Array]:
        size = float64(gradient) + error
        sums = gamma(len(inputs) + FEW, self.dtype)
        if isinstance(layer, reference.Scale):
            weight = (inputs + before) * error + before * float64(gradient)
            weight = (weight + sums * ((inputs + before) * size)).sum(axis=0, keepdims=True)
        else:
            weight = (inputs + before).T @ error + before.T @ float64(gradient)
            weight = weight + sums * ((inputs + before).T @ size)
        bias = error.sum(axis=0, keepdims=True) + sums * size.sum(axis=0, keepdims=True)
        strengths = {
            "weight": (layer.weights, layer.weight_l1, layer.weight_l2),
            "bias": (layer.biases, layer.bias_l1, layer.bias_l2),
        }
        errors = {"weight": weight, "bias": bias}
        for kind, (parameter, l1, l2) in strengths.items():
            if parameter is not None:
                errors[kind] = errors[kind] + FEW * self.u * (l1 + 2 * l2 * float64(parameter))
        return errors

    def activation_error(
        self, layer: Any, gradient: Array, error: Array, saved: Array, saved_error: Array
    ) -> Array:
        size = float64(gradient)
        if layer.name == "softmax":
            return self.softmax_error(gradient, error, saved, saved_error)

        def slope(x: Array) -> Array:
            found: Array = getattr(reference, f"{layer.name}_backward")(
                np.ones_like(x), x, *layer.parameters
            )
            return found

        found, brought = float64(slope(saved)), change(slope, saved, saved_error)
        own = self.forward.roundings(found + brought + float64(relative_slope(slope, saved)))
        return error * found + (size + error) * (brought + own)

    def softmax_error(self, gradient: Array, error: Array, output: Array, after: Array) -> Array:
        size, out = float64(gradient), float64(output)
        total = ((gradient * output).sum(axis=1, keepdims=True)).astype(np.float64)
        terms = size * out + size * after + error * (out + after)
        sums = (error * out + (size + error) * after).sum(axis=1, keepdims=True)
        sums = sums + gamma(out.shape[1] + 2, self.dtype) * terms.sum(axis=1, keepdims=True)
        centred = np.abs(gradient.astype(np.float64) - total)
        rounding = FEW * self.u * (size + np.abs(total) + error + sums)
        found: Array = (out + after) * (error + sums + rounding) + after * centred
        return found

    def clip(self, clip_norm: float) -> None:
        """Scale the gradients by ``clip_norm / norm`` where their norm is larger."""
        learning = [place for place, found in self.gradients.items() if found]
        pairs = [
            (self.gradients[place], self.gradient_errors[place], kind)
            for place in learning
            for kind in self.gradients[place]
        ]
        norm = float(np.sqrt(sum((found[kind] ** 2).sum() for found, _, kind in pairs)))
        error = float(np.sqrt(sum((errors[kind] ** 2).sum() for _, errors, kind in pairs)))
        error += gamma(FEW, self.dtype) * norm
        scale = clip_norm / norm if norm > clip_norm else 1.0
        doubt = scale * (error / (norm - error) + FEW * self.u) if norm + error > clip_norm else 0.0
        for found, errors, kind in pairs:
            size = float64(found[kind]) + errors[kind]
            errors[kind] = errors[kind] * scale + size * doubt
            found[kind] = found[kind] * scale


SHIFT = 2.0**-20  # of an operand, relative, for the slopes of a rule


def update_bounds(rule: str, part: tuple[Any, ...], error: Array, dtype: Any) -> dict[str, Array]:
    """Errors of a parameter and its state arrays after one step, given that of the gradient.

    Each rounding and each rounded constant of the rule is a relative error of an operand's share
    in the change, or of the result.
    """
    parameter, gradient, states, rate, decay, step, settings = part

    def after(*operands: Any) -> list[Array]:
        gradient, rate, decay, *states = operands
        arrays = [parameter.copy(), *(state.copy() for state in states)]
        reference.update(rule, [(arrays[0], gradient, arrays[1:], rate, decay, step, settings)])
        return [arrays[0] - parameter, *arrays[1:]]

    u, operands = unit(dtype), [gradient, rate, decay, *states]
    middle = after(*operands)
    reach = error + np.sqrt(flushed(dtype))  # smaller ones have the square 0
    ends = [after(gradient + sign * reach, *operands[1:]) for sign in (1, -1)]
    names = ("parameter", *reference.RULES[rule][1])
    found = {}
    for k, name in enumerate(names):
        brought = np.maximum(*(float64(end[k] - middle[k]) for end in ends))
        found[name] = brought + FEW * u * (float64(middle[k]) + brought) + flushed(dtype)
    for place, operand in enumerate(operands):
        shifted = after(*operands[:place], operand * (1 + SHIFT), *operands[place + 1 :])
        for k, name in enumerate(names):
            found[name] += FEW * u * float64(shifted[k] - middle[k]) / SHIFT
    found["parameter"] += 2 * u * (float64(parameter) + float64(middle[0]))
    return found
