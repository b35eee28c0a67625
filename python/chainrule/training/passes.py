"""Forward and backward through the classes: each layer's own methods, one after the other.

Layers of the user's own may return nothing and set `output` and `dinputs` instead, and their
`forward` may take no `training`. Errors of the package's layers name class and position.
"""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..catalogue import Part, own_class
from ..errors import label_of, relabelled
from ..layers.parameters import is_trainable, slots_of
from ..losses.base import targets_for
from ..losses.compiled_loss import CompiledLoss
from ..shapes import output_width, takes_training


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
    """Run all layers on X and return the last output."""
    values = X
    for position, layer in enumerate(layers, 1):
        try:
            if takes_training(getattr(type(layer), "forward", None)):
                result = layer.forward(values, training)
            else:
                result = layer.forward(values)
        except (TypeError, ValueError) as error:
            if isinstance(layer, Part):
                raise located(error, layers, position) from None
            raise
        values = layer.output if result is None else result
    return values


def backward_pass(
    layers: list[Any],
    loss: Any,
    output: Any,
    y: Any,
    weight: Array | None = None,
    lowest: int = 1,
    input_gradient: bool = False,
    factor: float = 1.0,
) -> None:
    """Run the loss and the layers down to position `lowest` backwards; each keeps its gradients.

    With sample weights w each row of the loss's gradient is multiplied by ``w n / sum w``, with a
    factor by that as well. The lowest layer computes dinputs only with `input_gradient`, if it can
    do without.
    """
    if lowest > len(layers):
        return
    joint = joint_loss(layers[-1], loss)
    if joint is None:
        result = loss.backward(output, targets_for(loss, output, y))
        values = weighted_rows(loss.dinputs if result is None else result, weight)
    else:
        values = weighted_rows(loss.joint_backward(joint, output, y), weight)
        layers[-1].dinputs = values
    if factor != 1.0:
        values = values * factor
    for position in range(len(layers) - (joint is not None), lowest - 1, -1):
        layer = layers[position - 1]
        try:
            if position == lowest and not input_gradient and spares_dinputs(layer):
                layer.backward_parameters(values)
                return
            result = layer.backward(values)
        except (TypeError, ValueError) as error:
            if isinstance(layer, Part):
                raise located(error, layers, position) from None
            raise
        values = layer.dinputs if result is None else result


def update_pass(optimizer: Any, layers: list[Any]) -> None:
    """Let an optimizer make one step on these layers."""
    if hasattr(optimizer, "pre_update_params"):
        optimizer.pre_update_params()
    for layer in layers:
        optimizer.update_params(layer)
    if hasattr(optimizer, "post_update_params"):
        optimizer.post_update_params()


def spares_dinputs(layer: Any) -> bool:
    """Does the layer's `backward_parameters` do what its `backward` does, but for dinputs?

    Not where somebody has a backward of their own.
    """
    own = own_class(layer, "backward")
    return own is not None and hasattr(own, "backward_parameters")


def joint_loss(last_layer: Any, loss: Any) -> str | None:
    """Return the core's name of last activation and loss in one, None where they stay two."""
    name: str | None = loss.joint_with(last_layer) if isinstance(loss, CompiledLoss) else None
    return name


def weighted_rows(dinputs: Any, weight: Array | None) -> Any:
    """Multiply row i by ``w_i n / sum w``."""
    if weight is None:
        return dinputs
    factors = weight * (len(weight) / weight.sum())
    return dinputs * factors.astype(dinputs.dtype).reshape(-1, *(1,) * (dinputs.ndim - 1))


def predictions_of(layers: list[Any], loss: Any, output: Any, y: Any) -> Any:
    """Return the output as predictions, by the loss or the last layer where one knows how."""
    by_loss = loss.predictions(output, y) if hasattr(loss, "predictions") else None
    if by_loss is not None:
        return by_loss
    predict = getattr(layers[-1], "predictions", None)
    return output if predict is None else predict(output)


def parametric_layers(model: Any) -> list[Any]:
    """Return the model's layers that have parameters, frozen or not; then what users added."""
    layers = list(model.layers)
    ids = {id(layer) for layer in layers}
    layers += [layer for layer in model.trainable_layers if id(layer) not in ids]
    return [layer for layer in layers if slots_of(layer)]


def learning(trainable_layers: list[Any]) -> list[Any]:
    """Return the layers whose parameters a step changes: those that are not frozen."""
    return [layer for layer in trainable_layers if is_trainable(layer)]


def lowest_learning(layers: list[Any], learners: list[Any]) -> int:
    """Return the position of the lowest layer that learns, one behind the last if none does.

    A layer that learns without being one of the model's own (a part of a user's layer) needs the
    whole way back.
    """
    ids = {id(layer) for layer in learners}
    own = [position for position, layer in enumerate(layers, 1) if id(layer) in ids]
    if len(own) < len(ids):
        return 1
    return own[0] if own else len(layers) + 1
