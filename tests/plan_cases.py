"""Trainings to try: models, data and the reference's twin for any choice of parts.

A `Case` names one choice; `ENGINES` lists what CHAINRULE_ENGINE may force, `WAYS` adds the
layer-by-layer classes, which must give the same. Parts come from the catalogues: ACTIVATIONS,
LOSSES and RULES hold whatever is listed there, with defaults and with other settings, and
WALKED_ENDS every loss behind last layers that fit. `covering` makes cases in which each pair of
choices occurs, `rotation` fewer in which each choice occurs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import reference
from chainrule import _core, catalogue
from chainrule.layers.parameters import slots_of
from chainrule.losses.last_layer import FITTING
from chainrule.settings import is_flag
from chainrule.training import network
from part_cases import name_of, numbers_for, targets_for, variants

Array = np.ndarray[Any, Any]
End = tuple[str, str, str]

ENGINES = ("nano", "panels")
WAYS = (*ENGINES, "layers")

# --- optimizers -----------------------------------------------------------------------------------

# Another value of a setting, by its name; a setting that is not named here keeps its default.
USUAL = {"learning_rate": 0.02}  # small enough for any loss behind exponentials
OTHER = {
    "decay": 0.02,
    "weight_decay": 0.1,
    "momentum": 0.8,
    "rho": 0.8,
    "beta_1": 0.8,
    "beta_2": 0.99,
    "epsilon": 1e-3,
}


def optimizers() -> dict[str, Callable[[], Any]]:
    """Each class with defaults, with other numbers, with each flag; and with an epsilon of 0.

    Named after the rule that they are.
    """
    found: dict[str, Callable[[], Any]] = {}

    def add(make: Callable[[], Any], *said: str) -> None:
        """Under its rule and as little of what is said as tells it from those before."""
        names = [", ".join((make().rule, *said[len(said) - k :])) for k in range(len(said) + 1)]
        found[next(name for name in names if name not in found)] = make

    for cls in catalogue.classes("optimizer"):
        make = partial(cls, **USUAL)
        add(make, "defaults")
        numbers = {name: value for name, value in OTHER.items() if name in cls.settings}
        if make(**numbers).rule != make().rule:
            rates = {name: OTHER[name] for name in ("decay", "weight_decay")}
            add(partial(make, **rates), "decay")
        add(partial(make, **numbers), "settings")
        flags = [name for name, check in cls.settings.items() if check is is_flag]
        for name in flags:
            add(partial(make, **numbers, **{name: True}), name)
        if "epsilon" in cls.settings:
            add(partial(make, epsilon=0.0), "epsilon=0")
            for name in flags:
                add(partial(make, **{name: True}, epsilon=0.0), name, "epsilon=0")
    return found


RULES = optimizers()

# --- activations and losses -----------------------------------------------------------------------


def by_core_name(kind: str) -> dict[str, Callable[[], Any]]:
    """The parts of a kind: "elu" with the defaults, "elu(alpha=0.25)" with another value."""
    found: dict[str, Callable[[], Any]] = {}
    for cls in catalogue.classes(kind):
        for make in variants(cls):
            name = make().name_in_core()
            settings = name_of(make).partition("(")[2]
            found[f"{name}({settings}" if name in found else name] = make
    return found


ACTIVATIONS = by_core_name("activation")
LOSSES = by_core_name("loss")
LOSS_ROWS = {row["name"]: row for row in _core.catalogue()["losses"]}
METRICS = {
    "classes": "categorical",
    "shares": "binary",
    "logits": "binary_logits",
    "signs": "signs",
    "values": "regression",
}
ACCURACIES: dict[str | None, Any] = {
    "categorical": cr.Accuracy_Categorical,
    "binary": partial(cr.Accuracy_Categorical, binary=True),
    "binary_logits": cr.Accuracy_Categorical,
    "signs": cr.Accuracy_Categorical,
    "regression": cr.Accuracy_Regression,
    None: lambda: None,
}

# loss, last activation ("" for none), kind of targets
ENDS: tuple[End, ...] = (
    ("categorical_crossentropy", "softmax", "labels"),
    ("categorical_crossentropy", "softmax", "soft"),
    ("categorical_crossentropy", "sigmoid", "labels"),
    ("binary_crossentropy", "sigmoid", "drawn"),
    ("binary_crossentropy", "softmax", "soft"),
    ("half_squared_error", "linear", "drawn"),
    ("half_squared_error", "", "drawn"),
    ("half_squared_error", "relu", "drawn"),
    ("mean_squared_error", "tanh", "drawn"),
    ("mean_squared_error", "softmax", "soft"),
    ("mean_absolute_error", "linear", "drawn"),
    ("mean_absolute_error", "sigmoid", "drawn"),
)


def fitting_activations(loss: Any) -> list[str]:
    """Last activations whose outputs the loss can take; "" is none."""
    domain = loss.output_domain
    if domain == "logits":
        return ["", "linear"]
    names = {name: make().codomain for name, make in ACTIVATIONS.items()}
    if domain not in FITTING:
        return ["", *names]
    return [name for name, codomain in names.items() if codomain in FITTING[domain][0]]


def walked_ends() -> tuple[End, ...]:
    """Each loss with labels and targets behind layers that fit, each activation as a last one."""
    found: list[End] = []
    for turn, (name, make) in enumerate(LOSSES.items()):
        row = LOSS_ROWS[make().name_in_core()]
        fitting = fitting_activations(make())
        # all that a demanding loss can take; of the others, which take any, some in turn
        chosen = (
            fitting
            if len(fitting) <= 8
            else [fitting[(3 * turn + k) % len(fitting)] for k in range(3)]
        )
        for activation in chosen:
            kinds = ["labels", "soft"] if row["labels"] else ["drawn"]
            found += [(name, activation, kind) for kind in kinds]
            if row["domain"] == "signs":
                found.append((name, activation, "yes or no"))
    return tuple(found)


WALKED_ENDS = walked_ends()


def end_name(end: End) -> str:
    return "-".join(filter(None, end))


# --- cases ----------------------------------------------------------------------------------------

REGULARISERS = {
    "none": (0.0, 0.0, 0.0, 0.0),
    "l2": (0.0, 0.02, 0.0, 0.01),
    "all": (0.003, 0.02, 0.002, 0.01),
}
DROPOUTS = {"none": (0.0, 0.0), "hidden": (0.0, 0.3), "both": (0.2, 0.4)}  # input, hidden
FACTORS: dict[str, dict[str, Any]] = {
    "none": {},
    "one": {"learning_rate_factor": 0.5, "weight_decay_factor": 2.0, "epsilon_factor": 3.0},
    "pairs": {
        "learning_rate_factor": (1.5, 0.25),
        "weight_decay_factor": (0.5, 3.0),
        "epsilon_factor": (2.0, 0.5),
    },
}


CHOICES: dict[str, list[Any]] = {
    "end": list(WALKED_ENDS),
    "hidden": list(ACTIVATIONS),
    "rule": list(RULES),
    "regulariser": list(REGULARISERS),
    "dropout": list(DROPOUTS),
    "dtype": [np.float32, np.float64],
    "bias": [True, False],
    "scale": [False, True],
    "factors": list(FACTORS),
    "frozen": [None, 0, 1],
    "scheduled": [False, True],
}


@dataclass(frozen=True)
class Case:
    end: End
    hidden: str = "tanh"
    rule: str = "sgd"
    regulariser: str = "none"
    dropout: str = "none"
    dtype: Any = np.float64
    accuracy: bool = True
    sizes: tuple[int, ...] = (4, 7, 3)
    bias: bool = True
    scale: bool = False  # a scale layer in front, then without a dropout of the inputs
    factors: str = "none"
    frozen: int | None = None  # the place of a dense layer
    scheduled: bool = False
    further: str = ""  # the activation of hidden layers after the first, where it is another

    @property
    def metric(self) -> str | None:
        """The accuracy that fits loss and last activation."""
        predicts = LOSSES[self.end[0]]().predicts
        if predicts is None:
            predicts = ACTIVATIONS[self.end[1]]().predicts if self.end[1] else "values"
        metric = METRICS[predicts]
        targets = 1 if LOSS_ROWS[self.loss_name]["one_target"] else self.sizes[-1]
        fits = targets == self.sizes[-1] and (metric == "categorical" or self.end[2] != "labels")
        return metric if self.accuracy and fits else None

    @property
    def loss_name(self) -> str:
        """The core's name of the loss, not joined."""
        name: str = LOSSES[self.end[0]]().name_in_core()
        return name


def make_loss(case: Case) -> Any:
    """The case's loss, with as many numbers as outputs where it wants them."""
    loss = LOSSES[case.end[0]]()
    row = LOSS_ROWS[case.loss_name]
    if row["parameter_per_output"]:
        return type(loss)(numbers_for(row, case.sizes[-1]))
    return loss


def make_optimizer(case: Case) -> Any:
    """The case's optimizer; schedules are at their beginning, for 48 steps."""
    optimizer = RULES[case.rule]()
    if case.scheduled:
        optimizer.schedule = cr.schedules.Cosine(end=0.2)
        optimizer.weight_decay_schedule = cr.schedules.Exponential(end=0.3)
        optimizer.schedule_start, optimizer.schedule_steps = 0, 48
    return optimizer


def make_dropout(case: Case, rate: float, rng: np.random.Generator) -> cr.Layer_Dropout:
    schedule = cr.schedules.Step(0.5, at=(0.1, 0.4)) if case.scheduled else None
    return cr.Layer_Dropout(rate, rng=rng, schedule=schedule)


def make_scale(case: Case, rng: np.random.Generator) -> cr.Layer_Scale:
    layer = cr.Layer_Scale(case.sizes[0], dtype=case.dtype, **FACTORS[case.factors])
    layer.weights += (0.3 * rng.standard_normal(layer.weights.shape)).astype(case.dtype)
    layer.weight_regularizer_l1, layer.weight_regularizer_l2 = REGULARISERS[case.regulariser][:2]
    return layer


def make_dense(case: Case, place: int, rng: np.random.Generator) -> cr.Layer_Dense:
    d, m = case.sizes[place : place + 2]
    layer = cr.Layer_Dense(
        d,
        m,
        *REGULARISERS[case.regulariser],
        weight_scale=0.9 / d**0.5,
        dtype=case.dtype,
        rng=rng,
        bias=case.bias,
        **FACTORS[case.factors],
    )
    if case.bias:
        layer.biases += (0.2 * rng.standard_normal((1, m))).astype(case.dtype)
    layer.trainable = place != case.frozen
    return layer


def make_model(case: Case, seed: int = 1) -> cr.Model:
    """Dense layers of ``case.sizes`` with the hidden activation and the dropouts between."""
    rng = np.random.default_rng(seed)
    model = cr.Model()
    dropouts = DROPOUTS[case.dropout]
    if case.scale:
        model.add(make_scale(case, rng))
    elif dropouts[0]:
        model.add(make_dropout(case, dropouts[0], rng))
    for k in range(len(case.sizes) - 1):
        model.add(make_dense(case, k, rng))
        if k < len(case.sizes) - 2:
            model.add(ACTIVATIONS[(case.further if k else "") or case.hidden]())
            if dropouts[1]:
                model.add(make_dropout(case, dropouts[1], rng))
        elif case.end[1]:
            model.add(ACTIVATIONS[case.end[1]]())
    model.set(
        loss=make_loss(case),
        optimizer=make_optimizer(case),
        accuracy=ACCURACIES[case.metric](),
    )
    model.finalize()
    return model


def make_data(case: Case, n: int, seed: int = 2) -> tuple[Array, Array]:
    """X (n, d) and y as the case's targets want it, both drawn in float64."""
    rng = np.random.default_rng(seed)
    m = case.sizes[-1]
    X = rng.standard_normal((n, case.sizes[0]))
    kinds = {
        "labels": lambda: rng.integers(0, m, n),
        "soft": lambda: rng.dirichlet(np.ones(m), n),
        "yes or no": lambda: rng.integers(0, 2, (n, m)).astype(np.float64),
        "drawn": lambda: targets_for(LOSS_ROWS[case.loss_name], rng, (n, m), np.float64),
    }
    return X, kinds[case.end[2]]()


def rotation(kinds: dict[str, list[Any]], count: int, seed: int = 21) -> list[dict[str, Any]]:
    """`count` rows of choices, one a kind, in which all choices of a kind occur equally often."""
    rng = np.random.default_rng(seed)
    columns = {
        name: [values[i % len(values)] for i in rng.permutation(count)]
        for name, values in kinds.items()
    }
    return [{name: column[k] for name, column in columns.items()} for k in range(count)]


def few_of_all(**settings: Any) -> list[Case]:
    """As many cases as there are losses with last layers: every part occurs."""
    return [Case(**row, **settings) for row in rotation(CHOICES, len(WALKED_ENDS))]


def covering(kinds: dict[str, list[Any]], seed: int = 20) -> list[dict[str, Any]]:
    """Rows of choices, one a kind, in which each pair of choices of two kinds occurs.

    Greedy: of some rows drawn round the first pair that is missing, the one with the most new
    pairs.
    """
    rng = np.random.default_rng(seed)
    sizes = [len(values) for values in kinds.values()]
    missing = {
        (a, i, b, j)
        for a, b in combinations(range(len(sizes)), 2)
        for i, j in product(range(sizes[a]), range(sizes[b]))
    }
    rows = []
    while missing:
        a, i, b, j = min(missing)
        best: tuple[int, tuple[int, ...]] = (0, ())
        for _ in range(20):
            row = [int(rng.integers(size)) for size in sizes]
            row[a], row[b] = i, j
            gain = sum(pair in missing for pair in pairs_of(row))
            best = max(best, (gain, tuple(row)))
        missing -= set(pairs_of(best[1]))
        rows.append(
            {name: values[k] for (name, values), k in zip(kinds.items(), best[1], strict=True)}
        )
    return rows


def pairs_of(row: Any) -> list[tuple[int, int, int, int]]:
    return [(a, row[a], b, row[b]) for a, b in combinations(range(len(row)), 2)]


# --- what a model holds, and its twin -------------------------------------------------------------


def dense_layers(model: cr.Model) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, cr.Layer_Dense)]


def layers_with_parameters(model: cr.Model) -> list[Any]:
    return [layer for layer in model.layers if slots_of(layer)]


KINDS = tuple(dict.fromkeys(kind for row in _core.catalogue()["rules"] for kind in row["states"]))
ARRAYS = ("weights", "biases")
STATE = tuple(f"{prefix}_{kind}" for prefix in ("weight", "bias") for kind in KINDS)


def all_arrays(model: cr.Model) -> list[Array]:
    """Copies of parameters and optimizer arrays."""
    return [
        np.array(vars(layer)[name])
        for layer in layers_with_parameters(model)
        for name in (*ARRAYS, *STATE)
        if vars(layer).get(name) is not None
    ]


def reference_optimizer(optimizer: Any) -> reference.Optimizer:
    """The reference's optimizer with the same settings and step count."""
    rule = optimizer.rule
    assert rule in reference.RULES, f"tests/reference.py: expected a rule {rule!r}, got none"
    names = {*reference.Optimizer.__dataclass_fields__, *reference.RULES[rule][2]} - {"rule"}
    twin = reference.Optimizer(rule)
    for name in names:
        if hasattr(optimizer, name):
            setattr(twin, name, getattr(optimizer, name))
    return twin


def reference_layer(layer: Any, optimizer: Any) -> Any:
    """The reference's twin of one layer."""
    if isinstance(layer, cr.Layer_Dropout):
        return reference.Dropout(layer.rate, layer.key, layer.step, layer.schedule)
    if not slots_of(layer):
        name = layer.name_in_core()
        assert name in reference.FORWARD, f"tests/reference.py: expected {name}_forward, got none"
        return reference.Activation(name, layer.parameters())
    held = vars(layer)
    kind = reference.Scale if isinstance(layer, cr.Layer_Scale) else reference.Dense
    twin = kind(*(None if held.get(name) is None else held[name].copy() for name in ARRAYS))
    for slot, short in zip(slots_of(layer), ("weight", "bias"), strict=False):
        l1, l2 = slot.strengths(layer)
        setattr(twin, f"{short}_l1", l1)
        setattr(twin, f"{short}_l2", l2)
        if held.get("optimizer_token") == optimizer.token:
            twin.steps[short] = layer.optimizer_steps[slot.name]
    twin.state = {name: held[name].copy() for name in STATE if name in held}
    for name in FACTORS["pairs"]:
        setattr(twin, name, getattr(layer, name))
    twin.trainable = layer.trainable
    return twin


def reference_of(model: cr.Model, case: Case) -> reference.Spec:
    """The reference's twin of the model as it is now: parameters, optimizer arrays, steps."""
    loss = model.loss.name_in_core()
    assert loss in reference.LOSSES, f"tests/reference.py: expected {loss}_forward, got none"
    layers = [reference_layer(layer, model.optimizer) for layer in model.layers]
    optimizer = reference_optimizer(model.optimizer)
    return reference.Spec(layers, loss, optimizer, case.metric, model.loss.parameters())


def refuse_plans(patch: pytest.MonkeyPatch) -> None:
    """Let every model be trained layer by layer."""

    def refuse(layers: Any) -> None:
        raise network.NoPlan("asked for by the test")

    patch.setattr(network, "check_parameters", refuse)


@contextmanager
def going(way: str) -> Iterator[None]:
    """Force an engine of the plan, or the layer-by-layer way, for the block."""
    assert os.environ.get("CHAINRULE_ENGINE") is None
    with pytest.MonkeyPatch.context() as patch:
        if way == "layers":
            refuse_plans(patch)
        else:
            patch.setenv("CHAINRULE_ENGINE", way)
        yield
