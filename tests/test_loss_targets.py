"""Targets: outside a domain, of any sum, smoothed, and as a loss of the user's own sees them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_Sigmoid_Loss_BinaryCrossentropy,
    Activation_Softmax,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_Hinge,
    Loss_MeanSquaredError,
    Loss_Poisson,
    Loss_Quantile,
)
from chainrule.losses.base import targets_for
from part_cases import examples, name_of, slopes
from tolerance import unit

JOINT = [
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Activation_Sigmoid_Loss_BinaryCrossentropy,
]


@pytest.fixture(params=examples("loss"), ids=name_of)
def loss(request: pytest.FixtureRequest) -> Any:
    return request.param()


# Domains of targets


OUTSIDE = [
    (Loss_BinaryCrossentropy, [[0, 1], [2, 1]], "values in [0, 1]", "2", "(1, 0)"),
    (Loss_BinaryCrossentropy, [[0, 1], [1, -1]], "values in [0, 1]", "-1", "(1, 1)"),
    (Loss_CategoricalCrossentropy, [[0, 1], [1.5, 0]], "values in [0, 1]", "1.5", "(1, 0)"),
    (Loss_CategoricalCrossentropy, [[-0.5, 1], [1, 0]], "values in [0, 1]", "-0.5", "(0, 0)"),
    (Loss_Poisson, [[0, 1], [3, -2]], "values of at least 0", "-2", "(1, 1)"),
    (Loss_Hinge, [[0, 1], [1, 2]], "-1 and 1, or 0 and 1", "2", "(1, 1)"),
    (Loss_Hinge, [[1, 0], [1, -1]], "-1 and 1, or 0 and 1, not both", "0", "(0, 1)"),
    (Loss_Hinge, [[1, 0.5], [1, -1]], "-1 and 1, or 0 and 1", "0.5", "(0, 1)"),
]


def outside_text(expected: str, got: str, place: str) -> str:
    """The error as a pattern: whole numbers may stand with or without their point."""
    tail = r"(\.0)?" if "." not in got else ""
    return (
        "expected "
        + re.escape(expected)
        + ", got "
        + re.escape(got)
        + tail
        + " at index "
        + re.escape(place)
        + "$"
    )


@pytest.mark.parametrize(("kind", "y", "expected", "got", "place"), OUTSIDE)
@pytest.mark.parametrize("form", [list, np.float32, np.float64, int])
def test_targets_outside_the_domain_are_named(
    kind: Any, y: Any, expected: str, got: str, place: str, form: Any
) -> None:
    """By the first of them and its place: in a call and, as whole arrays, before a training."""
    if form is int and np.any(np.asarray(y) != np.asarray(y).astype(int)):
        return
    targets = y if form is list else np.array(y, dtype=form)
    pattern = outside_text(expected, got, place)
    loss, p = kind(), np.full((2, 2), 0.5)
    for call in (loss.calculate, loss.forward, loss.backward):
        with pytest.raises(ValueError, match=f"^{kind.__name__}: y_true: {pattern}"):
            call(p, targets)
    with pytest.raises(ValueError, match=f"^y: {pattern}"):
        loss.checked_targets(targets, "y", 2, np.dtype(np.float64))
    assert loss.accumulated_count == 0 and "dinputs" not in loss.__dict__


def test_the_case_that_was_found() -> None:
    """Labels 1 and 2 gave a loss of -0.99, labels -1 and 1 one of -8.45."""
    p = np.array([[0.9], [0.9]])
    for labels in ([1, 2], [-1, 1]):
        with pytest.raises(ValueError, match=r"y_true: expected values in \[0, 1\], got "):
            Loss_BinaryCrossentropy().calculate(p, np.array(labels))


def test_the_joined_classes_check_their_targets() -> None:
    for kind in JOINT:
        joint = kind()
        joint.forward(np.zeros((2, 2)), np.eye(2))
        for call in (joint.forward, joint.backward):
            with pytest.raises(ValueError, match=f"^{kind.__name__}: y_true: expected values in"):
                call(np.zeros((2, 2)), 2 * np.eye(2))


def test_domains_of_large_arrays_and_of_nan() -> None:
    y = np.zeros((70_000, 3))
    y[69_999, 2] = 1.25
    with pytest.raises(ValueError, match=r"got 1.25 at index \(69999, 2\)"):
        Loss_BinaryCrossentropy().checked_targets(y, "y", 3, None)
    y[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"got 1.25 at index \(69999, 2\)"):
        Loss_BinaryCrossentropy().checked_targets(y, "y", 3, None)
    y[69_999, 2] = 1
    assert Loss_BinaryCrossentropy().checked_targets(y, "y", 3, None) is y
    assert np.isnan(Loss_BinaryCrossentropy().calculate(np.full((70_000, 3), 0.5), y))


def test_checked_targets_have_the_form_that_the_loss_takes(loss: Any, dtype: Any) -> None:
    columns = 1 if isinstance(loss, Loss_Quantile) else 3
    y = np.ones((4, columns), dtype=dtype)
    assert loss.checked_targets(y, "y", 3, np.dtype(dtype)) is y
    assert loss.checked_targets(y, "y", None, None) is y
    assert loss.checked_targets(y.astype(np.int8), "y", 3, np.dtype(dtype)).dtype == dtype
    with pytest.raises(ValueError, match=rf"^y: expected \(4, {columns}\), got \(4, 2\)"):
        loss.checked_targets(np.ones((4, 2)), "y", 3, np.dtype(dtype))


def test_labels_are_checked_too() -> None:
    loss = Loss_CategoricalCrossentropy()
    labels = loss.checked_targets([0, 2, 1], "y", 3, None)
    assert labels.dtype == np.int64 and labels.tolist() == [0, 2, 1]
    with pytest.raises(ValueError, match=r"^y: label 3 at index 1: expected 0 to 2"):
        loss.checked_targets([0, 3, 1], "y", 3, None)


def test_quantiles_need_one_output_each() -> None:
    loss = Loss_Quantile([0.25, 0.75])
    assert loss.forward(np.zeros((2, 2)), [1, 2]).shape == (2,)
    assert loss.checked_targets([1, 2], "y", 2, None).shape == (2, 1)
    for call in (
        lambda: loss.forward(np.zeros((2, 3)), [1, 2]),
        lambda: loss.checked_targets([1, 2], "y", 3, None),
    ):
        with pytest.raises(ValueError, match="Loss_Quantile: expected 2 outputs, one for each qua"):
            call()


# Rows of any sum, and label smoothing


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("kind", ["labels", "one-hot", "any sum", "zeros"])
def test_value_and_gradient_of_target_rows_agree(
    kind: str, smoothing: float, rng: np.random.Generator
) -> None:
    """Of softmax and loss together, whatever the rows' sums: by central differences."""
    logits, labels = rng.standard_normal((5, 4)), rng.integers(0, 4, 5)
    y = {
        "labels": labels,
        "one-hot": np.eye(4)[labels],
        "any sum": rng.uniform(0, 1, (5, 4)),
        "zeros": np.zeros((5, 4)),
    }[kind]
    joint, softmax = Activation_Softmax_Loss_CategoricalCrossentropy(), Activation_Softmax()
    joint.loss = loss = Loss_CategoricalCrossentropy(smoothing)
    expected, error = slopes(lambda: np.atleast_1d(joint.forward(logits, y)), logits, np.ones(1))
    joint.forward(logits, y)
    output = softmax.forward(logits)
    name = loss.joint_with(softmax)
    assert name == "softmax_crossentropy"
    for actual in (
        joint.backward(joint.output, y),
        loss.joint_backward(name, output, y),
        softmax.backward(loss.backward(output, y)),
    ):
        assert (abs(actual - expected) <= error).all()
    assert joint.forward(logits, y) == pytest.approx(loss.calculate(output, y), rel=1e-14)


def test_label_smoothing_is_a_change_of_the_targets(rng: np.random.Generator, dtype: Any) -> None:
    p, labels = rng.dirichlet(np.ones(4), 6).astype(dtype), rng.integers(0, 4, 6)
    smoothed = (0.75 * np.eye(4)[labels] + 0.0625).astype(dtype)
    plain, smooth = Loss_CategoricalCrossentropy(), Loss_CategoricalCrossentropy(0.25)
    bound = 16 * unit(dtype)
    for y in (labels, np.eye(4)[labels]):
        values = smooth.forward(p, y)
        np.testing.assert_allclose(values, plain.forward(p, smoothed), rtol=bound)
        np.testing.assert_allclose(smooth.backward(p, y), plain.backward(p, smoothed), rtol=bound)
    assert smooth.without_smoothing().parameters() == (0.0,)
    assert smooth.parameters() == (0.25,) and plain.without_smoothing() is plain


def test_the_loss_without_smoothing_has_sums_of_its_own() -> None:
    smooth = Loss_CategoricalCrossentropy(0.25)
    smooth.calculate(np.array([[0.5, 0.5]]), [0])
    plain = smooth.without_smoothing()
    assert plain.accumulated_count == 0 and smooth.accumulated_count == 1
    assert plain.calculate(np.array([[0.5, 0.5]]), [0]) == pytest.approx(np.log(2))


# A loss of the user's own sees what the package's losses see


class Own(Loss):
    """What a user writes: it would be wrong for targets (n,) against predictions (n, 1)."""

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        self.seen = y_true
        return np.mean((y_true - y_pred) ** 2, axis=-1)


@pytest.mark.parametrize("y", [[1.0, 2.0, 4.0], (1, 2, 4), np.array([1, 2, 4], dtype=np.float32)])
def test_own_losses_get_targets_in_the_shape_of_the_output(y: Any) -> None:
    p = np.array([[1.0], [2.0], [3.0]])
    own = Own()
    assert own.calculate(p, y) == Loss_MeanSquaredError().calculate(p, y) == 1 / 3
    assert own.seen.shape == (3, 1) and own.seen.dtype == np.float64


def test_a_forward_put_on_a_loss_of_ours_gets_them_too() -> None:
    loss = Loss_MeanSquaredError()
    loss.forward = lambda p, t: np.mean((t - p) ** 2, axis=-1)  # type: ignore[method-assign]
    assert loss.calculate(np.array([[1.0], [2.0], [3.0]]), [1, 2, 4]) == 1 / 3


def test_targets_for_a_loss_of_ones_own(dtype: Any) -> None:
    own, output = Own(), np.zeros((3, 2), dtype=dtype)
    labels = targets_for(own, output, [0, 1, 0])
    assert labels.dtype.kind == "i" and labels.tolist() == [0, 1, 0]
    rows = targets_for(own, output, np.eye(2, dtype=int)[[0, 1, 0]])
    assert rows.dtype == dtype and rows.shape == (3, 2)
    other = np.ones((3, 5), dtype=np.float64)
    assert targets_for(own, output, other) is other
    image = targets_for(own, np.zeros((2, 3, 3), dtype=dtype), np.ones((2, 3, 3)))
    assert image.dtype == dtype
    assert targets_for(own, output, None) is None
    assert targets_for(Loss_MeanSquaredError(), output, other) is other
    assert own.checked_targets([1, 2, 3], "y", 1, np.dtype(dtype)).tolist() == [[1], [2], [3]]
    assert own.checked_targets([1, 2, 3], "y", None, None).tolist() == [1, 2, 3]
