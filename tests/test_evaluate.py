"""Evaluations are what the classes give, to the bit; what passes leave is nobody's burden."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.catalogue import classes
from chainrule.training import evaluation
from chainrule.training.meter import Meter
from chainrule.training.passes import forward_pass
from plan_cases import WALKED_ENDS, Case, End, end_name, make_data, make_model
from teams import run_script
from test_own_parts import OwnSquared
from test_predict import classifier

Array = np.ndarray[Any, Any]


@pytest.fixture
def only_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test where copies of the parts run."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError("expected the core to evaluate")

    monkeypatch.setattr(evaluation, "through_parts", refuse)


def by_classes(model: cr.Model, X: Array, y: Array, weight: Any, size: int) -> tuple[Any, Any]:
    """Loss and accuracy by copies of the layers, the loss and the accuracy."""
    model = copy.deepcopy(model)
    dtype = model.layers[0].dtype
    meter = Meter(model)
    for start in range(0, len(X), size):
        rows = slice(start, start + size)
        targets = y[rows].astype(dtype) if y.dtype.kind == "f" else y[rows]
        output = forward_pass(model.layers, X[rows].astype(dtype), False)
        meter.add_loss(output, targets, None if weight is None else weight[rows])
        meter.add_accuracy(output, targets)
    accuracy = None if model.accuracy is None else meter.mean_accuracy()
    return dtype.type(meter.data_loss()), accuracy


@pytest.mark.parametrize("end", WALKED_ENDS, ids=end_name)
def test_every_loss_and_accuracy_is_that_of_the_classes(
    end: End, dtype: Any, only_core: None, threads: int
) -> None:
    case = Case(end, dtype=dtype, hidden="relu", scale=True, dropout="hidden")
    model = make_model(case)
    X, y = make_data(case, 61)
    if isinstance(model.accuracy, cr.Accuracy_Regression):
        model.accuracy.precision = 0.3
    kept = [dict(vars(part)) for part in (model.loss, model.accuracy) if part is not None]
    rng = np.random.default_rng(1)
    for size in (61, 7):
        for weight in (None, rng.random(61)):
            found = model.evaluate(X, y, batch_size=size, sample_weight=weight, quiet=True)
            assert found == by_classes(model, X, y, weight, size)
            assert type(found[0]) is dtype
    parts = [part for part in (model.loss, model.accuracy) if part is not None]
    assert [vars(part) for part in parts] == kept


@pytest.mark.parametrize("n", [1, 30, 1200])
def test_any_layout_and_number_of_rows(n: int, dtype: Any, only_core: None, threads: int) -> None:
    model = classifier(False, dtype)
    rng = np.random.default_rng(n)
    X, y = rng.standard_normal((n, 5)), rng.integers(0, 3, n)
    expected = by_classes(model, X, y, None, n)
    arranged = (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X.astype(np.longdouble))
    for inputs in arranged:
        assert model.evaluate(inputs, y.astype(np.int16), quiet=True) == expected


def test_accuracies_that_only_python_knows_get_the_outputs_of_the_core(dtype: Any) -> None:
    """A score of the whole pass, an accuracy or a loss of one's own."""
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((40, 4)), rng.standard_normal((40, 1))
    case = Case(("mean_squared_error", "", "drawn"), dtype=dtype, sizes=(4, 7, 1))
    for loss in (cr.Loss_MeanSquaredError(), OwnSquared()):
        for accuracy in (cr.Accuracy_R2(), cr.Accuracy_Regression()):
            model = make_model(case)
            model.set(loss=loss, accuracy=accuracy)
            accuracy.init(y)
            found = model.evaluate(X, y, batch_size=9, quiet=True)
            assert found == by_classes(model, X, y, None, 9)
            assert "accumulated_sum" not in vars(accuracy)


@pytest.mark.parametrize("make", classes("accuracy"), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("end", [WALKED_ENDS[0], ("mean_squared_error", "", "drawn")], ids=end_name)
def test_an_accuracy_counts_or_is_refused_as_by_the_classes(make: Any, end: End) -> None:
    case = Case(end)
    model, (X, y) = make_model(case), make_data(case, 12)
    model.accuracy = make()
    model.accuracy.init(y)
    try:
        expected = by_classes(model, X, y, None, 12)
    except ValueError:
        with pytest.raises(ValueError):
            model.evaluate(X, y, quiet=True)
    else:
        np.testing.assert_array_equal(model.evaluate(X, y, quiet=True), expected)


def test_predictions_of_ones_own_are_asked_for() -> None:
    class Reversed(cr.Activation_Softmax):
        def predictions(self, outputs: Any) -> Any:
            return np.argmin(outputs, axis=1)

    model = classifier(False)
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((30, 5)), rng.integers(0, 3, 30)
    model.layers[-1] = Reversed()
    expected = np.mean(np.argmin(model.predict(X), axis=1) == y)
    assert model.evaluate(X, y, quiet=True)[1] == expected


# --- what stays -----------------------------------------------------------------------------------

MEASURE = """
import resource
import chainrule as cr
n = 1_000_000
rng = np.random.default_rng(1)
model = cr.Model()
for d, m in ((26, 128), (128, 64), (64, 1)):
    model.add(cr.Layer_Dense(d, m, dtype=np.float32, rng=rng))
    model.add(cr.Activation_ReLU())
del model.layers[-1]
model.set(loss=cr.Loss_MeanSquaredError(), accuracy=cr.Accuracy_Regression())
X = np.ones((n, 26), np.float32, order=sys.argv[1])
y = np.ones((n, 1), np.float32)
model.predict(X[:100]), model.evaluate(X[:100], y[:100], quiet=True)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = peak()
output = model.predict(X)
predicted = peak()
model.evaluate(X, y, quiet=True)
print(predicted - start, peak() - predicted)
"""


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_million_rows_cost_their_output_and_little_more(order: str) -> None:
    """In KB. 128 values a row, kept at once, would be 500 MB."""
    pytest.importorskip("resource")
    predicted, evaluated = map(int, run_script(MEASURE, order))
    output = 4 * 10**6 / 1024
    assert predicted <= output + 32 * 1024
    assert evaluated <= 2 * output + 32 * 1024  # a loss and a hit for each row


def size_of(thing: Any) -> int:
    return len(pickle.dumps(thing))


def test_pickles_and_copies_hold_no_samples_of_a_pass() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((5000, 5)), rng.integers(0, 3, 5000)
    model = classifier(False)
    model.train(X, y, batch_size=500)
    before = size_of(model)
    assert before < 16_000
    for pass_ in (
        lambda: model.predict(X),
        lambda: model.evaluate(X, y, quiet=True),
        lambda: model.loss.backward(model.predict(X), y),
    ):
        pass_()
        assert size_of(model) == before
        assert size_of(copy.deepcopy(model)) <= before
        for part in (*model.layers, model.loss):
            assert size_of(part) < 16_000
    model.backward(model.forward(X[:1], training=True), y[:1])
    with_gradients = size_of(model)
    model.backward(model.forward(X, training=True), y)
    assert size_of(model) == with_gradients < 16_000
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    twin.train(X, y, batch_size=500)
    model.train(X, y, batch_size=500)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_joint_losses_leave_out_the_last_output() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.standard_normal((5000, 3)), rng.integers(0, 3, 5000)
    joint = cr.Activation_Softmax_Loss_CategoricalCrossentropy()
    before = size_of(joint)
    joint.forward(logits, labels)
    joint.backward(joint.output, labels)
    assert joint.dinputs.shape == (5000, 3) and size_of(joint) == before
