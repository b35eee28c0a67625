"""One pass back through a graph, result first, without recursion.

A result is younger than its operands. Taken from the youngest on, each node has its whole gradient,
the sum of what its uses contributed, before it passes anything on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array
from .parts import Passes

if TYPE_CHECKING:
    from .variable import Variable


def youngest_first(result: Variable) -> list[Variable]:
    """Return the variables that a result was computed from, itself first."""
    found = {id(result): result}
    pending = [result]
    while pending:
        node = pending.pop()._node
        for parent in () if node is None else node.parents:
            if parent is not None and id(parent) not in found:
                found[id(parent)] = parent
                pending.append(parent)
    return sorted(found.values(), key=lambda variable: -variable._order)


def pass_back(result: Variable, dvalues: Array, accumulate: bool) -> None:
    """Set the gradients of everything that `result` was computed from.

    Raises
    ------
    RuntimeError
        An array was changed in place; then nothing has changed.
    """
    variables = youngest_first(result)
    gradients = {id(result): dvalues}
    layers = Passes()
    with np.errstate(all="ignore"):
        for variable in variables:
            node = variable._node
            if node is None:
                continue
            node.check()
            layers.begin(node.operation)
            dvalues = gradients[id(variable)]
            for k, parent in enumerate(node.parents):
                if parent is None:
                    continue
                found = node.operation.gradient(
                    k, dvalues, variable._value, node.values, node.settings
                )
                held = gradients.get(id(parent))
                gradients[id(parent)] = found if held is None else np.asarray(held + found)
    for variable in variables:
        found = gradients[id(variable)]
        if accumulate and variable._node is None and variable._grad is not None:
            variable._grad = np.asarray(variable._grad + found)
        else:
            variable._grad = np.array(found)
    layers.end(accumulate)
