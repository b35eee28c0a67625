"""An optimizer's arrays on a layer: whose they are, and how many steps they have seen.

A layer keeps, beside the arrays of each parameter (``weight_momentums``, ``weight_cache``, ...),
``optimizer_token``, which says whose they are, and ``optimizer_steps``, the steps done a parameter.
An optimizer that finds another's arrays drops them and begins at zero; one that finds its own,
also after a copy, a pickle or a file, goes on.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np

from .. import _core
from ..arrays import Array, as_floats
from ..errors import label_of, labelled
from ..layers.parameters import Slot, check_writeable, names_of, slots_named, slots_of

MOST_ITERATIONS = 2**62  # the core counts on from there

Ownership = Literal["own", "adopted", "fresh"]


class Rule(NamedTuple):
    """A row of the core's rules: its state arrays and its parameters, in its order."""

    name: str
    states: tuple[str, ...]
    parameters: tuple[str, ...]


@functools.cache
def rule_named(name: str) -> Rule:
    """Return the core's rule of this name; an unknown one is a ValueError."""
    rows = {row["name"]: row for row in _core.catalogue()["rules"]}
    if name not in rows:
        raise ValueError(f"rule: expected one of {', '.join(rows)}, got {name!r}")
    return Rule(name, tuple(rows[name]["states"]), tuple(rows[name]["parameters"]))


@functools.cache
def state_kinds() -> tuple[str, ...]:
    """Return every kind of state array that a rule has: momentums, cache, cache_max."""
    found: dict[str, None] = {}
    for row in _core.catalogue()["rules"]:
        found.update(dict.fromkeys(row["states"]))
    return tuple(found)


# --- ownership ----------------------------------------------------------------------------------


def own_token(optimizer: Any) -> int:
    """Return the number that marks this optimizer's arrays, drawn where it has none yet."""
    if optimizer.token is None:
        optimizer.token = new_token()
    token: int = optimizer.token
    return token


def new_token() -> int:
    """Return a random 64-bit number; it comes from no generator that a seed repeats."""
    return int.from_bytes(os.urandom(8), "little")


def ownership(optimizer: Any, layer: Any) -> Ownership:
    """Tell what this optimizer does with the arrays on a layer.

    ``"own"`` arrays go on. Those of a layer without a token are ``"adopted"`` by an optimizer that
    has done steps: both come from before tokens were kept. Otherwise it starts ``"fresh"``.
    """
    token = getattr(layer, "optimizer_token", None)
    if token is not None and token == optimizer.token:
        return "own"
    return "adopted" if token is None and optimizer.iterations > 0 else "fresh"


def claim(optimizer: Any, layer: Any) -> None:
    """Make the optimizer's arrays on a layer its own: go on, adopt, or drop what is there.

    An optimizer that has done steps and finds another one's arrays starts its iterations anew.
    A layer that takes no new attributes keeps no token: there the iterations alone decide.
    """
    how = ownership(optimizer, layer)
    if how == "own":
        layer.optimizer_token = optimizer.token  # the very object: an update compares identities
        for slot in slots_of(layer):
            forget_steps(layer, slot, optimizer.states)
        return
    came_back = getattr(layer, "optimizer_token", None) is not None and optimizer.iterations > 0
    if how == "fresh":
        drop_arrays(layer)
    steps = {
        slot.name: int(optimizer.iterations) if has_arrays(layer, slot) else 0
        for slot in slots_of(layer)
    }
    try:
        layer.optimizer_token = own_token(optimizer)
        layer.optimizer_steps = steps
    except AttributeError:
        pass
    if came_back:
        optimizer.iterations = 0
        if optimizer.schedule_start is not None:
            optimizer.schedule_start = 0
        optimizer.pre_update_params()


def claim_layers(optimizer: Any, layers: Iterable[Any]) -> None:
    """Claim the layers of a model for one of the package's optimizers, before its first step.

    Warns
    -----
    UserWarning
        Once, where the optimizer has done steps, but none of them in this model.
    """
    found = list(layers)
    check_iterations(optimizer)
    done, told = optimizer.iterations, optimizer.told_of_another_model
    elsewhere = optimizer.token is not None and done > 0 and not told
    if elsewhere and found and all(is_untouched(layer) for layer in found):
        optimizer.told_of_another_model = True
        warnings.warn(
            f"{type(optimizer).__name__}: goes on from its {done} iterations of another model; "
            "an optimizer of its own would begin anew",
            stacklevel=2,
        )
    for layer in found:
        claim(optimizer, layer)


def check_iterations(optimizer: Any) -> None:
    """Refuse a count of steps that is none, or has no room for more."""
    done = optimizer.iterations
    known = isinstance(done, int | float | np.integer | np.floating)
    if not known or not 0 <= done <= MOST_ITERATIONS:
        got = "another number" if known else type(done).__name__
        raise ValueError(
            f"{type(optimizer).__name__}: iterations: expected a count from 0 to 2**62, got {got}"
        )


def is_untouched(layer: Any) -> bool:
    """Tell whether no optimizer has left anything on the layer."""
    return getattr(layer, "optimizer_token", None) is None and not any(
        has_arrays(layer, slot) for slot in slots_of(layer)
    )


def has_arrays(layer: Any, slot: Slot) -> bool:
    """Tell whether an optimizer has left arrays of a parameter."""
    return any(getattr(layer, slot.state(kind), None) is not None for kind in state_kinds())


def drop_arrays(layer: Any) -> None:
    """Remove every optimizer's arrays from a layer."""
    for slot in slots_named(names_of(layer)):
        for kind in state_kinds():
            try:
                delattr(layer, slot.state(kind))
            except AttributeError:
                pass


# --- arrays and steps ---------------------------------------------------------------------------


def state_arrays(layer: Any, slot: Slot, kinds: tuple[str, ...]) -> list[Array]:
    """Return a parameter's state arrays as plain arrays of its dtype, put on the layer.

    Made where they are missing, and then their steps count from 0; replaced by a plain copy where
    they are of another dtype or layout or read-only. `kinds` are those of the optimizer's rule.

    Raises
    ------
    TypeError, ValueError
        An array of another shape, or no array of numbers; then nothing has changed.
    """
    held = getattr(layer, slot.name)
    check_states(layer, slot, kinds)
    forget_steps(layer, slot, kinds)
    result: list[Array] = []
    for kind in kinds:
        name = slot.state(kind)
        array: Any = getattr(layer, name, None)
        if array is None:
            array = np.zeros(held.shape, dtype=held.dtype)
        elif type(array) is not np.ndarray or array.dtype != held.dtype or not array.flags.carray:
            array = np.array(array, dtype=held.dtype, order="C")
        if getattr(layer, name, None) is not array:
            setattr(layer, name, array)
        result.append(array)
    return result


def check_states(layer: Any, slot: Slot, kinds: Iterable[str], *, in_place: bool = False) -> None:
    """Refuse state arrays that do not fit their parameter, or cannot be changed `in_place`."""
    shape = np.shape(getattr(layer, slot.name))
    with labelled(label_of(layer)):
        for name in map(slot.state, kinds):
            array = getattr(layer, name, None)
            if array is None:
                continue
            if in_place:
                check_writeable(array, name)
                as_floats(array, name)
            elif not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
                got = getattr(array, "dtype", type(array).__name__)
                raise TypeError(f"{name}: expected an array of floats, got {got}")
            if array.shape != shape:
                raise ValueError(f"{name}: expected {shape}, got {array.shape}")


def steps_of(layer: Any, slot: Slot) -> int:
    """Return how many steps a parameter's state arrays have seen."""
    steps = getattr(layer, "optimizer_steps", None) or {}
    return int(steps.get(slot.name, 0))


def set_steps(layer: Any, slot: Slot, steps: int) -> None:
    """Say how many steps a parameter's state arrays have seen."""
    counts = getattr(layer, "optimizer_steps", None)
    if counts is None:
        try:
            layer.optimizer_steps = counts = {}
        except AttributeError:
            return
    counts[slot.name] = steps


def forget_steps(layer: Any, slot: Slot, kinds: Iterable[str]) -> None:
    """Count from 0 where a rule keeps arrays and none of them is there."""
    names = [slot.state(kind) for kind in kinds]
    if names and all(getattr(layer, name, None) is None for name in names):
        set_steps(layer, slot, 0)
