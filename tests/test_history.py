"""History: columns that grow, access by name, copies."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

from chainrule import History

NAMES = (
    "loss",
    "data_loss",
    "regularization_loss",
    "accuracy",
    "learning_rate",
    "seconds",
    "validation_loss",
    "validation_accuracy",
)


def rows(count: int) -> np.ndarray[Any, Any]:
    return np.arange(count * 8.0).reshape(count, 8)


def test_columns_are_float64_by_attribute_and_by_name() -> None:
    history = History()
    assert len(history) == 0 and history.loss.shape == (0,)
    assert repr(history) == "History(0 epochs)"
    history.append(rows(3))
    assert len(history) == 3 and tuple(history.keys()) == NAMES == tuple(history)
    for index, name in enumerate(NAMES):
        column = getattr(history, name)
        assert column.dtype == np.float64
        np.testing.assert_array_equal(column, rows(3)[:, index])
        np.testing.assert_array_equal(history[name], column)
        assert name in history
    assert set(dict(history)) == set(NAMES)
    with pytest.raises(KeyError, match=r"expected one of loss, .*got 'los'"):
        history["los"]


def test_earlier_columns_stay_as_they_were() -> None:
    history = History()
    history.append(rows(2))
    before = history.loss
    history.append(rows(1000))
    assert before.tolist() == [0.0, 8.0] and len(history) == 1002
    np.testing.assert_array_equal(history.loss[2:], rows(1000)[:, 0])


def test_a_million_epochs_are_appended_in_amortised_constant_time() -> None:
    history = History()
    arrays: list[Any] = []  # behind the column, one after another: each means that all was copied

    def append(values: Any) -> None:
        history.append(values)
        if not arrays or history.loss.base is not arrays[-1]:
            arrays.append(history.loss.base)

    for _ in range(20_000):
        append(rows(1))
    assert len(arrays) <= 1 + math.log2(20_000)
    append(np.zeros((1_000_000, 8)))
    copies = len(arrays)
    for _ in range(20_000):
        append(rows(1))
    assert len(arrays) <= copies + 1
    assert len(history) == 1_040_000


def test_a_column_may_be_one_number_until_it_changes() -> None:
    history = History()
    nan, some = math.nan, np.arange(3.0)
    history.extend(3, (some, some, 0.0, nan, 0.1, some, nan, nan))
    history.extend(3, (some, some, 0.0, nan, 0.1, some, nan, nan))
    np.testing.assert_array_equal(history.learning_rate, [0.1] * 6)
    np.testing.assert_array_equal(history.accuracy, [nan] * 6)
    history.extend(2, (5.0, 5.0, 0.0, 0.5, 0.2, 5.0, nan, np.array([1.0, 2.0])))
    history.extend(0, ())
    np.testing.assert_array_equal(history.loss, [0, 1, 2, 0, 1, 2, 5, 5])
    np.testing.assert_array_equal(history.learning_rate, [0.1] * 6 + [0.2] * 2)
    np.testing.assert_array_equal(history.accuracy, [nan] * 6 + [0.5] * 2)
    np.testing.assert_array_equal(history.validation_accuracy, [nan] * 6 + [1.0, 2.0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(history)).accuracy, history.accuracy)
    assert history.last_row()[:5] == [5.0, 5.0, 0.0, 0.5, 0.2]
    assert history.recorded() == (*NAMES[:6], NAMES[7]) and len(history) == 8


def test_wrong_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rows: expected \(k, 8\), got \(2, 7\)"):
        History().append(np.zeros((2, 7)))


def test_an_epoch_counts_from_one_and_leaves_out_what_was_not_computed() -> None:
    history = History()
    values = rows(2)
    values[:, 3] = values[:, 6:] = np.nan
    history.append(values)
    assert history.recorded() == (*NAMES[:3], *NAMES[4:6])
    assert history.epoch(2)["loss"] == 8.0
    assert "last: loss=8" in repr(history) and "accuracy" not in repr(history)
    with pytest.raises(IndexError, match="epoch: expected 1 to 2, got 0"):
        history.epoch(0)


def test_copies_hold_the_same_columns_and_no_slack() -> None:
    history = History()
    history.append(rows(17))
    for twin in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        np.testing.assert_array_equal(twin.loss, history.loss)
        twin.append(rows(1))
        assert len(twin) == 18 and len(history) == 17
