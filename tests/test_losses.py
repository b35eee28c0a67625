"""Losses: the base's contract, targets in every form, gradients as derivatives of the mean."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import (
    Activation_Sigmoid_Loss_BinaryCrossentropy,
    Activation_Softmax,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Layer_Dense,
    Layer_Dropout,
    Loss,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_Hinge,
    Loss_Huber,
    Loss_LogCosh,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
    Loss_Poisson,
    Loss_Quantile,
    catalogue,
)
from chainrule import _core as core
from chainrule.losses.base import penalty_of
from part_cases import examples, name_of, slopes
from part_cases import targets_for as targets_of_row
from tolerance import unit

ROWS = {row["name"]: row for row in core.catalogue()["losses"]}
ELEMENTWISE = [
    Loss_HalfSquaredError,
    Loss_MeanSquaredError,
    Loss_MeanAbsoluteError,
    Loss_BinaryCrossentropy,
    Loss_Huber,
    Loss_LogCosh,
    Loss_Poisson,
    Loss_Hinge,
]
JOINT = [
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Activation_Sigmoid_Loss_BinaryCrossentropy,
]


@pytest.fixture(params=examples("loss"), ids=name_of)
def loss(request: pytest.FixtureRequest) -> Any:
    return request.param()


def probabilities(rng: np.random.Generator, shape: tuple[int, int], dtype: Any) -> Any:
    return rng.uniform(0.05, 0.95, shape).astype(dtype)


def data(loss: Any, rng: np.random.Generator, n: int, dtype: Any) -> tuple[Any, Any]:
    """Predictions (n, 3) in (0, 1) and targets from the loss's domain."""
    row = ROWS[loss.name_in_core()]
    return probabilities(rng, (n, 3), dtype), targets_of_row(row, rng, (n, 3), dtype)


def test_the_vocabulary_is_that_of_the_contract() -> None:
    names = {cls.__name__.removeprefix("Loss_") for cls in catalogue.classes("loss")}
    assert names >= {
        "HalfSquaredError", "MeanSquaredError", "MeanAbsoluteError", "BinaryCrossentropy",
        "CategoricalCrossentropy", "Huber", "LogCosh", "Poisson", "Quantile", "Hinge",
    }  # fmt: skip
    assert list(catalogue.classes("joint")) == JOINT


def test_values_and_gradients_are_those_of_the_reference(
    loss: Any, rng: np.random.Generator, dtype: Any
) -> None:
    p, y = data(loss, rng, 7, dtype)
    forward, backward = reference.LOSSES[loss.name_in_core()]
    values, dinputs = loss.forward(p, y), loss.backward(p, y)
    assert values.shape == (7,) and loss.dinputs is dinputs
    assert values.dtype == dtype and dinputs.dtype == dtype
    wide = p.astype(np.float64), y.astype(np.float64), *loss.parameters()
    # Targets are below 15 and |log p| below 3: three terms of at most 15^2 / 2, 3 * 15, ... ,
    # each of a few roundings.
    scale = 1 + float(abs(wide[1]).max()) ** 2
    assert abs(values - forward(*wide)).max() <= 3 * 16 * unit(dtype) * scale
    expected = backward(*wide)
    assert abs(dinputs - expected).max() <= 64 * unit(dtype) * abs(expected).max()


def test_backward_is_the_derivative_of_the_mean(loss: Any, rng: np.random.Generator) -> None:
    p, y = data(loss, rng, 4, np.float64)
    probe = p.copy()
    expected, error = slopes(lambda: np.atleast_1d(loss.calculate(probe, y)), probe, np.ones(1))
    assert (abs(loss.backward(p, y) - expected) <= error).all()


def test_calculate_works_without_any_other_call(loss: Any, rng: np.random.Generator) -> None:
    p, y = data(loss, rng, 4, np.float64)
    value = loss.calculate(p, y)
    assert value == pytest.approx(loss.forward(p, y).mean(), rel=8 * np.finfo(float).eps)
    assert loss.calculate(p, y, include_regularization=True) == (value, 0.0)


def test_accumulation_divides_sums_by_counts(loss: Any, rng: np.random.Generator) -> None:
    p, y = data(loss, rng, 5, np.float64)
    loss.calculate(p[:1], y[:1])
    loss.new_pass()
    with pytest.raises(ValueError, match="calculate_accumulated: expected a calculate call"):
        loss.calculate_accumulated()
    loss.calculate(p[:2], y[:2])
    loss.calculate(p[2:], y[2:])
    whole = loss.forward(p, y).mean()
    eps = np.finfo(float).eps
    assert loss.calculate_accumulated() == pytest.approx(whole, rel=8 * eps)
    assert loss.calculate_accumulated(include_regularization=True)[1] == 0.0
    assert type(loss.accumulated_sum) is float and type(loss.accumulated_count) is int


def test_results_are_scalars_of_the_outputs_dtype(
    loss: Any, rng: np.random.Generator, dtype: Any
) -> None:
    """The mean is made in double and rounded once, so that it prints as NumPy's would."""
    p, y = data(loss, rng, 5, dtype)
    value = loss.calculate(p, y)
    mean = loss.forward(p, y).mean(dtype=np.float64)
    assert type(value) is dtype and value == pytest.approx(mean, rel=2 * unit(dtype))
    assert type(loss.calculate_accumulated()) is dtype
    assert type(loss.calculate(p.tolist(), y.tolist())) is np.float64


@pytest.mark.parametrize("kind", JOINT)
def test_joint_results_are_scalars_of_the_outputs_dtype(kind: Any, dtype: Any) -> None:
    joint, logits = kind(), np.array([[1.0, -1.0], [0.5, 2.0]], dtype=dtype)
    value = joint.forward(logits, np.eye(2))
    assert type(value) is dtype
    assert type(joint.loss.calculate(joint.output, np.eye(2))) is dtype
    assert str(value) == str(dtype(value))


def test_a_loss_of_ones_own_in_double_is_rounded_to_the_outputs_dtype() -> None:
    class Wide(Loss):
        def forward(self, y_pred: Any, y_true: Any) -> Any:
            return np.abs(y_pred - y_true).mean(axis=1, dtype=np.float64)

    outputs = np.full((2, 1), 0.1, dtype=np.float32)
    assert type(Wide().calculate(outputs, np.zeros((2, 1)))) is np.float32
    assert type(Wide().calculate(outputs.astype(np.float64), np.zeros((2, 1)))) is np.float64


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
    layer.trainable = False
    assert loss.regularization_loss() == loss.regularization_loss(layer) == penalty_of(layer) == 0


def test_regularisation_is_a_scalar_of_the_parameters_dtype(dtype: Any) -> None:
    layer = Layer_Dense(2, 3, weight_regularizer_l2=0.1, dtype=dtype)
    loss = Loss_MeanSquaredError()
    assert type(loss.regularization_loss(layer)) is dtype
    loss.remember_trainable_layers([layer, layer])
    both = loss.calculate(np.ones((1, 3), dtype), np.zeros((1, 3)), include_regularization=True)
    assert [type(value) for value in both] == [dtype, dtype]
    loss.remember_trainable_layers([layer, Layer_Dense(2, 3, dtype=np.float64)])
    assert type(loss.regularization_loss()) is np.float64


def test_regularisation_finds_parameters_of_other_names() -> None:
    class Own:
        parameter_names = ("kernel", "offset")
        kernel = np.array([[1.0, -2.0]])
        offset = np.array([3.0])
        kernel_regularizer_l1 = 0.5
        offset_regularizer_l2 = 2.0

    assert penalty_of(Own()) == 0.5 * 3 + 2.0 * 9
    assert Loss_MeanSquaredError().regularization_loss(Own()) == 19.5
    assert penalty_of(Layer_Dropout(0.5)) == penalty_of(object()) == 0.0


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_one_output_takes_flat_targets_of_any_kind(kind: Any, dtype: Any) -> None:
    p = np.array([[0.25], [0.5], [0.75]], dtype=dtype)
    column = np.array([[0], [1], [1]], dtype=dtype)
    loss = kind()
    values, dinputs = loss.forward(p, column), loss.backward(p, column)
    for y in (column[:, 0], [0, 1, 1], np.array([0, 1, 1]), np.array([False, True, True])):
        np.testing.assert_array_equal(loss.forward(p, y), values)
        assert loss.calculate(p, y) == loss.calculate(p, column)
        np.testing.assert_array_equal(loss.backward(p, y), dinputs)
        assert loss.dinputs.dtype == dtype


def test_lists_and_mixed_dtypes_follow_the_predictions(loss: Any) -> None:
    p = np.array([[0.25, 0.75, 0.5]], dtype=np.float32)
    y = np.array([[1.0]]) if isinstance(loss, Loss_Quantile) else np.array([[0.0, 1.0, 1.0]])
    assert loss.forward(p, y).dtype == np.float32 and loss.backward(p, y).dtype == np.float32
    np.testing.assert_array_equal(
        loss.forward(p.tolist(), y.astype(int).tolist()), loss.forward(p.astype(np.float64), y)
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
        ([[0], [1]], ValueError, r"y_true: expected class labels \(n,\).*np\.ravel\(y\)"),
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
    before = loss.__dict__.copy()
    with pytest.raises(ValueError, match=f"^{kind.__name__}: y_true: expected"):
        loss.calculate(np.full((2, 3), 0.5), np.zeros(shape))
    assert loss.__dict__ == before


def test_no_sample_has_no_mean(loss: Any) -> None:
    columns = 1 if isinstance(loss, Loss_Quantile) else 3
    with pytest.raises(ValueError, match="expected at least one sample, got none"):
        loss.calculate(np.zeros((0, 3)), np.zeros((0, columns)))


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


# Kinks


def test_gradient_is_the_slope_within_a_region(loss: Any, rng: np.random.Generator) -> None:
    """Where a step leaves a region's entry alone, and it is not set apart, the slopes agree."""
    row = ROWS[loss.name_in_core()]
    p = np.concatenate([probabilities(rng, (20, 3), float), rng.choice([0.0, 1.0, 1e-9], (4, 3))])
    y = targets_of_row(row, rng, p.shape, np.float64)
    regions = loss.regions(p, y)
    if regions is None:
        assert not {"absolute", "huber", "quantile", "hinge"} & set(loss.core_name.split("_"))
        return
    region, apart = regions
    assert region.shape == apart.shape == p.shape
    assert region.dtype == np.int8 and apart.dtype == np.bool_
    h, gradient = 2.0**-20, loss.backward(p, y)
    for index in np.ndindex(p.shape):
        above, below = p.copy(), p.copy()
        above[index] += h
        below[index] -= h
        crossed = [loss.regions(moved, y)[0][index] != region[index] for moved in (above, below)]
        if apart[index] or any(crossed):
            continue
        slope = (loss.forward(above, y) - loss.forward(below, y)).sum() / len(p) / (2 * h)
        # truncation h^2 f''' / 6 with f''' up to 15 * 2 / 0.05^3, rounding 15 eps / h
        assert abs(slope - gradient[index]) <= 1e-6


def test_regions_take_labels_and_flat_targets() -> None:
    p = np.array([[1e-9, 0.5], [0.5, 0.5]])
    for y in ([0, 1], np.eye(2)):
        _, apart = Loss_CategoricalCrossentropy().regions(p, y)  # type: ignore[misc]
        assert apart.tolist() == [[True, False], [False, False]]
    _, apart = Loss_CategoricalCrossentropy(0.1).regions(p, [1, 1])  # type: ignore[misc]
    assert apart.tolist() == [[True, False], [False, False]]
    region, _ = Loss_MeanAbsoluteError().regions(np.array([[1.0], [0.0]]), [0.0, 1.0])  # type: ignore[misc]
    assert region.tolist() == [[1], [-1]]


# Settings


def test_repr_shows_settings_that_are_on() -> None:
    assert repr(Loss_Huber()) == "Loss_Huber(delta=1.0)"
    assert repr(Loss_Quantile(0.5)) == "Loss_Quantile(quantiles=(0.5,))"
    assert repr(Loss_CategoricalCrossentropy()) == "Loss_CategoricalCrossentropy()"
    assert repr(Loss_CategoricalCrossentropy(label_smoothing=0.1)).endswith("(label_smoothing=0.1)")
    assert repr(Loss_BinaryCrossentropy()) == "Loss_BinaryCrossentropy()"
    assert repr(Loss_BinaryCrossentropy(True)) == "Loss_BinaryCrossentropy(from_logits=True)"


@pytest.mark.parametrize(
    ("kind", "value", "error", "text"),
    [
        (Loss_Huber, 0, ValueError, "delta: expected a number above 0, got 0"),
        (Loss_Huber, -1, ValueError, "delta: expected a number of at least 0, got -1"),
        (Loss_Huber, "1", TypeError, "delta: expected a number of at least 0"),
        (Loss_Quantile, 0.0, ValueError, "quantiles: expected numbers above 0 and below 1"),
        (Loss_Quantile, (0.5, 1.0), ValueError, "quantiles: expected a number of at least 0 and"),
        (Loss_Quantile, (), ValueError, "quantiles: expected numbers above 0 and below 1"),
        (Loss_Quantile, "median", TypeError, "quantiles: expected a number of at least 0 and"),
        (Loss_CategoricalCrossentropy, 1.0, ValueError, "label_smoothing: expected a number of"),
        (Loss_CategoricalCrossentropy, -0.1, ValueError, "label_smoothing: expected a number of"),
    ],
)
def test_settings_out_of_range_are_refused(
    kind: type, value: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=f"^{kind.__name__}: {text}"):
        kind(value)


def test_copies_keep_settings_and_sums(loss: Any, rng: np.random.Generator) -> None:
    p, y = data(loss, rng, 3, np.float32)
    loss.calculate(p, y)
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert twin.parameters() == loss.parameters() and repr(twin) == repr(loss)
        assert twin.calculate_accumulated() == loss.calculate_accumulated()


def test_objects_from_before_a_setting_was_added_have_its_default() -> None:
    old = Loss_CategoricalCrossentropy.__new__(Loss_CategoricalCrossentropy)
    assert old.calculate(np.array([[0.5, 0.5]]), [0]) == pytest.approx(np.log(2))
    assert not Loss_BinaryCrossentropy.__new__(Loss_BinaryCrossentropy).from_logits


def test_old_places_of_the_classes_still_lead_to_them() -> None:
    """Pickles name module and class."""
    from chainrule import activations, losses

    for cls in (*catalogue.classes("loss"), *catalogue.classes("joint"), Loss):
        assert getattr(losses, cls.__name__) is cls
    for cls in catalogue.classes("activation"):
        assert getattr(activations, cls.__name__) is cls


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_joint_value_refuses_what_the_loss_refuses(smoothing: float) -> None:
    loss = Loss_CategoricalCrossentropy(label_smoothing=smoothing)
    with pytest.raises(ValueError, match=r"label 3 at index 1: expected 0 to 2"):
        loss.joint_value(np.zeros((2, 3)), np.array([0, 3]))
    for y in (np.zeros(2, int), np.zeros((2, 0))):
        with pytest.raises(ValueError, match=r"inputs: expected at least one column, got \(2, 0\)"):
            loss.joint_value(np.zeros((2, 0)), y)
