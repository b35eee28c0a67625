"""A new activation, loss and rule touch one C++ and one Python file each, and are everywhere.

They are added to a copy of the sources, which is built anew: the parts are found in the lists,
the plan, the classes, model files and gradient checks, and by the tests that walk the catalogue.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from new_parts import add_parts, add_references

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("cpp", "python", "CMakeLists.txt", "pyproject.toml")
WALKS = (
    "test_catalogue.py",
    "test_kernels_activations.py",
    "test_kernels_losses.py",
    "test_kernels_optimizers.py",
    "test_plan_engines.py",
    "test_checking_parts.py",
)
NEW = "Cube or cube or FourthPower or fourth_power or Halved or halved"
SELECTED = f"({NEW} or every_part or of_the_core) and not public"


def tool(name: str) -> str | None:
    """A program beside this Python, else on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def run(*command: str, **environment: str) -> str:
    """Run to the end and return what it said; a failure says it too."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}{done.stderr[-8000:]}"
    return done.stdout


def copy_sources(folder: Path) -> None:
    """Copy what a build reads; for one CPU target, unoptimized, it takes half a minute."""
    without = shutil.ignore_patterns("_core*.so", "__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=without)
        else:
            shutil.copy(ROOT / name, folder / name)
    build_file = folder / "CMakeLists.txt"
    text = build_file.read_text(encoding="utf-8").replace("-O3", "-O0").replace("-Os", "-O0")
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if "chainrule_kernel_target(x86_64" not in line]
    build_file.write_text("".join(kept), encoding="utf-8")


def build(folder: Path, cmake: str, ninja: str) -> None:
    """Build the module and put it into the copied package."""
    import pybind11

    run(
        cmake,
        "-S",
        str(folder),
        "-B",
        str(folder / "build"),
        "-G",
        "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={ninja}",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
        "-DSKBUILD_PROJECT_VERSION=0",
    )
    run(cmake, "--build", str(folder / "build"))
    (module,) = (folder / "build").glob("_core*.so")
    shutil.copy(module, folder / "python" / "chainrule")


def test_a_new_part_is_everywhere_after_two_files_were_touched(tmp_path: Path) -> None:
    if not (ROOT / "cpp").is_dir():
        pytest.skip("the C++ sources are not beside the tests")
    pytest.importorskip("pybind11")
    cmake, ninja = tool("cmake"), tool("ninja")
    if cmake is None or ninja is None or not (shutil.which("c++") or os.environ.get("CXX")):
        pytest.skip("needs cmake, ninja and a C++ compiler")
    copy_sources(tmp_path)
    add_parts(tmp_path)
    build(tmp_path, cmake, ninja)
    package = {"PYTHONPATH": str(tmp_path / "python"), "CHAINRULE_TARGET": "baseline"}
    run(sys.executable, str(ROOT / "tests" / "new_parts_at_work.py"), str(tmp_path), **package)
    tests = tmp_path / "tests"
    shutil.copytree(ROOT / "tests", tests, ignore=shutil.ignore_patterns("__pycache__", "data"))
    add_references(tests)
    options = ("-q", "-x", "-p", "no:cacheprovider", "--no-header", "-k", SELECTED)
    walks = [str(tests / name) for name in WALKS]
    pytest_there = (sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), *walks)
    assert re.search(r"^[1-9]\d* passed", run(*pytest_there, **package), re.MULTILINE)
