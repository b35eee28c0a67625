"""Other builds of the core, by the presets of CMakePresets.json, and packages that hold them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cmake(preset: str, source: Path = ROOT, *defines: str) -> Path:
    """Configure and build a preset, with further definitions; return the module's path.

    Raises
    ------
    RuntimeError
        CMake or the compiler has failed; with what they said last.
    """
    where = subprocess.run(
        [sys.executable, "-m", "pybind11", "--cmakedir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = [f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={where}"]
    run(["cmake", "--preset", preset, *found, *defines], source)
    run(["cmake", "--build", "--preset", preset], source)
    (module,) = (source / "build" / preset).glob("_core*.so")
    return module


def run(command: list[str], folder: Path) -> None:
    """Run a command; CMake and ninja beside this Python come first."""
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    variables = {**os.environ, "PATH": os.pathsep.join(paths)}
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-3000:]}")


def package(module: Path, source: Path = ROOT) -> Path:
    """Return a folder, beside a built module, with the package and that module in it."""
    folder = module.parent / "package"
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns("_core*.so", "__pycache__")
    shutil.copytree(source / "python" / "chainrule", folder / "chainrule", ignore=ignored)
    shutil.copy(module, folder / "chainrule")
    return folder


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the variables of a process that imports the package of that folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "CHAINRULE_"))}
    return {**kept, "PYTHONPATH": str(folder), **more}
