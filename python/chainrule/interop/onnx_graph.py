"""An ONNX graph in the making: nodes by calls, constants by arrays, functions of our own by need.

Activations are ONNX's operators where a runtime has them in the net's dtype; else functions of the
domain ``chainrule`` that the file itself defines by such operators.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..libraries import library
from .c_constants import SELU, constant
from .steps import looked_up

OPSET, IR_VERSION = 20, 9  # Gelu came with 20
DOMAIN = "chainrule"
ML, ML_OPSET = "ai.onnx.ml", 4  # LabelEncoder's domain
CALLER, EXTRA = "to_onnx", "'chainrule[onnx]'"

# core name -> ONNX's operator, and its attributes from the activation's numbers
OPERATORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "relu": ("Relu", ()),
    "sigmoid": ("Sigmoid", ()),
    "tanh": ("Tanh", ()),
    "leaky_relu": ("LeakyRelu", ("alpha",)),
    "elu": ("Elu", ("alpha",)),
    "selu": ("Selu", ()),
    "gelu": ("Gelu", ()),
    "mish": ("Mish", ()),
    "softplus": ("Softplus", ()),
    "exponential": ("Exp", ()),
}
# those that runtimes lack in double or have in single precision, and what they take beside x
IN_DOUBLE = {
    **{kind: OPERATORS[kind] for kind in ("leaky_relu", "elu", "selu", "gelu", "mish", "softplus")},
    "gelu_tanh": ("GeluTanh", ()),
}


class Nodes:
    """Nodes in their order, and constants.

    Parameters
    ----------
    onnx : module
    dtype : dtype
        Of plain numbers.
    prefix : str
        What the names of values begin with.
    inline : bool
        Constants are nodes, as in a function's body; else they are kept in `arrays`.
    known : dict, optional
        Names of constants that are there already, by dtype, shape and bytes: nets that share
        weights share constants.
    """

    def __init__(
        self,
        onnx: Any,
        dtype: Any,
        prefix: str = "",
        inline: bool = False,
        known: dict[Any, str] | None = None,
    ) -> None:
        self.onnx, self.dtype, self.known = onnx, np.dtype(dtype), known
        self.prefix, self.inline = prefix, inline
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.in_double: set[str] = set()
        self._count = 0

    @property
    def onnx_type(self) -> int:
        """ONNX's number of the dtype."""
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(self.dtype))

    def new_name(self, kind: str) -> str:
        """Return a name that no other value has."""
        self._count += 1
        return f"{self.prefix}{kind}_{self._count}"

    def op(self, kind: str, *inputs: Any, name: str = "", domain: str = "", **settings: Any) -> str:
        """Add a node; return the name of its output. Inputs are names, numbers or arrays."""
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        output = name or self.new_name(kind.lower())
        node = self.onnx.helper.make_node(kind, names, [output], domain=domain, **settings)
        self.nodes.append(node)
        return output

    def constant(self, value: Any, name: str = "") -> str:
        """Return the name of a constant: an array as it is, a number in the graph's dtype."""
        array = value if isinstance(value, np.ndarray) else np.asarray(value, dtype=self.dtype)
        name = name or self.new_name("constant")
        if self.known is not None:
            content = array.dtype.str, array.shape, array.tobytes()
            found = self.known.setdefault(content, name)
            if found != name:
                return found
        tensor = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        if self.inline:
            self.nodes.append(self.onnx.helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.arrays.append(tensor)
        return name

    # --- activations ------------------------------------------------------------------------------

    def activation(self, kind: str, numbers: tuple[float, ...], x: str) -> str:
        """Add an activation by its core name; return its output."""
        if kind == "linear":
            return self.op("Identity", x)
        if kind == "softmax":
            return self.op("Softmax", x, axis=1)
        if kind == "silu":
            return self.op("Mul", x, self.op("Sigmoid", x))
        if self.dtype == np.float64 and kind in IN_DOUBLE:
            self.in_double.add(kind)
            return self.op(IN_DOUBLE[kind][0], x, *map(float, numbers), domain=DOMAIN)
        if kind == "gelu_tanh":
            return self.op("Gelu", x, approximate="tanh")
        name, names = looked_up(OPERATORS, kind, CALLER)
        settings: dict[str, Any] = dict(zip(names, map(float, numbers), strict=True))
        return self.op(name, x, **settings)

    def above(self, x: str) -> str:
        """Add ``max(x, 0)``."""
        return self.op("Max", x, 0.0)

    def below(self, x: str) -> str:
        """Add ``exp(min(x, 0)) - 1``."""
        return self.op("Sub", self.op("Exp", self.op("Min", x, 0.0)), 1.0)

    def softplus(self, x: str) -> str:
        """Add ``max(x, 0) + log(1 + exp(-|x|))``."""
        small = self.op("Exp", self.op("Neg", self.op("Abs", x)))
        return self.op("Add", self.above(x), self.op("Log", self.op("Add", small, 1.0)))

    def polynomial(self, coefficients: Array, x: str) -> str:
        """Add a polynomial, highest power first."""
        total = self.constant(float(coefficients[0]))
        for each in coefficients[1:]:
            total = self.op("Add", self.op("Mul", total, x), float(each))
        return total

    def normal(self, x: str) -> str:
        """Add Phi(x) as the kernels have it: ``exp(-x^2 / 2) p(q) / (offset + |x|)``."""
        values = {
            name: constant(f"normal_{name}", self.dtype)
            for name in ("zero", "centre", "offset", "scaled")
        }
        numbers = {name: float(values[name][0]) for name in ("zero", "centre", "offset")}
        size = self.op("Min", self.op("Abs", x), numbers["zero"])
        q = self.op(
            "Div",
            self.op("Sub", size, numbers["centre"]),
            self.op("Add", size, numbers["centre"]),
        )
        scaled = self.op(
            "Div", self.polynomial(values["scaled"], q), self.op("Add", size, numbers["offset"])
        )
        density = self.op("Exp", self.op("Mul", self.op("Mul", size, size), -0.5))
        tail = self.op("Mul", density, scaled)
        positive = self.op("Greater", x, 0.0)
        return self.op("Where", positive, self.op("Sub", 1.0, tail), tail)

    def body(self, kind: str, y: str) -> None:
        """Add what an activation in double is made of, from ``x`` to `y`."""
        if kind == "leaky_relu":
            self.op(
                "Add", self.above("x"), self.op("Mul", "alpha", self.op("Min", "x", 0.0)), name=y
            )
        elif kind == "elu":
            self.op("Add", self.above("x"), self.op("Mul", "alpha", self.below("x")), name=y)
        elif kind == "selu":
            scale, alpha = SELU
            bent = self.op("Mul", self.below("x"), alpha)
            self.op("Mul", self.op("Add", self.above("x"), bent), scale, name=y)
        elif kind == "gelu":
            self.op("Mul", self.op("Max", "x", -1000.0), self.normal("x"), name=y)
        elif kind == "gelu_tanh":
            cube = self.op("Mul", self.op("Mul", "x", "x"), "x")
            cubic, root = (float(constant(f"gelu_{name}", self.dtype)[0])
                           for name in ("cubic", "twice_root"))  # fmt: skip
            twice = self.op("Mul", self.op("Add", self.op("Mul", cube, cubic), "x"), root)
            self.op("Mul", self.op("Max", "x", -1000.0), self.op("Sigmoid", twice), name=y)
        elif kind == "mish":
            self.op("Mul", "x", self.op("Tanh", self.softplus("x")), name=y)
        else:
            self.op("Identity", self.softplus("x"), name=y)

    def functions(self) -> list[Any]:
        """Return the functions of the domain ``chainrule`` that the nodes call."""
        helper, found = self.onnx.helper, []
        for kind in sorted(self.in_double):
            name, numbers = IN_DOUBLE[kind]
            inside = Nodes(self.onnx, np.float64, inline=True)
            inside.body(kind, "y")
            imports = [helper.make_opsetid("", OPSET)]
            inputs = ["x", *numbers]
            found.append(helper.make_function(DOMAIN, name, inputs, ["y"], inside.nodes, imports))
        return found


def finished(nodes: Nodes, inputs: list[Any], outputs: list[Any]) -> bytes:
    """Return the bytes of a checked model.

    Raises
    ------
    ValueError
        It is larger than protobuf allows, 2 GB.
    """
    from ..runtime import __version__

    onnx = nodes.onnx
    imports = [onnx.helper.make_opsetid("", OPSET)]
    functions = nodes.functions()
    if functions:
        imports.append(onnx.helper.make_opsetid(DOMAIN, 1))
    if any(node.domain == ML for node in nodes.nodes):
        imports.append(onnx.helper.make_opsetid(ML, ML_OPSET))
    size = sum(math.prod(array.dims) for array in nodes.arrays) * nodes.dtype.itemsize
    if size >= 2**31 - 2**20:
        raise ValueError(f"{CALLER}: expected parameters of at most 2 GB, got {size} bytes")
    graph = onnx.helper.make_graph(nodes.nodes, "net", inputs, outputs, nodes.arrays)
    model = onnx.helper.make_model(
        graph,
        opset_imports=imports,
        functions=functions,
        ir_version=IR_VERSION,
        producer_name="chainrule",
        producer_version=__version__,
    )
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def value(onnx: Any, name: str, dtype: Any, shape: list[Any]) -> Any:
    """Return the description of an input or output."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def onnx_module(caller: str = CALLER) -> Any:
    """Return the module onnx."""
    library("onnx", caller, EXTRA)
    for part in ("onnx.checker", "onnx.helper", "onnx.numpy_helper"):
        library(part, caller, EXTRA)
    return library("onnx", caller, EXTRA)
