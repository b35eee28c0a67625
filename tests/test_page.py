"""save_html, show and `chainrule explain`: what stands in the file, and what never does."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import cli
from chainrule.seeing.page_data import MOST_DRAWN, packed
from pages import EVIL, Page, digits_net, net_of, page_of, unpacked
from plan_cases import CHOICES, WAYS, Case, covering, few_of_all, going, make_data, make_model
from tolerance import gamma

SVG = "http://www.w3.org/2000/svg"  # a name, which nobody fetches


@pytest.fixture(scope="module")
def digits() -> tuple[cr.Model, Any, Any]:
    return digits_net()


def small(dtype: Any = np.float32) -> tuple[cr.Model, Any, Any]:
    rng = np.random.default_rng(2)
    model = net_of(
        cr.Layer_Dense(3, 5, rng=0, dtype=dtype, weight_regularizer_l2=0.1),
        cr.Activation_Tanh(),
        cr.Layer_Dense(5, 2, rng=1, dtype=dtype),
        optimizer=cr.Optimizer_Adam(0.01),
    )
    return model, rng.standard_normal((7, 3)), rng.standard_normal((7, 2))


# --- one file that asks for nothing ---------------------------------------------------------------


def test_nothing_is_requested_from_anywhere(digits: Any, tmp_path: Path) -> None:
    model, X, y = digits
    page = page_of(model.explain(X[:16], y[:16]), tmp_path)
    for tag, attributes in page.tags:
        assert tag not in {"img", "iframe", "object", "embed", "base", "form", "audio", "video"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "action", "data", "srcset"):
                assert value in ("#", "data:,"), (tag, name, value)
    assert "url(" not in page.style and "@import" not in page.style
    code = page.scripts["script"].replace(SVG, "")
    assert not re.search(r"https?:|//[a-z]|fetch|XMLHttp|WebSocket|import\(|eval|innerHTML", code)


def test_the_policy_allows_the_pages_own_script_alone(digits: Any, tmp_path: Path) -> None:
    model, X, y = digits
    page = page_of(model.explain(X[:16], y[:16]), tmp_path)
    digest = hashlib.sha256(page.scripts["script"].encode()).digest()
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy().split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert sum(tag == "script" for tag, _ in page.tags) == 2  # it, and its data


def test_names_stay_text(tmp_path: Path) -> None:
    evil_dense = type(EVIL, (cr.Layer_Dense,), {})
    evil_activation = type(
        EVIL,
        (),
        {
            "forward": lambda self, inputs, training=False: np.array(inputs),
            "backward": lambda self, dvalues: np.array(dvalues),
        },
    )
    model = net_of(evil_dense(3, 4, rng=0), evil_activation(), cr.Layer_Dense(4, 1, rng=1))
    X = np.random.default_rng(0).standard_normal((6, 3))
    page = page_of(model.explain(X, X[:, :1]), tmp_path)
    assert not any(tag in ("img", "!--") for tag, _ in page.tags)
    assert page.text.count("</script>") == 2 and "<!--" not in page.text
    names = [layer["name"] for column in page.data["columns"] for layer in column["layers"]]
    assert any("<img src=x onerror" in name for name in names)
    assert any("<img src=x onerror" in cell for row in page.rows for cell in row)


def test_without_a_script_the_tables_are_there(digits: Any, tmp_path: Path) -> None:
    model, X, y = digits
    e = model.explain(X[:16], y[:16])
    page = page_of(e, tmp_path)
    assert [tuple(row) for row in page.rows[1:]] == [row.cells() for row in e.rows]
    assert e.title() in page.words
    for note in e.notes():
        assert note in page.words
    hidden = [attributes for tag, attributes in page.tags if "hidden" in attributes]
    assert [each["id"] for each in hidden] == ["view"]  # the script shows it
    assert any(tag == "noscript" for tag, _ in page.tags)


def test_findings_stand_on_the_page(tmp_path: Path) -> None:
    model = cr.mlp(4, *[8] * 9, 3, activation="sigmoid", output="softmax", seed=0)
    X = np.random.default_rng(0).standard_normal((30, 4))
    e = model.explain(X, np.arange(30) % 3)
    assert e.findings
    page = page_of(e, tmp_path)
    for each in e.findings:
        assert f"{each.text} ({each.link})" in page.entries


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_net_of_the_demo_with_16_samples_takes_150_kb(dtype: Any, tmp_path: Path) -> None:
    model, X, y = digits_net(dtype)
    page = page_of(model.explain(X[:16], y[:16]), tmp_path)
    assert len(page.text.encode()) <= 150_000
    assert len(page.data["samples"]) == 16
    assert [len(column["kept"]) for column in page.data["columns"]] == [64, 128, 64, 10]


@pytest.mark.parametrize(
    "sizes", [(1500, 1200, 1100, 1000), (3, *[40] * 60, 2), (300, *[300] * 12, 5), (2, 3000, 1)]
)
def test_no_net_takes_more_than_500_kb(sizes: tuple[int, ...], tmp_path: Path) -> None:
    model = cr.mlp(*sizes, seed=0, dtype=np.float64)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, sizes[0])), rng.standard_normal((100, sizes[-1]))
    page = page_of(model.explain(X, y), tmp_path)
    assert len(page.text.encode()) <= 500_000
    data, said = page.data, " ".join(page.data["notes"])
    assert set(data["notes"]) <= set(page.entries)
    assert (f"{len(data['samples'])} of 100 samples" in said) == (len(data["samples"]) < 100)
    assert (f"{len(data['columns'])} of {len(sizes)} columns" in said) == (
        len(data["columns"]) < len(sizes)
    )
    drawn = [len(column["drawn"]) for column in data["columns"]]
    assert drawn == [min(column["size"], MOST_DRAWN) for column in data["columns"]]
    left_out = any(len(column["kept"]) < column["size"] for column in data["columns"])
    assert ("units are in the strips" in said) == left_out
    assert all(set(column["drawn"]) <= set(column["kept"]) for column in data["columns"])


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_data_has_the_bits_of_the_explanation(dtype: Any, tmp_path: Path) -> None:
    model, X, y = small(dtype)
    e = model.explain(X, y)
    data = page_of(e, tmp_path).data
    samples = data["samples"]
    inputs, hidden, last = data["columns"]
    np.testing.assert_array_equal(unpacked(inputs["layers"][0]["output"]).reshape(7, 3),
                                  e[0].inputs[samples])  # fmt: skip
    np.testing.assert_array_equal(
        unpacked(inputs["layers"][0]["dvalues"]).reshape(7, 3), e[0].dinputs[samples]
    )
    for column, layers in ((hidden, (0, 1)), (last, (2,))):
        for shown, k in zip(column["layers"], layers, strict=True):
            for name in ("output", "dvalues"):
                array = unpacked(shown[name])
                assert array.dtype == dtype
                expected = getattr(e[k], name)[samples]
                np.testing.assert_array_equal(array.reshape(expected.shape), expected)
        for name in ("weights", "dweights", "step_weights", "weights_after"):
            expected = getattr(e[layers[0]], name)
            found = unpacked(column["edges"][name]).reshape(expected.shape)
            np.testing.assert_array_equal(found, expected)
        for name in ("biases", "dbiases", "step_biases", "biases_after"):
            expected = getattr(e[layers[0]], name).ravel()
            np.testing.assert_array_equal(unpacked(column["biases"][name]), expected)
        assert "sums" not in column["edges"]  # all samples are there
    assert [column["edges"]["penalised"] for column in (hidden, last)] == [True, False]
    assert unpacked(data["loss"])[0] == e.loss and unpacked(data["lossAfter"])[0] == e.loss_after
    assert data["notes"] == []


def test_the_drawn_units_matter_most_and_keep_their_numbers(digits: Any, tmp_path: Path) -> None:
    model, X, y = digits
    e = model.explain(X[:100], y[:100])
    data = page_of(e, tmp_path).data
    hidden = data["columns"][1]
    sizes = np.abs(e[1].output.astype(np.float64) * e[0].dvalues).mean(axis=0)
    others = np.setdiff1d(np.arange(128), hidden["drawn"])
    assert len(hidden["drawn"]) == MOST_DRAWN and hidden["drawn"] == sorted(hidden["drawn"])
    assert sizes[hidden["drawn"]].min() >= sizes[others].max()
    place = np.ix_(data["columns"][0]["drawn"], hidden["drawn"])
    np.testing.assert_array_equal(
        unpacked(hidden["edges"]["weights"]).reshape(16, 16), e[0].weights[place]
    )
    # the sums go over all samples, of which 64 are there
    expected = e[0].inputs.T.astype(np.float64) @ e[0].dvalues.astype(np.float64)
    bound = gamma(100, np.float64) * (np.abs(e[0].inputs).T.astype(float) @ np.abs(e[0].dvalues))
    found = unpacked(hidden["edges"]["sums"]).reshape(16, 16)
    assert (np.abs(found - expected[place]) <= 2 * bound[place]).all()
    assert set(hidden["dead"]) == set(e[1].dead.tolist())


def test_samples_come_by_their_loss_the_largest_first(digits: Any, tmp_path: Path) -> None:
    model, X, y = digits
    e = model.explain(X, y)
    data = page_of(e, tmp_path).data
    losses = -np.log(e[5].output.astype(np.float64)[np.arange(len(y)), y])
    found = unpacked(data["losses"])
    assert (np.diff(found) <= 0).all()
    np.testing.assert_allclose(found, losses[data["samples"]], rtol=1e-4)
    assert losses[data["samples"][0]] >= losses.max() * (1 - 1e-4)
    assert data["labels"] == y[data["samples"]].tolist()


def test_float64_stays_where_the_page_is_small_and_is_told_elsewhere(tmp_path: Path) -> None:
    model, X, y = digits_net(np.float64)
    e = model.explain(X, y)
    data = page_of(e, tmp_path).data
    assert "Numbers are kept as float32." in data["notes"]
    output = unpacked(data["columns"][1]["layers"][1]["output"])
    assert output.dtype == np.float32
    expected = e[1].output[data["samples"]].astype(np.float32).ravel()
    np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("value", [1e300, 1e-300, 1e-42])
def test_what_float32_cannot_hold_stays_float64(value: float) -> None:
    array = np.array([1.0, value, np.inf, np.nan])
    np.testing.assert_array_equal(unpacked(packed(array, exact=False)), array)


# --- nets of other kinds --------------------------------------------------------------------------


class Images:
    """(n, 4) to (n, 2, 2): no units."""

    def forward(self, inputs: Any, training: bool = False) -> Any:
        return np.reshape(inputs, (-1, 2, 2))

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = np.reshape(dvalues, (-1, 4))
        return self.dinputs


class Flat:
    """(n, 2, 2) to (n, 4)."""

    def forward(self, inputs: Any, training: bool = False) -> Any:
        return np.reshape(inputs, (-1, 4))

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = np.reshape(dvalues, (-1, 2, 2))
        return self.dinputs


def test_layers_without_units_are_in_the_table_only(tmp_path: Path) -> None:
    model = net_of(cr.Layer_Dense(3, 4, rng=0), Images(), Flat(), cr.Layer_Dense(4, 1, rng=1))
    X = np.random.default_rng(0).standard_normal((6, 3))
    page = page_of(model.explain(X, X[:, :1]), tmp_path)
    assert len(page.rows) == 5
    columns = page.data["columns"]
    names = [[layer["name"] for layer in column["layers"]] for column in columns]
    assert names == [["inputs"], ["Layer_Dense 1"], ["Flat 3"], ["Layer_Dense 4"]]
    assert ["edges" in column for column in columns] == [False, True, False, True]
    assert "Layers whose output is not (n, m) are in the table only." in page.data["notes"]


def test_frozen_layers_dropout_scale_and_no_optimizer(tmp_path: Path) -> None:
    frozen = cr.Layer_Dense(3, 4, rng=0)
    frozen.trainable = False
    layers = [cr.Layer_Scale(3), frozen, cr.Activation_ReLU(), cr.Layer_Dropout(0.5, rng=0)]
    model = cr.Model()
    for layer in [*layers, cr.Layer_Dense(4, 1, rng=1, bias=False)]:
        model.add(layer)
    model.set(loss=cr.Loss_MeanSquaredError())
    X = np.random.default_rng(0).standard_normal((6, 3))
    data = page_of(model.explain(X, X[:, :1]), tmp_path).data
    names = [[layer["name"] for layer in column["layers"]] for column in data["columns"]]
    hidden = ["Layer_Dense 2", "Activation_ReLU 3", "Layer_Dropout 4"]
    assert names == [["Layer_Scale 1"], hidden, ["Layer_Dense 5"]]
    _, frozen_column, last = data["columns"]
    assert {"weights", "dweights", "step_weights"} & set(frozen_column["edges"]) == {"weights"}
    assert last["biases"] == {} and "step_weights" not in last["edges"]
    assert np.isnan(unpacked(data["lossAfter"])[0])


# --- files, the browser, the command --------------------------------------------------------------


def test_a_page_that_cannot_be_written_leaves_what_is_there(tmp_path: Path) -> None:
    model, X, y = small()
    e = model.explain(X, y)
    with pytest.raises(OSError):
        e.save_html(tmp_path / "no folder" / "page.html")
    with pytest.raises(TypeError):
        e.save_html(3.5)  # type: ignore[arg-type]
    (tmp_path / "page.html").write_text("old")
    e.save_html(str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("opens", [True, False])
def test_show_opens_the_page_or_says_where_it_is(
    opens: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or opens)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model, X, y = small()
    path = model.explain(X, y).show()
    assert opened == [Path(path).as_uri()] and Path(path).is_relative_to(tmp_path)
    Page(Path(path).read_text(encoding="utf-8"))
    assert (path in capsys.readouterr().out) == (not opens)


def test_the_command_makes_the_page_of_the_file(tmp_path: Path, capsys: Any) -> None:
    model, X, y = small()
    model.train(X, y, epochs=3)
    weights = np.arange(7.0)
    model.save(tmp_path / "model.safetensors")
    np.savez(tmp_path / "data.npz", X=X, y=y, sample_weight=weights)
    page = tmp_path / "page.html"
    files = [str(tmp_path / name) for name in ("model.safetensors", "data.npz")]
    assert cli.main(["explain", *files, "-o", str(page)]) == 0
    e = model.explain(X, y, sample_weight=weights)
    assert capsys.readouterr().out == f"{e}\npage: {page}\n"
    e.save_html(tmp_path / "other.html")
    assert page.read_bytes() == (tmp_path / "other.html").read_bytes()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((2, 3))}, "arrays X and y, and sample_weight if any, got X"),
        ({"X": np.zeros((2, 3)), "y": np.zeros((2, 2)), "z": np.zeros(2)}, "got X, y, z"),
        ({"X": np.zeros((2, 4)), "y": np.zeros((2, 2))}, "expected"),
        ({"X": np.array([None]), "y": np.zeros(1)}, "pickle"),
    ],
)
def test_data_that_does_not_fit_ends_in_one_sentence_and_code_2(
    arrays: Any, message: str, tmp_path: Path, capsys: Any
) -> None:
    model, _, _ = small()
    model.save(tmp_path / "m.safetensors")
    np.savez(tmp_path / "data.npz", **arrays)
    page = tmp_path / "page.html"
    words = ["explain", str(tmp_path / "m.safetensors"), str(tmp_path / "data.npz"), "-o"]
    assert cli.main([*words, str(page)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("chainrule: ") and error.count("\n") == 1 and message in error
    assert not page.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"text"])
def test_a_file_that_is_no_npz_ends_in_one_sentence_and_code_2(
    content: bytes, tmp_path: Path, capsys: Any
) -> None:
    model, _, _ = small()
    model.save(tmp_path / "m.safetensors")
    (tmp_path / "data.npz").write_bytes(content)
    words = ["explain", str(tmp_path / "m.safetensors"), str(tmp_path / "data.npz")]
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("chainrule: ") and error.count("\n") == 1
    assert "expected a file of np.savez" in error


def test_a_lone_array_and_a_missing_file(tmp_path: Path, capsys: Any) -> None:
    model, X, _ = small()
    model.save(tmp_path / "m.safetensors")
    np.save(tmp_path / "data.npy", X)
    for name, message in (("data.npy", "got one of another kind"), ("none.npz", "No such file")):
        words = ["explain", str(tmp_path / "m.safetensors"), str(tmp_path / name)]
        assert cli.main(words) == 2
        assert message in capsys.readouterr().err


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e200, 1e307])
def test_gradients_that_overflow_have_a_page_too(size: float, tmp_path: Path) -> None:
    model = net_of(
        cr.Layer_Dense(2, 2, rng=0, dtype=np.float64), cr.Layer_Dense(2, 1, rng=1, dtype=np.float64)
    )
    X = size * np.array([[1.0, -1.0], [1.0, 1.0]])
    e = model.explain(X, np.array([[1.0], [2.0]]))
    data = page_of(e, tmp_path).data
    np.testing.assert_array_equal(
        unpacked(data["columns"][1]["edges"]["dweights"]).reshape(2, 2), e[0].dweights
    )
    assert not np.isfinite(unpacked(data["loss"])[0])


CASES = few_of_all(sizes=(4, 7, 5, 3)) + [
    Case(**row, sizes=(3, 19, 4)) for row in covering(CHOICES)
]


@pytest.mark.parametrize("place", range(8))
def test_every_kind_of_net_has_a_page(place: int, tmp_path: Path) -> None:
    """Activations, losses, optimizers, dropout, penalties, weights of samples, both ways."""
    for number, case in enumerate(CASES[place::8]):
        model = make_model(case)
        X, y = make_data(case, 9)
        weight = np.random.default_rng(number).random(9) if number % 3 == 0 else None
        with going(WAYS[number % len(WAYS)]):
            e = model.explain(X, y, sample_weight=weight)
        data = page_of(e, tmp_path).data
        losses = unpacked(data["losses"])
        assert len(losses) == 9 and sorted(data["samples"]) == list(range(9))
        order = data["samples"]
        if "labels" in data:
            assert data["labels"] == y[order].tolist()
        else:
            np.testing.assert_array_equal(unpacked(data["targets"]), np.ravel(y[order]))
        for column in data["columns"]:
            for layer in column["layers"]:
                assert len(unpacked(layer["output"])) == 9 * column["size"]
        shown = [layer["name"] for column in data["columns"] for layer in column["layers"]]
        assert shown[shown[0] == "inputs" :] == [row.layer for row in e.rows]
