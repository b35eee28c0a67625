"""Models <-> Keras 3's `Sequential`, on any of its backends: weights have one layout, (d, m).

Nets and L1 and L2 penalties, which mean the same, go over; optimizers and losses do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import activations
from ..arrays import Array
from ..layers import Layer_Dense, Layer_Dropout
from ..libraries import library
from ..model import Model
from .steps import (
    Blend,
    Dropout,
    Factors,
    Function,
    Periodic,
    Product,
    Tables,
    layer_of_factors,
    layer_of_shares,
    layer_of_tables,
    layer_of_waves,
    looked_up,
    net_of,
)

PLAIN = {  # core name -> Keras's name; no numbers
    "linear": "linear",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softmax": "softmax",
    "selu": "selu",
    "gelu": "gelu",
    "silu": "silu",
    "mish": "mish",
    "softplus": "softplus",
    "exponential": "exponential",
}
NAMED: dict[str, Any] = {  # Keras's name -> the activation
    "relu": activations.Activation_ReLU,
    "sigmoid": activations.Activation_Sigmoid,
    "tanh": activations.Activation_Tanh,
    "softmax": activations.Activation_Softmax,
    "selu": activations.Activation_SELU,
    "gelu": activations.Activation_GELU,
    "silu": activations.Activation_SiLU,
    "mish": activations.Activation_Mish,
    "softplus": activations.Activation_Softplus,
    "exponential": activations.Activation_Exponential,
    "elu": activations.Activation_ELU,
    "leaky_relu": lambda: activations.Activation_LeakyReLU(0.2),  # Keras's default slope
}
KINDS = ("kernel", "bias")

# --- to Keras -------------------------------------------------------------------------------------


def to_keras(model: Any) -> Any:
    """Return a ``keras.Sequential`` with copies of a model's parameters, built, not compiled.

    One layer a layer, of the model's dtype, none for `Layer_Input`; L1 and L2 penalties of dense
    layers become regularizers, which add the same to loss and gradient. `Layer_Scale`, periodic
    features, embeddings, parametric activations and GELU by tanh become parts of
    `chainrule.interop.keras_modules`. Keras computes some of float64 in single precision.

    Raises
    ------
    ImportError
        Keras 3 is not installed, or none of its backends.
    TypeError
        A layer of the user's own.
    ValueError
        Layers that do not chain, of several dtypes, or none with parameters; penalties on others
        than dense layers.
    """
    keras = keras_module("to_keras")
    net = net_of(model, "to_keras")
    dtype = net.dtype.name
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)  # a Sequential casts its inputs to that of its making
    try:
        layers = [layer_for(keras, step, dtype) for step in net.steps]
        found = keras.Sequential([keras.Input((net.n_inputs,), dtype=dtype), *layers])
    finally:
        keras.config.set_dtype_policy(before)
    for layer, step in zip(layers, net.steps, strict=True):
        arrays = arrays_of(step)
        if arrays:
            layer.set_weights(arrays)
    return found


def keras_module(caller: str) -> Any:
    """Return Keras; an older one than 3 is an ImportError."""
    keras = library("keras", caller, "'keras>=3' and one of its backends")
    if int(keras.version().partition(".")[0]) < 3:
        raise ImportError(f"{caller}: expected Keras 3, got {keras.version()}")
    return keras


def layer_for(keras: Any, step: Any, dtype: str) -> Any:
    """Return the layer of one step, without its parameters."""
    if isinstance(step, Dropout):
        return keras.layers.Dropout(step.rate, dtype=dtype)
    if isinstance(step, Function):
        return activation_for(keras, step, dtype)
    trainable = bool(getattr(step.layer, "trainable", True))
    if not isinstance(step, Product):
        return own_layer_for(keras, step, {"dtype": dtype, "trainable": trainable})
    penalties = {
        f"{kind}_regularizer": penalty(keras, step.layer, place)
        for kind, place in zip(KINDS, ("weight", "bias"), strict=True)
    }
    return keras.layers.Dense(
        step.weights.shape[1],
        use_bias=step.biases is not None,
        dtype=dtype,
        trainable=trainable,
        **penalties,
    )


def own_layer_for(keras: Any, step: Any, common: dict[str, Any]) -> Any:
    """Return a layer of `keras_modules`."""
    from . import keras_modules

    name, layer = type(step.layer).__name__, step.layer
    if layer.weight_regularizer_l1 or layer.weight_regularizer_l2:
        raise ValueError(f"to_keras: {name}: expected no penalties, got some")
    if isinstance(step, Factors):
        return keras_modules.Scale(**common)
    if isinstance(step, Periodic):
        _, k, m = step.weights.shape
        return keras_modules.PeriodicFeatures(k, m, step.n_passed, **common)
    if isinstance(step, Tables):
        return keras_modules.CodeTables(step.sizes, step.weights.shape[1], **common)
    function = Function(layer, step.name, step.parameters)
    activation = activation_for(keras, function, common["dtype"])
    return keras_modules.ParametricActivation(activation, **common)


def activation_for(keras: Any, step: Function, dtype: str) -> Any:
    """Return the layer of an activation."""
    if step.name == "leaky_relu":
        return keras.layers.LeakyReLU(negative_slope=step.parameters[0], dtype=dtype)
    if step.name == "elu":
        return keras.layers.ELU(alpha=step.parameters[0], dtype=dtype)
    if step.name == "gelu_tanh":
        from .keras_modules import gelu_tanh

        return keras.layers.Activation(gelu_tanh, dtype=dtype)
    return keras.layers.Activation(looked_up(PLAIN, step.name, "to_keras"), dtype=dtype)


def penalty(keras: Any, layer: Any, place: str) -> Any:
    """Return the regularizer of weights or biases, None where there is no penalty."""
    l1 = float(getattr(layer, f"{place}_regularizer_l1"))
    l2 = float(getattr(layer, f"{place}_regularizer_l2"))
    return keras.regularizers.L1L2(l1=l1, l2=l2) if l1 or l2 else None


def arrays_of(step: Any) -> list[Array]:
    """Return a step's parameters as Keras's ``set_weights`` takes them."""
    if isinstance(step, Product):
        return [step.weights] if step.biases is None else [step.weights, step.biases]
    if isinstance(step, Periodic):
        return [step.frequencies, step.phases, step.weights, step.biases]
    return [step[1]] if isinstance(step, Factors | Blend | Tables) else []


# --- from Keras -----------------------------------------------------------------------------------


def from_keras(model: Any) -> Model:
    """Return a model with copies of the parameters of a Keras model.

    Parameters
    ----------
    model : keras.Model
        Built, of layers in a row: ``Dense`` (with its activation and L1, L2 regularizers),
        activations, ``Dropout``, a first ``Flatten``.

    Returns
    -------
    Model
        Finalized; without a loss and an optimizer.

    Raises
    ------
    ImportError
        Keras 3 is not installed.
    TypeError
        Something else, or a layer that has no like here; says which.
    ValueError
        A setting or a dtype that has none; a model that is not built; layers that fork.
    """
    keras = keras_module("from_keras")
    if not isinstance(model, keras.Model):
        raise TypeError(f"from_keras: expected a keras.Model, got {type(model).__name__}")
    layers = layers_in_a_row(keras, model)
    found = Model()
    for layer in layers:
        where = f"from_keras: {layer.name}"
        if type(layer) is keras.layers.Flatten and not found.layers:
            continue
        for part in parts_of(keras, layer, where):
            found.add(part)
    found.finalize()
    return found


def layers_in_a_row(keras: Any, model: Any) -> list[Any]:
    """Return the layers behind the door, each fed by the one before.

    Raises
    ------
    ValueError
        The model is not built, or its layers fork.
    """
    if not model.built or not getattr(model, "inputs", None):
        raise ValueError("from_keras: expected a built model with an Input, got none")
    layers = [each for each in model.layers if not isinstance(each, keras.layers.InputLayer)]
    forks = not isinstance(model, keras.Sequential) and not is_chain(model, layers)
    if forks or len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError("from_keras: expected layers in a row, got some that fork")
    return layers


def is_chain(model: Any, layers: list[Any]) -> bool:
    """Tell whether each layer is called once, with what the one before gives."""
    at = model.inputs[0]
    for layer in layers:
        if len(layer._inbound_nodes) != 1 or layer.input is not at:
            return False
        at = layer.output
    return bool(at is model.outputs[0])


def parts_of(keras: Any, layer: Any, where: str) -> list[Any]:
    """Return what a Keras layer is here: a dense layer and its activation, or one part."""
    kind, known = type(layer), keras.layers
    if kind is known.Dense:
        return [dense_of(keras, layer, where), *named(keras, layer.activation, where)]
    if kind is known.Dropout:
        return [Layer_Dropout(layer.rate)]
    if kind is known.Activation:
        return named(keras, layer.activation, where) or [activations.Activation_Linear()]
    if kind is known.ReLU:
        if layer.max_value is not None or layer.threshold:
            raise ValueError(f"{where}: expected no max_value and no threshold")
        slope = float(layer.negative_slope)
        return [activations.Activation_LeakyReLU(slope) if slope else activations.Activation_ReLU()]
    if kind is known.LeakyReLU:
        return [activations.Activation_LeakyReLU(float(layer.negative_slope))]
    if kind is known.ELU:
        return [activations.Activation_ELU(float(layer.alpha))]
    if kind is known.Softmax:
        if layer.axis not in (1, -1):
            raise ValueError(f"{where}: expected axis=-1, got {layer.axis}")
        return [activations.Activation_Softmax()]
    if kind.__module__ == f"{__package__}.keras_modules":
        own = own_layer_of(keras, layer, where)
        if not layer.trainable:
            own.trainable = False
        return [own]
    raise TypeError(f"{where}: expected Dense layers and activations, got {kind.__name__}")


def own_layer_of(keras: Any, layer: Any, where: str) -> Any:
    """Return what a layer of `keras_modules` is here."""
    arrays = tuple(as_array(keras, each, where) for each in layer.weights)
    kind = type(layer).__name__
    if kind == "Scale":
        return layer_of_factors(arrays[0])
    if kind == "ParametricActivation":
        (activation,) = parts_of(keras, layer.activation, where)
        return layer_of_shares(arrays[0], activation)
    if kind == "CodeTables":
        n_passed = int(layer.input.shape[-1]) - len(layer.sizes)
        return layer_of_tables(arrays[0], tuple(layer.sizes), n_passed)
    return layer_of_waves(arrays, layer.n_passed)


def named(keras: Any, function: Any, where: str) -> list[Any]:
    """Return the activation that a function of Keras's is; none for linear.

    Raises
    ------
    TypeError
        Another function.
    """
    if function is None or function is keras.activations.linear:
        return []
    if getattr(function, "__module__", "") == f"{__package__}.keras_modules":
        return [activations.Activation_GELU("tanh")]
    for name, made in NAMED.items():
        if function is getattr(keras.activations, name):
            return [made()]
    what = getattr(function, "__name__", type(function).__name__)
    raise TypeError(f"{where}: expected an activation of the catalogue, got {what}")


def dense_of(keras: Any, layer: Any, where: str) -> Layer_Dense:
    """Return the dense layer."""
    biases = as_array(keras, layer.bias, where) if layer.use_bias else None
    strengths: dict[str, Any] = {}
    for kind, place in zip(KINDS, ("weight", "bias"), strict=True):
        if getattr(layer, f"{kind}_constraint") is not None:
            raise ValueError(f"{where}: expected no {kind}_constraint, got one")
        l1, l2 = strengths_of(keras, getattr(layer, f"{kind}_regularizer"), where)
        strengths[f"{place}_regularizer_l1"] = l1
        strengths[f"{place}_regularizer_l2"] = l2
    if layer.activity_regularizer is not None:
        raise ValueError(f"{where}: expected no activity_regularizer, got one")
    weights = as_array(keras, layer.kernel, where)
    found = Layer_Dense(weights=weights, biases=biases, bias=biases is not None, **strengths)
    if not layer.trainable:
        found.trainable = False
    return found


def strengths_of(keras: Any, regularizer: Any, where: str) -> tuple[float, float]:
    """Return L1 and L2 of a regularizer."""
    known = keras.regularizers
    if regularizer is None:
        return 0.0, 0.0
    if type(regularizer) not in (known.L1, known.L2, known.L1L2):
        raise ValueError(f"{where}: expected L1 and L2 penalties, got {regularizer!r}")
    return float(getattr(regularizer, "l1", 0.0)), float(getattr(regularizer, "l2", 0.0))


def as_array(keras: Any, variable: Any, where: str) -> Array:
    """Return a copy of a float32 or float64 variable."""
    found = np.array(keras.ops.convert_to_numpy(variable))
    if found.dtype.name not in ("float32", "float64"):
        raise ValueError(f"{where}: expected float32 or float64, got {found.dtype}")
    return found
