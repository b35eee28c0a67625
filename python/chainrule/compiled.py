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


def with_parameters(direction: str) -> Function:
    """Return a method that adds the part's own parameters to the arrays of a compiled call."""

    def call(self: Part, *arrays: Any) -> Any:
        return getattr(_core, f"{self.name_in_core()}_{direction}")(*arrays, *self.parameters())

    return call


class Compiled(Part):
    """Finds the compiled functions of a class that names them in `core_name`.

    Attributes
    ----------
    _compiled_forward, _compiled_backward : callable
        The compiled functions themselves where the class has no parameters and one name; else
        methods that look the name up and add the parameters.
    """

    _compiled_forward: ClassVar[Callable[..., Array]]
    _compiled_backward: ClassVar[Callable[..., Array]]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "core_name" not in vars(cls):
            return
        for direction in ("forward", "backward"):
            function = getattr(_core, f"{cls.core_name}_{direction}")
            plain = (cls.parameters, cls.name_in_core) == (Part.parameters, Part.name_in_core)
            call = staticmethod(function) if plain else with_parameters(direction)
            setattr(cls, f"_compiled_{direction}", call)
