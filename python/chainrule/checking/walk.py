"""Layers run one by one, as training runs them, with every value in between kept.

    forward     inputs -> layer 1 -> ... -> the last output
    backward    dvalues -> the last layer -> ... -> dinputs of the first

A method may return its result, or set `output` and `dinputs` and return nothing. An error names
the layer. Layers of the user's own get copies, so that what they write into stays theirs. Codes of
categories stay whole: a step leaves them, and what an embedding makes of them, as they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..catalogue import own_class
from ..errors import label_of
from ..layers import Layer_Dropout
from ..layers.embedding import held_to_codes
from ..shapes import takes_training

FloatArray = NDArray[Any]
Nudge = Callable[[Any], Any]


def unchanged(array: Any) -> Any:
    """The nudge that does nothing."""
    return array


@contextmanager
def named(label: str, method: str, thing: Any) -> Iterator[None]:
    """Put `label` and `method` in front of the text of any error, whose type stays."""
    try:
        yield
    except Exception as error:
        own, text = f"{label_of(thing)}: ", error.args[0] if error.args else ""
        if not isinstance(text, str) or isinstance(error, OSError | UnicodeError):
            raise
        where = label if text.startswith(own) else f"{label}: {method}"
        error.args = (f"{where}: {text.removeprefix(own)}".removesuffix(": "), *error.args[1:])
        raise


def gradient_fault(value: Any, name: str, shape: tuple[int, ...]) -> str:
    """What keeps `value` from being the gradient `name` of an array of this shape; or nothing."""
    if value is None:
        return f"expected {name} {shape}, got none"
    if not isinstance(value, np.ndarray):
        return f"expected {name} {shape}, got {type(value).__name__}"
    if value.shape != shape:
        return f"expected {name} {shape}, got {value.shape}"
    if value.dtype.kind != "f":
        return f"expected {name} of floats, got {value.dtype}"
    return ""


def same_bits(one: Any, other: Any) -> bool:
    """Tell whether two arrays are equal, NaN to NaN, in shape and every entry."""
    floats = np.asarray(one).dtype.kind == "f" and np.asarray(other).dtype.kind == "f"
    return np.array_equal(one, other, equal_nan=floats)


def is_dropout(layer: Any) -> bool:
    """Tell whether `layer` is a dropout whose forward is the package's."""
    return (
        isinstance(layer, Layer_Dropout)
        and type(layer).forward is Layer_Dropout.forward
        and "forward" not in vars(layer)
    )


class Walk:
    """A pass through `layers`; `labels` name them in errors.

    Attributes
    ----------
    inputs, outputs : list
        What each layer got and gave in the last forward.
    dvalues, dinputs : list
        The same of the last backward; None where it did not come to.
    masks : dict
        Dropout's masks by position, drawn in the first forward and kept.
    watched : bool
        Whether to look for layers that write into arrays that are not theirs.
    remarks : dict
        What such a layer did, by its position: ("forward" or "backward", text).
    stopped : int or None
        The position of the layer whose dinputs the last backward could not go on with.
    """

    def __init__(self, layers: list[Any], labels: list[str]) -> None:
        self.layers, self.labels = layers, labels
        self.foreign = [own_class(layer) is None for layer in layers]
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.dvalues: list[Any] = []
        self.dinputs: list[Any] = []
        self.masks: dict[int, FloatArray] = {}
        self.watched = False
        self.remarks: dict[tuple[int, str], str] = {}
        self.stopped: int | None = None

    def forward(self, values: Any, nudge: Nudge = unchanged) -> Any:
        """Run all layers in training mode and return the last output."""
        self.inputs, self.outputs = [], []
        for k, layer in enumerate(self.layers):
            given = held_to_codes(layer, np.array(values) if self.foreign[k] else values)
            result = self._one_forward(k, given)
            if nudge is not unchanged:
                result = nudge(result)
                if hasattr(layer, "output"):
                    layer.output = result
            self._watch(k, "forward", given, values)
            self.inputs.append(given)
            self.outputs.append(result)
            values = result
        return values

    def _one_forward(self, k: int, values: Any) -> Any:
        layer = self.layers[k]
        if k in self.masks:
            layer.inputs, layer.binary_mask = values, self.masks[k].astype(values.dtype)
            layer.output = values * layer.binary_mask
            return layer.output
        with named(self.labels[k], "forward", layer):
            own = getattr(layer, "__dict__", {}).get("forward")
            two = takes_training(type(layer).forward) if own is None else _takes_two(own)
            result = layer.forward(values, True) if two else layer.forward(values)
            result = getattr(layer, "output", None) if result is None else result
        if result is None:
            raise TypeError(
                f"{self.labels[k]}: forward: expected it to return the output or to set "
                "`output`, got none"
            )
        if is_dropout(layer) and hasattr(layer, "binary_mask"):
            self.masks[k] = np.array(layer.binary_mask)
        return result

    def backward(self, dvalues: Any, count: int | None = None, nudge: Nudge = unchanged) -> None:
        """Run the first `count` layers backwards.

        Where one gives no usable dinputs, the layers in front of it are not run.
        """
        self.stopped = None
        count = len(self.layers) if count is None else count
        self.dvalues = [None] * len(self.layers)
        self.dinputs = [None] * len(self.layers)
        for k in range(count - 1, -1, -1):
            layer = self.layers[k]
            given = np.array(dvalues) if self.foreign[k] else dvalues
            with named(self.labels[k], "backward", layer):
                result = layer.backward(given)
                result = getattr(layer, "dinputs", None) if result is None else result
            self._watch(k, "backward", given, dvalues)
            self.dvalues[k], self.dinputs[k] = dvalues, result
            if gradient_fault(result, "dinputs", np.shape(self.inputs[k])):
                self.stopped = k
                return
            dvalues = nudge(result)

    def _watch(self, k: int, method: str, given: Any, values: Any) -> None:
        if self.watched and self.foreign[k] and not same_bits(given, values):
            name = "its inputs" if method == "forward" else "dvalues"
            self.remarks[k, method] = f"{method} writes into {name}"


def _takes_two(function: Callable[..., Any]) -> bool:
    """Tell whether a forward put on an instance takes `training` after the values."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True
    kinds = [parameter.kind for parameter in parameters.values()]
    return len(kinds) > 1 or inspect.Parameter.VAR_POSITIONAL in kinds
