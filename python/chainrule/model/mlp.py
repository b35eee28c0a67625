"""A multilayer perceptron with defaults fit for practice, in one line."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from numpy.typing import DTypeLike

from ..arrays import as_count, as_float_dtype, as_generator, as_number
from ..catalogue import Part, classes
from ..errors import labelled
from ..layers import Layer_Dense, Layer_Dropout
from ..metrics import Accuracy_Categorical, Accuracy_Regression
from ..optimizers import Optimizer_Adam
from .model import Model

__all__ = ["mlp"]

# What the output is -> its activation, loss and accuracy. Linear outputs need no activation.
ENDS: dict[str | None, tuple[str, str, Any]] = {
    None: ("linear", "mean_squared_error", Accuracy_Regression),
    "softmax": ("softmax", "categorical_crossentropy", Accuracy_Categorical),
    "sigmoid": ("sigmoid", "binary_crossentropy", lambda: Accuracy_Categorical(binary=True)),
}
# Initial weights that keep the variance of what runs through; those of ReLU serve its relatives.
INITS = {
    "selu": "lecun_normal",
    "linear": "glorot_uniform",
    "sigmoid": "glorot_uniform",
    "softmax": "glorot_uniform",
    "tanh": "glorot_uniform",
}


def part_named(name: Any, kind: str, argument: str) -> Any:
    """Return a new part of the package by the core's name, or what was given instead of a name.

    Raises
    ------
    ValueError
        A name that is none; lists those there are.
    """
    if not isinstance(name, str):
        return name
    known = {each.core_name: each for each in classes(kind) if each.core_name}
    if name not in known:
        expected = ", ".join(repr(each) for each in known)
        raise ValueError(f"{argument}: expected one of {expected}, got {name!r}")
    return known[name]()


def init_for(activation: Any) -> str:
    """Return the scheme of initial weights that fits the activation behind a layer."""
    return INITS.get(getattr(activation, "core_name", ""), "he_normal")


def checked_activation(activation: Any) -> Any:
    """Return a name, or a class of activations: one object cannot stand behind several layers."""
    if isinstance(activation, Part):
        raise TypeError(
            f"activation: expected a name or a class, got an object; {type(activation).__name__} "
            "serves all hidden layers, each with an object of its own"
        )
    if not isinstance(activation, str) and not callable(activation):
        raise TypeError(f"activation: expected a name or a class, got {activation!r}")
    return activation


def accuracy_for(loss: Any, usual: Callable[[], Any]) -> Any:
    """Return the accuracy that fits a loss, None for several outputs of one target."""
    if getattr(loss, "quantiles", None) is not None:
        return None
    yes_or_no = getattr(loss, "predicts", None) is not None  # from logits, or their sign
    return Accuracy_Categorical(binary=True) if yes_or_no else usual()


def mlp(
    *sizes: int,
    activation: Any = "relu",
    output: str | None = None,
    loss: Any = None,
    optimizer: Any = None,
    dropout: float = 0.0,
    dtype: DTypeLike = "float32",
    seed: Any = None,
) -> Model:
    """Return a model of dense layers: ``mlp(784, 128, 10, output="softmax")``.

    Parameters
    ----------
    *sizes : int
        Columns of X, neurons of each hidden layer, outputs; at least two.
    activation : str or class
        Behind each hidden layer: a name of the core's, such as "relu", "gelu" or "tanh", or a
        class. It chooses the initial weights: He's for ReLU and its relatives, LeCun's for SELU,
        Glorot's for tanh and sigmoid.
    output : {None, "softmax", "sigmoid"}
        The last activation, and with it loss and accuracy: None is linear with the mean squared
        error, "softmax" takes class labels, "sigmoid" 0 and 1.
    loss : str or loss, optional
        Instead of the loss that fits the output.
    optimizer : optional
        `Optimizer_Adam()` without it.
    dropout : float
        Share of each hidden layer's outputs that training drops.
    dtype : float32 or float64
    seed : int, Generator or None
        Where initial weights and dropout's keys come from; ``numpy.random`` without it.

    Returns
    -------
    Model
        Finalized.

    Raises
    ------
    TypeError, ValueError
        Fewer than two sizes, a size below 1, an unknown name, a rate outside [0, 1).
    """
    with labelled("mlp"):
        widths = [as_count(size, f"size {k}", 1) for k, size in enumerate(sizes, 1)]
        if len(widths) < 2:
            raise ValueError(f"expected at least two sizes, inputs and outputs, got {len(widths)}")
        if output not in ENDS:
            raise ValueError(f"output: expected None, 'softmax' or 'sigmoid', got {output!r}")
        last, usual_loss, accuracy = ENDS[output]
        hidden = checked_activation(activation)
        rate = as_number(dropout, "dropout", below=1.0)
        settings: dict[str, Any] = {
            "dtype": as_float_dtype(dtype),
            "rng": None if seed is None else as_generator(seed, "seed"),
        }
        model = Model()
        for d, m in pairwise(widths[:-1]):
            behind = part_named(hidden, "activation", "activation")
            behind = behind if isinstance(hidden, str) else behind()
            model.add(Layer_Dense(d, m, init=init_for(behind), **settings))
            model.add(behind)
            if rate:
                model.add(Layer_Dropout(rate, rng=settings["rng"]))
        end = part_named(last, "activation", "output")
        model.add(Layer_Dense(*widths[-2:], init=init_for(end), **settings))
        model.add(end)
        chosen = part_named(usual_loss if loss is None else loss, "loss", "loss")
        model.set(
            loss=chosen,
            optimizer=Optimizer_Adam() if optimizer is None else optimizer,
            accuracy=accuracy_for(chosen, accuracy),
        )
    model.finalize()
    return model
