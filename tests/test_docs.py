"""The executed notebooks of docs/ show what their cells give, and the code of its pages runs."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MAKER = ROOT / ".ci/run_notebooks.py"
OF_EXAMPLES = ("delta_rule", "dense_layer_by_hand", "own_layer")
NOTEBOOKS = [path for path in sorted(DOCS.glob("notebooks/*.ipynb"))
             if path.stem not in OF_EXAMPLES]  # fmt: skip

needs_checkout = pytest.mark.skipif(not MAKER.is_file(), reason="not a whole checkout")


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def ran(source: str, names: dict[str, Any]) -> tuple[str, Any]:
    """What a cell prints, and the value of its last expression, as Jupyter takes them."""
    tree, last = ast.parse(source), None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(last, "cell", "eval"), names)
    return printed.getvalue(), value


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_its_cells_give(path: Path) -> None:
    assert path.stat().st_size < 100_000
    names: dict[str, Any] = {}
    for cell in cells(path):
        if cell["cell_type"] != "code":
            continue
        printed, value = ran("".join(cell["source"]), names)
        streams = ["".join(each["text"]) for each in cell["outputs"] if "text" in each]
        shown = [each["data"] for each in cell["outputs"] if "data" in each]
        assert printed == "".join(streams)
        assert len(shown) == (value is not None)
        for data in shown:
            head = "".join(data["text/plain"]).splitlines()[0]
            assert repr(value).splitlines()[0] == head
            assert ("text/html" in data) == hasattr(value, "_repr_html_")
            assert len("".join(data.get("text/html", ""))) <= 30_000


@pytest.mark.parametrize("name", ["findings", "scale", "steps", "teaching"])
def test_a_pages_code_runs(name: str, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    if "scipy" in text:
        pytest.importorskip("scipy")
    for block in blocks:
        exec(block, names)


@needs_checkout
@pytest.mark.parametrize("name", OF_EXAMPLES)
def test_a_notebook_of_an_example_holds_its_source_and_ran_to_the_end(name: str) -> None:
    """What the functions give is compared by test_examples.py."""
    specification = importlib.util.spec_from_file_location("run_notebooks", MAKER)
    assert specification is not None and specification.loader is not None
    maker = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(maker)
    assert set(maker.EXAMPLES) == set(OF_EXAMPLES)
    held = cells(DOCS / f"notebooks/{name}.ipynb")
    assert [(c["cell_type"], "".join(c["source"])) for c in held] == maker.cells_of(name)
    outputs = [each for cell in held for each in cell.get("outputs", ())]
    assert outputs and all(each["output_type"] != "error" for each in outputs)
    calls = [cell for cell in held if "".join(cell["source"]) in maker.EXAMPLES[name]]
    assert len(calls) == len(maker.EXAMPLES[name]) and all(cell["outputs"] for cell in calls)


@needs_checkout
def test_the_pages_links_lead_somewhere() -> None:
    for path in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]:
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert link.startswith("http") or (path.parent / link).exists(), (path.name, link)
