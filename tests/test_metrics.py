"""Accuracies: what counts as right, their sums over batches, and scores of whole passes."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Accuracy,
    Accuracy_AUC,
    Accuracy_Categorical,
    Accuracy_R2,
    Accuracy_Regression,
    catalogue,
)
from chainrule import _core as core


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


def test_labels_against_a_linear_output_name_the_layer_that_is_missing() -> None:
    with pytest.raises(ValueError) as caught:
        Accuracy_Categorical().calculate(np.zeros((8, 2)), np.zeros(8, dtype=int))
    assert str(caught.value) == (
        "Accuracy_Categorical: y: expected (8, 2), got (8,); "
        "labels need a last layer that predicts classes: add Activation_Softmax()"
    )


def test_results_are_float64() -> None:
    accuracy = Accuracy_Categorical()
    assert type(accuracy.calculate(np.array([0, 1]), [0, 0])) is np.float64
    assert type(accuracy.calculate_accumulated()) is np.float64
    assert type(accuracy.accumulated_sum) is float


def test_each_training_finds_the_precision_of_its_own_targets() -> None:
    """A shared object kept the first model's."""
    y = np.array([[0.0], [500.0]])  # std 250
    accuracy = Accuracy_Regression()
    accuracy.start_training(y)
    assert accuracy.precision == 1.0
    accuracy.start_training(1000 * y)
    assert accuracy.precision == 1000.0
    accuracy.init(y)  # evaluate asks for it where none is known yet
    assert accuracy.precision == 1000.0


def test_a_precision_set_by_hand_stays() -> None:
    y = np.array([[0.0], [500.0]])
    by_init, by_hand, later = (Accuracy_Regression() for _ in range(3))
    by_init.init(10 * y)
    by_hand.precision = 10.0
    later.start_training(y)
    later.precision = 10.0
    for accuracy in (by_init, by_hand, later):
        accuracy.start_training(y)
        twin = pickle.loads(pickle.dumps(accuracy))
        twin.start_training(y)
        assert accuracy.precision == twin.precision == 10.0


def test_an_accuracy_of_ones_own_is_told_of_each_training() -> None:
    class Own(Accuracy):
        def init(self, y: Any) -> None:  # type: ignore[override]
            self.scale = np.max(y)

    accuracy = Own()
    accuracy.start_training(np.array([1.0, 3.0]))
    assert accuracy.scale == 3.0


def test_the_cores_metrics_are_those_that_the_core_has() -> None:
    known = {row["name"] for row in core.catalogue()["metrics"]}
    for cls in catalogue.classes("accuracy"):
        for predicts in ("values", "classes", "shares", "logits", "signs"):
            assert cls().core_metric(predicts) in {*known - {"none"}, None}
    assert Accuracy_Categorical().core_metric("classes") == "categorical"
    assert Accuracy_Categorical().core_metric("shares") is None
    binary = Accuracy_Categorical(binary=True)
    names = [binary.core_metric(each) for each in ("classes", "shares", "logits", "signs")]
    assert names == [None, "binary", "binary_logits", "signs"]
    assert Accuracy_Regression().core_metric("values") == "regression"
    assert Accuracy_Regression().core_metric("shares") is None
    assert Accuracy().core_metric("classes") is None


def test_a_users_accuracy_needs_only_compare() -> None:
    class Within(Accuracy):
        def compare(self, predictions: Any, y: Any) -> Any:
            return abs(predictions - y) < 1

    assert Within().calculate(np.array([0.5, 2.0]), np.zeros(2)) == 0.5
    with pytest.raises(NotImplementedError, match="Accuracy: expected a compare"):
        Accuracy().calculate(np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="expected at least one prediction"):
        Within().calculate(np.zeros(0), np.zeros(0))


# Scores of a whole pass


def batches(count: int) -> list[slice]:
    return [slice(start, start + 7) for start in range(0, count, 7)]


@pytest.mark.parametrize("columns", [None, 1, 3])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_r2_of_a_pass_is_that_of_all_samples(
    columns: int | None, offset: float, rng: np.random.Generator
) -> None:
    """The sums lose 50 roundings of squares of the spread, not of the offset."""
    shape = (50,) if columns is None else (50, columns)
    y = offset + rng.standard_normal(shape)
    p = y + 0.5 * rng.standard_normal(shape)
    ratio = np.square(y - p).sum(axis=0) / np.square(y - y.mean(axis=0)).sum(axis=0)
    expected = np.mean(1 - ratio)
    accuracy = Accuracy_R2()
    first = accuracy.calculate(p[:7], y[:7])
    ratio = np.square(y[:7] - p[:7]).sum(axis=0) / np.square(y[:7] - y[:7].mean(axis=0)).sum(axis=0)
    bound = 64 * np.finfo(float).eps * max(1.0, offset)
    assert first == pytest.approx(np.mean(1 - ratio), abs=bound)
    for rows in batches(50)[1:]:
        accuracy.calculate(p[rows], y[rows])
    assert accuracy.calculate_accumulated() == pytest.approx(expected, abs=bound)
    assert type(accuracy.calculate_accumulated()) is np.float64


def test_r2_by_hand() -> None:
    y = np.array([1.0, 2.0, 3.0])
    assert Accuracy_R2().calculate(y, y) == 1.0
    assert Accuracy_R2().calculate(np.full((3, 1), 2.0), y) == 0.0
    assert Accuracy_R2().calculate(y[::-1], y) == 1 - 8 / 2
    flat = np.ones(3)
    assert Accuracy_R2().calculate(flat, flat) == 1.0
    assert Accuracy_R2().calculate(y, flat) == 0.0
    assert np.isnan(Accuracy_R2().calculate([1.0], [1.0]))


def pairs_won(scores: Any, is_one: Any) -> float:
    """The share of pairs of a 1 and a 0 where the 1 scores above; ties count half."""
    difference = scores[is_one][:, None] - scores[~is_one][None, :]
    return float((np.sign(difference) + 1).mean() / 2)


@pytest.mark.parametrize("form", ["flat", "column", "softmax", "one-hot", "signs"])
def test_auc_of_a_pass_is_that_of_all_pairs(form: str, rng: np.random.Generator) -> None:
    """Scores of few values, so that many tie."""
    scores, labels = rng.integers(0, 8, 50) / 8, rng.integers(0, 2, 50)
    expected = pairs_won(scores, labels == 1)
    outputs, y = {
        "flat": (scores, labels),
        "column": (scores[:, None], labels),
        "softmax": (np.stack([1 - scores, scores], axis=1), labels),
        "one-hot": (np.stack([1 - scores, scores], axis=1), np.eye(2)[labels]),
        "signs": (scores[:, None], (2.0 * labels - 1)[:, None]),
    }[form]
    accuracy = Accuracy_AUC()
    for rows in batches(50):
        value = accuracy.calculate(outputs[rows], y[rows])
        part = labels[rows] == 1
        if part.all() or not part.any():
            assert np.isnan(value)
        else:
            assert value == pytest.approx(pairs_won(scores[rows], part), rel=1e-15)
    assert accuracy.calculate_accumulated() == pytest.approx(expected, rel=1e-15)
    accuracy.new_pass()
    with pytest.raises(ValueError, match="expected a calculate call"):
        accuracy.calculate_accumulated()


def test_auc_by_hand() -> None:
    accuracy = Accuracy_AUC()
    assert accuracy.calculate([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]) == 0.75
    assert accuracy.calculate([0.5, 0.5], [0, 1]) == 0.5
    assert np.isnan(accuracy.calculate([0.5, np.nan], [0, 1]))
    assert np.isnan(accuracy.calculate([0.5, 0.6], [1, 1]))


def test_scores_agree_with_scikit_learn(rng: np.random.Generator) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, labels = rng.integers(0, 30, 400) / 30, rng.integers(0, 2, 400)
    expected = metrics.roc_auc_score(labels, scores)
    assert Accuracy_AUC().calculate(scores, labels) == pytest.approx(expected, rel=1e-13)
    y, p = rng.standard_normal((60, 3)), rng.standard_normal((60, 3))
    y[:, 1] = 2.0
    assert Accuracy_R2().calculate(p, y) == pytest.approx(metrics.r2_score(y, p), rel=1e-13)


@pytest.mark.parametrize(
    ("outputs", "y", "text"),
    [
        (np.zeros((4, 3)), np.zeros(4), r"outputs: expected \(n,\), \(n, 1\) or \(n, 2\), got"),
        (np.zeros((4, 1)), np.zeros(3), r"y: expected \(4,\), got \(3,\)"),
        (np.zeros(4), [0, 1, 2, 1], "y: expected -1 and 1, or 0 and 1, got 2 at index 2"),
        (np.zeros(0), [], "expected at least one prediction, got none"),
    ],
)
def test_auc_refuses_what_is_not_two_classes(outputs: Any, y: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^Accuracy_AUC: {text}"):
        Accuracy_AUC().calculate(outputs, y)


@pytest.mark.parametrize("kind", [Accuracy_R2, Accuracy_AUC])
def test_scores_take_outputs_and_survive_copies(kind: Any) -> None:
    assert kind.takes_outputs and not Accuracy_Categorical.takes_outputs
    accuracy = kind()
    accuracy.calculate([0.25, 0.5, 1.0], [0, 1, 1])
    twin = copy.deepcopy(accuracy)
    if kind is Accuracy_AUC:  # the arrays that a pass left stay behind
        assert "kept" not in vars(twin) and twin.accumulated_count == 0
    twin.new_pass()
    assert twin.calculate([0.25, 0.5, 1.0], [0, 1, 1]) == accuracy.calculate_accumulated()
    assert repr(accuracy) == f"{kind.__name__}()"
