"""docs/model_file.md: its reader reads what `save` writes, and its names are those of the files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.saving.architecture import FIELDS
from chainrule.saving.model_file import VERSION
from tolerance import gamma

PAGE = Path(__file__).parents[1] / "docs/model_file.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the page is not beside the tests")


@pytest.fixture(scope="module")
def reader() -> dict[str, Any]:
    """The functions of the page."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    _, functions = code.split("def load", 1)
    load = "def load" + functions.split("def predict")[0]
    assert len(load.strip().splitlines()) <= 20
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def trained(dtype: Any) -> Any:
    """A model with everything that a file holds."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)).astype(dtype), rng.integers(0, 4, 40)
    model = cr.mlp(3, 6, 5, 4, activation="tanh", output="softmax", dropout=0.1, dtype=dtype,
                   seed=0)  # fmt: skip
    model.layers.insert(0, cr.Layer_Input())
    model.layers[4:4] = [cr.Layer_Dense(6, 6, bias=False, dtype=dtype, rng=1), cr.Activation_ReLU()]
    model.finalize()
    model.train(X, y, epochs=2, batch_size=10, shuffle=True, rng=0, record=cr.Record(every=2))
    return model


def test_the_pages_reader_predicts(reader: dict[str, Any], dtype: Any, tmp_path: Path) -> None:
    model, path = trained(dtype), tmp_path / "model.safetensors"
    model.save(path)
    X = np.random.default_rng(1).standard_normal((20, 3)).astype(dtype)
    expected = model.predict(X)
    found = reader["predict"](path, X)
    # four layers of at most 7 terms and an elementary function each, and softmax, on numbers of
    # about 1: both sides round
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=2 * gamma(100, dtype))
    document, tensors = reader["load"](path)
    for number, layer in enumerate(model.trainable_layers, 1):
        np.testing.assert_array_equal(tensors[f"{number}.weights"], layer.weights)
        np.testing.assert_array_equal(tensors[f"{number}.weight_cache"], layer.weight_cache)
    columns = ("loss", "data_loss", "regularization_loss", "accuracy", "learning_rate")
    for row, name in zip(tensors["history"], columns, strict=False):
        np.testing.assert_array_equal(row, model.history[name])
    assert document["layers"][1]["n_neurons"] == 6


def test_the_reader_sees_damage_and_reads_parameters(
    reader: dict[str, Any], tmp_path: Path
) -> None:
    model, path = trained(np.float32), tmp_path / "model.safetensors"
    model.save_parameters(path)
    document, tensors = reader["load"](path)
    assert document["kind"] == "parameters" and document["layers"] == 4
    np.testing.assert_array_equal(tensors["2.weights"], model.trainable_layers[1].weights)
    model.save(path)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(AssertionError, match="damaged"):
        reader["load"](path)


def test_the_page_names_what_a_file_holds(tmp_path: Path) -> None:
    text, path = PAGE.read_text(encoding="utf-8"), tmp_path / "model.safetensors"
    assert f"version {VERSION}" in text
    told = set(re.findall(r"`([a-z0-9_]+)`", text))
    assert FIELDS | {"noted", "sha256"} <= told
    trained(np.float32).save(path)
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    document = json.loads(header["__metadata__"]["chainrule"])
    assert set(document) <= told
    for entry in document["layers"]:
        known = getattr(cr, entry["class"]).settings
        assert set(entry) - set(known) <= told | {"class"}
