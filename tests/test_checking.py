"""gradcheck finds wrong gradients, passes right ones, and leaves everything as it was."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
    Model,
    Optimizer_Adam,
    gradcheck,
    numerical_gradient,
)

ACTIVATIONS = [
    Activation_ReLU, Activation_Sigmoid, Activation_Tanh, Activation_Linear, Activation_Softmax,
]  # fmt: skip


def make_model(loss: Any, *between: Any, sizes: tuple[int, ...], dtype: Any, **dense: Any) -> Model:
    """Dense layers of these sizes, each followed by the next of `between` (None: nothing)."""
    model = Model()
    for k, (n_inputs, n_neurons) in enumerate(pairwise(sizes)):
        layer = Layer_Dense(n_inputs, n_neurons, weight_scale=0.7, dtype=dtype, rng=k, **dense)
        layer.biases += 0.1
        model.add(layer)
        for part in between[k] if isinstance(between[k], tuple) else (between[k],):
            model.add(part)
    model.set(loss=loss, optimizer=Optimizer_Adam())
    model.finalize()
    return model


def of_array(report: Any, array: str, way: str = "layers") -> Any:
    (row,) = [row for row in report.rows if row.array == array and row.way == way]
    return row


# numerical_gradient


def test_numerical_gradient_of_a_quadratic_is_exact_to_rounding(rng: Any) -> None:
    a, w = rng.standard_normal((4, 4)), rng.standard_normal(4)
    got = numerical_gradient(lambda v: float(v @ a @ v), w)
    size = float(np.abs(w) @ np.abs(a) @ np.abs(w))
    np.testing.assert_allclose(
        got, (a + a.T) @ w, rtol=0, atol=40 * np.finfo(float).eps * size / 1e-5
    )
    assert got.dtype == np.float64


def test_numerical_gradient_restores_the_array(rng: Any) -> None:
    array = rng.standard_normal((3, 2))
    before = array.copy()

    def fails(_: Any) -> float:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        numerical_gradient(fails, array)
    np.testing.assert_array_equal(array, before)
    numerical_gradient(lambda a: float(a.sum()), array)
    np.testing.assert_array_equal(array, before)


def test_numerical_gradient_of_float32_divides_by_the_step_really_taken() -> None:
    array = np.array([1000.0, -3.0], dtype=np.float32)
    got = numerical_gradient(lambda a: float(a.astype(np.float64) @ [2.0, 5.0]), array, h=1e-3)
    np.testing.assert_allclose(got, [2.0, 5.0], rtol=1e-9)


def test_numerical_gradient_of_a_layers_weights_in_place(rng: Any) -> None:
    layer = Layer_Dense(3, 2, dtype=np.float64, rng=rng)
    inputs = rng.standard_normal((5, 3))
    got = numerical_gradient(lambda _: float(layer.forward(inputs).sum()), layer.weights)
    layer.backward(np.ones((5, 2)))
    np.testing.assert_allclose(got, layer.dweights, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("array", "h", "error", "text"),
    [
        ([1.0], 1e-5, TypeError, "expected an ndarray of floats, got list"),
        (np.array([1, 2]), 1e-5, TypeError, "expected an ndarray of floats, got int64"),
        (np.broadcast_to(1.0, 3), 1e-5, ValueError, "expected a writeable array"),
        (np.ones(2), 0.0, ValueError, "h: expected a positive number, got 0"),
        (np.ones(2), np.nan, ValueError, "h: expected a positive number, got nan"),
        (np.ones(2), "1e-5", TypeError, "h: expected a positive number, got '1e-5'"),
        (np.ones(2), 1e-300, ValueError, r"h: expected a step that changes 1.0 at index \(0,\)"),
        (np.ones(2, dtype=np.float32), 1e-9, ValueError, "in float32, got 1e-09"),
    ],
)
def test_numerical_gradient_refuses(array: Any, h: float, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        numerical_gradient(lambda a: float(a.sum()), array, h)


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (np.ones(3), r"an array of shape \(3,\)"),
        (np.ones((2, 1)), r"an array of shape \(2, 1\)"),
        (None, "NoneType"),
        ([1.0], "list"),
        ("3", "'3'"),
        (1j, "1j"),
    ],
)
def test_numerical_gradient_needs_a_number(value: Any, got: str) -> None:
    array = np.array([1.0, 2.0])
    with pytest.raises(TypeError, match=f"expected a function that returns a number, got {got}"):
        numerical_gradient(lambda _: value, array)
    np.testing.assert_array_equal(array, [1.0, 2.0])


def test_numerical_gradient_takes_arrays_of_one_number() -> None:
    got = numerical_gradient(lambda a: (a * a).sum(keepdims=True), np.array([[1.0, -2.0]]))
    np.testing.assert_allclose(got, [[2.0, -4.0]], rtol=1e-9)
    assert numerical_gradient(lambda a: a**2, np.array(3.0)) == pytest.approx(6.0)


# What is right passes


def test_dense_with_all_regularisation_passes(dtype: Any, rng: Any) -> None:
    layer = Layer_Dense(5, 4, 0.1, 0.2, 0.3, 0.4, weight_scale=1.0, dtype=dtype, rng=rng)
    layer.biases += 0.5
    report = gradcheck(layer, rng.standard_normal((7, 5)), full=True)
    assert report, report
    assert [row.array for row in report.rows] == ["inputs", "weights", "biases"]
    assert [row.checked for row in report.rows] == [35, 20, 4]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_passes(activation: Any, dtype: Any, rng: Any) -> None:
    report = gradcheck(activation(), 2 * rng.standard_normal((6, 5)).astype(dtype))
    assert report, report
    assert dtype.__name__ in report.title


@pytest.mark.parametrize("loss", [Loss_HalfSquaredError, Loss_MeanSquaredError,
                                  Loss_MeanAbsoluteError])  # fmt: skip
def test_regression_loss_passes(loss: Any, dtype: Any, rng: Any) -> None:
    pred, y = rng.standard_normal((2, 6, 3))
    report = gradcheck(loss(), pred.astype(dtype), y)
    assert report, report


def test_classification_losses_pass(dtype: Any, rng: Any) -> None:
    p = rng.uniform(0.1, 0.9, (6, 3)).astype(dtype)
    labels = rng.integers(0, 3, 6)
    soft = rng.dirichlet(np.ones(3), 6)
    assert gradcheck(Loss_BinaryCrossentropy(), p, rng.integers(0, 2, (6, 3)))
    for y in (labels, np.eye(3, dtype=np.float64)[labels], soft):
        assert gradcheck(Loss_CategoricalCrossentropy(), p, y)
        joint = Activation_Softmax_Loss_CategoricalCrossentropy()
        assert gradcheck(joint, 3 * rng.standard_normal((6, 3)).astype(dtype), y)


MODELS: dict[str, Any] = {
    "softmax": (Loss_CategoricalCrossentropy, Activation_ReLU, Activation_Softmax, (4, 9, 3)),
    "binary": (Loss_BinaryCrossentropy, Activation_Tanh, Activation_Sigmoid, (4, 9, 1)),
    "half": (Loss_HalfSquaredError, Activation_Tanh, Activation_Linear, (4, 9, 2)),
    "mean": (Loss_MeanSquaredError, Activation_Sigmoid, Activation_Tanh, (4, 9, 2)),
    "absolute": (Loss_MeanAbsoluteError, Activation_ReLU, Activation_Linear, (4, 9, 2)),
}


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("strength", [0.0, 0.01])
def test_model_passes_in_both_ways(name: str, strength: float, dtype: Any, rng: Any) -> None:
    loss, hidden, last, sizes = MODELS[name]
    extra = {
        f"{kind}_regularizer_{power}": strength
        for kind in ("weight", "bias")
        for power in ("l1", "l2")
    }
    model = make_model(loss(), hidden(), last(), sizes=sizes, dtype=dtype, **extra)
    X = rng.standard_normal((11, 4))
    y = {"softmax": rng.integers(0, 3, 11), "binary": rng.integers(0, 2, (11, 1))}.get(
        name, rng.standard_normal((11, 2))
    )
    report = gradcheck(model, X, y)
    assert report, report
    assert {row.way for row in report.rows} == {"layers", "plan"}
    assert of_array(report, "Layer_Dense 3: weights", "plan").checked > 0


def test_dropout_masks_are_held_fixed(dtype: Any, rng: Any) -> None:
    dropout = (Activation_Tanh(), Layer_Dropout(0.4, rng=1))
    model = make_model(
        Loss_HalfSquaredError(), dropout, Activation_Linear(), sizes=(4, 30, 2), dtype=dtype
    )
    report = gradcheck(model, rng.standard_normal((9, 4)), rng.standard_normal((9, 2)))
    assert report, report
    assert gradcheck(Layer_Dropout(0.5, rng=2), rng.standard_normal((20, 3)).astype(dtype))


def test_layers_of_both_dtypes_pass_together(rng: Any) -> None:
    for first, second in ((np.float32, np.float64), (np.float64, np.float32)):
        model = Model()
        model.add(Layer_Dense(3, 6, weight_scale=0.7, dtype=first, rng=0))
        model.add(Activation_Tanh())
        model.add(Layer_Dense(6, 2, weight_scale=0.7, dtype=second, rng=1))
        model.set(loss=Loss_MeanSquaredError())
        report = gradcheck(model, rng.standard_normal((7, 3)), rng.standard_normal((7, 2)))
        assert report, report


def test_a_single_regression_output_takes_targets_of_one_axis(rng: Any) -> None:
    model = make_model(
        Loss_HalfSquaredError(), Activation_Tanh(), Activation_Linear(), sizes=(2, 5, 1),
        dtype=np.float64,
    )  # fmt: skip
    assert gradcheck(model, rng.standard_normal((6, 2)), rng.standard_normal(6))


def test_confident_predictions_do_not_hide_the_gradient(dtype: Any, rng: Any) -> None:
    model = make_model(
        Loss_CategoricalCrossentropy(), Activation_ReLU(), Activation_Softmax(), sizes=(4, 20, 3),
        dtype=dtype,
    )  # fmt: skip
    model.layers[2].weights *= 30  # most probabilities lie beyond the clip at 1e-7
    report = gradcheck(model, rng.standard_normal((16, 4)), rng.integers(0, 3, 16))
    assert report, report
    assert of_array(report, "Layer_Dense 3: weights").checked == 60


def test_saturated_units_are_no_false_alarm(dtype: Any, rng: Any) -> None:
    for loss, last in (
        (Loss_MeanSquaredError(), Activation_Linear()),
        (Loss_BinaryCrossentropy(), Activation_Sigmoid()),
    ):
        model = make_model(loss, Activation_Sigmoid(), last, sizes=(5, 12, 2), dtype=dtype)
        X = 12 * rng.standard_normal((15, 5))
        model.layers[2].weights *= 8
        report = gradcheck(model, X, rng.integers(0, 2, (15, 2)))
        assert report, report


# What is wrong does not


class Scaled(Layer_Dense):
    """One array of the gradient is off by a factor."""

    wrong, factor = "dweights", 1.001

    def backward(self, dvalues: Any) -> Any:
        super().backward(dvalues)
        setattr(self, self.wrong, getattr(self, self.wrong) * self.factor)
        return self.dinputs


@pytest.mark.parametrize("wrong", ["dweights", "dbiases", "dinputs"])
@pytest.mark.parametrize("factor", [1.001, -1.0, 0.0])
def test_a_wrong_layer_is_found(wrong: str, factor: float, dtype: Any, rng: Any) -> None:
    layer = Scaled(5, 4, weight_scale=1.0, dtype=dtype, rng=rng)
    layer.wrong, layer.factor = wrong, factor
    report = gradcheck(layer, rng.standard_normal((7, 5)))
    assert not report
    assert "WRONG" in str(report)
    assert [row.array for row in report.rows if not row] == [wrong[1:]]


def test_a_wrong_layer_inside_a_model_is_found_in_both_ways(dtype: Any, rng: Any) -> None:
    model = Model()
    for part in (Scaled(4, 9, weight_scale=0.7, dtype=dtype, rng=0), Activation_Tanh(),
                 Layer_Dense(9, 2, weight_scale=0.7, dtype=dtype, rng=1)):  # fmt: skip
        model.add(part)
    model.set(loss=Loss_HalfSquaredError())
    model.finalize()
    report = gradcheck(model, rng.standard_normal((9, 4)), rng.standard_normal((9, 2)))
    wrong = [(row.array, row.way) for row in report.rows if not row]
    assert wrong == [("Scaled 1: weights", "layers"), ("Scaled 1: weights", "plan")]


class ReversedAbsoluteError(Loss_MeanAbsoluteError):
    def backward(self, dvalues: Any, y_true: Any) -> Any:
        self.dinputs = -super().backward(dvalues, y_true)
        return self.dinputs


def test_a_loss_with_the_wrong_sign_is_found(rng: Any) -> None:
    pred, y = rng.standard_normal((2, 6, 3))
    assert not gradcheck(ReversedAbsoluteError(), pred, y)


class Square:
    """A user's own layer: no training argument, no dtype, no base class."""

    slope = 2.0

    def __init__(self) -> None:
        self.gain = np.array([[1.0, 2.0, 3.0]])

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = self.gain * inputs**2

    def backward(self, dvalues: Any) -> None:
        self.dgain = (dvalues * self.inputs**2).sum(axis=0, keepdims=True)
        self.dinputs = dvalues * self.gain * self.slope * self.inputs


def test_a_users_own_layer_is_checked(rng: Any) -> None:
    layer, X = Square(), rng.standard_normal((5, 3))
    report = gradcheck(layer, X)
    assert report, report
    assert [row.array for row in report.rows] == ["inputs", "gain"]
    layer.slope = 2.001
    assert not of_array(gradcheck(layer, X), "inputs")


def test_a_gradient_that_is_not_a_number_is_wrong() -> None:
    layer = Square()
    layer.slope = float("nan")
    assert not gradcheck(layer, np.ones((2, 3)))


# Kinks


def test_relu_at_zero_is_counted_apart() -> None:
    report = gradcheck(Activation_ReLU(), np.array([[0.0, 1.0, -1.0, 1e-6]]))
    assert report
    assert (report.rows[0].checked, report.rows[0].at_kinks) == (2, 2)


def test_l1_at_zero_is_counted_apart() -> None:
    layer = Layer_Dense(2, 2, 0.1, dtype=np.float64, rng=0)
    layer.weights = [[0.0, 1.0], [-1.0, 1e-6]]
    report = gradcheck(layer, np.ones((1, 2)))
    assert report
    assert (report.rows[1].checked, report.rows[1].at_kinks) == (2, 2)


def test_a_prediction_at_its_target_is_counted_apart() -> None:
    report = gradcheck(Loss_MeanAbsoluteError(), np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]))
    assert report
    assert (report.rows[0].checked, report.rows[0].at_kinks) == (1, 1)


def test_clipped_predictions_are_counted_apart() -> None:
    p = np.array([[1e-9, 0.5], [0.5, 1 - 1e-9]])
    report = gradcheck(Loss_BinaryCrossentropy(), p, np.array([[1, 0], [0, 1]]))
    assert report, report
    assert (report.rows[0].checked, report.rows[0].at_kinks) == (2, 2)


def test_nothing_but_kinks_is_no_pass() -> None:
    report = gradcheck(Activation_ReLU(), np.zeros((2, 2)))
    assert not report
    assert "nothing could be checked" in str(report)


# The report, the promises, the errors


def small_model(dtype: Any = np.float64) -> Model:
    return make_model(
        Loss_CategoricalCrossentropy(), (Activation_ReLU(), Layer_Dropout(0.2, rng=0)),
        Activation_Softmax(), sizes=(4, 80, 3), dtype=dtype,
    )  # fmt: skip


def test_report_is_a_table_and_a_truth_value(rng: Any) -> None:
    report = gradcheck(small_model(), rng.standard_normal((5, 4)), rng.integers(0, 3, 5))
    assert bool(report) is True
    assert repr(report) == str(report)
    lines = str(report).splitlines()
    assert lines[0] == "gradcheck: Model, 5 samples, float64"
    assert lines[1].split() == [
        "array", "way", "gradient", "checked", "at", "kinks", "error", "tolerance", "verdict",
    ]  # fmt: skip
    assert lines[-2].startswith("plan: ")
    assert lines[-1] == "all 9 arrays agree"


def test_at_most_200_entries_unless_full(rng: Any) -> None:
    X, y = rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    row = of_array(gradcheck(small_model(), X, y), "Layer_Dense 1: weights")
    assert row.checked + row.at_kinks == 200
    row = of_array(gradcheck(small_model(), X, y, full=True), "Layer_Dense 1: weights")
    assert row.checked + row.at_kinks == 320


def contents(model: Model) -> list[Any]:
    found: list[Any] = []
    for part in [*model.layers, model.loss, model.optimizer]:
        found.append({k: copy.deepcopy(v) for k, v in vars(part).items() if k != "_key"})
    return found


def test_model_data_and_global_random_state_are_left_unchanged(dtype: Any, rng: Any) -> None:
    model, X, y = small_model(dtype), rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    model.train(X, y, epochs=2, progress=False)
    held = [layer.weights for layer in model.layers[::3]]
    before, X_before, state = contents(model), X.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    assert gradcheck(model, X, y)
    assert all(a is b.weights for a, b in zip(held, model.layers[::3], strict=True))
    for was, part in zip(before, contents(model), strict=True):
        assert was.keys() == part.keys()
        for name, value in was.items():
            if isinstance(value, (np.ndarray, int, float, str, tuple, type(None))):
                np.testing.assert_array_equal(part[name], value)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_the_same_check_gives_the_same_report(rng: Any) -> None:
    model, X, y = small_model(), rng.standard_normal((5, 4)), rng.integers(0, 3, 5)
    assert str(gradcheck(model, X, y)) == str(gradcheck(model, X, y))
