"""Saving and loading: a whole model with its training state, or its parameters alone.

Files are safetensors files (model_file.py); what stands in them is in architecture.py. A file
is replaced as a whole (atomic_file.py). Nothing in a file is ever executed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..arrays import Array, as_floats
from ..errors import ModelFileError, label_of
from ..layers.parameters import Slot, check_writeable, slots_of
from ..training.busy import parameter_lock
from . import model_file
from .architecture import (
    PARTS,
    all_tensors,
    build_model,
    check_classes,
    describe_model,
    tensors_of,
)
from .model_file import LARGEST_RANK, Document, Tensor, shown
from .parts import Custom
from .versions import upgraded

CheckPart = Callable[[Any, str], None]


def as_path(path: Any) -> str:
    """Return a str, bytes or path-like as str.

    Raises
    ------
    TypeError
        Something else.
    """
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path: expected a str or a path-like, got {path!r}") from None


def as_custom(custom: Any) -> Custom:
    """Return the classes of the user's own that a file may name, by their names.

    Raises
    ------
    TypeError
        Something that is no class.
    ValueError
        Two classes of one name.
    """
    if not isinstance(custom, Iterable) or isinstance(custom, str | type):
        custom = [custom]
    given = list(custom)
    for each in given:
        if not isinstance(each, type):
            raise TypeError(f"custom: expected classes, got {each!r}")
    found = {each.__name__: each for each in given}
    if len(found) != len(set(given)):
        raise ValueError(f"custom: expected classes of different names, got {given!r}")
    return found


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what is wrong with the content of the file into a ModelFileError that names it."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: {error}") from None


def save_model(model: Any, path: Any, base: type) -> None:
    """Write the model, of class `base` or a subclass, and its training state; see `Model.save`."""
    target = as_path(path)
    document, tensors = describe_model(model, base)
    model_file.write(target, document, tensors)


def load_model(path: Any, base: type, check_part: CheckPart, custom: Any = ()) -> Any:
    """Return the model that `save_model` wrote; see `Model.load`.

    `check_part` refuses what cannot serve as a layer, loss, optimizer or accuracy.
    """
    source, classes = as_path(path), as_custom(custom)
    with reading(source):
        document, tensors = model_file.read(source, lambda found: promised(found, classes))
        return finished_model(document, tensors, base, check_part, classes)


def promised(document: Document, classes: Custom) -> dict[str, Tensor]:
    """Return the tensors of a model's document, after checking the document.

    Raises
    ------
    ValueError
        It is not that of a model, or names a class that `classes` does not have.
    """
    document = upgraded(document)
    tensors = tensors_of(document)
    check_classes(document, classes)
    return tensors


def finished_model(
    document: Document,
    tensors: dict[str, Array],
    base: type,
    check_part: CheckPart,
    classes: Custom,
) -> Any:
    """Return the model of a document that `promised` has passed, ready to go on.

    Raises
    ------
    ValueError
        Parts that cannot serve as what they are.
    """
    document = upgraded(document)
    model = build_model(document, tensors, base, classes)
    for kind, part in parts_of(model):
        try:
            check_part(part, kind)
        except TypeError as error:
            raise ValueError(str(error)) from None
    base.finalize(model)  # type: ignore[attr-defined]
    if document["learners"] is not None:
        model.trainable_layers = [model.layers[place - 1] for place in document["learners"]]
    return model


def parts_of(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the layers of a model and what else it has, each with its kind."""
    yield from (("layer", layer) for layer in model.layers)
    yield from ((kind, getattr(model, kind)) for kind in PARTS if getattr(model, kind) is not None)


def parameters_of(layers: Iterable[Any]) -> dict[str, tuple[Any, Slot]]:
    """Return layer and slot of each parameter by its tensor's name: ``1.weights``, ..."""
    with_some = [layer for layer in layers if slots_of(layer)]
    return {
        f"{index}.{slot.name}": (layer, slot)
        for index, layer in enumerate(with_some, 1)
        for slot in slots_of(layer)
    }


def count_layers(layers: Iterable[Any]) -> int:
    """Return how many of the layers have parameters."""
    return sum(bool(slots_of(layer)) for layer in layers)


def save_parameters(model: Any, path: Any) -> None:
    """Write the parameters of all layers; see `Model.save_parameters`."""
    target = as_path(path)
    tensors = {
        name: parameter_of(layer, slot)
        for name, (layer, slot) in parameters_of(model.layers).items()
    }
    document = {"kind": "parameters", "layers": count_layers(model.layers)}
    model_file.write(target, document, tensors)


def parameter_of(layer: Any, slot: Slot) -> Array:
    """Return a layer's parameter as floats."""
    where = f"{label_of(layer)}: {slot.name}"
    array = as_floats(getattr(layer, slot.name), where)
    if array.ndim > LARGEST_RANK:
        raise ValueError(f"{where}: expected at most {LARGEST_RANK} dimensions, got {array.shape}")
    return array


def load_parameters(model: Any, path: Any) -> None:
    """Copy a file's parameters into the layers' arrays; see `Model.load_parameters`."""
    source = as_path(path)
    wanted, count = parameters_of(model.layers), count_layers(model.layers)
    held = {name: getattr(layer, slot.name) for name, (layer, slot) in wanted.items()}
    for name, (layer, slot) in wanted.items():
        check_writeable(held[name], f"{label_of(layer)}: {slot.name}")

    def expected(document: Document) -> dict[str, Tensor]:
        if document.get("kind") == "model":
            document = upgraded(document)
            tensors = tensors_of(document)
            check_shapes(document, wanted, count)
            return tensors
        check_parameters(document, count)
        return {name: Tensor(None, array.shape) for name, array in held.items()}

    with reading(source):
        document, tensors = model_file.read(source, expected)
    tensors.update({name: tensors[of] for name, of in document.get("shared", {}).items()})
    with parameter_lock(model):
        for name, array in held.items():
            array[...] = tensors[name]


def check_parameters(document: Document, count: int) -> None:
    """Refuse a document that is not that of the parameters of so many layers."""
    if set(document) != {"format", "version", "kind", "layers"}:
        raise ValueError("document: expected format, version, kind and layers, got other names")
    if document["kind"] != "parameters":
        raise ValueError(
            f"document: kind: expected 'parameters' or 'model', got {shown(document['kind'])}"
        )
    if document["layers"] != count:
        raise ValueError(
            f"expected the parameters of {count} trainable layers, got {shown(document['layers'])}"
        )


def check_shapes(document: Document, wanted: dict[str, tuple[Any, Slot]], count: int) -> None:
    """Refuse a model's file with parameters of other shapes, or with those of more layers."""
    entries = [entry for entry in document["layers"] if "parameters" in entry]
    if len(entries) != count:
        raise ValueError(
            f"expected the parameters of {count} trainable layers, got those of {len(entries)}"
        )
    tensors = all_tensors(document)
    for name, (layer, slot) in wanted.items():
        shape = np.shape(getattr(layer, slot.name))
        found = tensors[name].shape if name in tensors else "none"
        if found != shape:
            raise ValueError(f"{label_of(layer)}: {name}: expected {shape}, got {found}")
    for index, entry in enumerate(entries, 1):
        for parameter in entry["parameters"]:
            if f"{index}.{parameter}" not in wanted:
                raise ValueError(f"{index}.{parameter}: expected none, got one")
