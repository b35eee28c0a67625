"""The page in a real Chromium: numbers as Python prints them, everything by keyboard, no request.

Needs the package playwright and a Chromium of the system; without them these tests are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from pages import EVIL, digits_net, net_of

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

N = 40
COLUMNS = ((0, None), (1, 0), (2, 2), (3, 4))  # column of the page, and its dense layer


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # containers have no sandbox of the kind that Chromium wants
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """A net with wide layers, and the address of its page."""
    model, X, y = digits_net()
    e = model.explain(X[:N], y[:N])
    path = tmp_path_factory.mktemp("page") / "page.html"
    e.save_html(path)
    return e, path.as_uri()


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """Opens an address; afterwards nothing may have been said on the console, or be wrong."""
    faults: list[str] = []
    contexts = []

    def open_page(address: str, **settings: Any) -> Any:
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def go_to(page: Any, address: str, fragment: str) -> None:
    """Change the fragment and wait for the page to have drawn what it says."""
    page.goto(f"{address}#{fragment}")
    page.wait_for_function(
        "(said) => said.every((each) => "
        "document.getElementById('link').hash.slice(1).split('&').includes(each))",
        arg=fragment.split("&"),
    )


def cells(page: Any, selector: str) -> list[str]:
    found: list[str] = page.locator(f"#detail {selector} td").all_inner_texts()
    return found


def shown(*values: Any) -> list[str]:
    return [format(float(value), ".4g") for value in values]


def of_interest(e: Any, column: int) -> Any:
    """The drawn units of a column, as the rule has it."""
    dense = COLUMNS[column][1]
    if column == 3:
        return np.arange(10)
    values = e[0].inputs if dense is None else e[dense + 1].output
    gradient = e[0].dinputs if dense is None else e[dense].dvalues
    sizes = np.abs(values.astype(np.float64) * gradient).mean(axis=0)
    return np.sort(np.argsort(-sizes, kind="stable")[:16])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 400])
def test_one_request_and_no_error_in_every_view(
    scheme: Any, width: int, explained: Any, browser: Any, opened: Any
) -> None:
    page = opened("about:blank", color_scheme=scheme, viewport={"width": width, "height": 800})
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(explained[1])
    assert page.locator("#view").is_visible()
    stages = 0
    for scale in ("linear", "log"):
        for colour in ("stage", "value", "gradient", "step"):
            page.select_option("#scale", scale)
            page.select_option("#colour", colour)
            for stage in range(int(page.get_attribute("#stage", "max")) + 1):
                page.locator("#stage").fill(str(stage))
                assert page.locator("#story").inner_text()
                stages += 1
    assert stages == 2 * 4 * 10
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    page.set_viewport_size({"width": 700, "height": 800})  # drawn anew
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [url.partition("#")[0] for url in requests] == [explained[1]]


def test_a_units_numbers_are_pythons(explained: Any, opened: Any) -> None:
    e, address = explained
    page = opened(address)
    for column in (1, 2, 3):
        before, (_, k) = of_interest(e, column - 1), COLUMNS[column]
        for unit in of_interest(e, column)[::5]:
            for sample in (0, 17, N - 1):
                go_to(page, address, f"unit={column}.{unit}&sample={sample}")
                label = f"Layer_Dense {k + 1}"
                row = cells(page, f"tr[data-layer='{label}']")
                assert row == [
                    label, *shown(e[k].output[sample, unit], e[k].dvalues[sample, unit])
                ]  # fmt: skip
                names = ("biases", "dbiases", "step_biases", "biases_after")
                bias = [getattr(e[k], name).ravel()[unit] for name in names]
                assert cells(page, "tr[data-parameter]") == ["bias", *shown(*bias)]
                for i in before[::3]:
                    x, w = e[k].inputs[sample, i], e[k].weights[i, unit]
                    expected = [f"input {i}", *shown(x, w, float(x) * float(w))]
                    assert cells(page, f"tr[data-input='{i}']") == expected


def test_a_weights_numbers_are_pythons(explained: Any, opened: Any) -> None:
    e, address = explained
    page = opened(address)
    for column in (1, 2, 3):
        _, k = COLUMNS[column]
        for i in of_interest(e, column - 1)[::5]:
            unit = of_interest(e, column)[3]
            go_to(page, address, f"weight={column}.{i}.{unit}")
            names = ("weights", "dweights", "step_weights", "weights_after")
            values = [getattr(e[k], name)[i, unit] for name in names]
            assert cells(page, "tr[data-parameter]") == ["weight", *shown(*values)]
            x = e[k].inputs[:, i].astype(np.float64)
            products = x * e[k].dvalues[:, unit]
            largest = np.argsort(-np.abs(products), kind="stable")[:4]
            for sample in largest:
                factors = x[sample], e[k].dvalues[sample, unit]
                expected = [f"sample {sample}", *shown(*factors, products[sample])]
                assert cells(page, f"tr[data-sample='{sample}']") == expected
            total = float(cells(page, "tr.total")[-1])
            eps = np.finfo(np.float64).eps
            bound = 0.5e-3 * abs(total) + N * eps * np.abs(products).sum()
            assert abs(total - products.sum()) <= bound


def test_numbers_are_rounded_as_python_rounds_them(tmp_path: Path, opened: Any) -> None:
    """Ties, limits between the two notations, least and greatest, each in float64."""
    values = [
        1.0625, 1.1875, -0.00012345, 0.0001, 0.00009999, 123450.0, 123550.0, 9999.5, 9999.49,
        999.95, 10000.0, 1234.5, 1235.5, 2.0**-1074, 8e307, -0.0, 0.0, 1 / 3, 100.0, 12340.0,
        99995.0,
    ]  # fmt: skip
    X = np.array([values])
    layer = cr.Layer_Dense(len(values), 1, dtype=np.float64, weights=np.zeros((len(values), 1)))
    e = net_of(layer).explain(X, np.array([[1.0]]))
    e.save_html(tmp_path / "page.html")
    address = (tmp_path / "page.html").as_uri()
    page = opened(address)
    for unit, value in enumerate(values):
        go_to(page, address, f"unit=0.{unit}")
        assert f"unit {unit}," in page.locator("#detail h3").inner_text()
        assert cells(page, "tr[data-layer]")[1] == format(value, ".4g")


def test_the_sample_with_the_largest_loss_comes_first(explained: Any, opened: Any) -> None:
    e, address = explained
    page = opened(address)
    y = cr.datasets.load_digits()[1][:N]
    losses = -np.log(e[5].output[np.arange(N), y].astype(np.float64))
    options = page.locator("#sample option").all_inner_texts()
    assert len(options) == N
    chosen = page.locator("#sample option:checked").inner_text()
    assert chosen == options[0] and chosen.startswith(f"{losses.argmax()} (label ")


def test_everything_by_keyboard(explained: Any, opened: Any) -> None:
    e, address = explained
    page = opened(address)
    keys = page.keyboard
    before = page.locator("#stage").input_value()
    keys.press("ArrowRight")  # nothing has the focus
    assert int(page.locator("#stage").input_value()) == int(before) + 1
    keys.press("ArrowLeft")
    keys.press("Tab")
    first = page.locator("#sample option:checked").inner_text()
    keys.press("ArrowDown")
    assert page.locator("#sample option:checked").inner_text() != first
    keys.press("Tab")
    keys.press("End")
    assert page.locator("#story").inner_text().startswith("Update")
    keys.press("Tab")
    keys.press("ArrowDown")
    assert page.locator("#colour").input_value() == "value"
    keys.press("Tab")
    keys.press("ArrowDown")
    assert page.locator("#scale").input_value() == "log"
    focus = "document.activeElement.getAttribute('aria-label') || document.activeElement.id"
    keys.press("Tab")
    assert page.evaluate(focus) == "link"
    keys.press("Tab")
    if page.evaluate(focus) == "drawing":  # what scrolls may have a stop of its own
        keys.press("Tab")
    assert page.evaluate(focus).startswith("inputs ")
    keys.press("ArrowRight")
    keys.press("ArrowDown")
    keys.press("Enter")
    unit = of_interest(e, 1)[1]
    assert f"unit {unit}," in page.locator("#detail h3").inner_text()
    assert page.evaluate(focus).startswith(f"ReLU {unit}")  # the focus stays
    for _ in range(6):  # over the strips to the first weight's button
        keys.press("Tab")
        if page.evaluate(focus).startswith("ReLU, 128 units"):
            keys.press("ArrowRight")
            assert f"unit {unit + 1}," in page.locator("#detail h3").inner_text()
            keys.press("ArrowLeft")
        if page.evaluate(focus).startswith("weight from input"):
            break
    keys.press("Enter")
    assert page.locator("#detail h3").inner_text().endswith(f"to unit {unit}")
    assert page.evaluate(focus) == "back"
    keys.press("Enter")
    assert f"unit {unit}," in page.locator("#detail h3").inner_text()


def test_a_click_looks_at_a_unit_or_the_nearest_line(explained: Any, opened: Any) -> None:
    e, address = explained
    page = opened(address)
    page.locator(".unit").nth(16 + 4).click()
    assert f"unit {of_interest(e, 1)[4]}," in page.locator("#detail h3").inner_text()
    i, j = of_interest(e, 0)[0], of_interest(e, 1)[0]
    ends = [page.locator(".unit").nth(place).bounding_box() for place in (0, 16)]
    x = (ends[0]["x"] + ends[1]["x"]) / 2 + ends[0]["width"] / 2
    page.mouse.click(x, ends[0]["y"] + ends[0]["height"] / 2)  # the topmost line is flat
    title = page.locator("#detail h3").inner_text()
    assert title == f"Layer_Dense 1: weight from input {i} to unit {j}"
    box = page.locator(".strip canvas").nth(1).bounding_box()
    page.mouse.click(box["x"] + box["width"] * 100.5 / 128, box["y"] + 5)
    assert "unit 100," in page.locator("#detail h3").inner_text()


def test_the_link_leads_to_the_same_view(explained: Any, opened: Any) -> None:
    _, address = explained
    page = opened(address)
    page.select_option("#sample", "3")
    page.select_option("#scale", "log")
    page.select_option("#colour", "gradient")
    page.locator("#stage").fill("6")
    page.locator(".unit").nth(35).click()
    view = ("#sample option:checked", "#story", "#detail", "#legend", "#drawing")
    seen = [page.locator(each).first.inner_text() for each in view]
    link = page.get_attribute("#link", "href")
    other = opened(address + link)
    assert [other.locator(each).first.inner_text() for each in view] == seen
    page.wait_for_function("(link) => location.hash === link", arg=link)
    nonsense = opened(address + "#sample=-1&stage=99&colour=x&scale=&unit=9.9&weight=1.x.<b>")
    start = opened(address)
    assert nonsense.locator("#detail").inner_text() == start.locator("#detail").inner_text()
    assert nonsense.locator("#story").inner_text() == start.locator("#story").inner_text()


def test_names_do_nothing(tmp_path: Path, opened: Any) -> None:
    evil = type(EVIL, (cr.Layer_Dense,), {})
    model = net_of(evil(3, 4, rng=0), cr.Activation_ReLU(), cr.Layer_Dense(4, 1, rng=1))
    X = np.random.default_rng(0).standard_normal((6, 3))
    model.explain(X, X[:, :1]).save_html(tmp_path / "page.html")
    address = (tmp_path / "page.html").as_uri()
    page = opened(address + "#unit=1.2")
    assert page.locator("img").count() == 0
    assert "<img src=x onerror" in page.locator("#detail").inner_text()
    go_to(page, address, "weight=1.0.0")
    assert "<img src=x onerror" in page.locator("#detail").inner_text()
    assert page.locator("img").count() == 0


def test_without_javascript_the_tables_remain(explained: Any, opened: Any) -> None:
    e, address = explained
    page = opened(address, java_script_enabled=False)
    assert page.locator("#view").is_hidden()
    for row, tr in zip(e.rows, page.locator("table tr").all()[1:], strict=True):
        assert tr.is_visible()
        assert tuple(tr.locator("td").all_inner_texts()) == row.cells()
    assert page.locator("noscript p").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: Any, explained: Any, opened: Any) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="no axe-core-python").Axe()
    e, address = explained
    for view in (f"#unit=1.{of_interest(e, 1)[0]}", "#weight=3.0.0&stage=9"):
        page = opened(address + view, color_scheme=scheme, viewport={"width": 400, "height": 800})
        found = axe.run(page)["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
