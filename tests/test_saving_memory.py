"""Memory of model files: loading takes the arrays and little more, saving no copy of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Layer_Dense, Loss_MeanSquaredError, Model, Optimizer_Adam
from hard.files import small_model

ROOM = 200_000  # bytes: header, document, objects, buffers of the file


def large_model() -> Model:
    """A net of 3 MB of parameters, with Adam's arrays 9 MB."""
    model = Model()
    for d, m in ((300, 800), (800, 600)):
        model.add(Layer_Dense(d, m, rng=d, dtype=np.float32))
    model.set(loss=Loss_MeanSquaredError(), optimizer=Optimizer_Adam())
    model.train(np.ones((2, 300)), np.ones((2, 600)))
    return model


def peak_of(call: Callable[[], Any]) -> tuple[int, int]:
    """Return the most memory that a call takes, and what it keeps, in bytes."""
    call()  # imports
    tracemalloc.start()
    try:
        kept = call()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del kept
    return peak, held


@pytest.fixture(scope="module")
def model() -> Model:
    return large_model()


def test_saving_takes_no_copy(model: Model, tmp_path: Path) -> None:
    size = sum(layer.weights.nbytes for layer in model.layers)
    for save in (model.save, model.save_parameters):
        peak, _ = peak_of(lambda save=save: save(tmp_path / "model"))
        assert peak < ROOM < size / 10


def test_loading_takes_the_arrays_alone(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    size = (tmp_path / "model").stat().st_size
    peak, held = peak_of(lambda: Model.load(tmp_path / "model"))
    assert held >= 0.99 * size  # the parameters, and the optimizer's arrays
    assert peak <= size + ROOM


def test_parameters_are_read_into_one_copy(model: Model, tmp_path: Path) -> None:
    model.save_parameters(tmp_path / "parameters")
    size = (tmp_path / "parameters").stat().st_size
    peak, _ = peak_of(lambda: model.load_parameters(tmp_path / "parameters"))
    assert peak <= 1.1 * size + ROOM


@pytest.mark.parametrize("call", ["save", "save_parameters"])
def test_the_bytes_are_those_of_the_safetensors_library(call: str, tmp_path: Path) -> None:
    """Which puts the larger elements first, then goes by names."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save

    model = small_model()
    model.layers[0].extra = np.ones(3)  # attributes of the user's own are not kept
    path = tmp_path / "model"
    getattr(model, call)(path)
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    assert path.read_bytes() == save(load_file(path), metadata=metadata)


def test_tensors_of_both_dtypes_without_entries_and_without_dimensions(tmp_path: Path) -> None:
    from chainrule.saving import model_file

    tensors = {
        "b": np.arange(3, dtype=np.float32),
        "a": np.array(2.5),
        "empty": np.empty((0, 4), np.float32),
        "ü": np.ones((2, 1)),
    }
    model_file.write(str(tmp_path / "file"), {"kind": "test"}, tensors)
    wanted = {name: model_file.tensor_of(array) for name, array in tensors.items()}
    document, found = model_file.read(str(tmp_path / "file"), lambda document: wanted)
    assert document["kind"] == "test"
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype and found[name].flags.owndata
