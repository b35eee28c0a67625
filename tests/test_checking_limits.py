"""Where a check is hard: kinks nobody tells of, tiny gradients, values computed coarsely."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

from chainrule import Layer_Dense, Loss, Loss_MeanSquaredError, Model, gradcheck

WIDTH = 5


class ReLU:
    """Tells nothing of its kink."""

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues: Any) -> None:
        self.dinputs = dvalues * (self.inputs > 0)


class Sigmoid:
    def forward(self, inputs: Any) -> None:
        self.output = 1 / (1 + np.exp(-inputs))

    def backward(self, dvalues: Any) -> None:
        self.dinputs = dvalues * self.output * (1 - self.output)


class Kernel:
    parameter_names = ("kernel",)

    def __init__(self, n_inputs: int, n_neurons: int, rng: Any, dtype: Any) -> None:
        self.kernel = rng.standard_normal((n_inputs, n_neurons)).astype(dtype)

    def forward(self, inputs: Any) -> Any:
        self.inputs = inputs
        return inputs @ self.kernel

    def backward(self, dvalues: Any) -> Any:
        self.dkernel = self.inputs.T @ dvalues
        return dvalues @ self.kernel.T


# Kinks that nobody tells of


def test_an_unmarked_kink_is_counted_apart_and_a_near_one_is_stepped_round() -> None:
    report = gradcheck(ReLU(), np.array([[0.0, 1.0, -1.0, 1e-6, -3e-6, 7e-6]]))
    assert report, report
    assert (report.rows[0].checked, report.rows[0].at_kinks) == (5, 1)


def test_a_users_own_regions_are_read() -> None:
    class Marked(ReLU):
        def regions(self, inputs: Any) -> Any:
            return (inputs > 0).astype(int)

    report = gradcheck(Marked(), np.array([[0.0, 1.0, -1.0, 1e-6]]))
    assert report, report
    assert (report.rows[0].checked, report.rows[0].at_kinks) == (2, 2)


# Sensitivity: one entry of many, tiny gradients, saturated units


def test_one_wrong_entry_beyond_those_drawn_is_found(dtype: Any) -> None:
    class OneWrong(Layer_Dense):
        place = (0, 0)

        def backward(self, dvalues: Any) -> Any:
            super().backward(dvalues)
            self.dweights[self.place] += 0.01 * np.abs(self.dweights).max()
            return self.dinputs

    rng = np.random.default_rng(0)
    layer = OneWrong(16, 15, weight_scale=1.0, dtype=dtype, rng=rng)
    X = rng.standard_normal((7, 16))
    for index in range(0, 240, 17):
        layer.place = divmod(index, 15)
        report = gradcheck(layer, X)
        (row,) = [row for row in report.rows if not row]
        assert row.array == "weights"
        assert f"at {layer.place}" in row.hint or "1 of 200 entries differ" in row.hint, report


def test_a_tiny_gradient_is_no_false_alarm_and_a_wrong_one_is_found(rng: Any) -> None:
    """Ten layers of sigmoids: the first layer's gradient is far below a millionth of the last's."""

    class Own(Loss):
        def forward(self, y_pred: Any, y_true: Any) -> Any:
            return np.mean((y_pred - y_true) ** 2, axis=-1)

        def backward(self, dvalues: Any, y_true: Any) -> None:
            self.dinputs = 2 * (dvalues - y_true) / y_true.size

    class Scaled(Layer_Dense):
        factor = 1.0

        def backward(self, dvalues: Any) -> Any:
            super().backward(dvalues)
            self.dweights *= self.factor
            return self.dinputs

    model = Model()
    for k in range(10):
        model.add(Scaled(WIDTH, WIDTH, weight_scale=0.3, dtype=np.float64, rng=k))
        model.add(Sigmoid())
    model.set(loss=Own())
    X, y = rng.standard_normal((2, 6, WIDTH))
    report = gradcheck(model, X, y)
    assert report, report
    assert report.rows[1].gradient < 1e-6 * report.rows[-2].gradient
    model.layers[0].factor = 1.01
    report = gradcheck(model, X, y)
    assert {row.array for row in report.rows if not row} == {"Scaled 1: weights"}


def test_an_array_of_zeros_passes_and_says_so(dtype: Any) -> None:
    report = gradcheck(Sigmoid(), np.full((2, 3), 200.0, dtype=dtype))
    assert report, report
    assert report.rows[0].hint == "0 within rounding: a factor would not be seen in this batch"


def test_rounding_that_shows_is_one_remark_on_the_whole() -> None:
    """Targets that are nearly reached: the gradient is a difference of numbers that are alike."""
    rng = np.random.default_rng(4)
    X, nearly = rng.standard_normal((9, 4)), 1 + 1e-4 * rng.standard_normal((9, 3))
    for dtype, shows in ((np.float32, True), (np.float64, False)):
        model = Model()
        model.add(Layer_Dense(4, 3, dtype=dtype, rng=2))
        model.set(loss=Loss_MeanSquaredError())
        model.finalize()
        report = gradcheck(model, X, model.forward(X) * nearly)
        assert report, report
        assert not any(row.hint for row in report.rows)
        assert [row.rounding > 0 for row in report.rows] == [shows] * len(report.rows)
        remarks = [line for line in str(report).splitlines() if "rounds gradients" in line]
        assert len(remarks) == shows
        if shows:
            worst = max(report.rows, key=lambda row: row.rounding)
            assert f"{100 * worst.rounding:.2g} %" in remarks[0]
            assert f"({worst.array})" in remarks[0]


# Values that are coarser than they look


class Coarse(Kernel):
    def forward(self, inputs: Any) -> Any:
        self.inputs = inputs.astype(np.float32)
        return self.inputs @ self.kernel.astype(np.float32)


def test_a_layer_that_computes_in_float32_passes_with_larger_steps(dtype: Any) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        layer = Coarse(WIDTH, 3, rng, dtype)
        report = gradcheck(layer, rng.standard_normal((6, WIDTH)).astype(dtype))
        assert report, report


def test_what_cannot_be_told_is_not_checkable_and_no_pass() -> None:
    class Buried:
        """Adds 1e9 in float32: what is left of the inputs is a multiple of 64."""

        def forward(self, inputs: Any) -> Any:
            return inputs.astype(np.float32) + np.float32(1e9)

        def backward(self, dvalues: Any) -> Any:
            return dvalues.astype(np.float64)

    report = gradcheck(Buried(), np.array([[1.0, 2.0]]))
    assert not report
    assert report.rows[0].verdict == "not checkable"
    assert "forward computes in less than float64" in report.rows[0].hint
    assert str(report).endswith("1 of 1 arrays could not be checked")


def test_a_value_that_is_not_finite_is_not_checkable() -> None:
    report = gradcheck(Kernel(2, 2, np.random.default_rng(0), np.float64), [[1.0, np.inf]])
    assert not report
    assert {row.verdict for row in report.rows} <= {"not checkable", "WRONG"}
    assert "nothing to compare with" in str(report)


def test_a_replaced_numpy_dot_is_named() -> None:
    """nnfs.init() makes numpy.dot return float32."""
    pytest.importorskip("nnfs")
    script = """
        import nnfs, numpy as np
        nnfs.init()
        import chainrule as cr

        class Dense:
            def __init__(self):
                self.weights = np.random.randn(4, 3)

            def forward(self, inputs):
                self.inputs = inputs
                self.output = np.dot(inputs, self.weights)

            def backward(self, dvalues):
                self.dweights = self.factor * np.dot(self.inputs.T, dvalues)
                self.dinputs = np.dot(dvalues, self.weights.T)

        layer, X = Dense(), np.random.randn(5, 4)
        for layer.factor in (np.float32(1), np.float32(1.01), np.float32(-1)):
            report = cr.gradcheck(layer, X)
            print(bool(report), report.rows[1].verdict, report.rows[1].hint)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    right, slight, sign = done.stdout.splitlines()
    assert right.startswith("True ok")
    assert slight.startswith("False not checkable")
    assert slight.endswith("numpy.dot has been replaced by nnfs.core")
    assert sign == "False WRONG expected: multiply by -1"
