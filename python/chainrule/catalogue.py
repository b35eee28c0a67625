"""The catalogue: every class of the package that is a part of a net, found by its kind.

A class says once, in class attributes, what others need to know of it; the plan, model files,
gradient checks, the plan's text and exporters read it here, and nobody lists the classes again.
What the compiled core knows of a part (parameters, state arrays, cost) is in its own catalogue,
``_core.catalogue()``, under the class's `core_name`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

__all__ = ["Part", "classes", "own_class"]

_CLASSES: dict[str, list[type[Part]]] = {}


class Part:
    """Base of layers, activations, losses, optimizers, accuracies and schedules.

    Attributes
    ----------
    kind : str
        ``"layer"``, ``"activation"``, ``"loss"``, ``"optimizer"``, ``"accuracy"`` or
        ``"schedule"``.
    core_name : str
        Its name in the compiled catalogue; empty where the core does not know it.
    settings : mapping
        Attribute -> check of its value (see `settings`): what `repr` and a model file hold.
    mathematics : tuple of str
        The methods that the compiled core stands for: a class or an object that overrides one
        of them is a part of the user's own.
    """

    kind: ClassVar[str] = ""
    core_name: ClassVar[str] = ""
    settings: ClassVar[Mapping[str, Callable[[Any], bool]]] = {}
    mathematics: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        public = cls.__module__.partition(".")[0] == __package__ and "_" in cls.__name__
        if cls.kind and public:
            _CLASSES.setdefault(cls.kind, []).append(cls)


def classes(kind: str) -> tuple[type[Part], ...]:
    """Return the package's own classes of a kind, in the order of their definition."""
    return tuple(_CLASSES.get(kind, ()))


def own_class(thing: Any) -> type[Part] | None:
    """Return the class of the package that `thing` is, mathematics and all; else None.

    A subclass that leaves the mathematics alone counts as its base; a class that overrides one
    of those methods does not, and neither does an object that carries one of its own.
    """
    base = _own_base(type(thing))
    if base is None or not getattr(thing, "__dict__", {}).keys().isdisjoint(base.mathematics):
        return None
    return base


@functools.cache
def _own_base(kind: type) -> type[Part] | None:
    base = next((each for each in kind.__mro__ if each in _known(each)), None)
    if base is None:
        return None
    same = all(getattr(kind, name) is getattr(base, name) for name in base.mathematics)
    return base if same else None


def _known(kind: type) -> list[type[Part]]:
    return _CLASSES.get(getattr(kind, "kind", ""), [])
