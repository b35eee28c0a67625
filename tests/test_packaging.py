"""What an installed package brings along, and what importing it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import chainrule
from chainrule import _core as core

PACKAGE = Path(chainrule.__file__).parent
ROOT = Path(__file__).resolve().parents[1]


def modules_after(statement: str) -> set[str]:
    """Names of the packages that a new process has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    paths = f"import sys; sys.path[:0] = [{str(PACKAGE.parent)!r}]\n"
    run = subprocess.run(
        [sys.executable, "-c", paths + code], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_import_needs_numpy_alone() -> None:
    loaded = modules_after("import chainrule")
    later = {"tqdm", "safetensors", "matplotlib", "pandas", "jax", "sklearn", "torch", "mpmath"}
    assert "numpy" in loaded
    assert not loaded & later


def test_submodules_that_are_imported_late() -> None:
    """They are there for completion and by attribute, and come when they are asked for."""
    code = (
        "import sys, chainrule; assert 'chainrule.plot' not in sys.modules; "
        "assert 'plot' in dir(chainrule) and 'Model' in dir(chainrule); "
        "assert chainrule.plot.__name__ == 'chainrule.plot'; "
        "assert chainrule.plot is sys.modules['chainrule.plot']; "
        "assert 'matplotlib' not in sys.modules"
    )
    modules_after(code)
    with pytest.raises(AttributeError, match="module 'chainrule' has no attribute 'plots'"):
        _ = chainrule.plots  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "_core.pyi",
        "digits/digits.npz",
        "digits/README.md",
        "seeing/page.js",
        "seeing/page.css",
    ],
)
def test_the_package_brings_its_files(name: str) -> None:
    assert (PACKAGE / name).is_file()


def test_the_stub_names_what_the_core_offers() -> None:
    stub = (PACKAGE / "_core.pyi").read_text(encoding="utf-8")
    offered = {name for name in vars(core) if not name.startswith("_")}
    named = {
        line.split()[1].partition("(")[0].rstrip(":")
        for line in stub.splitlines()
        if line.startswith(("def ", "class "))
    }
    assert named == offered


def test_the_version_is_that_of_the_installed_package() -> None:
    try:
        installed = version("chainrule")
    except PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert chainrule.__version__ == core.build_info()["version"] == installed


@pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="README.md is not beside the tests")
def test_readme_has_its_two_commands() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    install = ".venv/bin/pip install '.[plot]'"  # for the picture above it
    assert f"python3 -m venv .venv && {install} && .venv/bin/chainrule demo" in lines
    assert ".venv/bin/pip install '.[test]' && .venv/bin/pytest" in lines


@pytest.mark.skipif(not (ROOT / "CITATION.cff").is_file(), reason="not a whole checkout")
def test_the_citation_names_this_version() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    stated = re.search(r'^version = "(.+)"$', settings, re.MULTILINE)
    assert stated is not None
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert f"version: {stated[1]}" in lines
    recipe = (ROOT / ".ci/conda/recipe.yaml").read_text(encoding="utf-8")
    assert f'  version: "{stated[1]}"' in recipe.splitlines()
