"""What `Model.summary` prints of layers: sizes, parameters of any name, what is frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Activation_Tanh, Layer_Dense, Layer_Scale, Model
from chainrule.errors import label_of


class Convolution:
    parameter_names = ("kernel", "offset")

    def __init__(self) -> None:
        self.kernel = np.zeros((3, 3, 1, 8), dtype=np.float32)
        self.offset = np.zeros(8, dtype=np.float32)

    def forward(self, inputs: Any, training: bool = False) -> Any:
        return inputs

    def backward(self, dvalues: Any) -> Any:
        return dvalues


def lines_of(model: Model, capsys: pytest.CaptureFixture[str]) -> list[str]:
    model.summary()
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_every_parameter_counts_whatever_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    model = Model()
    for layer in (
        Convolution(),
        Layer_Scale(4),
        Layer_Dense(4, 6, bias=False, dtype=np.float32),
        Activation_Tanh(),
        Layer_Dense(6, 2),
    ):
        model.add(layer)
    lines = lines_of(model, capsys)
    assert "1 Convolution(3, 3, 1, 8) (n, ?) 80 320 B" in lines
    assert any(line.startswith("2 Layer_Scale(4)") and "4 32 B" in line for line in lines)
    assert "3 Layer_Dense(4, 6) (n, 6) 24 96 B" in lines
    assert "5 Layer_Dense(6, 2) (n, 2) 14 112 B" in lines
    assert "total 122 560 B" in lines
    assert not any("frozen" in line for line in lines)


def test_frozen_layers_are_marked_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    model = Model()
    for layer in (Layer_Dense(4, 6), Activation_Tanh(), Layer_Dense(6, 2)):
        model.add(layer)
    model.layers[0].trainable = model.layers[1].trainable = False
    lines = lines_of(model, capsys)
    assert "1 Layer_Dense(4, 6), frozen (n, 6) 30 240 B" in lines
    assert "2 Activation_Tanh (n, 6) 0 0 B" in lines
    at = lines.index("total 44 352 B")
    assert lines[at + 1] == "of it frozen 30"


def test_a_layer_is_named_by_the_sizes_of_its_first_parameter() -> None:
    assert label_of(Layer_Dense(1, 3)) == "Layer_Dense(1, 3)"
    assert label_of(Layer_Dense(3, 2, bias=False)) == "Layer_Dense(3, 2)"
    assert label_of(Layer_Scale(5)) == "Layer_Scale(5)"
    assert label_of(Convolution()) == "Convolution(3, 3, 1, 8)"
    assert label_of(Activation_Tanh()) == "Activation_Tanh"
    unnamed: Any = type("Own", (), {})()
    unnamed.weights = np.ones((2, 3))
    assert label_of(unnamed) == "Own(2, 3)"
    unnamed.parameter_names = ()
    assert label_of(unnamed) == "Own"
    assert label_of(object()) == "object"
