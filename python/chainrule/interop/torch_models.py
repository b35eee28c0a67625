"""Models <-> PyTorch's `nn.Sequential`: weights are transposed, ``Linear.weight`` is (m, d).

Only the net goes over: PyTorch keeps losses, optimizers and L2 penalties elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

# Beyond it PyTorch's softplus is linear; exp(-40) is no part of a double any more.
SOFTPLUS_THRESHOLD = 40.0
FLAT = 20.0  # its default

# core name -> the module in torch.nn, its arguments from the activation's numbers
MODULES: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "linear": ("Identity", dict),
    "relu": ("ReLU", dict),
    "sigmoid": ("Sigmoid", dict),
    "tanh": ("Tanh", dict),
    "softmax": ("Softmax", lambda: {"dim": 1}),
    "leaky_relu": ("LeakyReLU", lambda slope: {"negative_slope": slope}),
    "elu": ("ELU", lambda alpha: {"alpha": alpha}),
    "selu": ("SELU", dict),
    "gelu": ("GELU", dict),
    "gelu_tanh": ("GELU", lambda: {"approximate": "tanh"}),
    "silu": ("SiLU", dict),
    "mish": ("Mish", dict),
    "softplus": ("Softplus", lambda: {"threshold": SOFTPLUS_THRESHOLD}),
}

# --- to PyTorch -----------------------------------------------------------------------------------


def to_torch(model: Any) -> Any:
    """Return a ``torch.nn.Sequential`` with copies of a model's parameters, in its dtype.

    One module a layer, none for `Layer_Input`; in training mode, as PyTorch's own modules begin.
    Frozen layers have parameters without gradients. `Layer_Scale`, `Activation_Exponential`,
    periodic features, embeddings and parametric activations become modules of
    `chainrule.interop.torch_modules`.

    Raises
    ------
    ImportError
        PyTorch is not installed.
    TypeError
        A layer of the user's own.
    ValueError
        Layers that do not chain, of several dtypes, or none with parameters.
    """
    torch = library("torch", "to_torch", "torch")
    net = net_of(model, "to_torch")
    return torch.nn.Sequential(*(module_of(torch, step) for step in net.steps))


def module_of(torch: Any, step: Any) -> Any:
    """Return the module of one step."""
    if isinstance(step, Dropout):
        return torch.nn.Dropout(step.rate)
    if isinstance(step, Function):
        return function_of(torch, step.name, step.parameters)
    module = empty_module(torch, step)
    for name, array in state_of(step).items():
        learns = bool(getattr(step.layer, "trainable", True))
        parameter = torch.nn.Parameter(torch.from_numpy(array), requires_grad=learns)
        setattr(module, name, parameter)
    return module


def function_of(torch: Any, name: str, parameters: tuple[float, ...]) -> Any:
    """Return the module of an activation."""
    if name == "exponential":
        from .torch_modules import Exponential

        return Exponential()
    found, arguments = looked_up(MODULES, name, "to_torch")
    return getattr(torch.nn, found)(**arguments(*parameters))


def empty_module(torch: Any, step: Any) -> Any:
    """Return the module of a step with parameters, which are still to come."""
    if isinstance(step, Product):
        d, m = step.weights.shape
        dtype = getattr(torch, step.weights.dtype.name)
        with torch.device("meta"):  # no random numbers are drawn, none are lost
            return torch.nn.Linear(d, m, bias=step.biases is not None, dtype=dtype)
    from . import torch_modules

    if isinstance(step, Factors):
        return torch_modules.Scale(len(step.factors))
    if isinstance(step, Periodic):
        p, k, m = step.weights.shape
        return torch_modules.PeriodicFeatures(p, k, m, step.n_passed)
    if isinstance(step, Tables):
        return torch_modules.CodeTables(step.sizes, step.weights.shape[1], step.n_passed)
    activation = function_of(torch, step.name, step.parameters)
    return torch_modules.ParametricActivation(len(step.shares), activation)


def state_of(step: Any) -> dict[str, Array]:
    """Return a step's arrays by PyTorch's names, in its layout."""
    if isinstance(step, Product):
        found = {"weight": np.ascontiguousarray(step.weights.T)}
        return found if step.biases is None else {**found, "bias": step.biases}
    if isinstance(step, Periodic):
        waves = {"frequencies": step.frequencies, "phases": step.phases}
        return {**waves, "weight": step.weights, "bias": step.biases}
    if isinstance(step, Factors | Blend):
        return {"weight": step[1]}
    return {"weight": step.weights} if isinstance(step, Tables) else {}


# --- from PyTorch ---------------------------------------------------------------------------------


def from_torch(module: Any) -> Model:
    """Return a model with copies of the parameters of a PyTorch module.

    Parameters
    ----------
    module : torch.nn.Sequential
        Of ``Linear``, activations, ``Dropout``, ``Identity``, a first ``Flatten``, modules of
        `chainrule.interop.torch_modules`, and Sequentials of these, in any mode; or one of them
        alone. Tensors may be on any device.

    Returns
    -------
    Model
        Finalized; without a loss and an optimizer.

    Raises
    ------
    TypeError
        A module that has no like here; says which.
    ValueError
        A setting or a dtype that has none; a module that stands in two places.
    """
    torch = library("torch", "from_torch", "torch")
    model = Model()
    seen: set[int] = set()
    for name, part in modules_in(torch, module, ""):
        where = f"from_torch: {name or 'module'}: {type(part).__name__}"
        if type(part) is torch.nn.Flatten and not model.layers:
            continue
        if id(part) in seen and any(True for _ in part.parameters()):
            raise ValueError(f"{where}: expected a module of its own, got one from before")
        seen.add(id(part))
        model.add(layer_of(torch, part, where))
    model.finalize()
    return model


def modules_in(torch: Any, module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the modules of nested Sequentials in their order, with their names."""
    if type(module) is not torch.nn.Sequential:
        yield name, module
        return
    for key, part in module._modules.items():
        yield from modules_in(torch, part, f"{name}.{key}" if name else key)


def layer_of(torch: Any, module: Any, where: str) -> Any:
    """Return the layer that a module is."""
    kind, nn = type(module), torch.nn
    if kind is nn.Linear:
        weights = as_array(module.weight, where).T
        biases = None if module.bias is None else as_array(module.bias, where)
        layer = Layer_Dense(
            weights=np.ascontiguousarray(weights), biases=biases, bias=biases is not None
        )
        return frozen_as(layer, module, where)
    if kind is nn.Dropout:
        return Layer_Dropout(module.p)
    if kind.__module__ == f"{__package__}.torch_modules" and kind.__name__ != "Exponential":
        return frozen_as(own_layer_of(torch, module, where), module, where)
    return activation_of(torch, module, where)


def own_layer_of(torch: Any, module: Any, where: str) -> Any:
    """Return the layer that a module of `torch_modules` is."""
    kind, weight = type(module).__name__, as_array(module.weight, where)
    if kind == "Scale":
        return layer_of_factors(weight)
    if kind == "ParametricActivation":
        return layer_of_shares(weight, activation_of(torch, module.activation, where))
    if kind == "CodeTables":
        return layer_of_tables(weight, module.sizes, module.n_passed)
    others = (module.frequencies, module.phases, module.bias)
    frequencies, phases, bias = (as_array(each, where) for each in others)
    return layer_of_waves((frequencies, phases, weight, bias), module.n_passed)


def activation_of(torch: Any, module: Any, where: str) -> Any:
    """Return the activation that a module is."""
    nn, kind = torch.nn, type(module)
    if kind.__module__ == f"{__package__}.torch_modules" and kind.__name__ == "Exponential":
        return activations.Activation_Exponential()
    plain = {
        nn.Identity: activations.Activation_Linear,
        nn.ReLU: activations.Activation_ReLU,
        nn.Sigmoid: activations.Activation_Sigmoid,
        nn.Tanh: activations.Activation_Tanh,
        nn.SELU: activations.Activation_SELU,
        nn.SiLU: activations.Activation_SiLU,
        nn.Mish: activations.Activation_Mish,
    }
    if kind in plain:
        return plain[kind]()
    if kind is nn.LeakyReLU:
        return activations.Activation_LeakyReLU(module.negative_slope)
    if kind is nn.ELU:
        return activations.Activation_ELU(module.alpha)
    if kind is nn.GELU:
        return activations.Activation_GELU(module.approximate)
    if kind is nn.Softplus:
        if module.beta != 1 or module.threshold < FLAT:
            raise ValueError(f"{where}: expected beta=1 and a threshold from {FLAT:g}")
        return activations.Activation_Softplus()
    if kind is nn.Softmax:
        if module.dim not in (1, -1):
            raise ValueError(f"{where}: expected dim=1 or -1, got {module.dim}")
        return activations.Activation_Softmax()
    hint = ""
    if kind in (nn.LogSoftmax, nn.LogSigmoid):
        hint = "; take a softmax or a loss of logits instead of a logarithm"
    raise TypeError(f"{where}: expected a Sequential of Linear and activations, got another{hint}")


def as_array(tensor: Any, where: str) -> Array:
    """Return a copy of a float32 or float64 tensor."""
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in ("float32", "float64"):
        raise ValueError(f"{where}: expected float32 or float64, got {name}; convert it: .float()")
    found: Array = np.array(tensor.detach().cpu().numpy())
    return found


def frozen_as(layer: Any, module: Any, where: str) -> Any:
    """Return the layer, frozen where the module's parameters have no gradients."""
    learns = {bool(parameter.requires_grad) for parameter in module.parameters()}
    if len(learns) > 1:
        raise ValueError(f"{where}: expected requires_grad of all its parameters or of none")
    if learns == {False}:
        layer.trainable = False
    return layer
