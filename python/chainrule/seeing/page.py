"""One self-contained page of an explanation: tables for all, a drawing where scripts run.

Nothing is requested from anywhere: the content security policy allows the page's own script, by
its hash, and nothing else. What stands in the page is escaped; the data is JSON without ``<``.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any

from ..training.observed import Step
from .cards import explanation_card
from .html import Table, escaped, shortened
from .page_data import Limits, page_data

__all__ = ["html_page"]

LONGEST_TITLE, LONGEST_NOTE, MOST_FINDINGS = 160, 600, 40

# Tried in turn until the page is small enough. 64-128-64-10 with 16 samples has 150 kB by the
# second; the last is a few kB a column.
SIZES = (
    Limits(samples=64, units=256, columns=24, rows=60, exact=True, size=150_000),
    Limits(samples=64, units=256, columns=24, rows=60, exact=False, size=500_000),
    Limits(samples=16, units=256, columns=24, rows=60, exact=False, size=500_000),
    Limits(samples=16, units=128, columns=12, rows=60, exact=False, size=500_000),
    Limits(samples=4, units=64, columns=12, rows=40, exact=False, size=500_000),
    Limits(samples=1, units=16, columns=8, rows=20, exact=False, size=500_000),
)

VIEW = """<section id="view" aria-label="the step, drawn" hidden>
<div class="controls">
<label>Sample <select id="sample"></select></label>
<label class="wide">Stage <input id="stage" type="range" min="0" value="0" step="1"></label>
<label>Colour <select id="colour"><option value="stage">by stage<option value="value">value
<option value="gradient">gradient<option value="step">step</select></label>
<label>Scale <select id="scale"><option value="linear">linear<option value="log">logarithmic
</select></label>
<a id="link" href="#">Link to this view</a>
</div>
<p id="story" aria-live="polite"></p>
<div class="sides"><div class="drawing">
<div class="scroll" id="drawing"></div>
<p id="legend"></p><div id="strips"></div>
<p class="hint">Click a circle or a line. Keys: left and right move the stage; in the drawing the
arrows go from unit to unit and Enter looks at one, whose weights are buttons then.</p>
</div><div id="detail" aria-live="polite"></div></div>
</section>
<noscript><p>The drawing needs a script; the tables below do not.</p></noscript>"""


def html_page(explanation: Any, step: Step) -> str:
    """Return the page, as detailed as its size allows."""
    for limits in SIZES:
        text = page_with(explanation, step, limits)
        if len(text.encode()) <= limits.size:
            break
    return text


def page_with(explanation: Any, step: Step, limits: Limits) -> str:
    """Return the page with so much in it."""
    data = page_data(explanation, step, limits)
    script = file_text("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = escaped(shortened(explanation.title(), LONGEST_TITLE))
    table = explanation_card(explanation).table
    assert isinstance(table, Table)
    loss, *found = explanation.notes()
    if len(found) > MOST_FINDINGS:
        found = [*found[:MOST_FINDINGS], f"… {len(found) - MOST_FINDINGS:,} more"]
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{title}</title><style>{file_text('page.css')}</style></head><body><main>",
            f"<h1>{title}</h1>",
            f"<p>{escaped(loss)}</p>",
            VIEW,
            "<h2>Layers</h2>",
            '<div class="scroll" tabindex="0" role="region" aria-label="table of layers">',
            f"{table.html(limits.rows)}</div>",
            "<h2>Findings</h2>",
            listed(found),
            *(["<h2>What is left out</h2>", listed(data["notes"])] if data["notes"] else []),
            f'</main><script type="application/json" id="data">{as_json(data)}</script>',
            f"<script>{script}</script></body></html>\n",
        ]
    )


def listed(texts: list[str]) -> str:
    """Return a list of sentences."""
    lines = (f"<li>{escaped(shortened(text, LONGEST_NOTE))}</li>" for text in texts)
    return f"<ul>{''.join(lines)}</ul>"


def as_json(data: Any) -> str:
    """Return JSON that no end tag, comment or entity can leave."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def file_text(name: str) -> str:
    """Return a file of this folder; lines end alike on every system, as the hash needs it."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
