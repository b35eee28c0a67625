"""The class contract: every public class with its constructor, attributes and methods."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.catalogue import classes

FACTORS = "learning_rate_factor=1.0, weight_decay_factor=1.0, epsilon_factor=1.0"
SCHEDULES = "schedule=None, weight_decay_schedule=None"
CONSTRUCTORS = {
    "Layer_Dense": (
        "(n_inputs=None, n_neurons=None, weight_regularizer_l1=0, weight_regularizer_l2=0, "
        "bias_regularizer_l1=0, bias_regularizer_l2=0, *, weight_scale=None, init='notebook', "
        f"dtype=None, rng=None, bias=True, weights=None, biases=None, {FACTORS}, inputs=None, "
        "neurons=None)"
    ),
    "Layer_Dropout": "(rate, *, rng=None, schedule=None)",
    "Layer_Input": "()",
    "Layer_Scale": f"(n, *, dtype=None, {FACTORS})",
    "Layer_PeriodicFeatures": (
        "(n_inputs, n_periodic=None, *, n_frequencies=16, n_outputs=4, frequency_scale=0.1, "
        f"dtype=None, rng=None, {FACTORS})"
    ),
    "Layer_Embedding": f"(n_inputs, sizes, width=8, *, dtype=None, rng=None, {FACTORS})",
    "Layer_ParametricActivation": f"(n, activation, *, dtype=None, {FACTORS})",
    "Activation_ReLU": "()",
    "Activation_Sigmoid": "()",
    "Activation_Tanh": "()",
    "Activation_Linear": "()",
    "Activation_Softmax": "()",
    "Activation_LeakyReLU": "(negative_slope=0.01)",
    "Activation_ELU": "(alpha=1.0)",
    "Activation_SELU": "()",
    "Activation_GELU": "(approximate='none')",
    "Activation_SiLU": "()",
    "Activation_Mish": "()",
    "Activation_Softplus": "()",
    "Activation_Exponential": "()",
    "Loss": "()",
    "Loss_HalfSquaredError": "()",
    "Loss_MeanSquaredError": "()",
    "Loss_MeanAbsoluteError": "()",
    "Loss_BinaryCrossentropy": "(from_logits=False, *, joined=False)",
    "Loss_CategoricalCrossentropy": "(label_smoothing=0.0)",
    "Loss_Huber": "(delta=1.0)",
    "Loss_LogCosh": "()",
    "Loss_Poisson": "()",
    "Loss_Quantile": "(quantiles)",
    "Loss_Hinge": "()",
    "Activation_Softmax_Loss_CategoricalCrossentropy": "()",
    "Activation_Sigmoid_Loss_BinaryCrossentropy": "()",
    "Optimizer_SGD": (
        "(learning_rate=1.0, decay=0.0, momentum=0.0, *, nesterov=False, weight_decay=0.0, "
        f"{SCHEDULES})"
    ),
    "Optimizer_Adagrad": (
        f"(learning_rate=1.0, decay=0.0, epsilon=1e-07, *, weight_decay=0.0, {SCHEDULES})"
    ),
    "Optimizer_RMSprop": (
        "(learning_rate=0.001, decay=0.0, epsilon=1e-07, rho=0.9, *, weight_decay=0.0, "
        f"{SCHEDULES})"
    ),
    "Optimizer_Adam": (
        "(learning_rate=0.001, decay=0.0, epsilon=1e-07, beta_1=0.9, beta_2=0.999, *, "
        f"weight_decay=0.0, amsgrad=False, epsilon_hat=False, {SCHEDULES})"
    ),
    "Accuracy": "()",
    "Accuracy_Categorical": "(*, binary=False)",
    "Accuracy_Regression": "()",
    "Accuracy_AUC": "()",
    "Accuracy_R2": "()",
    "Model": "()",
    "Variable": "(value, name='')",
    "no_grad": "()",
    "History": "()",
    "Callback": "()",
    "EarlyStopping": (
        "(monitor='validation_loss', patience=10, min_delta=0.0, restore_best_weights=True)"
    ),
    "LearningRateSchedule": "(function)",
    "Checkpoint": "(path, *, every=1, best_only=False, monitor='validation_loss')",
    "ReduceLearningRateOnPlateau": (
        "(monitor='validation_loss', factor=0.1, patience=10, min_delta=0.0, cooldown=0, least=0.0)"
    ),
    "Record": "(kind='gradients', every=10)",
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
JOINT = {"forward": "(inputs, y_true)", "backward": "(dvalues, y_true)"}
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
        "set_parameters": "(weights, biases=None)",
    },
    "Layer_Dropout": {**LAYER, "forward": "(inputs, training=True)"},
    "Layer_Input": LAYER,
    **{
        f"Layer_{name}": {**LAYER, "get_parameters": "()", "set_parameters": "(*values)"}
        for name in ("Embedding", "ParametricActivation", "PeriodicFeatures", "Scale")
    },
    **{kind.__name__: ACTIVATION for kind in classes("activation")},
    "Activation_ReLU": {**ACTIVATION, "backward": "(dvalues=None)"},
    **{name: LOSS for name in CONSTRUCTORS if name.startswith("Loss")},
    "Activation_Softmax_Loss_CategoricalCrossentropy": JOINT,
    "Activation_Sigmoid_Loss_BinaryCrossentropy": JOINT,
    **{name: OPTIMIZER for name in CONSTRUCTORS if name.startswith("Optimizer")},
    **{name: ACCURACY for name in CONSTRUCTORS if name.startswith("Accuracy")},
    "Model": {
        "add": "(layer)",
        "set": "(*, loss=None, optimizer=None, accuracy=None)",
        "finalize": "()",
        "forward": "(X, training=False)",
        "backward": "(output, y, *, sample_weight=None, input_gradient=False)",
        "predict": "(X, *, batch_size=None, out=None)",
        "evaluate": "(X, y, *, batch_size=None, quiet=False, sample_weight=None)",
        "summary": "()",
        "fingerprint": "()",
        "get_parameters": "()",
        "set_parameters": "(parameters)",
        "save_parameters": "(path)",
        "load_parameters": "(path)",
        "save": "(path)",
        "train": (
            "(X, y=None, *, epochs=1, batch_size=None, print_every=None, validation_data=None, "
            "shuffle=False, rng=None, progress=None, callbacks=(), sample_weight=None, "
            "check_finite=True, on_nonfinite='raise', clip_norm=None, validation_split=None, "
            "class_weight=None, best_epoch=None, drop_last=False, accumulate=1, engine=None, "
            "record=None, comm=None)"
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
    compare = signature(chainrule.compare, bound=False)
    assert compare == "(model, expected, X, y, *, steps=1)"
    load = inspect.getattr_static(chainrule.Model, "load")
    assert isinstance(load, staticmethod)
    assert signature(chainrule.Model.load, bound=False) == "(path, custom=())"
    mlp = signature(chainrule.mlp, bound=False)
    assert mlp == (
        "(*sizes, activation='relu', output=None, loss=None, optimizer=None, dropout=0.0, "
        "dtype='float32', seed=None)"
    )


def test_public_names_are_exactly_these() -> None:
    functions = {
        "available_targets",
        "check_gradient",
        "compare",
        "cpu_target",
        "fit_many",
        "get_num_threads",
        "gradcheck",
        "mlp",
        "numerical_gradient",
        "set_num_threads",
        "show_config",
    }
    others = {"__version__", "data", "datasets", "interop", "plot", "schedules", "ModelFileError"}
    assert set(chainrule.__all__) == set(CONSTRUCTORS) | functions | others
    assert all(hasattr(chainrule, name) for name in chainrule.__all__)
    assert chainrule.__version__


@pytest.mark.parametrize("kind", ["layer", "activation", "loss", "optimizer", "accuracy"])
def test_every_part_is_public(kind: str) -> None:
    for part in classes(kind):
        assert getattr(chainrule, part.__name__) is part and part.__name__ in CONSTRUCTORS


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
    beside = {"optimizer_token", "optimizer_steps"}
    assert set(layer.__dict__) == gradients | arrays | beside
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
    names = ("layers", "trainable_layers", "loss", "optimizer", "accuracy", "plan", "history")
    for name in (*names, "rng", "feature_names", "input_layer", "output_layer_activation"):
        assert hasattr(model, name)
    history = model.train(np.ones((4, 3)), np.ones((4, 2)), epochs=2)
    assert isinstance(history, chainrule.History) and model.history is history
    assert model.stop_training is False


@pytest.mark.parametrize("name", [name for name in CONSTRUCTORS if "Activation_" in name])
def test_every_class_can_be_subclassed_and_given_attributes(name: str) -> None:
    subclass = type("Mine", (getattr(chainrule, name),), {"extra": 1})
    thing = subclass()
    thing.note = "mine"
    assert thing.extra == 1 and repr(thing).startswith("Mine(")


# Where the classes stood in 0.1.0: its pickles name them so
PLACES_IN_PICKLES = {
    "activations": "ReLU Sigmoid Tanh Softmax Linear",
    "dropout": "Layer_Dropout",
    "layers": "Layer_Dense Layer_Input",
    "losses": (
        "HalfSquaredError MeanSquaredError MeanAbsoluteError BinaryCrossentropy "
        "CategoricalCrossentropy Activation_Softmax_Loss_CategoricalCrossentropy"
    ),
    "metrics": "Accuracy_Categorical Accuracy_Regression",
    "model": "Model",
    "optimizers": "SGD Adagrad RMSprop Adam",
}


@pytest.mark.parametrize("place", PLACES_IN_PICKLES)
def test_pickles_of_the_first_release_find_their_classes(place: str) -> None:
    module = importlib.import_module(f"chainrule.{place}")
    start = {"activations": "Activation_", "losses": "Loss_", "optimizers": "Optimizer_"}
    for name in PLACES_IN_PICKLES[place].split():
        full = name if "_" in name or name == "Model" else start[place] + name
        assert getattr(module, full) is getattr(chainrule, full)
