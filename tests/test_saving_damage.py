"""Whatever stands in a file: load gives the model that was saved, or a ModelFileError."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule import Model, ModelFileError
from forgery import changed, joined, split, with_header
from hard.files import small_model

FUZZ = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "model"
    small_model().save(path)
    return path.read_bytes()


def load(data: bytes, folder: Path) -> Model:
    path = folder / "file"
    path.write_bytes(data)
    return Model.load(path)


def refused(data: bytes, folder: Path, text: str) -> None:
    with pytest.raises(ModelFileError, match=text) as caught:
        load(data, folder)
    assert str(folder / "file") in str(caught.value)


def assert_same_as_saved(model: Model) -> None:
    for one, two in zip(model.trainable_layers, small_model().trainable_layers, strict=True):
        for name in ("weights", "biases", "weight_momentums", "bias_cache"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_the_forger_of_this_test_writes_good_files(good: bytes, tmp_path: Path) -> None:
    """Or the refusals below would be for the wrong reason."""
    assert_same_as_saved(load(joined(*split(good)), tmp_path))


def test_equal_models_give_equal_files(good: bytes, tmp_path: Path) -> None:
    model = load(good, tmp_path)
    model.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == good


# Fuzz


@FUZZ
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), header=st.booleans())
def test_a_flipped_bit_is_found(
    good: bytes, tmp_path: Path, place: float, bit: int, header: bool
) -> None:
    data = bytearray(good)
    reach = 8 + int.from_bytes(data[:8], "little") if header else len(data)
    data[int(place * reach)] ^= 1 << bit
    try:
        model = load(bytes(data), tmp_path)
    except ModelFileError:
        return
    assert_same_as_saved(model)


@FUZZ
@given(place=st.floats(0, 1, exclude_max=True), more=st.binary(max_size=20))
def test_a_file_cut_short_or_continued_is_refused(
    good: bytes, tmp_path: Path, place: float, more: bytes
) -> None:
    data = good[: int(place * len(good))] + more
    if data != good:
        refused(data, tmp_path, "expected")


@FUZZ
@given(st.binary(max_size=200))
def test_noise_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(data, tmp_path, "expected")
    refused(with_header(data, b""), tmp_path, "expected")


@FUZZ
@given(data=st.data())
def test_a_forged_document_is_refused_or_taken_at_its_word(
    good: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    """The checksum is right: no damage, but somebody's work."""
    header, document, body = split(good)
    try:
        model = load(joined(header, changed(document, data.draw), body), tmp_path)
    except ModelFileError:
        return
    repr(model)
    model.save(tmp_path / "again")
    assert isinstance(model.plan, str)


@FUZZ
@given(data=st.data())
def test_a_forged_header_is_refused_or_says_the_same(
    good: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    header, document, body = split(good)
    del header["__metadata__"]
    try:
        model = load(joined(changed(header, data.draw), document, body), tmp_path)
    except ModelFileError:
        return
    assert_same_as_saved(model)


# One by one


def edited(good: bytes, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> bytes:
    header, document, body = split(good)
    change(header, document)
    return joined(header, document, body)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda h, d: d.update(version=3), "version: expected 1 or 2, got 3; another version"),
        (lambda h, d: d.update(version=True), "version: expected 1 or 2, got True"),
        (lambda h, d: d.update(version="1"), "version: expected 1 or 2, got '1'"),
        (
            lambda h, d: d.update(version=1),
            "version 1: .*check model, states, learners, feature_names",
        ),
        (lambda h, d: d.update(format="other"), "format: expected 'chainrule', got 'other'"),
        (lambda h, d: d.update(kind="other"), "kind: expected 'model', got 'other'"),
        (lambda h, d: d.update(extra=1), "check 'extra'"),
        (lambda h, d: d.pop("loss"), "check 'loss'"),
        (lambda h, d: d.update(layers=[]), "layers: expected a list, got a list of 0"),
        (lambda h, d: d["layers"][1].update({"class": "os.system"}), "layer 2: .*'os.system'"),
        (lambda h, d: d["layers"][1].update({"class": "Optimizer_SGD"}), "layer 2: .*a layer"),
        (lambda h, d: d["loss"].update({"class": "Loss"}), "loss: .*got 'Loss'"),
        (lambda h, d: d["layers"][0].update(n_inputs=2**40), "'1.weights': expected .*109951"),
        (lambda h, d: d["layers"][0].update(n_inputs=0), "layer 1: .*n_inputs: expected an int"),
        (lambda h, d: d["layers"][0].update(n_inputs=-2), "layer 1: .*n_inputs: expected an int"),
        (lambda h, d: d["layers"][0].update(dtype="float16"), "dtype: expected float32 or"),
        (lambda h, d: d["layers"][0].update(dtype="float32"), "'1.weights': expected float32"),
        (lambda h, d: d["layers"][0].update(arrays=["output"]), "arrays: expected a list"),
        (lambda h, d: d["layers"][0].update(arrays=[]), "1.bias_cache': expected none"),
        (lambda h, d: d["layers"][0].update(parameters=[]), "parameters: expected weights, biases"),
        (lambda h, d: d["layers"][0].update(parameters=["biases"]), "parameters: expected weights"),
        (lambda h, d: d["layers"][0].update(parameters=["weights"]), "arrays: expected a list"),
        (lambda h, d: d["layers"][0].update(steps={"weights": 1}), "steps: expected those of each"),
        (lambda h, d: d["layers"][0].update(steps={"weights": -1}), "steps: expected an object of"),
        (lambda h, d: d["layers"][0].update(owner=1), "owner: expected true, false or null"),
        (
            lambda h, d: (
                d.update(states=["scale"]),
                d["layers"][0]["arrays"].append("weight_scale"),
            ),
            "arrays: expected a list",
        ),
        (lambda h, d: d.update(learners=[6]), "learners: expected positions up to 5, got 6"),
        (lambda h, d: d.update(learners=[0]), "learners: expected a list of ints from 1"),
        (lambda h, d: d.update(feature_names=["a", 1]), "feature_names: expected a list of texts"),
        (lambda h, d: d.update(states=["a b"]), "states: expected a list of names"),
        (lambda h, d: d["layers"][0].update(learning_rate_factor=[1]), "learning_rate_factor: exp"),
        (lambda h, d: d["optimizer"].update(schedule="Cosine"), "schedule: expected a schedule"),
        (lambda h, d: d["optimizer"].update(schedule={"class": "abs"}), "schedule: .*got 'abs'"),
        (lambda h, d: d["optimizer"].update(schedule_steps=0), "schedule_steps: expected an int"),
        (lambda h, d: d.update(model={"own": "Net"}), "model: expected a class and its attributes"),
        (lambda h, d: d["layers"][2].update(rate=0), "rate: expected a number above 0"),
        (lambda h, d: d["layers"][2].update(key=2**64), "key: expected an int"),
        (lambda h, d: d["optimizer"].update(decay=float("nan")), "document: .*finite.*NaN"),
        (lambda h, d: d["optimizer"].update(decay=1e308 * 10), "document: .*finite.*Infinity"),
        (lambda h, d: d["optimizer"].update(iterations=-1), "iterations: expected an int from 0"),
        (lambda h, d: d.update(shared={"1.weights": "2.weights"}), "shared: 1.weights: expected"),
        (lambda h, d: d.update(shared={"1.weights": "1.weights"}), "shared: 1.weights: expected"),
        (lambda h, d: d.update(epochs=4), r"'history': expected float64 \(8, 4\)"),
        (lambda h, d: d.update(epochs=None), "'history': expected none of this name"),
        (lambda h, d: d["generator"]["state"].update(inc=-1), "inc: expected an int from 0"),
        (lambda h, d: d["generator"].update({"class": "bytes"}), "generator: .*got 'bytes'"),
        (lambda h, d: d.update(generator="PCG64"), "generator: expected an object .*got 'PCG64'"),
        (lambda h, d: h["1.weights"].update(dtype="I64"), "dtype: expected F32 or F64"),
        (lambda h, d: h["1.weights"].update(shape=[2**62, 2**62]), "expected .* bytes apart"),
        (lambda h, d: h["1.weights"].update(shape=[3, 2]), r"expected .*\(2, 3\), got .*\(3, 2\)"),
        (lambda h, d: h["1.weights"].update(shape=[-2, -3]), "sizes of at least 0"),
        (lambda h, d: h["1.weights"].update(shape=[2.0, 3]), "sizes of at least 0"),
        (
            lambda h, d: h["1.weights"].update(shape=[1, 2, 3]),
            r"expected .*\(2, 3\), got .*\(1, 2, 3",
        ),
        (lambda h, d: h["1.weights"].update(shape=[1] * 33), "at most 32 sizes"),
        (
            lambda h, d: h["1.weights"].update(data_offsets=h["2.weights"]["data_offsets"]),
            "bytes apart",
        ),
        (
            lambda h, d: h["1.biases"].update(data_offsets=h["2.biases"]["data_offsets"]),
            "expected to begin at byte",
        ),
        (lambda h, d: h.pop("1.weights"), "expected to begin at byte"),
        (
            lambda h, d: h.update({"x": {"dtype": "F64", "shape": [0], "data_offsets": [0, 0]}}),
            "tensor 'x': expected none",
        ),
        (lambda h, d: h.update({"3.weights": h.pop("1.weights")}), "'1.weights': .*got none"),
    ],
)
def test_a_forgery_is_named(good: bytes, tmp_path: Path, change: Any, text: str) -> None:
    refused(edited(good, change), tmp_path, text)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("MT19937", {"pos": 625}),
        ("MT19937", {"key": [0] * 623}),
        ("MT19937", {"key": [2**32] * 624}),
        ("Philox", {"buffer_pos": 5}),
        ("Philox", {"buffer_pos": -1}),
    ],
)
def test_positions_in_a_generators_buffer_are_checked(
    tmp_path: Path, kind: str, change: dict[str, Any]
) -> None:
    """NumPy would read beyond the buffer."""
    model = small_model()
    model.rng = np.random.Generator(getattr(np.random, kind)(0))
    model.save(tmp_path / "model")

    def forge(header: Any, document: Any) -> None:
        (name,) = change
        inner = document["generator"]
        (inner if name in inner else inner["state"]).update(change)

    refused(edited((tmp_path / "model").read_bytes(), forge), tmp_path, next(iter(change)))


def test_headers_that_are_no_headers(good: bytes, tmp_path: Path) -> None:
    header, document, body = split(good)
    refused(b"", tmp_path, "expected a safetensors file, got 0 bytes")
    refused((2**63).to_bytes(8, "little") + b"{}", tmp_path, "whose header has at most")
    refused(with_header(b"{}", b""), tmp_path, "not a file that chainrule wrote")
    refused(with_header(b"\xff\xfe", b""), tmp_path, "UTF-8")
    refused(with_header(b"[" * 100_000, b""), tmp_path, "nested too deep|expected JSON")
    refused(with_header(b'{"a":' * 100_000, b""), tmp_path, "nested too deep|expected JSON")
    refused(with_header(b'{"a":1,"a":1}', b""), tmp_path, "each name once")
    refused(with_header(b'{"a":' + b"9" * 5000 + b"}", b""), tmp_path, "expected")
    refused(joined(header, "[" * 100_000, body), tmp_path, "nested too deep|expected JSON")
    refused(joined(header, "[]", body), tmp_path, "expected a JSON object, got a list of 0")
    refused(joined(header, '{"version": 1, "version": 2}', body), tmp_path, "each name once")
    deep = json.loads("[" * 500 + "]" * 500)
    refused(joined(header, {**document, "loss": deep}, body), tmp_path, "loss: expected an object")
    refused(joined(header, {**document, "layers": deep}, body), tmp_path, "layer 1")


def test_a_huge_file_is_not_read_to_be_refused(tmp_path: Path) -> None:
    """Sizes are compared first: here they are in the header, and a sparse file has them too."""
    entry = {"dtype": "F64", "shape": [2**20, 2**20], "data_offsets": [0, 2**43]}
    path = tmp_path / "file"
    with open(path, "wb") as file:
        metadata = {"chainrule": '{"format": "chainrule", "version": 1}'}
        header = json.dumps({"__metadata__": metadata, "1.weights": entry}).encode()
        file.write(with_header(header, b""))
        try:
            file.truncate(8 + len(header) + 2**43)
        except OSError:
            pytest.skip("no sparse files of 8 TiB here")
    with pytest.raises(ModelFileError, match="kind: expected 'model', got None"):
        Model.load(path)


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        text = "got a pickle; pickles are never opened" if protocol >= 2 else "expected"
        refused(pickle.dumps(Bomb(), protocol), tmp_path, text)
        refused(pickle.dumps(None, protocol), tmp_path, text)
        with pytest.raises(ModelFileError, match=text):
            small_model().load_parameters(tmp_path / "file")
    assert not (tmp_path / "executed").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Model.load(tmp_path / "absent")
    with pytest.raises(IsADirectoryError):
        Model.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs devices and pipes")
def test_devices_and_pipes_are_not_read(tmp_path: Path) -> None:
    """Reading them might never end."""
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe"):
        with pytest.raises(ModelFileError, match="a device or a pipe"):
            Model.load(path)


def test_parameters_are_checked_likewise(tmp_path: Path) -> None:
    model = small_model()
    model.save_parameters(tmp_path / "parameters")
    data = (tmp_path / "parameters").read_bytes()
    file = tmp_path / "file"
    for change in (
        lambda h, d: d.update(layers=3),
        lambda h, d: d.update(version=0),
        lambda h, d: d.update(kind="other"),
        lambda h, d: d.update(more=1),
        lambda h, d: h["1.weights"].update(shape=[3, 2]),
        lambda h, d: h["1.weights"].update(dtype="F32"),
    ):
        file.write_bytes(edited(data, change))
        with pytest.raises(ModelFileError, match="expected"):
            model.load_parameters(file)
    flipped = bytearray(data)
    flipped[-1] ^= 1
    file.write_bytes(flipped)
    with pytest.raises(ModelFileError, match=r"checksum: expected .* the file is damaged"):
        model.load_parameters(file)
