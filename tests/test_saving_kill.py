"""A kill at any moment of a save leaves the old file or the new one, and what it left over goes.

The killed process is a fork of one that has everything imported, so that a round takes
milliseconds; it runs apart from pytest, which may have threads.
"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Layer_Dense, Model, ModelFileError
from chainrule.saving import atomic_file as atomic

posix = pytest.mark.skipif(os.name != "posix", reason="needs fork and kill -9")


def small(value: float = 1.0) -> Model:
    model = Model()
    model.add(Layer_Dense(2, 2))
    model.layers[0].weights[...] = value
    return model


def value_in(path: Path) -> float:
    return float(Model.load(path).layers[0].weights[0, 0])


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file_alone(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "model"
    small(1.0).save(path)
    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="No space"):
        small(2.0).save(path)
    monkeypatch.undo()
    assert value_in(path) == 1.0
    assert os.listdir(tmp_path) == ["model"]


def test_the_file_is_synced_before_it_gets_its_name_and_the_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_sync(handle: int) -> None:
        order.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def note_replace(source: Any, target: Any) -> None:
        assert Path(source).parent == Path(target).parent
        order.append("replace")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_replace)
    small().save(tmp_path / "model")
    assert order[:2] == ["file", "replace"]
    assert order[2:] == (["directory"] if os.name == "posix" else [])


@posix
def test_leftovers_go_and_files_in_the_making_stay(tmp_path: Path) -> None:
    left = tmp_path / f".model.0123456789abcdef{atomic.SUFFIX}"
    left.write_bytes(b"half")
    other = tmp_path / f"folder{atomic.SUFFIX}"
    other.mkdir()
    making, file = atomic.create_temporary(str(tmp_path), "other")
    small().save(tmp_path / "model")
    assert not left.exists()
    assert other.is_dir() and Path(making).exists()
    file.close()
    small().save(tmp_path / "model")
    assert sorted(os.listdir(tmp_path)) == [f"folder{atomic.SUFFIX}", "model"]


def test_threads_may_save_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "model"
    errors = []

    def save_often(value: float) -> None:
        model = small(value)
        try:
            for _ in range(10):
                model.save(path)
                assert value_in(path) in (1.0, 2.0, 3.0)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save_often, args=(value,)) for value in (1.0, 2.0, 3.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(tmp_path) == ["model"]


@posix
def test_links_are_followed_and_the_mode_is_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "model", tmp_path / "link"
    small(1.0).save(path)
    path.chmod(0o640)
    link.symlink_to("model")
    small(2.0).save(link)
    assert link.is_symlink() and not path.is_symlink()
    assert value_in(path) == 2.0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@posix
def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="got a device or a pipe"):
        small().save(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        small().save(tmp_path)
    with pytest.raises(FileNotFoundError):
        small().save(tmp_path / "absent" / "model")
    assert os.listdir(tmp_path) == ["pipe"]


def test_names_may_be_long_and_in_any_script(tmp_path: Path) -> None:
    for name in ("m" * 255, "модель " * 15, "模型.safetensors"):
        small().save(tmp_path / name)
        assert value_in(tmp_path / name) == 1.0
    assert len(os.listdir(tmp_path)) == 3


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chainrule.saving import model_file

    path = tmp_path / "model"
    small(1.0).save(path)
    compare = model_file.compare

    def write_in_between(*arguments: Any) -> None:
        compare(*arguments)
        path.write_bytes(b"x" * 10)

    monkeypatch.setattr(model_file, "compare", write_in_between)
    with pytest.raises(ModelFileError, match="at rest"):
        Model.load(path)


def test_values_survive_a_save_by_numpys_own_reading(tmp_path: Path) -> None:
    """The file is plain safetensors: any other reader gets the parameters from it."""
    from safetensors.numpy import load_file

    small(3.0).save(tmp_path / "model")
    tensors = load_file(tmp_path / "model")
    np.testing.assert_array_equal(tensors["1.weights"], np.full((2, 2), 3.0))
    np.testing.assert_array_equal(tensors["1.biases"], np.zeros((1, 2)))
