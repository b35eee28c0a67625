"""Links of a page to files of the repository that are no pages: to their page, or as plain text.

On the repository's own pages ``../cpp/README.md`` is a file; on the site it is a page of the map.
Other files become downloads, and a folder's name stays as text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "../cpp/README.md": "core_map.md",
    "../CHANGELOG.md": "changelog.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../SECURITY.md": "security.md",
    "../examples/README.md": "examples.md",
    "../examples": "examples.md",
    "../README.md": "index.md",
    "notebooks": "teaching.md",
}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def led(match: re.Match[str], folder: Path) -> str:
    """Return a Markdown link as the site has it; `folder` is that of the page."""
    text, target, part = match[1], match[2], match[3] or ""
    if "://" in target or not (folder / target).exists():
        return match[0]
    inside = (folder / target).resolve()
    docs = ROOT / "docs"
    name = target.rstrip("/") if folder == docs else f"../{inside.relative_to(ROOT)}"
    if name in PAGES and (docs / PAGES[name]).is_file():
        return f"[{text}](/{PAGES[name]}{part})"
    if inside.is_dir():
        return text
    if inside.is_relative_to(docs):
        return f"[{text}](/{inside.relative_to(docs)}{part})"
    return f"{{download}}`{text.replace('`', '')} </../{inside.relative_to(ROOT)}>`"


def page(app: Any, name: str, content: list[str]) -> None:
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md":
        content[0] = LINK.sub(lambda match: led(match, path.parent.resolve()), content[0])


def included(app: Any, path: Path, name: str, content: list[str]) -> None:
    inside = ROOT / "docs" / path
    content[0] = LINK.sub(lambda match: led(match, inside.resolve().parent), content[0])


def setup(app: Any) -> dict[str, Any]:
    app.connect("source-read", page)
    app.connect("include-read", included)
    return {"version": "1", "parallel_read_safe": True}
