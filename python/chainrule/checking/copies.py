"""Copies of what is checked: in its own dtype, and in float64.

In a copy every layer learns (a frozen one is checked as the others), and no schedule changes
dropout's rate on the way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import label_of
from ..layers import Layer_Dropout
from ..model import Model
from .gradients import Parameter
from .randomness import Randomness, has_attributes, leaves
from .subjects import Subject, subject

WIDE = np.dtype(np.float64)


def layers_of(thing: Any) -> list[Any]:
    """Return a model's layers; of anything else that alone."""
    return list(thing.layers) if isinstance(thing, Model) else [thing]


def copied(thing: Any) -> Any:
    """Return a deep copy whose layers all learn."""
    try:
        twin = copy.deepcopy(thing)
    except Exception as error:
        raise TypeError(
            f"gradcheck: {label_of(thing)}: expected an object that copy.deepcopy can copy: {error}"
        ) from error
    for layer in layers_of(twin):
        if not getattr(layer, "trainable", True):
            layer.trainable = True
        if isinstance(layer, Layer_Dropout) and getattr(layer, "schedule", None) is not None:
            layer.schedule = None
    return twin


def in_float64(value: Any, memo: dict[int, Any] | None = None, name: str = "") -> Any:
    """Return `value` with float64 in the place of every narrower float; objects are changed.

    Attributes, lists, dicts and tuples are gone through. One array under two names stays one;
    what `memo` holds by its id stays as it stands there.
    """
    memo = {} if memo is None else memo
    if id(value) in memo:
        return memo[id(value)][1]
    done = value
    if isinstance(value, np.ndarray):
        narrow = value.dtype.kind == "f" and value.dtype.itemsize < 8
        done = value.astype(WIDE) if narrow else value
    elif isinstance(value, np.dtype):
        done = WIDE if value.kind == "f" else value
    elif value is np.float32 or value is np.float16:
        done = np.float64
    elif name == "dtype" and value in ("float32", "float16"):
        done = "float64"
    elif type(value) is tuple:
        done = tuple(in_float64(each, memo) for each in value)
    memo[id(value)] = (value, done)  # the value is kept: its id stays taken
    if isinstance(value, list):
        value[:] = [in_float64(each, memo) for each in value]
    elif type(value) is dict:
        value.update({key: in_float64(each, memo, str(key)) for key, each in value.items()})
    elif has_attributes(value):
        for key, each in list(vars(value).items()):
            vars(value)[key] = in_float64(each, memo, key)
    return done


class Copies:
    """Makes subjects of one thing, all with the same random numbers before them.

    `inputs` and `y` are copied for each; `build` makes the subject of a copy.
    """

    def __init__(
        self, thing: Any, inputs: NDArray[Any], y: Any, outer: Randomness,
        build: Callable[[Any, NDArray[Any], Any], Subject] = subject,
    ) -> None:  # fmt: skip
        self.thing, self.inputs, self.y = thing, inputs, y
        self.outer, self.build = outer, build
        self.parameters: tuple[Parameter, ...] = ()

    def own(self) -> Subject:
        """Return a subject in the thing's own dtype."""
        return self._subject(copied(self.thing), self.inputs.copy(), self.y)

    def wide(self, own: Subject) -> Subject:
        """Return a subject in float64, with the dropout masks and dvalues of `own`."""
        is_float = isinstance(self.y, np.ndarray) and self.y.dtype.kind == "f"
        y = self.y.astype(WIDE) if is_float else self.y
        shared = {id(each): (each, each) for each in leaves(self.thing) if has_attributes(each)}
        twin = self._subject(in_float64(copied(self.thing), shared), self.inputs.astype(WIDE), y)
        twin.walk.masks = {k: mask.astype(WIDE) for k, mask in own.walk.masks.items()}
        return twin

    def _subject(self, thing: Any, inputs: NDArray[Any], y: Any) -> Subject:
        self.outer.rewind()
        made = self.build(thing, inputs, None if y is None else np.array(y))
        made.parameters = self.parameters
        return made
