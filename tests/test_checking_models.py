"""gradcheck of whole models, losses and activations: what is wrong, where, and what is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import (
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Softmax_Loss_CategoricalCrossentropy,
    Activation_Tanh,
    Layer_Dense,
    Loss,
    Loss_CategoricalCrossentropy,
    Loss_MeanSquaredError,
    Model,
    gradcheck,
)

SAMPLES, INPUTS = 8, 4


def dense(n_inputs: int, n_neurons: int, dtype: Any, seed: int, kind: Any = Layer_Dense,
          **settings: Any) -> Any:  # fmt: skip
    return kind(n_inputs, n_neurons, weight_scale=0.7, dtype=dtype, rng=seed, **settings)


def model_of(loss: Any, *layers: Any) -> Model:
    model = Model()
    for layer in layers:
        model.add(layer)
    model.set(loss=loss)
    return model


def row_of(report: Any, array: str, way: str = "layers") -> Any:
    (row,) = [row for row in report.rows if row.array == array and row.way == way]
    return row


def wrong_rows(report: Any) -> list[tuple[str, str]]:
    return [(row.array, row.way) for row in report.rows if row.verdict == "WRONG"]


def data(rng: Any, n_outputs: int) -> tuple[Any, Any]:
    return rng.standard_normal((SAMPLES, INPUTS)), rng.standard_normal((SAMPLES, n_outputs))


# Losses


class OwnLoss(Loss):
    """Mean squared error; `factor` 1 is right."""

    factor: Any = 1

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return np.mean((y_true - y_pred) ** 2, axis=-1)

    def backward(self, dvalues: Any, y_true: Any) -> Any:
        n, m = dvalues.shape
        self.dinputs = dvalues.dtype.type(self.factor) * 2 * (dvalues - y_true) / n / m
        return self.dinputs


class BareLoss:
    """No base class, and backward returns nothing but sets dinputs."""

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return ((y_true - y_pred) ** 2).sum(axis=1)

    def backward(self, dvalues: Any, y_true: Any) -> None:
        self.dinputs = 2 * (dvalues - y_true) / len(dvalues)


LOSS_FAULTS = {
    -1: "expected: multiply by -1",
    SAMPLES: "multiply by 1/n (n = 8 samples): a sum where a mean is meant",
    1 / SAMPLES: "multiply by n (n = 8 samples): divided by n once too often",
    3: "multiply by 1/m (m = 3 outputs)",
    1.01: "expected: multiply by 0.990099",
}


@pytest.mark.parametrize("factor", list(LOSS_FAULTS))
def test_a_wrong_loss_is_found_alone_and_in_a_model(factor: float, dtype: Any, rng: Any) -> None:
    loss = OwnLoss()
    loss.factor = factor
    X, y = data(rng, 3)
    alone = gradcheck(loss, X[:, :3].astype(dtype), y)
    assert not alone
    assert LOSS_FAULTS[factor] in row_of(alone, "inputs").hint
    model = model_of(loss, dense(INPUTS, 5, dtype, 0), Activation_Tanh(), dense(5, 3, dtype, 1))
    report = gradcheck(model, X, y)
    assert len(wrong_rows(report)) == len(report.rows)
    assert all(LOSS_FAULTS[factor] in row.hint for row in report.rows)
    (note,) = report.notes
    assert note.startswith("OwnLoss: dinputs is wrong by itself: ")
    assert LOSS_FAULTS[factor] in note


@pytest.mark.parametrize("loss", [OwnLoss, BareLoss])
def test_a_users_own_loss_gets_a_column_of_targets(loss: Any, dtype: Any, rng: Any) -> None:
    X, y = data(rng, 1)
    model = model_of(loss(), dense(INPUTS, 5, dtype, 0), Activation_Tanh(), dense(5, 1, dtype, 1))
    for targets in (y, y[:, 0], y[:, 0].tolist()):
        report = gradcheck(model, X, targets)
        assert report, report
        assert gradcheck(loss(), X[:, :1].astype(dtype), targets)
    with pytest.raises(ValueError, match=r"y: expected 8 samples, as X has, got \(3,\)"):
        gradcheck(loss(), X[:, :1], y[:3, 0])


def test_a_loss_whose_backward_has_another_shape_is_wrong_and_stops_there(rng: Any) -> None:
    class Flat(OwnLoss):
        def backward(self, dvalues: Any, y_true: Any) -> Any:
            return super().backward(dvalues, y_true)[:, 0]

    X, y = data(rng, 2)
    report = gradcheck(model_of(Flat(), dense(INPUTS, 2, np.float64, 0)), X, y)
    assert row_of(report, "Flat: inputs").hint == "expected dinputs (8, 2), got (8,)"
    rest = [row for row in report.rows if row.array != "Flat: inputs"]
    assert [row.verdict for row in rest] == ["not checkable"] * 3
    assert "not reached: Flat gives no dinputs" in rest[0].hint
    assert not report


def test_target_rows_need_not_sum_to_one(dtype: Any, rng: Any) -> None:
    class OfSumOne(Activation_Softmax_Loss_CategoricalCrossentropy):
        """`p - y`: right where the targets sum to 1."""

        def backward(self, dvalues: Any, y_true: Any) -> Any:
            self.dinputs = (dvalues - y_true) / dvalues.dtype.type(len(dvalues))
            return self.dinputs

    class OfAnySum(OfSumOne):
        def backward(self, dvalues: Any, y_true: Any) -> Any:
            sums = y_true.sum(axis=1, keepdims=True)
            self.dinputs = (dvalues * sums - y_true) / dvalues.dtype.type(len(dvalues))
            return self.dinputs

    z = rng.standard_normal((SAMPLES, 3)).astype(dtype)
    y = np.eye(3)[rng.integers(0, 3, SAMPLES)]
    assert gradcheck(OfSumOne(), z, y)
    assert not gradcheck(OfSumOne(), z, y / 2)
    report = gradcheck(OfAnySum(), z, rng.uniform(0, 1, (SAMPLES, 3)))
    assert report, report


def test_a_users_own_pair_of_activation_and_loss_is_checked(dtype: Any, rng: Any) -> None:
    class Pair:
        sign = 1

        def __init__(self) -> None:
            self.activation = Activation_Softmax()
            self.loss = Loss_CategoricalCrossentropy()

        def forward(self, inputs: Any, y_true: Any) -> Any:
            self.output = self.activation.forward(inputs)
            return self.loss.calculate(self.output, y_true)

        def backward(self, dvalues: Any, y_true: Any) -> None:
            self.dinputs = dvalues.copy()
            self.dinputs[np.arange(len(dvalues)), y_true] -= 1
            self.dinputs *= dvalues.dtype.type(self.sign / len(dvalues))

    pair, z = Pair(), rng.standard_normal((SAMPLES, 3)).astype(dtype)
    y = rng.integers(0, 3, SAMPLES)
    assert gradcheck(pair, z, y)
    pair.sign = -1
    assert row_of(gradcheck(pair, z, y), "inputs").hint == "expected: multiply by -1"


# Activations, regularisation, and the layer that is the cause


class NoDerivative(Activation_Tanh):
    def backward(self, dvalues: Any) -> Any:
        self.dinputs = np.array(dvalues)
        return self.dinputs


def test_a_missing_derivative_is_named_alone_and_in_a_model(dtype: Any, rng: Any) -> None:
    X, y = data(rng, 2)
    words = "dinputs equals dvalues: the activation's derivative is missing"
    alone = gradcheck(NoDerivative(), X.astype(dtype))
    assert row_of(alone, "inputs").hint == words
    model = model_of(
        Loss_MeanSquaredError(), dense(INPUTS, 5, dtype, 0), NoDerivative(), dense(5, 2, dtype, 1)
    )
    report = gradcheck(model, X, y)
    assert report.notes == (f"NoDerivative 2: dinputs is wrong by itself: {words}",)
    below = ["inputs", "Layer_Dense 1: weights", "Layer_Dense 1: biases"]
    assert wrong_rows(report) == [(name, "layers") for name in below] + [
        (name, "plan") for name in below[1:]
    ]


class Regularised(Layer_Dense):
    """Adds `share` times its regularisation to the gradients, and the rest not."""

    share = 1.0

    def backward(self, dvalues: Any) -> Any:
        names = [f"weight_regularizer_{power}" for power in ("l1", "l2")]
        strengths = [getattr(self, name) for name in names]
        for name, strength in zip(names, strengths, strict=True):
            setattr(self, name, self.share * strength)
        super().backward(dvalues)
        for name, strength in zip(names, strengths, strict=True):
            setattr(self, name, strength)
        return self.dinputs


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "is missing"), (2, "is counted twice"), (0.5, "counts half"), (-1, "has the wrong sign")],
)
def test_wrong_regularisation_is_named(share: float, words: str, dtype: Any, rng: Any) -> None:
    settings = {"weight_regularizer_l1": 0.1, "weight_regularizer_l2": 0.3}
    layer = dense(INPUTS, 3, dtype, 0, Regularised, **settings)
    X, y = data(rng, 3)
    assert gradcheck(layer, X)
    layer.share = share
    for report, name in (
        (gradcheck(layer, X), "weights"),
        (gradcheck(model_of(OwnLoss(), layer), X, y), "Regularised 1: weights"),
    ):
        assert row_of(report, name).hint == f"regularisation {words}", report
        assert {row for row, _ in wrong_rows(report)} == {name}


class Narrow:
    """A layer whose dinputs lack a column."""

    def forward(self, inputs: Any) -> Any:
        return 2 * inputs

    def backward(self, dvalues: Any) -> Any:
        return 2 * dvalues[:, 1:]


def test_every_parameter_has_a_row_where_backward_comes_to_a_halt(rng: Any) -> None:
    X, y = data(rng, 2)
    model = model_of(
        OwnLoss(), dense(INPUTS, 5, np.float64, 0), Narrow(), dense(5, 2, np.float64, 1)
    )
    report = gradcheck(model, X, y)
    assert [(row.array, row.verdict) for row in report.rows] == [
        ("inputs", "not checkable"),
        ("Layer_Dense 1: weights", "not checkable"),
        ("Layer_Dense 1: biases", "not checkable"),
        ("Layer_Dense 3: weights", "ok"),
        ("Layer_Dense 3: biases", "ok"),
        ("Narrow 2: inputs", "WRONG"),
    ]
    assert row_of(report, "Narrow 2: inputs").hint == "expected dinputs (8, 5), got (8, 4)"
    assert report.plan == "plan: not looked at, because a layer's gradient is not usable"


def test_a_models_own_backward_is_what_is_checked(dtype: Any, rng: Any) -> None:
    class Halved(Model):
        def backward(self, output: Any, y: Any) -> None:
            super().backward(output, y)
            self.layers[0].dweights *= 0.5

    X, y = data(rng, 2)
    model = Halved()
    model.add(dense(INPUTS, 2, dtype, 0))
    model.set(loss=OwnLoss())
    report = gradcheck(model, X, y)
    assert wrong_rows(report) == [("Layer_Dense 1: weights", "layers")]
    words = "expected: multiply by 2, or m (m = 2 outputs)"
    assert row_of(report, "Layer_Dense 1: weights").hint == words
    assert report.notes == ("no layer is wrong by itself, nor is the loss",)


def test_a_models_own_backward_that_leaves_no_gradient_is_wrong(rng: Any) -> None:
    class Lost(Model):
        def backward(self, output: Any, y: Any) -> None:
            super().backward(output, y)
            del self.layers[0].dweights

    X, y = data(rng, 2)
    model = Lost()
    model.add(dense(INPUTS, 2, np.float64, 0))
    model.set(loss=OwnLoss())
    report = gradcheck(model, X, y)
    assert wrong_rows(report) == [("Layer_Dense 1: weights", "layers")]
    assert "the model's own backward leaves no gradient" in str(report)


# Frozen layers


def test_a_frozen_layer_is_checked_and_the_plan_leaves_it(dtype: Any, rng: Any) -> None:
    model = model_of(
        Loss_MeanSquaredError(), dense(INPUTS, 5, dtype, 0), Activation_Sigmoid(),
        dense(5, 2, dtype, 1),
    )  # fmt: skip
    model.layers[0].trainable = False
    report = gradcheck(model, *data(rng, 2))
    assert report, report
    assert row_of(report, "Layer_Dense 1: weights").checked == 20
    plan = {row.array for row in report.rows if row.way == "plan"}
    assert plan == {"Layer_Dense 3: weights", "Layer_Dense 3: biases"}
    assert report.notes == ("Layer_Dense 1: `train` leaves it as it is: trainable is False",)
    assert model.layers[0].trainable is False


def test_a_layer_taken_out_of_trainable_layers_is_checked_and_told(rng: Any) -> None:
    model = model_of(
        Loss_MeanSquaredError(), dense(INPUTS, 5, np.float64, 0), Activation_Sigmoid(),
        dense(5, 2, np.float64, 1),
    )  # fmt: skip
    model.finalize()
    model.trainable_layers = model.trainable_layers[1:]
    report = gradcheck(model, *data(rng, 2))
    assert report, report
    assert row_of(report, "Layer_Dense 1: weights").checked == 20
    assert {row.array[:13] for row in report.rows if row.way == "plan"} == {"Layer_Dense 3"}
    words = "Layer_Dense 1: `train` leaves it as it is: it is not in trainable_layers"
    assert report.notes == (words,)


class Kernel:
    parameter_names = ("kernel",)

    def __init__(self, rng: Any, dtype: Any) -> None:
        self.kernel = rng.standard_normal((INPUTS, 3)).astype(dtype)

    def forward(self, inputs: Any) -> Any:
        self.inputs = inputs
        return inputs @ self.kernel

    def backward(self, dvalues: Any) -> Any:
        self.dkernel = self.inputs.T @ dvalues
        return dvalues @ self.kernel.T


def test_a_layer_that_builds_itself_is_checked_and_told(rng: Any) -> None:
    class Built(Kernel):
        def __init__(self) -> None:
            pass

        def forward(self, inputs: Any) -> Any:
            if not hasattr(self, "kernel"):
                super().__init__(np.random.default_rng(0), inputs.dtype)
            return super().forward(inputs)

    report = gradcheck(model_of(OwnLoss(), Built()), *data(rng, 3))
    assert report, report
    assert [row.array for row in report.rows] == ["inputs", "Built 1: kernel"]
    assert "the step of `train` is not seen" in report.notes[0]


def test_parameters_of_any_name_are_checked_in_both_ways(dtype: Any, rng: Any) -> None:
    model = model_of(OwnLoss(), Kernel(rng, dtype), Activation_Tanh(), dense(3, 2, dtype, 1))
    report = gradcheck(model, *data(rng, 2))
    assert report, report
    assert row_of(report, "Kernel 1: kernel", "plan").checked == 12
