"""Which part of a model is the cause of a wrong gradient: each looked at by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .copies import Copies
from .examination import Examination
from .gradients import find_parameters
from .report import WRONG
from .subjects import LayerSubject, LossSubject, ModelSubject


class Joint:
    """A last layer and a loss in one, as a model joins them."""

    def __init__(self, name: str, activation: Any, loss: Any) -> None:
        self.name, self.activation, self.loss = name, activation, loss

    def forward(self, inputs: Any, y: Any) -> Any:
        """Keep the activation's output; the value comes from `joint_value`."""
        self.output = self.activation.forward(inputs)
        return np.nan

    def joint_value(self, inputs: Any, y: Any) -> Any:
        """Return the loss of each row."""
        return self.loss.joint_value(inputs, y)

    def backward(self, dvalues: Any, y: Any) -> Any:
        """Return the joint gradient."""
        return self.loss.joint_backward(self.name, dvalues, y)


def culprits(examined: Examination) -> tuple[str, ...]:
    """Return a note for each part of a model whose gradient is wrong by itself."""
    own, model = examined.own, examined.copies.thing
    if not isinstance(own, ModelSubject) or not examined.repeats.steady:
        return ()
    outer, y = examined.copies.outer, examined.copies.y
    notes: list[str] = []
    for k, (inputs, _) in enumerate(examined.repeats.values[: -1 if own.joint else None]):
        copies = Copies(model.layers[k], inputs, None, outer, lambda t, x, _: LayerSubject(t, x))
        notes += _wrong(copies, own.walk.labels[k])
    loss = type(model.loss).__name__
    if own.joint and hasattr(model.loss, "joint_value"):
        joint = Joint(own.joint, model.layers[-1], model.loss)
        inputs = examined.repeats.values[-1][0]
        notes += _wrong(Copies(joint, inputs, y, outer, LossSubject),
                        f"{own.walk.labels[-1]} with {loss}")  # fmt: skip
    elif not own.joint:
        notes += _wrong(Copies(model.loss, _last(examined), y, outer, LossSubject), loss)
    return tuple(notes) or ("no layer is wrong by itself, nor is the loss",)


def _last(examined: Examination) -> NDArray[Any]:
    output: NDArray[Any] = examined.repeats.values[-1][1]
    return output


def _wrong(copies: Copies, label: str) -> Iterator[str]:
    """Yield a note for each gradient of one part that is wrong."""
    copies.parameters, _ = find_parameters(copies.own(), [""], set())
    examined = Examination(copies, full=False)
    for row in examined.rows(examined.repeats.gradients):
        if row.verdict == WRONG:
            hint = f": {row.hint.splitlines()[0]}" if row.hint else ""
            yield f"{label}: d{row.array} is wrong by itself{hint}"
