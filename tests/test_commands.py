"""The commands train, predict and evaluate: tables as they come, reports, errors."""

from __future__ import annotations

import argparse
import gzip
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score

from chainrule import cli
from chainrule.commands import COMMANDS, scores
from chainrule.commands.columns import as_known, nearest
from chainrule.commands.dialect import dialect_of
from chainrule.commands.report import number
from chainrule.commands.scores import outcome_of
from chainrule.commands.table_files import read_table
from chainrule.sklearn import MLPRegressor, TabularClassifier, TabularRegressor, load_estimator
from chainrule.sklearn.tabular.member import Epochs

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--epochs", "4")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> Run:
    """Call the command in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


def iris() -> Any:
    """Flowers: numbers, a column of words, one of truth values, missing cells."""
    found = load_iris(as_frame=True)
    frame = found.frame
    frame.columns = ["sepal length", "sepal width", "petal length", "petal width", "kind"]
    frame["kind"] = found.target_names[frame["kind"]]
    rng = np.random.default_rng(0)
    frame["garden"] = np.where(rng.random(150) < 0.5, "north, wall", 'the "old" one')
    frame["wild"] = rng.random(150) < 0.3
    frame.loc[::7, "petal width"] = None
    frame.loc[::11, "garden"] = None
    return frame


def diabetes() -> Any:
    frame = load_diabetes(as_frame=True, scaled=False).frame
    return frame[["age", "sex", "bmi", "s5", "target"]]


def read(path: Path, **given: Any) -> Any:
    options = {"delimiter": None, "decimal": None, "encoding": None, **given}
    return read_table(path, argparse.Namespace(**options))[0]


# Reading


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_csv_is_read_however_it_is_written(
    sep: str, decimal: str, encoding: str, tmp_path: Path
) -> None:
    frame = iris()
    frame["Größe"] = frame["sepal length"] * 1000
    path = tmp_path / "data.csv"
    frame.to_csv(path, sep=sep, decimal=decimal, index=False, encoding=encoding)
    found = read(path)
    assert list(found.columns) == list(frame.columns)
    for name in frame.columns:
        assert found[name].isna().tolist() == frame[name].isna().tolist()
        assert found[name].dropna().tolist() == frame[name].dropna().tolist()
    dialect = dialect_of(path)
    assert (dialect.delimiter, dialect.decimal) == (sep, decimal)


def test_groups_of_digits_packed_files_and_missing_marks(tmp_path: Path) -> None:
    path = tmp_path / "data.csv.gz"
    text = "a;b; c\n1.234,5;?;x\n7,25; 3 ;\n12.345.678,9;NA;z\n"
    path.write_bytes(gzip.compress(text.encode()))
    found = read(path)
    assert found["a"].tolist() == [1234.5, 7.25, 12345678.9]
    assert found["b"].isna().tolist() == [True, False, True] and found["b"][1] == 3
    assert found["c"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "delimiter", "decimal"),
    [
        ("a\n1.5\n2.5\n", ",", "."),
        ("a;b\n1,5;x\n", ";", ","),
        ("a;b\n1,5;2.5\n2,5;2.5\n", ";", "."),  # as many of each: the point
        ("a;b;c\n1,5;2,25;2.5\n", ";", ","),
        ('a,b\n"1,5",x\n"2,5",y\n', ",", ","),
        ('name,b\n"one; two; three",1\n"four; five; six",2\n', ",", "."),
        ("a b,c\n1 2,3\n", ",", "."),
        ("when;b\n1.2.2020;3\n", ";", "."),
    ],
)
def test_marks_are_found_out(text: str, delimiter: str, decimal: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(text)
    found = dialect_of(tmp_path / "x.csv")
    assert (found.delimiter, found.decimal) == (delimiter, decimal)


def test_what_is_given_is_not_found_out(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("k;größe\n1,5;2\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"expected utf-8, got the byte 0xf6.*--encoding latin-1"):
        dialect_of(tmp_path / "x.csv")
    found = read(tmp_path / "x.csv", encoding="latin-1", decimal=".")
    assert found["k"].tolist() == ["1,5"] and list(found.columns) == ["k", "größe"]
    with pytest.raises(ValueError, match=r"expected as many cells .* got more \(read as CSV, comm"):
        read(tmp_path / "x.csv", encoding="latin-1", delimiter=",")
    with pytest.raises(ValueError, match="--encoding: expected one that Python knows"):
        dialect_of(tmp_path / "x.csv", "utf-9")
    with pytest.raises(ValueError, match="--delimiter: expected one character, or tab, got ';;'"):
        read(tmp_path / "x.csv", delimiter=";;")


def test_words_are_known_by_their_text() -> None:
    cells = pd.Series(["1", "x", None, "True"], dtype=object)
    assert as_known(cells, [1, True, "y"]).tolist() == [1, "x", None, True]
    assert as_known(pd.Series([1.0, 2.0, np.nan]), ["1", "02"]).tolist()[:2] == ["1", 2.0]
    assert as_known(pd.Series([True, False]), ["true", "no"]).tolist() == ["true", False]


# From a table to a model and back


def test_a_column_that_names_its_rows_is_told_once(run: Run) -> None:
    frame = iris()
    frame["plant"] = [f"p{row}" for row in range(len(frame))]
    frame.to_csv("data.csv", index=False)
    code, out, _ = run("train", "data.csv", "-t", "kind", *QUICK)
    notes = [line for line in out.splitlines() if line.startswith("note") and "'plant'" in line]
    assert code == 0 and len(notes) == 1
    assert "150 different texts in 150 rows" in notes[0] and "--drop plant" in notes[0]


def test_a_trained_file_predicts_and_is_evaluated(run: Run, tmp_path: Path) -> None:
    frame = iris()
    frame.to_csv("data.csv", index=False)
    code, out, err = run("train", "data.csv", "--target", "kind", "-o", "net", "--epochs", "30")
    assert (code, err) == (0, "")
    for word in ("150 rows, 7 columns (CSV, comma)", "3 classes", "4 of numbers, 2 of words",
                 "36 missing cells", "saved     net", "30 rows that the net has not seen",
                 "Confusion", "Learning curve", "best epoch", "Permutation import"):  # fmt: skip
        assert word in out
    net = load_estimator(tmp_path / "net")
    assert type(net) is TabularClassifier and net.epochs == 30 and net.random_state == 0
    # in another order, with columns that the net does not know
    frame[["note"]] = "x"
    frame[frame.columns[::-1]].to_csv("new.csv", sep=";", decimal=",", index=False)
    code, out, _ = run("predict", "net", "new.csv", "-o", "out.csv")
    assert (code, out) == (0, "")
    table = pd.read_csv("out.csv", sep=";", decimal=",")
    assert run("predict", "net", "new.csv", "-o", "out.csv.gz") == (0, "", "")
    assert pd.read_csv("out.csv.gz", sep=";", decimal=",").equals(table)
    code, _, err = run("predict", "net", "new.csv", "-o", "out.xlsx")
    assert code == 2 and "out.xlsx: expected a name that ends in .csv" in err
    features = frame[list(net.feature_names_in_)]
    shares = net.predict_proba(features)
    assert table["prediction"].tolist() == net.predict(features).tolist()
    assert list(table.columns[1:]) == [f"probability_{each}" for each in net.classes_]
    assert np.array_equal(table.iloc[:, 1:].to_numpy(), shares)  # all digits are written
    code, out, _ = run("evaluate", "net", "data.csv", "--target", "kind")
    accuracy = accuracy_score(frame["kind"], net.predict(features))
    loss = log_loss(frame["kind"], shares)
    assert code == 0 and "Scores on 150 rows of data.csv" in out
    assert f"accuracy{number(accuracy):>26}" in out and f"log loss{number(loss):>26}" in out


def test_values_in_a_file_with_semicolons(run: Run, tmp_path: Path) -> None:
    frame = diabetes()
    frame.to_csv("data.csv", sep=";", decimal=",", index=False)
    code, out, err = run(
        "train", "data.csv", "-t", "target", "--categorical", "sex", "--seed", "3", *QUICK,
        "--ensemble", "2", "--validation-fraction", "0.3", "--threads", "1",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "decimal comma" in out and "values from 25 to 346" in out and "Residuals" in out
    assert "3 of numbers, 1 of words" in out and "member 2 of 2" in out
    net = load_estimator(tmp_path / "model.safetensors")
    assert type(net) is TabularRegressor and net.ensemble == 2 and net.random_state == 3
    assert net._reader.levels == [["1,0", "2,0"]]  # names of kinds stay as they are written
    code, out, _ = run("predict", "model.safetensors", "data.csv", "--std", "--append")
    lines = out.splitlines()
    assert lines[0] == "age;sex;bmi;s5;target;prediction;std_prediction" and len(lines) == 443
    predicted = [float(line.split(";")[5].replace(",", ".")) for line in lines[1:]]
    X = frame.drop(columns="target")
    X["sex"] = X["sex"].map({1.0: "1,0", 2.0: "2,0"})
    assert np.array_equal(predicted, net.predict(X))
    code, out, _ = run("evaluate", "model.safetensors", "data.csv", "-t", "target")
    r2 = r2_score(frame["target"], predicted)
    error = mean_squared_error(frame["target"], predicted) ** 0.5
    assert f"R2{number(r2):>32}" in out and f"RMSE{number(error):>30}" in out


def test_a_seed_gives_a_file_whatever_the_threads(run: Run, tmp_path: Path) -> None:
    iris().to_csv("data.csv", index=False)
    for name, more in (("a", ("1",)), ("b", ("2",)), ("c", ("2", "--seed", "5"))):
        assert run("train", "data.csv", "-t", "kind", "-q", "-o", name, *QUICK, "--ensemble", "2",
                   "--threads", *more) == (0, "", "")  # fmt: skip
    nets = [load_estimator(tmp_path / name) for name in "abc"]
    one, other, third = (net.predict_proba(iris()[net.feature_names_in_]) for net in nets)
    assert one.tobytes() == other.tobytes() and one.tobytes() != third.tobytes()


def test_quantiles_weights_and_all_rows(run: Run, tmp_path: Path) -> None:
    frame = diabetes()
    frame["w"] = np.arange(len(frame)) % 3
    frame.loc[:9, "target"] = None
    frame.to_csv("data.csv", index=False)
    code, out, _ = run("train", "data.csv", "-t", "target", "--quantiles", "0.1,0.5,0.9", *QUICK,
                       "--sample-weight", "w", "--drop", "age,bmi", "--test-fraction", "0",
                       "--task", "regress")  # fmt: skip
    assert code == 0 and "10 rows without a target" in out and "432 rows" in out
    assert "which chose the epochs" in out and "below the 0.9 quantile" in out
    net = load_estimator(tmp_path / "model.safetensors")
    assert list(net.feature_names_in_) == ["sex", "s5"]
    code, out, _ = run("predict", "model.safetensors", "data.csv")
    assert out.splitlines()[0] == "quantile_0.1,quantile_0.5,quantile_0.9"
    code, out, _ = run("evaluate", "model.safetensors", "data.csv", "-t", "target",
                       "--sample-weight", "w")  # fmt: skip
    assert code == 0 and "10 rows without a target" in out and "pinball loss" in out


def test_options_of_the_net_reach_it(run: Run, tmp_path: Path) -> None:
    iris().to_csv("data.csv", index=False)
    code, _, _ = run(
        "train", "data.csv", "-t", "kind", "--metric", "accuracy", "--balanced", "--calibrate",
        "--preset", "small", "--test-fraction", "0", *QUICK,
    )  # fmt: skip
    net = load_estimator(tmp_path / "model.safetensors")
    assert code == 0 and net.metric == "accuracy" and net.class_weight == "balanced"
    assert net.calibration == "temperature" and net.temperature_ != 1


@pytest.mark.parametrize(
    ("values", "task", "kind"),
    [
        (["no", "yes"], "auto", str),
        ([True, False], "auto", bool),
        ([0, 1, 2], "auto", int),
        ([0.0, 1.0], "auto", int),
        ([0.5, 1.5], "auto", None),
        (list(range(40)), "auto", None),
        (list(range(40)), "classify", int),
        ([0, 1], "regress", None),
    ],
)
def test_classes_are_told_from_values(
    values: list[Any], task: str, kind: Any, run: Run, tmp_path: Path
) -> None:
    n = 3 * len(values) + 20
    target = [values[k % len(values)] for k in range(n)]
    pd.DataFrame({"x": np.arange(n) / 7, "y": target}).to_csv("data.csv", index=False)
    code, _, err = run("train", "data.csv", "-t", "y", "--task", task, *QUICK)
    assert code == 0, err
    net = load_estimator(tmp_path / "model.safetensors")
    assert isinstance(net, TabularRegressor if kind is None else TabularClassifier)
    if kind is not None:
        assert type(net.classes_.tolist()[0]) is kind
        assert sorted(values) == net.classes_.tolist()
    code, _, err = run("evaluate", "model.safetensors", "data.csv", "-t", "y")
    assert code == 0, err


@pytest.mark.parametrize("seed", range(4))
def test_classes_of_one_row_are_trained_on_whatever_is_held_back(
    seed: int, run: Run, tmp_path: Path
) -> None:
    """In the middle of the classes and at their end: a class unknown to the net has no place."""
    rare = {f"m{k}" for k in range(4)} | {f"z{k}" for k in range(4)}
    kinds = [*["a", "p"] * 40, *sorted(rare)]
    pd.DataFrame({"x": np.arange(88) % 13 / 7, "y": kinds}).to_csv("data.csv", index=False)
    code, _, err = run("train", "data.csv", "-t", "y", "--seed", str(seed), *QUICK)
    assert code == 0, err
    net = load_estimator(tmp_path / "model.safetensors")
    assert set(net.classes_) == rare | {"a", "p"}
    code, _, err = run("evaluate", "model.safetensors", "data.csv", "-t", "y")
    assert code == 0, err


def test_a_target_whose_rows_all_differ_holds_no_classes(run: Run) -> None:
    names = [f"row {k}" for k in range(30)]
    pd.DataFrame({"x": np.arange(30.0), "y": names}).to_csv("data.csv", index=False)
    code, _, err = run("train", "data.csv", "-t", "y", *QUICK)
    assert code == 2 and "expected classes of several rows, got 30 classes in 30 rows" in err


def test_scores_of_labels_that_a_net_does_not_know_are_refused() -> None:
    net = TabularClassifier(epochs=1, preset="small").fit([[0.0], [1.0]] * 9, ["a", "c"] * 9)
    with pytest.raises(ValueError, match="expected classes of the model, got 'b'"):
        outcome_of(net, np.array([[0.5], [0.2]]), np.array(["a", "b"]), None, np.array([0.5, 0.5]))


def test_parquet_has_the_types_of_its_columns(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = iris().astype({"garden": "category"})
    frame["zone"] = np.arange(150) % 4
    frame.to_parquet("data.parquet")
    code, out, err = run("train", "data.parquet", "-t", "kind", "--categorical", "zone", *QUICK)
    assert code == 0 and "(Parquet)" in out and "4 of numbers, 3 of words" in out, err
    net = load_estimator(tmp_path / "model.safetensors")
    assert net._reader.levels[-1] == [0, 1, 2, 3]
    frame.to_csv("data.csv", index=False)  # the same columns, as texts
    for name in ("data.parquet", "data.csv"):
        assert run("predict", "model.safetensors", name, "-o", f"{name}.parquet")[0] == 0
    one, two = (pd.read_parquet(f"{name}.parquet") for name in ("data.parquet", "data.csv"))
    assert one.equals(two)
    days = pd.Series([pd.Timestamp("2020-01-01").date()] * 150, dtype=object)
    for odd in (pd.date_range("2020", periods=150), days, pd.Series([[1, 2]] * 150)):
        frame.assign(odd=odd).to_parquet("odd.parquet")
        code, _, err = run("train", "odd.parquet", "-t", "kind", *QUICK)
        assert code == 2 and "column 'odd': expected numbers, texts or truth" in err, err
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + bytes(100))
    code, _, err = run("train", "bad.parquet", "-t", "kind")
    assert code == 2 and "bad.parquet: expected a Parquet file" in err and err.count("\n") == 1


def test_models_of_arrays_and_of_perceptrons_predict(run: Run, tmp_path: Path) -> None:
    frame = diabetes()
    X, y = frame.drop(columns="target"), frame["target"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=0)
        net.fit(X.to_numpy(), y).save("net")
    X.to_csv("x.csv", index=False)
    code, out, _ = run("predict", "net", "x.csv")
    found = [float(line) for line in out.splitlines()[1:]]
    assert code == 0 and np.array_equal(found, net.predict(X.to_numpy()))
    frame.to_csv("data.csv", index=False)
    assert run("evaluate", "net", "data.csv", "-t", "target")[0] == 0
    code, _, err = run("predict", "net", "data.csv")
    assert code == 2 and "expected 4 columns, as the model was trained on, got 5" in err


def test_the_report_is_drawn(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    iris().to_csv("data.csv", index=False)
    assert run("train", "data.csv", "-t", "kind", "--plot", "a.png", *QUICK)[0] == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert run("evaluate", "model.safetensors", "data.csv", "-t", "kind", "--plot", "b.svg")[0] == 0
    text = (tmp_path / "b.svg").read_text()
    assert "<svg" in text
    diabetes().to_csv("values.csv", index=False)
    assert run("train", "values.csv", "-t", "target", "--plot", "c.pdf", *QUICK)[0] == 0
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF")


def test_scores_are_those_of_their_formulas() -> None:
    rng = np.random.default_rng(0)
    y, weight = rng.integers(0, 3, 50), rng.random(50)
    shares = rng.dirichlet(np.ones(3), 50)
    outcome = scores.Outcome(
        y, shares.argmax(axis=1), weight, np.arange(3), shares, None, np.array([0.2, 0.5, 0.3])
    )
    rows = {name: (score, usual) for name, score, usual in scores.scores_of(outcome)}
    eps = 50 * np.finfo(float).eps  # sums of 50 numbers of about their mean's size
    assert abs(rows["accuracy"][0] - np.average(shares.argmax(1) == y, weights=weight)) <= eps
    assert abs(rows["accuracy"][1] - np.average(y == 1, weights=weight)) <= eps
    expected = log_loss(y, shares, sample_weight=weight)
    assert abs(rows["log loss"][0] - expected) <= eps * expected
    assert scores.confusion_of(outcome).sum() == 50


# Errors, interrupts


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("train", "data.csv", "-t", "kinds"), "--target: no column 'kinds'; the nearest is 'kind"),
        (("train", "data.csv", "-t", "zzz"), "--target: no column 'zzz'; there are 'sepal length'"),
        (("train", "data.csv", "-t", "kind", "--drop", "Wild"), "the nearest is 'wild'"),
        (("train", "data.csv", "-t", "kind", "--drop", "kind"), "--drop: expected features"),
        (("train", "data.csv", "-t", "kind", "--categorical", "x"), "--categorical: no column 'x'"),
        (("train", "data.csv", "-t", "kind", "--sample-weight", "garden"), "numbers from 0"),
        (("train", "data.csv", "-t", "kind", "--quantiles", "0.5"), "--quantiles: expected a targ"),
        (("train", "data.csv", "-t", "kind", "--task", "regress"), "expected numbers for values"),
        (("train", "data.csv", "-t", "petal width", "--balanced"), "--balanced: expected a target"),
        (("train", "data.csv", "-t", "petal width", "--task", "classify"), "expected whole num"),
        (("train", "data.csv", "-t", "kind", "--epochs", "0"), "epochs: expected an int of at le"),
        (("train", "data.csv", "-t", "kind", "--test-fraction", "1"), "--test-fraction: expected"),
        (("train", "data.csv", "-t", "kind", "-o", "no/net"), "no: expected a folder that is th"),
        (("train", "data.csv", "-t", "kind", "-o", "."), "expected a file name, got a directory"),
        (("train", "data.csv", "-t", "kind", "--plot", "a.xyz"), "--plot: expected a name that en"),
        (("train", "absent.csv", "-t", "kind"), "absent.csv: No such file"),
        (("train", ".", "-t", "kind"), "expected a file, got a directory"),
        (("train", "empty.csv", "-t", "kind"), "empty.csv: expected a table, got an empty file"),
        (("train", "names.csv", "-t", "kind"), "expected at least one row"),
        (("train", "ragged.csv", "-t", "b"), "ragged.csv: expected a table of CSV"),
        (("train", "ids.csv", "-t", "y"), "column 'id': .* 2,000 .* 2,100; leave it out by --drop"),
        (("train", "one.csv", "-t", "y"), "expected at least 2 classes, got 1"),
        (("predict", "net", "absent.csv"), "absent.csv: No such file"),
        (("predict", "absent", "data.csv"), "absent: No such file"),
        (("predict", "data.csv", "data.csv"), "data.csv: .*expected"),
        (("predict", "net", "ragged.csv"), "ragged.csv: expected a table"),
        (("predict", "net", "one.csv"), "data: no column 'sepal length'; there are"),
        (("predict", "net", "junk.csv"), "column 'sepal length': expected numbers, .* got 'junk'"),
        (("predict", "net", "data.csv", "--std"), "--std: expected a model with several members"),
        (("predict", "net", "data.csv", "--threads", "0"), "--threads: expected an int of at le"),
        (("evaluate", "net", "data.csv", "-t", "kin"), "no column 'kin'; the nearest is 'kind'"),
        (("evaluate", "net", "data.csv", "-t", "garden"), "expected the model's classes, 'setosa'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_code_2(
    arguments: tuple[str, ...], text: str, run: Run, tmp_path: Path
) -> None:
    frame = iris()
    frame.to_csv("data.csv", index=False)
    frame.assign(**{"sepal length": "junk"}).to_csv("junk.csv", index=False)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "names.csv").write_text("kind,a\n")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n1,2,3,4\n5\n")
    (tmp_path / "one.csv").write_text("x,y\n1,a\n2,a\n3,a\n")
    ids = "".join(f"row {k},{k % 2}\n" for k in range(2100))
    (tmp_path / "ids.csv").write_text(f"id,y\n{ids}")
    if "net" in arguments:
        TabularClassifier(epochs=1, hidden_layer_sizes=(4,), random_state=0).fit(
            frame.drop(columns="kind"), frame["kind"]
        ).save("net")
    before = sorted(tmp_path.iterdir())
    code, _, err = run(*arguments)
    assert code == 2
    assert err.startswith("chainrule: ") and err.count("\n") == 1
    assert re.search(text, err), err
    assert sorted(tmp_path.iterdir()) == before


def test_an_interrupt_leaves_the_model_that_there_is(
    run: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    iris().to_csv("data.csv", index=False)
    whole = Epochs.on_epoch_end

    def interrupted(self: Any, epoch: int, logs: Any) -> None:
        whole(self, epoch, logs)
        if epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Epochs, "on_epoch_end", interrupted)
    code, out, err = run("train", "data.csv", "-t", "kind", "--epochs", "50")
    assert (code, err) == (130, "") and "interrupted" in out and "accuracy" in out
    assert "Permutation" not in out  # whoever stops does not want to wait
    assert load_estimator(tmp_path / "model.safetensors").validation_curve_.shape == (1, 50)


def test_an_interrupt_before_the_first_epoch_leaves_the_old_file(
    run: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    iris().to_csv("data.csv", index=False)
    (tmp_path / "model.safetensors").write_text("old")

    def interrupted(self: Any, X: Any, y: Any, sample_weight: Any = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TabularClassifier, "fit", interrupted)
    code, _, err = run("train", "data.csv", "-t", "kind", *QUICK)
    assert (code, err) == (130, "chainrule: interrupted\n")
    assert (tmp_path / "model.safetensors").read_text() == "old"


@pytest.mark.parametrize(
    ("missing", "text"),
    [("pandas", "chainrule[cli]"), ("sklearn", "chainrule[sklearn]"), ("matplotlib", "[plot]")],
)
def test_a_missing_package_names_its_extra(
    missing: str, text: str, run: Run, monkeypatch: Any
) -> None:
    iris().to_csv("data.csv", index=False)
    for name in [name for name in sys.modules if name.startswith(("chainrule.sklearn",))]:
        if missing == "sklearn":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "matplotlib":
        monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    code, _, err = run("train", "data.csv", "-t", "kind", "--plot", "a.png", *QUICK)
    assert code == 2 and text in err and err.count("\n") == 1


def test_the_nearest_name() -> None:
    assert nearest("PRICE", ["rice", "price", "x"]) == "; the nearest is 'price'"
    assert nearest("q", list("abcdefghij")).endswith("'h', ...")


def test_help_names_every_command_and_imports_little() -> None:
    code = (
        "import sys; from chainrule import cli\n"
        "try: cli.main(['train', '--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "assert not {'pandas', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--target" in done.stdout
    done = subprocess.run([sys.executable, "-m", "chainrule", "--help"], capture_output=True,
                          text=True)  # fmt: skip
    assert done.returncode == 0 and all(f"    {name}  " in done.stdout for name in COMMANDS)


PAGE = Path(__file__).parents[1] / "docs/command_line.md"


def words_of(line: str) -> str:
    """A line without its numbers, bars and spaces, which may differ."""
    return " ".join(re.sub(r"[-+#]*[\d.,;]*\d(e-\d+)?|#+", "", line).split())


@pytest.mark.skipif(not PAGE.is_file(), reason="not a whole checkout")
def test_the_pages_session_runs_as_it_is_printed(run: Run) -> None:
    pytest.importorskip("matplotlib")
    blocks = re.findall(r"```console\n\$ (.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE):
            command, _, expected = part.partition("\n")
            if command.startswith("python"):
                exec(expected.rstrip().removesuffix('"'), {})
                continue
            words = command.split()
            if words[0] == "head":
                out = "".join(Path(words[-1]).read_text().splitlines(keepends=True)[:3])
            else:
                _, out, err = run(*words[1:])
                out += err
            found = [words_of(line) for line in out.splitlines()]
            wanted = [words_of(line) for line in expected.splitlines()]
            assert len(found) == len(wanted)
            assert sorted(found) == sorted(wanted)  # columns may change places
