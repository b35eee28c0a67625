"""Losses: the base's contract, targets in every form, gradients as derivatives of the mean."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Activation_Softmax,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Layer_Dense,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
)
from tolerance import STEP, central_differences

STEMS = {
    Loss_HalfSquaredError: "half_squared_error",
    Loss_MeanSquaredError: "mean_squared_error",
    Loss_MeanAbsoluteError: "mean_absolute_error",
    Loss_BinaryCrossentropy: "binary_crossentropy",
    Loss_CategoricalCrossentropy: "categorical_crossentropy",
}
ELEMENTWISE = list(STEMS)[:4]


@pytest.fixture(params=list(STEMS), ids=lambda kind: kind.__name__)
def loss(request: pytest.FixtureRequest) -> Any:
    return request.param()


def probabilities(rng: np.random.Generator, shape: tuple[int, int], dtype: Any) -> Any:
    return rng.uniform(0.05, 0.95, shape).astype(dtype)


def test_values_and_gradients_are_those_of_the_reference(
    loss: Any, rng: np.random.Generator, dtype: Any
) -> None:
    p, y = probabilities(rng, (7, 5), dtype), probabilities(rng, (7, 5), dtype)
    forward, backward = reference.LOSSES[STEMS[type(loss)]]
    values, dinputs = loss.forward(p, y), loss.backward(p, y)
    assert values.shape == (7,) and loss.dinputs is dinputs
    assert values.dtype == dtype and dinputs.dtype == dtype
    wide = p.astype(np.float64), y.astype(np.float64)
    # m terms of at most 3.7 (|log 0.05| + rounding), each of a few roundings.
    eps = np.finfo(dtype).eps
    assert abs(values - forward(*wide)).max() <= 5 * 16 * 4 * eps
    expected = backward(*wide)
    assert abs(dinputs - expected).max() <= 32 * eps * abs(expected).max()


def test_backward_is_the_derivative_of_the_mean(loss: Any, rng: np.random.Generator) -> None:
    p, y = probabilities(rng, (4, 3), np.float64), rng.uniform(0.0, 1.0, (4, 3))
    probe = p.copy()
    slopes = central_differences(lambda: np.atleast_1d(loss.calculate(probe, y)), probe, np.ones(1))
    # Third derivatives of log are at most 2 / 0.05^3; the values are of order 10.
    bound = (2 / 0.05**3) * STEP**2 + 64 * np.finfo(np.float64).eps / STEP
    assert abs(loss.backward(p, y) - slopes).max() <= bound


def test_calculate_works_without_any_other_call(loss: Any, rng: np.random.Generator) -> None:
    p, y = probabilities(rng, (4, 3), np.float64), probabilities(rng, (4, 3), np.float64)
    value = loss.calculate(p, y)
    assert value == pytest.approx(loss.forward(p, y).mean(), rel=8 * np.finfo(float).eps)
    assert loss.calculate(p, y, include_regularization=True) == (value, 0.0)


def test_accumulation_divides_sums_by_counts(loss: Any, rng: np.random.Generator) -> None:
    p, y = probabilities(rng, (5, 3), np.float64), probabilities(rng, (5, 3), np.float64)
    loss.calculate(np.ones((1, 3)) / 3, np.ones((1, 3)) / 3)
    loss.new_pass()
    with pytest.raises(ValueError, match="calculate_accumulated: expected a calculate call"):
        loss.calculate_accumulated()
    loss.calculate(p[:2], y[:2])
    loss.calculate(p[2:], y[2:])
    whole = loss.forward(p, y).mean()
    eps = np.finfo(float).eps
    assert loss.calculate_accumulated() == pytest.approx(whole, rel=8 * eps)
    assert loss.calculate_accumulated(include_regularization=True)[1] == 0.0


def test_regularisation_adds_the_terms_of_the_remembered_layers() -> None:
    layer = Layer_Dense(2, 1, 0.5, 0.25, 2.0, 4.0)
    layer.weights = [[1.0], [-2.0]]
    layer.biases = [3.0]
    terms = 0.5 * 3 + 0.25 * 5 + 2.0 * 3 + 4.0 * 9
    loss = Loss_MeanSquaredError()
    assert loss.regularization_loss() == 0.0
    assert loss.regularization_loss(layer) == terms
    loss.remember_trainable_layers([layer, Layer_Dense(2, 1)])
    assert loss.regularization_loss() == terms
    zeros = np.zeros((1, 1))
    assert loss.calculate(zeros, zeros, include_regularization=True) == (0.0, terms)


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_one_output_takes_flat_targets_of_any_kind(kind: Any, dtype: Any) -> None:
    p = np.array([[0.25], [0.5], [0.75]], dtype=dtype)
    column = np.array([[0], [1], [1]], dtype=dtype)
    loss = kind()
    values, dinputs = loss.forward(p, column), loss.backward(p, column)
    for y in (column[:, 0], [0, 1, 1], np.array([0, 1, 1]), np.array([False, True, True])):
        np.testing.assert_array_equal(loss.forward(p, y), values)
        np.testing.assert_array_equal(loss.backward(p, y), dinputs)
        assert loss.dinputs.dtype == dtype


def test_lists_and_mixed_dtypes_follow_the_predictions(loss: Any) -> None:
    p, y = np.array([[0.25, 0.75]], dtype=np.float32), np.array([[0.0, 1.0]])
    assert loss.forward(p, y).dtype == np.float32 and loss.backward(p, y).dtype == np.float32
    np.testing.assert_array_equal(
        loss.forward([[0.25, 0.75]], [[0, 1]]), loss.forward(p.astype(np.float64), y)
    )


@pytest.mark.parametrize("integers", [np.int8, np.uint16, np.int32, np.int64, np.uint64, ">i4"])
def test_labels_one_hot_and_soft_targets_agree(integers: Any, dtype: Any) -> None:
    p = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], dtype=dtype)
    labels = np.array([2, 0]).astype(integers)
    one_hot = np.eye(3)[[2, 0]]
    loss = Loss_CategoricalCrossentropy()
    for y in (labels, labels.tolist(), one_hot.astype(int), one_hot.tolist()):
        np.testing.assert_array_equal(loss.forward(p, y), loss.forward(p, one_hot.astype(dtype)))
        np.testing.assert_array_equal(loss.backward(p, y), loss.backward(p, one_hot.astype(dtype)))


@pytest.mark.parametrize(
    ("y", "error", "text"),
    [
        ([0, 5], ValueError, "y_true: label 5 at index 1: expected 0 to 2"),
        ([-1, 0], ValueError, "y_true: label -1 at index 0: expected 0 to 2"),
        ([0.0, 1.0], TypeError, "y_true: expected integer class labels, got float64"),
        ([[0], [1]], ValueError, r"y_true: expected class labels \(n,\).*y.ravel\(\)"),
        ([0, 1, 2], ValueError, "y_true: expected .*got"),
        ([[0, 1], [1, 0]], ValueError, r"y_true: expected \(2, 3\), got \(2, 2\)"),
        (["a", "b"], TypeError, "y_true: expected real numbers"),
    ],
)
@pytest.mark.parametrize(
    "kind", [Loss_CategoricalCrossentropy, Activation_Softmax_Loss_CategoricalCrossentropy]
)
def test_wrong_class_targets_are_refused(
    kind: Any, y: Any, error: type[Exception], text: str
) -> None:
    loss, p = kind(), np.full((2, 3), 1 / 3)
    with pytest.raises(error, match=f"^{kind.__name__}: {text}"):
        loss.forward(p, y)
    with pytest.raises(error, match=f"^{kind.__name__}: {text}"):
        loss.backward(p, y)
    assert "dinputs" not in loss.__dict__ and "output" not in loss.__dict__


@pytest.mark.parametrize("kind", ELEMENTWISE)
@pytest.mark.parametrize("shape", [(2,), (2, 2), (3, 3), (2, 3, 1)])
def test_wrong_targets_are_refused(kind: Any, shape: tuple[int, ...]) -> None:
    loss = kind()
    with pytest.raises(ValueError, match=f"^{kind.__name__}: y_true: expected"):
        loss.calculate(np.full((2, 3), 0.5), np.zeros(shape))
    assert not loss.__dict__


def test_no_sample_has_no_mean(loss: Any) -> None:
    with pytest.raises(ValueError, match="expected at least one sample, got none"):
        loss.calculate(np.zeros((0, 3)), np.zeros((0, 3)))


def test_absolute_error_descends() -> None:
    loss = Loss_MeanAbsoluteError()
    np.testing.assert_array_equal(
        loss.backward(np.array([[2.0, -1.0, 0.0]]), np.zeros((1, 3))), [[1 / 3, -1 / 3, 0.0]]
    )


def test_joint_softmax_crossentropy_matches_the_two_parts(
    rng: np.random.Generator, dtype: Any
) -> None:
    logits = rng.standard_normal((6, 4)).astype(dtype)
    y = rng.integers(0, 4, 6)
    joint = Activation_Softmax_Loss_CategoricalCrossentropy()
    mean = joint.forward(logits, y)
    assert joint.activation.output is joint.output
    np.testing.assert_array_equal(joint.output, Activation_Softmax().forward(logits))
    eps = float(np.finfo(dtype).eps)
    apart = Loss_CategoricalCrossentropy().calculate(joint.output, y)
    assert mean == pytest.approx(apart, rel=64 * eps)
    dinputs = joint.backward(joint.output, y)
    expected = (joint.output - np.eye(4)[y]) / 6
    assert abs(dinputs - expected).max() <= 4 * eps
    np.testing.assert_array_equal(joint.backward(joint.output, np.eye(4)[y]), dinputs)
    softmax, loss = Activation_Softmax(), Loss_CategoricalCrossentropy()
    parts = softmax.backward(loss.backward(softmax.forward(logits), y))
    assert abs(parts - dinputs).max() <= 64 * eps


def test_joint_loss_is_finite_for_huge_logits(dtype: Any) -> None:
    logits = np.array([[1e4, -1e4, 0.0]], dtype=dtype)
    joint = Activation_Softmax_Loss_CategoricalCrossentropy()
    assert np.isfinite(joint.forward(logits, [1]))
    assert np.isfinite(joint.backward(joint.output, [1])).all()


def test_a_subclass_needs_only_forward_and_backward() -> None:
    class Cubed(Loss):
        def forward(self, y_pred: Any, y_true: Any) -> Any:
            return (abs(y_pred - y_true) ** 3).sum(axis=1)

        def backward(self, dvalues: Any, y_true: Any) -> Any:
            difference = dvalues - y_true
            self.dinputs = 3 * difference * abs(difference) / len(dvalues)
            return self.dinputs

    loss = Cubed()
    p, y = np.array([[1.0], [3.0]]), np.zeros((2, 1))
    assert loss.calculate(p, y) == 14.0
    assert loss.calculate_accumulated(include_regularization=True) == (14.0, 0.0)
    assert pickle.loads(pickle.dumps(Loss_MeanSquaredError())).calculate(p, y) == 5.0
    assert repr(loss) == "Cubed()"


def test_a_subclass_that_returns_a_scalar_is_told_what_is_expected() -> None:
    class Mean(Loss):
        def forward(self, y_pred: Any, y_true: Any) -> Any:
            return np.mean(y_pred)

    with pytest.raises(ValueError, match=r"Mean: forward: expected one loss per sample, \(n,\)"):
        Mean().calculate(np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(NotImplementedError, match="Loss: expected a forward"):
        Loss().calculate(np.ones((2, 1)), np.ones((2, 1)))
