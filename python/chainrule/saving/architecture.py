"""A model <-> a document of plain values, and the tensors that belong to it.

Entries of parts are described in parts.py and layers.py; ``model`` is null, or the class and the
attributes of a user's own subclass of `Model`. ``learners`` are the positions, from 1, of a
shortened `trainable_layers`. Tensors that are the memory of another one are named in ``shared``;
``states`` are kinds of arrays of an optimizer of the user's own. ``history`` is (8, epochs);
``noted`` (1 + columns, steps) is there where a training has noted some of its layers' steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..history import COLUMNS, History
from ..layers.parameters import slots_of
from ..optimizers.state import state_kinds
from ..record import LayerHistory
from ..settings import is_count, is_size
from .generator_state import build_generator, describe_generator
from .layers import build_layer, check_layer, describe_layer, is_words, own_states
from .model_file import Document, Tensor, shown
from .parts import (
    Custom,
    build_own,
    build_part,
    check_own,
    check_part,
    describe_own,
    describe_part,
    find_own,
    put,
    require,
)

PARTS = ("loss", "optimizer", "accuracy")
FIELDS = {
    *("format", "version", "kind", "model", "layers", "learners", "feature_names", "shared"),
    *("states", "generator", "epochs"),
    *PARTS,
}
HINTS = {  # for files of other kinds
    "'parameters'": "; use load_parameters",
    "'estimator'": "; use chainrule.sklearn.load_estimator",
}
LEFT_BY_MODEL = ("_owner", "_batch_size")  # attributes that a model sets without a default


# --- model -> document --------------------------------------------------------------------------


def describe_model(model: Any, base: type) -> tuple[Document, dict[str, Array]]:
    """Return the document and the tensors of a model, an object of `base` or of a subclass.

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
        index = 1 + sum("parameters" in each for each in layers)
        layers.append(describe_layer(layer, f"layer {position}", index, model, tensors))
    document: Document = {"kind": "model", "model": None, "layers": layers}
    if type(model) is not base:
        known = {name for name in vars(model) if hasattr(base, name)}
        left_out = frozenset({*vars(base()), *known, *LEFT_BY_MODEL})
        document["model"] = describe_own(model, "model", tensors, left_out)
    document["learners"] = describe_learners(model)
    names = model.feature_names
    document["feature_names"] = None if names is None else [str(name) for name in names]
    document["states"] = own_states(model.optimizer)
    for kind in PARTS:
        part = getattr(model, kind)
        document[kind] = None if part is None else describe_part(part, kind, kind, tensors)
    document["generator"] = describe_generator(model.rng)
    tensors, document["shared"] = without_copies(tensors)
    document["epochs"] = None
    if isinstance(model.history, History):
        document["epochs"] = len(model.history)
        tensors["history"] = np.stack([model.history[name] for name in COLUMNS])
        if len(model.history.layers):
            document["noted"], tensors["noted"] = describe_notes(model.history.layers)
    return document, tensors


def describe_notes(noted: LayerHistory) -> tuple[Document, Array]:
    """Return the columns' layers and names, and (1 + columns, steps): the steps' numbers first."""
    columns = [[place, name] for place, name in noted]
    values = [noted.steps.astype(np.float64), *noted.values()]
    return {"steps": len(noted.steps), "columns": columns}, np.stack(values)


def checked_notes(document: Document) -> tuple[int, int]:
    """Return the shape of what was noted of the layers, after checking what is said of it."""
    noted, epochs = document["noted"], document["epochs"]
    if epochs is None or not isinstance(noted, dict) or set(noted) != {"steps", "columns"}:
        raise ValueError("noted: expected steps and columns beside epochs, got something else")
    require(is_columns, noted["columns"], "noted: columns")
    return 1 + len(noted["columns"]), require(is_count, noted["steps"], "noted: steps")


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
        if begin >= end or not array.nbytes:
            kept[name] = array
            if array.nbytes:
                end, last = begin + array.nbytes, name
            continue
        other = kept[last]
        if (begin, array.shape, array.dtype) != (other.ctypes.data, other.shape, other.dtype):
            raise ValueError(
                f"save: expected arrays that are the same or apart, got {name} and {last}, "
                "which share a part of their memory"
            )
        shared[name] = last
    return kept, dict(sorted(shared.items()))  # not in the order of addresses: equal files


def describe_learners(model: Any) -> list[int] | None:
    """Return the positions of a shortened `trainable_layers`; None where all are in it."""
    places = {id(layer): position for position, layer in enumerate(model.layers, 1)}
    whole = [id(layer) for layer in model.layers if slots_of(layer)]
    found = [id(layer) for layer in model.trainable_layers if id(layer) in places]
    return None if set(whole) <= set(found) else sorted(places[each] for each in found)


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
        hint = HINTS.get(got, "")
        raise ValueError(f"document: kind: expected 'model', got {got}{hint}")
    if set(document) - {"noted"} != FIELDS:
        wrong = ", ".join(shown(name) for name in sorted(set(document) - {"noted"} ^ FIELDS))
        raise ValueError(f"document: expected {', '.join(sorted(FIELDS))}; check {wrong}")
    if not isinstance(document["layers"], list) or not document["layers"]:
        raise ValueError(f"layers: expected a list, got {shown(document['layers'])}")
    require(is_names, document["feature_names"], "feature_names")
    count = len(document["layers"])
    learners = require(is_places, document["learners"], "learners")
    if learners and max(learners) > count:
        raise ValueError(f"learners: expected positions up to {count}, got {shown(max(learners))}")
    found = all_tensors(document)
    build_generator(document["generator"])
    tensors = without_shared(found, document["shared"])
    if document["epochs"] is not None:
        epochs = require(is_count, document["epochs"], "epochs")
        tensors["history"] = Tensor("float64", (len(COLUMNS), epochs))
    if "noted" in document:
        tensors["noted"] = Tensor("float64", checked_notes(document))
    return tensors


def is_names(value: Any) -> bool:
    """A list of texts, or null."""
    texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return value is None or texts


def is_columns(value: Any) -> bool:
    """A list of different pairs of a layer's place, from 0, and a text."""
    if not isinstance(value, list) or not all(isinstance(each, list) for each in value):
        return False
    pairs = all(len(each) == 2 and is_count(each[0]) and type(each[1]) is str for each in value)
    return pairs and len(set(map(tuple, value))) == len(value)


def is_places(value: Any) -> bool:
    """A list of ints from 1, or null."""
    return value is None or (isinstance(value, list) and all(is_size(each) for each in value))


def all_tensors(document: Document) -> dict[str, Tensor]:
    """Return the tensors of all parts, those that share memory included; checks every entry."""
    kinds = [*state_kinds(), *require(is_words, document["states"], "states")]
    pairs: list[tuple[str, Tensor]] = []
    index = 1
    for position, entry in enumerate(document["layers"], 1):
        pairs += check_layer(entry, f"layer {position}", index, kinds)
        index += "parameters" in entry
    for kind in PARTS:
        entry = document[kind]
        if entry is None:
            continue
        if not isinstance(entry, dict):
            raise ValueError(f"{kind}: expected an object, got {shown(entry)}")
        if "own" in entry:
            pairs += check_own(entry, kind, {})
        else:
            check_part(entry, kind, kind, {})
    if document["model"] is not None:
        if not isinstance(document["model"], dict):
            raise ValueError(f"model: expected an object, got {shown(document['model'])}")
        pairs += check_own(document["model"], "model", {})
    tensors = dict(pairs)
    if len(tensors) != len(pairs):
        raise ValueError("tensors: expected each name once, got one twice")
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


def check_classes(document: Document, custom: Custom) -> None:
    """Refuse a document with parts of the user's own classes that were not given."""
    places = {f"layer {position}": each for position, each in enumerate(document["layers"], 1)}
    places.update({kind: document[kind] for kind in PARTS})
    for where, entry in places.items():
        if entry is not None and "own" in entry:
            find_own(entry, custom, where)


def build_model(document: Document, tensors: dict[str, Array], base: type, custom: Custom) -> Any:
    """Return the model; `tensors_of` and `check_classes` have passed the document.

    It is one of `base`, or of the subclass that the file names if that was given.
    """
    arrays = {**tensors, **{name: tensors[other] for name, other in document["shared"].items()}}
    own = document["model"]
    if own is not None and own["own"] in custom:
        known = custom[own["own"]]
        if not issubclass(known, base):
            raise ValueError(f"model: expected a subclass of {base.__name__}, got {known.__name__}")
        model = build_own(known, own, arrays, "model", vars(base()))
    else:
        model = base()
    for kind in PARTS:
        entry = document[kind]
        if entry is not None:
            part = (
                build_own(find_own(entry, custom, kind), entry, arrays, kind)
                if "own" in entry
                else build_part(entry, kind)
            )
            put(model, kind, part, "model")
    index = 1
    for position, entry in enumerate(document["layers"], 1):
        where = f"layer {position}"
        layer = build_layer(entry, where, index, model.optimizer, custom, arrays)
        model.layers.append(layer)
        index += "parameters" in entry
    model.rng = build_generator(document["generator"])
    if document["feature_names"] is not None:
        model.feature_names = tuple(document["feature_names"])
    if document["epochs"] is not None:
        model.history = History()
        model.history.append(tensors["history"].T)
        if "noted" in document:
            steps, *columns = tensors["noted"]
            keys = [(place, name) for place, name in document["noted"]["columns"]]
            model.history.layers.extend(
                steps.astype(np.int64), dict(zip(keys, columns, strict=True))
            )
    return model
