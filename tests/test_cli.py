"""The command line: its words, its errors, and the demos."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import cli, demo
from chainrule.demo import numpy_training


def one_sentence(text: str) -> bool:
    return text.count("\n") == 1 and text.startswith("chainrule")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"chainrule {chainrule.__version__}\n"


def test_info_names_version_target_and_threads(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    for word in ("version", chainrule.cpu_target(), "OpenMP", "threads", "flags"):
        assert word.lower() in out.lower()


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["demo", "nonsense"], ["demo", "--nonsense"], ["info", "more"]],
)
def test_wrong_words_end_in_one_sentence_and_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert one_sentence(capsys.readouterr().err)


def test_an_output_that_is_a_file_ends_in_one_sentence_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert cli.main(["demo", "--output", str(file)]) == 2
    assert one_sentence(capsys.readouterr().err)


def test_bench_is_given_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    bench = types.ModuleType("chainrule.bench")
    bench.main = lambda argv: seen.append(argv) or 3  # type: ignore[attr-defined, func-returns-value]
    monkeypatch.setitem(sys.modules, "chainrule.bench", bench)
    monkeypatch.setattr(chainrule, "bench", bench, raising=False)
    assert cli.main(["bench", "--workloads", "sine", "--help"]) == 3
    assert seen == [["--workloads", "sine", "--help"]]


def test_an_interrupt_ends_with_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str, output: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupted)
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "chainrule: interrupted\n"


@pytest.mark.parametrize("name", ["digits", "sine", "spiral"])
def test_demo_trains_checks_races_and_draws(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-m", "chainrule", "demo", name,
         "--output", str(tmp_path)],
        env={**subprocess_environment(), "MPLBACKEND": "Agg"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "agree" in done.stdout and "WRONG" not in done.stdout
    assert "ratio" in done.stdout
    assert (tmp_path / f"chainrule-{name}.png").read_bytes().startswith(b"\x89PNG")
    if name == "digits":
        accuracy = re.search(r"^test accuracy: (\d+\.\d) %$", done.stdout, re.MULTILINE)
        assert accuracy is not None and float(accuracy[1]) >= 97.0


def test_demo_without_matplotlib_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not here')\n")
    path = subprocess_environment()
    path["PYTHONPATH"] = f"{tmp_path}:{path.get('PYTHONPATH', '')}"
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", "demo", "sine", "--output", str(tmp_path)],
        env=path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no picture" in done.stdout and "chainrule[plot]" in done.stdout


def subprocess_environment() -> dict[str, str]:
    import os

    package = str(Path(chainrule.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": f"{package}:{os.environ.get('PYTHONPATH', '')}"}


@pytest.mark.parametrize("make", [demo.digits_model, demo.spiral_model, demo.sine_model])
def test_the_numpy_loop_of_the_race_does_the_same_training(make: Any) -> None:
    rng = np.random.default_rng(0)
    model, other = make(), make()
    X = rng.uniform(-1, 1, (70, model.layers[0].n_inputs)).astype(model.layers[0].dtype)
    y = rng.integers(0, 3, 70) if make is not demo.sine_model else np.sin(X)
    loss = numpy_training(other, X, y, epochs=3, batch_size=32)
    history = model.train(X, y, epochs=3, batch_size=32, progress=False)
    # Nine steps of a chain of some hundred roundings each.
    np.testing.assert_allclose(loss, history.data_loss[-1], rtol=2000 * np.finfo(X.dtype).eps)
