"""Where a layer, an activation or a loss gets a `Variable`: its pass becomes one node of a graph.

Only the branches that conversions take come here; calls with arrays do not. What comes back is a
`Variable`, typed as the array that it stands for, as the callers' results are.

`forward` is the method that got the variable: a subclass may have called it by ``super()``.
"""

from __future__ import annotations

from typing import Any

from .arrays import Array


def record_layer(forward: Any, layer: Any, inputs: Any, *training: bool) -> Array:
    """Run a layer's forward on a variable's value; return a variable of its output."""
    from .autograd.parts import layer_pass

    output: Any = layer_pass(forward, layer, inputs, *training)
    return output  # type: ignore[no-any-return]


def record_loss(forward: Any, loss: Any, y_pred: Any, y_true: Any) -> Array:
    """Return a variable of the samples' losses (n,), or of a joined loss's mean."""
    from .autograd.parts import loss_pass

    losses: Any = loss_pass(forward, loss, y_pred, y_true)
    return losses  # type: ignore[no-any-return]


def record_mean(loss: Any, output: Any, y: Any, sample_losses: Any) -> Any:
    """Return a variable of the mean loss, whose gradient is the loss's own."""
    from .autograd.parts import mean_pass

    return mean_pass(loss, output, y, sample_losses)
