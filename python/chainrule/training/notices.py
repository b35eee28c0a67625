"""Warnings that a model gives once, shown at the user's own line."""

from __future__ import annotations

import sys
import warnings
from typing import Any


def tell_once(model: Any, topic: str, text: str, category: type[Warning] = RuntimeWarning) -> None:
    """Warn with `text`, if this model has not warned of the topic before."""
    if topic not in model._told:
        model._told |= {topic}
        warnings.warn(text, category, stacklevel=1 + depth_of_package())


def depth_of_package() -> int:
    """Return how many frames there are from the caller to the first outside of the package."""
    package = __name__.partition(".")[0]
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == package:
        frame, depth = frame.f_back, depth + 1
    return depth - 1
