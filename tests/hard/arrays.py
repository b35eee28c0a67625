"""Bad arrays: every public and every compiled function gets what nobody should give it.

A call gives a result or one of the errors that are ours; it never crashes, hangs or takes all
memory. Functions are found by introspection: a new one is called too. Compiled classes get the
arguments of real trainings, with one place of them replaced by something else.
"""

from __future__ import annotations

import faulthandler
import inspect
import math
import os
import random
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import _core, catalogue

QUICK, LONG = 3_000, 1_000_000

OURS = (TypeError, ValueError, RuntimeError, MemoryError, FloatingPointError, NotImplementedError)
SECONDS = 30  # for one call: whatever takes longer hangs
HUGE = int(os.environ.get("HARD_HUGE", 2**40))  # rows of a broadcast

Call = tuple[str, Callable[..., Any], list[Any], dict[str, Any]]


class Sub(np.ndarray):
    """A subclass."""


# --- arrays ---------------------------------------------------------------------------------------

DTYPES = "f4 f8 f8 f4 f2 g c16 i1 u1 i4 i8 u8 ? O S3 U2 m8[s] M8[s] >f8 >f4 >i8".split()


def entries(random: random.Random, shape: tuple[int, ...], dtype: str) -> Any:
    rng = np.random.default_rng(random.getrandbits(32))
    values = rng.standard_normal(shape) * random.choice([1, 1, 3, 1e30])
    if random.random() < 0.2 and values.size:
        odd = random.choice([np.nan, np.inf, -np.inf, 1e308, -0.0, 5e-324])
        values.flat[rng.integers(values.size)] = odd
    if np.dtype(dtype).kind in "iumM":
        values = rng.integers(-3 if dtype[-2] in "im>" else 0, 5, shape)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(values).astype(dtype)


def misaligned(array: Any) -> Any:
    buffer = np.empty(array.nbytes + 1, np.uint8)
    moved = buffer[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def object_of(array: Any) -> Any:
    return array.astype(object)


LAYOUTS: list[Callable[[Any], Any]] = [
    *[lambda a: a] * 8,
    np.asfortranarray,
    lambda a: np.repeat(a, 2, axis=0)[::2] if a.ndim else a,
    lambda a: a[::-1] if a.ndim else a,
    lambda a: a[..., ::-1] if a.ndim else a,
    lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim and len(a) else a,
    lambda a: np.broadcast_to(a[:1], (HUGE, *a.shape[1:])) if a.ndim and len(a) else a,
    lambda a: np.broadcast_to(a.ravel()[:1], (len(a), HUGE)) if a.ndim and a.size else a,
    read_only,
    np.ma.masked_array,
    lambda a: a.view(Sub),
    lambda a: np.matrix(a) if a.ndim == 2 and a.dtype.kind != "O" else a,
    lambda a: a.tolist(),
    lambda a: [*a.tolist(), [1]] if a.ndim else 3,
    lambda a: memoryview(np.ascontiguousarray(a)) if a.dtype.kind in "fiu" else a,
    lambda a: a[None],
    lambda a: a.ravel(),
    lambda a: a[:0] if a.ndim else a,
    lambda a: a[..., :0] if a.ndim else a,
    lambda a: a.reshape(a.shape + (1,) * 20),
    lambda a: np.squeeze(a),
    lambda a: iter(a.tolist()) if a.ndim else a,
]


def odd_array(random: random.Random, shape: tuple[int, ...]) -> Any:
    """Return an array of about this shape that may be odd in several ways."""
    if random.random() < 0.15:
        shape = tuple(max(0, size + random.choice([-1, 0, 1, 7])) for size in shape)
    dtype = random.choice(DTYPES) if random.random() < 0.4 else random.choice(["f4", "f8"])
    array = entries(random, shape, dtype)
    if random.random() < 0.1 and dtype in ("f4", "f8", "i8"):
        array = misaligned(array)
    return random.choice(LAYOUTS)(array)


def labels(random: random.Random, n: int, classes: int) -> Any:
    rng = np.random.default_rng(random.getrandbits(32))
    found = rng.integers(0, classes, n)
    if random.random() < 0.2 and n:
        found[rng.integers(n)] = random.choice([-1, classes, 2**62, -(2**63)])
    return random.choice(LAYOUTS)(found) if random.random() < 0.3 else found


JUNK: list[Any] = [
    *(None, True, -1, 0, 1, 2, 3, 2**31, 2**32 + 1, 2**62, 2**63, 2**64, -(2**63), 10**400),
    *(0.0, -1.0, 0.5, 1e308, -1e-320, math.nan, math.inf, "", "adam", "linear", "x" * 1000, b"ab"),
    *((), (1, 2), [], [[]], {}, {"a": 1}, set(), object, object(), np.float32(2), np.int8(-1)),
    *(np.array(3.0), np.datetime64("now"), ..., slice(None), 1j, range(3), float, len),
]


def junk(random: random.Random) -> Any:
    if random.random() < 0.4:
        return odd_array(random, random.choice([(3, 4), (1, 3), (5,), (), (2, 2, 2)]))
    return random.choice(JUNK)


# --- compiled functions ---------------------------------------------------------------------------

COUNTS = [1, 1, 2, 3, 5, 17, 33, 67]


def parameters_of(function: Any) -> list[tuple[str, str]]:
    """Return names and types of a compiled function's parameters, as its docstring says."""
    head = (function.__doc__ or "").split("\n")[0]
    inside = head[head.index("(") + 1 : head.rindex(")")] if "(" in head else ""
    inside = re.sub(r"\[[^\]]*\]", "", inside)
    pairs = [each.strip().partition(":") for each in inside.split(",") if each.strip()]
    return [(name.strip("* "), kind.split("=")[0].strip()) for name, _, kind in pairs]


def core_functions() -> dict[str, Any]:
    left_out = ("set_num_threads", "set_signal_handlers", "fma_peak")  # they act, or take time
    return {
        name: getattr(_core, name)
        for name in dir(_core)
        if not name.startswith("_") and inspect.isroutine(getattr(_core, name))
        if name not in left_out
    }


def core_arguments(random: random.Random, name: str, function: Any) -> list[Any]:
    """Return arguments that fit each other, more or less."""
    n, d, m = (random.choice(COUNTS) for _ in range(3))
    dtype = random.choice(["f4", "f8"])
    shapes = {"weights": (d, m), "biases": (1, m)}
    if name.startswith("dense"):
        shapes["inputs"] = (n, d)
    found: list[Any] = []
    for parameter, kind in parameters_of(function):
        if kind.endswith("ndarray"):
            shape = shapes.get(parameter, (n, m))
            plain = entries(random, shape, dtype)
            if parameter == "y_true" and random.random() < 0.5:
                plain = labels(random, n, m)
            elif parameter == "y_true" and random.random() < 0.7:
                with np.errstate(invalid="ignore"):
                    plain = abs(np.sin(plain))
            found.append(odd_array(random, shape) if random.random() < 0.25 else plain)
        elif kind == "float":
            found.append(random.choice([0.5, 0.5, 0.1, 1.0, *JUNK]))
        elif kind == "int":
            found.append(random.choice([0, 1, 7, 2**40, *JUNK]))
        elif kind == "str":
            found.append(random.choice(["sgd", "adam", "momentum", *JUNK]))
        else:
            found.append(junk(random))
    if name == "update":
        found = [*update_arguments(random, dtype, (n, m))]
    if random.random() < 0.05:
        found = found[:-1] if random.random() < 0.5 else [*found, junk(random)]
    return found


def update_arguments(random: random.Random, dtype: str, shape: tuple[int, int]) -> Iterator[Any]:
    """A rule, and parts of which one may be odd."""
    row = random.choice(_core.catalogue()["rules"])
    yield row["name"]
    parts = []
    for _ in range(random.choice([1, 1, 2, 5])):
        w, g, *states = (entries(random, shape, dtype) for _ in range(2 + len(row["states"])))
        numbers = tuple(random.choice([0.9, 0.0]) for _ in row["parameters"])
        parts.append((w, g, tuple(states), 0.1, 0.0, 1, numbers))
    yield mutated(random, tuple(parts)) if random.random() < 0.6 else tuple(parts)


def mutated(random: random.Random, value: Any) -> Any:
    """Return a tree of tuples, lists and dicts with one place of it replaced or left out."""
    if isinstance(value, tuple | list) and len(value) and random.random() < 0.85:
        parts = list(value)
        place = random.randrange(len(parts))
        if random.random() < 0.05:
            del parts[place]
        else:
            parts[place] = mutated(random, parts[place])
        return tuple(parts) if isinstance(value, tuple) else parts
    if isinstance(value, np.ndarray) and random.random() < 0.7:
        return odd_array(random, value.shape)
    return junk(random)


# --- compiled classes: recorded calls, replayed with a change -------------------------------------

Recorded = list[tuple[str, str, tuple[Any, ...], dict[str, Any]]]


def recorded() -> Recorded:
    """Return class, method and arguments of what real calls of a model ask the core for."""
    found: Recorded = []
    kept = {name: getattr(_core, name) for name in ("Plan", "Predictor", "ShortWay")}

    def recording(cls: Any) -> Any:
        def method(name: str) -> Any:
            def call(self: Any, *args: Any, **named: Any) -> Any:
                found.append((cls.__name__, name, args, named))
                return getattr(cls, name)(self, *args, **named)

            return call

        names = [n for n in dir(cls) if inspect.isroutine(getattr(cls, n)) and n[0] != "_"]
        return type(cls.__name__, (cls,), {n: method(n) for n in (*names, "__init__")})

    try:
        for name, cls in kept.items():
            setattr(_core, name, recording(cls))
        for train in scenes():
            train()
    finally:
        for name, cls in kept.items():
            setattr(_core, name, cls)
    return found


def scenes() -> Iterator[Callable[[], Any]]:
    """Trainings, steps, gradients and predictions of models of several kinds."""
    rng = np.random.default_rng(1)
    for dtype in (np.float32, np.float64):
        X, y = rng.standard_normal((12, 4)).astype(dtype), rng.integers(0, 3, 12)
        model = new_model(dtype)
        validation = (X, y, np.ones(12))
        yield lambda m=model, X=X, y=y: m.train(X, y, epochs=2, batch_size=5, shuffle=True)
        yield lambda m=model, X=X, y=y, v=validation: m.train(
            X, y, epochs=2, validation_data=v, best_epoch="loss", sample_weight=v[2], clip_norm=1.0
        )
        yield lambda m=model, X=X, y=y: [m.train_on_batch(X, y) for _ in range(3)]
        yield lambda m=model, X=X, y=y: m.gradients(X, y)
        yield lambda m=model, X=X: (m.predict(X), m.predict(X[:1]))
        yield lambda m=model, X=X, y=y: m.evaluate(X, y, quiet=True)


def new_model(dtype: Any) -> Any:
    model = cr.Model()
    for layer in (
        cr.Layer_Scale(4) if dtype is np.float64 else cr.Layer_Input(),
        cr.Layer_Dense(4, 7, weight_regularizer_l2=0.1, dtype=dtype),
        cr.Activation_Tanh(),
        cr.Layer_Dropout(0.3, rng=1),
        cr.Layer_Dense(7, 3, dtype=dtype),
        cr.Activation_Softmax(),
    ):
        model.add(layer)
    model.set(
        loss=cr.Loss_CategoricalCrossentropy(),
        optimizer=cr.Optimizer_Adam(0.01),
        accuracy=cr.Accuracy_Categorical(),
    )
    return model


CODES = 5  # in the last of four columns, for a net with a table


def new_model_of_tables(dtype: Any) -> Any:
    """Return a net with learned features of three columns, a table for the fourth, and shares."""
    given: dict[str, Any] = {"dtype": dtype, "rng": 1}
    model = cr.Model()
    for layer in (
        cr.Layer_PeriodicFeatures(4, 2, n_frequencies=3, **given),
        cr.Layer_Embedding(10, (CODES,), 2, **given),
        cr.Layer_Scale(11, dtype=dtype),
        cr.Layer_Dense(11, 7, weight_regularizer_l2=0.1, **given),
        cr.Layer_ParametricActivation(7, "mish", dtype=dtype),
        cr.Layer_Dropout(0.3, rng=1),
        cr.Layer_Dense(7, 3, **given),
        cr.Activation_Softmax(),
    ):
        model.add(layer)
    model.set(
        loss=cr.Loss_CategoricalCrossentropy(),
        optimizer=cr.Optimizer_Adam(0.01),
        accuracy=cr.Accuracy_Categorical(),
    )
    return model


class Replay:
    """An object of a compiled class, and the calls that were recorded of one, with changes."""

    def __init__(self, random: random.Random, calls: Recorded) -> None:
        self.random = random
        starts = [place for place, call in enumerate(calls) if call[1] == "__init__"]
        start = random.choice(starts)
        name = calls[start][0]
        end = next((p for p in starts if p > start and calls[p][0] == name), len(calls))
        self.cls = getattr(_core, name)
        self.calls = [call for call in calls[start:end] if call[0] == name]

    def run(self) -> Iterator[Call]:
        """Yield the calls, and some out of turn."""
        random, name = self.random, self.cls.__name__
        _, _, args, named = self.calls[0]
        if random.random() < 0.05:
            thing = self.cls.__new__(self.cls)
        else:
            args, named = self.changed(args, named, 0.3)
            try:
                thing = self.cls(*args, **named)
            except Exception:
                yield f"{name}", self.cls, [*args], named
                return
        methods = [m for m in dir(thing) if m[0] != "_"] if random.random() < 0.3 else []
        for _, method, args, named in self.calls[1:12]:
            args, named = self.changed(args, named, 0.15)
            yield f"{name}.{method}", getattr(thing, method), [*args], named
            if methods and random.random() < 0.3:
                other = random.choice(methods)
                yield f"{name}.{other}", lambda m=other: attribute(thing, m), [], {}

    def changed(self, args: Any, named: Any, share: float) -> Any:
        """Return arguments of which one may be another."""
        random = self.random
        if random.random() >= share:
            return args, named
        if named and random.random() < 0.5:
            place = random.choice(list(named))
            return args, {**named, place: junk(random)}
        changed = mutated(random, tuple(args)) if args else args
        return changed if isinstance(changed, tuple) else (changed,), named


def attribute(thing: Any, name: str) -> Any:
    value = getattr(thing, name)
    return value() if callable(value) and name != "run" else value


# --- public functions -----------------------------------------------------------------------------

SHAPES = {
    **dict.fromkeys(("X", "inputs"), (6, 4)),
    **dict.fromkeys(("dvalues", "output", "outputs", "y_pred", "predictions"), (6, 3)),
    **dict.fromkeys(("y", "y_true"), (6, 3)),
    **dict.fromkeys(("sample_weight", "flat", "array"), (6,)),
}
NUMBERS = {"batch_size", "print_every", "accumulate", "clip_norm", "validation_split", "epochs"}
KNOWN = {*SHAPES, *NUMBERS, "layer"}
LEFT_OUT = {"plot", "summary"}  # they draw and print
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "Layer_Dense": (4, 3),
    "Layer_Dropout": (0.5,),
    "Layer_Embedding": (4, (3, 2)),
    "Layer_ParametricActivation": (4, "tanh"),
    "Layer_PeriodicFeatures": (4, 3),
    "Layer_Scale": (4,),
    "Loss_Quantile": ([0.5, 0.5, 0.5],),
}


def parts() -> list[Any]:
    """One object of each public part, and two models."""
    made: list[Any] = []
    for kind in ("layer", "activation", "loss", "optimizer", "accuracy"):
        made += [cls(*ARGUMENTS.get(cls.__name__, ())) for cls in catalogue.classes(kind)]
    made += [new_model(np.float32), new_model(np.float64), cr.mlp(4, 5, 3, seed=1)]
    return made


def public_calls(thing: Any) -> list[str]:
    """Return the methods that need nothing but arrays, a layer or a count."""
    found = []
    for name in dir(thing):
        if (
            name.startswith("_")
            or name in LEFT_OUT
            or not inspect.isfunction(getattr(type(thing), name, None))
        ):
            continue
        method = getattr(thing, name)
        if callable(method) and all(each.name in KNOWN for each in needed(method)):
            found.append(name)
    return found


def needed(method: Any) -> list[inspect.Parameter]:
    parameters = inspect.signature(method).parameters.values()
    return [
        each
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


def public_call(random: random.Random, things: list[Any]) -> Call:
    """Return a method of a part with an array for each parameter that takes one."""
    place = random.randrange(len(things))
    if random.random() < 0.02:
        things[place] = parts()[place]  # as it was at first
    thing = things[place]
    name = random.choice(public_calls(thing))
    method = getattr(thing, name)
    found: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in needed(method):
        value = value_for(random, parameter.name, things)
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            found.append(value)
    for parameter in inspect.signature(method).parameters.values():
        optional = parameter.default is not parameter.empty and parameter.name in KNOWN
        if optional and random.random() < 0.2:
            named[parameter.name] = value_for(random, parameter.name, things)
    if name == "train":
        named["progress"] = False
    if name == "evaluate":
        named["quiet"] = True
    return f"{type(thing).__name__}.{name}", method, found, named


def value_for(random: random.Random, name: str, things: list[Any]) -> Any:
    if name == "layer":
        return random.choice([cr.Layer_Dense(4, 3), cr.Layer_Scale(4), *things[:3]])
    if name == "epochs":
        return random.choice([1, 2, 3, 0, -1, "a", None, 2.5])
    if name in NUMBERS:
        return random.choice([1, 2, 3, 0, -1, "a", None, 2.5, 10**400, 2**63, math.nan])
    shape = SHAPES[name]
    if name in ("y", "y_true") and random.random() < 0.5:
        return labels(random, shape[0], 3)
    return odd_array(random, shape) if random.random() < 0.6 else entries(random, shape, "f8")


# --- the run --------------------------------------------------------------------------------------


def calls(random: random.Random) -> Iterator[Call]:
    """Yield calls without an end."""
    functions, recordings, things = core_functions(), recorded(), parts()
    while True:
        kind = random.random()
        if kind < 0.45:
            name = random.choice(list(functions))
            arguments = core_arguments(random, name, functions[name])
            yield f"_core.{name}", functions[name], arguments, {}
        elif kind < 0.65:
            yield from Replay(random, recordings).run()
        else:
            yield public_call(random, things)


def shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        flags = "".join(str(value.flags).split())
        return f"{type(value).__name__}{value.shape} {value.dtype} {value.strides} {flags[:40]}"
    return repr(value)[:80]


def check(count: int, seed: int) -> str:
    random_ = random.Random(seed)
    errors: dict[str, int] = {}
    names = set()
    stream = calls(random_)
    before = cr.get_num_threads()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for _ in range(count):
            cr.set_num_threads(random_.choice([1, 2, 3]))
            name, function, arguments, named = next(stream)
            names.add(name)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            try:
                function(*arguments, **named)
            except OURS as error:
                errors[type(error).__name__] = errors.get(type(error).__name__, 0) + 1
            except Exception as error:
                given = ", ".join(map(shown, [*arguments, *named.items()]))
                raise AssertionError(f"seed {seed}: {name}({given}): {error!r}") from error
            finally:
                faulthandler.cancel_dump_traceback_later()
    cr.set_num_threads(before)
    refused = sum(errors.values())
    return (
        f"{count} calls of {len(names)} functions: {refused} refused in words, "
        f"{count - refused} gave a result, no crash and no foreign error"
    )
