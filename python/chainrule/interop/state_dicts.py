"""State dicts of PyTorch in safetensors files, read and written without PyTorch.

The names are those of `to_torch(model)`: ``0.weight`` (m, d) and ``0.bias`` (m,) of the module at
place 0, which counts activations and dropout, but no `Layer_Input`.
"""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from ..errors import ModelFileError
from ..saving.atomic_file import replace_file
from ..saving.saving import as_path
from .steps import Blend, Factors, Net, Periodic, Product, Tables, net_of
from .torch_models import state_of


def save_state_dict(model: Any, path: Any) -> None:
    """Write a model's parameters as PyTorch names and lays them out, to a safetensors file.

    ``to_torch(model).load_state_dict(safetensors.torch.load_file(path))`` takes it.

    Raises
    ------
    TypeError, ValueError
        As `to_torch`.
    OSError
        The file cannot be written; what was there is there still.
    """
    from safetensors.numpy import save

    target = as_path(path)
    replace_file(target, save(named_arrays(net_of(model, "save_state_dict"))))


def load_state_dict(model: Any, path: Any) -> None:
    """Copy the parameters of a safetensors file into a model's arrays, in place.

    Parameters
    ----------
    model : Model
    path : str or path-like
        What ``safetensors.torch.save_file(module.state_dict(), path)`` wrote, of the module that
        `to_torch` gives for the model. float32 and float64 are converted to the model's dtype.

    Raises
    ------
    ModelFileError
        The file is damaged; its names or shapes are not those of the model. Nothing has changed.
    OSError
        The file cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    source = as_path(path)
    net = net_of(model, "load_state_dict")
    with open(source, "rb") as file:
        data = file.read()
    try:
        found = load(data)
    except (SafetensorError, KeyError, TypeError) as error:  # a dtype that NumPy has not, too
        raise ModelFileError(f"{source}: expected float32 or float64 tensors: {error}") from None
    check_arrays(found, named_arrays(net), source)
    model.set_parameters(parameters_in(net, found))


def named_arrays(net: Net) -> dict[str, Array]:
    """Return the arrays of a net by their names in a state dict."""
    return {
        f"{place}.{name}": array
        for place, step in enumerate(net.steps)
        for name, array in state_of(step).items()
    }


def check_arrays(found: dict[str, Array], expected: dict[str, Array], source: str) -> None:
    """Refuse other names, other shapes, and what are no floats."""
    if found.keys() != expected.keys():
        wrong = ", ".join(sorted(found.keys() ^ expected.keys())[:5])
        names = ", ".join(list(expected)[:6])
        raise ModelFileError(f"{source}: expected {names}{', ...' * (len(expected) > 6)}; "
                             f"check {wrong}")  # fmt: skip
    for name, array in expected.items():
        got = found[name]
        if got.shape != array.shape or got.dtype.name not in ("float32", "float64"):
            raise ModelFileError(
                f"{source}: {name}: expected {array.shape} of float32 or float64, got {got.shape} "
                f"of {got.dtype}"
            )


def parameters_in(net: Net, arrays: dict[str, Array]) -> list[tuple[Any, ...]]:
    """Return the parameters in the form of `Model.set_parameters`."""
    found: list[tuple[Any, ...]] = []
    for place, step in enumerate(net.steps):
        each = {name: arrays[f"{place}.{name}"] for name in state_of(step)}
        if isinstance(step, Factors | Blend):
            found.append((each["weight"].reshape(1, -1),))
        elif isinstance(step, Product):
            pair = each["bias"].reshape(1, -1) if "bias" in each else None
            found.append((each["weight"].T, pair))
        elif isinstance(step, Periodic | Tables):
            found.append(tuple(each.values()))
    return found
