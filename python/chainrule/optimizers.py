"""Optimizers: parameters move against their gradient g, in place.

Rate in use: ``learning_rate * (1 / (1 + decay * iterations))``. A step is
``pre_update_params()``, ``update_params(layer)`` for each layer, ``post_update_params()``.
Momenta and caches live on the layer, next to the parameters they belong to.
"""

from __future__ import annotations

from typing import Any, ClassVar

from . import _core
from .arrays import as_number
from .errors import label_of, labelled
from .updates import BIASES, WEIGHTS, check_gradient, converted_update

__all__ = ["Optimizer_Adagrad", "Optimizer_Adam", "Optimizer_RMSprop", "Optimizer_SGD"]

_sgd_update = _core.sgd_update
_sgd_momentum_update = _core.sgd_momentum_update
_adagrad_update = _core.adagrad_update
_rmsprop_update = _core.rmsprop_update
_adam_update = _core.adam_update


class Optimizer:
    """What the optimizers share: the rate, its decay and the count of steps.

    Attributes
    ----------
    learning_rate, decay : float
    current_learning_rate : float
        The rate of the step in progress, set by `pre_update_params`.
    iterations : int
        Steps done.
    """

    _settings: ClassVar[tuple[str, ...]] = ("learning_rate", "decay")

    def __init__(self, learning_rate: float, decay: float) -> None:
        with labelled(type(self).__name__):
            self.learning_rate = as_number(learning_rate, "learning_rate")
            self.decay = as_number(decay, "decay")
        self.current_learning_rate = self.learning_rate
        self.iterations = 0

    def pre_update_params(self) -> None:
        """Set the rate of this step; call it once before the layers' updates."""
        self.current_learning_rate = self.learning_rate * (
            1.0 / (1.0 + self.decay * self.iterations)
        )

    def update_params(self, layer: Any) -> None:
        """Update the weights and biases of `layer` in place by its dweights and dbiases.

        Raises
        ------
        ValueError
            No `backward` came before, or a gradient of another shape; nothing has changed.
        """
        raise NotImplementedError(f"{label_of(self)}: expected an update_params(layer)")

    def post_update_params(self) -> None:
        """Count the step; call it once after the layers' updates."""
        self.iterations += 1

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={self.__dict__.get(name)}" for name in self._settings)
        return f"{type(self).__name__}({settings})"


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

    References
    ----------
    Polyak (1964); Nesterov (1983); Sutskever et al. (2013).
    """

    _settings = ("learning_rate", "decay", "momentum", "nesterov")

    def __init__(
        self,
        learning_rate: float = 1.0,
        decay: float = 0.0,
        momentum: float = 0.0,
        *,
        nesterov: bool = False,
    ) -> None:
        super().__init__(learning_rate, decay)
        with labelled(type(self).__name__):
            self.momentum = as_number(momentum, "momentum")
        self.nesterov = bool(nesterov)

    def update_params(self, layer: Any) -> None:
        """Update the weights and biases of `layer` in place.

        Raises
        ------
        ValueError
            No `backward` came before, or a gradient of another shape; nothing has changed.
        """
        rate = self.current_learning_rate
        if self.momentum:
            self._momentum_update(layer, (rate, self.momentum, self.nesterov))
            return
        try:
            state = layer.__dict__
            biases, dbiases = state["biases"], state["dbiases"]
            if biases.shape != dbiases.shape:
                check_gradient(layer, "biases", "dbiases")
            _sgd_update(state["weights"], state["dweights"], rate)
        except (AttributeError, LookupError, TypeError, ValueError):
            parts = ((WEIGHTS, (rate,)), (BIASES, (rate,)))
            converted_update(_sgd_update, layer, (), *parts)
            return
        try:
            _sgd_update(biases, dbiases, rate)
        except (AttributeError, LookupError, TypeError, ValueError):
            converted_update(_sgd_update, layer, (), (BIASES, (rate,)))

    def _momentum_update(self, layer: Any, settings: tuple[float, float, bool]) -> None:
        try:
            state = layer.__dict__
            biases, dbiases = state["biases"], state["dbiases"]
            if biases.shape != dbiases.shape:
                check_gradient(layer, "biases", "dbiases")
            momentums = state["weight_momentums"]
            _sgd_momentum_update(state["weights"], state["dweights"], momentums, *settings)
        except (AttributeError, LookupError, TypeError, ValueError):
            parts = ((WEIGHTS, settings), (BIASES, settings))
            converted_update(_sgd_momentum_update, layer, ("momentums",), *parts)
            return
        try:
            _sgd_momentum_update(biases, dbiases, state["bias_momentums"], *settings)
        except (AttributeError, LookupError, TypeError, ValueError):
            converted_update(_sgd_momentum_update, layer, ("momentums",), (BIASES, settings))


class Optimizer_Adagrad(Optimizer):
    """Adagrad: ``c += g^2; w -= rate * g / (sqrt(c) + epsilon)``.

    c is `weight_cache` and `bias_cache` on the layer.

    Parameters
    ----------
    learning_rate, decay, epsilon : float

    References
    ----------
    Duchi, Hazan and Singer (2011).
    """

    _settings = ("learning_rate", "decay", "epsilon")

    def __init__(
        self, learning_rate: float = 1.0, decay: float = 0.0, epsilon: float = 1e-7
    ) -> None:
        super().__init__(learning_rate, decay)
        with labelled(type(self).__name__):
            self.epsilon = as_number(epsilon, "epsilon")

    def update_params(self, layer: Any) -> None:
        """Update the weights and biases of `layer` in place.

        Raises
        ------
        ValueError
            No `backward` came before, or a gradient of another shape; nothing has changed.
        """
        settings = (self.current_learning_rate, self.epsilon)
        try:
            state = layer.__dict__
            biases, dbiases = state["biases"], state["dbiases"]
            if biases.shape != dbiases.shape:
                check_gradient(layer, "biases", "dbiases")
            _adagrad_update(state["weights"], state["dweights"], state["weight_cache"], *settings)
        except (AttributeError, LookupError, TypeError, ValueError):
            parts = ((WEIGHTS, settings), (BIASES, settings))
            converted_update(_adagrad_update, layer, ("cache",), *parts)
            return
        try:
            _adagrad_update(biases, dbiases, state["bias_cache"], *settings)
        except (AttributeError, LookupError, TypeError, ValueError):
            converted_update(_adagrad_update, layer, ("cache",), (BIASES, settings))


class Optimizer_RMSprop(Optimizer):
    """RMSprop: ``c = rho c + (1 - rho) g^2; w -= rate * g / (sqrt(c) + epsilon)``.

    c is `weight_cache` and `bias_cache` on the layer.

    Parameters
    ----------
    learning_rate, decay, epsilon, rho : float

    References
    ----------
    Tieleman and Hinton (2012), lecture 6.5.
    """

    _settings = ("learning_rate", "decay", "epsilon", "rho")

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        rho: float = 0.9,
    ) -> None:
        super().__init__(learning_rate, decay)
        with labelled(type(self).__name__):
            self.epsilon = as_number(epsilon, "epsilon")
            self.rho = as_number(rho, "rho", below=1.0)

    def update_params(self, layer: Any) -> None:
        """Update the weights and biases of `layer` in place.

        Raises
        ------
        ValueError
            No `backward` came before, or a gradient of another shape; nothing has changed.
        """
        settings = (self.current_learning_rate, self.epsilon, self.rho)
        try:
            state = layer.__dict__
            biases, dbiases = state["biases"], state["dbiases"]
            if biases.shape != dbiases.shape:
                check_gradient(layer, "biases", "dbiases")
            _rmsprop_update(state["weights"], state["dweights"], state["weight_cache"], *settings)
        except (AttributeError, LookupError, TypeError, ValueError):
            parts = ((WEIGHTS, settings), (BIASES, settings))
            converted_update(_rmsprop_update, layer, ("cache",), *parts)
            return
        try:
            _rmsprop_update(biases, dbiases, state["bias_cache"], *settings)
        except (AttributeError, LookupError, TypeError, ValueError):
            converted_update(_rmsprop_update, layer, ("cache",), (BIASES, settings))


class Optimizer_Adam(Optimizer):
    """Adam with decoupled weight decay.

    With ``t = iterations + 1``::

        w -= rate * weight_decay * w                     (weights only, first)
        m  = beta_1 m + (1 - beta_1) g;    m_hat = m / (1 - beta_1^t)
        c  = beta_2 c + (1 - beta_2) g^2;  c_hat = c / (1 - beta_2^t)
        w -= rate * m_hat / (sqrt(c_hat) + epsilon)

    m is `weight_momentums`, `bias_momentums` and c is `weight_cache`, `bias_cache` on the
    layer.

    Parameters
    ----------
    learning_rate, decay, epsilon, beta_1, beta_2, weight_decay : float

    References
    ----------
    Kingma and Ba (2015); Loshchilov and Hutter (2019).
    """

    _settings = ("learning_rate", "decay", "epsilon", "beta_1", "beta_2", "weight_decay")

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, decay)
        with labelled(type(self).__name__):
            self.epsilon = as_number(epsilon, "epsilon")
            self.beta_1 = as_number(beta_1, "beta_1", below=1.0)
            self.beta_2 = as_number(beta_2, "beta_2", below=1.0)
            self.weight_decay = as_number(weight_decay, "weight_decay")

    def update_params(self, layer: Any) -> None:
        """Update the weights and biases of `layer` in place.

        Raises
        ------
        ValueError
            No `backward` came before, or a gradient of another shape; nothing has changed.
        """
        rate, beta_1, beta_2 = self.current_learning_rate, self.beta_1, self.beta_2
        t = self.iterations + 1
        unbias = (rate, beta_1, beta_2, 1.0 - beta_1**t, 1.0 - beta_2**t, self.epsilon)
        decay = rate * self.weight_decay
        try:
            state = layer.__dict__
            biases, dbiases = state["biases"], state["dbiases"]
            if biases.shape != dbiases.shape:
                check_gradient(layer, "biases", "dbiases")
            m, c = state["weight_momentums"], state["weight_cache"]
            _adam_update(state["weights"], state["dweights"], m, c, *unbias, decay)
        except (AttributeError, LookupError, TypeError, ValueError):
            parts = ((WEIGHTS, (*unbias, decay)), (BIASES, (*unbias, 0.0)))
            converted_update(_adam_update, layer, ("momentums", "cache"), *parts)
            return
        try:
            m, c = state["bias_momentums"], state["bias_cache"]
            _adam_update(biases, dbiases, m, c, *unbias, 0.0)
        except (AttributeError, LookupError, TypeError, ValueError):
            part = (BIASES, (*unbias, 0.0))
            converted_update(_adam_update, layer, ("momentums", "cache"), part)
