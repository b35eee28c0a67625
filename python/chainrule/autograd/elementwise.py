"""Operations that work entry by entry, each with its derivatives; o is the output.

A kink gets what a central difference gives there: `maximum` and `minimum` share a tie, the slope of
`absolute` at 0 is 0. `relu` is the exception: 0 at 0, as `Activation_ReLU` has it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .operation import Formula, elementwise

LN2, LN10 = np.log(2.0), np.log(10.0)


def _by_base(o: Any, a: Any, b: Any) -> Any:
    """b a^(b - 1), and 0 where b is 0, also at a = 0."""
    if np.ndim(b) == 0:
        return b * a ** (b - 1) if b != 0 else 0
    return np.where(b == 0, 0, b * a ** np.where(b == 0, 1, b - 1))


def _by_exponent(o: Any, a: Any, b: Any) -> Any:
    """o log(a), and 0 at a = 0, where the power stays 0."""
    return np.where((a == 0) & (b >= 0), 0, o * np.log(np.where(a == 0, 1, a)))


def _taken(o: Any, mine: Any, other: Any) -> Any:
    """1 where `mine` is the output, 1/2 where the other one is as well."""
    return np.where(o == mine, np.where(mine == other, 0.5, 1.0), 0.0).astype(o.dtype)


def _sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(small), small) / (1 + small)


def _relu(x: Any) -> Any:
    return np.where(x <= 0, np.zeros((), dtype=x.dtype), x)  # NaN goes through


def _where(condition: Any, a: Any, b: Any) -> Any:
    return np.where(condition, a, b)


def _logaddexp(o: Any, a: Any, b: Any) -> Any:
    return np.exp(a - o)


def _own(function: Callable[..., Any], *derivatives: Callable[..., Any]) -> Formula:
    name = function.__name__
    operands = ", ".join(["{}"] * len(derivatives))
    return elementwise(name, f"{name}({operands})", function, *derivatives)


def _infix(function: Callable[..., Any], sign: str, *derivatives: Callable[..., Any]) -> Formula:
    return elementwise(function.__name__, f"{{}} {sign} {{}}", function, *derivatives)


ADD = _infix(np.add, "+", lambda o, a, b: 1, lambda o, a, b: 1)
SUBTRACT = _infix(np.subtract, "-", lambda o, a, b: 1, lambda o, a, b: -1)
MULTIPLY = _infix(np.multiply, "*", lambda o, a, b: b, lambda o, a, b: a)
DIVIDE = _infix(
    np.divide, "/", lambda o, a, b: np.divide(1, b, dtype=o.dtype), lambda o, a, b: -o / b
)
POWER = elementwise("power", "{} ** {}", operator.pow, _by_base, _by_exponent)
NEGATIVE = elementwise("negative", "-{}", np.negative, lambda o, a: -1)
ABSOLUTE = elementwise("absolute", "|{}|", np.absolute, lambda o, a: np.sign(a))
EXP = _own(np.exp, lambda o, a: o)
LOG = _own(np.log, lambda o, a: 1 / a)
SQRT = _own(np.sqrt, lambda o, a: 0.5 / o)
TANH = _own(np.tanh, lambda o, a: 1 - o * o)
MAXIMUM = _own(np.maximum, lambda o, a, b: _taken(o, a, b), lambda o, a, b: _taken(o, b, a))
MINIMUM = _own(np.minimum, lambda o, a, b: _taken(o, a, b), lambda o, a, b: _taken(o, b, a))
SIGMOID = elementwise("sigmoid", "sigmoid({})", _sigmoid, lambda o, a: o * (1 - o))
RELU = elementwise("relu", "relu({})", _relu, lambda o, a: (a > 0).astype(a.dtype))
WHERE = elementwise(
    "where",
    "where({}, {}, {})",
    _where,
    lambda o, c, a, b: np.zeros((), dtype=o.dtype),
    lambda o, c, a, b: np.asarray(c, dtype=bool).astype(o.dtype),
    lambda o, c, a, b: np.logical_not(c).astype(o.dtype),
)

# NumPy's own functions; those above under their own names too.
UFUNCS: Mapping[np.ufunc, Formula] = {
    np.add: ADD,
    np.subtract: SUBTRACT,
    np.multiply: MULTIPLY,
    np.divide: DIVIDE,
    np.power: POWER,
    np.float_power: _own(np.float_power, _by_base, _by_exponent),
    np.negative: NEGATIVE,
    np.positive: elementwise("positive", "+{}", np.positive, lambda o, a: 1),
    np.absolute: ABSOLUTE,
    np.fabs: ABSOLUTE,
    np.exp: EXP,
    np.exp2: _own(np.exp2, lambda o, a: o * o.dtype.type(LN2)),
    np.expm1: _own(np.expm1, lambda o, a: o + 1),
    np.log: LOG,
    np.log2: _own(np.log2, lambda o, a: 1 / (a * a.dtype.type(LN2))),
    np.log10: _own(np.log10, lambda o, a: 1 / (a * a.dtype.type(LN10))),
    np.log1p: _own(np.log1p, lambda o, a: 1 / (1 + a)),
    np.logaddexp: _own(np.logaddexp, _logaddexp, lambda o, a, b: _logaddexp(o, b, a)),
    np.sqrt: SQRT,
    np.cbrt: _own(np.cbrt, lambda o, a: 1 / (3 * o * o)),
    np.square: elementwise("square", "{} ** 2", np.square, lambda o, a: 2 * a),
    np.reciprocal: elementwise("reciprocal", "1 / {}", np.reciprocal, lambda o, a: -o * o),
    np.sin: _own(np.sin, lambda o, a: np.cos(a)),
    np.cos: _own(np.cos, lambda o, a: -np.sin(a)),
    np.tan: _own(np.tan, lambda o, a: 1 + o * o),
    np.arcsin: _own(np.arcsin, lambda o, a: 1 / np.sqrt(1 - a * a)),
    np.arccos: _own(np.arccos, lambda o, a: -1 / np.sqrt(1 - a * a)),
    np.arctan: _own(np.arctan, lambda o, a: 1 / (1 + a * a)),
    np.arctan2: _own(
        np.arctan2, lambda o, a, b: b / (a * a + b * b), lambda o, a, b: -a / (a * a + b * b)
    ),
    np.hypot: _own(np.hypot, lambda o, a, b: a / o, lambda o, a, b: b / o),
    np.sinh: _own(np.sinh, lambda o, a: np.cosh(a)),
    np.cosh: _own(np.cosh, lambda o, a: np.sinh(a)),
    np.tanh: TANH,
    np.arcsinh: _own(np.arcsinh, lambda o, a: 1 / np.sqrt(a * a + 1)),
    np.arccosh: _own(np.arccosh, lambda o, a: 1 / np.sqrt(a * a - 1)),
    np.arctanh: _own(np.arctanh, lambda o, a: 1 / (1 - a * a)),
    np.maximum: MAXIMUM,
    np.minimum: MINIMUM,
}

# They give truth values or steps: no gradient goes through, the result is a plain array.
PLAIN = frozenset({
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.isnan,
    np.isinf, np.isfinite, np.sign, np.signbit, np.floor, np.ceil, np.rint, np.trunc,
    np.logical_not, np.logical_and, np.logical_or, np.logical_xor,
})  # fmt: skip
