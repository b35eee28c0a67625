"""Estimators as ONNX graphs: preprocessing, nets, labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..sklearn import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
from ..sklearn.tabular.smooth_scaler import LIMIT
from .onnx_export import add_net
from .onnx_graph import CALLER, Nodes, finished, value
from .onnx_tables import add_levels, texts_of
from .steps import net_of

FARTHEST = 1e150  # its square is finite; scaled, it is LIMIT to the last bit


def of_estimator(onnx: Any, estimator: Any) -> bytes:
    """Return the file of a fitted estimator."""
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    if isinstance(estimator, MLPClassifier | MLPRegressor):
        return of_perceptron(onnx, estimator)
    if isinstance(estimator, TabularClassifier | TabularRegressor):
        return of_tabular(onnx, estimator)
    raise TypeError(f"{CALLER}: expected an estimator, got {type(estimator).__name__}")


# --- perceptrons ----------------------------------------------------------------------------------


def of_perceptron(onnx: Any, estimator: Any) -> bytes:
    """Return the file of `MLPClassifier` or `MLPRegressor`."""
    net = net_of(estimator.model_, CALLER)
    nodes = Nodes(onnx, net.dtype)
    inputs = value(onnx, "inputs", net.dtype, ["n", net.n_inputs])
    output = add_net(nodes, net, "inputs")
    if isinstance(estimator, MLPRegressor):
        shape = ["n"] if net.n_outputs == 1 else ["n", net.n_outputs]
        flattened(nodes, output, net.n_outputs == 1, "output")
        return finished(nodes, [inputs], [value(onnx, "output", net.dtype, shape)])
    if len(estimator.classes_) < 2:
        raise ValueError(f"{CALLER}: expected at least 2 classes, got 1")
    outputs = [add_label(nodes, estimator, output)]
    if estimator.out_activation_ != "identity":
        if estimator._labels.kind == "binary" and net.n_outputs == 1:
            nodes.op("Concat", nodes.op("Sub", 1.0, output), output, name="probabilities", axis=1)
        else:
            nodes.op("Identity", output, name="probabilities")
        outputs.append(value(onnx, "probabilities", net.dtype, ["n", len(estimator.classes_)]))
    return finished(nodes, [inputs], outputs)


def flattened(nodes: Nodes, x: str, flat: bool, name: str) -> None:
    """Add a column as (n,), or values as they are."""
    if flat:
        nodes.op("Squeeze", x, np.array([1]), name=name)
    else:
        nodes.op("Identity", x, name=name)


def add_label(nodes: Nodes, estimator: Any, output: str) -> Any:
    """Add ``label`` as `MLPClassifier.predict` has it; return its description."""
    labels, width = estimator._labels, estimator.n_outputs_
    if labels.kind == "multiclass" or width != estimator._width():
        return add_largest(nodes, estimator.classes_, output)
    above = nodes.op("Greater", output, 0.0 if estimator.out_activation_ == "identity" else 0.5)
    places = nodes.op("Cast", above, to=nodes.onnx.TensorProto.INT64)
    if labels.kind == "multilabel":
        nodes.op("Identity", places, name="label")
        return value(nodes.onnx, "label", np.int64, ["n", width])
    return add_classes(nodes, estimator.classes_, nodes.op("Squeeze", places, np.array([1])))


def add_largest(nodes: Nodes, classes: Array, output: str) -> Any:
    """Add the class of each row's largest output."""
    return add_classes(nodes, classes, nodes.op("ArgMax", output, axis=1, keepdims=0))


def add_classes(nodes: Nodes, classes: Array, places: str) -> Any:
    """Add ``label``: the classes at places (n,)."""
    known = as_tensor(classes)
    nodes.op("Gather", known, places, name="label", axis=0)
    onnx = nodes.onnx
    if known.dtype.kind == "O":
        return onnx.helper.make_tensor_value_info("label", onnx.TensorProto.STRING, ["n"])
    return value(onnx, "label", known.dtype, ["n"])


def as_tensor(classes: Array) -> Array:
    """Return classes in a dtype that ONNX has: int64, floats, bools, texts.

    Raises
    ------
    TypeError
        Others.
    """
    if classes.dtype.kind in "iu":
        return classes.astype(np.int64)
    if classes.dtype.kind in "fb":
        return classes
    if all(isinstance(each, str) for each in classes.tolist()):
        return classes.astype(object)
    raise TypeError(f"{CALLER}: expected classes that are numbers or texts, got {classes!r}")


# --- tables ---------------------------------------------------------------------------------------


def of_tabular(onnx: Any, estimator: Any) -> bytes:
    """Return the file of `TabularClassifier` or `TabularRegressor`.

    Raises
    ------
    ValueError
        Levels of words that have one text, or none.
    """
    reader = estimator._reader
    nodes = Nodes(onnx, np.float64)
    numbers = np.flatnonzero(~reader.words)
    inputs = [value(onnx, "inputs", np.float64, ["n", len(numbers)])] if len(numbers) else []
    if reader.words.any():
        text = onnx.TensorProto.STRING
        inputs.append(onnx.helper.make_tensor_value_info("words", text, ["n", len(reader.levels)]))
    names = [reader.names[place] for place in np.flatnonzero(reader.words)]
    texts = [texts_of(*each) for each in zip(reader.levels, names, strict=True)]
    classifies = isinstance(estimator, TabularClassifier)
    each = []
    for number, member in enumerate(estimator.members_):
        output = add_member(nodes, member, number, texts)
        if classifies:
            output = nodes.op("Div", output, float(estimator.temperature_))
            output = nodes.op("Softmax", output, axis=1)
        elif estimator.quantiles is not None:
            output = add_sorted(nodes, output, len(estimator.quantiles))
        each.append(output)
    total = each[0]
    for more in each[1:]:
        total = nodes.op("Add", total, more)
    mean = nodes.op("Div", total, float(len(each)))
    if classifies:
        label = add_largest(nodes, estimator.classes_, mean)
        nodes.op("Identity", mean, name="probabilities")
        shape = ["n", len(estimator.classes_)]
        return finished(nodes, inputs, [label, value(onnx, "probabilities", np.float64, shape)])
    flat = estimator.quantiles is None and estimator._flat
    flattened(nodes, mean, flat, "output")
    width = estimator._n_columns if estimator.quantiles is None else len(estimator.quantiles)
    return finished(
        nodes, inputs, [value(onnx, "output", np.float64, ["n"] if flat else ["n", width])]
    )


def add_member(nodes: Nodes, member: Any, number: int, texts: list[list[str]]) -> str:
    """Add one member: its encoding, its net or nets, its target's units."""
    encoded = add_encoding(nodes, member.encoding, texts)
    known: dict[Any, str] = {}
    outputs = []
    for place, model in enumerate(member.models):
        net = net_of(model, CALLER)
        prefix = f"member_{number}." + (f"net_{place}." if place else "")
        single = Nodes(nodes.onnx, net.dtype, prefix, known=known)
        output = add_net(single, net, encoded, prefix)
        nodes.nodes += single.nodes
        nodes.arrays += single.arrays
        outputs.append(nodes.op("Cast", output, to=nodes.onnx.TensorProto.DOUBLE))
    output = add_mean_output(nodes, outputs, member.units is None)
    if member.units is None:
        return output
    units = member.units
    restored = nodes.op("Add", nodes.op("Mul", output, units.std), units.mean)
    return nodes.op("Min", nodes.op("Max", restored, units.least), units.largest)


def add_mean_output(nodes: Nodes, outputs: list[str], classifies: bool) -> str:
    """Add the mean of nets' values, or the logits of their mean probabilities."""
    if len(outputs) == 1:
        return outputs[0]
    if classifies:
        outputs = [nodes.op("LogSoftmax", each, axis=1) for each in outputs]
    each = [nodes.op("Unsqueeze", output, np.array([0])) for output in outputs]
    together, axes = nodes.op("Concat", *each, axis=0), np.array([0])
    if not classifies:
        return nodes.op("ReduceMean", together, axes, keepdims=0)
    total = nodes.op("ReduceLogSumExp", together, axes, keepdims=0)
    return nodes.op("Sub", total, float(np.log(len(outputs))))


def add_encoding(nodes: Nodes, encoding: Any, texts: list[list[str]]) -> str:
    """Add the net's inputs in float32: numbers and marks scaled, then levels, codes at the end."""
    parts = [add_numbers(nodes, encoding)] if len(encoding.medians) else []
    for k in np.argsort(encoding.sizes > 0, kind="stable"):
        parts.append(add_levels(nodes, int(k), texts[k], encoding.words[k]))
    return parts[0] if len(parts) == 1 else nodes.op("Concat", *parts, axis=1)


def add_numbers(nodes: Nodes, encoding: Any) -> str:
    """Add medians for missing cells, their marks, and the smooth scaling; in float32 then."""
    missing = nodes.op("IsNaN", "inputs")
    x = nodes.op("Where", missing, encoding.medians, "inputs")
    if len(encoding.marked):
        marks = nodes.op("Gather", missing, encoding.marked.astype(np.int64), axis=1)
        marks = nodes.op("Cast", marks, to=nodes.onnx.TensorProto.DOUBLE)
        x = nodes.op("Concat", x, marks, axis=1)
    z = nodes.op("Mul", nodes.op("Sub", x, encoding._centers), encoding._scales)
    z = nodes.op("Min", nodes.op("Max", z, -FARTHEST), FARTHEST)
    ratio = nodes.op("Div", z, LIMIT)
    root = nodes.op("Sqrt", nodes.op("Add", nodes.op("Mul", ratio, ratio), 1.0))
    scaled = nodes.op("Div", z, root)
    return nodes.op("Cast", scaled, to=nodes.onnx.TensorProto.FLOAT)


def add_sorted(nodes: Nodes, x: str, count: int) -> str:
    """Add a row's values in ascending order."""
    output, places = nodes.new_name("sorted"), nodes.new_name("places")
    k = nodes.constant(np.array([count]))
    node = nodes.onnx.helper.make_node("TopK", [x, k], [output, places], axis=1, largest=0)
    nodes.nodes.append(node)
    return output
