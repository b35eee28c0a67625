"""What an accuracy learns from targets, and that it may serve several models.

`Accuracy_Regression` counts by a precision that follows the targets of the training. Each model
remembers its own; an accuracy that another model has used since gets it back.
"""

from __future__ import annotations

import inspect
import weakref
from typing import Any

from ..catalogue import own_class

# accuracy -> the model whose targets it knows
_FITTED: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def fit_accuracy(model: Any, y: Any) -> None:
    """Let the accuracy learn from the targets of a training, whatever it knew before."""
    accuracy = model.accuracy
    if own_class(accuracy, "init") is not None:
        accuracy.start_training(y)
    elif hasattr(accuracy, "init"):
        init(accuracy, y, reinit=True)
    model._precision = getattr(model.accuracy, "precision", None)
    remember(model)


def recall_accuracy(model: Any, y: Any = None) -> None:
    """Give the accuracy what this model's training taught it; without one let it learn from y."""
    accuracy = model.accuracy
    try:
        fitted = _FITTED.get(accuracy)
    except TypeError:  # a class of the user's own that has no hash
        fitted = None
    others = fitted is not None and fitted() is not model and learned(accuracy)
    known = getattr(accuracy, "precision", None)
    if others and model._precision is not None:
        accuracy.precision = model._precision
    elif y is not None and hasattr(accuracy, "init"):
        init(accuracy, y, reinit=others)
    if hasattr(accuracy, "learned_precision") and (others or known is None):
        accuracy.learned_precision = accuracy.precision
    if others:
        remember(model)


def learned(accuracy: Any) -> bool:
    """Tell whether the accuracy's precision came from targets, not from the user's hand."""
    if not hasattr(accuracy, "learned_precision"):
        return True
    return bool(accuracy.precision == accuracy.learned_precision)


def remember(model: Any) -> None:
    """Note that the accuracy knows this model's targets."""
    try:
        _FITTED[model.accuracy] = weakref.ref(model)
    except TypeError:  # None, or a class of the user's own that has no hash
        pass


def init(accuracy: Any, y: Any, *, reinit: bool) -> None:
    """Call the accuracy's ``init(y, reinit)``, or ``init(y)`` where it takes no more."""
    if own_class(accuracy, "init") is not None:
        accuracy.init(y, reinit=reinit)
        return
    try:
        parameters = list(inspect.signature(accuracy.init).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = any(each.name == "reinit" or each.kind == each.VAR_KEYWORD for each in parameters)
    if named:
        accuracy.init(y, reinit=reinit)
    else:
        accuracy.init(y)
