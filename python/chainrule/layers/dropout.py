"""Dropout: ``output = inputs * mask``, the mask from a counter-based stream."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import _core
from ..arrays import Array, as_floats, as_generator, as_number, is_variable
from ..errors import label_of, labelled, no_forward_yet
from ..multipliers import as_schedule
from ..recorded import record_layer
from ..schedules import multipliers
from ..settings import Settings, is_flag, is_schedule, is_share, is_word
from .base import Layer

_dropout_forward = _core.dropout_forward
_multiply = _core.multiply


class Layer_Dropout(Layer):
    """Dropout: ``output = inputs * mask`` with ``mask = (u < keep) / keep`` while training.

    One uniform number u per element and training forward; ``keep = 1 - rate``. A lone
    ``forward(inputs)`` drops, as in the classes of the notebooks; a model says which it wants.
    With ``training=False`` a copy goes through. The stream is counter-based (Philox4x32-10):
    the numbers are a function of the layer's key, the count of training forwards before this
    one and the element's index, so that they depend on no thread and no batch order.

    Parameters
    ----------
    rate : float
        Share of elements set to 0, at least 0 and below 1.
    rng : numpy.random.Generator or seed, optional
        Where the key is drawn from when the layer is built; without it ``numpy.random``.
    schedule : callable, optional
        Multiplies the dropped share: a function of the share t of the training done, array in,
        array out.

    Attributes
    ----------
    rate : float
        The kept share: 1 - the argument.
    training_share : float or None
        t, for the schedule. `Model.train` sets it; a loop of your own must.
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
    schedule: Any = None
    training_share: float | None = None

    settings: ClassVar[Settings] = {
        "rate": is_share,
        "key": is_word,
        "step": is_word,
        "schedule": is_schedule,
        "trainable": is_flag,
    }
    mathematics: ClassVar[tuple[str, ...]] = ("forward", "backward", "kept_shares", "draw_key")
    transient: ClassVar[tuple[str, ...]] = (*Layer.transient, "binary_mask")
    passing: ClassVar[tuple[str, ...]] = ("key", "step")

    def __init__(self, rate: float, *, rng: Any = None, schedule: Any = None) -> None:
        with labelled(type(self).__name__):
            self.rate = 1 - as_number(rate, "rate", below=1.0)
            if schedule is not None:
                self.schedule = as_schedule(schedule, "schedule")
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

    def dropped_factors(self, t: Array) -> Array:
        """Return what the schedule multiplies the dropped share by at each share t of the training.

        Raises
        ------
        ValueError
            The schedule gives no number from 0, or one that leaves nothing.
        """
        if self.schedule is None:
            return np.ones(len(t))
        factors: Array = multipliers(self.schedule, t)
        dropped = (1 - self.rate) * factors
        if not (dropped < 1).all():
            raise ValueError(
                "schedule: expected multipliers that leave a dropped share below 1, "
                f"got a dropped share of {dropped.max():g}"
            )
        return factors

    def kept_shares(self, t: Array) -> Array:
        """Return the kept share at each share t of the training: ``1 - (1 - rate) * schedule(t)``.

        The parameters and errors are those of `dropped_factors`.
        """
        if self.schedule is None:
            return np.full(len(t), float(self.rate))
        kept: Array = 1 - (1 - self.rate) * self.dropped_factors(t)
        return kept

    def dropped_factor_in_use(self) -> float:
        """Return what the schedule multiplies the dropped share by now, at `training_share`.

        Raises
        ------
        ValueError
            There is a schedule and no `training_share`; or as `dropped_factors`.
        """
        if self.schedule is None:
            return 1.0
        with labelled(label_of(self)):
            if self.training_share is None:
                raise ValueError(
                    "training_share: expected the share of the training done, from 0 to 1, for "
                    "the schedule, got none; train sets it, a loop of your own must"
                )
            share = np.array([self.training_share], dtype=np.float64)
            return float(self.dropped_factors(share)[0])

    def forward(self, inputs: Any, training: bool = True) -> Array:
        """Compute, keep and return the output, a fresh array.

        Parameters
        ----------
        inputs : array_like
            Values (n, m).
        training : bool
            Whether to drop, as a call without it does; with False `output` is a copy and
            `binary_mask` is removed.

        Raises
        ------
        TypeError
            `inputs` are not real numbers.
        ValueError
            There is a schedule and no `training_share`.
        """
        if not training:
            if type(inputs) is not np.ndarray and is_variable(inputs):
                return record_layer(Layer_Dropout.forward, self, inputs, training)
            with labelled(label_of(self)):
                output = as_floats(inputs, "inputs").copy()
            self.__dict__.pop("binary_mask", None)
            self.inputs = inputs
            self.output = output
            return output
        keep = self.rate
        if self.schedule is not None:
            keep = 1 - (1 - self.rate) * self.dropped_factor_in_use()
        try:
            output, mask = _dropout_forward(inputs, keep, self.key, self.step)
        except (TypeError, ValueError):
            if is_variable(inputs):
                return record_layer(Layer_Dropout.forward, self, inputs, training)
            with labelled(label_of(self)):
                output, mask = _dropout_forward(
                    as_floats(inputs, "inputs"), keep, self.key, self.step
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
        schedule = "" if self.schedule is None else f", schedule={self.schedule!r}"
        return f"{type(self).__name__}({1 - self.rate:g}{schedule})"
