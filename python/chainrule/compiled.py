"""A part whose mathematics is two compiled functions, ``<name>_forward`` and ``<name>_backward``.

They are found by the class's `core_name` and take the arrays, then the part's `parameters()`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from . import _core
from .arrays import Array
from .catalogue import Part

Function = Callable[..., Any]


def core_rows(kind: str) -> dict[str, dict[str, Any]]:
    """Return the compiled catalogue's rows of "activations" or "losses", by name."""
    return {row["name"]: row for row in _core.catalogue()[kind]}


def fixed(function: Function) -> Function:
    """Return a method that adds the part's own parameters to the arrays of a compiled call."""

    def call(self: Part, *arrays: Any) -> Any:
        return function(*arrays, *self.parameters())

    return call


def varying(direction: str) -> Function:
    """Return such a method for a part whose settings choose among compiled functions."""

    def call(self: Part, *arrays: Any) -> Any:
        return getattr(_core, f"{self.name_in_core()}_{direction}")(*arrays, *self.parameters())

    return call


class Compiled(Part):
    """Finds the compiled functions of a class that names them in `core_name`.

    Attributes
    ----------
    _compiled_forward, _compiled_backward : callable
        The compiled functions themselves where the class has no parameters and one name; else
        methods that add the parameters and look the name up, or what the class defines.
    """

    _compiled_forward: ClassVar[Callable[..., Array]]
    _compiled_backward: ClassVar[Callable[..., Array]]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "core_name" not in vars(cls):
            return
        for direction in ("forward", "backward"):
            if f"_compiled_{direction}" in vars(cls):
                continue
            function = getattr(_core, f"{cls.core_name}_{direction}")
            call: Any = staticmethod(function)
            if cls.name_in_core is not Part.name_in_core:
                call = varying(direction)
            elif cls.parameters is not Part.parameters:
                call = fixed(function)
            setattr(cls, f"_compiled_{direction}", call)
