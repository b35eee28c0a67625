"""Models and estimators -> ONNX files.

A model's graph takes ``inputs`` and gives ``output``. A classifier's gives ``label`` (n,) and
``probabilities`` (n, K), as scikit-learn's methods do, a regressor's ``output``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model import Model
from ..saving.atomic_file import replace_file
from ..saving.saving import as_path
from .onnx_graph import CALLER, Nodes, finished, onnx_module, value
from .onnx_tables import add_blend, add_periodic, add_tables
from .steps import Blend, Dropout, Factors, Function, Net, Periodic, Tables, net_of


def to_onnx(model: Any, path: Any) -> None:
    """Write a model or a fitted estimator as an ONNX file, opset 20, forward only.

    Parameters
    ----------
    model : Model, MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor
        A model's graph takes ``inputs`` (n, d) in its dtype and gives ``output`` (n, m); dropout is
        left out. A classifier's graph gives ``label`` and, where it has them, ``probabilities``; a
        regressor's ``output``, as `predict` does. The tabular estimators' graphs hold medians,
        marks, levels, scaling and all members. They take the columns of numbers as ``inputs``
        (n, d) in float64, NaN where missing, and the columns of words as ``words`` (n, c), texts,
        ``""`` where missing; each in the order of the columns of the fit. A level that is no text
        is named by its ``str``: ``"True"``, ``"3"``.
    path : str or path-like

    Raises
    ------
    ImportError
        onnx is not installed.
    TypeError
        A layer of the user's own; something else than a model or such an estimator.
    ValueError
        Layers of several dtypes, or none with parameters; levels of a column of words that have
        one text, or none; an estimator that is not fitted.
    OSError
        The file cannot be written; what was there is there still.
    """
    target = as_path(path)
    onnx = onnx_module()
    if isinstance(model, Model):
        data = of_model(onnx, model)
    elif is_estimator(model):
        from .onnx_estimators import of_estimator

        data = of_estimator(onnx, model)
    else:
        raise TypeError(f"{CALLER}: expected a model or an estimator, got {type(model).__name__}")
    replace_file(target, data)


def is_estimator(model: Any) -> bool:
    """Tell whether an object is one of the package's estimators, without importing them."""
    package = f"{__package__.rpartition('.')[0]}.sklearn"
    return any(each.__module__.startswith(package) for each in type(model).__mro__)


def of_model(onnx: Any, model: Model) -> bytes:
    """Return the file of a model."""
    net = net_of(model, CALLER)
    nodes = Nodes(onnx, net.dtype)
    add_net(nodes, net, "inputs")
    if not nodes.nodes:
        nodes.op("Identity", "inputs")
    nodes.nodes[-1].output[0] = "output"
    inputs = value(onnx, "inputs", net.dtype, ["n", net.n_inputs])
    return finished(nodes, [inputs], [value(onnx, "output", net.dtype, ["n", net.n_outputs])])


def add_net(nodes: Nodes, net: Net, x: str, prefix: str = "") -> str:
    """Add a net's steps; return the name of what they give.

    Parameters are named as PyTorch names them: ``0.weight`` (m, d), ``0.bias``.
    """
    for place, step in enumerate(net.steps):
        if isinstance(step, Dropout):
            continue
        if isinstance(step, Function):
            x = nodes.activation(step.name, step.parameters, x)
        elif isinstance(step, Factors):
            x = nodes.op("Mul", x, nodes.constant(step.factors, f"{prefix}{place}.weight"))
        elif isinstance(step, Periodic):
            x = add_periodic(nodes, step, x)
        elif isinstance(step, Tables):
            x = add_tables(nodes, step, x)
        elif isinstance(step, Blend):
            x = add_blend(nodes, step, x)
        else:
            name = f"{prefix}{place}"
            arrays = [nodes.constant(np.ascontiguousarray(step.weights.T), f"{name}.weight")]
            if step.biases is not None:
                arrays.append(nodes.constant(step.biases, f"{name}.bias"))
            x = nodes.op("Gemm", x, *arrays, transB=1)
    return x
