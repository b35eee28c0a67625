"""Saving and loading: a whole model with its training state, or its parameters alone.

Files are safetensors files (model_file.py); what stands in them is in architecture.py. A file
is replaced as a whole (atomic_file.py). Nothing in a file is ever executed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..arrays import Array, as_floats
from ..errors import ModelFileError, label_of
from . import model_file
from .architecture import build_model, describe_model, tensors_of
from .model_file import Document, Tensor, shown


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


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what is wrong with the content of the file into a ModelFileError that names it."""
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: {error}") from None


def save_model(model: Any, path: Any) -> None:
    """Write the model and its training state; see `Model.save`."""
    from ..model import Model

    target = as_path(path)
    if type(model) is not Model:
        raise TypeError(
            f"save: expected a Model, got a {type(model).__name__}, a class of your own; "
            "save_parameters keeps the weights and biases of any model"
        )
    document, tensors = describe_model(model)
    model_file.write(target, document, tensors)


def load_model(path: Any) -> Any:
    """Return the model that `save_model` wrote; see `Model.load`."""
    from ..model import Model

    source = as_path(path)
    with reading(source):
        document, tensors = model_file.read(source, tensors_of)
    model = Model()
    build_model(document, tensors, model)
    model.finalize()
    return model


def save_parameters(model: Any, path: Any) -> None:
    """Write weights and biases of the trainable layers; see `Model.save_parameters`."""
    target = as_path(path)
    tensors = {}
    for index, layer in enumerate(model.trainable_layers, 1):
        for name in ("weights", "biases"):
            where = f"{label_of(layer)}: {name}"
            tensors[f"{index}.{name}"] = parameter_of(layer, name, where)
    document = {"kind": "parameters", "layers": len(model.trainable_layers)}
    model_file.write(target, document, tensors)


def parameter_of(layer: Any, name: str, where: str) -> Array:
    """Return a layer's weights or biases as floats of rank 2 at most."""
    array = as_floats(getattr(layer, name), where)
    if array.ndim > 2:
        raise ValueError(f"{where}: expected at most 2 dimensions, got {array.shape}")
    return array


def load_parameters(model: Any, path: Any) -> None:
    """Copy a file's weights and biases into the layers' arrays; see `Model.load_parameters`."""
    source = as_path(path)
    layers = model.trainable_layers
    shapes = {
        f"{index}.{name}": (label_of(layer), np.shape(getattr(layer, name)))
        for index, layer in enumerate(layers, 1)
        for name in ("weights", "biases")
    }

    def expected(document: Document) -> dict[str, Tensor]:
        if document.get("kind") == "model":
            tensors = tensors_of(document)
            held = {**tensors, **{name: tensors[of] for name, of in document["shared"].items()}}
            check_shapes({name: each.shape for name, each in held.items()}, shapes)
            return tensors
        check_parameters(document, len(layers))
        return {name: Tensor(None, shape) for name, (_, shape) in shapes.items()}

    with reading(source):
        document, tensors = model_file.read(source, expected)
    tensors.update({name: tensors[of] for name, of in document.get("shared", {}).items()})
    for index, layer in enumerate(layers, 1):
        layer.weights[...] = tensors[f"{index}.weights"]
        layer.biases[...] = tensors[f"{index}.biases"]


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


def check_shapes(
    found: dict[str, tuple[int, ...]], expected: dict[str, tuple[str, tuple[int, ...]]]
) -> None:
    """Refuse parameters of other shapes than the model's layers, or of more layers."""
    given = {name for name in found if name.endswith((".weights", ".biases"))}
    for name, (label, shape) in expected.items():
        if found.get(name) != shape:
            raise ValueError(f"{label}: {name}: expected {shape}, got {found.get(name, 'none')}")
    if len(given) != len(expected):
        raise ValueError(
            f"expected the parameters of {len(expected) // 2} trainable layers, "
            f"got those of {len(given) // 2}"
        )
