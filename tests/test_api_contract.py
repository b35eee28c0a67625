"""The class contract: every public class with its constructor, attributes and methods."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import chainrule

CONSTRUCTORS = {
    "Layer_Dense": (
        "(n_inputs, n_neurons, weight_regularizer_l1=0, weight_regularizer_l2=0, "
        "bias_regularizer_l1=0, bias_regularizer_l2=0, *, weight_scale=None, init='notebook', "
        "dtype=None, rng=None)"
    ),
    "Layer_Dropout": "(rate, *, rng=None)",
    "Layer_Input": "()",
    "Activation_ReLU": "()",
    "Activation_Sigmoid": "()",
    "Activation_Tanh": "()",
    "Activation_Linear": "()",
    "Activation_Softmax": "()",
    "Loss": "()",
    "Loss_HalfSquaredError": "()",
    "Loss_MeanSquaredError": "()",
    "Loss_MeanAbsoluteError": "()",
    "Loss_BinaryCrossentropy": "()",
    "Loss_CategoricalCrossentropy": "()",
    "Activation_Softmax_Loss_CategoricalCrossentropy": "()",
    "Optimizer_SGD": "(learning_rate=1.0, decay=0.0, momentum=0.0, *, nesterov=False)",
    "Optimizer_Adagrad": "(learning_rate=1.0, decay=0.0, epsilon=1e-07)",
    "Optimizer_RMSprop": "(learning_rate=0.001, decay=0.0, epsilon=1e-07, rho=0.9)",
    "Optimizer_Adam": (
        "(learning_rate=0.001, decay=0.0, epsilon=1e-07, beta_1=0.9, beta_2=0.999, *, "
        "weight_decay=0.0)"
    ),
    "Accuracy": "()",
    "Accuracy_Categorical": "(*, binary=False)",
    "Accuracy_Regression": "()",
    "Model": "()",
    "History": "()",
    "Callback": "()",
    "EarlyStopping": (
        "(monitor='validation_loss', patience=10, min_delta=0.0, restore_best_weights=True)"
    ),
    "LearningRateSchedule": "(function)",
}

LAYER = {
    "forward": "(inputs, training=False)",
    "backward": "(dvalues)",
}
ACTIVATION = {**LAYER, "predictions": "(outputs)"}
LOSS = {
    "forward": "(y_pred, y_true)",
    "backward": "(dvalues, y_true)",
    "calculate": "(output, y, *, include_regularization=False)",
    "regularization_loss": "(layer=None)",
    "remember_trainable_layers": "(trainable_layers)",
    "calculate_accumulated": "(*, include_regularization=False)",
    "new_pass": "()",
}
OPTIMIZER = {"pre_update_params": "()", "update_params": "(layer)", "post_update_params": "()"}
ACCURACY = {
    "init": "(y, reinit=False)",
    "compare": "(predictions, y)",
    "calculate": "(predictions, y)",
    "calculate_accumulated": "()",
    "new_pass": "()",
}
METHODS: dict[str, dict[str, str]] = {
    "Layer_Dense": {
        **LAYER,
        "get_parameters": "()",
        "set_parameters": "(weights, biases)",
    },
    "Layer_Dropout": LAYER,
    "Layer_Input": LAYER,
    "Activation_ReLU": {**ACTIVATION, "backward": "(dvalues=None)"},
    **{f"Activation_{name}": ACTIVATION for name in ("Sigmoid", "Tanh", "Linear", "Softmax")},
    **{name: LOSS for name in CONSTRUCTORS if name.startswith("Loss")},
    "Activation_Softmax_Loss_CategoricalCrossentropy": {
        "forward": "(inputs, y_true)",
        "backward": "(dvalues, y_true)",
    },
    **{name: OPTIMIZER for name in CONSTRUCTORS if name.startswith("Optimizer")},
    **{name: ACCURACY for name in CONSTRUCTORS if name.startswith("Accuracy")},
    "Model": {
        "add": "(layer)",
        "set": "(*, loss=None, optimizer=None, accuracy=None)",
        "finalize": "()",
        "forward": "(X, training=False)",
        "backward": "(output, y)",
        "predict": "(X, *, batch_size=None)",
        "evaluate": "(X, y, *, batch_size=None, quiet=False)",
        "summary": "()",
        "get_parameters": "()",
        "set_parameters": "(parameters)",
        "save_parameters": "(path)",
        "load_parameters": "(path)",
        "save": "(path)",
        "train": (
            "(X, y, *, epochs=1, batch_size=None, print_every=None, validation_data=None, "
            "shuffle=False, rng=None, progress=None, callbacks=(), sample_weight=None, "
            "check_finite=True, on_nonfinite='raise', clip_norm=None)"
        ),
    },
    "Callback": {
        "on_train_begin": "()",
        "on_epoch_end": "(epoch, logs)",
        "on_train_end": "()",
    },
}


def signature(function: Any, *, bound: bool) -> str:
    """Names, order and defaults, without annotations."""
    parameters = list(inspect.signature(function).parameters.values())
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return str(inspect.Signature(plain[1:] if bound else plain))


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_constructor(name: str) -> None:
    assert signature(getattr(chainrule, name), bound=False) == CONSTRUCTORS[name]


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, table in METHODS.items() for method in table]
)
def test_method(name: str, method: str) -> None:
    function = getattr(getattr(chainrule, name), method)
    assert signature(function, bound=True) == METHODS[name][method]
    assert function.__doc__


def test_functions() -> None:
    gradcheck = signature(chainrule.gradcheck, bound=False)
    assert gradcheck == "(model_or_layer, X, y=None, *, full=False)"
    numerical = signature(chainrule.numerical_gradient, bound=False)
    assert numerical == "(function, array, h=1e-05)"
    load = inspect.getattr_static(chainrule.Model, "load")
    assert isinstance(load, staticmethod)
    assert signature(chainrule.Model.load, bound=False) == "(path)"


def test_public_names_are_exactly_these() -> None:
    functions = {
        "available_targets",
        "cpu_target",
        "get_num_threads",
        "gradcheck",
        "numerical_gradient",
        "set_num_threads",
        "show_config",
    }
    others = {"__version__", "datasets", "ModelFileError"}
    assert set(chainrule.__all__) == set(CONSTRUCTORS) | functions | others
    assert all(hasattr(chainrule, name) for name in chainrule.__all__)
    assert chainrule.__version__


def test_attributes_are_absent_until_first_set() -> None:
    layer = chainrule.Layer_Dense(3, 2)
    built = {
        "weights",
        "biases",
        "weight_regularizer_l1",
        "weight_regularizer_l2",
        "bias_regularizer_l1",
        "bias_regularizer_l2",
    }
    assert set(layer.__dict__) == built
    assert (layer.n_inputs, layer.n_neurons, layer.dtype) == (3, 2, np.float64)
    layer.forward(np.ones((4, 3)))
    assert set(layer.__dict__) == built | {"inputs", "output"}
    layer.backward(np.ones((4, 2)))
    gradients = built | {"inputs", "output", "dweights", "dbiases", "dinputs"}
    assert set(layer.__dict__) == gradients
    optimizer = chainrule.Optimizer_Adam()
    optimizer.update_params(layer)
    arrays = {"weight_momentums", "bias_momentums", "weight_cache", "bias_cache"}
    assert set(layer.__dict__) == gradients | arrays
    for name in ("learning_rate", "current_learning_rate", "decay", "iterations"):
        assert name in optimizer.__dict__
    dropout = chainrule.Layer_Dropout(0.5)
    dropout.forward(np.ones((4, 3)), training=True)
    dropout.backward(np.ones((4, 3)))
    assert {"rate", "binary_mask", "inputs", "output", "dinputs"} <= set(dropout.__dict__)


def test_model_attributes() -> None:
    model = chainrule.Model()
    model.add(chainrule.Layer_Dense(3, 2))
    model.set(loss=chainrule.Loss_MeanSquaredError(), optimizer=chainrule.Optimizer_SGD())
    model.finalize()
    for name in ("layers", "trainable_layers", "loss", "optimizer", "accuracy", "plan"):
        assert hasattr(model, name)
    history = model.train(np.ones((4, 3)), np.ones((4, 2)), epochs=2)
    assert isinstance(history, chainrule.History) and model.history is history
    assert model.stop_training is False


@pytest.mark.parametrize("name", [name for name in CONSTRUCTORS if "Activation_" in name])
def test_every_class_can_be_subclassed_and_given_attributes(name: str) -> None:
    subclass = type("Mine", (getattr(chainrule, name),), {"extra": 1})
    thing = subclass()
    thing.note = "mine"
    assert thing.extra == 1 and repr(thing) == "Mine()"
