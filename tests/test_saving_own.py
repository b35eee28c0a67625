"""Models with classes of the user's own: saved from plain settings, built if they are named."""

from __future__ import annotations

import copy
import json
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule import (
    Accuracy,
    Activation_Softmax,
    Activation_Tanh,
    EarlyStopping,
    Layer_Dense,
    Layer_Dropout,
    Layer_Scale,
    Loss,
    Loss_CategoricalCrossentropy,
    Loss_MeanSquaredError,
    Model,
    ModelFileError,
    Optimizer_Adam,
    Optimizer_SGD,
)
from chainrule.schedules import Cosine, OneCycle, Step
from test_saving_damage import FUZZ, changed, edited, joined, split

X = np.random.default_rng(1).standard_normal((24, 3))
Y = np.random.default_rng(2).standard_normal((24, 2))
LABELS = np.arange(24) % 2
BUILT: list[str] = []  # by constructors


class Mixing:
    """output = inputs . kernel * gain: parameters of other names, no biases, a setting."""

    parameter_names = ("kernel", "gain")

    def __init__(self, d: int, m: int, seed: int = 0) -> None:
        BUILT.append("Mixing")
        rng = np.random.default_rng(seed)
        self.kernel = rng.standard_normal((1, 1, d, m)) / d
        self.gain = np.ones(())
        self.power = 1
        self.notes = {"seed": seed, "sizes": (d, m), "limits": [float("inf"), None]}

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.inputs = np.asarray(inputs)
        self.output = self.inputs @ self.kernel[0, 0] * self.gain
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dkernel = (self.inputs.T @ dvalues * self.gain)[None, None]
        self.dgain = np.asarray((self.inputs @ self.kernel[0, 0] * dvalues).sum())
        self.dinputs = dvalues @ self.kernel[0, 0].T * self.gain
        return self.dinputs


class Squares(Loss):
    def __init__(self, weight: float) -> None:
        BUILT.append("Squares")
        self.weight = weight

    def forward(self, y_pred: Any, y_true: Any) -> Any:
        return self.weight * np.square(y_pred - y_true).mean(axis=-1)

    def backward(self, dvalues: Any, y_true: Any) -> Any:
        self.dinputs = 2 * self.weight * (dvalues - y_true) / dvalues.size
        return self.dinputs


class Clipped(Optimizer_Adam):
    """Adam on gradients of at most a limit."""

    limit = 0.1

    def update_params(self, layer: Any) -> None:
        for name in getattr(layer, "parameter_names", ("weights", "biases")):
            setattr(layer, f"d{name}", np.clip(getattr(layer, f"d{name}"), -self.limit, self.limit))
        super().update_params(layer)


class Heavy:
    """An optimizer that is nobody's subclass and keeps an array of its own kind."""

    states = ("velocity",)

    def __init__(self, rate: float) -> None:
        BUILT.append("Heavy")
        self.rate = rate

    def update_params(self, layer: Any) -> None:
        for name, prefix in (("weights", "weight"), ("biases", "bias")):
            velocity = getattr(layer, f"{prefix}_velocity", 0.0)
            velocity = 0.9 * velocity - self.rate * getattr(layer, f"d{name}")
            setattr(layer, f"{prefix}_velocity", velocity)
            getattr(layer, name)[...] += velocity


class Near(Accuracy):
    def __init__(self, limit: Any) -> None:
        self.limit = limit

    def compare(self, predictions: Any, y: Any) -> Any:
        return np.abs(predictions - y) < self.limit


class Wide(Layer_Dense):
    def forward(self, inputs: Any, training: bool = False) -> Any:
        return 2 * super().forward(inputs, training)


class Plain:
    """Holds whatever a test puts there; serves as a layer."""

    def forward(self, inputs: Any, training: bool = False) -> Any:
        self.output = inputs
        return inputs

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = dvalues
        return dvalues


CUSTOM = [Mixing, Squares, Clipped, Heavy, Near, Wide, Plain]


def own_model(optimizer: Any = None) -> Model:
    model = Model()
    for layer in (Mixing(3, 4), Activation_Tanh(), Layer_Dense(4, 2, rng=1, init="he_normal")):
        model.add(layer)
    optimizer = Clipped(0.02, decay=0.01) if optimizer is None else optimizer
    model.set(loss=Squares(0.5), optimizer=optimizer, accuracy=Near(0.25))
    return model


def state(thing: Any) -> Any:
    """Everything a part holds, by value; but whose the arrays are, and what passes left."""
    left = {"inputs", "output", "dinputs", "token", "optimizer_token", "trainable_layers"}
    left |= {"current_weight_decay", "training_share"}  # of a step
    left |= {"accumulated_sum", "accumulated_count"}  # of a pass
    left |= {name for name in vars(thing) if name[0] == "d" and hasattr(thing, name[1:])}
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else repr(value)
        for name, value in sorted(vars(thing).items())
        if name not in left
    }


def reloaded(model: Any, folder: Path, custom: Any = CUSTOM) -> Any:
    model.save(folder / "model")
    return Model.load(folder / "model", custom=custom)


# Training goes on


@pytest.mark.parametrize(
    "make",
    [
        own_model,
        lambda: own_model(Optimizer_SGD(0.1, momentum=0.9, schedule=OneCycle())),
    ],
    ids=["own optimizer", "ours"],
)
def test_a_model_of_own_parts_goes_on_with_the_same_bits(make: Any, tmp_path: Path) -> None:
    whole, begun = make(), make()
    for model, epochs in ((whole, 7), (begun, 3)):
        model.optimizer.schedule_steps = 7 * 3
        model.train(X, Y, epochs=epochs, batch_size=8, shuffle=True, rng=4)
    begun.save(tmp_path / "begun")
    BUILT.clear()
    resumed = Model.load(tmp_path / "begun", custom=CUSTOM)
    assert not BUILT
    for one, two in zip(begun.layers, resumed.layers, strict=True):
        assert type(one) is type(two) and state(one) == state(two)
    for name in ("loss", "optimizer", "accuracy"):
        assert state(getattr(begun, name)) == state(getattr(resumed, name))
    resumed.train(X, Y, epochs=4, batch_size=8, shuffle=True)
    for one, two in zip(whole.layers, resumed.layers, strict=True):
        assert state(one) == state(two)
    assert resumed.predict(X).tobytes() == whole.predict(X).tobytes()
    np.testing.assert_array_equal(whole.history.loss[3:], resumed.history.loss)


def test_arrays_that_an_own_optimizer_names_are_kept(tmp_path: Path) -> None:
    def make() -> Model:
        model = Model()
        model.add(Layer_Dense(3, 2, rng=1))
        model.set(loss=Loss_MeanSquaredError(), optimizer=Heavy(0.1))
        return model

    whole, begun = make(), make()
    whole.train(X, Y, epochs=6)
    begun.train(X, Y, epochs=2)
    resumed = reloaded(begun, tmp_path)
    assert resumed.layers[0].weight_velocity.any()
    resumed.train(X, Y, epochs=4)
    assert state(whole.layers[0]) == state(resumed.layers[0])


def test_a_subclass_of_ours_is_the_users_own(tmp_path: Path) -> None:
    model = Model()
    for layer in (
        Wide(3, 4, rng=1, weight_regularizer_l2=0.1, learning_rate_factor=(1.0, 0.5)),
        Wide(4, 2, rng=2, bias=False),
    ):
        layer.note = ["mine", 1.5]
        model.add(layer)
    model.set(loss=Loss_MeanSquaredError(), optimizer=Optimizer_Adam(0.01))
    model.train(X, Y, epochs=2)
    twin = reloaded(model, tmp_path)
    assert [type(layer) for layer in twin.layers] == [Wide, Wide]
    assert [state(layer) for layer in twin.layers] == [state(layer) for layer in model.layers]
    assert twin.layers[1].biases is None and twin.predict(X).tolist() == model.predict(X).tolist()
    with pytest.raises(ValueError, match=r"weights: expected \(3, 4\)"):
        twin.layers[0].weights = np.ones((4, 3))


# Which classes are built


def test_a_class_that_was_not_given_is_named_and_nothing_is_built(tmp_path: Path) -> None:
    own_model().save(tmp_path / "model")
    BUILT.clear()
    for custom, missing in (
        ((), "layer 1: .*got 'Mixing'.*pass custom=\\[Mixing\\]"),
        ([Mixing], "loss: .*got 'Squares'.*pass custom=\\[Squares\\]"),
        ([Mixing, Squares], "optimizer: .*got 'Clipped'"),
        ([Mixing, Squares, Clipped], "accuracy: .*got 'Near'"),
    ):
        with pytest.raises(ModelFileError, match=missing):
            Model.load(tmp_path / "model", custom=custom)
    assert not BUILT
    model = Model()
    model.add(Wide(2, 2))
    model.save(tmp_path / "model")
    assert type(Model.load(tmp_path / "model", custom=Wide).layers[0]) is Wide


def test_what_is_no_list_of_classes_is_refused(tmp_path: Path) -> None:
    own_model().save(tmp_path / "model")
    with pytest.raises(TypeError, match="custom: expected classes, got 'Mixing'"):
        Model.load(tmp_path / "model", custom=["Mixing"])
    with pytest.raises(TypeError, match="custom: expected classes, got 3"):
        Model.load(tmp_path / "model", custom=3)  # type: ignore[arg-type]
    twin = type("Mixing", (), {})
    with pytest.raises(ValueError, match="custom: expected classes of different names"):
        Model.load(tmp_path / "model", custom=[Mixing, twin])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (type("Mixing", (), {}), "layer: expected an object with forward and backward"),
        (type("Mixing", (dict,), {}), "layer 1: Mixing: cannot be built"),
        (type("Mixing", (Plain,), {"power": property(lambda self: 1)}), "power: cannot be set"),
    ],
)
def test_a_class_that_does_not_fit_is_refused(given: Any, text: str, tmp_path: Path) -> None:
    own_model().save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=text):
        Model.load(tmp_path / "model", custom=[given, *CUSTOM[1:]])


def test_a_name_of_ours_in_custom_takes_no_place_of_ours(tmp_path: Path) -> None:
    model = Model()
    model.add(Layer_Dense(3, 2))
    model.save(tmp_path / "model")
    impostor = type("Layer_Dense", (Plain,), {})
    assert type(Model.load(tmp_path / "model", custom=[impostor]).layers[0]) is Layer_Dense


# What an attribute may be

VALUES: dict[str, Any] = {
    "number": 3,
    "huge": -(2**80),
    "share": 0.1,
    "not a number": float("nan"),
    "infinities": [float("inf"), float("-inf")],
    "word": "grüße \ud800 \x00",
    "flag": True,
    "nothing": None,
    "nested": {"a": [1, (2, {"b": None}), []], 3: (), None: {}, True: "x"},
    "numpy": [np.float64(0.5), np.float32(0.1).item(), np.int8(3).item(), np.bool_(True)],
    "array": np.arange(6.0).reshape(2, 3),
    "single": np.arange(3, dtype=np.float32),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3)),
    "deep": np.arange(24.0).reshape(1, 2, 3, 1, 4),
    "strided": np.arange(12.0)[::3],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3.0).astype(">f8"),
    "ints": np.array([[-(2**63), 2**63 - 1]]),
    "bytes": np.arange(256, dtype=np.uint8).reshape(16, 16),
    "bools": np.array([True, False]),
    "arrays": [np.ones(2), {"inner": (np.zeros(1),)}],
}


def assert_equal(one: Any, two: Any) -> None:
    if isinstance(one, np.ndarray):
        assert type(two) is np.ndarray and two.dtype == one.dtype.newbyteorder("=")
        np.testing.assert_array_equal(one, two)
        assert two.flags.writeable
    elif isinstance(one, dict):
        assert type(two) is dict and list(one) == list(two)
        for key in one:
            assert_equal(one[key], two[key])
    elif isinstance(one, list | tuple):
        assert type(one) is type(two) and len(one) == len(two)
        for first, second in zip(one, two, strict=True):
            assert_equal(first, second)
    elif isinstance(one, float) and one != one:
        assert type(two) is float and two != two
    else:
        one = one.item() if isinstance(one, np.generic) else one
        assert one == two and type(one) is type(two)


@pytest.mark.parametrize("name", list(VALUES))
def test_a_plain_attribute_comes_back(name: str, tmp_path: Path) -> None:
    model = Model()
    layer: Any = Plain()
    layer.value = VALUES[name]
    setattr(layer, name, 1)  # any text may name an attribute
    model.add(layer)
    twin = reloaded(model, tmp_path)
    assert_equal(layer.value, twin.layers[0].value)
    assert vars(twin.layers[0]).keys() == {"value", name}
    again = twin.save(tmp_path / "again")
    assert again is None
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


class Text(str):
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (lambda x: x, "a function"),
        (abs, "a builtin_function_or_method"),
        (object(), "a object"),
        (Layer_Dense, "the class <class"),
        (Layer_Dense(2, 2), "a Layer_Dense"),
        ({1, 2}, "a set"),
        (b"bytes", "a bytes"),
        (1j, "a complex"),
        (OrderedDict(), "a OrderedDict"),
        (Text("a"), "a Text"),
        ({(1, 2): 3}, "keys that are texts or numbers, got a tuple"),
        ({float("nan"): 3}, "keys that are texts or numbers, got a float"),
        (np.ones(2, dtype=np.float16), "an array of float32 or float64, got float16"),
        (np.ones(2, dtype=complex), "an array of float32 or float64, got complex128"),
        (np.array(["a"]), "an array of float32 or float64, got <U1"),
        (np.array([None]), "an array of float32 or float64, got object"),
        (np.ma.masked_array([1.0]), "a MaskedArray"),
        (np.ones(10_001, dtype=int), "at most 10000 entries of int64, got 10001"),
        (np.random.default_rng(0), "a Generator"),
    ],
)
@pytest.mark.parametrize("where", ["value", "list", "dict"])
def test_what_is_not_plain_is_named(value: Any, text: str, where: str, tmp_path: Path) -> None:
    model = Model()
    layer: Any = Plain()
    layer.value = {"value": value, "list": [1, [value]], "dict": {"a": value}}[where]
    model.add(layer)
    place = {"value": "", "list": r"\[1\]\[0\]", "dict": r"\['a'\]"}[where]
    with pytest.raises(TypeError, match=rf"save: layer 1: Plain.value{place}: expected .*{text}"):
        model.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    model = Model()
    layer: Any = Plain()
    layer.value = []
    layer.value.append(layer.value)
    model.add(layer)
    with pytest.raises(TypeError, match=r"Plain.value\[0\].*: expected .* nested too deep"):
        model.save(tmp_path / "model")


def test_arrays_that_own_parts_share_still_are_one(tmp_path: Path) -> None:
    model = Model()
    one, two = Mixing(3, 3), Mixing(3, 3)
    two.kernel = one.kernel
    two.notes["view"] = one.kernel  # type: ignore[assignment]
    for layer in (one, two):
        model.add(layer)
    first, second = reloaded(model, tmp_path).layers
    assert second.kernel is first.kernel and second.notes["view"] is first.kernel


def test_what_a_pass_leaves_is_not_kept(tmp_path: Path) -> None:
    model = own_model()
    model.train(X, Y, epochs=1)
    size = len(X) * X.itemsize * 3
    model.save(tmp_path / "one")
    model.forward(np.concatenate([X] * 50), training=True)
    model.backward(model.layers[-1].output, np.concatenate([Y] * 50))
    model.save(tmp_path / "two")
    assert os.path.getsize(tmp_path / "two") < os.path.getsize(tmp_path / "one") + size
    layer = Model.load(tmp_path / "two", custom=CUSTOM).layers[0]
    assert not {"inputs", "output", "dinputs", "dkernel", "dgain"} & set(vars(layer))


def test_a_number_of_inputs_is_a_setting(tmp_path: Path) -> None:
    model = Model()
    layer: Any = Plain()
    layer.inputs, layer.output, layer.next, layer.prev, layer.token = 4, "linear", 2, None, "abc"
    model.add(layer)
    twin = reloaded(model, tmp_path).layers[0]
    assert vars(twin) == vars(layer)


def test_neighbours_that_a_script_puts_on_a_layer_are_not_kept(tmp_path: Path) -> None:
    model = own_model()
    for layer, before, behind in zip(
        model.layers, [None, *model.layers], [*model.layers[1:], model.loss], strict=False
    ):
        layer.prev, layer.next = before, behind
    twin = reloaded(model, tmp_path)
    assert twin.layers[1].next is twin.layers[2] and twin.layers[1].prev is twin.layers[0]
    assert "next" not in vars(twin.layers[0])


# Models of the user's own class


class Notes:
    def tell(self) -> str:
        return f"{self.title} {len(self.layers)}"  # type: ignore[attr-defined]


class Net(Model, Notes):
    def __init__(self, title: str) -> None:
        BUILT.append("Net")
        super().__init__()
        self.title = title
        self.scale = np.arange(3.0)
        for layer in (Layer_Dense(3, 8, rng=1), Activation_Tanh(), Layer_Dense(8, 2, rng=2)):
            self.add(layer)
        self.add(Activation_Softmax())
        self.set(loss=Loss_CategoricalCrossentropy(), optimizer=Optimizer_Adam(0.01))

    def finalize(self) -> None:
        BUILT.append("finalize")
        super().finalize()


def test_a_model_of_a_subclass_is_saved_and_comes_back_as_either(tmp_path: Path) -> None:
    net = Net("mine")
    net.train(X, LABELS, epochs=2)
    net.save(tmp_path / "model")
    BUILT.clear()
    plain = Model.load(tmp_path / "model")
    own: Any = Net.load(tmp_path / "model", custom=[Net])
    assert not BUILT
    assert type(plain) is Model and type(own) is Net
    assert own.tell() == "mine 4" and own.scale.tolist() == [0.0, 1.0, 2.0]
    assert not hasattr(plain, "title")
    for model in (plain, own):
        assert model.predict(X).tobytes() == net.predict(X).tobytes()
    for model in (net, plain, own):
        model.train(X, LABELS, epochs=2)
    assert net.predict(X).tobytes() == plain.predict(X).tobytes() == own.predict(X).tobytes()
    own.save(tmp_path / "again")
    net.title = open  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"save: model: Net.title: expected plain settings"):
        net.save(tmp_path / "model")
    impostor = type("Net", (), {})
    with pytest.raises(ModelFileError, match="model: expected a subclass of Model, got Net"):
        Model.load(tmp_path / "again", custom=[impostor])


def test_a_subclass_of_the_same_name_is_the_users_own(tmp_path: Path) -> None:
    own = type("Model", (chainrule.Model, Notes), {})
    model = own()
    model.title = "same name"
    model.add(Layer_Dense(2, 2))
    model.save(tmp_path / "model")
    assert type(Model.load(tmp_path / "model")) is Model
    assert Model.load(tmp_path / "model", custom=[own]).tell() == "same name 1"


# Settings of the newer parts


def test_newer_settings_come_back(tmp_path: Path) -> None:
    model = Model()
    for layer in (
        Layer_Scale(3, learning_rate_factor=2, weight_decay_factor=0.0),
        Layer_Dense(3, 4, rng=1, bias=False, epsilon_factor=(1.0, 2.0), init="he_normal"),
        Activation_Tanh(),
        Layer_Dropout(0.1, rng=2, schedule=Cosine(0.5)),
        Layer_Dense(4, 2, rng=3, weight_decay_factor=(1.0, 0.5)),
    ):
        model.add(layer)
    model.layers[-1].trainable = False
    optimizer = Optimizer_Adam(
        0.02, amsgrad=True, weight_decay=0.01, weight_decay_schedule=Step(at=0.5), epsilon=0
    )
    model.set(loss=Loss_MeanSquaredError(), optimizer=optimizer)
    whole = copy.deepcopy(model)
    whole.optimizer.schedule_steps = model.optimizer.schedule_steps = 15
    whole.train(X, Y, epochs=5, batch_size=8)
    model.train(X, Y, epochs=2, batch_size=8)
    twin = reloaded(model, tmp_path, custom=())
    assert repr(twin) == repr(model)
    assert [state(layer) for layer in twin.layers] == [state(layer) for layer in model.layers]
    assert state(twin.optimizer).keys() == state(model.optimizer).keys()
    twin.train(X, Y, epochs=3, batch_size=8)
    for one, two in zip(whole.layers, twin.layers, strict=True):
        assert state(one) == state(two)
    assert twin.layers[0].weight_cache_max.shape == (1, 3)
    assert not hasattr(twin.layers[4], "weight_cache") and twin.layers[4].trainable is False


def test_shortened_trainable_layers_and_column_names_come_back(tmp_path: Path) -> None:
    model = Model()
    for layer in (Layer_Dense(3, 4, rng=1), Activation_Tanh(), Layer_Dense(4, 2, rng=2)):
        model.add(layer)
    model.set(loss=Loss_MeanSquaredError(), optimizer=Optimizer_SGD(0.1))
    model.finalize()
    model.trainable_layers = [model.layers[2]]
    model.feature_names = ("height", "width", "größe")
    twin = reloaded(model, tmp_path, custom=())
    assert twin.trainable_layers == [twin.layers[2]]
    assert twin.feature_names == model.feature_names
    before = twin.layers[0].weights.copy()
    twin.train(X, Y, epochs=1)
    np.testing.assert_array_equal(twin.layers[0].weights, before)


def test_whose_arrays_they_are_is_kept(tmp_path: Path) -> None:
    """An optimizer set after a training begins afresh, also after a file; the old one goes on."""
    model = Model()
    model.add(Layer_Dense(3, 2, rng=1))
    model.set(loss=Loss_MeanSquaredError(), optimizer=Optimizer_SGD(0.1, momentum=0.9))
    model.train(X, Y, epochs=3)
    old = model.optimizer
    twins = []
    for optimizer in (old, Optimizer_SGD(0.1, momentum=0.9)):
        model.set(optimizer=optimizer)
        twin = reloaded(model, tmp_path, custom=())
        fresh = copy.deepcopy(model)
        for each in (twin, fresh):
            each.train(X, Y, epochs=2)
        assert state(twin.layers[0]) == state(fresh.layers[0])
        twins.append(twin)
    assert twins[0].layers[0].optimizer_steps["weights"] == 5
    assert twins[1].layers[0].optimizer_steps["weights"] == 2


# Parameters alone, and layers without biases


def test_layers_without_biases_are_stopped_early_copied_and_saved(tmp_path: Path) -> None:
    model = own_model(Optimizer_SGD(0.05))
    data = (X, Y)
    model.train(X, Y, epochs=5, validation_data=data, callbacks=EarlyStopping(patience=1))
    kept = model.get_parameters()
    assert [len(each) for each in kept] == [2, 2]
    model.save_parameters(tmp_path / "parameters")
    model.save(tmp_path / "model")
    for path in (tmp_path / "parameters", tmp_path / "model"):
        model.layers[0].kernel[...] = 0
        model.layers[0].gain[...] = 0
        model.layers[2].biases[...] = 9
        model.load_parameters(path)  # no class of the file is built
        for one, two in zip(kept, model.get_parameters(), strict=True):
            for first, second in zip(one, two, strict=True):
                np.testing.assert_array_equal(first, second)
    model.layers[0].gain.flags.writeable = False
    with pytest.raises(ValueError, match=r"Mixing.*: gain: expected a writeable array"):
        model.load_parameters(tmp_path / "model")


def test_a_file_with_biases_does_not_fit_a_layer_without(tmp_path: Path) -> None:
    def make(bias: bool) -> Model:
        model = Model()
        model.add(Layer_Dense(3, 2, bias=bias))
        return model

    for save in ("save", "save_parameters"):
        for bias in (True, False):
            getattr(make(bias), save)(tmp_path / "file")
            with pytest.raises(ModelFileError, match=r"1\.biases'?: expected"):
                make(not bias).load_parameters(tmp_path / "file")
            make(bias).load_parameters(tmp_path / "file")


# Forgeries


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "model"
    net = Net("mine")
    net.layers.insert(0, Mixing(3, 3))
    net.layers[0].notes["more"] = [np.ones(2), np.arange(3)]  # type: ignore[index]
    net.loss = Squares(0.5)
    net.optimizer = Clipped(0.02, schedule=Cosine())
    net.save(path)
    return path.read_bytes()


@FUZZ
@given(data=st.data())
def test_a_forged_document_is_refused_or_taken_at_its_word(
    good: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    header, document, body = split(good)
    path = tmp_path / "file"
    path.write_bytes(joined(header, changed(document, data.draw), body))
    try:
        model = Model.load(path, custom=[*CUSTOM, Net])
    except ModelFileError:
        return
    assert type(model) in (Model, Net)
    for part in (*model.layers, model.loss, model.optimizer, model.accuracy):
        assert (
            part is None or type(part) in CUSTOM or type(part).__module__.startswith("chainrule.")
        )


def attributes(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["layers"][0]["attributes"]
    return found


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda h, d: attributes(d).update(__class__=1),
            "expected attributes of an object, got '__",
        ),
        (
            lambda h, d: attributes(d).update(x=[1]),
            "layer 1: x: expected a plain value, got",
        ),
        (lambda h, d: attributes(d).update(x={}), "layer 1: x: expected a plain value"),
        (lambda h, d: attributes(d).update(x={"set": []}), "layer 1: x: expected a plain value"),
        (lambda h, d: attributes(d).update(x={"float": "1e3"}), "x: expected a plain value"),
        (
            lambda h, d: attributes(d).update(x={"dict": [[1]]}),
            "x: expected pairs of key and value",
        ),
        (lambda h, d: attributes(d).update(x={"dict": [[[], 1]]}), "x: expected pairs of key and"),
        (
            lambda h, d: attributes(d).update(x={"tensor": "a", "dtype": "float16", "shape": []}),
            "x: dtype: expected float32, float64, got 'float16'",
        ),
        (
            lambda h, d: attributes(d).update(x={"tensor": "a", "dtype": "float32", "shape": [-1]}),
            "x: shape: expected sizes of at least 0",
        ),
        (
            lambda h, d: attributes(d).update(x={"tensor": "a", "dtype": "float32", "shape": []}),
            "tensor 'a': expected float32 .*, got none",
        ),
        (
            lambda h, d: attributes(d).update(
                x={"tensor": "1.kernel", "dtype": "float64", "shape": [1, 1, 3, 3]}
            ),
            "tensors: expected each name once, got one twice",
        ),
        (
            lambda h, d: attributes(d).update(x={"array": [1], "dtype": "int8", "shape": [2]}),
            "x: expected 2 entries, got another count",
        ),
        (
            lambda h, d: attributes(d).update(x={"array": [128], "dtype": "int8", "shape": [1]}),
            "x: expected entries of int8, got 128",
        ),
        (
            lambda h, d: attributes(d).update(x={"array": [1], "dtype": "bool", "shape": [1]}),
            "x: expected entries of bool, got 1",
        ),
        (
            lambda h, d: attributes(d).update(x={"array": ["a"], "dtype": "object", "shape": [1]}),
            "x: dtype: expected bool, int8",
        ),
        (lambda h, d: attributes(d).update(x={"schedule": {"class": "os"}}), "x: .*got 'os'"),
        (lambda h, d: attributes(d).update(x={"schedule": 1}), "x: expected an object, got 1"),
        (lambda h, d: d["layers"][0].update(own="system"), "layer 1: .*pass custom=\\[system\\]"),
        (lambda h, d: d["layers"][0].update(own=1), "layer 1: expected a class and its attributes"),
        (lambda h, d: d["layers"][0].update(attributes=[]), "layer 1: attributes: expected an obj"),
        (lambda h, d: d["layers"][0].update(more=1), "layer 1: .*check 'more'"),
        (lambda h, d: d["layers"][0]["parameters"].pop("gain"), "tensor '1.gain': expected none"),
        (lambda h, d: d["layers"][0].pop("parameters"), "layer 1: .*check"),
        (lambda h, d: d["loss"].update({"class": "Loss"}), "loss: .*check 'class'"),
    ],
)
def test_a_forgery_is_named(good: bytes, tmp_path: Path, change: Any, text: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(edited(good, change))
    with pytest.raises(ModelFileError, match=text):
        Model.load(path, custom=[*CUSTOM, Net])


def test_the_document_is_json_that_names_classes_only(good: bytes) -> None:
    """Nothing in it says where a class comes from."""
    _, document, _ = split(good)
    text = json.dumps(document)
    assert "test_saving_own" not in text and "chainrule." not in text
