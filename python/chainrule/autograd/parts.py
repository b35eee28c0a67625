"""The package's layers and losses as nodes: one a pass, with the part's own forward and backward.

    layer       dinputs = layer.backward(dvalues)
    loss (n,)   dvalues_i * n * loss.backward(p, y)_i       of each sample's loss
    mean        dvalues * loss.backward(p, y)

Backward runs on a copy of the part as it was after its forward, so that a layer may be used several
times; what it leaves (dweights, dbiases, dinputs) is then put on the layer itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..catalogue import own_class
from ..errors import label_of
from ..layers.parameters import slots_of
from .applying import computed
from .operation import Operation, Values, summed_to

if TYPE_CHECKING:
    from .variable import Variable


class PartPass(Operation):
    """One pass through a layer or a loss.

    Attributes
    ----------
    part : object
        The layer or loss.
    kind : type
        The class of it whose forward and backward this is.
    kept : object
        A copy of it as it was after forward, with the same arrays.
    left : dict
        The attributes that the last backward of such a copy has set.
    again : bool
        The layer was met before in the present pass: its penalties are counted already.
    """

    def __init__(self, part: Any, kind: type | None = None) -> None:
        self.name, self.text = type(part).__name__, label_of(part)
        self.part, self.kept, self.kind = part, _as_it_is(part), kind or type(part)
        self.left: dict[str, Any] = {}
        self.again = False

    def gradient(
        self, k: int, dvalues: Array, output: Array, values: Values, settings: Mapping[str, Any]
    ) -> Array:
        """Return the part's own gradient with respect to its inputs."""
        copy = _as_it_is(self.kept)
        if self.again:
            for slot in slots_of(copy):
                for power in ("l1", "l2"):
                    vars(copy)[f"{slot.prefix}_regularizer_{power}"] = 0
        before = dict(vars(copy))
        found = self.backward(copy, dvalues, values)
        self.left = {
            name: value
            for name, value in vars(copy).items()
            if name not in before or before[name] is not value
        }
        return summed_to(np.asarray(found), values[k])

    def backward(self, copy: Any, dvalues: Array, values: Values) -> Any:
        """Run the backward of a copy, or the one that was put on the object."""
        if "backward" in vars(copy):
            return copy.backward(dvalues)
        return self.kind.backward(copy, dvalues)  # type: ignore[attr-defined]

    def derivative(self, k: int, output: Array, values: Values, settings: Mapping[str, Any]) -> Any:
        """Return an activation's derivative where it works entry by entry, else a text."""
        if hasattr(self.part, "biases"):
            return "weights.T"
        entry_by_entry = getattr(self.part, "codomain", "probabilities") != "probabilities"
        if entry_by_entry and own_class(self.part) is not None:
            return _as_it_is(self.kept).backward(np.ones_like(output))
        return "its Jacobian"


class SampleLosses(PartPass):
    """The losses (n,) of the samples."""

    def __init__(self, loss: Any, kind: type, y: Any) -> None:
        super().__init__(loss, kind)
        self.y = y

    def backward(self, copy: Any, dvalues: Array, values: Values) -> Any:
        """Return row by row ``dvalues * n`` times the gradient of the mean."""
        return dvalues[:, None] * dvalues.dtype.type(len(dvalues)) * self.own(copy, values[0])

    def own(self, copy: Any, y_pred: Any) -> Any:
        """Return the loss's own gradient, that of the mean."""
        if "backward" in vars(copy):
            return copy.backward(y_pred, self.y)
        return self.kind.backward(copy, y_pred, self.y)  # type: ignore[attr-defined]

    def derivative(self, k: int, output: Array, values: Values, settings: Mapping[str, Any]) -> Any:
        """Return the gradient where the loss is one number, else a text."""
        ones = np.ones_like(output)
        return "its gradient" if output.ndim else self.backward(_as_it_is(self.kept), ones, values)


class MeanLoss(SampleLosses):
    """The mean of the samples' losses."""

    def backward(self, copy: Any, dvalues: Array, values: Values) -> Any:
        """Return `dvalues` times the loss's own gradient."""
        return dvalues * self.own(copy, values[0])


class JoinedLoss(SampleLosses):
    """The mean loss of an activation and a loss in one."""

    def backward(self, copy: Any, dvalues: Array, values: Values) -> Any:
        """Return `dvalues` times the pair's own gradient."""
        return dvalues * self.own(copy, copy.output)


class Passes:
    """The parts that one pass back meets, and what they get of it in the end."""

    def __init__(self) -> None:
        self._met: list[PartPass] = []
        self._parts: set[int] = set()

    def begin(self, operation: Operation) -> None:
        """Take note of a part before its gradient is computed."""
        if isinstance(operation, PartPass):
            operation.again = id(operation.part) in self._parts
            self._parts.add(id(operation.part))
            self._met.append(operation)

    def end(self, accumulate: bool) -> None:
        """Put the gradients on the layers; those of parameters add up over a layer's uses."""
        gathered: dict[int, tuple[Any, dict[str, Any]]] = {}
        for each in self._met:
            _, found = gathered.setdefault(id(each.part), (each.part, {}))
            _add(found, each.left, each.part)
            each.left = {}
        for part, found in gathered.values():
            if accumulate:
                _add(found, {slot.gradient: vars(part).get(slot.gradient)
                             for slot in slots_of(part)}, part)  # fmt: skip
            vars(part).update(found)


def _add(found: dict[str, Any], more: dict[str, Any], part: Any) -> None:
    """Add the gradients of a part's parameters to what was found; other things are set."""
    gradients = {slot.gradient for slot in slots_of(part)}
    for name, value in more.items():
        held = found.get(name)
        if name not in gradients or held is None:
            found[name] = value
        elif value is not None:
            found[name] = held + value


def _as_it_is(part: Any) -> Any:
    """Return an object like `part` with the same attributes: what copy.copy would leave out too."""
    twin = object.__new__(type(part))
    vars(twin).update(vars(part))
    return twin


def _kind_of(part: Any, forward: Any) -> type:
    """Return the class whose forward this is, for `part`: a subclass may have called it."""
    kinds = (kind for kind in type(part).__mro__ if getattr(kind, "forward", None) is forward)
    return next(kinds, type(part))


def layer_pass(forward: Any, layer: Any, inputs: Variable, *training: bool) -> Variable:
    """Run a layer's forward on a variable's value; return a variable of its output."""
    values = (inputs.value,)
    output = forward(layer, *values, *training)
    held = [(getattr(layer, slot.name), f"{label_of(layer)}: {slot.name}")
            for slot in slots_of(layer)]  # fmt: skip
    for name in ("output", "binary_mask"):
        held.append((vars(layer).get(name), f"{label_of(layer)}: {name}"))
    return computed(
        inputs,
        output,
        PartPass(layer, _kind_of(layer, forward)),
        (inputs,),
        values,
        {},
        tuple(held),
    )


def loss_pass(forward: Any, loss: Any, y_pred: Variable, y_true: Any) -> Variable:
    """Return a variable of the samples' losses (n,), or of a joined loss's mean."""
    values = (y_pred.value,)
    output = np.asarray(forward(loss, *values, y_true))
    operation = (SampleLosses if output.ndim else JoinedLoss)(loss, _kind_of(loss, forward), y_true)
    held = ((y_true, f"{label_of(loss)}: the targets"), (vars(loss).get("output"), "the output"))
    return computed(y_pred, output, operation, (y_pred,), values, {}, held)


def mean_pass(loss: Any, output: Any, y: Any, sample_losses: Variable) -> Any:
    """Return the mean loss as `Loss.calculate` does, as a variable.

    Where the samples' losses are the package's own of this very output, it is one node with the
    loss's own gradient; where a loss of the user's own has computed them, it is their mean.
    """
    node = sample_losses._node
    if node is None or not isinstance(node.operation, SampleLosses) or (
        node.operation.part is not loss or node.parents[0] is not output
    ):  # fmt: skip
        loss.accumulate(float(sample_losses.value.sum(dtype=np.float64)), len(sample_losses))
        loss.accumulated_dtype = sample_losses.dtype
        return sample_losses.mean()
    value = np.asarray(loss.calculate(output.value, y))
    held = ((y, f"{label_of(loss)}: the targets"),)
    operation = MeanLoss(loss, type(loss), y)
    return computed(output, value, operation, (output,), (output.value,), {}, held)
