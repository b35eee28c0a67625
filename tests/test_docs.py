"""The executed notebooks of docs/ show what their cells give, and the code of its pages runs."""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib.util
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import chainrule

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MAKER = ROOT / ".ci/run_notebooks.py"
OF_EXAMPLES = (
    "delta_rule", "dense_layer_by_hand", "own_layer", "estimators_first_fit",
    "estimators_imbalance", "estimators_tabular", "estimators_search", "estimators_ensembles",
    "estimators_quantiles", "estimators_serving", "estimators_flask",
)  # fmt: skip
NOTEBOOKS = [path for path in sorted(DOCS.glob("notebooks/*.ipynb"))
             if path.stem not in OF_EXAMPLES]  # fmt: skip

PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])


def name_of(path: Path) -> str:
    return path.stem


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


def test_every_page_is_looked_at() -> None:
    with_code = {path.stem for path in DOCS.glob("*.md") if "```py" in path.read_text("utf-8")}
    assert with_code <= {path.stem for path in PAGES}
    assert {"quickstart", "from_pytorch", "theory"} <= with_code


def code_of(path: Path) -> list[tuple[str, str]]:
    """The blocks of a page, (language, text), that hold Python to be run."""
    text = path.read_text(encoding="utf-8")
    return re.findall(r"^```(python|pycon)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def needed_by(code: list[tuple[str, str]]) -> set[str]:
    """Packages that the blocks of a page need beside chainrule."""
    found = set()
    for kind, text in code:
        source = doctest.script_from_examples(text) if kind == "pycon" else text
        for node in ast.walk(ast.parse(source)):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found |= {"sklearn" if "sklearn" in name else name.partition(".")[0] for name in names}
        if "cr.plot." in text or ".plot()" in text:
            found.add("matplotlib")
    return found - {"chainrule"}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", [path for path in PAGES if code_of(path)], ids=name_of)
def test_a_pages_code_runs(path: Path, monkeypatch: Any, tmp_path: Path) -> None:
    code = code_of(path)
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    for package in sorted(needed_by(code)):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    threads, names = chainrule.get_num_threads(), {"__name__": path.stem}
    try:
        for kind, text in code:
            if kind == "python":
                exec(compile(text, path.name, "exec"), names)
            else:
                test = doctest.DocTestParser().get_doctest(text, names, path.stem, path.name, 0)
                result = doctest.DocTestRunner().run(test, clear_globs=False)
                assert result.attempted and not result.failed
                names.update(test.globs)
    finally:
        chainrule.set_num_threads(threads)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")


def test_the_code_on_many_nets_and_much_data_runs(monkeypatch: Any, tmp_path: Path) -> None:
    """The rest of the page, on many machines, needs MPI and Dask."""
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "scale.md").read_text(encoding="utf-8").partition("## Many machines")[0]
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(block, names)


def test_the_tests_that_the_numerics_page_names_are_there() -> None:
    text = (DOCS / "numerics.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), (file, test)


@pytest.mark.filterwarnings("default")
def test_the_code_of_other_libraries_runs(monkeypatch: Any, tmp_path: Path) -> None:
    """The page of all libraries together needs all; here each block runs where its own is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    text = (DOCS / "interop.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        if all(map(importlib.util.find_spec, needed_by([("python", block)]))):
            exec(block, names)
        elif "import numpy" in block:
            exec("import numpy as np; inputs = X.astype(np.float32)", names)
    assert len(blocks) == 6 and (tmp_path / "spiral.c").is_file()


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
            made = link.startswith(("http", "api/", "gallery/"))  # the last two by the site's build
            assert made or (path.parent / link).exists(), (path.name, link)
