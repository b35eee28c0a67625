"""Layers in a row: which there are, which of them have parameters, and which learn."""

from __future__ import annotations

import difflib
import operator
import re
from contextlib import AbstractContextManager
from typing import Any

from ..arrays import Array
from ..catalogue import classes, own_class
from ..layers import Layer, Layer_Input
from ..layers.neighbours import link
from ..layers.parameter_layer import ParameterLayer
from ..layers.parameters import assign_parameters, checked_parameters, copy_parameters, slots_of
from ..training.busy import in_use, parameter_lock
from ..training.passes import parametric_layers

NEEDED = {
    "layer": ("forward", "backward"),
    "loss": ("forward", "backward"),
    "optimizer": ("update_params",),
    "accuracy": ("calculate",),
}

# What other libraries call ours.
OTHER_NAMES = {
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "l1": "MeanAbsoluteError",
    "l2": "MeanSquaredError",
    "cross_entropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "CategoricalCrossentropy",
    "bce": "BinaryCrossentropy",
}


def check_part(part: Any, kind: str) -> None:
    """Refuse what cannot serve as a layer, loss, optimizer or accuracy."""
    names = NEEDED[kind]
    if isinstance(part, type):
        raise TypeError(
            f"{kind}: expected an instance, got the class {part.__name__}; "
            f"write {part.__name__}(...)"
        )
    if not all(callable(getattr(part, name, None)) for name in names):
        hint = hint_for(part, kind) if isinstance(part, str) else ""
        raise TypeError(
            f"{kind}: expected an object with {' and '.join(names)}, got {part!r}{hint}"
        )


def hint_for(name: str, kind: str) -> str:
    """Return which classes of the package a name may mean, as a word from elsewhere, or none."""
    wanted = re.sub("[^a-z0-9]", "", OTHER_NAMES.get(name.lower(), name).lower())
    known = [each.__name__ for each in classes(kind)]
    plain = {re.sub("[^a-z0-9]", "", each.partition("_")[2].lower()): each for each in known}
    near = difflib.get_close_matches(wanted, plain, 1, 0.75)
    return f"; write {plain[near[0]]}()" if near else f"; there are {', '.join(known)}"


def check_layers(layers: list[Any]) -> None:
    """Refuse no layer, and one layer twice."""
    if not layers:
        raise ValueError("Model: expected at least one layer, got none; call add(layer)")
    seen: dict[int, int] = {}
    for position, layer in enumerate(layers, 1):
        if id(layer) in seen:
            raise ValueError(
                f"{type(layer).__name__} {position}: expected a layer of its own, got the "
                f"very object of layer {seen[id(layer)]}"
            )
        seen[id(layer)] = position


def check_whole(layers: Any, learners: Any) -> None:
    """Refuse what is no list of layers, and layers whose parameters somebody has deleted.

    Raises
    ------
    TypeError, ValueError
        Naming the layer, and its parameter.
    """
    for name, found in (("layers", layers), ("trainable_layers", learners)):
        if not isinstance(found, list | tuple):
            raise TypeError(f"Model: {name}: expected a list, got {type(found).__name__}")
    for position, layer in enumerate(layers, 1):
        if isinstance(layer, ParameterLayer):
            for name in type(layer).parameter_names:
                if name not in layer.__dict__:
                    raise ValueError(
                        f"{type(layer).__name__} {position}: {name}: expected an array, got none"
                    )
        elif own_class(layer) is None:
            check_part(layer, "layer")


def may_learn(layer: Any) -> bool:
    """Tell whether a layer has parameters, or is one of the user's own that says it will have."""
    if slots_of(layer):
        return True
    promises = hasattr(layer, "weights") or hasattr(layer, "parameter_names")
    return promises and own_class(layer) is None


class Stack:
    """The layers of a model and their parameters.

    The attributes' values in the class serve models that were pickled before there were any.
    """

    layers: list[Any]
    trainable_layers: list[Any]
    loss: Any = None
    input_layer: Any = None
    output_layer_activation: Any = None
    _layers_seen: list[Any] | None = None  # at the last look
    _learners_seen: list[Any] | None = None
    _watched: bool = False  # somebody has looked for dead units
    _told: frozenset[str] = frozenset()  # topics of warnings that were given

    def __init__(self) -> None:
        self.layers = []
        self.trainable_layers = []
        self.loss = self.input_layer = self.output_layer_activation = None
        self._layers_seen = self._learners_seen = None
        self._watched, self._told = False, frozenset()

    def add(self, layer: Any) -> None:
        """Append a layer: any object with `forward` and `backward`.

        Raises
        ------
        TypeError
            Something else.
        RuntimeError
            The model is in use.
        """
        check_part(layer, "layer")
        with self._used_by("add", alone=True):
            self.layers.append(layer)

    def finalize(self) -> None:
        """Find the layers with parameters anew and tell the loss about them. May be repeated.

        `train`, `evaluate`, `forward` and `predict` do it themselves where it was forgotten; they
        leave a shortened `trainable_layers` as it is and only add layers that are new.

        Raises
        ------
        ValueError
            No layer, or one layer twice.
        RuntimeError
            The model is in use.
        """
        with self._used_by("finalize", alone=True):
            self._layers_seen = self._learners_seen = None
            self._look()

    def _used_by(self, operation: str, *, alone: bool = False) -> AbstractContextManager[None]:
        return in_use(self, operation, alone=alone)

    def _look(self) -> None:
        """Take note of layers that came or went since the last time."""
        check_whole(self.layers, self.trainable_layers)
        if not self._same_layers():
            check_layers(self.layers)
            link(self, again=self._layers_seen is None)
            self.input_layer = Layer_Input() if self.input_layer is None else self.input_layer
            self.output_layer_activation = self.layers[-1]
            self._layers_seen, self._watched = list(self.layers), False
            self._find_learners()
        elif any(not isinstance(layer, Layer) for layer in self.layers):
            self._find_learners()  # one of the user's own may have got its parameters since
        if hasattr(self.loss, "remember_trainable_layers"):
            self.loss.remember_trainable_layers(self.trainable_layers)

    def _prepare(self, parts: tuple[str, ...]) -> None:
        """Finalize where it was forgotten; refuse to go on without these parts."""
        self._check_parts(parts)
        if parts or not self._same_layers():
            self._look()

    def _prepare_beside(self, parts: tuple[str, ...] = ()) -> None:
        """Do so beside other threads that use the model."""
        self._check_parts(parts)
        if not self._same_layers():
            with parameter_lock(self):
                self._look()

    def _check_parts(self, parts: tuple[str, ...]) -> None:
        check_whole(self.layers, self.trainable_layers)
        for part in parts:
            if getattr(self, part) is None:
                raise ValueError(f"Model: {part}: expected one, got none; call set({part}=...)")

    def _find_learners(self) -> None:
        learners = [layer for layer in self.layers if may_learn(layer)]
        if self._learners_seen is None:
            self.trainable_layers = learners
        else:
            self._update_learners(learners, self._learners_seen)
        self._learners_seen = learners

    def _same_layers(self) -> bool:
        """Tell whether the layers are those of the last look."""
        seen = self._layers_seen
        if seen is None or len(seen) != len(self.layers):
            return False
        return all(map(operator.is_, seen, self.layers))

    def _update_learners(self, learners: list[Any], before: list[Any]) -> None:
        """Add the layers that are new and drop those that are gone; leave the others alone."""
        known, present = set(map(id, before)), set(map(id, self.layers))
        new = [layer for layer in learners if id(layer) not in known]
        gone = known - present
        kept = [layer for layer in self.trainable_layers if id(layer) not in gone]
        if not new and len(kept) == len(self.trainable_layers):
            return
        places = {id(layer): place for place, layer in enumerate(self.layers)}
        self.trainable_layers = sorted(
            kept + new, key=lambda layer: places.get(id(layer), len(places))
        )

    def get_parameters(self) -> list[tuple[Array | None, ...]]:
        """Return copies of the parameters of each layer that has some, frozen or not.

        A dense layer gives ``(weights, biases)``, without biases ``(weights, None)``; a layer of
        your own gives its ``parameter_names``.
        """
        with self._used_by("get_parameters"):
            self._look()
            return [copy_parameters(layer) for layer in parametric_layers(self)]

    def set_parameters(self, parameters: Any) -> None:
        """Copy values, in the form of `get_parameters`, into the layers' arrays, in place.

        Raises
        ------
        ValueError
            Another number of layers, or another shape; then nothing has changed.
        """
        with self._used_by("set_parameters"):
            self._look()
            try:
                given = list(parameters)
            except TypeError:
                text = f"parameters: expected a list of pairs, got {parameters!r}"
                raise TypeError(text) from None
            layers = parametric_layers(self)
            if len(given) != len(layers):
                raise ValueError(
                    f"parameters: expected {len(layers)} pairs, one per layer that has some, "
                    f"got {len(given)}"
                )
            pairs = list(zip(layers, given, strict=True))
            new = [(layer, checked_parameters(layer, values)) for layer, values in pairs]
            with parameter_lock(self):
                for layer, values in new:
                    assign_parameters(layer, values)
