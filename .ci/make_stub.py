"""Write python/chainrule/_core.pyi from the compiled module, or check that it is current.

    python .ci/make_stub.py            writes it
    python .ci/make_stub.py --check    fails, with the difference, where it is not current

pybind11-stubgen reads the signatures from the docstrings. What it cannot know is put in here: bare
containers get their parameters, numbers are plain `int` and `float`, and the functions that take
their arguments by position only say so.
"""

from __future__ import annotations

import ast
import difflib
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from chainrule import _core

STUB = Path(__file__).resolve().parents[1] / "python" / "chainrule" / "_core.pyi"
HEAD = """\
# Written by .ci/make_stub.py from the compiled module. Do not edit.
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

"""
TYPES = {
    "collections.abc.Sequence": "Sequence[Any]",
    "dict": "dict[str, Any]",
    "numpy.ndarray": "NDArray[Any]",
    "tuple": "tuple[Any, ...]",
    "typing.Any": "Any",
    "typing.SupportsFloat | typing.SupportsIndex": "float",
    "typing.SupportsInt | typing.SupportsIndex": "int",
}
RETURNS = {"step_record": "tuple[float, float, float, float]", "take_epochs": "NDArray[Any]"}
WIDTH = 84  # of a docstring's text, in columns


def parse_type(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def improve_type(node: ast.expr | None) -> ast.expr | None:
    """Replace the types of TYPES, also where they stand in brackets."""
    if node is None:
        return None
    if isinstance(node, ast.Subscript):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        types = ", ".join(ast.unparse(improve_type(one) or one) for one in inside)
        name = ast.unparse(node.value).removeprefix("collections.abc.")
        return parse_type(f"{name}[{types}]")
    found = TYPES.get(ast.unparse(node))
    return parse_type(found) if found else node


def improve_function(function: ast.FunctionDef) -> None:
    arguments = function.args
    for argument in [*arguments.args, *arguments.kwonlyargs]:
        argument.annotation = improve_type(argument.annotation)
    function.returns = improve_type(function.returns)
    if function.name in RETURNS:
        function.returns = parse_type(RETURNS[function.name])


def take_by_position(function: ast.FunctionDef) -> None:
    """Say that a plain C function (pybind11's have names) has no keywords.

    Its self is the module or, of a part of the catalogue, the part's place there.
    """
    owner = getattr(_core, function.name).__self__
    if owner is _core or isinstance(owner, int):
        function.args.posonlyargs, function.args.args = function.args.args, []


def wrap_docstring(node: ast.FunctionDef | ast.ClassDef) -> None:
    text = ast.get_docstring(node)
    if text is not None:
        statement = node.body[0]
        assert isinstance(statement, ast.Expr)
        statement.value = ast.Constant("\n".join(textwrap.wrap(text, WIDTH)))


def improve(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            improve_function(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            wrap_docstring(node)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            take_by_position(node)
    return HEAD + ast.unparse(tree)


def generate() -> str:
    """Return the stub's text."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pybind11_stubgen", "chainrule._core"]
        subprocess.run([*command, "--exit-code", "--output-dir", folder], check=True)
        source = (Path(folder) / "chainrule" / "_core.pyi").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(STUB), "-"]
    return subprocess.run(
        command, input=improve(source), text=True, check=True, capture_output=True
    ).stdout


def check(wanted: str) -> int:
    """Print how the committed stub differs; return the exit code."""
    present = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
    before, after = (text.splitlines(keepends=True) for text in (present, wanted))
    difference = list(difflib.unified_diff(before, after, "committed", "generated"))
    sys.stdout.writelines(difference)
    if difference:
        print("_core.pyi is not current: run python .ci/make_stub.py and commit the result")
    return 1 if difference else 0


def main() -> int:
    wanted = generate()
    if sys.argv[1:] == ["--check"]:
        return check(wanted)
    STUB.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
