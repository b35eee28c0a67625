"""The graph of a variable: rows, table, picture, DOT and what Jupyter shows."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd.graph import text_of
from chainrule.autograd.heat import cells, png
from chainrule.autograd.layout import LINE, Box, laid_out
from chainrule.autograd.svg import PORT

SVG = "{http://www.w3.org/2000/svg}"


def notebook(backward: bool = True) -> Any:
    x, y, z = cr.Variable(1.0, "x"), cr.Variable(2.0, "y"), cr.Variable(4.0, "z")
    u = x**2
    v = u + y
    w = z * v
    r = w**2
    if backward:
        r.backward()
    return r.graph(locals())


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def elements(svg: str, kind: str) -> list[Any]:
    groups = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return [each for group in groups if kind in (group.get("class") or "").split()
            for each in group]  # fmt: skip


def of_class(svg: str, kind: str) -> list[str]:
    return [each.text for each in elements(svg, kind)]


def test_rows_of_the_notebooks_graph() -> None:
    rows = {row.name: row for row in notebook().rows}
    assert list(rows) == ["x", "y", "z", "u", "v", "w", "r"]
    assert [row.formula for row in rows.values()][3:] == [
        "u = x ** 2", "v = u + y", "w = z * v", "r = w ** 2",
    ]  # fmt: skip
    assert {name: (row.value, row.gradient) for name, row in rows.items()} == {
        "x": (1, 192), "y": (2, 96), "z": (4, 72), "u": (1, 96), "v": (3, 96), "w": (12, 24),
        "r": (144, 1),
    }  # fmt: skip
    assert rows["u"].operation == "power" and rows["x"].operation == ""
    edges = [edge for row in rows.values() for edge in row.edges]
    names = list(rows)
    assert {(names[e.source], names[e.target]): (e.local, e.contribution) for e in edges} == {
        ("x", "u"): (2, 192), ("u", "v"): (1, 96), ("y", "v"): (1, 96), ("z", "w"): (3, 72),
        ("v", "w"): (4, 96), ("w", "r"): (24, 24),
    }  # fmt: skip


def test_before_backward_gradients_are_not_yet_there() -> None:
    graph = notebook(backward=False)
    assert all(row.gradient is None for row in graph.rows)
    assert all(edge.contribution is None for row in graph.rows for edge in row.edges)
    assert texts(graph.svg()).count("grad not yet") == 7
    assert str(graph).count("not yet") == 7


def test_the_notebooks_picture_tells_all_and_is_small() -> None:
    svg = notebook().svg()
    assert svg.startswith("<svg") and len(svg.encode()) < 10_000
    shown = texts(svg)
    for text in ("u = x ** 2", "value 144", "grad 192", "grad 72", "× 24", "× 2"):
        assert text in shown
    assert "value 144" in of_class(svg, "v") and "grad 192" in of_class(svg, "g")
    assert re.search(r"\.v\{fill:#2462a8\}\.g\{fill:#b32d1e\}", svg)


def test_a_variable_with_several_uses_shows_the_sum() -> None:
    x = cr.Variable(3.0, "x")
    y = x * x - 4 * x
    y.backward()
    assert "grad 3 + 3 − 4 = 2" in texts(y.graph().svg())
    (x + x + x + x).backward()
    assert x.grad == 4
    x = cr.Variable(np.ones(3), "x")
    total = (x * x).sum()
    total.backward()
    assert "grad, sum of 2: rms 2" in texts(total.graph().svg())


def test_arrays_are_shown_by_shape_size_and_a_small_picture() -> None:
    a = cr.Variable(np.arange(20.0).reshape(4, 5), "a")
    loss = (a * a).mean()
    loss.backward()
    svg = loss.graph().svg()
    assert f"4×5 rms {np.sqrt((np.arange(20.0) ** 2).mean()):.4g}" in texts(svg)
    pictures = re.findall(r"href='data:image/png;base64,([^']+)'", svg)
    assert len(pictures) == 4 and all(b64decode(each)[:4] == b"\x89PNG" for each in pictures)
    assert "{1}" not in svg
    weights = cr.Variable(np.ones((5, 2)), "weights")
    assert {"× weights.T", "× a.T"} <= set(texts((a @ weights).graph().svg()))


def test_an_activations_edge_has_its_derivative() -> None:
    x = cr.Variable(np.array([[-1.0, 2.0], [3.0, -4.0]]), "x")
    hidden = cr.Activation_ReLU().forward(x)
    output = cr.Activation_Softmax().forward(cr.Layer_Dense(2, 3, rng=0).forward(hidden))
    edges = [edge.local for row in output.graph().rows for edge in row.edges]
    np.testing.assert_array_equal(edges[0], [[0, 1], [1, 0]])
    assert edges[1:] == ["weights.T", "its Jacobian"]
    y, loss = np.array([0, 2]), cr.Loss_CategoricalCrossentropy()
    (edge,) = loss.calculate(output, y).graph().rows[-1].edges
    np.testing.assert_array_equal(edge.local, loss.backward(output.value, y))
    assert loss.forward(output, y).graph().rows[-1].edges[0].local == "its gradient"


@pytest.mark.parametrize("shape", [(1,), (3,), (8, 8), (9, 100), (2, 3, 4), (100, 1), (64, 784)])
def test_heat_pictures_keep_the_extremes(shape: Any) -> None:
    array = np.random.default_rng(0).standard_normal(shape)
    found = cells(array)
    assert max(found.shape) <= 8 and np.abs(found).max() == np.abs(array).max()
    assert len(png(array)) < 200
    assert len(png(np.full(shape, np.nan))) < 200 and len(png(np.zeros(shape))) < 200


def test_a_heat_pictures_colours() -> None:
    plt = pytest.importorskip("matplotlib.image")
    from io import BytesIO

    picture = plt.imread(BytesIO(png(np.array([[-2.0, 0.0, 2.0], [1.0, np.nan, -1.0]]))))
    assert picture.shape[:2] == (2, 3)
    colours = np.rint(picture[..., :3] * 255).astype(int)
    assert colours[0].tolist() == [[179, 88, 6], [255, 255, 255], [84, 39, 136]]
    assert colours[1, 1].tolist() == [150, 150, 150]


# Layout


def random_graph(seed: int) -> Any:
    """Up to 40 variables of which each may be used anywhere later."""
    rng = np.random.default_rng(seed)
    held = [cr.Variable(rng.standard_normal((3,) * int(rng.integers(0, 3))), "x" * k)
            for k in range(1, int(rng.integers(2, 8)))]  # fmt: skip
    while len(held) < rng.integers(8, 40):
        first, second = (held[-1 - int(rng.exponential(4)) % len(held)] for _ in range(2))
        kind = int(rng.integers(0, 4))
        held.append(
            [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: np.tanh(a),
             lambda a, b: np.maximum(a, b)][kind](first, second)
        )  # fmt: skip
    total = sum(each.sum() for each in held[-3:])
    assert len(total.graph()) <= 60
    return total


def boxes_of(svg: str) -> list[tuple[float, ...]]:
    rectangles = elements(svg, "b")
    return [tuple(float(e.get(name, "")) for name in ("x", "y", "width", "height"))
            for e in rectangles]  # fmt: skip


def apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    x, y, width, height = one
    return (
        x + width <= other[0] or other[0] + other[2] <= x
        or y + height <= other[1] or other[1] + other[3] <= y
    )  # fmt: skip


def labels_of(svg: str) -> list[tuple[float, ...]]:
    """The places of the texts on edges; they end at x, 10 pixels high, 6.1 wide a letter."""
    return [
        (float(e.get("x", "")) - 6.1 * len(e.text or ""), float(e.get("y", "")) - 9,
         6.1 * len(e.text or ""), 10)
        for e in elements(svg, "e")
    ]  # fmt: skip


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_no_boxes_and_no_labels_overlap_in_200_random_graphs(first: int) -> None:
    for seed in range(first, first + 20):
        total = random_graph(seed)
        if seed % 2:
            total.backward()
        graph = total.graph()
        svg = graph.svg()
        boxes, labels = boxes_of(svg), labels_of(svg)
        assert len(boxes) == len(graph)
        for one, other in itertools.combinations(boxes + labels, 2):
            assert apart(one, other), (seed, one, other)
        width, height = (float(ElementTree.fromstring(svg).get(k, "")) for k in ("width", "height"))
        assert all(x >= 0 and x + w <= width - 23 and y >= 0 and y + h <= height - 23
                   for x, y, w, h in boxes)  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_no_line_crosses_a_box_and_results_stand_right_of_their_operands(seed: int) -> None:
    rows = random_graph(seed).graph().rows
    boxes = [Box(90, max(60, PORT * len(row.edges)), 50, [e.source for e in row.edges])
             for row in rows]  # fmt: skip
    layout = laid_out(boxes)
    for box in boxes:
        for source, port in zip(box.sources, box.ports, strict=True):
            assert boxes[source].column < box.column
            assert box.y <= port <= box.y + box.height
            for column in range(boxes[source].column + 1, box.column):
                across = layout.lines[source, column]
                for other in boxes:
                    if other.column == column:
                        y, bottom = other.y - LINE / 2, other.y + other.height + LINE / 2
                        assert not y < across < bottom
    for box in boxes:
        assert layout.left[box.column] <= box.x - box.strip
        assert box.x + box.width <= layout.right[box.column]
        if box.column:
            assert layout.right[box.column - 1] < layout.left[box.column]


# Other forms


def check_dot(text: str, nodes: int, edges: int) -> None:
    """The grammar that is used: statements of names with quoted labels, as Graphviz has it."""
    label = r'\[label="(?:[^"\\]|\\.)*"\]'
    node, edge = re.compile(rf"  n\d+ {label}"), re.compile(rf"  n\d+ -> n\d+ {label}")
    head, *lines, last = text.splitlines()
    assert head == "digraph {" and last == "}"
    assert sum(bool(node.fullmatch(line)) for line in lines) == nodes
    assert sum(bool(edge.fullmatch(line)) for line in lines) == edges
    settings = [line for line in lines if not node.fullmatch(line) and not edge.fullmatch(line)]
    assert [line.split()[0].split("=")[0] for line in settings] == ["rankdir", "node", "edge"]


def test_dot_is_what_graphviz_takes() -> None:
    x = cr.Variable(np.ones((2, 2)), 'x "quoted" \\ back\nnew -> [line]')
    total = (x * x + np.tanh(x)).sum()
    total.backward()
    text = total.graph().dot()
    check_dot(text, 5, 6)
    check_dot(notebook().dot(), 7, 6)
    if shutil.which("dot"):
        for each in (text, notebook().dot()):
            done = subprocess.run(["dot", "-Tsvg"], input=each.encode(), capture_output=True)
            assert done.returncode == 0 and not done.stderr, done.stderr


def test_names_cannot_break_out_of_any_form(tmp_path: Path) -> None:
    name = "</text></svg><script>alert(1)</script> & \"'\x00\ud800"
    result = cr.Variable(2.0, name) * 3
    result.backward()
    graph = result.graph()
    svg = graph.svg()
    ElementTree.fromstring(svg)
    assert "<script" not in svg and "<script" not in graph._repr_html_()
    check_dot(graph.dot(), 2, 1)
    graph.save(tmp_path / "graph.svg")
    graph.save(str(tmp_path / "graph.dot"))
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == svg
    with pytest.raises(ValueError, match=r"path: expected a name that ends in .svg or .dot"):
        graph.save(tmp_path / "graph.png")


class Image(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.attributes = dict(attrs)


def test_jupyter_gets_an_image_with_words_beside_it() -> None:
    graph = notebook()
    image = Image(graph._repr_html_())
    assert image.tags == ["div", "img"]
    kind, _, data = image.attributes["src"].partition(",")
    assert kind == "data:image/svg+xml" and unquote(data) == graph.svg()
    assert "u = x ** 2: 1, gradient 96" in image.attributes["alt"]


@pytest.mark.parametrize("count", [1, 10, 100, 199, 200, 3000])
def test_jupyter_gets_at_most_30_kB(count: int) -> None:
    x = result = cr.Variable(np.random.default_rng(0).standard_normal((9, 9)), "x")
    for _ in range(count):
        result = result * 1.0001 + x / 1000 if count < 100 else result * 1.0001
    result.backward(np.ones((9, 9)))
    shown = result.graph()._repr_html_()
    assert len(shown.encode()) <= 30_000
    tags = Image(shown).tags
    assert ("img" in tags) == (count <= 10) and "script" not in tags and "svg" not in tags


def test_above_200_nodes_there_is_a_table() -> None:
    x = result = cr.Variable(1.0, "x")
    for _ in range(200):
        result = result + 1
    svg = result.graph().svg()
    assert svg.startswith("<svg") and not boxes_of(svg)
    assert "... 141 more ..." in texts(svg) and "v200 = v199 + 1" in texts(svg)
    assert len(str(result.graph()).splitlines()) == 62
    assert len(x.graph()) == 1 and "x" in texts(x.graph().svg())


def test_names_are_unique_and_follow_the_callers() -> None:
    v1 = cr.Variable(1.0, "v2")
    result = np.exp(v1 * 2) + 1
    names = [row.name for row in result.graph({"_": result, "other": 5}).rows]
    assert names == ["v2", "v1", "v3", "v4"]
    assert [row.name for row in result.graph({"total": result}).rows][-1] == "total"


def test_numbers_in_texts() -> None:
    assert text_of(np.array(1 / 3)) == "0.33333"
    assert text_of(np.array([3.0, 4.0, 0.0, 0.0])) == "rms 2.5"
    assert text_of(np.full(3, 1e200)) == "rms 1e+200" and text_of(np.zeros((0, 3))) == "rms 0"
    assert text_of(np.array(np.nan)) == "nan" and text_of(np.array(-np.inf)) == "-inf"
