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
        ``"layer"``, ``"activation"``, ``"loss"``, ``"joint"`` (the last two in one),
        ``"optimizer"``, ``"accuracy"`` or ``"schedule"``.
    core_name : str
        Its name in the compiled catalogue; empty where the core does not know it.
    settings : mapping
        Attribute -> check of its value (see `settings`): what `repr` and a model file hold.
    mathematics : tuple of str
        The methods that the compiled core stands for: a class or an object that overrides one
        of them is a part of the user's own.
    passing : tuple of str
        Settings that have no part in what the object computes from now on, such as the scale of
        initial weights; a fingerprint leaves them out.

    A class of the package registers itself under its `kind` where its name has the public form
    ``Kind_Name``; ``class Base(Part, abstract=True)`` keeps one out, ``abstract=False`` lets one in
    whose name has another form.
    """

    kind: ClassVar[str] = ""
    core_name: ClassVar[str] = ""
    settings: ClassVar[Mapping[str, Callable[[Any], bool]]] = {}
    mathematics: ClassVar[tuple[str, ...]] = ()
    transient: ClassVar[tuple[str, ...]] = ()
    passing: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, abstract: bool | None = None, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if abstract is None:
            abstract = "_" not in cls.__name__
        ours = cls.__module__.partition(".")[0] == __package__
        if cls.kind and ours and not abstract:
            _CLASSES.setdefault(cls.kind, []).append(cls)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()  # one step: another thread may run this part meanwhile
        for name in self.transient:
            state.pop(name, None)
        return state

    def name_in_core(self) -> str:
        """Return the name of the compiled part that this object stands for, settings and all."""
        return self.core_name

    def parameters(self) -> tuple[float, ...]:
        """Return the numbers that the compiled functions of this part take after the arrays."""
        return ()

    def __repr__(self) -> str:
        """Return class and settings, without those that are off, as they are by default."""
        values = {name: getattr(self, name) for name in self.settings}
        shown = (
            f"{name}={value!r}"
            for name, value in values.items()
            if value or value != getattr(type(self), name, None)
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def classes(kind: str) -> tuple[type[Part], ...]:
    """Return the package's own classes of a kind, in the order of their definition."""
    return tuple(_CLASSES.get(kind, ()))


def own_class(thing: Any, *methods: str) -> type[Part] | None:
    """Return the class of the package that `thing` is, mathematics and all; else None.

    A subclass that leaves the mathematics alone counts as its base; a class that overrides one
    of those methods does not, and neither does an object that carries one of its own. With
    `methods` only these of the mathematics are asked for.
    """
    kind: type = type(thing)
    base, names = _own_base(kind, methods)
    if base is None or not hasattr(thing, "__dict__"):
        return base
    return base if thing.__dict__.keys().isdisjoint(names) else None


@functools.cache
def _own_base(kind: type, methods: tuple[str, ...]) -> tuple[type[Part] | None, tuple[str, ...]]:
    """Return the class of the package that `kind` acts as, and the methods this depends on."""
    base = next((each for each in kind.__mro__ if each in _known(each)), None)
    if base is None:
        return None, ()
    names = methods or base.mathematics
    same = all(getattr(kind, name) is getattr(base, name) for name in names)
    return base if same else None, names


def _known(kind: type) -> list[type[Part]]:
    return _CLASSES.get(getattr(kind, "kind", ""), [])
