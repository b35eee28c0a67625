"""Files of each version, written by the package of their time, load and go on.

tests/data/model_v1.safetensors is of release 0.1.0. What a file holds is read here by the
safetensors package alone; a model built from that by constructors and assignments must train on
with the same bits as the one that was loaded.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Accuracy_Categorical,
    Activation_ReLU,
    Activation_Softmax,
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Layer_Scale,
    Loss_CategoricalCrossentropy,
    Model,
    Optimizer_Adam,
)
from chainrule.datasets import spiral_data
from chainrule.schedules import Cosine, OneCycle, Step
from plan_cases import refuse_plans

FOLDER = Path(__file__).parent / "data"
STEPS = 20  # 5 epochs of 60 samples in batches of 16
X, Y = spiral_data(20, 3, rng=0)
DENSE = {"dtype": np.float32, "init": "he_normal"}


def path_of(version: int) -> Path:
    return FOLDER / f"model_v{version}.safetensors"


def content(version: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Document and tensors."""
    from safetensors import safe_open
    from safetensors.numpy import load_file

    with safe_open(path_of(version), framework="numpy") as file:
        document = json.loads(file.metadata()["chainrule"])
    return document, load_file(path_of(version))


def layers_of(version: int) -> list[Any]:
    """The network of the file, its parameters drawn anew."""
    if version == 1:
        return [
            Layer_Dense(2, 8, 1e-5, 5e-4, 1e-5, 5e-4, dtype=np.float32),
            Activation_ReLU(),
            Layer_Dropout(0.1),
            Layer_Dense(8, 3, dtype=np.float32, weight_scale=0.5),
            Activation_Softmax(),
        ]
    layers = [
        Layer_Scale(2, dtype=np.float32, learning_rate_factor=2.0),
        Layer_Dense(2, 8, 1e-5, 5e-4, bias=False, epsilon_factor=2.0, **DENSE),  # type: ignore[arg-type]
        Activation_ReLU(),
        Layer_Dropout(0.1, schedule=Cosine(0.5)),
        Layer_Dense(8, 6, weight_decay_factor=(1.0, 0.5), **DENSE),  # type: ignore[arg-type]
        Activation_Tanh(),
        Layer_Dense(6, 3, **DENSE),  # type: ignore[arg-type]
        Activation_Softmax(),
    ]
    layers[4].trainable = False
    return layers


def optimizer_of(version: int) -> Optimizer_Adam:
    settings: dict[str, Any] = {"decay": 1e-3, "beta_1": 0.8, "weight_decay": 0.01}
    if version == 1:
        return Optimizer_Adam(0.02, **settings)
    schedules = {"schedule": OneCycle(), "weight_decay_schedule": Step(at=0.5)}
    optimizer = Optimizer_Adam(0.02, amsgrad=True, **settings, **schedules)
    optimizer.schedule_start, optimizer.schedule_steps = 0, 40
    return optimizer


def twin_of(version: int) -> Model:
    """The model of the file, put together by hand."""
    document, tensors = content(version)
    model = Model()
    for layer in layers_of(version):
        model.add(layer)
    index = 0
    for layer in model.layers:
        if hasattr(layer, "weights"):
            index += 1
            for name, tensor in tensors.items():
                if name.startswith(f"{index}."):
                    setattr(layer, name.partition(".")[2], tensor.copy())
        if isinstance(layer, Layer_Dropout):
            layer.key, layer.step = document["layers"][model.layers.index(layer)]["key"], STEPS
    optimizer = optimizer_of(version)
    optimizer.iterations = STEPS
    optimizer.token = None  # from before tokens were kept: the arrays on the layers are its own
    model.set(
        loss=Loss_CategoricalCrossentropy(), optimizer=optimizer, accuracy=Accuracy_Categorical()
    )
    return model


def arrays(model: Model) -> dict[str, Any]:
    return {
        f"{position}.{name}": value
        for position, layer in enumerate(model.layers)
        for name, value in vars(layer).items()
        if isinstance(value, np.ndarray) and (name[0] in "wb" and name != "binary_mask")
    }


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_holds_what_its_version_says(version: int) -> None:
    document, tensors = content(version)
    assert document["version"] == version
    model = Model.load(path_of(version))
    held = [layer for layer in model.layers if hasattr(layer, "weights")]
    loaded = {
        f"{index}.{name}": value
        for index, layer in enumerate(held, 1)
        for name, value in vars(layer).items()
        if isinstance(value, np.ndarray)
    }
    history = tensors.pop("history")
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor)
        assert loaded[name].dtype == tensor.dtype == np.float32
    assert model.history is not None and len(model.history) == 5
    np.testing.assert_array_equal(
        np.stack([model.history[name] for name in model.history]), history
    )


@pytest.mark.parametrize("version", [1, 2])
def test_settings_are_those_of_the_network_that_was_saved(version: int) -> None:
    model, twin = Model.load(path_of(version)), twin_of(version)
    assert repr(model) == repr(twin)
    assert model.optimizer.iterations == STEPS
    for one, two in zip(model.layers, twin.layers, strict=True):
        assert getattr(one, "trainable", True) == getattr(two, "trainable", True)
        assert getattr(one, "weight_scale", 0.01) == getattr(two, "weight_scale", 0.01)
    rate = model.optimizer.current_learning_rate
    share = (STEPS - 1) / 40
    expected = 0.02 / (1 + 1e-3 * (STEPS - 1)) * (1 if version == 1 else OneCycle()(share))
    assert abs(rate - expected) <= 4 * np.finfo(np.float64).eps * expected
    assert model.feature_names == (None if version == 1 else ("x", "y"))
    assert model.rng is not None


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("way", ["plan", "layers"])
def test_a_file_goes_on_with_the_bits_of_what_it_holds(
    version: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "layers":
        refuse_plans(monkeypatch)
    model, twin = Model.load(path_of(version)), twin_of(version)
    twin.rng = copy.deepcopy(model.rng)
    before = {name: array.copy() for name, array in arrays(model).items()}
    for each in (model, twin):
        each.train(X, Y, epochs=3, batch_size=16, shuffle=True)
    assert arrays(model).keys() == arrays(twin).keys()
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, arrays(twin)[name])
    learn = {position for position, layer in enumerate(model.layers) if layer.trainable}
    moved = {name for name, array in before.items() if (arrays(model)[name] != array).any()}
    assert moved == {name for name in before if int(name.partition(".")[0]) in learn}
    for layer in model.trainable_layers:
        if layer.trainable:
            assert set(layer.optimizer_steps.values()) == {STEPS + 12}


@pytest.mark.parametrize("version", [1, 2])
def test_saved_again_it_is_of_this_version_and_the_same(version: int, tmp_path: Path) -> None:
    model = Model.load(path_of(version))
    model.save(tmp_path / "again")
    again = Model.load(tmp_path / "again")
    for one, two in zip(model.layers, again.layers, strict=True):
        assert vars(one).keys() == vars(two).keys()
    assert arrays(model).keys() == arrays(again).keys()
    for name, array in arrays(model).items():
        np.testing.assert_array_equal(array, arrays(again)[name])
    if version == 2:
        assert (tmp_path / "again").read_bytes() == path_of(version).read_bytes()


def test_parameters_alone_come_out_of_a_file_of_each_version() -> None:
    for version in (1, 2):
        model = Model()
        for layer in layers_of(version):
            model.add(layer)
        model.load_parameters(path_of(version))
        _, tensors = content(version)
        index = 0
        for layer in model.layers:
            if hasattr(layer, "weights"):
                index += 1
                np.testing.assert_array_equal(layer.weights, tensors[f"{index}.weights"])
