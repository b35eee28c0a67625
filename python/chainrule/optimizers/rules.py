"""Optimizers: parameters move against their gradient g, in place.

Rate in use: ``learning_rate * (1 / (1 + decay * iterations)) * schedule(t)``, and
``w -= rate * weight_decay * w`` before the rule's own step (decoupled; biases are left alone). A
step is ``pre_update_params()``, ``update_params(layer)`` for each layer, ``post_update_params()``.
Momenta and caches live on the layer, next to the parameters they belong to; what all the
optimizers share is in base.py, the rules' formulas are in the core.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..arrays import as_number
from ..errors import labelled
from ..settings import Settings, is_flag, is_number
from .base import Optimizer

__all__ = ["Optimizer_Adagrad", "Optimizer_Adam", "Optimizer_RMSprop", "Optimizer_SGD"]


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
