"""Optimizers: parameters move against their gradient g, in place.

Rate in use: ``learning_rate * (1 / (1 + decay * iterations)) * schedule(t)``, and
``w -= rate * weight_decay * w`` before the rule's own step (decoupled; biases are left alone). A
step is ``pre_update_params()``, ``update_params(layer)`` for each layer, ``post_update_params()``.
Momenta and caches live on the layer, next to the parameters they belong to
(optimizer_state.py); a rule's formula stands once, in the core.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

from . import _core
from .arrays import as_number
from .catalogue import Part
from .errors import label_of, labelled
from .multipliers import as_schedule, decay_multipliers, rate_multipliers
from .optimizer_state import checked_update, new_token, rule_named
from .parameters import NOTEBOOK_NAMES, slots_named
from .settings import is_count, is_flag, is_number, is_schedule, is_size, or_none

__all__ = ["Optimizer_Adagrad", "Optimizer_Adam", "Optimizer_RMSprop", "Optimizer_SGD"]

_update = _core.update

Settings = Mapping[str, Callable[[Any], bool]]


class RateInUse:
    """Descriptor: before the first `pre_update_params` the rate in use is the learning rate."""

    def __get__(self, optimizer: Any, owner: type | None = None) -> Any:
        return self if optimizer is None else optimizer.learning_rate


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
    current_learning_rate: Any = RateInUse()
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
        return tuple(
            float(getattr(self, name)) * (epsilon_factor if name == "epsilon" else 1.0)
            for name in rule_named(self.rule).parameters
        )

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
            There is a schedule, and `schedule_start` and `schedule_steps` are unset or used up.
        """
        rate = self.learning_rate * (1.0 / (1.0 + self.decay * self.iterations))
        if self.schedule is not None or self.weight_decay_schedule is not None:
            with labelled(label_of(self)):
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
        if not getattr(layer, "trainable", True):
            return
        try:
            state = layer.__dict__
            if state["optimizer_token"] is not self.token:
                raise LookupError
            steps, rule, rate = state["optimizer_steps"], self.rule, self.current_learning_rate
            decay, hyper = rate * self.decay_in_use, self.hyper()
            parts = []
            for name, gradient, states, factors in recipe(
                rule,
                getattr(layer, "parameter_names", NOTEBOOK_NAMES),
                getattr(layer, "learning_rate_factor", 1.0),
                getattr(layer, "weight_decay_factor", 1.0),
                getattr(layer, "epsilon_factor", 1.0),
            ):
                parameter = state[name]
                if parameter is not None:
                    constants = hyper if factors[2] == 1.0 else self.hyper(factors[2])
                    arrays = (parameter, state[gradient], states(state))
                    rates = (rate * factors[0], decay * factors[1], steps[name] + 1)
                    parts.append((*arrays, *rates, constants))
            _update(rule, tuple(parts))
        except (AttributeError, LookupError, TypeError, ValueError):
            checked_update(self, layer)
            return
        for name in steps:
            steps[name] += 1

    def post_update_params(self) -> None:
        """Count the step; call it once after the layers' updates."""
        self.iterations += 1

    def __repr__(self) -> str:
        names = [*self._shown, *self._shown_if_set]
        settings = ", ".join(
            f"{name}={getattr(self, name, None)}"
            for name in dict.fromkeys(names)
            if name in self._shown or getattr(self, name) != getattr(type(self), name)
        )
        return f"{type(self).__name__}({settings})"


class Ingredient(NamedTuple):
    """What an update needs of one parameter: names, where its states are, its factors."""

    name: str
    gradient: str
    states: Callable[[dict[str, Any]], tuple[Any, ...]]
    factors: tuple[float, float, float]  # of rate, weight decay and epsilon


@functools.lru_cache(maxsize=1024)
def recipe(
    rule: str, names: tuple[str, ...], rate: Any, weight_decay: Any, epsilon: Any
) -> tuple[Ingredient, ...]:
    """Return what an update needs of parameters with these names and factors."""
    kinds = rule_named(rule).states
    factors = SimpleNamespace(
        learning_rate_factor=rate, weight_decay_factor=weight_decay, epsilon_factor=epsilon
    )
    return tuple(
        Ingredient(
            slot.name,
            slot.gradient,
            getter(tuple(slot.state(kind) for kind in kinds)),
            (
                slot.factor(factors, "learning_rate_factor"),
                slot.decay_factor(factors),
                slot.factor(factors, "epsilon_factor"),
            ),
        )
        for slot in slots_named(names)
    )


def getter(names: tuple[str, ...]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Return a function that takes these entries out of a dictionary, as a tuple."""
    if len(names) > 1:
        return operator.itemgetter(*names)
    return (lambda state: (state[names[0]],)) if names else (lambda state: ())


class Optimizer_SGD(Optimizer):
    """Stochastic gradient descent: ``w -= rate * g``.

    With momentum ``v = momentum * v - rate * g; w += v``; Nesterov's
    ``w += momentum * v - rate * g`` with the new v. v is `weight_momentums` and
    `bias_momentums` on the layer.

    Parameters
    ----------
    learning_rate, decay, momentum : float
    nesterov : bool
        Needs a momentum to make a difference.
    weight_decay : float
        Decoupled, ``w -= rate * weight_decay * w`` first, unlike the one of ``torch.optim.SGD``.
    schedule, weight_decay_schedule : callable, optional
        Multiply the rate and the weight decay; see `Optimizer`.

    References
    ----------
    Polyak (1964); Nesterov (1983); Sutskever et al. (2013).
    """

    core_name = "sgd"
    settings: ClassVar[Settings] = {
        **Optimizer.settings,
        "momentum": is_number,
        "nesterov": is_flag,
    }
    _shown = ("learning_rate", "decay", "momentum", "nesterov")

    momentum: float = 0.0
    nesterov: bool = False

    def __init__(
        self,
        learning_rate: float = 1.0,
        decay: float = 0.0,
        momentum: float = 0.0,
        *,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        schedule: Any = None,
        weight_decay_schedule: Any = None,
    ) -> None:
        super().__init__(learning_rate, decay, weight_decay, schedule, weight_decay_schedule)
        with labelled(type(self).__name__):
            self.momentum = as_number(momentum, "momentum")
        self.nesterov = bool(nesterov)

    @property
    def rule(self) -> str:
        """``"sgd"``, ``"momentum"`` or ``"nesterov"``."""
        if not self.momentum:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"


class Optimizer_Adagrad(Optimizer):
    """Adagrad: ``c += g^2; w -= rate * g / (sqrt(c) + epsilon)``.

    c is `weight_cache` and `bias_cache` on the layer. Where the denominator is 0 there is no
    step.

    Parameters
    ----------
    learning_rate, decay, epsilon : float
    weight_decay : float
        Decoupled, ``w -= rate * weight_decay * w`` first.
    schedule, weight_decay_schedule : callable, optional
        Multiply the rate and the weight decay; see `Optimizer`.

    References
    ----------
    Duchi, Hazan and Singer (2011).
    """

    core_name = "adagrad"
    settings: ClassVar[Settings] = {**Optimizer.settings, "epsilon": is_number}
    _shown = ("learning_rate", "decay", "epsilon")

    epsilon: float = 1e-7

    def __init__(
        self,
        learning_rate: float = 1.0,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        *,
        weight_decay: float = 0.0,
        schedule: Any = None,
        weight_decay_schedule: Any = None,
    ) -> None:
        super().__init__(learning_rate, decay, weight_decay, schedule, weight_decay_schedule)
        with labelled(type(self).__name__):
            self.epsilon = as_number(epsilon, "epsilon")


class Optimizer_RMSprop(Optimizer):
    """RMSprop: ``c = rho c + (1 - rho) g^2; w -= rate * g / (sqrt(c) + epsilon)``.

    c is `weight_cache` and `bias_cache` on the layer. Where the denominator is 0 there is no
    step.

    Parameters
    ----------
    learning_rate, decay, epsilon, rho : float
    weight_decay : float
        Decoupled, ``w -= rate * weight_decay * w`` first.
    schedule, weight_decay_schedule : callable, optional
        Multiply the rate and the weight decay; see `Optimizer`.

    References
    ----------
    Tieleman and Hinton (2012), lecture 6.5.
    """

    core_name = "rmsprop"
    settings: ClassVar[Settings] = {**Optimizer.settings, "epsilon": is_number, "rho": is_number}
    _shown = ("learning_rate", "decay", "epsilon", "rho")

    epsilon: float = 1e-7
    rho: float = 0.9

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        rho: float = 0.9,
        *,
        weight_decay: float = 0.0,
        schedule: Any = None,
        weight_decay_schedule: Any = None,
    ) -> None:
        super().__init__(learning_rate, decay, weight_decay, schedule, weight_decay_schedule)
        with labelled(type(self).__name__):
            self.epsilon = as_number(epsilon, "epsilon")
            self.rho = as_number(rho, "rho", below=1.0)


class Optimizer_Adam(Optimizer):
    """Adam with decoupled weight decay.

    With t the steps that the parameter's own arrays have seen, this one included::

        w -= rate * weight_decay * w                     (weights only, first)
        m  = beta_1 m + (1 - beta_1) g;    m_hat = m / (1 - beta_1^t)
        c  = beta_2 c + (1 - beta_2) g^2;  c_hat = c / (1 - beta_2^t)
        w -= rate * m_hat / (sqrt(c_hat) + epsilon)

    With `amsgrad` the largest c so far takes the place of c in c_hat. With `epsilon_hat` epsilon
    is added before the correction: ``epsilon / sqrt(1 - beta_2^t)`` takes its place. m is
    `weight_momentums`, `bias_momentums`, c is `weight_cache`, `bias_cache` on the layer, and the
    largest c `weight_cache_max`, `bias_cache_max`. Where the denominator is 0 there is no step.

    Parameters
    ----------
    learning_rate, decay, epsilon, beta_1, beta_2 : float
    weight_decay : float
        Decoupled, unlike the one of ``torch.optim.Adam``.
    amsgrad, epsilon_hat : bool
    schedule, weight_decay_schedule : callable, optional
        Multiply the rate and the weight decay; see `Optimizer`.

    References
    ----------
    Kingma and Ba (2015); Loshchilov and Hutter (2019); Reddi, Kale and Kumar (2018).
    """

    core_name = "adam"
    settings: ClassVar[Settings] = {
        **Optimizer.settings,
        "epsilon": is_number,
        "beta_1": is_number,
        "beta_2": is_number,
        "amsgrad": is_flag,
        "epsilon_hat": is_flag,
    }
    _shown = ("learning_rate", "decay", "epsilon", "beta_1", "beta_2", "weight_decay")
    _shown_if_set = ("amsgrad", "epsilon_hat", *Optimizer._shown_if_set)

    epsilon: float = 1e-7
    beta_1: float = 0.9
    beta_2: float = 0.999
    amsgrad: bool = False
    epsilon_hat: bool = False

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        *,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        epsilon_hat: bool = False,
        schedule: Any = None,
        weight_decay_schedule: Any = None,
    ) -> None:
        super().__init__(learning_rate, decay, weight_decay, schedule, weight_decay_schedule)
        with labelled(type(self).__name__):
            self.epsilon = as_number(epsilon, "epsilon")
            self.beta_1 = as_number(beta_1, "beta_1", below=1.0)
            self.beta_2 = as_number(beta_2, "beta_2", below=1.0)
        self.amsgrad = bool(amsgrad)
        self.epsilon_hat = bool(epsilon_hat)

    @property
    def rule(self) -> str:
        """``"adam"`` or ``"amsgrad"``."""
        return "amsgrad" if self.amsgrad else "adam"
