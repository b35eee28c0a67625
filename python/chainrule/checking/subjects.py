"""What a gradient check differentiates: a sum of terms, a function of named arrays.

    model            losses of the samples / n + regularisation, of `inputs` and every parameter
    layer            output * dvalues (fixed random dvalues) + its own regularisation
    loss             losses of the samples / n, of the predictions

Each subject owns its arrays, so that they may be changed in place. `terms()` runs a forward,
`backward()` the classes' own backward after it. The terms stay apart: a difference is taken of
each, so that those that a step leaves alone add no rounding.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import label_of
from ..model import Model
from ..training.passes import joint_loss
from .gradients import Parameter
from .randomness import Randomness
from .walk import FloatArray, Nudge, Walk, gradient_fault, named, unchanged

Gradients = dict[str, Any]  # what backward has left, by the array's label; None if nothing


class Subject(ABC):
    """What the subjects share. `loss` is None for a layer."""

    def __init__(self, parts: list[Any], layers: list[Any], labels: list[str], inputs: Any) -> None:
        self.walk = Walk(layers, labels)
        self.inputs: FloatArray = inputs
        self.y: Any = None
        self.loss: Any = None
        self.parameters: tuple[Parameter, ...] = ()
        self.nudge: Nudge = unchanged
        self.output: Any = None
        self.loss_fault = ""
        self._randomness = Randomness(parts)
        self._fresh = True

    def terms(self) -> FloatArray:
        """Run a forward, with the same random numbers each time, and return the terms."""
        self._randomness.rewind()
        data = np.asarray(self._data(), dtype=np.float64)
        if self._fresh:
            self._randomness.settle()
            self._fresh = False
        return np.concatenate([data.ravel(), *self._penalties()])

    @abstractmethod
    def _data(self) -> Any:
        """Run a forward and return what is checked: losses, or outputs."""

    @abstractmethod
    def backward(self) -> Gradients:
        """Run the backward of the last forward; return what it has left for each array."""

    def gradients(self) -> Gradients:
        """Run both."""
        self.terms()
        return self.backward()

    def _found(self, first: Any) -> Gradients:
        layers = self.walk.layers
        found = {p.label: getattr(layers[p.position], p.gradient, None) for p in self.parameters}
        return {"inputs": first, **found}

    def held(self, parameter: Parameter) -> Any:
        """Return the array of a parameter, as its layer holds it now; None before it is made."""
        return getattr(self.walk.layers[parameter.position], parameter.name, None)

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays that may be moved: inputs and parameters."""
        held = {p.label: self.held(p) for p in self.parameters}
        floats = {
            name: array
            for name, array in held.items()
            if isinstance(array, np.ndarray) and array.dtype.kind == "f"
        }
        return {"inputs": self.inputs, **floats}

    def strengths(self, parameter: Parameter) -> tuple[float, float]:
        """Return the L1 and L2 strengths of a parameter."""
        if parameter.slot is None:
            return 0.0, 0.0
        return parameter.slot.strengths(self.walk.layers[parameter.position])

    def _penalties(self) -> Iterator[FloatArray]:
        for parameter in self.parameters:
            l1, l2 = self.strengths(parameter)
            if l1 or l2:
                array = np.asarray(self.held(parameter), dtype=np.float64)
                yield (l1 * np.abs(array) + l2 * (array * array)).ravel()

    def pass_other_batch(self) -> None:
        """Run both over other inputs: the rows rolled by one, or closer to 0 if that is the same.

        What these inputs raise is none of the user's concern.
        """
        kept = self.inputs.copy()
        rolled = np.roll(kept, 1, axis=0)
        self.inputs[...] = kept * (1 - 2.0**-10) if np.array_equal(rolled, kept) else rolled
        try:
            with np.errstate(all="ignore"):
                self.gradients()
        except Exception:
            pass
        finally:
            self.inputs[...] = kept


class ModelSubject(Subject):
    """The loss of a model on one batch."""

    def __init__(self, model: Any, inputs: FloatArray, y: Any) -> None:
        model.finalize()
        layers = list(model.layers)
        labels = [f"{type(layer).__name__} {k}" for k, layer in enumerate(layers, 1)]
        super().__init__([*layers, model.loss], layers, labels, inputs)
        self.loss, self.y = model.loss, y
        self.joint = joint_loss(layers[-1], model.loss)

    def _data(self) -> Any:
        self.output = self.walk.forward(self.inputs, self.nudge)
        if self.joint and hasattr(self.loss, "joint_value"):
            logits = np.asarray(self.walk.inputs[-1], dtype=np.float64)
            return self.loss.joint_value(logits, self.y) / len(self.inputs)
        return losses_of(self.loss, self.output, self.y, len(self.inputs)) / len(self.inputs)

    def backward(self) -> Gradients:
        count = len(self.walk.layers)
        self.loss_fault = ""
        if self.joint:
            dvalues = self.loss.joint_backward(self.joint, self.output, self.y)
            count -= 1
            expected = np.shape(self.walk.inputs[-1])
        else:
            dvalues = gradient_of(self.loss, self.output, self.y)
            expected = np.shape(self.output)
        self.loss_fault = gradient_fault(dvalues, "dinputs", expected)
        if self.loss_fault:
            return self._found(None)
        self.walk.backward(self.nudge(dvalues), count, self.nudge)
        return self._found(self.walk.dinputs[0] if count else dvalues)


class LayerSubject(Subject):
    """The sum of a layer's output times fixed dvalues."""

    def __init__(self, layer: Any, inputs: FloatArray) -> None:
        super().__init__([layer], [layer], [label_of(layer)], inputs)
        self.dvalues: FloatArray | None = None

    def _data(self) -> Any:
        self.output = self.walk.forward(self.inputs, self.nudge)
        if self.dvalues is None:
            self.dvalues = np.random.default_rng(0).standard_normal(np.shape(self.output))
        return np.asarray(self.output, dtype=np.float64) * self.dvalues

    def backward(self) -> Gradients:
        dvalues = np.array(self.dvalues, dtype=self.inputs.dtype)
        self.walk.backward(self.nudge(dvalues), nudge=self.nudge)
        return self._found(self.walk.dinputs[0])


class LossSubject(Subject):
    """The mean of a loss over its samples, as a function of the predictions."""

    def __init__(self, loss: Any, inputs: FloatArray, y: Any) -> None:
        super().__init__([loss], [], [], inputs)
        self.loss, self.y = loss, y
        self.pair = is_pair(loss)

    def _data(self) -> Any:
        self.output = self.inputs
        if not self.pair:
            return losses_of(self.loss, self.inputs, self.y, len(self.inputs)) / len(self.inputs)
        with named(type(self.loss).__name__, "forward", self.loss):
            value = self.loss.forward(np.array(self.inputs), np.array(self.y))
        self.output = self.loss.output
        if not hasattr(self.loss, "joint_value"):
            return np.mean(value)
        logits = np.asarray(self.inputs, dtype=np.float64)
        return self.loss.joint_value(logits, self.y) / len(self.inputs)

    def backward(self) -> Gradients:
        dvalues = self.nudge(self.output) if self.pair else self.output
        return self._found(gradient_of(self.loss, dvalues, self.y))


def losses_of(loss: Any, y_pred: Any, y_true: Any, n: int) -> FloatArray:
    """Return the loss of each sample, (n,)."""
    label = type(loss).__name__
    with named(label, "forward", loss):
        losses = np.asarray(loss.forward(np.array(y_pred), np.array(y_true)), dtype=np.float64)
    if losses.shape != (n,):
        raise ValueError(
            f"{label}: forward: expected one loss per sample, ({n},), got {losses.shape}"
        )
    return losses


def gradient_of(loss: Any, y_pred: Any, y_true: Any) -> Any:
    """Return what a loss's backward returns, or else the `dinputs` that it has set."""
    with named(type(loss).__name__, "backward", loss):
        result = loss.backward(np.array(y_pred), np.array(y_true))
    return getattr(loss, "dinputs", None) if result is None else result


def is_pair(thing: Any) -> bool:
    """Tell whether `thing` is an activation and a loss in one."""
    return hasattr(thing, "activation") and hasattr(thing, "loss") and not isinstance(thing, Model)


def is_loss(thing: Any) -> bool:
    """Tell whether `thing` is a loss: both methods take the targets beside the predictions."""
    if hasattr(thing, "calculate") or is_pair(thing):
        return True
    return _needed(thing, "forward") == _needed(thing, "backward") == 2


def _needed(thing: Any, method: str) -> int:
    """Return how many arguments a method cannot do without; 0 where that is unknown."""
    try:
        parameters = inspect.signature(getattr(thing, method)).parameters.values()
    except (AttributeError, TypeError, ValueError):
        return 0
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.default is p.empty and p.kind in kinds for p in parameters)


def subject(thing: Any, inputs: FloatArray, y: NDArray[Any] | None) -> Subject:
    """Return the subject of `thing`, which it takes over together with `inputs`."""
    if isinstance(thing, Model):
        return ModelSubject(thing, inputs, y)
    if is_loss(thing):
        return LossSubject(thing, inputs, y)
    return LayerSubject(thing, inputs)
