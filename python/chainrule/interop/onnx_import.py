"""ONNX files -> models: perceptrons of Gemm, or MatMul and Add, and activations in a row.

The graph is walked from its input: what takes the value at hand says what the next layer is. An
activation that ONNX has no operator for is a few nodes, known by their form.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import activations
from ..arrays import Array
from ..errors import ModelFileError
from ..layers import Layer_Dense, Layer_Dropout, Layer_Scale
from ..model import Model
from ..saving.saving import as_path
from .onnx_activations import activation_defined, activation_of, words
from .onnx_graph import DOMAIN, onnx_module

CALLER = "from_onnx"


def from_onnx(path: Any) -> Model:
    """Return the model of an ONNX file that holds a perceptron.

    Parameters
    ----------
    path : str or path-like
        Its graph has one input and one output, and between them in a row ``Gemm``, ``MatMul`` and
        ``Add``, ``Mul`` by a row of factors, activations of the catalogue, ``Dropout``,
        ``Identity`` and a first ``Flatten``. Files of `to_onnx` and of PyTorch's exporter are such.

    Returns
    -------
    Model
        Finalized; without a loss and an optimizer.

    Raises
    ------
    ImportError
        onnx is not installed.
    ModelFileError
        No ONNX file, or a graph with something else; names the node.
    OSError
        The file cannot be read.
    """
    source = as_path(path)
    onnx = onnx_module(CALLER)
    with open(source, "rb"):
        pass  # OSError, whatever onnx makes of it
    try:
        loaded = onnx.load(source)
        onnx.checker.check_model(loaded)
    except OSError:
        raise
    except Exception as error:
        raise ModelFileError(f"{source}: expected an ONNX file: {error}") from None
    try:
        return Reader(onnx, loaded.graph).model()
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{source}: {error}") from None


class Reader:
    """A graph, and the place in it that the walk has come to."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self.onnx, self.graph = onnx, graph
        self.constants: dict[str, Array] = {
            each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer
        }
        self.nodes = [node for node in graph.node if not self._is_constant(node)]
        inputs = [each.name for each in graph.input if each.name not in self.constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise ValueError(
                f"expected one input and one output, got {len(inputs)} and {len(graph.output)}"
            )
        self.at, self.end = inputs[0], graph.output[0].name
        self.done: set[int] = set()

    def _is_constant(self, node: Any) -> bool:
        """Keep a node's value where it depends on no input: constants, and transposed ones."""
        if node.op_type == "Constant":
            settings = settings_of(self.onnx, node)
            numbers = settings.get("value_float", settings.get("value_floats"))
            if "value" not in settings and numbers is None:
                return False
            self.constants[node.output[0]] = (
                np.array(numbers, dtype=np.float32)
                if numbers is not None
                else self.onnx.numpy_helper.to_array(settings["value"])
            )
            return True
        if node.op_type in ("Transpose", "Identity") and node.input[0] in self.constants:
            array = self.constants[node.input[0]]
            order = settings_of(self.onnx, node).get("perm")
            turned = array.transpose(order) if node.op_type == "Transpose" else array
            self.constants[node.output[0]] = turned
            return True
        return False

    def model(self) -> Model:
        """Return the layers from input to output."""
        model = Model()
        while self.at != self.end:
            layer = self.next_layer(first=not model.layers)
            if layer is not None:
                model.add(layer)
        left = [node for node in self.nodes if id(node) not in self.done]
        if left:
            raise ValueError(f"{words(left[0])}: expected layers in a row, got a node beside them")
        model.finalize()
        return model

    # --- the walk ---------------------------------------------------------------------------------

    def takers(self, name: str) -> list[Any]:
        """Return the nodes that take a value, in the graph's order."""
        return [node for node in self.nodes if name in node.input]

    def take(self, *nodes: Any) -> None:
        """Go on behind the last of these nodes."""
        self.done |= {id(node) for node in nodes}
        self.at = nodes[-1].output[0]

    def next_layer(self, first: bool) -> Any:
        """Return the layer that takes the value at hand, None where it only passes it on."""
        takers = self.takers(self.at)
        if not takers:
            raise ValueError(f"{self.at}: expected a node that takes it, got none")
        if len(takers) > 1:
            found = self.of_several(takers)
            if found is not None:
                return found
            raise ValueError(f"{words(takers[1])}: expected layers in a row, got a fork")
        node = takers[0]
        self.take(node)
        settings = settings_of(self.onnx, node)
        if node.domain not in ("", "ai.onnx", DOMAIN):
            raise ValueError(f"{words(node)}: expected ONNX's operators, got one of {node.domain}")
        if node.domain == DOMAIN:
            return activation_defined(node, [self.number(name) for name in node.input[1:]])
        if node.op_type in ("Gemm", "MatMul"):
            return self.dense(node, settings)
        if node.op_type == "Mul":
            return self.factors(node)
        if node.op_type == "Flatten" and first and settings.get("axis", 1) == 1:
            return None
        if node.op_type == "Dropout":
            given = len(node.input) > 1 and bool(node.input[1])
            rate = self.number(node.input[1]) if given else settings.get("ratio", 0.5)
            return Layer_Dropout(rate)
        return activation_of(node, settings)

    # --- layers with parameters -------------------------------------------------------------------

    def dense(self, node: Any, settings: dict[str, Any]) -> Layer_Dense:
        """Return Gemm, or MatMul with the Add behind it."""
        if node.input[0] not in self.constants and node.input[1] in self.constants:
            weights = self.constants[node.input[1]]
        else:
            raise ValueError(f"{words(node)}: expected inputs . weights, got another product")
        if settings.get("transA") or weights.ndim != 2:
            raise ValueError(f"{words(node)}: expected weights (d, m) and transA=0")
        if weights.dtype.name not in ("float32", "float64"):
            raise ValueError(f"{words(node)}: expected float32 or float64, got {weights.dtype}")
        weights = weights.T if settings.get("transB") else weights
        weights = scaled(weights, settings.get("alpha", 1.0))
        if node.op_type == "Gemm":
            has = len(node.input) > 2 and bool(node.input[2])
            biases = self.array(node, node.input[2]) if has else None
            biases = None if biases is None else scaled(biases, settings.get("beta", 1.0))
        else:
            biases = self.added()
        m = weights.shape[1]
        if biases is not None:
            if biases.size not in (1, m):
                raise ValueError(f"{words(node)}: expected biases ({m},), got {biases.shape}")
            biases = np.array(np.broadcast_to(biases.reshape(1, -1), (1, m)))
        weights = np.array(weights, order="C")  # one of its own: several nodes may name it
        return Layer_Dense(weights=weights, biases=biases, bias=biases is not None)

    def added(self) -> Array | None:
        """Return what an Add behind a product adds; None where there is none."""
        takers = self.takers(self.at)
        if len(takers) != 1 or takers[0].op_type != "Add" or self.at == self.end:
            return None
        product, node = self.at, takers[0]
        others = [name for name in node.input if name != product]
        if len(others) != 1 or others[0] not in self.constants:
            raise ValueError(f"{words(node)}: expected biases that are constant")
        self.take(node)
        return self.constants[others[0]]

    def factors(self, node: Any) -> Layer_Scale:
        """Return Mul by a row of factors."""
        array = next((self.constants[n] for n in node.input if n in self.constants), None)
        if array is None or array.ndim not in (1, 2) or array.size != array.shape[-1]:
            raise ValueError(f"{words(node)}: expected a row of factors (n,)")
        layer = Layer_Scale(array.size, dtype=array.dtype)
        layer.weights = np.array(array.reshape(1, -1))
        return layer

    def array(self, node: Any, name: str) -> Array:
        """Return a constant."""
        if name not in self.constants:
            raise ValueError(f"{words(node)}: {name}: expected a constant")
        return self.constants[name]

    def number(self, name: str) -> float:
        """Return a constant of one number."""
        array = self.constants.get(name)
        if array is None or array.size != 1:
            raise ValueError(f"{name}: expected a constant number")
        return float(array.ravel()[0])

    # --- activations of several nodes -------------------------------------------------------------

    def of_several(self, takers: list[Any]) -> Any:
        """Return SiLU, Mish or GELU where the nodes behind have their form, else None."""
        x = self.at
        for node in takers:
            others = [each for each in takers if each is not node]
            if node.op_type == "Sigmoid" and len(others) == 1:
                if self.joins(others[0], "Mul", x, node.output[0]):
                    self.take(node, others[0])
                    return activations.Activation_SiLU()
            if node.op_type == "Softplus" and len(others) == 1:
                tanh = self.only_taker(node, "Tanh")
                if tanh is not None and self.joins(others[0], "Mul", x, tanh.output[0]):
                    self.take(node, tanh, others[0])
                    return activations.Activation_Mish()
            if node.op_type in ("Div", "Mul") and len(others) == 1:
                found = self.gelu(node, others[0])
                if found is not None:
                    return found
        return None

    def gelu(self, node: Any, product: Any) -> Any:
        """Return GELU written as ``x (1 + erf(x / sqrt(2))) / 2``, as PyTorch's exporter does."""
        x = self.at
        factors = [self.constants[name] for name in node.input if name in self.constants]
        if len(factors) != 1 or factors[0].size != 1:
            return None
        root = math.sqrt(2.0) if node.op_type == "Div" else math.sqrt(0.5)
        near = abs(float(factors[0].ravel()[0]) - root) < 1e-6
        erf = self.only_taker(node, "Erf")
        plus = None if erf is None else self.only_taker(erf, "Add")
        if not near or plus is None or not self.takes_number(plus, 1.0):
            return None
        if product.op_type == "Mul" and self.takes_number(product, 0.5):  # (x / 2) (1 + erf)
            last = self.only_taker(product, "Mul")
            if last is not None and self.joins(last, "Mul", plus.output[0], product.output[0]):
                self.take(node, erf, plus, product, last)
                return activations.Activation_GELU()
            return None
        if not self.joins(product, "Mul", x, plus.output[0]):
            return None
        last = self.only_taker(product, "Mul")
        if last is None or not self.takes_number(last, 0.5):
            return None
        self.take(node, erf, plus, product, last)
        return activations.Activation_GELU()

    def joins(self, node: Any, kind: str, *names: str) -> bool:
        """Tell whether a node takes just these values."""
        return node.op_type == kind and sorted(node.input) == sorted(names)

    def only_taker(self, node: Any, kind: str) -> Any:
        """Return the one node that takes a node's output, if it is of this kind."""
        takers = self.takers(node.output[0])
        return takers[0] if len(takers) == 1 and takers[0].op_type == kind else None

    def takes_number(self, node: Any, number: float) -> bool:
        """Tell whether a node takes this constant."""
        found = [self.constants[name] for name in node.input if name in self.constants]
        return len(found) == 1 and found[0].size == 1 and float(found[0].ravel()[0]) == number


def settings_of(onnx: Any, node: Any) -> dict[str, Any]:
    """Return a node's attributes."""
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def scaled(array: Array, factor: float) -> Array:
    """Return the array times a factor, itself for 1."""
    return array if factor == 1.0 else (array * array.dtype.type(factor))
