"""Losses: one value per sample, (n,); the data loss is their mean.

With predictions p (n, m), targets y and n samples, `backward` gives the gradient of that
mean: the factor 1 / n is in it. Regularisation adds, over the trainable layers,
``l1 * sum |w| + l2 * sum w^2`` for weights and biases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np

from . import _core
from .activations import Activation_Softmax
from .arrays import Array, as_class_targets, as_floats, as_real, as_targets
from .errors import label_of, labelled, no_forward_yet

__all__ = [
    "Activation_Softmax_Loss_CategoricalCrossentropy",
    "Loss",
    "Loss_BinaryCrossentropy",
    "Loss_CategoricalCrossentropy",
    "Loss_HalfSquaredError",
    "Loss_MeanAbsoluteError",
    "Loss_MeanSquaredError",
]


CLIP = 1e-7  # the cross-entropies clip probabilities to [CLIP, 1 - CLIP]


def total_of(sample_losses: Any) -> float:
    """Return the sum in double; a loss of the user's own may give any real array."""
    try:
        return _core.sum(sample_losses)
    except TypeError:
        return float(np.add.reduce(sample_losses, dtype=np.float64))


class Loss:
    """Base of the losses; subclass it with your own `forward` and `backward`.

    Attributes
    ----------
    trainable_layers : list
        The layers whose regularisation terms count; see `remember_trainable_layers`.
    accumulated_sum, accumulated_count : float, int
        Sums over the calls of `calculate` since `new_pass`.
    dinputs : ndarray (n, m)
        The last gradient.
    """

    trainable_layers: list[Any]
    accumulated_sum: float
    accumulated_count: int
    dinputs: Array

    def forward(self, y_pred: Any, y_true: Any) -> Array:
        """Return the loss of each sample, (n,). Subclasses define it."""
        raise NotImplementedError(f"{label_of(self)}: expected a forward(y_pred, y_true) -> (n,)")

    def backward(self, dvalues: Any, y_true: Any) -> Array:
        """Set and return `dinputs`, the gradient of the mean loss. Subclasses define it."""
        raise NotImplementedError(f"{label_of(self)}: expected a backward(dvalues, y_true)")

    def parameters(self) -> tuple[float, ...]:
        """Return the loss's own numbers, as its compiled functions take them."""
        return ()

    def regions(self, y_pred: Array, y_true: Array) -> tuple[Array, Array] | None:
        """Return the smooth piece that each prediction lies in, and which stand apart.

        Both have the predictions' shape: whole numbers, and True where the gradient is not
        meant to be the slope (a clipped prediction). None where the loss is smooth everywhere.
        """
        return None

    def joint_with(self, last_layer: Any) -> str | None:
        """Return the compiled loss that stands for `last_layer` and this one, if there is one."""
        return None

    def checked_targets(self, y: Any, name: str, n_outputs: int | None, dtype: Any) -> Array:
        """Return y as `forward` takes it: real numbers, (n, 1) where there is one output."""
        array = as_real(y, name)
        if array.ndim == 1 and n_outputs == 1:
            array = array.reshape(-1, 1)
        return np.ascontiguousarray(array)

    def calculate(self, output: Any, y: Any, *, include_regularization: bool = False) -> Any:
        """Return the data loss, the mean of the samples' losses.

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
        sample_losses = np.asarray(self.forward(output, y))
        if sample_losses.ndim != 1:
            raise ValueError(
                f"{label_of(self)}: forward: expected one loss per sample, (n,), "
                f"got {sample_losses.shape}"
            )
        total = total_of(sample_losses)
        count = len(sample_losses)
        if count == 0:
            raise ValueError(f"{label_of(self)}: expected at least one sample, got none")
        state = self.__dict__
        self.accumulated_sum = state.get("accumulated_sum", 0.0) + total
        self.accumulated_count = state.get("accumulated_count", 0) + count
        if not include_regularization:
            return total / count
        return total / count, self.regularization_loss()

    def calculate_accumulated(self, *, include_regularization: bool = False) -> Any:
        """Return the mean over all samples since `new_pass`; see `calculate`.

        Raises
        ------
        ValueError
            Nothing was calculated since `new_pass`.
        """
        count = self.__dict__.get("accumulated_count", 0)
        if count == 0:
            raise ValueError(
                f"{label_of(self)}: calculate_accumulated: expected a calculate call before it, "
                "got none since new_pass"
            )
        data_loss = self.accumulated_sum / count
        if not include_regularization:
            return data_loss
        return data_loss, self.regularization_loss()

    def new_pass(self) -> None:
        """Set the accumulated sums to 0."""
        self.accumulated_sum = 0.0
        self.accumulated_count = 0

    def remember_trainable_layers(self, trainable_layers: Iterable[Any]) -> None:
        """Keep the layers whose regularisation terms `regularization_loss` adds."""
        self.trainable_layers = list(trainable_layers)

    def regularization_loss(self, layer: Any = None) -> float:
        """Return ``l1 sum |w| + l2 sum w^2`` of `layer`, else of all remembered layers."""
        layers = self.__dict__.get("trainable_layers", ()) if layer is None else (layer,)
        return sum((penalty_of(each) for each in layers), 0.0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def penalty_of(layer: Any) -> float:
    """Return the regularisation terms of one layer: weights and biases, L1 and L2."""
    total = 0.0
    for parameter, kind in (("weights", "weight"), ("biases", "bias")):
        l1 = getattr(layer, f"{kind}_regularizer_l1", 0)
        l2 = getattr(layer, f"{kind}_regularizer_l2", 0)
        if not l1 and not l2:
            continue
        values = np.asarray(getattr(layer, parameter))
        if l1:
            total += l1 * float(np.add.reduce(np.abs(values), axis=None, dtype=np.float64))
        if l2:
            squares = np.square(values, dtype=np.float64)
            total += l2 * float(np.add.reduce(squares, axis=None))
    return total


class CompiledLoss(Loss):
    """What the library's losses share: two compiled functions and the conversions."""

    _compiled_forward: ClassVar[Callable[..., Array]]
    _compiled_backward: ClassVar[Callable[..., Array]]

    def forward(self, y_pred: Any, y_true: Any) -> Array:
        """Return the loss of each sample, (n,).

        Parameters
        ----------
        y_pred : array_like (n, m)
            Predictions: float32 or float64, else converted to float64.
        y_true : array_like
            Targets (n, m), converted to the predictions' dtype; (n,) where m is 1.

        Raises
        ------
        TypeError, ValueError
            Targets that do not fit the predictions.
        """
        try:
            return self._compiled_forward(y_pred, y_true)
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                return self._compiled_forward(*self._converted(y_pred, y_true, "y_pred"))

    def backward(self, dvalues: Any, y_true: Any) -> Array:
        """Compute, keep and return `dinputs` (n, m), the gradient of the mean loss.

        Parameters
        ----------
        dvalues : array_like (n, m)
            The predictions.
        y_true : array_like
            Targets as in `forward`.

        Raises
        ------
        TypeError, ValueError
            Targets that do not fit the predictions.
        """
        try:
            dinputs = self._compiled_backward(dvalues, y_true)
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                dinputs = self._compiled_backward(*self._converted(dvalues, y_true, "dvalues"))
        self.dinputs = dinputs
        return dinputs

    def checked_targets(self, y: Any, name: str, n_outputs: int | None, dtype: Any) -> Array:
        """Return targets (n, m) as `dtype`; (n,) serves one output."""
        return as_targets(y, name, n_outputs, dtype)

    def _converted(self, y_pred: Any, y_true: Any, name: str) -> tuple[Array, Array]:
        predictions = as_matrix(y_pred, name)
        return predictions, as_targets(y_true, "y_true", predictions.shape[1], predictions.dtype)


def as_matrix(values: Any, name: str) -> Array:
    """Return (n, m) floats; another rank is a ValueError."""
    matrix = as_floats(values, name)
    if matrix.ndim != 2:
        raise ValueError(f"{name}: expected (n, m), got {matrix.shape}")
    return matrix


def one_hot(y: Array, n_classes: int) -> Array:
    """Return targets (n, m) of labels (n,); targets are returned as they are."""
    if y.ndim == 2:
        return y
    targets: Array = np.zeros((len(y), n_classes), dtype=np.float64)
    targets[np.arange(len(y)), y] = 1.0
    return targets


class Loss_HalfSquaredError(CompiledLoss):
    """``sum_j (p - y)^2 / 2``; gradient ``(p - y) / n``."""

    _compiled_forward = staticmethod(_core.half_squared_error_forward)
    _compiled_backward = staticmethod(_core.half_squared_error_backward)


class Loss_MeanSquaredError(CompiledLoss):
    """``mean_j (p - y)^2``; gradient ``2 (p - y) / m / n``."""

    _compiled_forward = staticmethod(_core.mean_squared_error_forward)
    _compiled_backward = staticmethod(_core.mean_squared_error_backward)


class Loss_MeanAbsoluteError(CompiledLoss):
    """``mean_j |p - y|``; gradient ``sign(p - y) / m / n``, 0 where they are equal.

    Notes
    -----
    The published book has ``sign(y - p)``, which climbs: a known error.
    """

    _compiled_forward = staticmethod(_core.mean_absolute_error_forward)
    _compiled_backward = staticmethod(_core.mean_absolute_error_backward)

    def regions(self, y_pred: Array, y_true: Array) -> tuple[Array, Array]:
        """Return the sign of ``p - y``; nothing stands apart."""
        error = y_pred - y_true
        return np.sign(error).astype(np.int8), np.zeros(error.shape, dtype=np.bool_)


class Loss_BinaryCrossentropy(CompiledLoss):
    """``mean_j -(y log p + (1 - y) log(1 - p))``.

    Gradient ``-(y / p - (1 - y) / (1 - p)) / m / n``; p is clipped to [1e-7, 1 - 1e-7] in both.
    """

    _compiled_forward = staticmethod(_core.binary_crossentropy_forward)
    _compiled_backward = staticmethod(_core.binary_crossentropy_backward)

    def regions(self, y_pred: Array, y_true: Array) -> tuple[Array, Array]:
        """Return 1 where p is clipped, else 0; what is clipped stands apart."""
        clipped = (y_pred < CLIP) | (y_pred > 1 - CLIP)
        return clipped.astype(np.int8), clipped


class Loss_CategoricalCrossentropy(CompiledLoss):
    """``-log p_target`` for labels (n,); ``-sum_j y log p`` for targets (n, m).

    Gradient ``-y / p / n``. p is clipped to [1e-7, 1 - 1e-7] in the value and at 1e-7 in the
    gradient. Labels may have any integer dtype; targets may be one-hot or soft.
    """

    _compiled_forward = staticmethod(_core.categorical_crossentropy_forward)
    _compiled_backward = staticmethod(_core.categorical_crossentropy_backward)

    def regions(self, y_pred: Array, y_true: Array) -> tuple[Array, Array]:
        """Return 1 where a p that counts is clipped, else 0; what is clipped stands apart."""
        clipped = (y_pred < CLIP) | (y_pred > 1 - CLIP)
        clipped &= one_hot(y_true, y_pred.shape[1]) != 0
        return clipped.astype(np.int8), clipped

    def joint_with(self, last_layer: Any) -> str | None:
        """Return ``"softmax_crossentropy"`` after softmax; see `is_joint`."""
        return "softmax_crossentropy" if is_joint(last_layer, self) else None

    def joint_value(self, inputs: Array, y_true: Array) -> Array:
        """Return ``sum_j y_j (log sum_k exp z_k - z_j)`` of each row of logits z, unclipped.

        It is what the joint gradient belongs to, in the dtype of `inputs`, by NumPy alone.
        """
        targets = one_hot(y_true, inputs.shape[1])
        shifted = inputs - inputs.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        value: Array = (targets * (log_sum - shifted)).sum(axis=1)
        return value.astype(inputs.dtype, copy=False)

    def checked_targets(self, y: Any, name: str, n_outputs: int | None, dtype: Any) -> Array:
        """Return labels (n,) as int64, or targets (n, m) as `dtype`."""
        return as_class_targets(y, name, n_outputs, dtype)

    def _converted(self, y_pred: Any, y_true: Any, name: str) -> tuple[Array, Array]:
        predictions = as_matrix(y_pred, name)
        return predictions, as_class_targets(
            y_true, "y_true", predictions.shape[1], predictions.dtype
        )


class Activation_Softmax_Loss_CategoricalCrossentropy:
    """Softmax and categorical cross-entropy in one: gradient ``(p - onehot) / n``.

    Stable where the two one after the other are not: no log of 0, no division by p.

    Attributes
    ----------
    activation : Activation_Softmax
    loss : Loss_CategoricalCrossentropy
    output : ndarray (n, m)
        The probabilities p.
    dinputs : ndarray (n, m)
    """

    output: Array
    dinputs: Array

    def __init__(self) -> None:
        self.activation = Activation_Softmax()
        self.loss = Loss_CategoricalCrossentropy()

    def forward(self, inputs: Any, y_true: Any) -> Any:
        """Keep the probabilities as `output` and return the mean loss.

        Parameters
        ----------
        inputs : array_like (n, m)
            Logits.
        y_true : array_like
            Labels (n,) or targets (n, m).

        Raises
        ------
        TypeError, ValueError
            Labels that do not fit the logits.
        """
        try:
            output, sample_losses = _core.softmax_crossentropy_forward(inputs, y_true)
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                output, sample_losses = _core.softmax_crossentropy_forward(
                    *self.loss._converted(inputs, y_true, "inputs")
                )
        if len(sample_losses) == 0:
            raise ValueError(f"{label_of(self)}: expected at least one sample, got none")
        self.output = output
        self.activation.inputs = inputs
        self.activation.output = output
        return total_of(sample_losses) / len(sample_losses)

    def backward(self, dvalues: Any, y_true: Any) -> Array:
        """Compute, keep and return ``dinputs = (dvalues - onehot) / n``.

        Parameters
        ----------
        dvalues : array_like (n, m)
            The probabilities: `output`.
        y_true : array_like
            Labels (n,) or targets (n, m).

        Raises
        ------
        TypeError, ValueError
            Labels that do not fit.
        """
        if dvalues is None:
            raise no_forward_yet(self)
        try:
            dinputs = _core.softmax_crossentropy_backward(dvalues, y_true)
        except (TypeError, ValueError):
            with labelled(label_of(self)):
                dinputs = _core.softmax_crossentropy_backward(
                    *self.loss._converted(dvalues, y_true, "dvalues")
                )
        self.dinputs = dinputs
        return dinputs

    def joint_value(self, inputs: Array, y_true: Array) -> Array:
        """Return the loss of each row of logits, unclipped: what `backward` belongs to."""
        return self.loss.joint_value(inputs, y_true)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def is_joint(last_layer: Any, loss: Any) -> bool:
    """Tell whether softmax and cross-entropy use the joint gradient ``(p - onehot) / n``.

    So they do if both are the library's, or subclasses that leave the mathematics alone.
    """
    return (
        isinstance(last_layer, Activation_Softmax)
        and isinstance(loss, Loss_CategoricalCrossentropy)
        and type(last_layer).forward is Activation_Softmax.forward
        and type(last_layer).backward is Activation_Softmax.backward
        and type(loss).forward is Loss_CategoricalCrossentropy.forward
        and type(loss).backward is Loss_CategoricalCrossentropy.backward
    )
