"""The update of all layers is whole, or none of it is made: whatever fails at whichever layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr


class Failing(cr.Optimizer_Adam):
    """Fails at one of its calls, the first one of a step being number 0."""

    at = -1
    calls = 0

    def _count(self) -> None:
        self.calls += 1
        if self.calls - 1 == self.at:
            raise LookupError("no more")

    def pre_update_params(self) -> None:
        super().pre_update_params()
        self._count()

    def update_params(self, layer: Any) -> None:
        super().update_params(layer)
        self._count()

    def post_update_params(self) -> None:
        super().post_update_params()
        self._count()


class Rebinding:
    """An optimizer of the user's own from scratch: new arrays, attributes of its own on layers."""

    states = ("velocity",)

    def __init__(self) -> None:
        self.steps, self.fails = 0, False

    def update_params(self, layer: Any) -> None:
        layer.weight_velocity = getattr(layer, "weight_velocity", 0.0) - 0.1 * layer.dweights
        layer.weights = layer.weights + layer.weight_velocity
        layer.biases += 1.0
        layer.touched = True
        self.steps += 1
        if self.fails and self.steps % 2 == 0:
            raise LookupError("no more")


def net(optimizer: Any) -> tuple[cr.Model, Any, Any]:
    rng = np.random.default_rng(3)
    model = cr.Model()
    for d, m in ((4, 6), (6, 2)):
        model.add(cr.Layer_Dense(d, m, rng=d))
        model.add(cr.Activation_Tanh())
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=optimizer)
    return model, rng.standard_normal((12, 4)), rng.standard_normal((12, 2))


def state_of(model: cr.Model) -> dict[str, Any]:
    """Everything that a step changes, arrays as copies; not what the classes above count."""
    left = ("dweights", "dbiases", "inputs", "output", "dinputs", "at", "calls", "fails", "steps")
    found: dict[str, Any] = {}
    parts = {**dict(enumerate(model.layers)), "optimizer": model.optimizer}
    for place, part in parts.items():
        for name, value in vars(part).items():
            copied = np.array(value) if isinstance(value, np.ndarray) else value
            copied = dict(value) if type(value) is dict else copied
            if name not in left and name not in ("prev", "next"):
                found[f"{place}.{name}"] = copied
    return found


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_equal(value, other[name], err_msg=name)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("call", ["train", "apply_gradients"])
def test_an_optimizer_that_fails_leaves_nothing(call: str, place: int, begun: bool) -> None:
    optimizer = Failing(0.1)
    model, X, y = net(optimizer)
    CALLS[call](model, X, y) if begun else model.finalize()
    arrays = [layer.weights for layer in model.trainable_layers]
    flat = model.gradients(X, y)[1]
    before = state_of(model)
    optimizer.calls, optimizer.at = 0, place
    with pytest.raises(LookupError):
        if call == "train":
            model.train(X, y)
        else:
            model.apply_gradients(flat)
    after = state_of(model)
    if not begun:  # whose the arrays are is settled before the step
        for name in [name for name in after if name not in before]:
            assert "optimizer_" in name or "optimizer.schedule_" in name, name
            del after[name]
    assert_same(before, after)
    for layer, array in zip(model.trainable_layers, arrays, strict=True):
        assert layer.weights is array
    optimizer.at = -1
    CALLS[call](model, X, y)


CALLS: dict[str, Callable[[cr.Model, Any, Any], Any]] = {
    "train": lambda model, X, y: model.train(X, y),
    "apply_gradients": lambda model, X, y: model.apply_gradients(model.gradients(X, y)[1]),
}


def test_an_optimizer_from_scratch_that_fails_leaves_nothing() -> None:
    optimizer = Rebinding()
    model, X, y = net(optimizer)
    model.train(X, y)
    before = state_of(model)
    optimizer.fails = True
    with pytest.raises(LookupError):
        model.train(X, y, epochs=3)
    assert_same(before, state_of(model))


def test_a_layer_that_cannot_be_updated_leaves_the_others_alone() -> None:
    model, X, y = net(cr.Optimizer_Adam(0.1))
    model.train(X, y, engine="classes")
    before = state_of(model)
    model.layers[2].weights.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        model.train(X, y, engine="classes")
    model.layers[2].weights.flags.writeable = True
    assert_same(before, state_of(model))
