"""Every check of `Model.train` and `Model.evaluate`, made before anything changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import (
    Array,
    as_class_targets,
    as_count,
    as_floats,
    as_generator,
    as_number,
    as_real,
    as_targets,
    check_finite,
)
from ..compiled_loss import CompiledLoss
from ..layers import Layer_Dense, Layer_Dropout
from ..losses import Loss_CategoricalCrossentropy
from .layerwise import keeps_shape, output_width
from .request import TrainingRequest

ON_NONFINITE = ("raise", "stop", "ignore")


def model_dtype(layers: list[Any]) -> np.dtype[Any] | None:
    """Return the one dtype of the dense layers; None where there are several or none."""
    dtypes = {layer.dtype for layer in layers if isinstance(layer, Layer_Dense)}
    return dtypes.pop() if len(dtypes) == 1 else None


def checked_inputs(model: Any, X: Any, name: str) -> Array:
    """Return X (n, d), float32 or float64, as the model's layers can take it.

    Raises
    ------
    TypeError, ValueError
        No real numbers, another rank, another number of columns, no sample.
    """
    array = as_real(X, name)
    keep = array.dtype.kind == "f" and array.dtype.itemsize in (4, 8)
    array = as_floats(array, name, None if keep else model_dtype(model.layers))
    if array.ndim != 2:
        raise ValueError(f"{name}: expected (n, d), got {array.shape}")
    if len(array) == 0:
        raise ValueError(f"{name}: expected at least one sample, got none")
    check_widths(model.layers, array.shape)
    return array


def check_widths(layers: list[Any], shape: tuple[int, ...]) -> None:
    """Refuse a dense layer whose inputs do not fit what feeds it."""
    columns: int | None = shape[1]
    fed_by = 0  # the position of the dense layer that the columns come from
    for position, layer in enumerate(layers, 1):
        if not isinstance(layer, Layer_Dense) or type(layer).forward is not Layer_Dense.forward:
            if not keeps_shape(layer):
                columns = None
            continue
        if columns is not None and columns != layer.n_inputs:
            hint = f"; layer {fed_by} ends with {columns} neurons" if fed_by else ""
            raise ValueError(
                f"{type(layer).__name__} {position}: inputs: expected (n, {layer.n_inputs}), "
                f"got ({shape[0]}, {columns}){hint}"
            )
        columns, fed_by = layer.n_neurons, position


def checked_targets(model: Any, y: Any, n: int, name: str) -> Array:
    """Return y as the model's loss takes it: int64 labels (n,) or float targets (n, m).

    Targets for a loss of the user's own only need one entry per sample.

    Raises
    ------
    TypeError, ValueError
        Labels of float dtype, out of range or as a column; another shape or length.
    """
    width = output_width(model.layers)
    n_outputs = None if width is None else width[1]
    array = as_real(y, name)
    if array.ndim == 0 or len(array) != n:
        raise ValueError(f"{name}: expected {n} samples, as X has, got {array.shape}")
    keep = array.dtype.kind == "f" and array.dtype.itemsize in (4, 8)
    dtype = None if keep else model_dtype(model.layers)
    if isinstance(model.loss, Loss_CategoricalCrossentropy):
        array = as_class_targets(array, name, n_outputs, dtype)
        if array.ndim == 1:
            check_labels(array, name, n_outputs)
            return array
    elif isinstance(model.loss, CompiledLoss):
        array = as_targets(array, name, n_outputs, dtype)
    else:
        return np.ascontiguousarray(array)
    expected = "m" if n_outputs is None else n_outputs
    if array.ndim != 2 or n_outputs not in (None, array.shape[1]):
        raise ValueError(f"{name}: expected ({n}, {expected}), got {array.shape}")
    return array


def check_labels(labels: Array, name: str, n_classes: int | None) -> None:
    """Refuse labels outside 0 to n_classes - 1."""
    limit = np.iinfo(np.int64).max if n_classes is None else n_classes
    if labels.min() >= 0 and labels.max() < limit:
        return
    index = int(np.argmax((labels < 0) | (labels >= limit)))
    last = "" if n_classes is None else f" to {n_classes - 1}"
    raise ValueError(f"{name}: label {labels[index]} at index {index}: expected 0{last}")


def checked_weights(sample_weight: Any, n: int) -> Any:
    """Return sample weights (n,) as float64: finite, not negative."""
    if sample_weight is None:
        return None
    weight = as_floats(sample_weight, "sample_weight", np.float64)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight: expected ({n},), got {weight.shape}")
    check_finite(weight, "sample_weight")
    if weight.min() < 0:
        index = int(np.argmax(weight < 0))
        raise ValueError(
            f"sample_weight: expected values of at least 0, got {weight[index]} at index {index}"
        )
    return weight


def checked_validation(model: Any, data: Any, finite: bool) -> tuple[Array, Array] | None:
    """Return the validation data as arrays; errors say `validation X`, `validation y`."""
    if data is None:
        return None
    if not isinstance(data, tuple | list) or len(data) != 2:
        got = f"{len(data)} entries" if isinstance(data, tuple | list) else type(data).__name__
        raise TypeError(f"validation_data: expected (X, y), got {got}")
    X = checked_inputs(model, data[0], "validation X")
    y = checked_targets(model, data[1], len(X), "validation y")
    if finite:
        check_finite(X, "validation X", model_dtype(model.layers))
        check_finite(y, "validation y", model_dtype(model.layers))
    return X, y


def checked_batch_size(batch_size: Any, n: int) -> int:
    """Return the batch size: at most n, n where None is given."""
    return n if batch_size is None else min(n, as_count(batch_size, "batch_size", 1))


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


def checked_request(
    model: Any,
    X: Any,
    y: Any,
    *,
    epochs: Any,
    batch_size: Any,
    validation_data: Any,
    shuffle: Any,
    rng: Any,
    sample_weight: Any,
    check_finite_data: bool,
    on_nonfinite: Any,
    clip_norm: Any,
) -> TrainingRequest:
    """Return the request that all these arguments make, or refuse them.

    Shuffling draws from `rng`, else from the generator of the model's last training, else
    from one that ``numpy.random`` seeds.
    """
    n_epochs = as_count(epochs, "epochs", 0)
    if not isinstance(on_nonfinite, str) or on_nonfinite not in ON_NONFINITE:
        raise ValueError(
            f"on_nonfinite: expected 'raise', 'stop' or 'ignore', got {on_nonfinite!r}"
        )
    clip = None if clip_norm is None else as_number(clip_norm, "clip_norm")
    if clip == 0:
        raise ValueError("clip_norm: expected a number above 0, got 0")
    generator = None if rng is None else as_generator(rng)
    if not isinstance(shuffle, bool | np.bool_):
        raise TypeError(f"shuffle: expected True or False, got {shuffle!r}")
    dtype = model_dtype(model.layers)
    inputs = checked_inputs(model, X, "X")
    size = checked_batch_size(batch_size, len(inputs))
    targets = checked_targets(model, y, len(inputs), "y")
    if check_finite_data:
        check_finite(inputs, "X", dtype)
        check_finite(targets, "y", dtype)
    validation = checked_validation(model, validation_data, check_finite_data)
    request = TrainingRequest(
        X=inputs,
        y=targets,
        epochs=n_epochs,
        batch_size=size,
        validation=validation,
        sample_weight=checked_weights(sample_weight, len(inputs)),
        on_nonfinite=on_nonfinite,
        clip_norm=clip,
        dtype=dtype,
    )
    if validation is not None:
        request.validation_batch_size = checked_batch_size(batch_size, len(validation[0]))
    if not shuffle:
        request.check_weights()
    seed_model(model, generator, bool(shuffle))
    request.generator = model.rng if shuffle else None
    return request


def seed_model(model: Any, generator: np.random.Generator | None, shuffle: bool) -> None:
    """Give the model its generator; a new one also gives the dropout layers new keys.

    The last check has passed when this runs.
    """
    if generator is None:
        if shuffle and model.rng is None:
            seed = np.random.randint(0, 2**63 - 1, dtype=np.int64)  # noqa: NPY002
            model.rng = np.random.default_rng(int(seed))
        return
    if generator is model.rng:
        return
    model.rng = generator
    for layer in model.layers:
        if isinstance(layer, Layer_Dropout):
            layer.draw_key(generator)
