"""Older documents brought up to date: what version 1 did not tell, in the words of version 2."""

from __future__ import annotations

from typing import Any

from .model_file import VERSION, Document

# Version 1 knew dense layers as the only ones with parameters, all of them with biases.
PARAMETERS_OF_1: Document = {"parameters": ["weights", "biases"], "steps": {}, "owner": None}
MODEL_OF_1: Document = {"model": None, "states": [], "learners": None, "feature_names": None}


def upgraded(document: Document) -> Document:
    """Return the document of a model in the form of this version; what is wrong with it stays.

    Raises
    ------
    ValueError
        It calls itself one of version 1 and is not.
    """
    if document.get("version") != 1:
        return document
    later = [name for name in MODEL_OF_1 if name in document]
    if later:
        raise ValueError(f"document: version 1: expected its own names; check {', '.join(later)}")
    layers = document.get("layers")
    new = {**document, "version": VERSION, **MODEL_OF_1}
    if isinstance(layers, list):
        new["layers"] = [upgraded_layer(entry) for entry in layers]
    return new


def upgraded_layer(entry: Any) -> Any:
    """Return a layer's entry with what version 1 did not tell of its parameters."""
    if not isinstance(entry, dict) or "arrays" not in entry:
        return entry
    new = {**PARAMETERS_OF_1, **entry}
    if new.get("weight_scale") is None:  # that of the class
        new.pop("weight_scale", None)
    return new
