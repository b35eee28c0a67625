"""Parts to try, found by walking the catalogues: whatever is listed there is tried.

A class is built with its defaults and with one other value of each setting that its constructor
takes; compiled functions get the numbers in NUMBERS. Targets and predictions follow from what the
catalogue says of a loss.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from chainrule import _core as core
from chainrule import catalogue

Array = np.ndarray[Any, Any]
Make = Callable[[], Any]

NUMBERS = (0.25, 0.5, 0.75)  # slopes, smoothings, quantiles: allowed wherever a number is
CANDIDATES = (True, 0.25, 3, NUMBERS, "tanh", "none")


def variants(cls: type[Any]) -> Iterator[Make]:
    """The class with its defaults, then with one other value a setting."""
    parameters = inspect.signature(cls).parameters
    required: dict[str, Any] = {
        name: next(value for value in reversed(CANDIDATES) if cls.settings[name](value))
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
    }
    yield partial(cls, **required)
    for name, check in cls.settings.items():
        if name not in parameters or name in required:
            continue
        values = [each for each in CANDIDATES if check(each) and each != parameters[name].default]
        if values:  # a schedule is none of the candidates
            yield partial(cls, **required, **{name: values[0]})


def examples(kind: str) -> list[Make]:
    """Every part of a kind, as functions that build it."""
    return [make for cls in catalogue.classes(kind) for make in variants(cls)]


def name_of(make: Make) -> str:
    """What a test's id says."""
    return repr(make())


# --- compiled functions ---------------------------------------------------------------------------


def activation_rows() -> list[dict[str, Any]]:
    """The compiled activations that work element by element, without the identity."""
    rows = core.catalogue()["activations"]
    return [row for row in rows if not row["rows"] and row["name"] != "linear"]


def loss_rows() -> list[dict[str, Any]]:
    """The compiled losses."""
    return list(core.catalogue()["losses"])


def row_id(row: dict[str, Any]) -> str:
    return str(row["name"])


def numbers_for(row: dict[str, Any], columns: int) -> tuple[float, ...]:
    """Parameters for the compiled functions of a row."""
    if row.get("parameter_per_output"):
        return tuple((j + 1) / (columns + 1) for j in range(columns))
    return NUMBERS[: len(row["parameters"])]


def targets_for(
    row: dict[str, Any], rng: np.random.Generator, shape: tuple[int, int], dtype: Any
) -> Array:
    """Targets all over a loss's domain; some are 0 and 1."""
    n, m = shape[0], 1 if row["one_target"] else shape[1]
    domain = row["domain"]
    if domain == "signs":
        y = rng.choice([-1.0, 1.0], (n, m))
    elif domain == "unit_interval":
        y = np.clip(rng.uniform(-0.5, 1.5, (n, m)), 0, 1)
    elif domain == "not_negative":
        y = np.maximum(3 * rng.standard_normal((n, m)), 0)
    else:
        y = 3 * rng.standard_normal((n, m))
    return y.astype(dtype)


def predictions_for(
    row: dict[str, Any], rng: np.random.Generator, shape: tuple[int, int], dtype: Any
) -> Array:
    """Predictions in (0, 1): any loss may meet these; inputs of a joint loss have any sign."""
    if row["joins"]:
        return (2 * rng.standard_normal(shape)).astype(dtype)
    return rng.uniform(0.01, 0.99, shape).astype(dtype)


# --- slopes of the reference ----------------------------------------------------------------------

STEP = 2.0**-20


def relative_slope(function: Callable[[Array], Array], x: Array) -> Array:
    """|x f'(x)|: what relative errors of x, one everywhere, make of f, as a factor of them."""
    above, below = function(x * (1 + STEP)), function(x * (1 - STEP))
    with np.errstate(invalid="ignore"):
        slope = np.abs(above - below) / (2 * STEP)
    return np.where(np.isfinite(slope), slope, 0)


def sensitivity(function: Callable[..., Array], arguments: list[Any]) -> Array:
    """What a relative error in each column of the arrays, and in each number, makes of f at most.

    The sum of |x df/dx| over the columns x and the numbers, as a factor of the error.
    """
    total: Any = 0
    for k, argument in enumerate(arguments):
        columns = argument.shape[1] if isinstance(argument, np.ndarray) else 1
        for j in range(columns):

            def moved(factor: Any, k: int = k, j: int = j) -> Array:
                changed = list(arguments)
                if isinstance(changed[k], np.ndarray):
                    changed[k] = changed[k].copy()
                    changed[k][:, j] *= factor
                else:
                    changed[k] = changed[k] * factor
                return function(*changed)

            total = total + np.abs(moved(1 + STEP) - moved(1 - STEP)) / (2 * STEP)
    return np.asarray(total)


def slopes(make: Callable[[], Array], array: Array, direction: Array) -> tuple[Array, Array]:
    """d sum(direction * make()) / d array by central differences, and a bound of their error.

    Those of steps 2 h and h differ by three times the truncation error of the second, h^2 / 6 f'''
    (the next term, h^4, does not count); the values are off by 8 eps of the largest.
    """
    found = []
    for h in (2.0**-14, 2.0**-15):
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + h
            above = (make() * direction).sum()
            array[index] = kept - h
            below = (make() * direction).sum()
            array[index] = kept
            gradient[index] = (above - below) / (2 * h)
        found.append(gradient)
    size = np.abs(make() * direction).max() * direction.size
    rounding = 8 * np.finfo(np.float64).eps * size / h
    return found[1], np.abs(found[0] - found[1]) + 2 * rounding
