"""The base of the losses: one value per sample, (n,); the data loss is their mean.

With predictions p (n, m), targets y and n samples, `backward` gives the gradient of that
mean: the factor 1 / n is in it. Regularisation adds, over the layers that learn,
``l1 * sum |w| + l2 * sum w^2`` for each of their parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..accumulation import Accumulator
from ..arrays import Array, as_floats, as_real, is_variable
from ..catalogue import Part, own_class
from ..errors import label_of
from ..layers.parameters import is_trainable, slots_of
from ..recorded import record_mean

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
# 1 * x rounds like np.float32(x) and takes a third of its time; before NumPy 2 it would be double.
_times_one = np.float32(1).__mul__
as_single = _times_one if type(_times_one(0.5)) is np.float32 else np.float32
Regions = tuple[NDArray[np.int8], NDArray[np.bool_]]
Self = TypeVar("Self", bound="Loss")


class Loss(Accumulator, Part):
    """Base of the losses; subclass it with your own `forward` and `backward`.

    Both get targets as the package's losses see them: (n, 1) where the output is (n, 1), in the
    output's dtype where they have its shape; class labels (n,) stay labels.

    Attributes
    ----------
    trainable_layers : list
        The layers whose regularisation terms count; see `remember_trainable_layers`.
    accumulated_sum, accumulated_count : float, int
        Sums over the calls of `calculate` since `new_pass`.
    dinputs : ndarray (n, m)
        The last gradient.
    joins : mapping
        Last activation -> the compiled loss that includes it.
    missing_layer : str
        What an error advises where the last layer does not yield what the loss needs.
    """

    kind: ClassVar[str] = "loss"
    mathematics: ClassVar[tuple[str, ...]] = (
        "forward",
        "backward",
        "calculate",
        "calculate_accumulated",
        "new_pass",
        "regularization_loss",
        "predictions",
    )
    transient: ClassVar[tuple[str, ...]] = ("dinputs",)
    joins: ClassVar[Mapping[str, str]] = {}
    missing_layer: ClassVar[str] = ""
    _converting: ClassVar[Any] = None  # the forward that converts targets by itself
    accumulated_dtype: np.dtype[Any] = DOUBLE
    trainable_layers: list[Any]
    dinputs: Array

    @property
    def output_domain(self) -> str:
        """What the last layer must yield: "any", "probabilities", "positive" or "logits"."""
        return "any"

    @property
    def predicts(self) -> str | None:
        """What outputs mean as predictions: "logits", "signs", or None: the last layer knows."""
        return None

    def forward(self, y_pred: Any, y_true: Any) -> Array:
        """Return the loss of each sample, (n,). Subclasses define it."""
        raise NotImplementedError(f"{label_of(self)}: expected a forward(y_pred, y_true) -> (n,)")

    def backward(self, dvalues: Any, y_true: Any) -> Array:
        """Set and return `dinputs`, the gradient of the mean loss. Subclasses define it."""
        raise NotImplementedError(f"{label_of(self)}: expected a backward(dvalues, y_true)")

    def predictions(self, outputs: Any, y: Any) -> Any:
        """Return what the outputs mean as predictions; None where the last layer knows."""
        return None

    def regions(self, y_pred: Any, y_true: Any) -> Regions | None:
        """Return the region of each prediction, and those whose gradient is not the slope.

        Within one region the loss is smooth; a clipped prediction has a gradient although the
        loss is flat there. None where the loss is smooth everywhere.
        """
        return None

    def checked_targets(
        self, y: Any, name: str, n_outputs: int | None, dtype: np.dtype[Any] | None
    ) -> Array:
        """Return y as `forward` and `backward` get it, the loss's domain checked.

        Parameters
        ----------
        y : array_like
        name : str
            What errors call it.
        n_outputs : int or None
            Columns of the output; None where they are not known.
        dtype : dtype or None
            That of the output; None keeps float32 and float64.

        Raises
        ------
        TypeError, ValueError
            Targets that do not fit, or lie outside the domain: names the first and its place.
        """
        shape = () if n_outputs is None else (*np.shape(y)[:1], n_outputs)
        return shaped_targets(y, name, shape, dtype)

    def joint_with(self, last_layer: Any) -> str | None:
        """Return the name of the compiled loss that includes the last layer; else None.

        So it is where both are the package's own mathematics: then the two have one gradient,
        such as ``(p - onehot) / n``.
        """
        if not self.joins or own_class(self, "forward", "backward") is None:
            return None
        activation = own_class(last_layer, "forward", "backward")
        return None if activation is None else self.joins.get(activation.core_name)

    def without_smoothing(self: Self) -> Self:
        """Return the loss that validations are compared by: itself, but for label smoothing."""
        return self

    def calculate(self, output: Any, y: Any, *, include_regularization: bool = False) -> Any:
        """Return the data loss, the mean of the samples' losses.

        It is a NumPy scalar of the output's dtype; the sum is made in double.

        Parameters
        ----------
        output : array_like (n, m)
            Predictions.
        y : array_like
            Targets.
        include_regularization : bool
            Return ``(data_loss, regularization_loss)``.

        Raises
        ------
        ValueError
            No sample, or shapes that do not fit.
        """
        forward = self.forward
        if getattr(forward, "__func__", False) is not self._converting:
            y = targets_for(self, output, y)
        sample_losses = forward(output, y)
        if type(sample_losses) is not np.ndarray or sample_losses.ndim != 1:
            if is_variable(sample_losses):
                data_loss = record_mean(self, output, y, sample_losses)
                penalty = self.regularization_loss() if include_regularization else None
                return (data_loss, penalty) if include_regularization else data_loss
            sample_losses = self._checked(sample_losses)
        mean = self.accumulate(total_of(sample_losses), len(sample_losses))
        single = sample_losses.dtype == SINGLE or getattr(output, "dtype", None) == SINGLE
        self.accumulated_dtype = SINGLE if single else DOUBLE
        data_loss = as_single(mean) if single else np.float64(mean)
        return (data_loss, self.regularization_loss()) if include_regularization else data_loss

    def _checked(self, sample_losses: Any) -> Array:
        array = np.asarray(sample_losses)
        if array.ndim != 1:
            raise ValueError(
                f"{label_of(self)}: forward: expected one loss per sample, (n,), got {array.shape}"
            )
        return array

    def calculate_accumulated(self, *, include_regularization: bool = False) -> Any:
        """Return the mean over all samples since `new_pass`; see `calculate`.

        Raises
        ------
        ValueError
            Nothing was calculated since `new_pass`.
        """
        data_loss = self.accumulated_dtype.type(self.accumulated_mean())
        return (data_loss, self.regularization_loss()) if include_regularization else data_loss

    def remember_trainable_layers(self, trainable_layers: Iterable[Any]) -> None:
        """Keep the layers whose regularisation terms `regularization_loss` adds."""
        self.trainable_layers = list(trainable_layers)

    def regularization_loss(self, layer: Any = None) -> Any:
        """Return ``l1 sum |w| + l2 sum w^2`` of `layer`, else of all remembered layers.

        It is a NumPy scalar of the parameters' dtype. Layers that are frozen add nothing.
        """
        layers = self.__dict__.get("trainable_layers", ()) if layer is None else (layer,)
        total = sum((penalty_of(each) for each in layers), 0.0)
        dtypes = {
            np.asarray(getattr(each, slot.name)).dtype for each in layers for slot in slots_of(each)
        }
        return (SINGLE if dtypes == {SINGLE} else DOUBLE).type(total)


def total_of(sample_losses: Any) -> float:
    """Return the sum in double; a loss of the user's own may give any real array."""
    try:
        return _core.sum(sample_losses)
    except TypeError:
        return float(np.add.reduce(sample_losses, dtype=np.float64))


def penalty_of(layer: Any) -> float:
    """Return the regularisation terms of one layer's parameters, L1 and L2; 0 if it is frozen."""
    total = 0.0
    for slot in slots_of(layer):
        l1, l2 = slot.strengths(layer)
        if not (l1 or l2) or not is_trainable(layer):
            continue
        values = np.asarray(getattr(layer, slot.name))
        if l1:
            total += l1 * float(np.add.reduce(np.abs(values), axis=None, dtype=np.float64))
        if l2:
            squares = np.square(values, dtype=np.float64)
            total += l2 * float(np.add.reduce(squares, axis=None))
    return total


def targets_for(loss: Any, output: Any, y: Any) -> Any:
    """Return y as a loss of the user's own is to see it, given the output that it belongs to.

    The package's losses convert for themselves and get y as it is; so does what is no array of
    numbers.
    """
    if own_class(loss, "forward", "backward") is not None:
        return y
    dtype = getattr(output, "dtype", None)
    try:
        return shaped_targets(
            y, "y", np.shape(output), dtype if dtype in (SINGLE, DOUBLE) else None
        )
    except TypeError:
        return y


def shaped_targets(y: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any] | None) -> Array:
    """Return targets of an output's shape as `dtype`, (n,) for an output (n, 1) too.

    Others, such as class labels, keep shape and dtype.
    """
    targets = as_real(y, name)
    if shape == (*targets.shape, 1):
        targets = targets.reshape(shape)
    return (
        as_floats(targets, name, dtype) if targets.shape == shape else np.ascontiguousarray(targets)
    )
