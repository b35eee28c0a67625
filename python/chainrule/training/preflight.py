"""Every check of `Model.train` and `Model.evaluate`, made before anything changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, as_count, as_floats, as_generator, as_number, as_real, check_finite
from ..frames import check_names, column_names, opened
from ..record import Record
from ..shapes import check_widths, output_width
from .ends import check_ends
from .request import TrainingRequest, Weights
from .targets import checked_targets, in_form_of, model_dtype
from .weights import check_some_weight, checked_weights, class_factors

__all__ = [
    "checked_batch_size",
    "checked_callbacks",
    "checked_inputs",
    "checked_request",
    "checked_samples",
    "checked_targets",
]

ON_NONFINITE = ("raise", "stop", "ignore")
MONITORS = {
    "validation_loss": "validation_loss",
    "validation_accuracy": "validation_accuracy",
    "loss": "validation_loss",
    "accuracy": "validation_accuracy",
}


def checked_inputs(model: Any, X: Any, name: str) -> Array:
    """Return X (n, d) of any real dtype, as the model's layers can take it.

    The rank is the first layer's business where that is one of the user's own.

    Raises
    ------
    TypeError, ValueError
        No real numbers, another rank, another number of columns, no sample, or a frame of other
        columns than the model was trained on.
    """
    X = opened(X, name)
    check_names(X, model.feature_names, name)
    array = as_real(X, name)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = as_floats(array, name, model_dtype(model.layers))  # the core gathers no others
    if array.ndim == 0:
        raise ValueError(f"{name}: expected (n, d), got ()")
    if array.ndim == 2 and len(array) == 0:
        raise ValueError(f"{name}: expected at least one sample, got none")
    check_widths(model.layers, array, name)
    if len(array) == 0:
        raise ValueError(f"{name}: expected at least one sample, got none")
    return array


def checked_samples(model: Any, X: Any, y: Any, finite: bool, prefix: str = "") -> Any:
    """Return X and y as arrays that fit the model; errors name them with the prefix."""
    names = (f"{prefix}X", f"{prefix}y")
    inputs = checked_inputs(model, X, names[0])
    targets = checked_targets(model, y, len(inputs), names[1])
    check_ends(model, targets)
    if finite:
        dtype = model_dtype(model.layers)
        check_finite(inputs, names[0], dtype)
        check_finite(targets, names[1], dtype)
    return inputs, targets


def checked_batch_size(batch_size: Any, n: int) -> int:
    """Return the batch size: at most n, n where None is given."""
    return n if batch_size is None else min(n, as_count(batch_size, "batch_size", 1))


def checked_flag(value: Any, name: str) -> bool:
    """Return True or False; anything else is a TypeError."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


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


def checked_clip_norm(clip_norm: Any) -> float | None:
    """Return the largest norm, a number above 0; None where there is none."""
    clip = None if clip_norm is None else as_number(clip_norm, "clip_norm")
    if clip == 0:
        raise ValueError("clip_norm: expected a number above 0, got 0")
    return clip


def split_place(share: Any, n: int) -> int:
    """Return how many of n samples are left for training: the first ``n (1 - share)``."""
    share = as_number(share, "validation_split", below=1.0)
    place = int(n * (1.0 - share) + 1e-9 * n)  # 10 * (1 - 0.9) is a little below 1
    if not 0 < place < n:
        raise ValueError(
            f"validation_split: expected samples on both sides, got {place} of {n} for training"
        )
    return place


def checked_validation(
    model: Any, data: Any, y: Array, finite: bool
) -> tuple[Array, Array, Weights | None]:
    """Return validation data; errors say `validation X`, `validation y`, `validation weights`."""
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        got = f"{len(data)} entries" if isinstance(data, tuple | list) else type(data).__name__
        raise TypeError(f"validation_data: expected (X, y) or (X, y, weights), got {got}")
    inputs, targets = checked_samples(model, data[0], data[1], finite, "validation ")
    targets = in_form_of(y, model, targets, "validation y")
    weight = data[2] if len(data) == 3 else None
    return inputs, targets, checked_weights(weight, len(inputs), "validation weights")


def checked_request(
    model: Any,
    X: Any,
    y: Any,
    *,
    batch_size: Any,
    validation_data: Any,
    validation_split: Any,
    sample_weight: Any,
    class_weight: Any,
    best_epoch: Any,
    check_finite_data: bool,
    callbacks: list[Any],
    **settings: Any,
) -> TrainingRequest:
    """Return the request that all these arguments make, or refuse them.

    Without y, X is a source of blocks: see source_preflight.py.
    """
    if y is None:
        from .source_preflight import checked_source_request

        return checked_source_request(
            model,
            X,
            batch_size=batch_size,
            validation_data=validation_data,
            validation_split=validation_split,
            sample_weight=sample_weight,
            class_weight=class_weight,
            best_epoch=best_epoch,
            check_finite_data=check_finite_data,
            callbacks=callbacks,
            **settings,
        )
    checked = checked_settings(**settings)
    inputs, targets = checked_samples(model, X, y, check_finite_data)
    weight = checked_weights(sample_weight, len(inputs))
    validation = None
    if validation_split is not None:
        if validation_data is not None:
            raise ValueError("validation_split: expected no validation_data with it, got both")
        place = split_place(validation_split, len(inputs))
        held = None if weight is None else weight[place:]
        check_some_weight(held, "sample_weight of the validation's samples")
        validation = inputs[place:], targets[place:], held
        inputs, targets = inputs[:place], targets[:place]
        weight = None if weight is None else weight[:place]
    elif validation_data is not None:
        validation = checked_validation(model, validation_data, targets, check_finite_data)
    if class_weight is not None:
        width = output_width(model.layers)
        own = as_real(y, "y")[: len(inputs)]
        factors = class_factors(class_weight, own, None if width is None else width[1])
        weight = factors if weight is None else weight * factors
    request = TrainingRequest(
        X=inputs,
        y=targets,
        batch_size=checked_batch_size(batch_size, len(inputs)),
        validation=validation,
        sample_weight=weight,
        best_epoch=checked_best_epoch(best_epoch, model, validation is not None, callbacks),
        feature_names=column_names(X),
        dtype=model_dtype(model.layers),
        check_finite=check_finite_data,
        **checked,
    )
    request.accumulate = min(request.accumulate, request.steps)
    if validation is not None:
        request.validation_batch_size = checked_batch_size(batch_size, len(validation[0]))
        request.mixes_targets = validation[1].ndim != targets.ndim
    rows = len(inputs) if request.shuffle else request.steps * request.batch_size
    check_some_weight(None if weight is None else weight[:rows], "sample_weight")
    return request
