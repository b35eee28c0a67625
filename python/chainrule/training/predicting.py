"""Predictions: the layers' way forward alone, by the core where it can take every layer.

The core reads the parameters under the model's lock, in place for a few rows, else as copies, and
computes without a Python object. Layers of the user's own run as copies of the objects, under the
lock. Neither leaves anything on the layers, so that any number of threads may predict at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import numpy as np

from .. import _core
from ..activations import Activation_Linear
from ..arrays import Array, as_count, as_floats, as_real
from ..catalogue import Part, own_class
from ..frames import check_names, opened
from ..layers import (
    Layer_Dense,
    Layer_Dropout,
    Layer_Embedding,
    Layer_Input,
    Layer_ParametricActivation,
    Layer_PeriodicFeatures,
    Layer_Scale,
)
from ..layers.activation import Activation
from ..layers.parameters import slots_of
from ..shapes import as_rows
from .busy import parameter_lock
from .copies import copies_of
from .passes import forward_pass
from .request import as_batch
from .targets import model_dtype

CONVERTED = 1 << 22  # bytes of samples that are converted at a time
PIECE = 1.2e9  # operations that are done without Python: some 10 to 60 ms
MOVED = 32  # operations that take as long as to move a number between memory and core (guess)

Row = tuple[type, str, str, bool]
KINDS: dict[Any, str] = {
    Layer_Dense: "product",
    Layer_Scale: "factors",
    Layer_ParametricActivation: "shares",
    Layer_PeriodicFeatures: "periodic",
    Layer_Embedding: "embedding",
}
NO_CODES = "X: expected codes"  # begins what the core says where a value is no code of its table
Result = TypeVar("Result")
Pieces: TypeAlias = Generator[None, None, Result]  # long work: yields where it may pause


def finished(pieces: Pieces[Result]) -> Result:
    """Return what comes of long work, done without a pause."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


# --- a model as the core sees it ------------------------------------------------------------------


def row_of(layer: Any) -> Row | None:
    """Return what `_core.Predictor` is told of a layer: class, kind, the activation it is.

    The last entry tells whether it has settings that the core must ask for. None for a layer with a
    `forward` of its own.
    """
    kind, own = type(layer), own_class(layer, "forward")
    if own in (Layer_Input, Layer_Dropout, Activation_Linear):
        return (kind, "passes", "", False)
    if own in KINDS:
        return (kind, KINDS[own], "", False)
    if own is None or not issubclass(own, Activation):
        return None
    plain = (kind.parameters, kind.name_in_core) == (Part.parameters, Part.name_in_core)
    return (kind, "activation", layer.name_in_core(), not plain)


def predictor_for(layers: list[Any]) -> Any:
    """Return the layers as the core sees them; None where it cannot take one of them."""
    rows = [row_of(layer) for layer in layers]
    return None if None in rows else _core.Predictor(rows)


def asked(model: Any, call: Callable[[Any], Any]) -> Any:
    """Return ``call(predictor)`` under the model's lock; None where the core cannot take the model.

    The model keeps its predictor, which knows classes of layers, and no values. The core looks
    whether they are still the model's: where not, its answer is None, and a new one is made.
    """
    with parameter_lock(model):
        answer = None if model._predictor is None else call(model._predictor)
        if answer is None:
            model._predictor = predictor_for(model.layers)
            answer = None if model._predictor is None else call(model._predictor)
        return answer


def packed_net(model: Any) -> Any:
    """Return the core's copy of the net as it is now; None where the core cannot take it."""
    return asked(model, lambda predictor: predictor.packed(model.layers))


def blocks_of(net: Any, X: Array) -> Iterator[tuple[slice, Array]]:
    """Yield X as the core reads it, or converted to that, in blocks of rows.

    Between two of them signals are answered; no bit depends on where they end.
    """
    reads = net.reads(X)
    size = int(PIECE / (net.operations + MOVED * (net.n_inputs + net.n_outputs)))
    if not reads:
        size = min(size, CONVERTED // (X.itemsize * X.shape[1]))
    size = max(1, size)
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        yield rows, X[rows] if reads else as_floats(X[rows], "X", net.dtype)


@contextmanager
def refusing_codes(model: Any, X: Array) -> Iterator[None]:
    """Let the classes name the layer and the place where the core has met a value that is no code.

    Not to be used under the model's lock.
    """
    try:
        yield
    except ValueError as error:
        if str(error).startswith(NO_CODES):
            through_classes(model, X, None)
        raise


# --- predictions ----------------------------------------------------------------------------------


def predict(model: Any, X: Any, batch_size: Any, out: Any) -> Any:
    """Return the last layer's output for X; see `Model.predict`."""
    X = opened(X, "X")
    check_names(X, model.feature_names, "X")
    inputs = as_real(as_rows(model.layers, X, "X"), "X")
    size = None if batch_size is None else as_count(batch_size, "batch_size", 1)
    found = few_or_packed(model, inputs, out) if inputs.ndim == 2 else None
    if isinstance(found, np.ndarray):
        return out if out is not None else found
    if found is None or inputs.shape[1] != found.n_inputs:
        return taken_over(through_classes(model, inputs, size), out, model, inputs)
    with refusing_codes(model, inputs):
        return through_net(found, model, inputs, out)


def few_or_packed(model: Any, X: Array, out: Any) -> Any:
    """Return the output of a few rows; of more, or where `out` does not fit, the core's net."""

    def call(predictor: Any) -> Any:
        output = _core.predict_few(predictor, model.layers, X, out)
        return predictor.packed(model.layers) if output is None else output

    return asked(model, call)


def through_net(net: Any, model: Any, X: Array, out: Any) -> Any:
    """Return the output of the core's net for X (n, d)."""
    if out is not None:
        output = checked_out(out, (len(X), net.n_outputs), net.dtype, model, X)
        for rows, block in blocks_of(net, X):
            net.predict(block, output[rows])
        return out
    return finished(output_of_net(net, X))


def output_of_net(net: Any, X: Array) -> Pieces[Array]:
    """Return the same as a new array, in pieces."""
    output: Array | None = None
    for rows, block in blocks_of(net, X):
        if len(block) == len(X):
            return net.predict(block, None)  # type: ignore[no-any-return]
        if output is None:
            output = np.empty((len(X), net.n_outputs), dtype=net.dtype)
        net.predict(block, output[rows])
        yield
    return np.empty((0, net.n_outputs), dtype=net.dtype) if output is None else output


def through_classes(model: Any, X: Array, batch_size: int | None) -> Any:
    """Return the output of the layers' own methods, run on copies of the layers."""
    with parameter_lock(model), copies_of(model.layers) as layers:
        dtype = model_dtype(layers)
        if batch_size is None or X.ndim == 0 or batch_size >= len(X):
            return forward_pass(layers, as_batch(X, dtype), False)
        outputs = [
            forward_pass(layers, as_batch(X[start : start + batch_size], dtype), False)
            for start in range(0, len(X), batch_size)
        ]
    return np.concatenate(outputs)


# --- where the output goes ------------------------------------------------------------------------


def checked_out(out: Any, shape: tuple[int, ...], dtype: Any, model: Any, X: Array) -> Array:
    """Return `out` as a plain array where the output can be written to it.

    Raises
    ------
    TypeError
        No array.
    ValueError
        Another shape, dtype or layout; a read-only array; memory that X or a parameter has too.
    """
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected an array, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(f"out: expected {shape} of {dtype}, got {out.shape} of {out.dtype}")
    if not (out.flags.c_contiguous and out.flags.aligned):
        raise ValueError("out: expected a C-contiguous, aligned array, got one of another layout")
    if not out.flags.writeable:
        raise ValueError("out: expected a writeable array, got a read-only one")
    if np.may_share_memory(out, X):
        raise ValueError("out: expected memory of its own, got an array that overlaps X")
    held = (getattr(layer, slot.name) for layer in model.layers for slot in slots_of(layer))
    if any(np.may_share_memory(out, array) for array in held):
        raise ValueError("out: expected memory of its own, got an array that overlaps a parameter")
    return out.view(np.ndarray)


def taken_over(output: Any, out: Any, model: Any, X: Array) -> Any:
    """Return an output of the classes, copied to `out` where that is given."""
    if out is None:
        return output
    found = np.asarray(output)
    checked_out(out, found.shape, found.dtype, model, X)[...] = found
    return out
