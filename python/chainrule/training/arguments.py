"""Checks of a training's arguments but its samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import as_count, as_generator, as_number
from ..record import Record

ON_NONFINITE = ("raise", "stop", "ignore")
MONITORS = {
    "validation_loss": "validation_loss",
    "validation_accuracy": "validation_accuracy",
    "loss": "validation_loss",
    "accuracy": "validation_accuracy",
}


def checked_flag(value: Any, name: str) -> bool:
    """Return True or False; anything else is a TypeError."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


def checked_batch_size(batch_size: Any, n: int) -> int:
    """Return the batch size: at most n, n where None is given."""
    return n if batch_size is None else min(n, as_count(batch_size, "batch_size", 1))


def checked_clip_norm(clip_norm: Any) -> float | None:
    """Return the largest norm, a number above 0; None where there is none."""
    clip = None if clip_norm is None else as_number(clip_norm, "clip_norm")
    if clip == 0:
        raise ValueError("clip_norm: expected a number above 0, got 0")
    return clip


def checked_callbacks(callbacks: Any) -> list[Any]:
    """Return the callbacks as a list; one alone will do."""
    names = ("on_train_begin", "on_epoch_end", "on_train_end")
    if callbacks is None:
        return []
    if any(hasattr(callbacks, name) for name in names):
        return [callbacks]
    try:
        found = list(callbacks)
    except TypeError:
        text = f"callbacks: expected a sequence of callbacks, got {callbacks!r}"
        raise TypeError(text) from None
    for callback in found:
        if isinstance(callback, type) or not any(hasattr(callback, name) for name in names):
            raise TypeError(
                f"callbacks: expected objects with {', '.join(names)}, got {callback!r}"
            )
    return found


def checked_best_epoch(best_epoch: Any, model: Any, validated: bool, callbacks: Any) -> str | None:
    """Return the column of the history that chooses the best epoch."""
    if best_epoch is None:
        return None
    if not isinstance(best_epoch, str) or best_epoch not in MONITORS:
        expected = " or ".join(map(repr, list(MONITORS)[:2]))
        raise ValueError(f"best_epoch: expected {expected}, got {best_epoch!r}")
    column = MONITORS[best_epoch]
    if not validated:
        raise ValueError(
            "best_epoch: expected validation_data or validation_split with it, got none"
        )
    if column == "validation_accuracy" and model.accuracy is None:
        raise ValueError(f"best_epoch: expected an accuracy for {best_epoch!r}, got none")
    for callback in callbacks:
        if getattr(callback, "restore_best_weights", False):
            raise ValueError(
                "best_epoch: expected no callback that puts parameters back as well, got "
                f"{callback!r}; give it restore_best_weights=False"
            )
    return column


def checked_settings(
    *,
    epochs: Any,
    shuffle: Any,
    rng: Any,
    on_nonfinite: Any,
    clip_norm: Any,
    drop_last: Any,
    accumulate: Any,
    engine: Any,
    record: Any,
) -> dict[str, Any]:
    """Return what of a request needs no samples."""
    n_epochs = as_count(epochs, "epochs", 0)
    if not isinstance(on_nonfinite, str) or on_nonfinite not in ON_NONFINITE:
        raise ValueError(
            f"on_nonfinite: expected 'raise', 'stop' or 'ignore', got {on_nonfinite!r}"
        )
    if engine is not None and engine != "classes":
        raise ValueError(f"engine: expected 'classes' or None, got {engine!r}")
    if record is not None and not isinstance(record, Record):
        raise TypeError(f"record: expected a Record or None, got {record!r}")
    return {
        "epochs": n_epochs,
        "shuffle": checked_flag(shuffle, "shuffle"),
        "rng": None if rng is None else as_generator(rng),
        "on_nonfinite": on_nonfinite,
        "clip_norm": checked_clip_norm(clip_norm),
        "engine": engine,
        "record": record,
        "drop_last": checked_flag(drop_last, "drop_last"),
        "accumulate": as_count(accumulate, "accumulate", 1),
    }
