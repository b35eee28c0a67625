"""What a notebook shows of models, layers, histories and reports: tables and pictures as data.

An untrusted notebook drops scripts, style sheets, inline SVG and event handlers; nothing of the
kind may be needed, and no name may bring it in.
"""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import chainrule as cr
from chainrule.checking import GradientReport, GradientRow
from chainrule.seeing.html import LIMIT, Card, Picture, Table, escaped

EVIL = "</script><img src=x onerror=alert(1)>\"'&"
TAGS = {"div", "p", "table", "tr", "th", "td", "img"}
ATTRIBUTES = {"style", "colspan", "src", "alt"}
SVG = "{http://www.w3.org/2000/svg}"


class Reader(HTMLParser):
    """Collects tags, attributes, texts and the rows of tables; every tag must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.notes: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag != "img":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        else:
            self.notes.append(data)

    def images(self) -> list[ElementTree.Element]:
        """Return the roots of the pictures."""
        found = []
        for name, value in self.attributes:
            if name == "src":
                kind, _, data = value.partition(",")
                assert kind == "data:image/svg+xml;base64"
                found.append(ElementTree.fromstring(base64.b64decode(data, validate=True)))
        return found


def shown(thing: Any) -> Reader:
    """Return what a notebook is given, after checking what must hold of all."""
    text = thing._repr_html_() if hasattr(thing, "_repr_html_") else thing.html()
    assert len(text.encode()) <= LIMIT == 30_000
    reader = Reader(text)
    assert reader.tags <= TAGS
    assert {name for name, _ in reader.attributes} <= ATTRIBUTES
    assert "url(" not in text and "http" not in re.sub(r'src="[^"]*"', "", text)
    for root in reader.images():
        assert root.tag == f"{SVG}svg"
        for element in root.iter():
            assert element.tag.removeprefix(SVG) in {
                "svg", "text", "polyline", "path", "rect", "circle"
            }  # fmt: skip
            assert not {"href", "style", "class"} & set(element.attrib)
    alts = [value for name, value in reader.attributes if name == "alt"]
    assert len(alts) == len(reader.images()) and all(alts)
    return reader


def digits_like(*sizes: int, n: int = 12) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, sizes[0])), rng.integers(0, sizes[-1], n)
    return cr.mlp(*sizes, output="softmax", dtype="float64", seed=0), X, y


def test_a_model_shows_its_summary_and_a_drawing() -> None:
    model, X, y = digits_like(5, 7, 3)
    model.train(X, y, epochs=1)
    reader = shown(model)
    assert reader.rows[0] == ["", "layer", "output", "parameters", "memory"]
    assert reader.rows[1] == ["1", "Layer_Dense(5, 7)", "(n, 7)", "42", "336 B"]
    assert reader.rows[-1] == ["", "total", "", "66", "528 B"] and len(reader.rows) == 6
    assert reader.notes[0] == "Model" and reader.notes[-1] == f"plan: {model.plan}"
    (net,) = reader.images()
    assert len(net.findall(f"{SVG}circle")) == 5 + 7 + 3
    texts = [element.text for element in net.findall(f"{SVG}text")]
    assert texts == ["5 inputs", "7 ReLU", "3 Softmax"]
    assert ("alt", "the net 5-7-3: units and weights") in reader.attributes
    paths = net.findall(f"{SVG}path")
    assert "".join(path.get("d", "") for path in paths).count("M") == 24 + 21
    strongest = np.sort(np.abs(model.layers[0].weights), axis=None)[-24]
    above = np.count_nonzero(model.layers[0].weights >= strongest)
    assert paths[0].get("d", "").count("M") == above and paths[0].get("stroke") == "#d6404e"


def test_a_history_shows_some_epochs_and_its_curves() -> None:
    model, X, y = digits_like(5, 7, 3)
    model.set(accuracy=cr.Accuracy_Categorical())
    history = model.train(X, y, epochs=137, validation_data=(X, y))
    reader = shown(history)
    assert [row[0] for row in reader.rows] == [
        "epoch", "1", "2", "5", "10", "20", "50", "100", "137"
    ]  # fmt: skip
    assert reader.rows[0][1:3] == ["loss", "accuracy"]  # the parts of the loss would say no more
    assert reader.rows[-1][1] == f"{history.loss[-1]:.4g}"
    (curves,) = reader.images()
    lines = [line.get("points", "").split() for line in curves.findall(f"{SVG}polyline")]
    assert [len(line) for line in lines] == [3, 137, 137]  # the axes, two losses
    heights = [float(point.split(",")[1]) for point in lines[1]]
    assert heights[0] < heights[-1] and 0 <= min(heights) and max(heights) <= 150
    assert reader.notes[0] == "History of 137 epochs"


def test_a_history_shows_regularisation_and_the_best_epoch() -> None:
    model, X, y = digits_like(5, 7, 3)
    model.layers[0].weight_regularizer_l2 = 0.1
    history = model.train(X, y, epochs=8, validation_data=(X, y), best_epoch="loss")
    reader = shown(history)
    assert "regularization loss" in reader.rows[0]
    assert f"{history.best_epoch} (best)" in [row[0] for row in reader.rows]


def test_histories_with_odd_values_are_shown() -> None:
    for values in ([np.nan] * 8, [np.inf] * 8, [0.0] * 8, [-1.0] * 8, [1e300] * 8):
        history = cr.History()
        history.append([values])
        shown(history)
        history.append([[1.0] * 8])
        shown(history)
    assert shown(cr.History()).notes == ["History of no epoch"]


def test_a_layer_shows_its_arrays() -> None:
    model, X, y = digits_like(5, 7, 3)
    model.train(X, y, epochs=1)
    layer = model.layers[2]
    names = [row[0] for row in shown(layer).rows[1:]]
    assert names == [
        "weights", "biases", "weight_momentums", "bias_momentums", "weight_cache", "bias_cache"
    ]  # fmt: skip
    model.backward(model.forward(X, training=True), y)
    reader = shown(layer)
    rows = {row[0]: row[1:] for row in reader.rows}
    assert {"dweights", "dbiases", "inputs", "output", "dinputs"} <= set(rows)
    size = np.sqrt(np.mean(layer.weights**2))
    low, high = layer.weights.min(), layer.weights.max()
    numbers = [f"{size:.3g}", f"{low:.3g}", f"{high:.3g}", "0 %"]
    assert rows["weights"] == ["(7, 3)", "float64", *numbers]
    (histogram,) = reader.images()
    counts, _ = np.histogram(layer.weights, bins=28)
    assert len(histogram.findall(f"{SVG}rect")) == np.count_nonzero(counts)
    relu = shown(model.layers[1])
    assert relu.notes == ["Activation_ReLU()"] and relu.rows[2][0] == "output"
    assert ("alt", f"histogram of output, from 0 to {model.layers[1].output.max():.3g}") in (
        relu.attributes
    )


@pytest.mark.parametrize(
    "layer",
    [
        cr.Activation_ReLU(),
        cr.Layer_Input(),
        cr.Layer_Dropout(0.5, rng=0),
        cr.Layer_Dense(3, 2, bias=False, rng=0),
        cr.Layer_Scale(4),
        cr.Layer_Dense(weights=[[np.nan, np.inf], [1.0, -1.0]]),
        cr.Layer_Dense(weights=np.full((3, 3), np.nan)),
        cr.Layer_Dense(weights=np.full((3, 3), 1e300)),
        cr.Layer_Dense(weights=[[1e308, -1e308], [0.0, 0.0]]),
        cr.Layer_Dense(weights=[[1.0, np.nextafter(1.0, 2)]]),
        cr.Layer_Dense(weights=[[5e-324, 0.0]]),
    ],
    ids=repr,
)
def test_every_layer_can_be_shown(layer: Any) -> None:
    assert shown(layer).notes[0] == repr(layer)
    model = cr.Model()
    model.add(layer)
    shown(model)


def test_a_layer_that_has_no_arrays_yet_is_shown() -> None:
    assert shown(cr.Layer_Dense.__new__(cr.Layer_Dense)).notes == ["Layer_Dense(not initialised)"]


def test_a_report_shows_its_lines_with_coloured_verdicts() -> None:
    class Halved(cr.Activation_Tanh):
        def backward(self, dvalues: Any) -> Any:
            self.dinputs = super().backward(dvalues) / 2
            return self.dinputs

    model, X, y = digits_like(4, 5, 3)
    right = cr.gradcheck(model, X, y)
    reader = shown(right)
    assert reader.rows[0] == list(("array", "way", "gradient", "checked", "at kinks", "error",
                                   "tolerance", "verdict"))  # fmt: skip
    assert [row[-1] for row in reader.rows[1:]] == ["ok"] * len(right.rows)
    assert reader.notes == [right.title, right.plan, right.end()]
    model.layers[1] = Halved()
    wrong = cr.gradcheck(model, X, y)
    reader = shown(wrong)
    whole = [row for row in reader.rows if len(row) == 1]
    assert whole and set(map(tuple, whole)) == {(each.hint,) for each in wrong.rows if each.hint}
    verdicts = [row[-1] for row in reader.rows[1:] if len(row) > 1]
    assert verdicts == sorted(verdicts) and verdicts[0] == "WRONG" and verdicts[-1] == "ok"
    text = wrong._repr_html_()
    assert len(re.findall("color:#d6404e[^>]*>WRONG<", text)) == verdicts.count("WRONG")
    assert len(re.findall("color:#2e9e6b[^>]*>ok<", text)) == verdicts.count("ok")


def evil(kind: type) -> type:
    return type(EVIL, (kind,), {})


def test_a_name_does_nothing() -> None:
    model = cr.Model()
    model.add(evil(cr.Layer_Dense)(4, 3, rng=0))
    model.add(evil(cr.Activation_Softmax)())
    model.set(loss=evil(cr.Loss_CategoricalCrossentropy)())
    row = GradientRow(EVIL, EVIL, 1.0, 1, 0, 2.0, 1.0, hint=EVIL)
    report = GradientReport(EVIL, (row,), plan=EVIL, notes=(EVIL,))
    for thing in (model, *model.layers, report):
        text = thing._repr_html_()
        assert shown(thing).tags <= TAGS  # as the reader finds them
        assert (
            "<script" not in text
            and text.count("<img") <= 1
            and "onerror=" not in (re.sub(r">[^<]*<", "><", text))
        )
    assert shown(report).rows[1][0] == EVIL
    card = Card(EVIL, None, Picture("<svg xmlns='http://www.w3.org/2000/svg'/>", EVIL), [EVIL])
    assert shown(card).attributes.count(("alt", EVIL)) == 1
    assert escaped("<&>\"'") == "&lt;&amp;&gt;&quot;&#x27;"


def test_nothing_is_too_large() -> None:
    """Many layers, wide layers, long names and long texts: some are left out, and it is said."""
    deep = cr.Model()
    for _ in range(1500):
        deep.add(cr.Layer_Dense(40, 40, rng=0))
    reader = shown(deep)
    left = 1501 - (len(reader.rows) - 2)  # layers and total; the head and the note are no rows
    assert [f"… {left:,} more rows …"] in reader.rows and reader.rows[-1][1] == "total"
    long = type("<" * 50_000, (cr.Layer_Dense,), {})
    named = cr.Model()
    for _ in range(60):
        named.add(long(40, 40, rng=0))
    reader = shown(named)
    assert any(len(row) == 1 and "more rows" in row[0] for row in reader.rows)
    shown(named.layers[0])
    rows = tuple(
        GradientRow("ä" * 5000, "plan", 1.0, 9, 0, 2.0, 1.0, hint="&" * 9000) for _ in range(500)
    )
    reader = shown(GradientReport("&" * 90_000, rows, "'" * 90_000, ('"' * 9000,) * 300))
    assert any("more rows" in row[0] for row in reader.rows if len(row) == 1)
    history = cr.History()
    history.append(np.random.default_rng(0).normal(size=(1_000_000, 8)))
    assert [row[0] for row in shown(history).rows][-1] == "1,000,000"


def test_a_table_that_is_cut_keeps_its_first_and_last_rows() -> None:
    rows = [(str(k), "x") for k in range(100)]
    reader = Reader(Table(("number", "letter"), rows).html(10))
    assert [row[0] for row in reader.rows] == [
        "number", *map(str, range(7)), "… 90 more rows …", "97", "98", "99"
    ]  # fmt: skip
    assert len(Reader(Table(("a",), [("b",)] * 10).html(10)).rows) == 11


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_every_colour_shows_on_white_and_on_black() -> None:
    """A contrast of at least 2.4 for lines and large letters on both; text is the page's own."""
    model, X, y = digits_like(4, 5, 3)
    report = cr.gradcheck(model, X, y)
    things = [model, model.layers[0], model.train(X, y, epochs=30, validation_data=(X, y)), report]
    text = "".join(thing._repr_html_() for thing in things)
    drawn = "".join(
        base64.b64decode(data).decode() for data in re.findall(r"base64,([^\"]+)", text)
    )
    colours = set(re.findall(r"#[0-9a-f]{6}\b", text + drawn))
    assert len(colours) >= 4
    for colour in colours:
        level = luminance(colour)
        assert 1.05 / (level + 0.05) > 2.4, colour
        assert (level + 0.05) / (luminance("#111111") + 0.05) > 2.4, colour
    assert "background" not in text


def test_showing_changes_nothing() -> None:
    model, X, y = digits_like(5, 7, 3)
    model.train(X, y, epochs=2)
    before = model.fingerprint(), sorted(vars(model)), sorted(vars(model.layers[0]))
    shown(model)
    shown(model.layers[0])
    assert (model.fingerprint(), sorted(vars(model)), sorted(vars(model.layers[0]))) == before
