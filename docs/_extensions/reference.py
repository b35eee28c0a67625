"""The reference's pages: one for each public module, made of what its ``__all__`` names.

Nothing is listed by hand: a new public name has its page with the next build. The pages go into
docs/api, which is not kept.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import chainrule
from chainrule.lazy import SUBMODULES

FOLDER = Path(__file__).resolve().parents[1] / "api"
PARTS = (  # heading, and what a name begins with
    ("Layers", "Layer_"),
    ("Losses", "Loss"),
    ("Optimizers", "Optimizer_"),
    ("Accuracies", "Accuracy"),
    ("Activations", "Activation_"),
)
PLACES = (  # heading, and the modules that names come from
    ("Checking", "chainrule.checking"),
    ("Autograd", "chainrule.autograd"),
    ("Callbacks", "chainrule.callbacks"),
    ("Callbacks", "chainrule.monitoring"),
    ("Threads and machine", "chainrule.runtime"),
    ("Errors", "chainrule.errors"),
)
ORDER = ("Model", "Layers", "Activations", "Losses", "Optimizers", "Accuracies", "Callbacks",
         "Checking", "Autograd", "Threads and machine", "Errors")  # fmt: skip


def heading_of(name: str, thing: Any) -> str:
    """Return the heading that a public name of the package stands under."""
    if "_Loss_" in name:
        return "Losses"
    for heading, start in PARTS:
        if name.startswith(start):
            return heading
    module = str(getattr(thing, "__module__", ""))
    return next((heading for heading, start in PLACES if module.startswith(start)), "Model")


def public_modules() -> list[ModuleType]:
    """Return the public submodules: those of ``__all__`` and those that are imported late."""
    names = {*SUBMODULES, *chainrule.__all__}
    found = [getattr(chainrule, name) for name in names]
    return sorted((each for each in found if inspect.ismodule(each)), key=lambda m: m.__name__)


def documented(module: ModuleType) -> dict[str, Any]:
    """Return the classes and functions that a module names in ``__all__``."""
    names = getattr(module, "__all__", None)
    if names is None:
        raise ValueError(f"{module.__name__}: expected __all__ in a public module, got none")
    things = {name: getattr(module, name) for name in names}
    return {n: t for n, t in things.items() if inspect.isclass(t) or inspect.isroutine(t)}


def title(text: str, line: str) -> list[str]:
    return [text, line * len(text), ""]


def table(names: list[str]) -> list[str]:
    lines = [".. autosummary::", "   :toctree: generated", "   :nosignatures:", ""]
    return [*lines, *(f"   {name}" for name in names), ""]


def package_page() -> Iterator[str]:
    """Lines of the page of what ``import chainrule`` offers."""
    yield from title("chainrule", "=")
    yield from [".. currentmodule:: chainrule", ""]
    groups: dict[str, list[str]] = {heading: [] for heading in ORDER}
    for name, thing in documented(chainrule).items():
        groups[heading_of(name, thing)].append(name)
    for heading, names in groups.items():
        if names:
            yield from title(heading, "-")
            yield from table(sorted(names, key=str.lower))


def module_page(module: ModuleType) -> Iterator[str]:
    """Lines of the page of a submodule; what the package itself offers is documented there."""
    yield from title(module.__name__, "=")
    yield from (inspect.getdoc(module) or "").split("\n\n")[0].splitlines()
    yield from ["", f".. currentmodule:: {module.__name__}", ""]
    names = documented(module)
    above = [name for name, thing in names.items() if getattr(chainrule, name, None) is thing]
    own = [name for name in names if name not in above]
    if own:
        yield from table(own)
    if above:
        also = ", ".join(f":obj:`chainrule.{name}`" for name in above)
        yield from [f"Also here: {also}.", ""]


def write(path: Path, text: str) -> None:
    """Write a page where it says something new: Sphinx then knows what to read again."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def make_pages(app: Any, config: Any) -> None:
    """Write the reference's pages."""
    FOLDER.mkdir(exist_ok=True)
    pages = {"chainrule": package_page()}
    for module in public_modules():
        pages[module.__name__.partition(".")[2]] = module_page(module)
    index = [*title("Reference", "="), "Every public name, with shapes, errors and sources.", ""]
    index += [".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in pages), ""]
    write(FOLDER / "index.rst", "\n".join(index))
    for name, lines in pages.items():
        write(FOLDER / f"{name}.rst", "\n".join(lines) + "\n")
    config.autosummary_generate = [f"api/{name}.rst" for name in pages]


def skip(app: Any, what: str, name: str, thing: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out methods that come from other packages: their pages are elsewhere."""
    module = str(getattr(thing, "__module__", None) or "chainrule")
    return True if not module.startswith("chainrule") else None


def setup(app: Any) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("config-inited", make_pages)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True}
