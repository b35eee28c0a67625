"""Parameters of a layer: which it has, how an array becomes one, and the initial values.

Optimizers, clipping, penalties, saving, summary, early stopping and checks walk over
`slots_of(layer)`; nobody else spells the names of a layer's parameters.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from .arrays import Array, as_float_dtype, as_parameter
from .errors import label_of, labelled

NOTEBOOK_NAMES = ("weights", "biases")
PREFIXES = {"weights": "weight", "biases": "bias"}


class Slot(NamedTuple):
    """The names that belong to one parameter of a layer.

    ``name`` is the attribute that holds the array, ``gradient`` that of its gradient, ``d`` +
    name. ``prefix`` begins the names of everything beside it: ``weight_momentums``,
    ``weight_cache``, ``weight_regularizer_l1``, ... ``index`` is its place in a setting that may
    be given for each parameter apart, such as ``learning_rate_factor=(1.0, 0.1)``.
    """

    name: str
    gradient: str
    prefix: str
    index: int

    def state(self, kind: str) -> str:
        """Return the name of an optimizer's array: ``weight_momentums`` of ``momentums``."""
        return f"{self.prefix}_{kind}"

    def strengths(self, layer: Any) -> tuple[float, float]:
        """Return the layer's L1 and L2 strengths for this parameter; 0 where it has none."""
        return (
            getattr(layer, f"{self.prefix}_regularizer_l1", 0),
            getattr(layer, f"{self.prefix}_regularizer_l2", 0),
        )

    def factor(self, layer: Any, setting: str, otherwise: float = 1.0) -> float:
        """Return a factor of the layer's for this parameter: one number serves all.

        `otherwise` is what a layer without the setting has.
        """
        value = getattr(layer, setting, otherwise)
        return float(value[self.index] if isinstance(value, tuple | list) else value)


@functools.lru_cache(maxsize=1024)
def _slots(names: tuple[str, ...]) -> tuple[Slot, ...]:
    return tuple(
        Slot(name, f"d{name}", PREFIXES.get(name, name), index) for index, name in enumerate(names)
    )


def slots_of(layer: Any) -> tuple[Slot, ...]:
    """Return the parameters that a layer has, in a fixed order; empty where it has none.

    A layer names them in ``parameter_names``; without that, ``weights`` and ``biases`` are
    looked for. What is absent or None is no parameter.
    """
    names = getattr(layer, "parameter_names", NOTEBOOK_NAMES)
    return _slots(tuple(name for name in names if getattr(layer, name, None) is not None))


def is_trainable(layer: Any) -> bool:
    """Tell whether a layer has parameters and may learn: ``layer.trainable``, True by default."""
    return bool(getattr(layer, "trainable", True)) and bool(slots_of(layer))


class Parameter:
    """Descriptor of `weights` and `biases`: checks what is stored, stays out of reading.

    It defines no ``__get__``, so that a read goes straight to the instance's ``__dict__``,
    where the array is. A new array is kept itself if it is a C-contiguous, aligned,
    writeable ndarray of the layer's dtype, else as one converted copy.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, layer: Any, value: Any) -> None:
        held = layer.__dict__.get(self.name)
        if value is held:  # the last step of `layer.weights += ...`
            return
        if held is not None:
            with labelled(label_of(layer)):
                value = as_parameter(value, self.name, held.shape, held.dtype)
        layer.__dict__[self.name] = value


def initial_parameters(
    init: str,
    d: int,
    m: int,
    scale: float,
    dtype: np.dtype[Any] | None,
    rng: np.random.Generator | None,
) -> tuple[Array, Array]:
    """Draw weights (d, m) and biases (1, m) by the scheme `init`.

    The numbers come from `rng`, else from ``numpy.random``, whose functions are looked up
    here and now: ``nnfs.init()`` replaces them.

    Raises
    ------
    ValueError
        An unknown scheme.
    """
    normal = np.random.randn if rng is None else lambda *shape: rng.standard_normal(shape)
    uniform = np.random.uniform if rng is None else rng.uniform
    if dtype is None:
        dtype = as_float_dtype(np.random.randn(0).dtype)  # noqa: NPY002  # draws nothing
    weights: Array
    biases: Array = np.zeros((1, m), dtype=dtype)
    if init == "notebook":
        weights = scale * normal(d, m)
    elif init == "he_normal":
        weights = np.sqrt(2.0 / d) * normal(d, m)
    elif init == "lecun_normal":
        weights = np.sqrt(1.0 / d) * normal(d, m)
    elif init == "glorot_uniform":
        limit = np.sqrt(6.0 / (d + m))
        weights = np.asarray(uniform(-limit, limit, (d, m)))
    elif init == "torch":
        limit = 1.0 / np.sqrt(d)
        weights = np.asarray(uniform(-limit, limit, (d, m)))
        biases = np.asarray(uniform(-limit, limit, (1, m)))
    else:
        raise ValueError(
            "init: expected 'notebook', 'glorot_uniform', 'he_normal', 'lecun_normal' or "
            f"'torch', got {init!r}"
        )
    return (
        np.ascontiguousarray(weights, dtype=dtype),
        np.ascontiguousarray(biases, dtype=dtype),
    )
