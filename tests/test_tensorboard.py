"""The TensorBoard callback: what its event files say is what the history says."""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("tensorboardX")

Array = np.ndarray[Any, Any]
# tensorboardX's protocol buffers, made for older ones
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def events(folder: Path) -> Iterator[Any]:
    """The events of all files: records of a length, a checksum, the bytes, another."""
    from tensorboardX.proto.event_pb2 import Event

    for path in folder.glob("events*"):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            yield Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length


def values(folder: Path) -> dict[str, dict[int, Any]]:
    """Tag -> step -> the value."""
    found: dict[str, dict[int, Any]] = {}
    for event in events(folder):
        for value in event.summary.value:
            held = value.histo if value.HasField("histo") else value.simple_value
            found.setdefault(value.tag, {})[event.step] = held
    return found


def training(board: Any, epochs: int) -> Any:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 3)), rng.integers(0, 2, 30)
    model = cr.mlp(3, 4, 2, output="softmax", seed=0)
    model.train(X, y, epochs=epochs, validation_data=(X, y), callbacks=[board])
    return model


def test_scalars_are_those_of_the_history(tmp_path: Path) -> None:
    board = cr.interop.TensorBoard(tmp_path)
    history = training(board, 3).history
    found = values(tmp_path)
    pairs = {
        "loss/training": "loss",
        "loss/validation": "validation_loss",
        "accuracy/training": "accuracy",
        "learning_rate/training": "learning_rate",
    }
    for tag, name in pairs.items():
        expected = dict(enumerate(history[name].astype(np.float32).tolist(), 1))
        assert found[tag] == expected
    assert not any(tag.startswith(("1.", "validation")) for tag in found)


def test_histograms_hold_the_parameters_of_their_epochs(tmp_path: Path) -> None:
    model = training(cr.interop.TensorBoard(tmp_path, histograms=2), 4)
    found = values(tmp_path)
    assert {tag for tag in found if tag[0].isdigit()} == {
        "1.weights", "1.biases", "2.weights", "2.biases",
    }  # fmt: skip
    assert sorted(found["1.weights"]) == [2, 4]
    last, weights = found["1.weights"][4], model.layers[0].weights.astype(np.float64)
    assert last.num == weights.size
    np.testing.assert_allclose([last.min, last.max], [weights.min(), weights.max()])
    np.testing.assert_allclose(last.sum_squares, (weights**2).sum(), rtol=1e-6)


def test_a_second_training_goes_on_behind_the_first(tmp_path: Path) -> None:
    board = cr.interop.TensorBoard(str(tmp_path))
    for epochs in (2, 3):
        training(board, epochs)
    assert sorted(values(tmp_path)["loss/training"]) == [1, 2, 3, 4, 5]
    assert copy.deepcopy(board).folder == str(tmp_path)


def test_arguments_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="TensorBoard: path: expected a str or a path-like"):
        cr.interop.TensorBoard(3)
    with pytest.raises(ValueError, match="TensorBoard: histograms: expected an int of at least 0"):
        cr.interop.TensorBoard(tmp_path, histograms=-1)
