"""Dropout: ``output = inputs * mask``, the mask from a counter-based stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from .arrays import Array, as_floats, as_generator, as_number
from .errors import label_of, labelled, no_forward_yet

_dropout_forward = _core.dropout_forward
_multiply = _core.multiply


class Layer_Dropout:
    """Dropout: ``output = inputs * mask`` with ``mask = (u < keep) / keep`` while training.

    One uniform number u per element and training forward; ``keep = 1 - rate``. Without
    training a copy goes through. The stream is counter-based (Philox4x32-10): the numbers
    are a function of the layer's key, the count of training forwards before this one and
    the element's index, so that they depend on no thread and no batch order.

    Parameters
    ----------
    rate : float
        Share of elements set to 0, at least 0 and below 1.
    rng : numpy.random.Generator or seed, optional
        Where the key is drawn from when the layer is built; without it ``numpy.random``.

    Attributes
    ----------
    rate : float
        The kept share: 1 - the argument.
    key, step : int
        The stream's key and the number of training forwards so far.
    binary_mask : ndarray
        The last training forward's mask, already divided by the kept share.
    inputs, output, dinputs
        As everywhere.

    References
    ----------
    Srivastava et al. (2014); Salmon et al. (2011) for Philox.
    """

    inputs: Any
    output: Array
    dinputs: Array
    binary_mask: Array

    def __init__(self, rate: float, *, rng: Any = None) -> None:
        with labelled(type(self).__name__):
            self.rate = 1 - as_number(rate, "rate", below=1.0)
            generator = None if rng is None else as_generator(rng)
        self.draw_key(generator)

    def draw_key(self, rng: np.random.Generator | None) -> None:
        """Draw a new key from `rng` (else ``numpy.random``) and start the stream at step 0."""
        if rng is None:
            key = np.random.randint(0, 2**64, dtype=np.uint64)  # noqa: NPY002
        else:
            key = rng.integers(0, 2**64, dtype=np.uint64)
        self.key = int(key)
        self.step = 0

    def forward(self, inputs: Any, training: bool = False) -> Array:
        """Compute, keep and return the output, a fresh array.

        Parameters
        ----------
        inputs : array_like
            Values (n, m).
        training : bool
            Whether to drop; otherwise `output` is a copy and `binary_mask` is removed.
        """
        if not training:
            with labelled(label_of(self)):
                output = as_floats(inputs, "inputs").copy()
            self.__dict__.pop("binary_mask", None)
            self.inputs = inputs
            self.output = output
            return output
        try:
            output, mask = _dropout_forward(inputs, self.rate, self.key, self.step)
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                output, mask = _dropout_forward(
                    as_floats(inputs, "inputs"), self.rate, self.key, self.step
                )
        self.step += 1
        self.inputs = inputs
        self.binary_mask = mask
        self.output = output
        return output

    def backward(self, dvalues: Any) -> Array:
        """Compute, keep and return ``dinputs = dvalues * binary_mask``.

        After a forward without training it is a copy of `dvalues`.

        Raises
        ------
        ValueError
            No `forward` came before, or another shape.
        """
        try:
            dinputs = _multiply(dvalues, self.binary_mask)
        except (AttributeError, TypeError, ValueError):
            dinputs = self._converted_backward(dvalues)
        self.dinputs = dinputs
        return dinputs

    def _converted_backward(self, dvalues: Any) -> Array:
        if "output" not in self.__dict__:
            raise no_forward_yet(self)
        with labelled(label_of(self)):
            values = as_floats(dvalues, "dvalues", self.output.dtype)
            if values.shape != self.output.shape:
                raise ValueError(f"dvalues: expected {self.output.shape}, got {values.shape}")
            if "binary_mask" not in self.__dict__:
                return values.copy()
            return _multiply(values, as_floats(self.binary_mask, "binary_mask", values.dtype))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({1 - self.rate:g})"
