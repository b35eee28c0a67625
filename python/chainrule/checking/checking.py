"""Gradients against differences: `(f(w + h) - f(w - h)) / 2h`, entry by entry.

What is checked is the gradient in the model's own dtype; what it is checked against are
differences of a float64 copy. The tolerance is measured, not chosen: see noise.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import as_floats, as_real
from ..model import Model
from ..optimizers import Optimizer_SGD
from ..training.preflight import checked_inputs, checked_targets
from .kinks import Branch, crossed
from .noise import gradient_noise, largest, loss_noise
from .report import GradientReport, GradientRow
from .subjects import (
    ModelSubject,
    Subject,
    hold_masks,
    in_float64,
    subject,
)

__all__ = ["GradientReport", "GradientRow", "gradcheck", "numerical_gradient"]

STEP = 1e-5
ENTRIES = 200
SAFETY = 16.0

Gradients = dict[str, NDArray[Any]]


def numerical_gradient(
    function: Callable[[NDArray[Any]], float], array: NDArray[Any], h: float = 1e-5
) -> NDArray[np.float64]:
    """Central differences of a scalar function: `(f(a + h e_k) - f(a - h e_k)) / 2h` for each k.

    Each entry of `array` is changed in place while `function(array)` is called, and restored,
    also if the function raises. A function that reads the array from elsewhere (a layer's
    weights, say) may ignore its argument.

    Parameters
    ----------
    function : callable
        Takes `array`, returns a number.
    array : ndarray of float32 or float64, any shape
        Where to take the gradient. Float32 needs a larger `h`, about 1e-2.
    h : float
        The step. The error falls with `h^2`, rounding grows with `1 / h`.

    Returns
    -------
    ndarray of float64, the shape of `array`

    Raises
    ------
    TypeError
        If `array` is not an ndarray of floats.
    ValueError
        If `array` is read-only, or `h` is not a positive number.

    Examples
    --------
    >>> import numpy as np
    >>> numerical_gradient(lambda w: float((w * w).sum()), np.array([1.0, -2.0])).round(6)
    array([ 2., -4.])
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"numerical_gradient: array: expected an ndarray of floats, got {got}")
    if not array.flags.writeable:
        raise ValueError("numerical_gradient: array: expected a writeable array, got a read-only")
    if not (h > 0 and np.isfinite(h)):
        raise ValueError(f"numerical_gradient: h: expected a positive number, got {h}")
    gradient = np.empty(array.shape, dtype=np.float64)
    for index in np.ndindex(array.shape):
        with _moved(array, index, h) as above:
            upper = float(function(array))
        with _moved(array, index, -h) as below:
            lower = float(function(array))
        gradient[index] = (upper - lower) / (above - below)
    return gradient


def gradcheck(
    model_or_layer: Any, X: ArrayLike, y: ArrayLike | None = None, *, full: bool = False
) -> GradientReport:
    """Compare a gradient with central differences of a float64 copy.

    For a model: the gradient of `data loss + regularisation` that its own `forward` and
    `backward` give ("layers"), and the one that `train` follows ("plan": parameters before
    minus after one step of plain SGD at rate 1 on the whole of `X`). For a layer or activation:
    the gradient of `sum of output * dvalues` with fixed random dvalues. For a loss: the gradient
    of the mean of its per-sample values, with `X` as predictions (logits for
    `Activation_Softmax_Loss_CategoricalCrossentropy`).

    Parameters
    ----------
    model_or_layer : Model, layer, activation or loss
        Also a class of your own with `forward` and `backward`. It is left unchanged.
    X : array_like, (n, d)
        One batch; a few dozen samples are enough.
    y : array_like
        Targets or labels, for a model or a loss.
    full : bool
        True checks every entry; otherwise at most 200 an array, drawn with a fixed seed.

    Returns
    -------
    GradientReport
        True or false as a whole; `str` and `repr` give a table; `rows` holds its lines.

    Raises
    ------
    TypeError
        If there is nothing to differentiate.
    ValueError
        If `X` holds no sample, or a model or loss comes without `y`.

    Notes
    -----
    Dropout masks are held fixed. Entries whose step crosses a kink (ReLU at 0, L1 at 0,
    prediction = target of the absolute error, clipped prediction) are counted apart. A difference
    is extrapolated from the steps h and 2h, h = 1e-5; the tolerance is 16 times the measured
    rounding error (of the gradient in its own dtype, of the loss in float64 over h) plus a
    tenth of the extrapolation.
    """
    inputs, targets = _own_arrays(model_or_layer, X, y)
    own = subject(copy.deepcopy(model_or_layer), inputs.copy(), targets)
    gradients = own.gradients()
    eps = _eps(model_or_layer, inputs)
    rounding = gradient_noise(model_or_layer, inputs, targets, own, gradients, eps)
    ways, plan = {"layers": gradients}, ""
    if isinstance(own, ModelSubject):
        ways["plan"], plan = _plan_gradients(model_or_layer, inputs, targets)
    twin = subject(in_float64(model_or_layer), inputs.astype(np.float64), _wide(targets))
    hold_masks(twin.layers, own.layers)
    twin.gradients()
    pairs = zip(twin.branches(), own.branches(), strict=True)
    base = [branch.doubtful(other, eps) for branch, other in pairs]
    rows = _compare(twin, ways, rounding, base, full)
    count = f"{len(inputs)} sample" + ("" if len(inputs) == 1 else "s")
    title = f"gradcheck: {type(model_or_layer).__name__}, {count}, {inputs.dtype}"
    return GradientReport(title, rows, plan)


def _own_arrays(
    thing: Any, X: ArrayLike, y: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """X in the dtype that `thing` computes in, and y beside it."""
    is_model = isinstance(thing, Model)
    if is_model and (thing.loss is None or y is None):
        raise ValueError("gradcheck: expected a model with a loss, and y; got none")
    inputs = checked_inputs(thing, X, "X") if is_model else as_floats(X, "X")
    held = _parameter_dtypes(thing)
    inputs = np.ascontiguousarray(inputs, dtype=held[0] if held else inputs.dtype)
    if inputs.ndim == 0 or len(inputs) == 0:
        raise ValueError(f"gradcheck: X: expected at least one sample, got shape {inputs.shape}")
    if y is None:
        return inputs, None
    targets = checked_targets(thing, y, len(inputs), "y") if is_model else as_real(y, "y")
    if targets.dtype.kind == "f" or targets.ndim == 2:
        targets = np.ascontiguousarray(targets, dtype=inputs.dtype)
    return inputs, targets


def _parameter_dtypes(thing: Any) -> list[np.dtype[Any]]:
    """The float dtypes of the weights and biases held, the first layer's first."""
    parts = [*getattr(thing, "layers", ()), thing]
    arrays = [getattr(part, name, None) for part in parts for name in ("weights", "biases")]
    return [a.dtype for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]


def _eps(thing: Any, inputs: NDArray[Any]) -> float:
    """The coarsest unit of rounding at work."""
    return max(float(np.finfo(kind).eps) for kind in [inputs.dtype, *_parameter_dtypes(thing)])


def _wide(targets: NDArray[Any] | None) -> NDArray[Any] | None:
    if targets is None or targets.dtype.kind != "f":
        return targets
    return targets.astype(np.float64)


def _plan_gradients(
    model: Any, inputs: NDArray[Any], targets: NDArray[Any] | None
) -> tuple[Gradients, str]:
    """Parameters before minus after one step of plain SGD at rate 1, and the plan's description."""
    trained = copy.deepcopy(model)
    trained.set(optimizer=Optimizer_SGD(1.0))
    before = [{k: np.array(v) for k, v in _trainable(layer).items()} for layer in trained.layers]
    trained.train(inputs, targets, epochs=1, progress=False)
    found = {}
    for position, (layer, arrays) in enumerate(zip(trained.layers, before, strict=True), 1):
        for name, array in arrays.items():
            label = f"{type(layer).__name__} {position}: {name}"
            found[label] = array - getattr(layer, name)
    return found, f"plan: {trained.plan}"


def _trainable(layer: Any) -> dict[str, NDArray[Any]]:
    return {k: v for k in ("weights", "biases") if (v := getattr(layer, k, None)) is not None}


def _entries(array: NDArray[Any], full: bool) -> NDArray[np.intp]:
    if full or array.size <= ENTRIES:
        return np.arange(array.size)
    return np.sort(np.random.default_rng(0).choice(array.size, ENTRIES, replace=False))


def _difference(
    twin: Subject, array: NDArray[Any], index: tuple[int, ...], base: list[Branch]
) -> tuple[float, float] | None:
    """The extrapolated difference at one entry and its extrapolation; None at a kink."""
    h = STEP * max(1.0, abs(float(array[index])))
    slopes = []
    for step in (h, 2 * h):
        values, places = [], []
        for signed in (step, -step):
            with _moved(array, index, signed) as place:
                values.append(twin.value())
                places.append(place)
                if crossed(base, twin.branches()):
                    return None
        slopes.append((values[0] - values[1]) / (places[0] - places[1]))
    extrapolation = (slopes[0] - slopes[1]) / 3
    return slopes[0] + extrapolation, abs(extrapolation)


def _compare(
    twin: Subject,
    ways: dict[str, Gradients],
    rounding: dict[str, float],
    base: list[Branch],
    full: bool,
) -> tuple[GradientRow, ...]:
    """A row for each array and way, one way after the other."""
    noise = loss_noise(twin) / STEP
    rows: dict[str, list[GradientRow]] = {way: [] for way in ways}
    for name, array in twin.arrays().items():
        indices = [np.unravel_index(k, array.shape) for k in _entries(array, full)]
        slopes = [(index, _difference(twin, array, index, base)) for index in indices]
        for way, gradients in ways.items():
            if name not in gradients:
                continue
            gradient = gradients[name]
            allowed = SAFETY * (rounding[name] + noise)
            if way == "plan":
                allowed += float(np.finfo(gradient.dtype).eps) * largest(array)
            compared = [
                (abs(float(gradient[index]) - slope[0]), allowed + slope[1] / 10)
                for index, slope in slopes
                if slope is not None
            ]
            error, tolerance = _worst(compared)
            row = GradientRow(name, way, largest(gradient), len(compared),
                              len(slopes) - len(compared), error, tolerance)  # fmt: skip
            rows[way].append(row)
    return tuple(row for lines in rows.values() for row in lines)


def _worst(compared: list[tuple[float, float]]) -> tuple[float, float]:
    """Error and tolerance of the entry with the largest share of its tolerance; NaN is worst."""
    return max(
        compared,
        key=lambda pair: pair[0] / max(pair[1], 1e-300) if np.isfinite(pair[0]) else np.inf,
        default=(0.0, 0.0),
    )


@contextmanager
def _moved(array: NDArray[Any], index: tuple[int, ...], step: float) -> Iterator[float]:
    """Hold `array[index] + step` in place of `array[index]`; gives the value really held."""
    before = array[index].copy()
    array[index] = before + step
    try:
        yield float(array[index])
    finally:
        array[index] = before
