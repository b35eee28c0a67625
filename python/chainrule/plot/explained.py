"""What the pictures of a step are drawn from: an explanation of a model on some samples.

`gradient_flow`, `update_ratios` and `activations` take an explanation, or a model with X and y and
have it explained. They read ``e.rows`` and ``e[k]`` for the model's layer k, from 0, with the
arrays `inputs, output, dvalues, dinputs, dweights, dbiases, step_weights, step_biases,
weights_after, biases_after` (None where there is none).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model import Model


def explained(what: Any, X: Any, y: Any, name: str) -> Any:
    """Return the explanation `what`, or that of the model `what` on X and y.

    Raises
    ------
    TypeError
        Neither; a model without X and y, an explanation with them.
    """
    if isinstance(what, Model):
        if X is None or y is None:
            missing = " and ".join(each for each, v in (("X", X), ("y", y)) if v is None)
            raise TypeError(f"{name}: expected X and y with a model, got no {missing}")
        return what.explain(X, y)
    if not hasattr(what, "rows") or not hasattr(what, "__getitem__"):
        kind = type(what).__name__
        raise TypeError(f"{name}: expected a model with X and y, or an explanation, got {kind}")
    if X is not None or y is not None:
        raise TypeError(f"{name}: expected an explanation alone, got X or y beside it")
    return what


def labels_of(explanation: Any) -> list[str]:
    """Return a name for each layer: its class without ``Layer_`` or ``Activation_``, position."""
    names = []
    for position, row in enumerate(explanation.rows, 1):
        text = str(getattr(row, "layer", getattr(row, "name", "layer")))
        kind = text.partition(" ")[0].partition("(")[0]
        names.append(f"{kind.removeprefix('Layer_').removeprefix('Activation_')} {position}")
    return names


def parametric(explanation: Any) -> list[int]:
    """Return the layers, from 0, that have gradients of weights."""
    rows = range(len(explanation.rows))
    return [k for k in rows if getattr(explanation[k], "dweights", None) is not None]


def mean_square_root(values: Any) -> float:
    """Return the root of the mean square; NaN of nothing."""
    array = np.asarray(values, dtype=np.float64)
    return float(np.sqrt(np.mean(np.square(array)))) if array.size else float("nan")
