"""Where a layer, an activation or a loss gets a `Variable`: its pass becomes one node of a graph.

Only the branches that conversions take ask; calls with arrays do not come here. What comes back is
a `Variable`, typed as the array or number that it stands for, as the callers' results are.
"""

from __future__ import annotations

from typing import Any

from .arrays import Array


def is_variable(thing: Any) -> bool:
    """Tell whether `thing` is a `Variable`, without importing its module."""
    return getattr(type(thing), "is_graph_node", False) is True


def record_layer(layer: Any, inputs: Any, *training: bool) -> Array:
    """Run a layer's forward on a variable's value; return a variable of its output."""
    from .autograd.parts import layer_pass

    output: Any = layer_pass(layer, inputs, *training)
    return output  # type: ignore[no-any-return]


def record_loss(loss: Any, y_pred: Any, y_true: Any) -> Array:
    """Return a variable of the samples' losses (n,), or of a joined loss's mean."""
    from .autograd.parts import loss_pass

    losses: Any = loss_pass(loss, y_pred, y_true)
    return losses  # type: ignore[no-any-return]


def record_mean(loss: Any, output: Any, y: Any, sample_losses: Any) -> Any:
    """Return a variable of the mean loss, whose gradient is the loss's own."""
    from .autograd.parts import mean_pass

    return mean_pass(loss, output, y, sample_losses)
