"""Make notebooks of some examples, run all of docs/notebooks, and keep what they show.

    PYTHONPATH=python python .ci/run_notebooks.py

Needs the extra `docs`. What changes from run to run (times, versions) is left out, so that a run
that shows the same changes no file.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/notebooks"

# The calls that stand for an example's main; the functions that only serve it are left out.
EXAMPLES = {
    "dense_layer_by_hand": ["main()"],
    "delta_rule": ["print_worked_example()", "print_exercise()", "print_vanishing(vanishing())"],
    "own_layer": ["main()"],
    "estimators_first_fit": ["main()"],
    "estimators_imbalance": ["main()"],
    "estimators_tabular": ["classes()", "values()"],
    "estimators_search": ["main()"],
    "estimators_ensembles": ["main()"],
    "estimators_quantiles": ["main()"],
    "estimators_serving": ["main()"],
    "estimators_flask": ["main()"],
}
LEFT_OUT = ("draw",)


def cells_of(name: str) -> list[tuple[str, str]]:
    """Return an example's cells, (kind, text): its docstring, imports, each function, the calls."""
    source = (ROOT / f"examples/{name}.py").read_text(encoding="utf-8")
    lines, (head, *nodes) = source.splitlines(), ast.parse(source).body
    assert isinstance(head, ast.Expr) and isinstance(head.value, ast.Constant)
    text = str(head.value.value).partition("\nRun: ")[0].strip()
    cells, begun = [("markdown", f"# {text}")], head.end_lineno
    has_main = "main()" in EXAMPLES[name]
    for node in nodes:
        part = "\n".join(lines[begun : node.end_lineno]).strip("\n")
        begun, own = node.end_lineno, getattr(node, "name", "")
        if isinstance(node, ast.If) or own in LEFT_OUT or (own == "main" and not has_main):
            continue
        defines = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if defines or len(cells) == 1 or cells[-1][1].lstrip().startswith(("def ", "class ")):
            cells.append(("code", part))
        else:
            cells[-1] = ("code", f"{cells[-1][1]}\n{part}")
    return cells + [("code", call) for call in EXAMPLES[name]]


def made(name: str) -> Any:
    """Return the notebook of an example, not yet run."""
    from nbformat import v4

    notebook = v4.new_notebook()
    for k, (kind, text) in enumerate(cells_of(name)):
        cell = v4.new_markdown_cell(text) if kind == "markdown" else v4.new_code_cell(text)
        cell["id"] = f"cell-{k}"
        notebook.cells.append(cell)
    return notebook


def joined(outputs: list[Any]) -> list[Any]:
    """Return outputs with what was printed in pieces put together: the pieces depend on time."""
    found: list[Any] = []
    for each in outputs:
        if found and each.get("name") and each.get("name") == found[-1].get("name"):
            found[-1]["text"] += each["text"]
        else:
            found.append(each)
    return found


def main() -> None:
    import nbformat
    from nbclient import NotebookClient

    os.environ["TQDM_DISABLE"] = "1"  # a bar shows times
    for name in EXAMPLES:
        nbformat.write(made(name), FOLDER / f"{name}.ipynb")
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
        for cell in notebook.cells:
            cell.metadata.clear()
            if cell.cell_type == "code":
                cell["outputs"] = joined(cell["outputs"])
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        nbformat.write(notebook, path)
        print(f"{path.name}: {len(notebook.cells)} cells, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
