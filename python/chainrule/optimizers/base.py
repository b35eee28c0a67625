"""What the optimizers share: the rate in use, its schedules, the count of steps, and the step.

A step takes one compiled call a layer; what that call cannot take as it is goes the careful way
of updates.py. Whose the arrays on a layer are is said in state.py.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from .. import _core
from ..arrays import as_number
from ..catalogue import Part
from ..errors import labelled
from ..layers.parameters import NOTEBOOK_NAMES, slots_named
from ..multipliers import as_schedule, decay_multipliers, rate_multipliers
from ..settings import Settings, is_count, is_number, is_schedule, is_size, or_none
from .state import new_token, rule_named
from .updates import checked_update

_update_layer = _core.update_layer


class Optimizer(Part):
    """What the optimizers share: the rate, its decay and schedule, the count of steps, the step.

    Attributes
    ----------
    learning_rate, decay, weight_decay : float
    schedule, weight_decay_schedule : callable or None
        What multiplies the rate and the weight decay: functions of the share t of the training
        done, array in, array out; ``t = (iterations - schedule_start) / schedule_steps``.
    schedule_start, schedule_steps : int or None
        Where the schedules begin and how long they last. `Model.train` sets both where they are
        absent or used up; a loop of your own must.
    current_learning_rate, current_weight_decay : float
        Those of the step in progress, set by `pre_update_params`.
    iterations : int
        Steps done.
    token : int or None
        Marks the arrays that this optimizer leaves on layers; copies and pickles keep it.
    """

    kind: ClassVar[str] = "optimizer"
    settings: ClassVar[Settings] = {
        "learning_rate": is_number,
        "decay": is_number,
        "current_learning_rate": is_number,
        "iterations": is_count,
        "weight_decay": is_number,
        "schedule": is_schedule,
        "weight_decay_schedule": is_schedule,
        "schedule_start": or_none(is_count),
        "schedule_steps": or_none(is_size),
    }
    mathematics: ClassVar[tuple[str, ...]] = (
        "pre_update_params",
        "update_params",
        "post_update_params",
        "rule",
        "hyper",
    )
    _shown: ClassVar[tuple[str, ...]] = ("learning_rate", "decay")
    _shown_if_set: ClassVar[tuple[str, ...]] = ("schedule", "weight_decay", "weight_decay_schedule")

    learning_rate: float
    decay: float = 0.0
    current_learning_rate: float
    iterations: int = 0
    weight_decay: float = 0.0
    current_weight_decay: float = 0.0
    schedule: Any = None
    weight_decay_schedule: Any = None
    schedule_start: int | None = None
    schedule_steps: int | None = None
    token: int | None = None
    told_of_another_model: bool = False

    def __init__(
        self,
        learning_rate: float,
        decay: float,
        weight_decay: float = 0.0,
        schedule: Any = None,
        weight_decay_schedule: Any = None,
    ) -> None:
        with labelled(type(self).__name__):
            self.learning_rate = as_number(learning_rate, "learning_rate")
            self.decay = as_number(decay, "decay")
            self.weight_decay = as_number(weight_decay, "weight_decay")
            self.schedule = as_schedule(schedule, "schedule")
            name = "weight_decay_schedule"
            self.weight_decay_schedule = as_schedule(weight_decay_schedule, name)
        self.current_learning_rate = self.learning_rate
        self.iterations = 0
        self.token = new_token()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "current_learning_rate" not in state and "learning_rate" in state:
            self.current_learning_rate = self.learning_rate  # pickled by a class that had none

    @property
    def rule(self) -> str:
        """The rule's name in the core."""
        return self.core_name

    @property
    def states(self) -> tuple[str, ...]:
        """The kinds of arrays that the rule keeps for each parameter."""
        return rule_named(self.rule).states

    def hyper(self, epsilon_factor: float = 1.0) -> tuple[float, ...]:
        """Return the rule's constants in the core's order, epsilon times a layer's factor."""
        values = plain(self.rule).constants(self)
        if epsilon_factor != 1.0 and hasattr(self, "epsilon"):
            return (values[0] * epsilon_factor, *values[1:])  # epsilon comes first in every rule
        return values

    @property
    def decay_in_use(self) -> float:
        """The weight decay of the step in progress, without the rate."""
        return (
            self.weight_decay if self.weight_decay_schedule is None else self.current_weight_decay
        )

    def pre_update_params(self) -> None:
        """Set the rate and the weight decay of this step; call it once before the layers' updates.

        Raises
        ------
        ValueError
            There is a schedule, and `schedule_start` and `schedule_steps` are unset or used up; a
            setting is an int beyond float64.
        """
        try:
            rate = self.learning_rate * (1.0 / (1.0 + self.decay * self.iterations))
        except OverflowError:
            raise beyond_float64(self) from None
        if self.schedule is not None or self.weight_decay_schedule is not None:
            with labelled(type(self).__name__):
                step = int(self.iterations)
                rate *= float(rate_multipliers(self, step, 1)[0])
                multiplier = float(decay_multipliers(self, step, 1)[0])
                self.current_weight_decay = self.weight_decay * multiplier
        self.current_learning_rate = rate

    def update_params(self, layer: Any) -> None:
        """Update the parameters of `layer` in place by their gradients; a frozen layer stays.

        Raises
        ------
        TypeError, ValueError
            No `backward` came before, a gradient or an array of another shape, an array that is
            read-only; nothing has changed.
        """
        rate = self.current_learning_rate
        decay = self.weight_decay if self.weight_decay_schedule is None else self.decay_in_use
        try:
            rule, recipes, constants = PLAIN[self.rule]
            decay *= rate
            if _update_layer(layer, self.token, rule, recipes, rate, decay, constants(self)):
                return
        except (AttributeError, LookupError, TypeError, ValueError):
            pass  # the other way finds the words
        except OverflowError:
            raise beyond_float64(self) from None
        if not getattr(layer, "trainable", True):
            return
        add_recipe(self.rule, layer)
        try:
            checked_update(self, layer)
        except OverflowError:
            raise beyond_float64(self) from None

    def post_update_params(self) -> None:
        """Count the step; call it once after the layers' updates."""
        self.iterations += 1

    def __repr__(self) -> str:
        own = (name for name in self.settings if name not in Optimizer.settings)
        names = [*self._shown, *own, *self._shown_if_set]
        settings = ", ".join(
            f"{name}={getattr(self, name, None)}"
            for name in dict.fromkeys(names)
            if name in self._shown or getattr(self, name) != getattr(type(self), name, None)
        )
        return f"{type(self).__name__}({settings})"


def beyond_float64(optimizer: Any) -> ValueError:
    """Return the error of an optimizer with a setting that is no float."""
    name = type(optimizer).__name__
    return ValueError(f"{name}: expected settings within float64, got a larger int")


# What an update needs of each parameter, as `_core.update_layer` takes it: its name, that of its
# gradient, those of its states, its place, and whether one decay factor acts on it.
Recipe = tuple[tuple[str, str, tuple[str, ...], int, bool], ...]


class Plain(NamedTuple):
    """A rule, its recipes by the names of a layer's parameters, and a reader of its constants.

    Names are None for a layer that has no `parameter_names`.
    """

    rule: str
    recipes: dict[tuple[str, ...] | None, Recipe]
    constants: Callable[[Any], tuple[float, ...]]


PLAIN: dict[str, Plain] = {}


def plain(rule: str) -> Plain:
    """Return a rule's entry in PLAIN, made where it is missing."""
    if rule not in PLAIN:
        constants = getter(rule_named(rule).parameters)
        PLAIN[rule] = Plain(rule, {}, constants)
    return PLAIN[rule]


def add_recipe(rule: str, layer: Any) -> None:
    """Make a recipe for the layer's names where there is none."""
    names, recipes = getattr(layer, "parameter_names", None), plain(rule).recipes
    if (names is not None and type(names) is not tuple) or names in recipes:
        return
    kinds = rule_named(rule).states
    recipes[names] = tuple(
        (
            slot.name,
            slot.gradient,
            tuple(slot.state(kind) for kind in kinds),
            slot.place,
            slot.name != "biases",
        )
        for slot in slots_named(NOTEBOOK_NAMES if names is None else names)
    )


def getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that takes attributes out of an object, as a tuple."""
    if not names:
        return nothing
    taken = operator.attrgetter(*names)
    return taken if len(names) > 1 else lambda thing: (taken(thing),)


def nothing(thing: Any) -> tuple[()]:
    """Return no attributes."""
    return ()
