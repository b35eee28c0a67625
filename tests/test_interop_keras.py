"""Keras 3's models: the same outputs, and the same step of training; on PyTorch or JAX."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import one_step
from chainrule.interop import from_keras, to_keras
from exchange import ACTIVATIONS, net_for_tables, net_with, samples
from part_cases import name_of
from tolerance import gamma

if importlib.util.find_spec("keras") is None:
    pytest.skip("could not import 'keras'", allow_module_level=True)
if "KERAS_BACKEND" not in os.environ:
    BACKEND = next((each for each in ("torch", "jax") if importlib.util.find_spec(each)), None)
    if BACKEND is None:
        pytest.skip("Keras needs a backend: torch or jax", allow_module_level=True)
    os.environ["KERAS_BACKEND"] = BACKEND
os.environ.setdefault("JAX_ENABLE_X64", "true")  # JAX has else no doubles
keras: Any = pytest.importorskip("keras")
# Keras's own, with NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
Array = np.ndarray[Any, Any]


def outputs_of(model: Any, X: Array) -> Array:
    found: Array = keras.ops.convert_to_numpy(model(X, training=False))
    return found


def assert_same_outputs(ours: Array, theirs: Array) -> None:
    """To the rounding of sums of at most 8 terms and of elementary functions, twice.

    In single precision: Keras computes products of doubles so.
    """
    bound = 2 * gamma(64, np.float32) * (1 + np.abs(theirs).max())
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


@pytest.mark.parametrize("make", ACTIVATIONS, ids=name_of)
def test_every_activation_goes_to_keras_and_comes_back(make: Any, dtype: Any) -> None:
    model, X = net_with(make(), dtype), samples(50, 5, dtype)
    theirs = to_keras(model)
    assert_same_outputs(model.predict(X), outputs_of(theirs, X))
    assert from_keras(theirs).fingerprint() == model.fingerprint()


def test_layers_of_tables_go_over_and_come_back(tmp_path: Any) -> None:
    model, X = net_for_tables(np.float32)
    theirs = to_keras(model)
    names = [type(layer).__name__ for layer in theirs.layers]
    assert names == ["PeriodicFeatures", "CodeTables", "Dense", "ParametricActivation",
                     "ParametricActivation", "Dense"]  # fmt: skip
    assert_same_outputs(model.predict(X), outputs_of(theirs, X))
    assert from_keras(theirs).fingerprint() == model.fingerprint()
    theirs.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    assert from_keras(again).fingerprint() == model.fingerprint()


def test_a_step_of_layers_of_tables_leaves_the_same_parameters() -> None:
    """Gradient descent; within the rounding of a gradient of so many rows and columns, both."""
    model, X = net_for_tables(np.float32)
    y = samples(len(X), 2, np.float32)
    theirs = to_keras(model)
    theirs.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    theirs.train_on_batch(X, y)
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.1))
    before = [array for layer in model.get_parameters() for array in layer]
    model.train(X, y)
    ours = [array for layer in model.get_parameters() for array in layer]
    for old, new, other in zip(before, ours, theirs.get_weights(), strict=True):
        step = np.abs(new - old).max()
        near = 2 * gamma(4 * len(X), np.float32) * step + 4 * np.finfo(np.float32).eps
        assert step > 0 and np.abs(new.reshape(other.shape) - other).max() <= near


def test_what_stands_between_layers_goes_over() -> None:
    model = cr.Model()
    for layer in (
        cr.Layer_Input(),
        cr.Layer_Scale(5, dtype="float64"),
        cr.Layer_Dense(5, 4, bias=False, weight_regularizer_l1=0.5, rng=0),
        cr.Layer_Dropout(0.25, rng=0),
        cr.Layer_Dense(4, 2, 0, 0.25, 0, 0.125, rng=1),
    ):
        model.add(layer)
    model.layers[1].weights = np.arange(1.0, 6.0)[None]
    model.layers[2].trainable = False
    model.finalize()
    theirs, X = to_keras(model), samples(9, 5, np.float64)
    assert [type(layer).__name__ for layer in theirs.layers] == ["Scale", "Dense", "Dropout",
                                                                "Dense"]  # fmt: skip
    assert_same_outputs(model.predict(X), outputs_of(theirs, X))
    back = from_keras(theirs)
    assert back.layers[2].rate == 0.75
    back.layers.pop(2)
    model.layers.pop(3)
    model.layers.pop(0)
    for made in (back, model):
        made.finalize()
    assert back.fingerprint() == model.fingerprint()


def test_models_as_people_write_them() -> None:
    layers = keras.layers
    functional = keras.Input((6,))
    hidden = layers.Dense(5, activation="leaky_relu")(functional)
    hidden = layers.Dropout(0.5)(layers.ReLU()(layers.Dense(4, activation="swish")(hidden)))
    output = layers.Softmax()(layers.Dense(3, kernel_regularizer="l2")(hidden))
    for model in (
        keras.Model(functional, output),
        keras.Sequential(
            [
                keras.Input((6,)),
                layers.Flatten(),
                layers.Dense(4, "elu"),
                layers.ReLU(negative_slope=0.1),
                layers.Activation("gelu"),
            ]
        ),
    ):
        X = samples(20, 6, np.float32)
        ours = from_keras(model)
        assert_same_outputs(ours.predict(X), outputs_of(model, X))
    l2 = from_keras(keras.Model(functional, output)).trainable_layers[-1].weight_regularizer_l2
    assert l2 == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("end", ["linear", "softmax"])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "adam_hat"])
def test_one_step_leaves_the_same_parameters(rule: str, end: str) -> None:
    found = one_step.case(rule, end, np.float32)
    theirs = to_keras(found.model)
    optimizer = keras_optimizer(found.model, theirs, rule)
    loss = "mean_squared_error" if end == "linear" else "sparse_categorical_crossentropy"
    theirs.compile(optimizer=optimizer, loss=loss, jit_compile=False)
    theirs.train_on_batch(found.X, found.y)
    expected = one_step.after_one_step(found)
    dense = [layer for layer in theirs.layers if isinstance(layer, keras.layers.Dense)]
    for layer, (weights, biases) in zip(dense, expected, strict=True):
        for array, (value, bound) in zip(layer.get_weights(), (weights, biases), strict=True):
            assert (np.abs(array.reshape(value.shape) - value) <= bound).all()
            assert np.median(bound) < 1e-2 * np.abs(value).max()


def test_penalties_make_the_same_step() -> None:
    """L2 is ``l2 * sum w^2`` in both, with the gradient ``2 l2 w``; L1 ``l1 * sum |w|``."""
    found = one_step.case("sgd", "linear", np.float32)
    for layer in found.model.layers[::2]:
        layer.weight_regularizer_l2, layer.bias_regularizer_l1 = 0.25, 0.125
        layer.biases = np.full_like(layer.biases, 0.5)  # no sign of 0
    theirs = to_keras(found.model)
    theirs.compile(optimizer=keras.optimizers.SGD(one_step.RATE), loss="mse", jit_compile=False)
    theirs.train_on_batch(found.X, found.y)
    moved = [layer.weights.copy() for layer in found.model.layers[::2]]
    expected = one_step.after_one_step(found)
    for layer, (weights, biases), before in zip(theirs.layers[::2], expected, moved, strict=True):
        for array, (value, bound) in zip(layer.get_weights(), (weights, biases), strict=True):
            assert (np.abs(array.reshape(value.shape) - value) <= bound).all()
        assert np.median(np.abs(weights[0] - before) / weights[1]) > 100


def keras_optimizer(model: Any, theirs: Any, rule: str) -> Any:
    """Keras's optimizer where ours stands: its velocity is ours."""
    if rule == "adam_hat":
        beta_1, beta_2 = one_step.BETAS
        optimizer = keras.optimizers.Adam(one_step.RATE, beta_1, beta_2, one_step.EPSILON)
    else:
        momentum = 0.0 if rule == "sgd" else one_step.MOMENTUM
        optimizer = keras.optimizers.SGD(one_step.RATE, momentum, nesterov=rule == "nesterov")
    optimizer.build(theirs.trainable_variables)
    if rule == "sgd":
        return optimizer
    slots = [(layer, slot) for layer in model.layers[:3:2] for slot in ("weight", "bias")]
    for place, (layer, slot) in enumerate(slots):
        momentums = getattr(layer, f"{slot}_momentums")
        if rule == "adam_hat":
            cache = getattr(layer, f"{slot}_cache")
            for variables, array in ((optimizer._momentums, momentums),
                                     (optimizer._velocities, cache)):  # fmt: skip
                variables[place].assign(array.reshape(variables[place].shape))
        else:
            variable = optimizer.momentums[place]
            variable.assign(momentums.reshape(variable.shape))
    optimizer.iterations.assign(one_step.STEPS_BEFORE)
    return optimizer


def forked() -> Any:
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(3)(inputs)
    return keras.Model(inputs, keras.layers.Add()([hidden, inputs]))


def sequential(*layers: Any) -> Any:
    return keras.Sequential([keras.Input((3,)), *layers])


@pytest.mark.parametrize(
    ("make", "kind", "match"),
    [
        (lambda: 3, TypeError, "expected a keras.Model, got int"),
        (lambda: keras.Sequential([keras.layers.Dense(2)]), ValueError, "expected a built model"),
        (forked, ValueError, "some that fork"),
        (lambda: sequential(keras.layers.BatchNormalization()), TypeError, "BatchNormalization"),
        (lambda: sequential(keras.layers.Dense(2, "relu6")), TypeError, "got relu6"),
        (lambda: sequential(keras.layers.ReLU(max_value=6)), ValueError, "no max_value"),
        (
            lambda: sequential(keras.layers.Dense(2, kernel_constraint="non_neg")),
            ValueError,
            "no kernel_constraint",
        ),
        (lambda: sequential(keras.layers.Dense(2, dtype="float16")), ValueError, "got float16"),
    ],
)
def test_models_without_a_like_are_named(make: Any, kind: Any, match: str) -> None:
    with pytest.raises(kind, match=match):
        from_keras(make())
