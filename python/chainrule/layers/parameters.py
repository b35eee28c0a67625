"""Parameters of a layer: which it has, how an array becomes one, and the initial values.

Optimizers, clipping, penalties, saving, summary, early stopping and checks walk over
`slots_of(layer)`; nobody else spells the names of a layer's parameters. A layer of the user's own
takes part with any names::

    class Layer_Own:
        parameter_names = ("kernel", "offset")      # gradients: dkernel, doffset
        learning_rate_factor = (1.0, 0.1)           # if wanted; so weight_decay_factor, trainable

An optimizer's arrays stand beside a parameter: ``kernel_momentums``, ``kernel_cache``.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import Array, as_float_dtype, as_number, as_parameter
from ..errors import label_of, labelled

NOTEBOOK_NAMES = ("weights", "biases")
LARGEST = sys.float_info.max
PREFIXES = {"weights": "weight", "biases": "bias"}


class Slot(NamedTuple):
    """The names that belong to one parameter of a layer.

    ``name`` is the attribute that holds the array, ``gradient`` that of its gradient, ``d`` +
    name. ``prefix`` begins the names of everything beside it: ``weight_momentums``,
    ``weight_cache``, ``weight_regularizer_l1``, ... ``place`` is its place in a setting that may
    be given for each parameter apart, such as ``learning_rate_factor=(1.0, 0.1)``.
    """

    name: str
    gradient: str
    prefix: str
    place: int

    def state(self, kind: str) -> str:
        """Return the name of an optimizer's array: ``weight_momentums`` of ``momentums``."""
        return f"{self.prefix}_{kind}"

    def strengths(self, layer: Any) -> tuple[float, float]:
        """Return the layer's L1 and L2 strengths for this parameter; 0 where it has none."""
        return (
            within_float64(layer, f"{self.prefix}_regularizer_l1"),
            within_float64(layer, f"{self.prefix}_regularizer_l2"),
        )

    def factor(self, layer: Any, setting: str, otherwise: float = 1.0) -> float:
        """Return a factor of the layer's for this parameter: one number serves all.

        `otherwise` is what a layer without the setting has.
        """
        value = getattr(layer, setting, otherwise)
        if isinstance(value, tuple | list):
            if len(value) <= self.place:
                raise ValueError(
                    f"{label_of(layer)}: {setting}: expected a number, or one for each parameter, "
                    f"got {value!r}"
                )
            value = value[self.place]
        return as_number(value, setting)

    def decay_factor(self, layer: Any) -> float:
        """Return the layer's `weight_decay_factor` for this parameter.

        One number acts on everything but biases; with several, each parameter has its own.
        """
        value = getattr(layer, "weight_decay_factor", 1.0)
        if self.name == "biases" and not isinstance(value, tuple | list):
            return 0.0
        return self.factor(layer, "weight_decay_factor")


def within_float64(layer: Any, name: str) -> Any:
    """Return a setting of the layer's, 0 where it has none; refuse an int that is no float."""
    value = getattr(layer, name, 0)
    if type(value) is int and abs(value) > LARGEST:
        raise ValueError(f"{label_of(layer)}: {name}: expected a number, got an int beyond float64")
    return value


@functools.lru_cache(maxsize=1024)
def slots_named(names: tuple[str, ...]) -> tuple[Slot, ...]:
    """Return the slots of parameters with these names."""
    return tuple(
        Slot(name, f"d{name}", PREFIXES.get(name, name), index) for index, name in enumerate(names)
    )


def names_of(layer: Any) -> tuple[str, ...]:
    """Return the names that a layer's parameters may have: its ``parameter_names``.

    Without that attribute ``weights`` and ``biases``.
    """
    names = getattr(layer, "parameter_names", NOTEBOOK_NAMES)
    return (names,) if isinstance(names, str) else tuple(names)


def slots_of(layer: Any) -> tuple[Slot, ...]:
    """Return the parameters that a layer has, in a fixed order; empty where it has none.

    What is absent or None is no parameter, but keeps its place in settings given for each.
    """
    slots = slots_named(names_of(layer))
    for slot in slots:
        if getattr(layer, slot.name, None) is None:
            return tuple(each for each in slots if getattr(layer, each.name, None) is not None)
    return slots  # as most have all of them


def is_trainable(layer: Any) -> bool:
    """Tell whether a layer has parameters and may learn: ``layer.trainable``, True by default."""
    return bool(getattr(layer, "trainable", True)) and bool(slots_of(layer))


def copy_parameters(layer: Any) -> tuple[Array | None, ...]:
    """Return copies of a layer's parameters in the order of its names, None where one is absent.

    A dense layer gives ``(weights, biases)``, without biases ``(weights, None)``.
    """
    held = (getattr(layer, name, None) for name in names_of(layer))
    return tuple(None if each is None else np.array(each) for each in held)


def checked_parameters(layer: Any, values: Any) -> tuple[Array | None, ...]:
    """Return values in the form of `copy_parameters` in the shapes and dtypes of the layer's own.

    Raises
    ------
    TypeError, ValueError
        Another number of values or another shape, or an array that cannot be written to.
    """
    names, label = names_of(layer), label_of(layer)
    try:
        given = tuple(values)
    except TypeError:
        given = ()
    if len(given) != len(names) or isinstance(values, np.ndarray | str):
        form = "a pair" if len(names) == 2 else "values"
        raise ValueError(
            f"{label}: parameters: expected {form} ({', '.join(names)}), got {values!r}"
        )
    return tuple(
        checked_parameter(layer, name, value) for name, value in zip(names, given, strict=True)
    )


def checked_parameter(layer: Any, name: str, value: Any) -> Array | None:
    """Return a value as the layer's parameter `name` can take it, None where it has none."""
    held = getattr(layer, name, None)
    with labelled(label_of(layer)):
        if held is None:
            if value is not None:
                raise ValueError(f"{name}: expected None, since the layer has none, got an array")
            return None
        check_writeable(held, name)
        return as_parameter(value, name, held.shape, held.dtype)


def check_writeable(array: Any, name: str) -> None:
    """Refuse what cannot be changed in place.

    Raises
    ------
    TypeError
        No array of floats.
    ValueError
        A read-only one.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{name}: expected an array of floats, got {got}")
    if not array.flags.writeable:
        raise ValueError(f"{name}: expected a writeable array, got a read-only one")


def assign_parameters(layer: Any, values: tuple[Array | None, ...]) -> None:
    """Copy what `checked_parameters` returned into the layer's arrays, in place."""
    for name, value in zip(names_of(layer), values, strict=True):
        if value is not None:
            getattr(layer, name)[...] = value


class Parameter:
    """Descriptor of `weights` and `biases`: checks what is stored, stays out of reading.

    It defines no ``__get__``, so that a read goes straight to the instance's ``__dict__``,
    where the array is. A new array is kept itself if it is a C-contiguous, aligned,
    writeable ndarray of the layer's dtype, else as one converted copy. Where the layer has none
    yet, its other parameters say what shape it must have.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __set__(self, layer: Any, value: Any) -> None:
        state = layer.__dict__
        held = state.get(self.name)
        if value is held and self.name in state:  # the last step of `layer.weights += ...`
            return
        if held is not None:
            with labelled(label_of(layer)):
                value = as_parameter(value, self.name, held.shape, held.dtype)
        elif value is not None and "weights" in state:
            sizes = layer.parameter_shapes[self.name]
            shape = tuple(each if isinstance(each, int) else getattr(layer, each) for each in sizes)
            with labelled(label_of(layer)):
                value = as_parameter(value, self.name, shape, state["weights"].dtype)
        state[self.name] = value


def initial_dtype(asked: DTypeLike | None = None) -> np.dtype[Any]:
    """Return the dtype of new parameters: the one asked for, else that of ``numpy.random.randn``.

    That is float64, or float32 after ``nnfs.init()``.
    """
    if asked is None:
        asked = np.random.randn(0).dtype  # noqa: NPY002  # draws nothing
    return as_float_dtype(asked)


def initial_parameters(
    init: str,
    d: int,
    m: int,
    scale: float,
    dtype: np.dtype[Any] | None,
    rng: np.random.Generator | None,
    bias: bool = True,
) -> tuple[Array, Array]:
    """Draw weights (d, m) and, with `bias`, biases (1, m) by the scheme `init`.

    The numbers come from `rng`, else from ``numpy.random``, whose functions are looked up
    here and now: ``nnfs.init()`` replaces them.

    Raises
    ------
    ValueError
        An unknown scheme.
    """
    normal = np.random.randn if rng is None else lambda *shape: rng.standard_normal(shape)
    uniform = np.random.uniform if rng is None else rng.uniform
    dtype = initial_dtype(dtype)
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
        if bias:
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
