"""A net as one C99 file: forward only, no dependency but the C library, bits as `Model.predict`.

Each element of a product is one chain of fused multiply-adds over the inner index, from the bias
on; activations follow element by element, softmax row by row. That is what predictions do on every
target that has fused multiply-add, for any number of rows and threads; C's ``fma`` rounds once on
any machine.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays import Array
from ..saving.atomic_file import replace_file
from ..saving.saving import as_path
from .c_constants import CONSTANTS, SELU, constant
from .c_functions import FUNCTIONS, in_order
from .steps import (
    Blend,
    Dropout,
    Factors,
    Function,
    Net,
    Periodic,
    Product,
    Tables,
    looked_up,
    net_of,
    width_after,
)

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# activation -> the C function; its numbers come behind x
CALLS = {
    "relu": "relu",
    "sigmoid": "sigmoid",
    "tanh": "hyperbolic_tangent",
    "leaky_relu": "leaky_relu",
    "elu": "exponential_linear",
    "selu": "exponential_linear",
    "gelu": "gelu",
    "gelu_tanh": "gelu_tanh",
    "silu": "silu",
    "mish": "mish",
    "softplus": "softplus",
    "exponential": "exponential_any",
    "softmax": "softmax",
}
# step -> the C function that takes a row from one place to another
MOVES: dict[Any, str] = {
    Product: "product",
    Factors: "scale",
    Periodic: "periodic",
    Tables: "tables",
    Blend: "blended",
}

HEAD = """\
/* {name}: a multilayer perceptron, {sizes}, in {real}.

   Compile with -std=c99 -ffp-contract=off and link with -lm; never with -ffast-math. With a CPU's
   own fused multiply-add (-mfma, -march=native) it is fast; the bits are the same.

   {wrapped}
*/

/* Declarations; copy them to where the net is used. */
#include <stddef.h>

size_t {name}_n_inputs(void);
size_t {name}_n_outputs(void);

/* inputs (rows, {n_inputs}) and output (rows, {n_outputs}), row after row, which must not overlap.
   Keeps nothing between calls: any number of threads may call it. Stack: {stack} bytes. */
void {name}_predict(size_t rows, const {real} *inputs, {real} *output);

/* ------------------------------------------------------------------------------------------- */

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__) || (defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0{allowed})
#error "expected IEEE arithmetic in {real}, got -ffast-math or wider intermediate results"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

"""
KINDS = {  # the real type, and what differs between the two
    "float32": (
        "float",
        """\
typedef float real;
typedef uint32_t word;
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_OFFSET 64
#define FMA fmaf
#define FABS fabsf
#define COPYSIGN copysignf
""",
    ),
    "float64": (
        "double",
        """\
typedef double real;
typedef uint64_t word;
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXP_OFFSET 512
#define FMA fma
#define FABS fabs
#define COPYSIGN copysign
""",
    ),
}


def to_c(model: Any, path: Any, *, name: str = "net") -> None:
    """Write a model's way forward as one C99 file; see `Model.to_c`."""
    target = as_path(path)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"to_c: name: expected a name that C takes, got {name!r}")
    text = source(net_of(model, "to_c"), name)
    replace_file(target, text.encode("ascii"))


def source(net: Net, name: str) -> str:
    """Return the text of the file.

    Raises
    ------
    ValueError
        A parameter that is not finite.
    """
    steps = [step for step in net.steps if not passes(step)]
    real, kind = KINDS[net.dtype.name]
    calls, width, buffers = body(net, steps)
    kinds = {type(step) for step in steps}
    names = [function for kind, function in MOVES.items() if kind in kinds]
    functions = [step.name for step in steps if isinstance(step, Function | Blend)]
    names += [looked_up(CALLS, each, "to_c") for each in functions]
    parts = "\n".join(definitions(in_order(names), net.dtype))
    sizes = "-".join(str(size) for size in [net.n_inputs, *widths(steps)])
    told = (
        f"{name}_predict(rows, inputs, output) writes the {net.n_outputs} outputs of each row of "
        f"{net.n_inputs} inputs. Each row's bits are those of the Python model's predict, NaN's "
        "sign and payload aside."
    )
    head = HEAD.format(
        name=name,
        sizes=sizes,
        real=real,
        wrapped=textwrap.fill(told, 95, subsequent_indent="   "),
        n_inputs=net.n_inputs,
        n_outputs=net.n_outputs,
        stack=width * len(buffers) * net.dtype.itemsize,
        allowed="" if real == "float" else " && FLT_EVAL_METHOD != 1",
    )
    prelude = used_macros(kind, parts)
    public = interface(net, name, width, buffers, calls)
    return "".join([head, prelude, "\n", parts, "\n", *arrays(steps), public])


def passes(step: Any) -> bool:
    """Tell whether a step gives what it takes."""
    return isinstance(step, Dropout) or (isinstance(step, Function) and step.name == "linear")


def widths(steps: list[Any]) -> list[int]:
    """Return the columns behind each product."""
    return [step.weights.shape[1] for step in steps if isinstance(step, Product)]


def used_macros(kind: str, text: str) -> str:
    """Return the types and those macros that the text uses."""
    names = {
        line: line.split()[1] if line.startswith("#define") else line.rstrip(";").split()[-1]
        for line in kind.splitlines()
    }
    text += " real"  # the interface has it
    kept = [line for line, name in names.items() if re.search(rf"\b{name}\b", text)]
    return "\n".join(kept) + "\n"


# --- numbers ------------------------------------------------------------------------------------


def literal(value: Any) -> str:
    """Return a float32 or float64 as a hexadecimal constant of its own type."""
    number = float(value)
    if np.isinf(number):
        return "-INFINITY" if number < 0 else "INFINITY"
    digits, exponent = number.hex().split("p")
    suffix = "f" if np.asarray(value).dtype == np.float32 else ""
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}{suffix}"


def listed(values: Array) -> str:
    """Return numbers between braces, some a line."""
    texts = ", ".join(map(literal, values))
    lines = textwrap.wrap(texts, 96, initial_indent="    ", subsequent_indent="    ")
    return "{\n" + "\n".join(lines) + "\n}"


def definitions(names: list[str], dtype: np.dtype[Any]) -> Iterator[str]:
    """Yield constants, then functions."""
    for name in names:
        if name in CONSTANTS:
            values = constant(name, dtype)
            if len(values) == 1:
                yield f"static const real {name} = {literal(values[0])};"
            else:
                yield f"static const real {name}[] = {listed(values)};"
    yield ""
    for name in names:
        if name in FUNCTIONS:
            yield FUNCTIONS[name].text


def arrays(steps: list[Any]) -> Iterator[str]:
    """Yield the parameters, ``weights_1``, ``biases_1``, ...; row k of weights is input k's."""
    for number, step in numbered(steps):
        for what, values in step._asdict().items():
            if what == "sizes":
                texts = ", ".join(map(str, values))
                yield f"static const size_t sizes_{number}[{len(values)}] = {{{texts}}};\n\n"
            if not isinstance(values, np.ndarray):
                continue
            if not np.isfinite(values).all():
                raise ValueError(f"to_c: {what} {number}: expected finite numbers, got others")
            text = f"static const real {what}_{number}[{values.size}] = {listed(values.ravel())};"
            yield f"/* ({', '.join(map(str, values.shape))}) */\n{text}\n\n"


def numbered(steps: list[Any]) -> list[tuple[int, Any]]:
    """Return the steps with parameters, from 1."""
    return list(enumerate((step for step in steps if type(step) in MOVES), 1))


# --- the way forward ------------------------------------------------------------------------------


def body(net: Net, steps: list[Any]) -> tuple[list[str], int, list[str]]:
    """Return the calls for one row, the width of its buffers and their names.

    A step with parameters goes from one buffer to the other, the last one to the output; functions
    work in place.
    """
    numbers = {id(step): number for number, step in numbered(steps)}
    last = max(place for place, step in enumerate(steps) if not isinstance(step, Function))
    lines: list[str] = []
    used: list[str] = []
    at, n, width = "inputs", net.n_inputs, 0

    def next_place(place: int, size: int) -> str:
        nonlocal width
        if place == last:
            return "output"
        width = max(width, size)
        found = "b" if at == "a" else "a"
        if found not in used:
            used.append(found)
        return found

    for place, step in enumerate(steps):
        if isinstance(step, Function):
            if at == "inputs":
                at = next_place(place, n)
                lines.append(f"memcpy({at}, inputs, {n} * sizeof(real));")
            lines.append(applied(step, n, at, net.dtype))
            continue
        size = width_after(step, n)
        target = next_place(place, size)
        lines.append(moved(step, numbers[id(step)], n, at, target))
        at, n = target, size
    return lines, width, used


def moved(step: Any, k: int, n: int, at: str, target: str) -> str:
    """Return the line that takes n numbers through the k-th step with parameters."""
    if isinstance(step, Product):
        biases = "NULL" if step.biases is None else f"biases_{k}"
        return f"product({n}, {step.weights.shape[1]}, {at}, weights_{k}, {biases}, {target});"
    if isinstance(step, Factors):
        return f"scale({n}, {at}, factors_{k}, {target});"
    if isinstance(step, Periodic):
        sizes = ", ".join(map(str, (*step.weights.shape, step.n_passed)))
        names = ", ".join(f"{name}_{k}" for name in ("frequencies", "phases", "weights", "biases"))
        return f"periodic({sizes}, {at}, {names}, {target});"
    if isinstance(step, Tables):
        sizes = f"{step.n_passed}, {len(step.sizes)}, {step.weights.shape[1]}"
        return f"tables({sizes}, {at}, sizes_{k}, weights_{k}, {target});"
    value = called(step, f"{at}[j]", step.shares.dtype)
    line = f"{target}[j] = blended(shares_{k}[j], {at}[j], {value});"
    return f"for (size_t j = 0; j < {n}; ++j) {line}"


def applied(step: Function, n: int, at: str, dtype: np.dtype[Any]) -> str:
    """Return the line that puts n numbers through an activation."""
    if step.name == "softmax":
        return f"softmax({n}, {at});"
    return f"for (size_t j = 0; j < {n}; ++j) {at}[j] = {called(step, f'{at}[j]', dtype)};"


def called(step: Function | Blend, x: str, dtype: np.dtype[Any]) -> str:
    """Return an activation's value of one number."""
    numbers = step.parameters
    if step.name in ("elu", "selu"):
        scale, alpha = (1.0, *numbers) if step.name == "elu" else SELU
        numbers = (scale, scale * alpha)
    with np.errstate(over="ignore"):
        given = "".join(f", {literal(dtype.type(number))}" for number in numbers)
    return f"{CALLS[step.name]}({x}{given})"


def interface(net: Net, name: str, width: int, buffers: list[str], calls: list[str]) -> str:
    """Return the three public functions."""
    local = f"    real {', '.join(f'{each}[{width}]' for each in buffers)};\n" if buffers else ""
    lines = "".join(f"        {line}\n" for line in calls)
    return (
        f"size_t {name}_n_inputs(void) {{ return {net.n_inputs}; }}\n"
        f"size_t {name}_n_outputs(void) {{ return {net.n_outputs}; }}\n\n"
        f"void {name}_predict(size_t rows, const real *inputs, real *output) {{\n{local}"
        f"    for (; rows > 0; --rows, inputs += {net.n_inputs}, output += {net.n_outputs}) {{\n"
        f"{lines}    }}\n}}\n"
    )
