"""Training layer by layer: the Python classes' own methods, one after the other.

A step: forward, loss, (is it finite?), backward, update. The compiled plan does the same
without Python; a model with a layer, loss or optimizer of the user's own comes here.
"""

from __future__ import annotations

import functools
import inspect
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..base_activation import Activation
from ..base_loss import Loss, penalty_of
from ..compiled_loss import CompiledLoss
from ..errors import label_of, relabelled
from ..history import History
from ..layers import Layer_Dense, Layer_Dropout, Layer_Input
from ..metrics import Accuracy
from .request import StepRecord, TrainingRequest


@functools.lru_cache(maxsize=256)
def takes_training(forward: Callable[..., Any]) -> bool:
    """Tell whether a layer class's ``forward`` has a second parameter beside self."""
    try:
        parameters = inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return True
    kinds = [parameter.kind for parameter in parameters.values()]
    return len(kinds) > 2 or inspect.Parameter.VAR_POSITIONAL in kinds


def output_width(layers: list[Any]) -> tuple[int, int] | None:
    """Return the position (from 1) and size of the dense layer that fixes the output's width.

    None where a layer of unknown shape, or no dense layer, comes before.
    """
    for position in range(len(layers), 0, -1):
        layer = layers[position - 1]
        if isinstance(layer, Layer_Dense) and type(layer).forward is Layer_Dense.forward:
            return position, layer.n_neurons
        if not keeps_shape(layer):
            return None
    return None


def keeps_shape(layer: Any) -> bool:
    """Tell whether the output surely has the shape of the inputs."""
    ours = isinstance(layer, Activation | Layer_Dropout | Layer_Input)
    return ours and type(layer).forward.__module__.startswith("chainrule.")


def located(error: Exception, layers: list[Any], position: int) -> Exception:
    """Return `error` with the layer's class and position in front, and what feeds it behind."""
    layer = layers[position - 1]
    hint = ""
    label = label_of(layer)
    if str(error).startswith(f"{label}: inputs: expected ("):
        before = output_width(layers[: position - 1])
        if before is not None:
            hint = f"; layer {before[0]} ends with {before[1]} neurons"
    return relabelled(error, f"{type(layer).__name__} {position}", instead_of=label, hint=hint)


def forward_pass(layers: list[Any], X: Any, training: bool) -> Any:
    """Run all layers on X and return the last output.

    Layers of the user's own may return nothing and set `output`, or take no `training`.
    """
    values = X
    for position, layer in enumerate(layers, 1):
        try:
            if takes_training(getattr(type(layer), "forward", None)):
                result = layer.forward(values, training)
            else:
                result = layer.forward(values)
        except (TypeError, ValueError) as error:
            if isinstance(layer, Layer_Dense | Layer_Dropout | Activation):
                raise located(error, layers, position) from None
            raise
        values = layer.output if result is None else result
    return values


def backward_pass(
    layers: list[Any], loss: Any, output: Any, y: Any, weight: Array | None = None
) -> None:
    """Run the loss and all layers backwards; each keeps its gradients.

    With sample weights w each row of the loss's gradient is multiplied by ``w n / sum w``.
    """
    remaining = layers
    joint = loss.joint_with(layers[-1]) if isinstance(loss, CompiledLoss) else None
    if joint:
        values = weighted_rows(loss.joint_backward(joint, output, y), weight)
        layers[-1].dinputs = values
        remaining = layers[:-1]
    else:
        result = loss.backward(output, y)
        values = weighted_rows(loss.dinputs if result is None else result, weight)
    for position in range(len(remaining), 0, -1):
        layer = remaining[position - 1]
        try:
            result = layer.backward(values)
        except (TypeError, ValueError) as error:
            if isinstance(layer, Layer_Dense | Layer_Dropout | Activation):
                raise located(error, layers, position) from None
            raise
        values = layer.dinputs if result is None else result


def weighted_rows(dinputs: Any, weight: Array | None) -> Any:
    """Multiply row i by ``w_i n / sum w``."""
    if weight is None:
        return dinputs
    factors = weight * (len(weight) / weight.sum())
    return dinputs * factors.astype(dinputs.dtype).reshape(-1, *(1,) * (dinputs.ndim - 1))


def predictions_of(layers: list[Any], output: Any) -> Any:
    """Return the output as predictions, by the last layer where it knows how."""
    predict = getattr(layers[-1], "predictions", None)
    return output if predict is None else predict(output)


class LossMeter:
    """Data loss and regularisation of each batch and of all batches since `new_pass`."""

    def __init__(self, loss: Any, trainable_layers: list[Any]) -> None:
        self.loss = loss
        self.layers = trainable_layers
        self.new_pass()

    def new_pass(self) -> None:
        self.total, self.count = 0.0, 0.0
        if isinstance(self.loss, Loss):
            self.loss.new_pass()

    def regularization(self) -> float:
        if hasattr(self.loss, "regularization_loss"):
            return float(self.loss.regularization_loss())
        return sum((penalty_of(layer) for layer in self.layers), 0.0)

    def measure(self, output: Any, y: Any, weight: Array | None = None) -> tuple[float, float]:
        """Return the batch's data loss and regularisation, and add it up."""
        if weight is None and isinstance(self.loss, Loss):
            data_loss, penalty = self.loss.calculate(output, y, include_regularization=True)
            self.total += float(data_loss) * len(output)
            self.count += len(output)
            return float(data_loss), float(penalty)
        losses = np.asarray(self.loss.forward(output, y), dtype=np.float64)
        if losses.shape != (len(output),):
            raise ValueError(
                f"{label_of(self.loss)}: forward: expected one loss per sample, "
                f"({len(output)},), got {losses.shape}"
            )
        total = float((losses if weight is None else losses * weight).sum())
        count = float(len(losses) if weight is None else weight.sum())
        self.total += total
        self.count += count
        return total / count, self.regularization()

    def accumulated(self) -> tuple[float, float]:
        return self.total / self.count, self.regularization()


class AccuracyMeter:
    """The same for an accuracy; NaN where the model has none."""

    def __init__(self, accuracy: Any) -> None:
        self.accuracy = accuracy
        self.new_pass()

    def new_pass(self) -> None:
        self.total, self.count = 0.0, 0
        if hasattr(self.accuracy, "new_pass"):
            self.accuracy.new_pass()

    def measure(self, predictions: Any, y: Any) -> float:
        """Return the batch's accuracy, and add it up."""
        if self.accuracy is None:
            return math.nan
        value = float(self.accuracy.calculate(predictions, y))
        self.total += value * len(y)
        self.count += len(y)
        return value

    def accumulated(self) -> float:
        if self.accuracy is None:
            return math.nan
        if isinstance(self.accuracy, Accuracy):
            return float(self.accuracy.calculate_accumulated())
        return self.total / self.count


def evaluate(model: Any, X: Array, y: Array, batch_size: int) -> tuple[float, float]:
    """Return data loss and accuracy (NaN without one) of the samples, batch by batch."""
    losses = LossMeter(model.loss, model.trainable_layers)
    accuracies = AccuracyMeter(model.accuracy)
    for start in range(0, len(X), batch_size):
        rows = slice(start, start + batch_size)
        output = forward_pass(model.layers, X[rows], False)
        losses.measure(output, y[rows])
        accuracies.measure(predictions_of(model.layers, output), y[rows])
    return losses.total / losses.count, accuracies.accumulated()


def clip_gradients(layers: list[Any], clip_norm: float) -> None:
    """Scale all gradients by ``clip_norm / norm`` where their global L2 norm exceeds it."""
    names = [
        (layer, name)
        for layer in layers
        for name in ("dweights", "dbiases")
        if getattr(layer, name, None) is not None
    ]
    squares = [np.square(getattr(*name), dtype=np.float64).sum() for name in names]
    norm = math.sqrt(sum(squares, 0.0))
    if norm > clip_norm:
        for layer, name in names:
            gradient = np.asarray(getattr(layer, name))
            setattr(layer, name, gradient * gradient.dtype.type(clip_norm / norm))


class LayerwiseRunner:
    """Runs a training request step by step through the Python classes; see `Runner`."""

    def __init__(self, model: Any, request: TrainingRequest) -> None:
        self.model = model
        self.request = request
        self.done = request.epochs == 0
        self.epoch = 1
        self.step = 0
        self.nonfinite: tuple[int, int] | None = None
        self._losses = LossMeter(model.loss, model.trainable_layers)
        self._accuracies = AccuracyMeter(model.accuracy)
        self._order: NDArray[np.int64] | None = None
        self._rows: list[tuple[float, ...]] = []
        self._record = StepRecord(math.nan, math.nan, math.nan, math.nan)
        self._seconds = 0.0

    def run(self, max_steps: int, seconds: float) -> int:
        """Run whole steps until `max_steps`, `seconds` or the end; return their number."""
        started = last = time.perf_counter()
        count = 0
        while not self.done and count < max_steps and last - started < seconds:
            if self.step == 0:
                self._start_epoch()
            if not self._one_step():
                self.done = True
                break
            count += 1
            self.step += 1
            if self.step == self.request.steps:
                validation = self._validate()
                now = time.perf_counter()
                self._seconds += now - last
                self._end_epoch(validation)
            else:
                now = time.perf_counter()
                self._seconds += now - last
            last = now
        return count

    def _start_epoch(self) -> None:
        self._order = self.request.next_order()
        self._losses.new_pass()
        self._accuracies.new_pass()

    def _one_step(self) -> bool:
        """Do one step; False where the loss is not finite, and then nothing was updated."""
        model = self.model
        X, y, weight = self.request.batch(self.step, self._order)
        output = forward_pass(model.layers, X, True)
        data_loss, penalty = self._losses.measure(output, y, weight)
        if not math.isfinite(data_loss + penalty) and self.request.on_nonfinite != "ignore":
            self.nonfinite = (self.epoch, self.step)
            for layer in model.layers:
                if isinstance(layer, Layer_Dropout):
                    layer.step -= 1  # as if the step had not begun
            return False
        accuracy = self._accuracies.measure(predictions_of(model.layers, output), y)
        backward_pass(model.layers, model.loss, output, y, weight)
        if self.request.clip_norm is not None:
            clip_gradients(model.trainable_layers, self.request.clip_norm)
        self._update()
        rate = float(getattr(model.optimizer, "current_learning_rate", math.nan))
        self._record = StepRecord(accuracy, data_loss, penalty, rate)
        return True

    def _update(self) -> None:
        optimizer = self.model.optimizer
        if hasattr(optimizer, "pre_update_params"):
            optimizer.pre_update_params()
        for layer in self.model.trainable_layers:
            optimizer.update_params(layer)
        if hasattr(optimizer, "post_update_params"):
            optimizer.post_update_params()

    def _validate(self) -> tuple[float, float, float, float, float]:
        """Close the epoch's sums; return loss parts, accuracy, and the validation's."""
        data_loss, penalty = self._losses.accumulated()
        accuracy = self._accuracies.accumulated()
        if self.request.validation is None:
            return data_loss, penalty, accuracy, math.nan, math.nan
        X, y = self.request.validation
        size = self.request.validation_batch_size
        return (data_loss, penalty, accuracy, *evaluate(self.model, X, y, size))

    def _end_epoch(self, values: tuple[float, float, float, float, float]) -> None:
        data_loss, penalty, accuracy, *validation = values
        row = (data_loss + penalty, data_loss, penalty, accuracy, self._record.rate)
        self._rows.append((*row, self._seconds, *validation))
        self._seconds = 0.0
        self.step = 0
        self.epoch += 1
        self.done = self.epoch > self.request.epochs

    def step_record(self) -> StepRecord:
        """Return what the last step reported."""
        return self._record

    def report_epochs(self, history: History) -> None:
        """Add the epochs finished since the last call."""
        if self._rows:
            history.append(self._rows)
            self._rows.clear()

    def write_back(self) -> None:
        """Nothing to do: the classes' own arrays were changed."""

    def read_back(self) -> None:
        """Nothing to do: the classes' own attributes are read in each step."""

    def stop(self) -> None:
        """End the training after the steps done."""
        self.done = True
