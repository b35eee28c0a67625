"""Accuracies: what counts as right, and their sums over batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Accuracy, Accuracy_Categorical, Accuracy_Regression


@pytest.mark.parametrize(
    "y", [[0, 2, 1], np.array([0, 2, 1], dtype=np.uint8), np.eye(3)[[0, 2, 1]]]
)
def test_categorical_compares_classes(y: Any) -> None:
    accuracy = Accuracy_Categorical()
    accuracy.init(y)
    assert accuracy.calculate(np.array([0, 2, 2]), y) == 2 / 3


@pytest.mark.parametrize("y", [[0, 1, 1, 0], [[0], [1], [1], [0]], np.array([0.0, 1.0, 1.0, 0.0])])
def test_binary_compares_entries(y: Any) -> None:
    accuracy = Accuracy_Categorical(binary=True)
    assert accuracy.calculate(np.array([[0], [1], [0], [0]]), y) == 0.75
    assert repr(accuracy) == "Accuracy_Categorical(binary=True)"


def test_several_binary_outputs_never_add_up_to_more_than_one() -> None:
    accuracy = Accuracy_Categorical(binary=True)
    assert accuracy.calculate(np.ones((2, 3)), np.ones((2, 3))) == 1.0
    assert accuracy.calculate_accumulated() == 1.0


def test_regression_counts_what_is_within_a_250th_of_the_deviation() -> None:
    y = np.array([[0.0], [500.0]])  # std 250
    accuracy = Accuracy_Regression()
    with pytest.raises(ValueError, match=r"Accuracy_Regression: expected an init\(y\) call"):
        accuracy.calculate(y, y)
    accuracy.init(y)
    assert accuracy.precision == 1.0
    assert accuracy.calculate(y + np.array([[0.5], [1.5]]), y) == 0.5
    assert accuracy.calculate(y, y[:, 0]) == 1.0
    accuracy.init(10 * y)
    assert accuracy.precision == 1.0
    accuracy.init(10 * y, reinit=True)
    assert accuracy.precision == 10.0


def test_accumulation_divides_sums_by_counts() -> None:
    accuracy = Accuracy_Categorical()
    with pytest.raises(ValueError, match="calculate_accumulated: expected a calculate call"):
        accuracy.calculate_accumulated()
    accuracy.calculate(np.array([0, 1, 2]), [0, 1, 0])
    accuracy.calculate(np.array([0]), [0])
    assert accuracy.calculate_accumulated() == 0.75
    accuracy.new_pass()
    accuracy.calculate(np.array([1]), [0])
    assert accuracy.calculate_accumulated() == 0.0


@pytest.mark.parametrize("y", [[[0], [1], [2]], [0, 1], np.zeros((3, 3, 3))])
def test_shapes_that_numpy_would_broadcast_are_refused(y: Any) -> None:
    with pytest.raises(ValueError, match=r"Accuracy_Categorical: y: expected \(3,\), got"):
        Accuracy_Categorical().calculate(np.array([0, 1, 2]), y)


def test_a_users_accuracy_needs_only_compare() -> None:
    class Within(Accuracy):
        def compare(self, predictions: Any, y: Any) -> Any:
            return abs(predictions - y) < 1

    assert Within().calculate(np.array([0.5, 2.0]), np.zeros(2)) == 0.5
    with pytest.raises(NotImplementedError, match="Accuracy: expected a compare"):
        Accuracy().calculate(np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="expected at least one prediction"):
        Within().calculate(np.zeros(0), np.zeros(0))
