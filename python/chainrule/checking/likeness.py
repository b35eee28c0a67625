"""Two models side by side: where does one first depart from the other?

Both make the same training steps on copies, layer by layer: parameters, then in each step forward,
loss, backward, update. What rounding may do is measured: the expected model runs again with every
value nudged by some units of rounding, and an array may differ by several times what the nudges
have moved it by. So it grows from step to step, as rounding errors do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_count
from ..layers import Layer_Dropout
from ..layers.parameters import slots_of
from ..model import Model
from ..training.layer_step import LayerStep
from ..training.stepping import Nudge, Observer, unchanged

__all__ = ["Comparison", "compare"]

ROUNDS = 4
SAFETY = 4.0


class Place(NamedTuple):
    """Where an array belongs: training step and layer from 1, 0 for what is in none."""

    step: int
    phase: str
    layer: int
    array: str


Array = NDArray[Any]
Arrays = list[tuple[Place, Array]]


@dataclass(frozen=True)
class Comparison:
    """The outcome of `compare`; true unless the models are different.

    Attributes
    ----------
    verdict : {"equal", "equal to rounding", "different"}
        "equal" is to the last bit.
    step, phase, layer, array
        The first place that is not equal to the bit or, of different models, not to rounding: the
        training step from 1 (0: before the first); "layers", "parameters", "forward", "loss",
        "backward" or "update"; the layer's position from 1 (0: none); the array's name. None of
        equal models.
    difference, tolerance : float
        The largest there, and what rounding may do.
    text : str
        All of it in a sentence.
    """

    verdict: str
    text: str
    step: int | None = None
    phase: str | None = None
    layer: int | None = None
    array: str | None = None
    difference: float = 0.0
    tolerance: float = 0.0

    def __bool__(self) -> bool:
        return self.verdict != "different"

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def compare(model: Any, expected: Any, X: Any, y: Any, *, steps: int = 1) -> Comparison:
    """Tell whether two models compute the same: to the bit, to rounding, or where they part.

    Both make `steps` training steps with all samples as one batch, layer by layer, on copies.
    Layers are matched by their position, and may be of any class: a layer of your own beside the
    package's is what this is for.

    Parameters
    ----------
    model, expected : Model
        With a loss; with an optimizer each for the updates.
    X, y : array_like
        One batch.
    steps : int
        At least 1.

    Returns
    -------
    Comparison
        True or false as a whole; `str` gives a sentence.

    Raises
    ------
    TypeError, ValueError
        No models, a missing loss or optimizer, samples that do not fit.

    Notes
    -----
    Rounding is measured: in four runs every output, gradient and parameter of `expected` is nudged
    by up to ``sqrt(k)`` units of the coarser dtype, k the longest sum in the net. An array is equal
    to rounding within 4 times the largest change that this has made in it.
    """
    for name, each in (("model", model), ("expected", expected)):
        if not isinstance(each, Model):
            raise TypeError(f"compare: {name}: expected a Model, got {type(each).__name__}")
    count = as_count(steps, "steps", 1)
    if (model.optimizer is None) != (expected.optimizer is None):
        which = "model" if model.optimizer is None else "expected"
        raise ValueError(f"compare: {which}: expected an optimizer, as the other has, got none")
    if expected.optimizer is None and count > 1:
        raise ValueError(f"steps: expected 1 for models without an optimizer, got {count}")
    if len(model.layers) != len(expected.layers):
        text = f"expected {len(expected.layers)} layers, got {len(model.layers)}"
        return Comparison("different", f"different: {text}", 0, "layers", 0, "", math.inf)
    ours, theirs = run(model, X, y, count), run(expected, X, y, count)
    places = [place for place, _ in theirs]
    if [place for place, _ in ours] != places:
        return other_arrays([place for place, _ in ours], places, expected)
    pairs = [(one, other) for (_, one), (_, other) in zip(ours, theirs, strict=True)]
    unequal = [k for k, (one, other) in enumerate(pairs) if not same(one, other)]
    if not unequal:
        return Comparison("equal", "equal to the last bit")
    eps = max(unit(array) for pair in pairs for array in pair)
    bounds = tolerances(expected, X, y, count, theirs, eps)
    found = [(k, difference(*pairs[k])) for k in unequal]
    beyond = [(k, d) for k, d in found if not d <= bounds[k]]
    verdict = "different" if beyond else "equal to rounding"
    k, distance = (beyond or found)[0]
    place = places[k]
    text = f"{verdict}: first at {named(place, expected)}"
    if pairs[k][0].shape != pairs[k][1].shape:
        text += f": expected {pairs[k][1].shape}, got {pairs[k][0].shape}"
    elif math.isinf(distance):
        text += ", of which one is not finite where the other is"
    else:
        text += f", which differs by {distance:.1e} (rounding: {bounds[k]:.1e})"
    if beyond:
        text += hint(model, expected, place)
    return Comparison(verdict, text, *place, distance, bounds[k])


def run(model: Any, X: Any, y: Any, count: int, nudge: Nudge = unchanged) -> Arrays:
    """Return every array of a run in the order in which it comes."""
    observer = Observer(model, X, y, nudge=nudge)
    found = list(parameters_of(observer.model.layers, 0, "parameters", nudge))
    for step, seen in enumerate(observer.steps(count), 1):
        found += arrays_of(seen, step, observer)
        if observer.model.optimizer is not None:
            found += parameters_of(observer.model.layers, step, "update", nudge)
    return found


def arrays_of(
    seen: list[LayerStep], step: int, observer: Observer
) -> Iterator[tuple[Place, Array]]:
    """Yield outputs, loss and gradients of a step."""
    for each in seen:
        yield Place(step, "forward", each.position, "output"), np.array(each.output)
    yield Place(step, "loss", 0, "data loss"), np.array(observer.data_loss)
    yield Place(step, "loss", 0, "regularization loss"), np.array(observer.penalty)
    for each in reversed(seen):
        for name, gradient in each.gradients.items():
            yield Place(step, "backward", each.position, f"d{name}"), np.array(gradient)
        yield Place(step, "backward", each.position, "dinputs"), np.array(each.dinputs)


def parameters_of(
    layers: list[Any], step: int, phase: str, nudge: Nudge
) -> Iterator[tuple[Place, Array]]:
    """Yield the parameters, nudged in place first where they are to be."""
    for position, layer in enumerate(layers, 1):
        for slot in slots_of(layer):
            held = getattr(layer, slot.name)
            if nudge is not unchanged:
                held[...] = nudge(held)
            yield Place(step, phase, position, slot.name), np.array(held)


def tolerances(expected: Any, X: Any, y: Any, count: int, base: Arrays, eps: float) -> list[float]:
    """Return how far rounding may move each array of the expected run."""
    longest = max([len(X), *(max(np.shape(array), default=1) for _, array in base)])
    amplitude = eps * math.sqrt(longest)
    moved = [0.0] * len(base)
    for seed in range(ROUNDS):
        with np.errstate(all="ignore"):
            again = run(expected, X, y, count, nudge_of(seed, amplitude))
        for k, ((_, nudged), (_, array)) in enumerate(zip(again, base, strict=True)):
            moved[k] = max(moved[k], difference(nudged, array))
    return [SAFETY * each for each in moved]


def nudge_of(seed: int, amplitude: float) -> Nudge:
    """Return a nudge: every entry times 1 + {-1, 0, 1} amplitudes."""
    rng = np.random.default_rng(seed)

    def nudge(values: Any) -> Any:
        array = np.asarray(values)
        if array.dtype.kind != "f":
            return values
        factors = 1 + amplitude * rng.integers(-1, 2, array.shape)
        return array * factors.astype(array.dtype)

    return nudge


def same(one: Array, other: Array) -> bool:
    """Tell whether two arrays have one dtype, one shape and the same bits, NaN like NaN."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    equal = (one == other) & (np.signbit(one) == np.signbit(other))
    return bool(np.all(equal | (np.isnan(one) & np.isnan(other))))


def difference(one: Array, other: Array) -> float:
    """Return the largest distance of two entries; infinite for other shapes and one-sided NaN."""
    if one.shape != other.shape:
        return math.inf
    wide, base = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):
        distances = np.abs(wide - base)
    alike = (wide == base) | (np.isnan(wide) & np.isnan(base))
    one_sided = np.where(np.isnan(distances), math.inf, distances)
    return float(np.max(np.where(alike, 0.0, one_sided), initial=0.0))


def unit(array: Array) -> float:
    """Return the unit of rounding of an array's dtype; float64's for whole numbers."""
    return float(np.finfo(array.dtype if array.dtype.kind == "f" else np.float64).eps)


def named(place: Place, model: Any) -> str:
    """Return a place in words."""
    words = place.array
    if place.phase == "parameters":
        words = f"initial {words}"
    if place.phase == "update":
        words = f"{words} after the update"
    if place.layer:
        words += f" of {type(model.layers[place.layer - 1]).__name__} {place.layer}"
    return f"step {place.step}, {place.phase}: {words}" if place.step else words


def other_arrays(ours: list[Place], theirs: list[Place], expected: Any) -> Comparison:
    """Return the outcome for models whose layers have not the same parameters or gradients."""
    lacking = [place for place in theirs if place not in set(ours)]
    place = (lacking or [place for place in ours if place not in set(theirs)])[0]
    how = "expected, got none" if lacking else "got, but not expected"
    text = f"different: {named(place, expected)}: {how}"
    return Comparison("different", text, *place, math.inf)


def hint(model: Any, expected: Any, place: Place) -> str:
    """Say what may be the cause."""
    if not place.layer:
        return ""
    one, other = model.layers[place.layer - 1], expected.layers[place.layer - 1]
    if isinstance(one, Layer_Dropout) and isinstance(other, Layer_Dropout):
        if (one.key, one.step) != (other.key, other.step):
            return "; its stream has another key or stands at another step: seed both alike"
    if type(one) is not type(other):
        return f"; it is a {type(one).__name__} here"
    return ""
