"""A saved model comes back whole, and goes on training as if it had never stopped."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule import (
    Accuracy_Categorical,
    Accuracy_Regression,
    Activation_Linear,
    Activation_ReLU,
    Activation_Sigmoid,
    Activation_Softmax,
    Activation_Tanh,
    Layer_Dense,
    Layer_Dropout,
    Layer_Input,
    Loss_BinaryCrossentropy,
    Loss_CategoricalCrossentropy,
    Loss_HalfSquaredError,
    Loss_MeanAbsoluteError,
    Loss_MeanSquaredError,
    Model,
    ModelFileError,
    Optimizer_Adagrad,
    Optimizer_Adam,
    Optimizer_RMSprop,
    Optimizer_SGD,
)
from chainrule.datasets import sine_data, spiral_data

ARRAYS = (
    "weights", "biases",
    "weight_momentums", "bias_momentums", "weight_cache", "bias_cache",
)  # fmt: skip


def classifier(optimizer: Any = None, dtype: Any = np.float64, dropout: bool = True) -> Model:
    """2-8-3, softmax; goes through the compiled plan."""
    model = Model()
    strengths = (1e-5, 5e-4, 1e-5, 5e-4)
    model.add(Layer_Dense(2, 8, *strengths, dtype=dtype, init="he_normal", rng=1))
    model.add(Activation_ReLU())
    if dropout:
        model.add(Layer_Dropout(0.1, rng=2))
    model.add(Layer_Dense(8, 3, dtype=dtype, init="he_normal", rng=3))
    model.add(Activation_Softmax())
    model.set(
        loss=Loss_CategoricalCrossentropy(),
        optimizer=Optimizer_Adam(0.02, decay=1e-3) if optimizer is None else optimizer,
        accuracy=Accuracy_Categorical(),
    )
    return model


def layerwise_classifier(optimizer: Any = None, dtype: Any = np.float64) -> Model:
    """The same behind an activation that stands first, for which there is no plan."""
    model = classifier(optimizer, dtype)
    model.layers.insert(0, Activation_Tanh())
    assert "layer by layer" in model.plan
    return model


def state_of(model: Model) -> list[dict[str, Any]]:
    """Everything that a file keeps of the layers' and the other parts' attributes."""
    kept = {*ARRAYS, "rate", "key", "step", "iterations", "weight_scale"}
    kept |= {name for each in (*OPTIMIZERS, Layer_Dense(1, 1)) for name in vars(each)}
    kept |= {"binary", "precision", "optimizer_steps"}
    kept.discard("token")  # each object's own; whose the arrays are is compared below
    parts = [*model.layers, model.loss, model.optimizer, model.accuracy]
    return [
        {"class": type(part)} | {name: vars(part)[name] for name in vars(part) if name in kept}
        for part in parts
        if part is not None
    ]


def owners(model: Model) -> list[bool | None]:
    """Whether each trainable layer's arrays are those of the model's optimizer."""
    tokens = [layer.optimizer_token for layer in model.trainable_layers]
    token = getattr(model.optimizer, "token", None)
    return [None if each is None else each == token for each in tokens]


def assert_same(model: Model, other: Model) -> None:
    assert owners(model) == owners(other)
    for one, two in zip(state_of(model), state_of(other), strict=True):
        assert one.keys() == two.keys()
        for name, value in one.items():
            if isinstance(value, np.ndarray):
                assert value.dtype == two[name].dtype
                assert value.tobytes() == two[name].tobytes(), name
                assert two[name].flags.carray and two[name].flags.writeable
            else:
                assert value == two[name] and type(value) is type(two[name]), name


OPTIMIZERS = [
    Optimizer_SGD(0.3, decay=1e-3),
    Optimizer_SGD(0.3, momentum=0.9, nesterov=True),
    Optimizer_Adagrad(0.3, epsilon=1e-6),
    Optimizer_RMSprop(0.01, rho=0.8),
    Optimizer_Adam(0.02, decay=1e-3, beta_1=0.8, weight_decay=0.01),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizers_come_back(optimizer: Any, dtype: Any, tmp_path: Path) -> None:
    model = classifier(copy.deepcopy(optimizer), dtype)
    X, y = spiral_data(20, 3, rng=0)
    model.train(X, y, epochs=3, batch_size=16)
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert_same(model, loaded)
    assert loaded.trainable_layers == [loaded.layers[0], loaded.layers[3]]
    assert loaded.plan == model.plan or "compiled plan" in loaded.plan
    assert loaded.predict(X).tobytes() == model.predict(X).tobytes()


@pytest.mark.parametrize(
    ("last", "loss", "accuracy"),
    [
        (Activation_Linear(), Loss_MeanSquaredError(), Accuracy_Regression()),
        (Activation_Tanh(), Loss_HalfSquaredError(), None),
        (Activation_Linear(), Loss_MeanAbsoluteError(), None),
        (Activation_Sigmoid(), Loss_BinaryCrossentropy(), Accuracy_Categorical(binary=True)),
    ],
)
def test_losses_and_accuracies_come_back(
    last: Any, loss: Any, accuracy: Any, tmp_path: Path
) -> None:
    model = Model()
    for layer in (Layer_Input(), Layer_Dense(1, 4, weight_scale=0.5), Activation_Tanh()):
        model.add(layer)
    model.add(Layer_Dense(4, 1))
    model.add(last)
    model.set(loss=loss, optimizer=Optimizer_SGD(0.1), accuracy=accuracy)
    X, y = sine_data(20)
    model.train(X, (y > 0) * 1 if type(last) is Activation_Sigmoid else y, epochs=2)
    model.save(str(tmp_path / "model"))
    loaded = Model.load(os.fsencode(tmp_path / "model"))
    assert_same(model, loaded)
    assert model.history is not None and loaded.history is not None
    assert len(loaded.history) == 2
    for name in model.history:
        np.testing.assert_array_equal(loaded.history[name], model.history[name])


def test_a_model_that_was_never_trained(tmp_path: Path) -> None:
    model = Model()
    model.add(Layer_Dense(2, 2))
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert_same(model, loaded)
    assert (loaded.loss, loaded.optimizer, loaded.accuracy) == (None, None, None)
    assert (loaded.history, loaded.rng) == (None, None)
    with pytest.raises(ValueError, match="at least one layer"):
        Model().save(tmp_path / "empty")
    assert os.listdir(tmp_path) == ["model"]


def test_values_that_users_put_there_come_back(tmp_path: Path) -> None:
    """Also those that a constructor would refuse, and NaN in parameters."""
    model = classifier()
    model.optimizer.learning_rate = -1
    model.optimizer.decay = np.float64(0.25)
    model.layers[0].weight_regularizer_l2 = np.float32(0.5)
    model.layers[0].weights[0, 0] = np.nan
    model.layers[3].weight_cache = np.ones((8, 3), dtype=np.float32)
    model.layers[0].note = "not kept"
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert loaded.optimizer.learning_rate == -1 and loaded.optimizer.decay == 0.25
    assert loaded.layers[0].weight_regularizer_l2 == 0.5
    assert np.isnan(loaded.layers[0].weights[0, 0])
    assert loaded.layers[3].weight_cache.dtype == np.float64
    assert not hasattr(loaded.layers[0], "note")


def test_dtypes_may_be_mixed(tmp_path: Path) -> None:
    model = Model()
    model.add(Layer_Dense(2, 3, dtype=np.float32))
    model.add(Layer_Dense(3, 2, dtype=np.float64))
    model.save(tmp_path / "model")
    assert_same(model, Model.load(tmp_path / "model"))


def test_layers_that_share_arrays_still_do(tmp_path: Path) -> None:
    model = Model()
    for _ in range(3):
        model.add(Layer_Dense(4, 4))
        model.add(Activation_Tanh())
    model.layers[4].weights = model.layers[0].weights
    model.layers[2].biases = model.layers[0].biases
    model.save(tmp_path / "model")
    first, second, third = Model.load(tmp_path / "model").trainable_layers
    assert third.weights is first.weights and second.biases is first.biases
    assert second.weights is not first.weights and third.biases is not first.biases
    model.load_parameters(tmp_path / "model")


def test_arrays_that_overlap_in_part_are_refused(tmp_path: Path) -> None:
    model = Model()
    model.add(Layer_Dense(2, 2))
    model.add(Layer_Dense(2, 2))
    flat = np.arange(6.0)
    model.layers[0].weights = flat[:4].reshape(2, 2)
    model.layers[1].weights = flat[2:].reshape(2, 2)
    with pytest.raises(ValueError, match=r"2\.weights and 1\.weights, which share a part"):
        model.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []
    model.layers[1].weights = np.arange(4.0).reshape(2, 2)
    model.save(tmp_path / "model")  # neighbours in memory are no overlap


# Training goes on


SETTINGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "momentum": (lambda: classifier(Optimizer_SGD(0.5, 1e-3, 0.9)), {"batch_size": 16}),
    "adam": (classifier, {"batch_size": 16}),
    "adam, float32": (lambda: classifier(dtype=np.float32), {}),
    "shuffled": (classifier, {"batch_size": 16, "shuffle": True}),
    "rmsprop": (lambda: classifier(Optimizer_RMSprop(0.01)), {"clip_norm": 1.0}),
    "layerwise momentum": (
        lambda: layerwise_classifier(Optimizer_SGD(0.5, 1e-3, 0.9)),
        {"batch_size": 16},
    ),
    "layerwise adam, shuffled": (layerwise_classifier, {"batch_size": 16, "shuffle": True}),
}
RESUME = """
import sys
from pathlib import Path
from chainrule import Model
from chainrule.datasets import spiral_data
folder, settings = Path(sys.argv[1]), eval(sys.argv[2])
X, y = spiral_data(20, 3, rng=0)
for number, keywords in enumerate(settings):
    model = Model.load(folder / f"{number}.begun")
    model.train(X, y, epochs=7, **keywords)
    model.save(folder / f"{number}.done")
"""


def test_training_resumes_in_a_new_process_with_the_same_bits(tmp_path: Path) -> None:
    """12 epochs are 5, a file, a new process and 7; the generator of the shuffling goes on."""
    X, y = spiral_data(20, 3, rng=0)
    wholes = []
    for number, (build, keywords) in enumerate(SETTINGS.values()):
        whole, begun = build(), build()
        whole.train(X, y, epochs=12, rng=4, **keywords)
        begun.train(X, y, epochs=5, rng=4, **keywords)
        begun.save(tmp_path / f"{number}.begun")
        wholes.append(whole)
    arguments = [str(tmp_path), repr([keywords for _, keywords in SETTINGS.values()])]
    subprocess.run([sys.executable, "-c", RESUME, *arguments], check=True, timeout=60)
    for number, (name, whole) in enumerate(zip(SETTINGS, wholes, strict=True)):
        resumed = Model.load(tmp_path / f"{number}.done")
        assert_same(whole, resumed)
        for column in ("loss", "accuracy", "learning_rate"):
            rows = slice(5, None)
            np.testing.assert_array_equal(whole.history[column][rows], resumed.history[column])
        assert (resumed.rng.random(), name) == (whole.rng.random(), name)


@pytest.mark.parametrize("build", [classifier, layerwise_classifier])
def test_a_callback_can_save_each_epoch(build: Any, tmp_path: Path) -> None:
    class Keep(chainrule.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.model.save(tmp_path / f"{epoch}")

    X, y = spiral_data(20, 3, rng=0)
    whole = build()
    keywords: dict[str, Any] = {"batch_size": 16, "shuffle": True}
    whole.train(X, y, epochs=6, rng=4, callbacks=[Keep()], **keywords)
    for epoch in (1, 4):
        resumed = Model.load(tmp_path / f"{epoch}")
        assert resumed.history is not None and len(resumed.history) == epoch
        resumed.train(X, y, epochs=6 - epoch, **keywords)
        assert_same(whole, resumed)


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_each_generator_goes_on(kind: str, tmp_path: Path) -> None:
    model = classifier()
    model.rng = np.random.Generator(getattr(np.random, kind)(7))
    model.rng.integers(0, 9, size=3, dtype=np.uint32)  # leaves half a word behind
    model.rng.random(5)
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model").rng
    assert loaded is not None and type(loaded.bit_generator).__name__ == kind
    for draw in (lambda rng: rng.integers(0, 9, 9, np.uint32), lambda rng: rng.random(999)):
        np.testing.assert_array_equal(draw(loaded), draw(model.rng))


def test_loading_draws_no_random_numbers(tmp_path: Path) -> None:
    classifier().save(tmp_path / "model")
    np.random.seed(1)  # noqa: NPY002
    Model.load(tmp_path / "model")
    drawn = np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert np.random.random() == drawn  # noqa: NPY002


# What a file cannot hold


class Slotted:
    """Serves as anything, with an attribute that no file can hold."""

    __slots__ = ("size",)

    def forward(self, *arguments: Any) -> Any: ...
    def backward(self, *arguments: Any) -> Any: ...
    def update_params(self, layer: Any) -> None: ...
    def calculate(self, predictions: Any, y: Any) -> float: ...


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda model: model.add(Slotted()), "layer 6: Slotted: .*got __slots__"),
        (lambda model: model.set(loss=Slotted()), "loss: Slotted: .*got __slots__"),
        (lambda model: model.set(optimizer=Slotted()), "optimizer: Slotted: .*got __slots__"),
        (lambda model: model.set(accuracy=Slotted()), "accuracy: Slotted: .*got __slots__"),
        (lambda model: vars(model.layers[1]).update(forward=abs), "layer 2: .*a forward of its"),
        (
            lambda model: vars(model.optimizer).update(schedule=np.square),
            "optimizer: schedule: expected a schedule of chainrule.schedules, got a ufunc",
        ),
        (lambda model: vars(model).update(rng=np.random.RandomState()), "rng: .*RandomState"),
    ],
)
def test_save_refuses_what_it_cannot_load_again(change: Any, text: str, tmp_path: Path) -> None:
    model = classifier()
    change(model)
    with pytest.raises(TypeError, match=text):
        model.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []
    if not isinstance(model.rng, np.random.RandomState):
        model.save_parameters(tmp_path / "parameters")
        model.load_parameters(tmp_path / "parameters")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda model: vars(model.optimizer).update(decay=np.nan), "optimizer: decay: .*nan"),
        (lambda model: vars(model.optimizer).update(iterations=1.5), "iterations: expected an int"),
        (lambda model: vars(model.layers[2]).update(rate=0.0), "layer 3: rate: .*above 0"),
        (lambda model: vars(model.layers[0]).update(bias_cache=np.ones(3)), "bias_cache: .*1, 8"),
    ],
)
def test_save_refuses_values_that_load_would(change: Any, text: str, tmp_path: Path) -> None:
    model = classifier()
    change(model)
    with pytest.raises(ValueError, match=text) as caught:
        model.save(tmp_path / "model")
    assert not isinstance(caught.value, ModelFileError)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", [3, None, 1.5])
def test_what_is_no_path_is_refused(path: Any) -> None:
    for function in (classifier().save, classifier().load_parameters, Model.load):
        with pytest.raises(TypeError, match="path: expected a str or a path-like"):
            function(path)


# Parameters alone


class Plain:
    """A trainable layer of the user's own."""

    def __init__(self) -> None:
        self.weights = np.arange(6.0).reshape(2, 3)
        self.biases = np.arange(3.0)

    def forward(self, inputs: Any, training: bool = False) -> Any:
        return inputs @ self.weights + self.biases

    def backward(self, dvalues: Any) -> Any:
        return dvalues @ self.weights.T


def test_parameters_of_any_layers(tmp_path: Path) -> None:
    model = Model()
    model.add(Plain())
    model.add(Layer_Dense(3, 2))
    model.save_parameters(tmp_path / "parameters")
    before = model.get_parameters()
    held = model.layers[0].weights
    for layer in model.layers:
        layer.weights[...] = 0
        layer.biases[...] = 0
    model.load_parameters(tmp_path / "parameters")
    assert model.layers[0].weights is held
    for pair, other in zip(before, model.get_parameters(), strict=True):
        assert all(map(np.array_equal, pair, other))


def test_parameters_out_of_a_model_file_and_in_another_dtype(tmp_path: Path) -> None:
    source, target = classifier(), classifier(dtype=np.float32, dropout=False)
    source.save(tmp_path / "model")
    source.train(*spiral_data(10, 3, rng=0), epochs=2)
    source.save_parameters(tmp_path / "parameters")
    for name in ("model", "parameters"):
        target.load_parameters(tmp_path / name)
        source.load_parameters(tmp_path / name)
        assert target.layers[0].weights.dtype == np.float32
        for one, two in zip(source.trainable_layers, target.trainable_layers, strict=True):
            np.testing.assert_array_equal(two.weights, one.weights.astype(np.float32))
            np.testing.assert_array_equal(two.biases, one.biases.astype(np.float32))


@pytest.mark.parametrize("save", ["save", "save_parameters"])
def test_parameters_of_another_shape_change_nothing(save: str, tmp_path: Path) -> None:
    getattr(classifier(), save)(tmp_path / "file")
    wider = Model()
    for layer in (Layer_Dense(2, 8), Layer_Dense(8, 4)):
        wider.add(layer)
    longer = classifier()
    longer.add(Layer_Dense(3, 3))
    for model in (wider, longer):
        before = model.get_parameters()
        with pytest.raises(ModelFileError, match="expected"):
            model.load_parameters(tmp_path / "file")
        for pair, other in zip(before, model.get_parameters(), strict=True):
            assert all(map(np.array_equal, pair, other))


def test_safetensors_is_imported_on_first_use() -> None:
    code = "import sys, chainrule; sys.exit('safetensors' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_file_has_nothing_to_say_about_classes_beyond_the_library() -> None:
    """What a file names without `custom` is public, and nothing in the package opens a pickle."""
    from chainrule import catalogue

    kinds = ("layer", "activation", "loss", "optimizer", "accuracy")
    known = [each for kind in kinds for each in catalogue.classes(kind)]
    assert {Layer_Dense, Activation_ReLU, Loss_MeanSquaredError, Optimizer_SGD} <= set(known)
    assert all(getattr(chainrule, each.__name__) is each for each in known)
    for path in Path(chainrule.__file__).parent.rglob("*.py"):
        assert "import pickle" not in path.read_text(encoding="utf-8"), path
