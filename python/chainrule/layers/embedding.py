"""Embeddings: a category's code is replaced by the row of a learned table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from .. import _core
from ..arrays import Array, as_count, as_generator
from ..catalogue import own_class
from ..errors import labelled
from ..settings import Settings, is_count, is_sizes
from .compiled_layer import CompiledLayer, CoreFunctions
from .parameter_layer import FACTORS
from .parameters import (
    Parameter,
    initial_dtype,
    initial_parameters,
)

LARGEST_CODE = 2**24  # the largest whole number below which float32 has them all


class Tables(Parameter):
    """The descriptor of an embedding's rows: as many as the sizes add up to."""

    def __set__(self, layer: Any, value: Any) -> None:
        sizes = layer.__dict__.get("sizes")
        rows = np.shape(value)[0] if np.ndim(value) == 2 else None
        if sizes is not None and "weights" not in layer.__dict__ and rows != sum(sizes):
            raise ValueError(f"weights: expected ({sum(sizes)}, width), got {np.shape(value)}")
        super().__set__(layer, value)


class Layer_Embedding(CompiledLayer):
    """A row of a learned table in place of each category's code.

    The last ``len(sizes)`` columns hold codes, the numbers 0, 1, ..., size - 1 of each column's
    categories; each is replaced by a row of its table, `width` columns. The columns before them
    pass as they are: ``output (n, n_inputs - len(sizes) + len(sizes) * width)``.

    Parameters
    ----------
    n_inputs : int
        Number of columns, those with codes included.
    sizes : sequence of int
        Number of categories of each of the last columns, each at least 1.
    width : int
        Columns in place of one, at least 1.
    dtype : float32 or float64, optional
        Without it as for `Layer_Dense`.
    rng : numpy.random.Generator or seed, optional
        Where the initial numbers come from; without it ``numpy.random``.
    learning_rate_factor, weight_decay_factor, epsilon_factor : float or pair
        As for `Layer_Dense`.

    Attributes
    ----------
    weights : ndarray (sum of sizes, width)
        The tables one below the other, at first standard normal.
    sizes : tuple of int
    inputs, output : set by `forward`
    dweights, dinputs : set by `backward`
    weight_regularizer_l1, weight_regularizer_l2 : float
        Strengths of penalties on the tables, 0 unless set.

    Raises
    ------
    TypeError, ValueError
        A size out of range, more codes than columns, a negative factor, another dtype.

    Notes
    -----
    The output is constant between codes, so that `dinputs` is 0 in their columns. The gradient of
    a row is the sum over the samples with its code, in their order, compensated: it is as good as
    one of twice the precision, and the same bits for any number of threads.
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("weights",)
    parameter_shapes: ClassVar[Mapping[str, tuple[int | str, ...]]] = {
        "weights": ("n_levels", "width")
    }
    settings: ClassVar[Settings] = {
        **CompiledLayer.settings,
        "n_passed": is_count,
        "sizes": is_sizes,
    }

    core = CoreFunctions(
        _core.embedding_forward, _core.embedding_backward, _core.embedding_gradients
    )
    core_settings: ClassVar[tuple[str, ...]] = ("sizes", "n_passed")

    sizes: tuple[int, ...]
    dweights: Array

    if TYPE_CHECKING:
        weights: Array
    else:
        weights = Tables()

    def __init__(
        self,
        n_inputs: int,
        sizes: Any,
        width: int = 8,
        *,
        dtype: DTypeLike | None = None,
        rng: Any = None,
        learning_rate_factor: Any = 1.0,
        weight_decay_factor: Any = 1.0,
        epsilon_factor: Any = 1.0,
    ) -> None:
        with labelled(type(self).__name__):
            columns = as_count(n_inputs, "n_inputs", 1)
            found = initial_dtype(dtype)
            self.sizes = as_sizes(sizes, columns)
            self.n_passed = columns - len(self.sizes)
            m = as_count(width, "width", 1)
            generator = None if rng is None else as_generator(rng)
            self._set_factors(learning_rate_factor, weight_decay_factor, epsilon_factor)
        drawn, _ = initial_parameters("notebook", sum(self.sizes), m, 1.0, found, generator)
        self.weights = drawn

    @property
    def n_levels(self) -> int:
        """Number of categories of all columns together."""
        return int(self.weights.shape[0])

    @property
    def width(self) -> int:
        """Number of columns in place of one."""
        return int(self.weights.shape[1])

    @property
    def n_inputs(self) -> int:
        """Number of columns of the inputs."""
        return self.n_passed + len(self.sizes)

    @property
    def n_neurons(self) -> int:
        """Number of columns of the output."""
        return self.n_passed + len(self.sizes) * self.width

    @property
    def tables(self) -> tuple[Array, ...]:
        """The table of each column of codes (size, width): views of `weights`."""
        return tuple(np.split(self.weights, np.cumsum(self.sizes)[:-1]))

    def __repr__(self) -> str:
        name = type(self).__name__
        if "weights" not in self.__dict__:
            return f"{name}(not initialised)"
        factors = self._settings_text(*FACTORS)
        sizes = tuple(self.sizes)
        return f"{name}({self.n_inputs}, {sizes}, {self.width}{factors}, dtype={self.dtype})"


def held_to_codes(layer: Any, inputs: Any) -> Any:
    """Return the inputs of an embedding with the nearest codes; those of other layers as they are.

    For values that were moved by rounding, or by a step of a difference.
    """
    if own_class(layer, "forward") is not Layer_Embedding or np.ndim(inputs) != 2:
        return inputs
    values = np.array(inputs)
    np.rint(values[:, layer.n_passed :], out=values[:, layer.n_passed :])
    return values


def as_sizes(sizes: Any, columns: int) -> tuple[int, ...]:
    """Return the numbers of categories of the last columns.

    Raises
    ------
    TypeError, ValueError
        No sequence of ints, none of them, more than there are columns, or one out of range.
    """
    if isinstance(sizes, str) or not hasattr(sizes, "__iter__"):
        raise TypeError(f"sizes: expected a sequence of ints, got {sizes!r}")
    found = tuple(as_count(size, f"sizes[{k}]", 1) for k, size in enumerate(sizes))
    if not 1 <= len(found) <= columns:
        raise ValueError(
            f"sizes: expected from 1 to n_inputs, {columns}, of them, got {len(found)}"
        )
    for k, size in enumerate(found):
        if size > LARGEST_CODE:
            raise ValueError(f"sizes[{k}]: expected at most {LARGEST_CODE}, got {size}")
    return found
