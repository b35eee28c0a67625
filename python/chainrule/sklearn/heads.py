"""What a net ends with: the last activation, the loss, and how scikit-learn counts it.

========================  ===================  ======================  ==========================
task                      last activation      loss                    times
========================  ===================  ======================  ==========================
classes                   softmax              categorical             1
two classes, labels       sigmoid, joined      binary, mean over m     m: the sum over the labels
values, "squared_error"   linear               squared, mean over m    1/2
counts, "poisson"         exponential, joined  Poisson, mean over m    m, plus ``y log y - y``
========================  ===================  ======================  ==========================
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np

from ..activations import (
    Activation_Exponential,
    Activation_Linear,
    Activation_Sigmoid,
    Activation_Softmax,
)
from ..arrays import Array
from ..catalogue import own_class
from ..losses import (
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_MeanSquaredError,
    Loss_Poisson,
    Loss_Quantile,
)
from ..model.mlp import part_named
from ..shapes import output_width
from .labels import Labels

NAMES: dict[type, str] = {
    Activation_Linear: "identity",
    Activation_Sigmoid: "logistic",
    Activation_Softmax: "softmax",
    Activation_Exponential: "exp",
}


class Head(NamedTuple):
    """Last activation and loss; `loss_factor` times the loss is what a fit minimises and reports.

    `labels` tells whether targets are the places of classes, (n,).
    """

    n_outputs: int
    activation: Any
    loss: Any
    loss_factor: float = 1.0
    labels: bool = False

    @property
    def name(self) -> str:
        """The last activation, as scikit-learn calls it, else by the core's name."""
        own = own_class(self.activation)
        if own is None:
            return type(self.activation).__name__
        return NAMES.get(own, own.core_name)

    @classmethod
    def of_model(cls, model: Any, last: Any) -> Head:
        """Return the end of a model as it is."""
        width = output_width(model.layers)
        if width is None:
            raise ValueError("model: expected layers whose output has a known width, got others")
        own = own_class(last)
        is_activation = own is not None and own.kind == "activation"
        return cls(width[1], last if is_activation else Activation_Linear(), model.loss)


def loss_named(loss: Any, usual: str) -> Any:
    """Return a loss of its own for a name of the core's, or a copy of the one that was given."""
    if isinstance(loss, str):
        try:
            return part_named(loss, "loss", "loss")
        except ValueError as error:
            raise ValueError(str(error).replace("one of ", f"one of {usual}, ")) from None
    return copy.deepcopy(loss)


# --- classes --------------------------------------------------------------------------------------


def classifier_head(loss: Any, labels: Labels) -> Head:
    """Return the end of a classifier.

    Raises
    ------
    ValueError
        A loss that does not fit the labels.
    """
    n_classes, multiclass = len(labels.classes), labels.kind == "multiclass"
    width = 1 if labels.kind == "binary" else n_classes
    if isinstance(loss, str) and loss == "log_loss":
        if multiclass:
            return categorical(n_classes, Loss_CategoricalCrossentropy())
        factor = float(width)
        return Head(width, Activation_Sigmoid(), Loss_BinaryCrossentropy(joined=True), factor)
    chosen = loss_named(loss, "'log_loss'")
    own = own_class(chosen)
    if own is Loss_CategoricalCrossentropy:
        if labels.kind == "multilabel":
            raise ValueError(
                "loss: expected one for several labels a sample, got a categorical one"
            )
        return categorical(max(n_classes, 2), chosen)
    if own is Loss_BinaryCrossentropy:
        if multiclass:
            raise ValueError(f"loss: expected one for {n_classes} classes, got a binary one")
        return Head(width, Activation_Sigmoid(), Loss_BinaryCrossentropy(joined=True))
    check_classes(chosen)
    if getattr(chosen, "predicts", None) == "signs":
        return Head(width, Activation_Linear(), chosen)
    return Head(width, Activation_Softmax() if multiclass else Activation_Sigmoid(), chosen)


def categorical(n_classes: int, loss: Any) -> Head:
    """Return softmax with the categorical loss."""
    return Head(n_classes, Activation_Softmax(), loss, labels=True)


def check_classes(loss: Any) -> None:
    """Refuse losses of rates and quantiles."""
    if getattr(loss, "output_domain", "any") == "positive" or isinstance(loss, Loss_Quantile):
        raise ValueError(f"loss: expected one for classes, got {loss!r}")


# --- values ---------------------------------------------------------------------------------------


def regressor_head(loss: Any, n_columns: int) -> Head:
    """Return the end of a regressor."""
    if isinstance(loss, str) and loss == "squared_error":
        return Head(n_columns, Activation_Linear(), Loss_MeanSquaredError(), 0.5)
    if isinstance(loss, str) and loss == "poisson":
        return Head(n_columns, Activation_Exponential(), Loss_Poisson(), float(n_columns))
    chosen = loss_named(loss, "'squared_error', 'poisson'")
    if isinstance(chosen, Loss_Quantile):
        return Head(len(chosen.quantiles), Activation_Linear(), chosen)
    domain = getattr(chosen, "output_domain", "any")
    if domain == "positive":
        return Head(n_columns, Activation_Exponential(), chosen)
    if domain == "probabilities" or getattr(chosen, "predicts", None) is not None:
        raise ValueError(f"loss: expected one for values, got {chosen!r}")
    return Head(n_columns, Activation_Linear(), chosen)


def poisson_remainder(y: Array) -> Array:
    """Return ``sum_j (y log y - y)`` of each row: what the deviance has and the loss has not."""
    values = y.astype(np.float64, copy=False)
    logarithms = np.log(values, out=np.zeros_like(values), where=values > 0)
    remainder: Array = (values * logarithms - values).sum(axis=1)
    return remainder
