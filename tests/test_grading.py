"""Homework by hash: fingerprints, comparisons, and the training that a hand-made loop repeats."""

from __future__ import annotations

import copy
import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from plan_cases import ENDS, RULES, Case, all_arrays, make_data, make_model

N, BATCH = 23, 9


def net(**settings: Any) -> Any:
    return cr.mlp(4, 6, 3, output="softmax", dtype="float64", seed=0, **settings)


def samples(n: int = 30) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


# --- train(engine="classes") ----------------------------------------------------------------------


def loop(model: Any, X: Any, y: Any, epochs: int) -> None:
    """The notebook's loop: whole arrays through each object's own methods."""
    for _ in range(epochs):
        for start in range(0, len(X), BATCH):
            batch_X, batch_y = X[start : start + BATCH], y[start : start + BATCH]
            output = model.forward(batch_X, training=True)
            model.backward(output, batch_y)
            model.optimizer.pre_update_params()
            for layer in model.trainable_layers:
                model.optimizer.update_params(layer)
            model.optimizer.post_update_params()


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("end", [ENDS[0], ENDS[3], ENDS[6]], ids=["softmax", "sigmoid", "linear"])
@pytest.mark.parametrize("sizes", [(1, 10, 3), (5, 17, 9, 3)], ids=["small", "larger"])
def test_training_by_the_classes_is_the_hand_made_loop(
    sizes: tuple[int, ...], end: tuple[str, str, str], rule: str, dtype: Any
) -> None:
    case = Case(end, "tanh", rule, "all", "both", dtype, sizes=sizes)
    X, y = make_data(case, N)
    X, y = X.astype(dtype), y.astype(dtype) if y.dtype.kind == "f" else y
    model, hand = make_model(case), make_model(case)
    model.finalize()
    hand.finalize()
    history = model.train(X, y, epochs=4, batch_size=BATCH, engine="classes")
    loop(hand, X, y, 4)
    for one, other in zip(all_arrays(model), all_arrays(hand), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.fingerprint() == hand.fingerprint()
    assert len(history) == 4 and model.optimizer.iterations == 12


def test_training_by_the_classes_is_the_notebooks_script() -> None:
    """Layer after layer, softmax and loss in one, as the notebooks write it without a model."""
    X, y = samples()
    model, twin = net(), net()
    model.train(X, y, epochs=5, engine="classes")
    dense1, activation1, dense2, _ = twin.layers
    loss_activation = cr.Activation_Softmax_Loss_CategoricalCrossentropy()
    optimizer = cr.Optimizer_Adam(0.001)
    assert repr(optimizer) == repr(twin.optimizer)
    for _ in range(5):
        dense1.forward(X)
        activation1.forward(dense1.output)
        dense2.forward(activation1.output)
        loss_activation.forward(dense2.output, y)
        loss_activation.backward(loss_activation.output, y)
        dense2.backward(loss_activation.dinputs)
        activation1.backward(dense2.dinputs)
        dense1.backward(activation1.dinputs)
        optimizer.pre_update_params()
        optimizer.update_params(dense1)
        optimizer.update_params(dense2)
        optimizer.post_update_params()
    assert model.fingerprint() == twin.fingerprint()


def test_one_step_and_a_watched_training_go_by_the_classes_too() -> None:
    """What the plan does by short ways of its own is left to the classes as well."""
    X, y = samples()
    model, hand, watched = net(), net(), net()
    for _ in range(6):
        model.train(X, y, engine="classes")
        output = hand.forward(X, training=True)
        hand.backward(output, y)
        hand.optimizer.pre_update_params()
        for layer in hand.trainable_layers:
            hand.optimizer.update_params(layer)
        hand.optimizer.post_update_params()
    assert model.fingerprint() == hand.fingerprint()
    stop = cr.EarlyStopping(monitor="loss", patience=100)
    watched.train(X, y, epochs=6, engine="classes", callbacks=stop)
    assert watched.fingerprint() == hand.fingerprint()


def test_the_engine_changes_no_more_than_rounding_and_nothing_else() -> None:
    X, y = samples()
    model, planned = net(), net()
    ours = model.train(X, y, epochs=3, batch_size=8, shuffle=True, rng=5, engine="classes")
    theirs = planned.train(X, y, epochs=3, batch_size=8, shuffle=True, rng=5)
    assert cr.compare(model, planned, X, y)
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-12)
    assert model.rng.bit_generator.state == planned.rng.bit_generator.state  # type: ignore[union-attr]


@pytest.mark.parametrize("engine", ["plan", "", 3, True, ["classes"]])
def test_another_engine_is_refused(engine: Any) -> None:
    model = net()
    before = model.fingerprint()
    with pytest.raises(ValueError, match="engine: expected 'classes' or None, got "):
        model.train(*samples(), engine=engine)
    assert model.fingerprint() == before and model.history is None


# --- fingerprints ---------------------------------------------------------------------------------


def test_a_fingerprint_is_64_hexadecimal_digits_and_repeats() -> None:
    found = net().fingerprint()
    assert len(found) == 64 and int(found, 16) >= 0
    assert net().fingerprint() == found


def test_a_fingerprint_stays_over_versions() -> None:
    """Any change of this number makes every hash worthless that a teacher has kept."""
    model = cr.Model()
    model.add(cr.Layer_Dense(weights=np.array([[0.5, -1.0]]), biases=[[0.25, 2.0]]))
    model.add(cr.Activation_LeakyReLU(0.125))
    model.add(cr.Layer_Dropout(0.5, rng=0))
    layers = (
        '{"class":"Layer_Dense","parameters":[["weights","<f8",[1,2]],["biases","<f8",[1,2]]],'
        '"settings":{}},'
        '{"class":"Activation_LeakyReLU","parameters":[],"settings":{"negative_slope":0.125}},'
        '{"class":"Layer_Dropout","parameters":[],"settings":{"rate":0.5}}'
    )
    text = f'{{"chainrule fingerprint":1,"layers":[{layers}]}}'
    data = text.encode() + struct.pack("<4d", 0.5, -1.0, 0.25, 2.0)
    assert model.fingerprint() == hashlib.sha256(data).hexdigest()


def test_copies_pickles_and_files_keep_it(tmp_path: Path) -> None:
    model = net(dropout=0.25)
    model.train(*samples(), epochs=2)
    found = model.fingerprint()
    assert copy.deepcopy(model).fingerprint() == found
    assert pickle.loads(pickle.dumps(model)).fingerprint() == found
    model.save(tmp_path / "model")
    assert cr.Model.load(tmp_path / "model").fingerprint() == found


LEFT_ALONE: dict[str, Callable[[Any], Any]] = {
    "loss": lambda m: m.set(loss=cr.Loss_CategoricalCrossentropy(label_smoothing=0.1)),
    "optimizer": lambda m: m.set(optimizer=cr.Optimizer_SGD(0.1)),
    "accuracy": lambda m: m.set(accuracy=cr.Accuracy_Categorical()),
    "optimizer's arrays": lambda m: setattr(m.layers[0], "weight_momentums", np.ones((4, 6))),
    "a pass": lambda m: m.backward(m.forward(samples()[0], training=True), samples()[1]),
    "a prediction": lambda m: m.predict(samples()[0]),
    "dropout's stream": lambda m: m.layers[2].draw_key(np.random.default_rng(8)),
    "another array": lambda m: setattr(m.layers[0], "weights", m.layers[0].weights.copy()),
    "Fortran order": lambda m: m.layers[0].set_parameters(
        np.asfortranarray(m.layers[0].weights), m.layers[0].biases
    ),
    "the scale of initial weights": lambda m: setattr(m.layers[0], "weight_scale", 7.0),
    "a default": lambda m: setattr(m.layers[0], "weight_regularizer_l2", 0.0),
    "an own attribute": lambda m: setattr(m.layers[0], "note", "mine"),
}

CHANGED: dict[str, Callable[[Any], Any]] = {
    "one bit": lambda m: np.nextafter(m.layers[0].weights, 9, out=m.layers[0].weights, where=ONE),
    "the sign of a zero": lambda m: m.layers[0].biases.__setitem__((0, 0), -0.0),
    "a strength": lambda m: setattr(m.layers[0], "weight_regularizer_l2", 0.1),
    "a rate of dropout": lambda m: setattr(m.layers[2], "rate", 0.9),
    "a frozen layer": lambda m: setattr(m.layers[0], "trainable", False),
    "an activation": lambda m: m.layers.__setitem__(1, cr.Activation_Tanh()),
    "no layer": lambda m: m.layers.pop(),
    "no biases": lambda m: m.layers[0].__dict__.__setitem__("biases", None),
    "other layers": lambda m: m.layers.reverse(),
}
ONE = np.zeros((4, 6), dtype=np.bool_)
ONE[2, 3] = True


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_is_no_part_of_the_layers_does_not_count(name: str) -> None:
    model = net(dropout=0.25)
    before = model.fingerprint()
    LEFT_ALONE[name](model)
    assert model.fingerprint() == before


@pytest.mark.parametrize("name", CHANGED)
def test_what_the_layers_are_counts(name: str) -> None:
    model = net(dropout=0.25)
    before = model.fingerprint()
    CHANGED[name](model)
    assert model.fingerprint() != before


def test_dtype_shape_and_settings_count() -> None:
    found = {cr.mlp(4, 6, 3, seed=0, dtype=dtype).fingerprint() for dtype in ("float32", "float64")}
    for weights in (np.zeros((2, 3)), np.zeros((3, 2))):
        model = cr.Model()
        model.add(cr.Layer_Dense(weights=weights))
        found.add(model.fingerprint())
    for slope in (0.01, 0.02, 1, 1.0):
        model = cr.Model()
        model.add(cr.Activation_LeakyReLU(slope))
        found.add(model.fingerprint())
    assert len(found) == 2 + 2 + 3  # 1 and 1.0 are the same


class Kernel:
    """A layer of the user's own."""

    parameter_names = ("kernel",)

    def __init__(self, kernel: Any, power: Any = 2) -> None:
        self.kernel, self.power = kernel, power

    def forward(self, inputs: Any) -> Any:
        self.inputs, self.squares = inputs, inputs**2
        self.output = inputs @ self.kernel
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dkernel = self.inputs.T @ dvalues
        self.dinputs = dvalues @ self.kernel.T
        return self.dinputs


class Slope(cr.Activation_Tanh):
    """A subclass that leaves the mathematics alone."""


class Halved(cr.Activation_Tanh):
    """A subclass that does not."""

    def forward(self, inputs: Any, training: bool = False) -> Any:
        return super().forward(np.asarray(inputs) / 2, training)


def one_layer(layer: Any) -> Any:
    model = cr.Model()
    model.add(layer)
    model.set(loss=cr.Loss_MeanSquaredError())
    return model


def test_layers_of_the_users_own_count_with_parameters_and_plain_settings() -> None:
    base = one_layer(Kernel(np.eye(3)))
    found = base.fingerprint()
    base.backward(base.forward(np.ones((2, 3))), np.zeros((2, 3)))
    assert base.fingerprint() == found, "what a pass leaves does not count"
    others = [Kernel(2 * np.eye(3)), Kernel(np.eye(3), 3), Kernel(np.eye(3, dtype=np.float32))]
    assert len({found, *(one_layer(each).fingerprint() for each in others)}) == 4
    tanh = [one_layer(each()).fingerprint() for each in (cr.Activation_Tanh, Slope, Halved)]
    assert tanh[0] == tanh[1] != tanh[2]
    with pytest.raises(TypeError, match=r"fingerprint: layer 1: Kernel\(3, 3\): power: expected p"):
        one_layer(Kernel(np.eye(3), power=len)).fingerprint()
    held = [one_layer(Kernel(np.eye(3), power=cr.Activation_LeakyReLU(s))) for s in (0.1, 0.2)]
    assert held[0].fingerprint() != held[1].fingerprint(), "a layer within a layer counts"


# --- compare --------------------------------------------------------------------------------------


def changed(change: Callable[[Any], Any]) -> Any:
    model = net()
    change(model)
    return model


def test_a_copy_is_equal_to_the_last_bit_and_nothing_is_changed() -> None:
    X, y = samples()
    model, twin = net(dropout=0.25), net(dropout=0.25)
    model.train(X, y, epochs=2)
    twin.train(X, y, epochs=2)
    before = model.fingerprint(), model.layers[2].step, model.optimizer.iterations
    report = cr.compare(model, twin, X, y, steps=3)
    assert report and report.verdict == "equal" and str(report) == "equal to the last bit"
    assert (report.step, report.phase, report.layer, report.array) == (None,) * 4
    assert (model.fingerprint(), model.layers[2].step, model.optimizer.iterations) == before
    assert len(model.history) == 2


class Dense:
    """A dense layer of a student's, which adds from behind; `fault` is put into it."""

    def __init__(self, layer: Any, fault: str = "") -> None:
        self.weights, self.biases, self.fault = layer.weights.copy(), layer.biases.copy(), fault

    def forward(self, inputs: Any) -> Any:
        self.inputs = inputs
        sums = np.zeros((len(inputs), self.weights.shape[1]))
        for k in reversed(range(len(self.weights))):
            sums += inputs[:, k : k + 1] * self.weights[k]
        return sums + (0 if self.fault == "output" else self.biases)

    def backward(self, dvalues: Any) -> Any:
        self.dweights = self.inputs[::-1].T @ dvalues[::-1]
        self.dbiases = dvalues[::-1].sum(axis=0, keepdims=True)
        if self.fault == "dbiases":
            self.dbiases = self.dbiases / len(dvalues)
        if self.fault == "dweights":
            self.dweights = self.dweights * (1 + 1e-9)
        return dvalues @ (self.weights.T * (2 if self.fault == "dinputs" else 1))


@pytest.mark.parametrize("steps", [1, 5])
def test_another_order_of_additions_is_equal_to_rounding(steps: int) -> None:
    X, y = samples(200)
    expected = net()
    expected.layers[0].biases[...] = 0.25
    model = copy.deepcopy(expected)
    model.layers[0] = Dense(model.layers[0])
    report = cr.compare(model, expected, X, y, steps=steps)
    assert report and report.verdict == "equal to rounding"
    assert (report.step, report.phase, report.layer, report.array) == (1, "forward", 1, "output")
    # a sum of 5 terms: each of its additions is off by half a unit of at most the whole sum
    largest = np.abs(X).max() * np.abs(expected.layers[0].weights).sum(axis=0).max() + 0.25
    assert 0 < report.difference <= 5 * np.finfo(float).eps * largest
    assert report.difference <= report.tolerance < 1e-12


@pytest.mark.parametrize("fault", ["output", "dbiases", "dweights", "dinputs"])
def test_a_fault_is_found_where_it_is(fault: str) -> None:
    """Of the second dense layer; everything before it is equal to rounding."""
    X, y = samples()
    expected = net()
    expected.layers[2].biases[...] = 0.25
    model = copy.deepcopy(expected)
    model.layers[2] = Dense(model.layers[2], fault)
    report = cr.compare(model, expected, X, y)
    assert not report and report.verdict == "different"
    phase = "forward" if fault == "output" else "backward"
    assert (report.step, report.phase, report.layer, report.array) == (1, phase, 3, fault)
    assert report.difference > report.tolerance
    assert f"{fault} of Layer_Dense 3" in str(report) and str(report).endswith("it is a Dense here")


CAUSES: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
    "initial weights": (
        lambda m: m.layers[2].weights.__setitem__((0, 0), 9.0),
        (0, "parameters", 3, "weights"),
    ),
    "rate": (
        lambda m: setattr(m.optimizer, "learning_rate", 0.0011),
        (1, "update", 1, "weights"),
    ),
    "loss": (
        lambda m: m.set(loss=cr.Loss_CategoricalCrossentropy(label_smoothing=0.1)),
        (1, "loss", 0, "data loss"),
    ),
    "penalty": (
        lambda m: setattr(m.layers[0], "weight_regularizer_l2", 0.1),
        (1, "loss", 0, "regularization loss"),
    ),
    "penalty beside a loss of its own": (
        lambda m: (
            m.set(loss=cr.Loss_CategoricalCrossentropy()),
            setattr(m.layers[0], "weight_regularizer_l2", 0.1),
        ),
        (1, "loss", 0, "regularization loss"),
    ),
    "activation": (
        lambda m: m.layers.__setitem__(1, cr.Activation_LeakyReLU()),
        (1, "forward", 2, "output"),
    ),
    "frozen": (lambda m: setattr(m.layers[2], "trainable", False), (1, "update", 3, "weights")),
    "one layer less": (lambda m: m.layers.pop(), (0, "layers", 0, "")),
    "no biases": (
        lambda m: m.layers[0].__dict__.__setitem__("biases", None),
        (0, "parameters", 1, "biases"),
    ),
}


@pytest.mark.parametrize("name", CAUSES)
def test_the_first_place_is_named(name: str) -> None:
    change, place = CAUSES[name]
    report = cr.compare(changed(change), net(), *samples())
    assert not report and report.verdict == "different"
    assert (report.step, report.phase, report.layer, report.array) == place


def test_other_sizes_are_told() -> None:
    X, y = samples()
    report = cr.compare(cr.mlp(4, 7, 3, output="softmax", dtype="float64", seed=0), net(), X, y)
    assert not report and (report.step, report.layer, report.array) == (0, 1, "weights")
    assert str(report).endswith("weights of Layer_Dense 1: expected (4, 6), got (4, 7)")


def test_a_later_step_is_named() -> None:
    """Momentum does not show in the first step."""
    X, y = samples()
    plain, heavy = net(), net()
    plain.set(optimizer=cr.Optimizer_SGD(0.1))
    heavy.set(optimizer=cr.Optimizer_SGD(0.1, momentum=0.9))
    assert cr.compare(plain, heavy, X, y).verdict == "equal"
    report = cr.compare(plain, heavy, X, y, steps=4)
    assert (report.step, report.phase, report.layer, report.array) == (2, "update", 1, "weights")
    assert str(report).startswith("different: first at step 2, update: weights after the update of")


def test_dropout_with_another_key_says_so() -> None:
    X, y = samples()
    model, expected = net(dropout=0.5), net(dropout=0.5)
    model.layers[2].key ^= 1
    text = str(cr.compare(model, expected, X, y))
    assert "output of Layer_Dropout 3" in text and text.endswith("seed both alike")


def test_a_schedule_and_clipped_rates_run_as_in_training() -> None:
    X, y = samples()
    model, expected = net(), net()
    for each in (model, expected):
        each.set(optimizer=cr.Optimizer_SGD(0.1, schedule=cr.schedules.Cosine()))
    assert cr.compare(model, expected, X, y, steps=3).verdict == "equal"
    model.optimizer.schedule = cr.schedules.Constant()
    assert cr.compare(model, expected, X, y, steps=3).step == 2


def test_an_optimizer_of_the_users_own_runs_beside_a_scheduled_dropout() -> None:
    class Plain:
        def update_params(self, layer: Any) -> None:
            layer.weights -= 0.1 * layer.dweights
            layer.biases -= 0.1 * layer.dbiases

    X, y = samples()
    model, expected = net(dropout=0.5), net(dropout=0.5)
    for each in (model, expected):
        each.layers[2].schedule = cr.schedules.Constant()
    model.optimizer, expected.optimizer = Plain(), cr.Optimizer_SGD(0.1)
    assert cr.compare(model, expected, X, y, steps=3)
    expected.optimizer.learning_rate = 0.2
    assert not cr.compare(model, expected, X, y, steps=3)


def test_what_is_not_finite_on_one_side_differs() -> None:
    model = changed(lambda m: m.layers[2].weights.__setitem__((0, 0), np.nan))
    text = str(cr.compare(model, net(), *samples()))
    assert "initial weights of Layer_Dense 3, of which one is not finite where the other is" in text
    with np.errstate(invalid="ignore"):
        assert cr.compare(model, copy.deepcopy(model), *samples()).verdict == "equal"


def test_models_in_two_dtypes_are_equal_to_the_coarser_ones_rounding() -> None:
    X, y = samples()
    single = cr.mlp(4, 6, 3, output="softmax", seed=0)
    report = cr.compare(net(), single, X, y, steps=2)
    assert report.verdict == "equal to rounding", report


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda X, y: cr.compare(3, net(), X, y), TypeError, "model: expected a Model, got int"),
        (
            lambda X, y: cr.compare(net(), cr.Layer_Dense(4, 3), X, y),
            TypeError,
            "expected: expected a Model, got Layer_Dense",
        ),
        (
            lambda X, y: cr.compare(net(), net(), X, y, steps=0),
            ValueError,
            "steps: expected an int",
        ),
        (lambda X, y: cr.compare(net(), net(), X[:, :2], y), ValueError, r"expected \(n, 4\)"),
        (lambda X, y: cr.compare(net(), net(), X, y[:3]), ValueError, "y: expected 30 samples"),
        (
            lambda X, y: cr.compare(changed(lambda m: setattr(m, "optimizer", None)), net(), X, y),
            ValueError,
            "model: expected an optimizer, as the other has, got none",
        ),
        (
            lambda X, y: cr.compare(changed(lambda m: setattr(m, "loss", None)), net(), X, y),
            ValueError,
            "loss: expected one, got none",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call(*samples())


def test_without_optimizers_one_step_is_compared_up_to_the_gradients() -> None:
    X, y = samples()
    one, other = net(), net()
    one.optimizer = other.optimizer = None
    assert cr.compare(one, other, X, y).verdict == "equal"
    with pytest.raises(
        ValueError, match="steps: expected 1 for models without an optimizer, got 2"
    ):
        cr.compare(one, other, X, y, steps=2)
