"""Whether what a model ends with fits its loss and its accuracy.

A loss says what it needs of the last layer (`output_domain`), an activation what it yields
(`codomain`) and what it predicts. Nothing is known of a last layer of the user's own: it passes.
"""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..catalogue import own_class
from ..metrics import Accuracy_Categorical
from .notices import tell_once

# output_domain of a loss -> the codomains that may precede it, and the words for both
YIELDS: dict[str, tuple[tuple[str, ...], str]] = {
    "probabilities": (("probabilities", "shares"), "probabilities"),
    "positive": (("positive", "nonnegative", "probabilities", "shares"), "positive numbers"),
    "logits": (("any", "positive", "nonnegative"), "logits"),
}
MISSING = {
    "categorical_crossentropy": "; add Activation_Softmax()",
    "binary_crossentropy": "; add Activation_Sigmoid()",
    "poisson": "; add Activation_Exponential()",
}


def last_codomain(layers: list[Any]) -> tuple[int, str] | None:
    """Return position and codomain of the layer that makes the output's values; None if unknown.

    Dropout and input layers pass values on.
    """
    for position in range(len(layers), 0, -1):
        own = own_class(layers[position - 1])
        if own is None:
            return None
        if own.kind == "activation":
            return position, layers[position - 1].codomain
        if hasattr(own, "n_inputs"):
            return position, "any"
    return None


def check_ends(model: Any, y: Array | None = None) -> None:
    """Refuse a last layer that does not yield what the loss needs, or the accuracy for labels y.

    Raises
    ------
    ValueError
        Naming the layer, and the one that is missing.
    """
    check_loss(model)
    if y is not None and y.ndim == 1:
        check_accuracy(model)


def check_loss(model: Any) -> None:
    """Refuse a last layer that does not yield what the loss needs."""
    last = last_codomain(model.layers)
    loss = model.loss
    if last is None or own_class(loss) is None or loss.output_domain not in YIELDS:
        return
    position, codomain = last
    allowed, words = YIELDS[loss.output_domain]
    layer = f"{type(model.layers[position - 1]).__name__} {position}"
    if codomain in allowed:
        if codomain == "shares" and loss.core_name == "categorical_crossentropy":
            tell_once(
                model,
                "shares",
                f"{layer}: the outputs of one sample need not add up to 1, as "
                f"{type(loss).__name__} takes them; Activation_Softmax makes probabilities of them",
                UserWarning,
            )
        return
    hint = MISSING.get(loss.core_name, "")
    if loss.output_domain == "logits":
        hint = "; leave it out, or the loss's from_logits"
    raise ValueError(
        f"{type(loss).__name__}: expected a last layer that yields {words}, got {layer}{hint}"
    )


def check_accuracy(model: Any) -> None:
    """Refuse class labels for an accuracy that gets no classes to compare them with."""
    accuracy, last = model.accuracy, model.layers[-1]
    if own_class(accuracy) is not Accuracy_Categorical or accuracy.binary:
        return
    if own_class(last) is None or getattr(last, "predicts", "values") == "classes":
        return
    if getattr(model.loss, "predicts", None) is not None:
        return
    raise ValueError(
        f"{type(accuracy).__name__}: expected a last layer that predicts classes, as y holds "
        f"class labels, got {type(last).__name__} {len(model.layers)}; add Activation_Softmax()"
    )
