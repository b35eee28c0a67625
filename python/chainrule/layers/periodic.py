"""Periodic features: ``(cos(2 pi frequency x + phase) . weights + biases, x)`` of a column x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from .. import _core
from ..arrays import (
    Array,
    as_count,
    as_generator,
    as_number,
)
from ..errors import labelled
from ..settings import Settings, factors_for, is_count
from .compiled_layer import CompiledLayer, CoreFunctions
from .parameter_layer import FACTORS
from .parameters import (
    Parameter,
    initial_dtype,
)

NAMES = ("frequencies", "phases", "weights", "biases")


class Layer_PeriodicFeatures(CompiledLayer):
    """Learned periodic features in place of numeric columns.

    Each of the first `n_periodic` columns x is replaced by `n_outputs` columns::

        cos(2 pi frequencies x + phases) . weights + biases,   x

    with arrays of its own; the last of them is x itself. The columns behind pass as they are:
    ``output (n, n_periodic * n_outputs + n_inputs - n_periodic)``.

    Parameters
    ----------
    n_inputs : int
        Number of columns, at least 1.
    n_periodic : int, optional
        How many of them, from the first on, get features; all without it.
    n_frequencies : int
        Number of cosines of a column, k, at least 1.
    n_outputs : int
        Number of columns in place of one, x itself included; at least 2.
    frequency_scale : float
        Standard deviation of the initial frequencies.
    dtype : float32 or float64, optional
        Without it as for `Layer_Dense`.
    rng : numpy.random.Generator or seed, optional
        Where the initial numbers come from; without it ``numpy.random``.
    learning_rate_factor, weight_decay_factor, epsilon_factor : float or four of them
        What an optimizer's rate, weight decay and epsilon are multiplied by: for frequencies,
        phases, weights and biases apart, or one number. One `weight_decay_factor` leaves the
        biases alone.

    Attributes
    ----------
    frequencies, phases : ndarray (n_periodic, k)
        Turns for each unit of x, at first normal with deviation `frequency_scale`; angles in
        radians, at first uniform between -pi and pi.
    weights, biases : ndarray (n_periodic, k, n_outputs - 1), (n_periodic, n_outputs - 1)
        At first uniform within ``1 / sqrt(k)``.
    inputs, output : set by `forward`
    dfrequencies, dphases, dweights, dbiases, dinputs : set by `backward`

    Raises
    ------
    TypeError, ValueError
        A size out of range, a negative scale or factor, another dtype.

    Notes
    -----
    With ``e = dvalues . weights^T`` over a column's mixtures and ``s = -e sin(2 pi frequencies x +
    phases)``: ``dphases = sum s``, ``dfrequencies = 2 pi sum x s``, ``dweights = sum cos(...)
    dvalues``, ``dbiases = sum dvalues``, each over the samples; ``dinputs = dvalues of x itself + 2
    pi sum of frequencies s`` over the frequencies.

    The angle is computed in turns, ``frequency * x + phase / (2 pi)``, rounded once or twice; the
    whole turns taken off are exact, however many they are.

    References
    ----------
    Gorishniy, Rubachev, Babenko (2022); Holzmüller, Grinsztajn, Steinwart (2024).
    """

    parameter_names: ClassVar[tuple[str, ...]] = NAMES
    parameter_shapes: ClassVar[Mapping[str, tuple[int | str, ...]]] = {
        "frequencies": ("n_periodic", "n_frequencies"),
        "phases": ("n_periodic", "n_frequencies"),
        "weights": ("n_periodic", "n_frequencies", "n_mixed"),
        "biases": ("n_periodic", "n_mixed"),
    }
    settings: ClassVar[Settings] = {
        **CompiledLayer.settings,
        **{
            f"{kind}_factor": factors_for(4)
            for kind in ("learning_rate", "weight_decay", "epsilon")
        },
        "n_passed": is_count,
    }

    core = CoreFunctions(_core.periodic_forward, _core.periodic_backward, _core.periodic_gradients)

    dfrequencies: Array
    dphases: Array
    dweights: Array
    dbiases: Array

    if TYPE_CHECKING:
        frequencies: Array
        phases: Array
        biases: Array
    else:
        frequencies = Parameter()
        phases = Parameter()
        biases = Parameter()

    def __init__(
        self,
        n_inputs: int,
        n_periodic: int | None = None,
        *,
        n_frequencies: int = 16,
        n_outputs: int = 4,
        frequency_scale: float = 0.1,
        dtype: DTypeLike | None = None,
        rng: Any = None,
        learning_rate_factor: Any = 1.0,
        weight_decay_factor: Any = 1.0,
        epsilon_factor: Any = 1.0,
    ) -> None:
        with labelled(type(self).__name__):
            columns = as_count(n_inputs, "n_inputs", 1)
            periodic = columns if n_periodic is None else as_count(n_periodic, "n_periodic", 1)
            if periodic > columns:
                raise ValueError(
                    f"n_periodic: expected at most n_inputs, {columns}, got {periodic}"
                )
            k = as_count(n_frequencies, "n_frequencies", 1)
            mixed = as_count(n_outputs, "n_outputs", 2) - 1
            scale = as_number(frequency_scale, "frequency_scale")
            found = initial_dtype(dtype)
            generator = None if rng is None else as_generator(rng)
            self._set_factors(learning_rate_factor, weight_decay_factor, epsilon_factor)
        self.n_passed = columns - periodic
        self._draw(periodic, k, mixed, scale, found, generator)

    def _draw(
        self,
        p: int,
        k: int,
        m: int,
        scale: float,
        dtype: np.dtype[Any],
        rng: np.random.Generator | None,
    ) -> None:
        """Draw frequencies, phases, weights and biases, in this order."""
        normal = np.random.randn if rng is None else lambda *shape: rng.standard_normal(shape)
        uniform = np.random.uniform if rng is None else rng.uniform
        bound = 1.0 / np.sqrt(k)
        frequencies = scale * normal(p, k)
        phases = uniform(-np.pi, np.pi, (p, k))
        self.weights = np.ascontiguousarray(uniform(-bound, bound, (p, k, m)), dtype=dtype)
        self.biases = np.ascontiguousarray(uniform(-bound, bound, (p, m)), dtype=dtype)
        self.frequencies = np.ascontiguousarray(frequencies, dtype=dtype)
        self.phases = np.ascontiguousarray(phases, dtype=dtype)

    @property
    def n_periodic(self) -> int:
        """Number of columns that get features."""
        return int(self.weights.shape[0])

    @property
    def n_frequencies(self) -> int:
        """Number of cosines of a column, k."""
        return int(self.weights.shape[1])

    @property
    def n_mixed(self) -> int:
        """Number of mixtures of cosines in place of a column, beside itself."""
        return int(self.weights.shape[2])

    @property
    def n_outputs(self) -> int:
        """Number of columns in place of one."""
        return self.n_mixed + 1

    @property
    def n_inputs(self) -> int:
        """Number of columns of the inputs."""
        return self.n_periodic + self.n_passed

    @property
    def n_neurons(self) -> int:
        """Number of columns of the output."""
        return self.n_periodic * self.n_outputs + self.n_passed

    def __repr__(self) -> str:
        name = type(self).__name__
        if "weights" not in self.__dict__:
            return f"{name}(not initialised)"
        periodic = "" if self.n_passed == 0 else f", {self.n_periodic}"
        sizes = f"n_frequencies={self.n_frequencies}, n_outputs={self.n_outputs}"
        factors = self._settings_text(*FACTORS)
        return f"{name}({self.n_inputs}{periodic}, {sizes}{factors}, dtype={self.dtype})"
