"""A model's parameters that learn, as one flat array.

They stand in the order of the layers, each parameter row by row, as gradients do in
`Model.gradients`: what an optimizer of somebody else's, or a reduction over machines, works on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array, as_real, check_finite
from ..errors import label_of, labelled
from ..layers.parameters import Slot, check_writeable, slots_of
from .busy import parameter_lock
from .passes import learning, parametric_layers
from .targets import model_dtype


class ParameterPlace(NamedTuple):
    """Where a parameter stands in the flat array: its name in model files, shape and slice."""

    name: str
    shape: tuple[int, ...]
    slice: slice


class Held(NamedTuple):
    """A parameter that learns, on its layer, and its place."""

    layer: Any
    slot: Slot
    place: ParameterPlace

    @property
    def array(self) -> Array:
        """The layer's array."""
        held: Array = getattr(self.layer, self.slot.name)
        return held


def held_of(model: Any) -> list[Held]:
    """Return the parameters that learn, in the order of the layers."""
    learners = {id(layer) for layer in learning(model.trainable_layers)}
    found, start = [], 0
    for number, layer in enumerate(parametric_layers(model), 1):
        if id(layer) not in learners:
            continue
        for slot in slots_of(layer):
            shape = np.shape(getattr(layer, slot.name))
            stop = start + int(np.prod(shape))
            place = ParameterPlace(f"{number}.{slot.name}", shape, slice(start, stop))
            found.append(Held(layer, slot, place))
            start = stop
    return found


def size_of(held: list[Held]) -> int:
    """Return the number of values that learn."""
    return held[-1].place.slice.stop if held else 0


def dtype_of(held: list[Held], model: Any = None) -> np.dtype[Any]:
    """Return the dtype that holds them all; where nothing learns, the model's, else float64."""
    if held:
        return np.result_type(*(each.array.dtype for each in held))
    found = None if model is None else model_dtype(model.layers)
    return np.dtype(np.float64) if found is None else found


def flat_parameters(model: Any) -> Array:
    """Return a copy of the parameters."""
    held = held_of(model)
    flat = np.empty(size_of(held), dtype=dtype_of(held, model))
    for each in held:
        flat[each.place.slice] = np.ravel(each.array)
    return flat


def checked_flat(flat: Any, name: str, held: list[Held]) -> Array:
    """Return values for all parameters, (count,); refuse another shape and what is not finite."""
    array = as_real(flat, name)
    if array.shape != (size_of(held),):
        raise ValueError(
            f"{name}: expected ({size_of(held)},), as many values as learn, got {array.shape}"
        )
    check_finite(array, name, dtype_of(held))
    for each in held:
        with labelled(label_of(each.layer)):
            check_writeable(each.array, each.slot.name)
    return array


def set_flat_parameters(model: Any, flat: Any) -> None:
    """Copy values into the parameters, in place; see `Model.set_flat_parameters`."""
    held = held_of(model)
    values = checked_flat(flat, "flat", held)
    if any(np.may_share_memory(values, each.array) for each in held):
        values = values.copy()
    with parameter_lock(model):
        for each in held:
            each.array[...] = values[each.place.slice].reshape(each.place.shape)


def flatten(model: Any) -> Array:
    """Lay the parameters out in one array, which is returned; see `Model.flatten_`."""
    held = held_of(model)
    dtypes = {each.array.dtype for each in held}
    if len(dtypes) > 1:
        raise ValueError(
            f"flatten_: expected parameters of one dtype, got {', '.join(sorted(map(str, dtypes)))}"
        )
    if held and (common := common_base(held)) is not None:
        return common
    with parameter_lock(model):
        flat = flat_parameters(model)
        for each in held:
            setattr(each.layer, each.slot.name, flat[each.place.slice].reshape(each.place.shape))
    return flat


def common_base(held: list[Held]) -> Array | None:
    """Return the array that all parameters are views of, each in its place; else None."""
    base = held[0].array.base
    if type(base) is not np.ndarray or base.shape != (size_of(held),):
        return None
    for each in held:
        place = base[each.place.slice]
        there = each.array.flags.c_contiguous and each.array.ctypes.data == place.ctypes.data
        if each.array.base is not base or each.array.dtype != base.dtype or not there:
            return None
    return base
