"""Which arrays of a layer are its parameters, and what keeps a gradient from being one.

Parameters are a layer's slots; in a class of the user's own also every float array `x` with a
`dx` beside it that a forward leaves alone, and one whose gradient has got another name. An array
that moves the value and has no gradient at all may be a constant: that is a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..catalogue import own_class
from ..layers.parameters import Slot, slots_of
from .report import UNKNOWN, WRONG
from .walk import gradient_fault, same_bits

if TYPE_CHECKING:
    from .subjects import Gradients, Subject

PASSED = ("inputs", "output", "values", "dinputs")  # what passes through a layer
Snapshot = dict[str, tuple[Any, NDArray[Any]]]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the layer at `position`.

    `label` names it in the report; `other` is an array of its shape that backward sets, where
    the gradient itself is missing.
    """

    label: str
    position: int
    name: str
    slot: Slot | None = None
    other: str = ""

    @property
    def gradient(self) -> str:
        return f"d{self.name}"


def _floats(layer: Any) -> Snapshot:
    """Return the float arrays that a layer holds, each with a copy."""
    held = getattr(layer, "__dict__", {}).items()
    return {k: (v, v.copy()) for k, v in held if isinstance(v, np.ndarray) and v.dtype.kind == "f"}


def _changed(before: Snapshot, after: Snapshot) -> set[str]:
    """Return the names that were rebound, or whose content is another."""
    return {
        name
        for name, (array, content) in after.items()
        if name not in before
        or before[name][0] is not array
        or not same_bits(before[name][1], content)
    }


def find_parameters(
    subject: Subject, prefixes: list[str], frozen: set[int]
) -> tuple[tuple[Parameter, ...], tuple[str, ...]]:
    """Return the parameters of all layers of a fresh subject, and notes on what may be one."""
    layers = subject.walk.layers
    subject.pass_other_batch()
    before = [_floats(layer) for layer in layers]
    subject.terms()
    middle = [_floats(layer) for layer in layers]
    subject.backward()
    found: list[Parameter] = []
    notes: list[str] = []
    for k, layer in enumerate(layers):
        slots = {slot.name: slot for slot in slots_of(layer)}
        written = _changed(middle[k], _floats(layer))
        names = [*slots]
        if own_class(layer) is None:
            kept = before[k].keys() - _changed(before[k], middle[k]) - written - slots.keys()
            names += [name for name in before[k] if name in kept and name not in PASSED]
        for name in names:
            other = _other_name(layer, name, names, written)
            parameter = Parameter(prefixes[k] + name, k, name, slots.get(name), other)
            if name in slots or other or hasattr(layer, f"d{name}"):
                found.append(parameter)
            elif k not in frozen and not _is_gradient(layer, name) and _moves(subject, layer, name):
                notes.append(
                    f"{parameter.label} moves the value and has no d{name}: if it is a "
                    "parameter, name it in parameter_names"
                )
    return tuple(found), tuple(notes)


def _is_gradient(layer: Any, name: str) -> bool:
    return name.startswith("d") and hasattr(layer, name[1:])


def _other_name(layer: Any, name: str, names: list[str], written: set[str]) -> str:
    """Return what may be the gradient of `name` under another name; empty where it has one."""
    if getattr(layer, f"d{name}", None) is not None:
        return ""
    shape = np.shape(getattr(layer, name))
    taken = {f"d{each}" for each in names} | set(PASSED)
    shapes = shape, shape[::-1]
    fits = [each for each in written - taken if np.shape(getattr(layer, each)) in shapes]
    return min(fits, default="")


def _moves(subject: Subject, layer: Any, name: str) -> bool:
    """Tell whether moving an array of `layer` changes a term."""
    array = getattr(layer, name)
    kept, base = array.copy(), subject.terms()
    array += 2.0**-10 * np.where(array == 0, 1, array)
    try:
        return not same_bits(base, subject.terms())
    except Exception:
        return True
    finally:
        array[...] = kept


def faults_of(subject: Subject, gradients: Gradients) -> dict[str, tuple[str, str]]:
    """Return what is wrong with the form of gradients: (fault, text), by label."""
    walk, found = subject.walk, {}
    stopped, cause = walk.stopped, ""
    if subject.loss_fault:
        stopped, cause = len(walk.layers), type(subject.loss).__name__
        found[f"{cause}: inputs"] = (WRONG, subject.loss_fault)
    elif stopped:
        cause = walk.labels[stopped]
        shape = np.shape(walk.inputs[stopped])
        text = gradient_fault(walk.dinputs[stopped], "dinputs", shape)
        found[f"{cause}: inputs"] = (WRONG, text)
    unreached = (UNKNOWN, f"not reached: {cause} gives no dinputs to go on with")
    first = gradient_fault(gradients["inputs"], "dinputs", subject.inputs.shape)
    if cause:
        found["inputs"] = unreached
    elif first:
        found["inputs"] = (WRONG, first)
    elif text := _shared(subject, 0, gradients["inputs"]):
        found["inputs"] = (WRONG, text)
    for parameter in subject.parameters:
        if stopped is not None and parameter.position < stopped:
            found[parameter.label] = unreached
        elif text := _parameter_fault(subject, parameter, gradients[parameter.label]):
            found[parameter.label] = (WRONG, text)
    return found


def _parameter_fault(subject: Subject, parameter: Parameter, value: Any) -> str:
    held = subject.held(parameter)
    if not isinstance(held, np.ndarray) or held.dtype.kind != "f":
        got = held.dtype if isinstance(held, np.ndarray) else type(held).__name__
        return f"expected {parameter.name} to be an ndarray of floats, got {got}"
    text = gradient_fault(value, parameter.gradient, held.shape)
    if text and parameter.other:
        return f"{text}; {parameter.other} has that shape"
    return text or _shared(subject, parameter.position, value)


def _shared(subject: Subject, position: int, gradient: NDArray[Any]) -> str:
    """Say with which array of its layer a gradient shares memory; such arrays change together."""
    others = {p.name: subject.held(p) for p in subject.parameters if p.position == position}
    if subject.walk.inputs:
        others["inputs"] = subject.walk.inputs[position]
    for name, array in others.items():
        if isinstance(array, np.ndarray) and np.may_share_memory(gradient, array):
            if np.shares_memory(gradient, array):
                return f"expected an array of its own, got memory that {name} uses as well"
    return ""
