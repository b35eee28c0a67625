"""Parameters of a layer: how an array becomes one, and the initial values."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import Array, as_float_dtype, as_parameter
from .errors import label_of, labelled


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
