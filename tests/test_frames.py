"""Frames and object arrays: what is remembered of a frame, and words that name column and value."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from chainrule import Loss_BinaryCrossentropy, Loss_CategoricalCrossentropy
from chainrule.arrays import as_class_targets, as_floats, as_labels, as_real
from chainrule.frames import column_names
from test_errors import X, Y, net, state

pandas = pytest.importorskip("pandas")
NAMES = ["a", "b", "c", "d"]
FRAME = pandas.DataFrame(X, columns=NAMES)


# The columns of the training


def test_the_columns_of_a_frame_are_remembered() -> None:
    model = net()
    assert model.feature_names is None
    model.train(X, Y)
    assert model.feature_names is None
    model.train(FRAME, Y)
    assert model.feature_names == ("a", "b", "c", "d")
    model.train(X, Y)  # an array has no names: it is taken at its word
    assert model.feature_names == ("a", "b", "c", "d")
    np.testing.assert_array_equal(model.predict(FRAME), model.predict(X))
    model.evaluate(FRAME, Y, quiet=True)
    model.forward(FRAME)
    model.forward(FRAME.iloc[0].to_numpy())


OTHERS = {
    "reordered": (FRAME[["b", "a", "c", "d"]], "the same in another order; select list(model."),
    "renamed": (FRAME.rename(columns={"d": "e"}), "without 'd'; with 'e'"),
    "all others": (
        pandas.DataFrame(X, columns=list("efgh")),
        "without 'a', 'b', 'c', 'd'; with 'e', 'f', 'g', 'h'",
    ),
    "one fewer": (FRAME[["a", "b", "c"]], "without 'd'"),
    "one twice": (FRAME[["a", "b", "c", "d", "d"]], "5 columns, some of them twice"),
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("call", ["predict", "forward", "evaluate", "train", "validation_data"])
def test_other_columns_are_refused(name: str, call: str) -> None:
    frame, what = OTHERS[name]
    model = net()
    model.train(FRAME, Y)
    calls = {
        "predict": lambda: model.predict(frame),
        "forward": lambda: model.forward(frame),
        "evaluate": lambda: model.evaluate(frame, Y),
        "train": lambda: model.train(frame, Y),
        "validation_data": lambda: model.train(FRAME, Y, validation_data=(frame, Y)),
    }
    where = "validation X" if call == "validation_data" else "X"
    text = f"{where}: expected the columns that the model was trained on, 'a', 'b', 'c', 'd', got "
    before = state(model)
    with pytest.raises(ValueError, match=re.escape(text + what)):
        calls[call]()
    assert state(model) == before
    model.feature_names = None
    if frame.shape[1] == 4:
        calls[call]()


def test_a_refused_training_remembers_no_columns() -> None:
    model = net()
    with pytest.raises(ValueError, match="y: label 7 at index 0"):
        model.train(FRAME, Y + 7)
    assert model.feature_names is None


def test_only_texts_are_names() -> None:
    assert column_names(FRAME) == ("a", "b", "c", "d")
    assert column_names(pandas.DataFrame(X)) is None  # 0, 1, 2, 3
    assert column_names(pandas.DataFrame(X, columns=["a", 1, "b", 2])) is None
    for other in (X, X.tolist(), FRAME["a"], np.rec.fromarrays(X.T, names=NAMES)):
        assert column_names(other) is None


def test_many_columns_are_cut_short() -> None:
    wide = pandas.DataFrame(np.ones((3, 9)), columns=[f"x{k}" for k in range(9)])
    model = net()
    model.feature_names = tuple(wide.columns)
    with pytest.raises(ValueError, match=r"'x0', .*'x4', \.\.\. \(9 in all\), got without 'x0'"):
        model.predict(FRAME)


class Frame:
    """What other libraries' frames have in common."""

    def __init__(self, values: Any, columns: list[str]) -> None:
        self.values, self.columns = values, columns

    def to_numpy(self) -> Any:
        return self.values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.values, dtype=dtype)

    def __len__(self) -> int:
        return len(self.values)


def test_frames_are_known_by_what_they_can_do() -> None:
    model = net()
    model.train(Frame(X, NAMES), Y)
    assert model.feature_names == ("a", "b", "c", "d")
    with pytest.raises(ValueError, match="the same in another order"):
        model.predict(Frame(X, ["b", "a", "c", "d"]))
    with pytest.raises(TypeError, match="with 'n/a' in column 'b', row 3"):
        model.predict(Frame(with_entry("n/a"), NAMES))


# What is no number


def with_entry(value: Any, row: int = 3, column: int = 1) -> Any:
    array = X.astype(object)
    array[row, column] = value
    return array


def with_column(values: Any) -> Any:
    frame = FRAME.copy()
    frame["b"] = values
    return frame


TEXT = np.array(["n/a"] * 10, dtype=object)
ODD: dict[str, tuple[Any, str]] = {
    "text": (with_entry("n/a"), "dtype object with 'n/a' at index (3, 1)"),
    "none": (with_entry(None), "dtype object with None at index (3, 1)"),
    "a list": (with_entry(Decimal("1.5")), "dtype object with Decimal('1.5') at index (3, 1)"),
    "complex": (with_entry(1j), "dtype object with 1j at index (3, 1)"),
    "a first entry": (with_entry("?", 0, 0), "dtype object with '?' at index (0, 0)"),
    "a frame's text": (with_column(["no"] * 10), "with 'no' in column 'b', row 0"),
    "some text": (with_column([1.0, "?"] * 5), "with '?' in column 'b', row 1"),
    "its values": (with_column([1.0, "?"] * 5).values, "dtype object with '?' at index (1, 1)"),
    "numbers": (X.astype(object), "dtype object, all numbers; convert it first: .astype(float)"),
    "a frame of numbers": (FRAME.astype(object), "all numbers; convert it first: .astype(float)"),
    "dates": (with_column([datetime.datetime(2020, 1, 1)] * 10), "2020"),
    "a list of texts": ([["1", "b"]] * 10, "dtype <U1 with '1' at index (0, 0)"),
    "a list with a text": ([[1.0, 2.0, 3.0, "b"]] * 10, "with 'b' at index (0, 3)"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_entry_that_is_no_number_is_named(name: str) -> None:
    values, text = ODD[name]
    model = net()
    for call in (model.predict, model.forward, lambda values: model.train(values, Y)):
        with pytest.raises(TypeError, match=re.escape(text)) as caught:
            call(values)
        assert "expected real numbers, got an array of dtype" in str(caught.value)


def test_frames_of_mixed_numbers_still_serve() -> None:
    mixed = FRAME.copy()
    mixed["a"] = mixed["a"] > 0
    mixed["b"] = (10 * mixed["b"]).astype(int)
    mixed["c"] = mixed["c"].astype("Float64")
    expected = as_floats(mixed, "X")
    assert expected.dtype == np.float64
    np.testing.assert_array_equal(expected[:, 2], X[:, 2])


# Hints


def test_the_hint_fits_the_container() -> None:
    column = Y[:, None]
    cases: list[tuple[Any, str]] = [
        (column, "flatten the labels: y.ravel()"),
        (pandas.DataFrame(column), "flatten the labels: y.to_numpy().ravel()"),
        (column.tolist(), "flatten the labels: np.ravel(y)"),
    ]
    for given, hint in cases:
        with pytest.raises(ValueError, match=re.escape(hint)):
            net().train(X, given)
        with pytest.raises(ValueError, match=re.escape(hint)):
            as_class_targets(given, "y", 3, None)
    net().train(X, pandas.DataFrame(column).to_numpy().ravel())


# Integers by other names


SYNONYMS = ["q", "l", "i", "h", "b", "Q", "L", "I", "H", "B"]  # long long, long, int, ...


@pytest.mark.parametrize("code", SYNONYMS)
def test_labels_of_every_integer_type_are_int64_for_the_core(code: str) -> None:
    labels = (np.arange(6) % 3).astype(code)
    assert labels.dtype.char == code
    converted = as_labels(labels, "y")
    assert converted.dtype.num == np.dtype(np.int64).num
    np.testing.assert_array_equal(converted, labels)
    model, twin = net(), net()
    twin.set_parameters(model.get_parameters())
    for each in (model, twin):
        each.layers[1].key = 7
    a = model.train(X, Y.astype(code), validation_data=(X, Y.astype(code)))
    b = twin.train(X, Y, validation_data=(X, Y))
    assert a.loss[0] == b.loss[0] and a.validation_loss[0] == b.validation_loss[0]
    outputs = np.full((6, 3), 1 / 3)
    loss = Loss_CategoricalCrossentropy()
    assert loss.calculate(outputs, labels) == loss.calculate(outputs, np.arange(6) % 3)
    np.testing.assert_array_equal(
        loss.backward(outputs, labels), loss.backward(outputs, np.arange(6) % 3)
    )


def test_floats_by_another_name_are_those_of_the_core() -> None:
    values = np.linspace(0.1, 0.9, 6).reshape(6, 1)
    loss = Loss_BinaryCrossentropy()
    expected = loss.calculate(values, (values > 0.5) * 1.0)
    for code in ("d", "g", "e", "f"):
        targets = (values > 0.5).astype(code)
        assert loss.calculate(values, targets) == expected
        assert as_floats(targets, "y", np.float64).dtype.num == np.dtype(np.float64).num


def test_labels_beyond_int64_are_named_as_they_came() -> None:
    labels = np.array([0, 2**64 - 1, 1], dtype=np.uint64)
    with pytest.raises(ValueError, match=f"y: label {2**64 - 1} at index 1: expected at most"):
        as_labels(labels, "y")
    assert as_labels(labels[:1], "y").tolist() == [0]


def test_a_ready_array_is_taken_as_it_is() -> None:
    labels = np.arange(5)
    assert as_labels(labels, "y") is labels and as_real(X, "X") is X
    assert as_floats(X, "X") is X
    longs = labels.astype("q")
    assert as_labels(longs, "y").base is longs or np.dtype("q").num == np.dtype(np.int64).num
