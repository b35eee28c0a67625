"""What goes into an error text: who complains, what was expected, what came."""

from __future__ import annotations

__all__ = ["ModelFileError"]


class ModelFileError(ValueError):
    """A file is not a model that this version can load; the text says what is wrong with it."""


def label_of(thing: object) -> str:
    """Name a layer, loss or optimizer in front of its error texts.

    The sizes of its first parameter are part of a layer's name: ``Layer_Dense(64, 10)``.
    """
    sizes = ", ".join(str(size) for size in sizes_of(thing))
    return f"{type(thing).__name__}({sizes})" if sizes else type(thing).__name__


def sizes_of(thing: object) -> tuple[int, ...]:
    """Return the sizes that name a layer: of its first parameter, those that may differ."""
    names = getattr(thing, "parameter_names", ("weights",))
    if not names:
        return ()
    first = names if isinstance(names, str) else names[0]
    held = thing.__dict__.get(first) if hasattr(thing, "__dict__") else None
    shape: tuple[int, ...] = getattr(held, "shape", ())
    known = getattr(thing, "parameter_shapes", {}).get(first, ())
    if len(known) != len(shape):
        return shape
    return tuple(size for size, name in zip(shape, known, strict=True) if isinstance(name, str))


class labelled:
    """Put `label` in front of any ValueError or TypeError raised in the block."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, TypeError | ValueError):
            raise relabelled(error, self.label) from None


def relabelled(error: Exception, label: str, *, instead_of: str = "", hint: str = "") -> Exception:
    """Return the plain ValueError or TypeError with `label` in front and `hint` behind.

    A label that stands there already, `instead_of`, gives way.
    """
    kind = ValueError if isinstance(error, ValueError) else TypeError
    text = str(error)
    if instead_of:
        text = text.removeprefix(instead_of + ": ")
    return kind(f"{label}: {text}{hint}")


def placed(error: BaseException, place: str) -> BaseException:
    """Return the very error with `place` in front of its text, or in a note where it has no text.

    For errors of any class, the user's own too: what catches them goes on doing so.
    """
    if isinstance(error, OSError) and error.strerror is not None:
        error.strerror = f"{place}: {error.strerror}"
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{place}: {error.args[0]}",)
    elif hasattr(error, "add_note"):  # Python 3.11
        error.add_note(place)
    return error


def no_forward_yet(thing: object) -> ValueError:
    """Return the error of a `backward` that no `forward` preceded."""
    return ValueError(f"{label_of(thing)}: backward: expected a forward call before it, got none")
