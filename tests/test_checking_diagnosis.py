"""Planted faults: gradcheck finds each, in its row, and says what would make it right."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import gradcheck

SAMPLES, INPUTS, NEURONS = 5, 4, 3
SEEDS = range(3)


class Own:
    """A user's own dense layer, right as it stands; `plant` changes what backward has left."""

    def __init__(self, rng: Any, dtype: Any = np.float64) -> None:
        self.weights = rng.standard_normal((INPUTS, NEURONS)).astype(dtype)
        self.biases = rng.standard_normal((1, NEURONS)).astype(dtype)
        self.plant: Any = lambda layer, dvalues: None

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues: Any) -> None:
        self.dweights = self.inputs.T @ dvalues
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T
        self.plant(self, dvalues)


def report_of(layer: Any, rng: Any, dtype: Any) -> Any:
    return gradcheck(layer, rng.standard_normal((SAMPLES, INPUTS)).astype(dtype))


def row_of(report: Any, array: str, way: str = "layers") -> Any:
    (row,) = [row for row in report.rows if row.array == array and row.way == way]
    return row


def assert_wrong(report: Any, array: str, words: str) -> None:
    """The array's row is WRONG for this reason, and the others are right."""
    assert not report
    row = row_of(report, array)
    assert row.verdict == "WRONG", report
    assert words in row.hint, report
    assert words in str(report)
    assert [other.array for other in report.rows if not other] == [array], report
    assert str(report).endswith("the gradient is WRONG")


def scaled(name: str, factor: float) -> Callable[[Any, Any], None]:
    def plant(layer: Any, dvalues: Any) -> None:
        gradient = getattr(layer, name)
        setattr(layer, name, gradient * gradient.dtype.type(factor))

    return plant


def replaced(name: str, change: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
    return lambda layer, dvalues: setattr(layer, name, change(getattr(layer, name)))


def one_entry(name: str, index: tuple[int, int], value: float) -> Callable[[Any, Any], None]:
    def plant(layer: Any, dvalues: Any) -> None:
        getattr(layer, name)[index] = value

    return plant


def unsummed(layer: Any, dvalues: Any) -> None:
    layer.dbiases = dvalues


def meant(layer: Any, dvalues: Any) -> None:
    layer.dbiases = dvalues.mean(axis=0, keepdims=True)


def other_name(layer: Any, dvalues: Any) -> None:
    layer.grad_weights = vars(layer).pop("dweights")


def never_set(layer: Any, dvalues: Any) -> None:
    del layer.dweights


def view_of_the_weights(layer: Any, dvalues: Any) -> None:
    layer.dweights = layer.weights.reshape(INPUTS, NEURONS)


def inputs_themselves(layer: Any, dvalues: Any) -> None:
    layer.dinputs = layer.inputs


def random_factor(layer: Any, dvalues: Any) -> None:
    layer.dweights = layer.dweights * np.random.rand()  # noqa: NPY002


def integers(layer: Any, dvalues: Any) -> None:
    layer.dweights = np.rint(100 * layer.dweights).astype(int)


def step_taken(layer: Any, dvalues: Any) -> None:
    layer.weights -= layer.weights.dtype.type(0.1) * layer.dweights


PLANTED: dict[str, tuple[Callable[[Any, Any], None], str, str]] = {
    "sign": (scaled("dweights", -1), "weights", "expected: multiply by -1"),
    "sign of dinputs": (scaled("dinputs", -1), "inputs", "expected: multiply by -1"),
    "twice": (scaled("dweights", 2), "weights", "expected: multiply by 1/2"),
    "half": (scaled("dbiases", 0.5), "biases", "expected: multiply by 2"),
    "times n": (scaled("dweights", SAMPLES), "weights",
                "multiply by 1/n (n = 5 samples): a sum where a mean is meant"),
    "over n": (scaled("dweights", 1 / SAMPLES), "weights",
               "multiply by n (n = 5 samples): divided by n once too often"),
    "mean for sum": (meant, "biases", "multiply by n (n = 5 samples)"),
    "times m": (scaled("dweights", NEURONS), "weights", "multiply by 1/m (m = 3 outputs)"),
    "over m": (scaled("dinputs", 1 / NEURONS), "inputs", "multiply by m (m = 3 outputs)"),
    "over n m": (scaled("dweights", 1 / SAMPLES / NEURONS), "weights", "multiply by n m"),
    "1.01": (scaled("dweights", 1.01), "weights", "expected: multiply by 0.990099"),
    "1.01 in dinputs": (scaled("dinputs", 1.01), "inputs", "expected: multiply by 0.990099"),
    "zero": (scaled("dweights", 0), "weights", "expected other numbers than 0"),
    "transposed": (replaced("dweights", np.transpose), "weights",
                   "expected dweights (4, 3), got (3, 4): transposed"),
    "dinputs transposed": (replaced("dinputs", np.transpose), "inputs",
                           "expected dinputs (5, 4), got (4, 5): transposed"),
    "a dimension lost": (replaced("dbiases", np.ravel), "biases",
                         "expected dbiases (1, 3), got (3,): keep the dimension"),
    "a dimension lost, and the sign": (replaced("dbiases", lambda g: -g[0]), "biases",
                                       "(keepdims=True); then multiply by -1"),
    "unsummed": (unsummed, "biases", "expected dbiases (1, 3), got (5, 3): sum over the samples"),
    "a column short": (replaced("dinputs", lambda g: g[:, 1:]), "inputs",
                       "expected dinputs (5, 4), got (5, 3)"),
    "never set": (never_set, "weights", "expected dweights (4, 3), got none"),
    "None": (replaced("dweights", lambda g: None), "weights",
             "expected dweights (4, 3), got none"),
    "no dinputs": (replaced("dinputs", lambda g: None), "inputs",
                   "expected dinputs (5, 4), got none"),
    "other name": (other_name, "weights",
                   "expected dweights (4, 3), got none; grad_weights has that shape"),
    "list": (replaced("dweights", lambda g: g.tolist()), "weights",
             "expected dweights (4, 3), got list"),
    "integers": (integers, "weights", "expected dweights of floats, got int64"),
    "complex": (replaced("dweights", lambda g: g + 0j), "weights",
                "expected dweights of floats, got complex"),
    "NaN": (one_entry("dweights", (1, 2), np.nan), "weights",
            "expected finite numbers, got nan at (1, 2)"),
    "inf": (one_entry("dbiases", (0, 1), np.inf), "biases",
            "expected finite numbers, got inf at (0, 1)"),
    "one entry": (one_entry("dweights", (2, 1), 0.125), "weights",
                  "1 of 12 entries differ, most at (2, 1)"),
    "a row off by one": (replaced("dweights", lambda g: np.roll(g, 1, axis=0)), "weights",
                         "expected the same numbers, shifted by -1 along axis 0"),
    "samples in reverse": (replaced("dinputs", lambda g: g[::-1]), "inputs", "entries differ"),
    "view of the weights": (view_of_the_weights, "weights",
                            "expected an array of its own, got memory that weights uses"),
    "the inputs themselves": (inputs_themselves, "inputs",
                              "expected an array of its own, got memory that inputs uses"),
    "random factor": (random_factor, "weights",
                      "depends on earlier calls: backward twice gives two results"),
}  # fmt: skip


@pytest.mark.parametrize("fault", list(PLANTED))
def test_a_planted_fault_is_found_and_named(fault: str, dtype: Any) -> None:
    plant, array, words = PLANTED[fault]
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        layer = Own(rng, dtype)
        layer.plant = plant
        assert_wrong(report_of(layer, rng, dtype), array, words)


# Faults of what a layer keeps from one call to the next


class Accumulating(Own):
    sign = 1

    def __init__(self, rng: Any, dtype: Any = np.float64) -> None:
        super().__init__(rng, dtype)
        self.dweights = np.zeros_like(self.weights)

    def backward(self, dvalues: Any) -> None:
        kept = self.dweights
        super().backward(dvalues)
        self.dweights = kept + self.sign * self.dweights


class AccumulatingDownwards(Accumulating):
    sign = -1


class AccumulatingInPlace(Accumulating):
    def backward(self, dvalues: Any) -> None:
        kept = self.dweights
        Own.backward(self, dvalues)
        kept += self.dweights
        self.dweights = kept


class LeftBehind(Own):
    """Numbers of an earlier step lie where backward should put the gradient."""

    def __init__(self, rng: Any, dtype: Any = np.float64) -> None:
        super().__init__(rng, dtype)
        self.dweights = rng.standard_normal(self.weights.shape).astype(dtype)

    def backward(self, dvalues: Any) -> None:
        kept = self.dweights
        super().backward(dvalues)
        self.dweights = kept


class FirstBatchOnly(Own):
    def forward(self, inputs: Any) -> None:
        super().forward(inputs)
        if not hasattr(self, "first"):
            self.first = inputs

    def backward(self, dvalues: Any) -> None:
        super().backward(dvalues)
        self.dweights = self.first.T @ dvalues


class LastBatchButOne(Own):
    def forward(self, inputs: Any) -> None:
        self.before = getattr(self, "inputs", inputs)
        super().forward(inputs)

    def backward(self, dvalues: Any) -> None:
        super().backward(dvalues)
        self.dweights = self.before.T @ dvalues


STATEFUL: dict[type[Own], str] = {
    Accumulating: "depends on earlier calls: backward adds to the gradient that was there",
    AccumulatingDownwards: "backward adds to the gradient that was there\nexpected: multiply by -1",
    AccumulatingInPlace: "depends on earlier calls: backward adds to the gradient that was there",
    LeftBehind: "expected backward to set it, got what was there",
    FirstBatchOnly: "depends on earlier calls: it keeps something of the first batch",
    LastBatchButOne: "depends on earlier calls: the same batch after another one",
}


@pytest.mark.parametrize("kind", list(STATEFUL))
def test_a_gradient_that_depends_on_earlier_calls_is_wrong(kind: Any, dtype: Any) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        report = report_of(kind(rng, dtype), rng, dtype)
        assert not report
        assert STATEFUL[kind] in row_of(report, "weights").hint, report
        assert [row.array for row in report.rows if not row] == ["weights"]


class Clockwork(Own):
    """A forward that nothing can hold fixed."""

    def forward(self, inputs: Any) -> None:
        super().forward(inputs)
        self.output = self.output * inputs.dtype.type(1 + time.perf_counter_ns() % 1000003 / 1e6)


class Shrinking(Own):
    def forward(self, inputs: Any) -> None:
        self.weights *= self.weights.dtype.type(0.99)
        super().forward(inputs)


class Doubling(Own):
    def forward(self, inputs: Any) -> None:
        inputs *= 2
        super().forward(inputs)


def test_a_value_that_is_not_steady_is_wrong_and_nothing_else_is_claimed(dtype: Any) -> None:
    for kind, array, words in (
        (Clockwork, "output", "forward gives another output for the same inputs"),
        (Shrinking, "weights", "forward changes weights"),
    ):
        rng = np.random.default_rng(0)
        report = report_of(kind(rng, dtype), rng, dtype)
        assert row_of(report, array).verdict == "WRONG"
        assert words in row_of(report, array).hint
        rest = [row.verdict for row in report.rows if row.array != array]
        assert set(rest) == {"not checkable"}
        assert not report


def test_a_backward_that_takes_the_step_itself_is_wrong(dtype: Any, rng: Any) -> None:
    layer = Own(rng, dtype)
    layer.plant = step_taken
    report = report_of(layer, rng, dtype)
    assert row_of(report, "weights").hint == "backward changes weights"
    assert not report


def test_a_forward_that_writes_into_its_inputs_is_wrong(dtype: Any, rng: Any) -> None:
    assert_wrong(report_of(Doubling(rng, dtype), rng, dtype), "inputs", "writes into its inputs")
