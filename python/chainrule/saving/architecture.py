"""A model <-> a document of plain values, and the tensors that belong to it.

The tensors of the i-th trainable layer are ``i.weights``, ``i.biases`` and the optimizer's
arrays; those that are the memory of another one are named in the document's ``shared``.
``history`` is (8, epochs). Which classes and settings: settings.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, as_parameter
from ..history import COLUMNS, History
from ..layers import Layer_Dense
from .generator_state import build_generator, describe_generator
from .model_file import Document, Tensor, shown
from .settings import ARRAYS, DENSE, SETTINGS, is_count, is_number_or_none, require

PARTS = ("loss", "optimizer", "accuracy")
FIELDS = {"format", "version", "kind", "layers", "shared", *PARTS, "generator", "epochs"}


# --- model -> document --------------------------------------------------------------------------


def describe_model(model: Any) -> tuple[Document, dict[str, Array]]:
    """Return the document and the tensors of a model.

    Raises
    ------
    TypeError
        A class, or a method put on an object, that a file cannot hold; says which.
    ValueError
        A setting that is not finite, or arrays that overlap in part.
    """
    tensors: dict[str, Array] = {}
    layers: list[Document] = []
    for position, layer in enumerate(model.layers, 1):
        entry = describe_part(layer, "layer", f"layer {position}")
        if type(layer) is Layer_Dense:
            index = 1 + sum("arrays" in each for each in layers)
            entry.update(describe_dense(layer, f"layer {position}"))
            tensors.update(dense_tensors(layer, entry["arrays"], index))
        layers.append(entry)
    document: Document = {"kind": "model", "layers": layers}
    for kind in PARTS:
        part = getattr(model, kind)
        document[kind] = None if part is None else describe_part(part, kind, kind)
    document["generator"] = describe_generator(model.rng)
    tensors, document["shared"] = without_copies(tensors)
    document["epochs"] = None
    if isinstance(model.history, History):
        document["epochs"] = len(model.history)
        tensors["history"] = np.stack([model.history[name] for name in COLUMNS])
    return document, tensors


def describe_part(part: Any, kind: str, where: str) -> Document:
    """Return class and settings of a layer, loss, optimizer or accuracy."""
    known = SETTINGS[kind]
    name = type(part).__name__
    if type(part) not in known:
        raise TypeError(
            f"save: {where}: expected one of chainrule's own classes "
            f"({', '.join(each.__name__ for each in known)}), got {name}; "
            "save_parameters keeps the weights and biases of any model"
        )
    for attribute, value in vars(part).items():
        if callable(value) and hasattr(type(part), attribute):
            raise TypeError(
                f"save: {where}: expected the methods of {name}, got a {attribute} of its own; "
                "save_parameters keeps the weights and biases of any model"
            )
    entry: Document = {"class": name}
    for field, check in known[type(part)].items():
        value = vars(part)[field]
        value = value.item() if isinstance(value, np.generic | np.ndarray) else value
        entry[field] = require(check, value, f"save: {where}: {field}")
    return entry


def describe_dense(layer: Layer_Dense, where: str) -> Document:
    """Return what a dense layer's entry holds beside its strengths."""
    scale = vars(layer).get("weight_scale")
    return {
        "n_inputs": layer.n_inputs,
        "n_neurons": layer.n_neurons,
        "dtype": layer.dtype.name,
        "weight_scale": require(is_number_or_none, scale, f"save: {where}: weight_scale"),
        "arrays": [name for name in ARRAYS if vars(layer).get(name) is not None],
    }


def dense_tensors(layer: Layer_Dense, arrays: list[str], index: int) -> dict[str, Array]:
    """Return the parameters and the optimizer's arrays, in the layer's dtype."""
    tensors = {f"{index}.weights": layer.weights, f"{index}.biases": layer.biases}
    for name in arrays:
        shape = getattr(layer, ARRAYS[name]).shape
        where = f"save: trainable layer {index}: {name}"
        tensors[f"{index}.{name}"] = as_parameter(getattr(layer, name), where, shape, layer.dtype)
    return tensors


def without_copies(tensors: dict[str, Array]) -> tuple[dict[str, Array], dict[str, str]]:
    """Keep one of the tensors that are the same memory; return also who is which.

    Raises
    ------
    ValueError
        Two overlap without being the same.
    """
    kept: dict[str, Array] = {}
    shared: dict[str, str] = {}
    end, last = 0, ""
    for name in sorted(tensors, key=lambda name: (tensors[name].ctypes.data, name)):
        array = tensors[name]
        begin = array.ctypes.data
        if begin >= end:
            kept[name] = array
            end, last = begin + array.nbytes, name
            continue
        other = kept[last]
        if (begin, array.shape, array.dtype) != (other.ctypes.data, other.shape, other.dtype):
            raise ValueError(
                f"save: expected arrays that are the same or apart, got {name} and {last}, "
                "which share a part of their memory"
            )
        shared[name] = last
    return kept, shared


# --- document -> model --------------------------------------------------------------------------


def tensors_of(document: Document) -> dict[str, Tensor]:
    """Return which tensors the file of this document holds, after checking the document.

    Raises
    ------
    ValueError
        The document is not that of a model; says where and why.
    """
    if document.get("kind") != "model":
        got = shown(document.get("kind"))
        hint = "; use load_parameters" if got == "'parameters'" else ""
        raise ValueError(f"document: kind: expected 'model', got {got}{hint}")
    if set(document) != FIELDS:
        wrong = ", ".join(shown(name) for name in sorted(set(document) ^ FIELDS))
        raise ValueError(f"document: expected {', '.join(sorted(FIELDS))}; check {wrong}")
    if not isinstance(document["layers"], list) or not document["layers"]:
        raise ValueError(f"layers: expected a list, got {shown(document['layers'])}")
    for position, entry in enumerate(document["layers"], 1):
        check_entry(entry, "layer", f"layer {position}")
    for kind in PARTS:
        if document[kind] is not None:
            check_entry(document[kind], kind, kind)
    build_generator(document["generator"])
    tensors = without_shared(all_tensors(document["layers"]), document["shared"])
    if document["epochs"] is not None:
        epochs = require(is_count, document["epochs"], "epochs")
        tensors["history"] = Tensor("float64", (len(COLUMNS), epochs))
    return tensors


def class_named(name: Any, kind: str, where: str) -> type:
    """Return the class that the file names, if the table has it."""
    for known in SETTINGS[kind]:
        if known.__name__ == name:
            return known
    raise ValueError(f"{where}: expected a {kind} class of chainrule, got {shown(name)}")


def check_entry(entry: Any, kind: str, where: str) -> None:
    """Refuse an unknown class, missing and unknown fields, and values out of range."""
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, got {shown(entry)}")
    known = class_named(entry.get("class"), kind, where)
    fields = dict(SETTINGS[kind][known])
    if known is Layer_Dense:
        fields.update(DENSE)
    if set(entry) != {"class", *fields}:
        wrong = ", ".join(shown(name) for name in sorted(set(entry) ^ {"class", *fields}))
        raise ValueError(f"{where}: {known.__name__}: expected its own settings; check {wrong}")
    for field, check in fields.items():
        require(check, entry[field], f"{where}: {known.__name__}: {field}")


def all_tensors(layers: list[Document]) -> dict[str, Tensor]:
    """Return the tensors of the dense layers, those that share memory included."""
    tensors: dict[str, Tensor] = {}
    dense = [entry for entry in layers if "arrays" in entry]
    for index, entry in enumerate(dense, 1):
        shapes = {
            "weights": (entry["n_inputs"], entry["n_neurons"]),
            "biases": (1, entry["n_neurons"]),
        }
        for name in ("weights", "biases", *entry["arrays"]):
            tensors[f"{index}.{name}"] = Tensor(entry["dtype"], shapes[ARRAYS.get(name, name)])
    return tensors


def without_shared(tensors: dict[str, Tensor], shared: Any) -> dict[str, Tensor]:
    """Return the tensors that the file holds itself: without those that are another one."""
    if not isinstance(shared, dict):
        raise ValueError(f"shared: expected an object, got {shown(shared)}")
    for name, other in shared.items():
        if name not in tensors:
            raise ValueError(f"shared: expected names of tensors, got {shown(name)}")
        known = isinstance(other, str) and other in tensors and other not in shared
        if not known or tensors[other] != tensors[name]:
            raise ValueError(
                f"shared: {name}: expected a tensor that is {tensors[name]}, got {shown(other)}"
            )
    return {name: tensor for name, tensor in tensors.items() if name not in shared}


def build_model(document: Document, tensors: dict[str, Array], model: Any) -> None:
    """Fill an empty model; `tensors_of` has checked the document and its tensors."""
    arrays = {**tensors, **{name: tensors[other] for name, other in document["shared"].items()}}
    index = 0
    for entry in document["layers"]:
        layer = build_part(entry, "layer")
        if isinstance(layer, Layer_Dense):
            index += 1
            if entry["weight_scale"] is not None:
                layer.weight_scale = entry["weight_scale"]
            for name in ("weights", "biases", *entry["arrays"]):
                setattr(layer, name, arrays[f"{index}.{name}"])
        model.layers.append(layer)
    for kind in PARTS:
        if document[kind] is not None:
            setattr(model, kind, build_part(document[kind], kind))
    model.rng = build_generator(document["generator"])
    if document["epochs"] is not None:
        model.history = History()
        model.history.append(tensors["history"].T)


def build_part(entry: Document, kind: str) -> Any:
    """Return an object of the class with the settings, without running its constructor."""
    known = class_named(entry["class"], kind, kind)
    part: Any = object.__new__(known)
    for field in SETTINGS[kind][known]:
        setattr(part, field, entry[field])
    return part
