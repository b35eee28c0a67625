"""Updates off the usual path: a layer's first update, and arrays that need conversion.

`Optimizer.update_params` calls the compiled update at once; only what it leaves alone comes here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _core
from ..arrays import Array, as_floats
from ..errors import label_of, labelled
from ..layers.parameters import Slot, check_writeable, slots_of
from .state import (
    Rule,
    check_states,
    claim,
    ownership,
    rule_named,
    set_steps,
    steps_of,
)


class Settings(NamedTuple):
    """What a step makes of one parameter, but for the rate: factors and the rule's constants."""

    rate_factor: float
    decay: float  # the optimizer's
    decay_factor: float
    constants: tuple[float, ...]


class Operands(NamedTuple):
    """The arrays of one parameter: what the layer holds, and what the core takes."""

    held: list[Array]  # the parameter, then its states
    ready: list[Array]
    gradient: Array


def checked_update(optimizer: Any, layer: Any) -> None:
    """Update a layer where the plain call did not: its first step, or arrays to be converted.

    Everything is checked before anything changes. Arrays that the core does not take as they are
    are updated on copies that are written back in place, so that views and references stay live.

    Raises
    ------
    TypeError, ValueError
        A missing or misshapen gradient, an array that cannot be changed, a setting that is none.
    """
    slots, rule = slots_of(layer), rule_named(optimizer.rule)
    for slot in slots:
        check_gradient(layer, slot)
    if ownership(optimizer, layer) != "fresh":
        for slot in slots:
            check_states(layer, slot, rule.states, in_place=True)
    settings = [settings_of(optimizer, layer, slot) for slot in slots]
    if slots:
        claim(optimizer, layer)
        step(optimizer, layer, rule, dict(zip(slots, settings, strict=True)))


def settings_of(optimizer: Any, layer: Any, slot: Slot) -> Settings:
    """Return what a step of the optimizer makes of a parameter."""
    rate = slot.factor(layer, "learning_rate_factor")
    decay, epsilon = slot.decay_factor(layer), slot.factor(layer, "epsilon_factor")
    with labelled(type(optimizer).__name__):
        float(optimizer.current_learning_rate)
        constants = tuple(float(each) for each in optimizer.hyper(epsilon))
        return Settings(rate, float(optimizer.decay_in_use), decay, constants)


def step(optimizer: Any, layer: Any, rule: Rule, settings: dict[Slot, Settings]) -> None:
    """Update the parameters of a layer whose arrays are the optimizer's own."""
    rate, counts = float(optimizer.current_learning_rate), {}
    counted = getattr(layer, "optimizer_steps", None) is not None
    operands = {slot: operands_of(layer, slot, rule.states) for slot in settings}
    written = [array for each in operands.values() for array in each.ready]
    parts = []
    for slot, own in settings.items():
        parameter, *states = operands[slot].ready
        gradient = operands[slot].gradient
        if any(np.may_share_memory(gradient, array) for array in written):
            gradient = gradient.copy()
        counts[slot] = (steps_of(layer, slot) if counted else int(optimizer.iterations)) + 1
        numbers = (rate * own.rate_factor, rate * own.decay * own.decay_factor, counts[slot])
        parts.append((parameter, gradient, tuple(states), *numbers, own.constants))
    with labelled(label_of(layer)):
        _core.update(rule.name, tuple(parts))
    for each in operands.values():
        for array, copy in zip(each.held, each.ready, strict=True):
            if copy is not array:
                array[...] = copy
    for slot, count in counts.items():
        if counted:
            set_steps(layer, slot, count)


def operands_of(layer: Any, slot: Slot, kinds: tuple[str, ...]) -> Operands:
    """Return a parameter's arrays; the layer gets the states that it lacks, as zeros."""
    for name in map(slot.state, kinds):
        if getattr(layer, name, None) is None:
            setattr(layer, name, np.zeros_like(getattr(layer, slot.name), subok=False))
    names = (slot.name, *map(slot.state, kinds))
    held = [getattr(layer, name) for name in names]
    dtype = as_floats(held[0], slot.name).dtype
    found = [as_floats(array, name, dtype) for array, name in zip(held, names, strict=True)]
    ready = [
        copy if copy is array else copy.copy() for copy, array in zip(found, held, strict=True)
    ]
    gradient = as_floats(getattr(layer, slot.gradient), slot.gradient, dtype)
    return Operands(held, ready, gradient)


def check_gradient(layer: Any, slot: Slot) -> None:
    """Refuse a parameter that cannot be updated, or a gradient that does not fit it.

    Raises
    ------
    TypeError
        The parameter is no array of floats.
    ValueError
        It is read-only, its gradient is missing or has another shape.
    """
    held = getattr(layer, slot.name)
    with labelled(label_of(layer)):
        check_writeable(held, slot.name)
        as_floats(held, slot.name)
        gradient = getattr(layer, slot.gradient, None)
        if gradient is None:
            raise ValueError(
                f"{slot.gradient}: expected a backward call before the update, got none"
            )
        got = np.shape(as_floats(gradient, slot.gradient))
        if got != held.shape:
            raise ValueError(f"{slot.gradient}: expected {held.shape}, got {got}")
