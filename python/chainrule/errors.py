"""What goes into an error text: who complains, what was expected, what came."""

from __future__ import annotations

__all__ = ["ModelFileError"]


class ModelFileError(ValueError):
    """A file is not a model that this version can load; the text says what is wrong with it."""


def label_of(thing: object) -> str:
    """Name a layer, loss or optimizer in front of its error texts.

    Sizes are part of a dense layer's name: ``Layer_Dense(64, 10)``.
    """
    name = type(thing).__name__
    weights = thing.__dict__.get("weights") if hasattr(thing, "__dict__") else None
    if weights is not None and getattr(weights, "ndim", 0) == 2:
        return f"{name}({weights.shape[0]}, {weights.shape[1]})"
    return name


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


def no_forward_yet(thing: object) -> ValueError:
    """Return the error of a `backward` that no `forward` preceded."""
    return ValueError(f"{label_of(thing)}: backward: expected a forward call before it, got none")
