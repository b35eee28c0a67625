"""The page of an explanation, read back: its policy, its texts, and the data of its script."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr

EVIL = "</script><img src=x onerror=alert(1)>\"'&<!--"


class Page(HTMLParser):
    """Tags with their attributes, scripts, style, the texts of table rows and of list entries."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.style = ""
        self.rows: list[list[str]] = []
        self.entries: list[str] = []
        self.words = ""
        self._inside = ""
        self._type = ""
        self.feed(text)
        self.close()
        self.data = json.loads(self.scripts["application/json"])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self._type = dict(attrs).get("type") or "script"
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "li":
            self.entries.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[self._type] = self.scripts.get(self._type, "") + data
        elif self._inside == "style":
            self.style += data
        elif self._inside in ("td", "th"):
            self.rows[-1][-1] += data
        elif self._inside == "li":
            self.entries[-1] += data
        self.words += data if self._inside not in ("script", "style") else ""

    def policy(self) -> str:
        found = next(a for tag, a in self.tags if tag == "meta" and "http-equiv" in a)
        return str(found["content"])


def page_of(explanation: Any, folder: Path) -> Page:
    path = folder / "page.html"
    explanation.save_html(path)
    return Page(path.read_text(encoding="utf-8"))


def unpacked(text: str) -> Any:
    """An array of the page, flat."""
    dtype = {"f": "<f4", "d": "<f8"}[text[0]]
    return np.frombuffer(base64.b64decode(text[1:]), dtype)


def digits_net(dtype: Any = np.float32) -> tuple[cr.Model, Any, Any]:
    """A 64-128-64-10 net after a few epochs, and digits."""
    X, y = cr.datasets.load_digits()
    model = cr.mlp(64, 128, 64, 10, output="softmax", seed=0, dtype=dtype)
    model.train(X[:500], y[:500], epochs=2, batch_size=50)
    return model, X, y


def net_of(*layers: Any, loss: Any = None, optimizer: Any = None) -> cr.Model:
    model = cr.Model()
    for layer in layers:
        model.add(layer)
    model.set(loss=loss or cr.Loss_MeanSquaredError(), optimizer=optimizer or cr.Optimizer_SGD(0.1))
    return model
