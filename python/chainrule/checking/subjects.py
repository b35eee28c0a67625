"""What a gradient check differentiates: a scalar function of named arrays.

    model            data loss + regularisation of its layers, of `inputs` and every parameter
    layer            sum of output * dvalues (fixed random dvalues) + its own regularisation
    loss             mean of the per-sample losses, of the predictions

Each subject owns its arrays, so that they may be changed in place, and offers `value()`,
`gradients()` (by the classes' own backward), `branches()` (see kinks.py), and `nudge` for values
that no layer holds (see noise.py).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..losses import Activation_Softmax_Loss_CategoricalCrossentropy
from ..model import Model
from ..training.passes import forward_pass
from .kinks import (
    PARAMETER_STRENGTHS,
    Branch,
    layer_branches,
    loss_branches,
    one_hot,
)

FloatArray = NDArray[Any]
Nudge = Callable[[FloatArray], FloatArray]


def parameters(layer: Any) -> dict[str, FloatArray]:
    """A layer's arrays that have a gradient beside them: `weights` with `dweights`, ..."""
    attributes = vars(layer)
    names = [name for name in attributes if f"d{name}" in attributes]
    return {
        name: attributes[name]
        for name in names
        if name not in ("inputs", "output", "values")
        and isinstance(attributes[name], np.ndarray)
        and attributes[name].shape == np.shape(attributes[f"d{name}"])
    }


def in_float64(thing: Any) -> Any:
    """A deep copy of a layer, loss or model that computes in float64."""
    twin = copy.deepcopy(thing)
    for part in [twin, *getattr(twin, "layers", ())]:
        for name, value in list(getattr(part, "__dict__", {}).items()):
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                part.__dict__[name] = value.astype(np.float64)
            elif isinstance(value, np.dtype):
                part.__dict__[name] = np.dtype(np.float64)
    return twin


def hold_masks(layers: list[Any], drawn: list[Any]) -> None:
    """Let each dropout layer of `layers` use the mask that its twin in `drawn` has drawn."""
    for layer, twin in zip(layers, drawn, strict=True):
        mask = getattr(twin, "binary_mask", None)
        if mask is not None:
            layer.forward = _masked(layer, np.array(mask))


def _masked(layer: Any, mask: FloatArray) -> Any:
    def forward(inputs: FloatArray, training: bool = False) -> FloatArray:
        layer.binary_mask = mask.astype(inputs.dtype)
        layer.inputs, layer.output = inputs, inputs * layer.binary_mask
        output: FloatArray = layer.output
        return output

    return forward


def regularization(layers: list[Any]) -> float:
    """`sum of l1 |w| + l2 w^2` over the parameters of `layers`."""
    total = 0.0
    for layer in layers:
        for name, strength in PARAMETER_STRENGTHS.items():
            l1 = getattr(layer, f"{strength}_l1", 0)
            l2 = getattr(layer, f"{strength}_l2", 0)
            if l1 or l2:
                array = np.asarray(getattr(layer, name), dtype=np.float64)
                total += float(l1 * np.abs(array).sum() + l2 * (array * array).sum())
    return total


def softmax_crossentropy(logits: FloatArray, y: NDArray[Any]) -> float:
    """Mean of `sum_j y_j (log sum_k exp z_k - z_j)`, unclipped: what the joint gradient is of."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    targets = one_hot(y, logits.shape[1])
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float((targets * (log_sum - shifted)).sum(axis=1).mean())


def unchanged(array: FloatArray) -> FloatArray:
    """The nudge that does nothing."""
    return array


class ModelSubject:
    """The loss of a model on one batch."""

    def __init__(self, model: Any, inputs: FloatArray, y: NDArray[Any]) -> None:
        self.nudge: Nudge = unchanged
        self.model, self.inputs, self.y = model, inputs, y
        self.joint = bool(
            hasattr(model.loss, "joint_with") and model.loss.joint_with(self.layers[-1])
        )

    @property
    def layers(self) -> list[Any]:
        return list(self.model.layers)

    def _forward(self) -> FloatArray:
        self.model.forward(self.inputs, training=True)
        output: FloatArray = self.layers[-1].output
        return output

    def value(self) -> float:
        output = self._forward()
        if self.joint:
            data_loss = softmax_crossentropy(self.layers[-1].inputs, self.y)
        else:
            data_loss = float(self.model.loss.calculate(output, self.y))
        return data_loss + regularization(self.layers)

    def gradients(self) -> dict[str, FloatArray]:
        self.model.backward(self._forward(), self.y)
        found = {"inputs": np.array(self.layers[0].dinputs)}
        for position, layer in enumerate(self.layers, 1):
            for name in parameters(layer):
                label = f"{type(layer).__name__} {position}: {name}"
                found[label] = np.array(getattr(layer, f"d{name}"))
        return found

    def arrays(self) -> dict[str, FloatArray]:
        found = {"inputs": self.inputs}
        for position, layer in enumerate(self.layers, 1):
            for name, array in parameters(layer).items():
                found[f"{type(layer).__name__} {position}: {name}"] = array
        return found

    def branches(self) -> list[Branch]:
        found = layer_branches(self.layers)
        if not self.joint:
            last = self.layers[-1]
            y_from = getattr(last, "inputs", last.output)
            found += loss_branches(self.model.loss, last.output, self.y, y_from)
        return found


class LayerSubject:
    """The sum of a layer's output times fixed dvalues."""

    def __init__(self, layer: Any, inputs: FloatArray, dvalues: FloatArray) -> None:
        self.nudge: Nudge = unchanged
        self.layer, self.inputs, self.dvalues = layer, inputs, dvalues

    @property
    def layers(self) -> list[Any]:
        return [self.layer]

    def value(self) -> float:
        forward_pass([self.layer], self.inputs, training=True)
        return float((self.layer.output * self.dvalues).sum()) + regularization(self.layers)

    def gradients(self) -> dict[str, FloatArray]:
        forward_pass([self.layer], self.inputs, training=True)
        self.layer.backward(np.array(self.dvalues, dtype=self.inputs.dtype))
        found = {"inputs": np.array(self.layer.dinputs)}
        for name in parameters(self.layer):
            found[name] = np.array(getattr(self.layer, f"d{name}"))
        return found

    def arrays(self) -> dict[str, FloatArray]:
        return {"inputs": self.inputs, **parameters(self.layer)}

    def branches(self) -> list[Branch]:
        return layer_branches(self.layers)


class LossSubject:
    """The mean of a loss over its samples, as a function of the predictions."""

    def __init__(self, loss: Any, inputs: FloatArray, y: NDArray[Any]) -> None:
        self.nudge: Nudge = unchanged
        self.loss, self.inputs, self.y = loss, inputs, y
        self.joint = isinstance(loss, Activation_Softmax_Loss_CategoricalCrossentropy)

    @property
    def layers(self) -> list[Any]:
        return []

    def value(self) -> float:
        if self.joint:
            return softmax_crossentropy(self.inputs, self.y)
        return float(np.mean(self.loss.forward(self.inputs, self.y)))

    def gradients(self) -> dict[str, FloatArray]:
        dvalues = self.inputs
        if self.joint:
            self.loss.forward(self.inputs, self.y)
            dvalues = self.nudge(self.loss.output)
        self.loss.backward(dvalues, self.y)
        return {"inputs": np.array(self.loss.dinputs)}

    def arrays(self) -> dict[str, FloatArray]:
        return {"inputs": self.inputs}

    def branches(self) -> list[Branch]:
        return [] if self.joint else loss_branches(self.loss, self.inputs, self.y, self.inputs)


Subject = ModelSubject | LayerSubject | LossSubject


def subject(thing: Any, inputs: FloatArray, y: NDArray[Any] | None) -> Subject:
    """The subject of `thing`, which it takes over together with `inputs`."""
    if isinstance(thing, Model) and y is not None:
        return ModelSubject(thing, inputs, y)
    if hasattr(thing, "calculate") or isinstance(
        thing, Activation_Softmax_Loss_CategoricalCrossentropy
    ):
        if y is None:
            raise ValueError(f"gradcheck: {type(thing).__name__}: expected y, got none")
        return LossSubject(thing, inputs, y)
    if not (hasattr(thing, "forward") and hasattr(thing, "backward")):
        kind = type(thing).__name__
        raise TypeError(f"gradcheck: expected a model, a layer or a loss, got {kind}")
    shape = np.shape(forward_pass([copy.deepcopy(thing)], inputs, training=True))
    return LayerSubject(thing, inputs, np.random.default_rng(0).standard_normal(shape))
