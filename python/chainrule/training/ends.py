"""Whether what a model ends with fits its loss and its accuracy."""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..catalogue import own_class
from ..losses.last_layer import check_last_layer
from ..metrics import Accuracy_Categorical
from ..shapes import keeps_shape
from .notices import tell_once


def last_of(layers: list[Any]) -> Any:
    """Return the layer that makes the output's values: dropout and input layers pass them on."""
    for layer in reversed(layers):
        own = own_class(layer, "forward")
        if own is None or own.kind == "activation" or not keeps_shape(layer):
            return layer
    return layers[-1]


def check_ends(model: Any, y: Array | None = None) -> None:
    """Refuse a last layer that does not yield what the loss needs, or the accuracy for labels y.

    Raises
    ------
    ValueError
        Naming the layer, and the one that is missing.

    Warns
    -----
    UserWarning
        Once, where the layer hardly fits.
    """
    labels = y is not None and y.ndim == 1
    last = last_of(model.layers)

    def tell(text: str) -> None:
        tell_once(model, "last layer", text, UserWarning)

    check_last_layer(model.loss, last, labels, tell)
    if labels:
        check_accuracy(model, last)


def check_accuracy(model: Any, last: Any) -> None:
    """Refuse class labels for an accuracy that gets no classes to compare them with."""
    accuracy = model.accuracy
    if own_class(accuracy) is not Accuracy_Categorical or accuracy.binary:
        return
    own = own_class(last)
    if own is None or getattr(last, "predicts", "values") == "classes":
        return
    if getattr(model.loss, "predicts", None) is not None:
        return
    position = 1 + next(k for k, each in enumerate(model.layers) if each is last)
    raise ValueError(
        f"{type(accuracy).__name__}: expected a last layer that predicts classes, as y holds "
        f"class labels, got {type(last).__name__} {position}; add Activation_Softmax()"
    )
