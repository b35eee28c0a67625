"""Does the last layer yield what the loss needs? Asked before a training begins.

A layer of the user's own is never judged, and neither is a loss of the user's own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..catalogue import own_class
from ..errors import label_of
from ..layers.parameters import slots_of
from .crossentropies import Loss_CategoricalCrossentropy

# What a loss needs -> codomains that fit, and what a text calls them
FITTING = {
    "probabilities": (("probabilities", "shares"), "probabilities"),
    "positive": (("positive", "nonnegative", "probabilities", "shares"), "rates of at least 0"),
}


def warn(text: str) -> None:
    """Warn at the line that called `check_last_layer`."""
    warnings.warn(text, stacklevel=3)


def check_last_layer(
    loss: Any, last_layer: Any, labels: bool = False, tell: Callable[[str], None] = warn
) -> None:
    """Refuse a last layer whose outputs the loss cannot take; warn of one that hardly fits.

    Parameters
    ----------
    loss, last_layer : object
    labels : bool
        The targets are class labels.
    tell : callable
        Gets the texts of warnings.

    Raises
    ------
    ValueError
        Naming the loss, the layer and what is missing.

    Warns
    -----
    UserWarning
        Logits that an activation has squashed, or labels for outputs that do not add up to 1.
    """
    codomain = codomain_of(last_layer)
    if codomain is None or own_class(loss, "forward", "backward") is None:
        return
    name, layer = label_of(loss), type(last_layer).__name__
    if loss.output_domain in FITTING:
        fitting, words = FITTING[loss.output_domain]
        if codomain not in fitting:
            raise ValueError(
                f"{name}: expected a last layer that yields {words}, got {layer}; "
                f"{loss.missing_layer}"
            )
        if labels and codomain == "shares" and isinstance(loss, Loss_CategoricalCrossentropy):
            tell(
                f"{name}: the outputs of {layer} do not add up to 1, so that labels say nothing "
                "of the other classes; Activation_Softmax() does"
            )
    elif loss.output_domain == "logits" and codomain != "any":
        tell(f"{name}: expected outputs of any sign, got those of {layer}; leave it out")


def codomain_of(layer: Any) -> str | None:
    """Return what a layer's outputs may be; None where nothing is known of it.

    A layer with parameters and without an activation behind it yields any number.
    """
    base = own_class(layer, "forward")
    if base is None:
        return None
    if base.kind == "activation":
        codomain: str = layer.codomain
        return codomain
    return "any" if slots_of(layer) else None
