"""Fields of nets, and of objects whose attributes have fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...arrays import Array
from ...model import Model
from ...model.stack import check_part
from ...saving.architecture import describe_model
from ...saving.model_file import FORMAT, VERSION, check_version, shown
from ...saving.parts import Custom
from ...saving.saving import finished_model, promised
from .fields import Field, Maybe, Node, Promises, Scope, Source


class Net(Field):
    """A `Model`: its document as a file of its own would have it, with that file's tensors."""

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        document, found = describe_model(value, Model)
        tensors.update({f"{where}/{name}": array for name, array in found.items()})
        return {"format": FORMAT, "version": VERSION, **document}

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        if not isinstance(node, dict):
            raise ValueError(f"{where}: expected an object, got {shown(node)}")
        try:
            check_version(node)
            found = promised(node, custom)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        for name, tensor in found.items():
            yield f"{where}/{name}", tensor

    def build(self, node: Node, where: str, source: Source) -> Any:
        begin = f"{where}/"
        arrays = {
            name.removeprefix(begin): array
            for name, array in source.tensors.items()
            if name.startswith(begin)
        }
        return finished_model(node, arrays, Model, check_part, source.custom)


class Record(Field):
    """An object of a known class: its attributes, each with its field.

    Parameters
    ----------
    kind : type
        A NamedTuple is called, another class's object gets its attributes without a constructor.
    fields : mapping
        Attribute -> field, in an order in which sizes are fixed before they are added up.
    finish : callable, optional
        Sets what follows from the attributes, and refuses what does not go together.
    """

    def __init__(
        self,
        kind: type,
        fields: Mapping[str, Field | Maybe],
        finish: Callable[[Any], None] | None = None,
    ) -> None:
        self.kind, self.finish = kind, finish
        self.fields = {
            name: field.field if isinstance(field, Maybe) else field
            for name, field in fields.items()
        }
        self.optional = {name for name, field in fields.items() if isinstance(field, Maybe)}

    def describe(self, value: Any, where: str, tensors: dict[str, Array]) -> Node:
        begin = f"{where}/" if where else ""
        return {
            name: field.describe(getattr(value, name), f"{begin}{name}", tensors)
            for name, field in self.fields.items()
            if name not in self.optional or hasattr(value, name)
        }

    def check(self, node: Node, where: str, scope: Scope, custom: Custom) -> Promises:
        if not isinstance(node, dict):
            raise ValueError(f"{where}: expected an object, got {shown(node)}")
        wrong = (set(node) - set(self.fields)) | (set(self.fields) - self.optional - set(node))
        if wrong:
            text = ", ".join(shown(name) for name in sorted(wrong))
            raise ValueError(
                f"{where or 'fitted'}: expected what a {self.kind.__name__} has; check {text}"
            )
        begin = f"{where}/" if where else ""
        for name, field in self.fields.items():
            if name in node:
                yield from field.check(node[name], f"{begin}{name}", scope, custom)

    def attributes(self, node: Node, where: str, source: Source) -> dict[str, Any]:
        """Return the attributes of a checked node."""
        begin = f"{where}/" if where else ""
        return {
            name: self.fields[name].build(node[name], f"{begin}{name}", source)
            for name in self.fields
            if name in node
        }

    def build(self, node: Node, where: str, source: Source) -> Any:
        found = self.attributes(node, where, source)
        if issubclass(self.kind, tuple):
            made: Any = self.kind(**found)
        else:
            made = object.__new__(self.kind)
            vars(made).update(found)
        if self.finish is not None:
            self.finish(made)
        return made
