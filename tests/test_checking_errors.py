"""What gradcheck refuses, and errors that come from the user's own methods."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_ReLU,
    Layer_Dense,
    Loss_MeanSquaredError,
    Model,
    Optimizer_Adam,
    gradcheck,
)


def model_of(*layers: Any) -> Model:
    model = Model()
    for layer in layers:
        model.add(layer)
    model.set(loss=Loss_MeanSquaredError())
    return model


class Failing:
    def __init__(self, error: Exception, method: str) -> None:
        self.error, self.method = error, method

    def forward(self, inputs: Any) -> Any:
        if self.method == "forward":
            raise self.error
        return inputs

    def backward(self, dvalues: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("method", ["forward", "backward"])
@pytest.mark.parametrize("error", [ValueError, IndexError, AttributeError, KeyError])
def test_an_error_comes_through_and_names_the_layer(method: str, error: Any, rng: Any) -> None:
    X, y = rng.standard_normal((2, 6, 4))
    with pytest.raises(error, match=f"Failing: {method}: broken"):
        gradcheck(Failing(error("broken"), method), X)
    with pytest.raises(error, match=f"Failing 2: {method}: broken"):
        gradcheck(
            model_of(Layer_Dense(4, 3), Failing(error("broken"), method), Layer_Dense(3, 4)), X, y
        )


def test_a_forward_that_gives_nothing_is_refused(rng: Any) -> None:
    class Silent(Failing):
        def forward(self, inputs: Any) -> None:
            pass

    with pytest.raises(TypeError, match="Silent: forward: expected it to return the output or"):
        gradcheck(Silent(ValueError(), ""), np.ones((2, 2)))


def test_gradcheck_refuses_what_it_cannot_check() -> None:
    for thing, kind in ((3, "int"), (Optimizer_Adam(), "Optimizer_Adam"), (len, "builtin")):
        with pytest.raises(TypeError, match=f"expected a model, a layer or a loss, got {kind}"):
            gradcheck(thing, np.ones((2, 2)))
    with pytest.raises(ValueError, match="expected at least one sample, got shape"):
        gradcheck(Activation_ReLU(), np.ones((0, 2)))
    with pytest.raises(TypeError, match="Model: expected y, the targets, beside X; got none"):
        gradcheck(model_of(Layer_Dense(4, 2)), np.ones((2, 4)))
    with pytest.raises(TypeError, match="X: expected real numbers"):
        gradcheck(Activation_ReLU(), [["a", "b"]])
    with pytest.raises(ValueError, match="y: expected 2 samples, as X has"):
        gradcheck(model_of(Layer_Dense(4, 2)), np.ones((2, 4)), [0, 1, 2])
    with pytest.raises(TypeError, match="Loss_MeanSquaredError: expected y"):
        gradcheck(Loss_MeanSquaredError(), np.ones((2, 4)))
    with pytest.raises(TypeError, match=r"got the class Layer_Dense; write Layer_Dense\(...\)"):
        gradcheck(Layer_Dense, np.ones((2, 4)))
    model = model_of(Layer_Dense(4, 2))
    model.loss = None
    with pytest.raises(ValueError, match="Model: loss: expected one, got none"):
        gradcheck(model, np.ones((2, 4)), [0, 1])


def test_gradcheck_refuses_what_cannot_be_copied() -> None:
    layer = Failing(ValueError(), "")
    layer.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(
        TypeError, match=r"Failing: expected an object that copy\.deepcopy can copy"
    ):
        gradcheck(layer, np.ones((2, 2)))


def test_a_loss_of_another_rank_is_refused(rng: Any) -> None:
    class Mean(Loss_MeanSquaredError):
        def forward(self, y_pred: Any, y_true: Any) -> Any:
            return super().forward(y_pred, y_true).mean()

    X, y = rng.standard_normal((2, 6, 4))
    with pytest.raises(ValueError, match=r"Mean: forward: expected one loss per sample, \(6,\)"):
        gradcheck(Mean(), X, y)
