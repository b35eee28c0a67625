"""The one arrow: python -> bindings -> model -> runtime -> kernels/kernels.hpp.

A folder may use what stands right of it, never what stands left. Kernels know nothing else and
include no standard-library templates (an inline copy built for AVX-512 could be kept for all);
of the kernels the others see kernels.hpp only; only bindings know pybind11, Python and NumPy.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = ["bindings", "model", "runtime", "kernels"]
SUFFIXES = {".hpp", ".h", ".cpp", ".cc", ".inl"}

# Headers of types, macros and intrinsics, none of them a template
KERNEL_HEADERS = {
    "cfloat", "climits", "cstddef", "cstdint", "float.h", "limits.h", "stddef.h", "stdint.h",
    "arm_neon.h", "immintrin.h",
}  # fmt: skip
PYTHON_HEADERS = re.compile(r"^(pybind11/|Python\.h$|numpy/|structmember\.h$)")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
OWN_IMPORT = re.compile(r'[Ii]mport\w*\s*\(\s*"chainrule')

needs_sources = pytest.mark.skipif(
    not (ROOT / "cpp").is_dir(), reason="the C++ sources are not beside the tests"
)


def folder_of_include(folder: str, name: str) -> str:
    """Folder of a quoted include: written from cpp/ or relative to the including file."""
    parts = [p for p in Path(name).parts if p not in (".", "..")]
    return parts[0] if parts[0] in ORDER else folder


def faults_of_include(folder: str, system: bool, name: str) -> str | None:
    """Why this include breaks a rule, or None."""
    if PYTHON_HEADERS.match(name):
        return None if folder == "bindings" else "only bindings include Python, pybind11 or NumPy"
    if system:
        if folder == "kernels" and name not in KERNEL_HEADERS:
            return "kernels include no standard-library templates"
        return None
    target = folder_of_include(folder, name)
    if ORDER.index(target) < ORDER.index(folder):
        return f"{folder} does not know {target}"
    if target == "kernels" != folder and Path(name).as_posix().split("/")[-1] != "kernels.hpp":
        return "of the kernels only kernels.hpp is seen from outside"
    return None


def faults_of_source(folder: str, text: str) -> list[str]:
    """Every broken rule in one C++ source."""
    faults = []
    for bracket, name in INCLUDE.findall(text):
        fault = faults_of_include(folder, bracket == "<", name)
        if fault:
            faults.append(f"includes {name}: {fault}")
    if OWN_IMPORT.search(text):
        faults.append("imports the Python package: the arrow points back")
    return faults


def sources() -> list[Path]:
    return sorted(p for p in (ROOT / "cpp").rglob("*") if p.suffix in SUFFIXES)


@needs_sources
def test_every_source_stands_in_a_folder_of_the_arrow() -> None:
    folders = {p.relative_to(ROOT / "cpp").parts[0] for p in sources()}
    assert folders == set(ORDER)


@needs_sources
def test_no_include_points_back() -> None:
    faults = [
        f"{path.relative_to(ROOT)} {fault}"
        for path in sources()
        for fault in faults_of_source(path.relative_to(ROOT / "cpp").parts[0], path.read_text())
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("kernels", "#include <vector>"),
        ("kernels", "#include <algorithm>"),
        ("kernels", "#include <cmath>"),
        ("kernels", '#include "runtime/team.hpp"'),
        ("kernels", '#include "../model/plan.hpp"'),
        ("kernels", "#include <pybind11/numpy.h>"),
        ("runtime", '#include "model/dense.hpp"'),
        ("runtime", '#include "kernels/dense.inl"'),
        ("runtime", '#include "../kernels/vec.hpp"'),
        ("runtime", "#include <Python.h>"),
        ("model", '#include "bindings/arrays.hpp"'),
        ("model", "  #  include <numpy/arrayobject.h>"),
        ("model", '#include "pybind11/pybind11.h"'),
        ("bindings", 'auto layers = py::module_::import("chainrule.layers");'),
        ("bindings", 'PyImport_ImportModule("chainrule.arrays")'),
    ],
)
def test_an_arrow_that_points_back_is_found(folder: str, line: str) -> None:
    assert len(faults_of_source(folder, f"// head\n{line}\n")) == 1


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("kernels", '#include "vec.inl"'),
        ("kernels", "#include <cstdint>"),
        ("kernels", "#include <immintrin.h>"),
        ("runtime", '#include "kernels/kernels.hpp"'),
        ("runtime", '#include "../kernels/kernels.hpp"'),
        ("runtime", "#include <omp.h>"),
        ("model", '#include "runtime/team.hpp"'),
        ("model", '#include "kernels/kernels.hpp"'),
        ("bindings", '#include "model/dense.hpp"'),
        ("bindings", "#include <pybind11/pybind11.h>"),
        ("bindings", "#define PY_SSIZE_T_CLEAN\n#include <Python.h>"),
        ("bindings", 'py::module_::import("numpy")'),
    ],
)
def test_an_arrow_that_points_forward_is_allowed(folder: str, line: str) -> None:
    assert faults_of_source(folder, f"{line}\n") == []


# Python: the package stands left of everything and needs little to be imported


def package_sources() -> list[Path]:
    return sorted((ROOT / "python" / "chainrule").rglob("*.py"))


def imports_at_top(tree: ast.Module) -> set[str]:
    """Modules that importing the file imports: not those inside functions or TYPE_CHECKING."""
    found: set[str] = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            pending += node.body + node.orelse
        elif isinstance(node, ast.Try):
            pending += node.body + node.orelse + node.finalbody
        elif isinstance(node, ast.ClassDef):
            pending += node.body
    return found


@needs_sources
def test_extras_are_imported_where_they_are_used() -> None:
    """``import chainrule`` needs NumPy alone.

    `chainrule.sklearn`, and what PyTorch and Keras have not themselves, are imported late.
    """
    extras = {
        "matplotlib", "sklearn", "onnx", "mpi4py", "jax", "torch", "pandas", "tqdm", "safetensors",
        "threadpoolctl", "mpmath", "scipy", "keras", "tensorboardX", "pyarrow", "polars",
    }  # fmt: skip
    faults = [
        f"{path.relative_to(ROOT)} imports {name} at the top"
        for path in package_sources()
        if "peers" not in path.parts
        and "sklearn" not in path.relative_to(ROOT).parts
        and path.name not in ("keras_modules.py", "torch_modules.py")
        for name in imports_at_top(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] in extras
    ]
    assert faults == []


@needs_sources
def test_the_package_does_not_import_its_tests() -> None:
    own = {p.stem for p in Path(__file__).parent.glob("*.py")}
    for path in package_sources():
        names = imports_at_top(ast.parse(path.read_text(encoding="utf-8")))
        assert not own & {name.split(".")[0] for name in names}, path


@needs_sources
def test_only_the_package_itself_reaches_for_the_core() -> None:
    """Examples use public names."""
    for path in sorted((ROOT / "examples").glob("*.py")):
        assert "_core" not in path.read_text(encoding="utf-8"), path


@needs_sources
@pytest.mark.parametrize(
    "folder",
    [
        *("", "autograd", "checking", "demo", "interop", "plot", "saving", "sklearn/tabular"),
        "training",
    ],
)
def test_the_table_of_contents_contains_nothing_else(folder: str) -> None:
    path = ROOT / "python/chainrule" / folder / "__init__.py"
    docstring, *nodes = ast.parse(path.read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)
    for node in list(nodes):  # a submodule that is imported late, and how a type checker sees it
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += [*node.body, *node.orelse]
            nodes.remove(node)
    assert all(isinstance(node, ast.ImportFrom | ast.Assign) for node in nodes)
    assert [ast.unparse(node.targets[0]) for node in nodes if isinstance(node, ast.Assign)] == [
        "__all__"
    ]


def test_names_that_are_imported_later_are_there_all_the_same() -> None:
    import chainrule

    assert set(chainrule.__all__) <= set(dir(chainrule))
    assert chainrule.Variable is chainrule.Variable
    with pytest.raises(AttributeError, match="'chainrule' has no attribute 'Vector'"):
        chainrule.__getattr__("Vector")
