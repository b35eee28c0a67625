"""Every rule of the core's list against the reference one precision up; in place, any rank."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import reference as ref
from chainrule import _core as core
from tolerance import assert_within, gamma, smallest, unit, wider

Array = np.ndarray[Any, Any]
Team = Callable[..., Any]

SHAPES = [(0, 4), (1, 1), *((1, k) for k in range(2, 68, 5)), (67, 65), (784, 129)]
RANKS = [(), (7,), (2, 3, 5)]

RATE, DECAY, STEP = 0.3, 0.02, 3
SHIFT = 2.0**-20  # of an operand, relative, for the slopes of the reference
SETTINGS = {"epsilon": 1e-7, "beta_2": 0.999, "epsilon_hat": 0.0}
OTHER_SETTINGS = {"epsilon_hat": 1.0, "epsilon": 0.5}
USUAL = 0.9  # momentum, rho, beta_1, and whatever a rule may have that is not named here


class Rule(NamedTuple):
    """A rule of the catalogue with numbers for its settings."""

    name: str
    states: tuple[str, ...]
    settings: tuple[float, ...]
    variant: str = ""

    def part(self, arrays: list[Array], decay: float = DECAY, step: int = STEP) -> tuple[Any, ...]:
        """A part of an update: arrays are the parameter, its gradient and the states."""
        return (arrays[0], arrays[1], tuple(arrays[2:]), RATE, decay, step, self.settings)

    def operands(self, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> list[Array]:
        """Parameter, gradient and states; of these only momenta may be negative."""
        arrays = [rng.standard_normal(shape) for _ in range(2 + len(self.states))]
        for place, name in enumerate(self.states, 2):
            if name != "momentums":
                arrays[place] = np.square(arrays[place])
        return [np.asarray(array).astype(dtype) for array in arrays]

    def updated(self, update: Callable[..., Any], arrays: list[Array]) -> list[Array]:
        """Copies of the arrays after a step."""
        copies = [array.copy() for array in arrays]
        update(self.name, (self.part(copies),))
        return copies

    def magnitudes(self, arrays: list[Array]) -> list[Array]:
        """For each array that changes the sizes of the terms that make it, in the reference.

        Each rounding and each rounded constant is a relative error of an operand's share in the
        result, of the change, or of the result.
        """
        places = (0, *range(2, len(arrays)))
        after = self.updated(ref.update, arrays)
        sizes = [np.abs(after[place] - arrays[place]) + np.abs(after[place]) for place in places]
        for operand, array in enumerate(arrays):
            above, below = (
                self.updated(ref.update, [*arrays[:operand], x, *arrays[operand + 1 :]])
                for x in (array * (1 + SHIFT), array * (1 - SHIFT))
            )
            for size, place in zip(sizes, places, strict=True):
                size += np.abs(above[place] - below[place]) / (2 * SHIFT)
        return sizes


def rules() -> Iterator[Rule]:
    """Each rule with usual settings, then with one of them another."""
    for row in core.catalogue()["rules"]:
        names = row["parameters"]
        usual = {name: SETTINGS.get(name, USUAL) for name in names}
        yield Rule(row["name"], row["states"], tuple(usual.values()))
        for name in names:
            if name in OTHER_SETTINGS:
                changed = {**usual, name: OTHER_SETTINGS[name]}
                yield Rule(row["name"], row["states"], tuple(changed.values()), f", {name}")


by_rule = pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule.name + rule.variant)


def shape_id(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def relative_step(dtype: Any) -> float:
    """At most eight roundings on the way from an operand to a result."""
    return gamma(8, dtype)


def test_the_reference_knows_each_rule_by_the_same_names() -> None:
    for row in core.catalogue()["rules"]:
        _, states, settings = ref.RULES[row["name"]]
        assert (row["states"], row["parameters"]) == (states, settings)


@by_rule
@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_one_step(
    rule: Rule, shape: tuple[int, ...], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    arrays = rule.operands(rng, shape, dtype)
    wide = [wider(a) for a in arrays]
    expected, magnitudes = rule.updated(ref.update, wide), rule.magnitudes(wide)
    gradient = arrays[1].copy()
    assert team(core.update, rule.name, (rule.part(arrays),)) is None
    np.testing.assert_array_equal(arrays[1], gradient)
    for place, magnitude in zip([0, *range(2, len(arrays))], magnitudes, strict=True):
        bound = relative_step(dtype) * magnitude + smallest(dtype)
        assert_within(arrays[place], expected[place], bound)


@by_rule
@pytest.mark.parametrize("shape", RANKS, ids=shape_id)
def test_any_rank(rule: Rule, shape: tuple[int, ...], dtype: Any, rng: np.random.Generator) -> None:
    arrays = rule.operands(rng, shape, dtype)
    rows = [a.reshape(1, -1).copy() for a in arrays]
    core.update(rule.name, (rule.part(arrays),))
    core.update(rule.name, (rule.part(rows),))
    for a, b in zip(arrays, rows, strict=True):
        np.testing.assert_array_equal(a.ravel(), b.ravel())


@by_rule
def test_an_entry_does_not_depend_on_its_place(
    rule: Rule, dtype: Any, rng: np.random.Generator
) -> None:
    """Whole vectors, tails and offsets compute alike, and neighbours are left alone."""
    arrays = rule.operands(rng, (67,), dtype)
    single = [a.copy() for a in arrays]
    core.update(rule.name, (rule.part(arrays),))
    untouched = [a.copy() for a in single]
    for i in range(1, 66, 2):
        core.update(rule.name, (rule.part([a[i : i + 1] for a in single]),))
    for whole, part, before in zip(arrays, single, untouched, strict=True):
        np.testing.assert_array_equal(part[1:66:2], whole[1:66:2])
        np.testing.assert_array_equal(part[::2], before[::2])


@by_rule
def test_several_parameters_in_one_call_are_as_one_by_one(
    rule: Rule, rng: np.random.Generator
) -> None:
    """Each with its own shape, dtype, step and decay."""
    cases = [((3, 4), np.float32, 1, 0.0), ((5,), np.float64, 9, 0.5), ((), np.float32, 2, 0.25)]
    many = [(rule.operands(rng, shape, dtype), step, decay) for shape, dtype, step, decay in cases]
    alone = [([a.copy() for a in arrays], step, decay) for arrays, step, decay in many]
    core.update(rule.name, tuple(rule.part(a, decay, step) for a, step, decay in many))
    for arrays, step, decay in alone:
        core.update(rule.name, (rule.part(arrays, decay, step),))
    for (arrays, _, _), (others, _, _) in zip(many, alone, strict=True):
        for a, b in zip(arrays, others, strict=True):
            np.testing.assert_array_equal(a, b)
    assert core.update(rule.name, ()) is None


@by_rule
@pytest.mark.parametrize("epsilon", [None, 0.0])
def test_a_gradient_of_zero_from_rest_changes_nothing(
    rule: Rule, epsilon: float | None, dtype: Any
) -> None:
    """Weight decay aside, and without a division of zero by zero."""
    row = next(row for row in core.catalogue()["rules"] if row["name"] == rule.name)
    if epsilon is not None:
        pairs = zip(row["parameters"], rule.settings, strict=True)
        settings = tuple(epsilon if name == "epsilon" else value for name, value in pairs)
        rule = rule._replace(settings=settings)
    w = np.arange(1, 38, dtype=dtype)
    arrays = [w, *(np.zeros_like(w) for _ in range(1 + len(rule.states)))]
    for step in (1, 2, 1000):
        core.update(rule.name, (rule.part(arrays, 0.0, step),))
    np.testing.assert_array_equal(w, np.arange(1, 38, dtype=dtype))
    assert not any(array.any() for array in arrays[1:])


@by_rule
def test_weight_decay_comes_first(rule: Rule, dtype: Any) -> None:
    w = np.full(19, 2.0, dtype=dtype)
    arrays = [w, *(np.zeros_like(w) for _ in range(1 + len(rule.states)))]
    core.update(rule.name, (rule.part(arrays, 0.25),))
    np.testing.assert_array_equal(w, np.full(19, 1.5, dtype=dtype))


def test_one_minus_beta_is_not_rounded_before_the_difference() -> None:
    """In float32 1 - float32(0.999) is off by 1e-5 of its value; the cache shows it bare."""
    w, g = np.zeros((2, 1), dtype=np.float32)
    v, c = np.zeros((2, 1), dtype=np.float32)
    adam = (1e-7, 0.9, 0.999, 0.0)
    core.update("adam", ((w, np.ones_like(g), (v, c), 0.1, 0.0, 1, adam),))
    assert c[0] == np.float32(0.001) and v[0] == np.float32(0.1)
    c[:] = 0
    core.update("rmsprop", ((w, np.ones_like(g), (c,), 0.1, 0.0, 1, (1e-7, 0.999)),))
    assert c[0] == np.float32(0.001)


@by_rule
def test_a_step_follows_the_reference_for_many_steps(rule: Rule, rng: np.random.Generator) -> None:
    """Twenty steps in float64 on the same gradients: errors add up, at most one bound a step."""
    mine = rule.operands(rng, (5, 7), np.float64)
    for place, name in enumerate(rule.states, 2):
        if name != "momentums":
            mine[place][...] = 1.0  # away from zero: the steps' derivatives stay below 1
    theirs = [wider(a) for a in mine]
    total = np.zeros((5, 7), dtype=np.longdouble)
    for step in range(1, 21):
        gradient = rng.standard_normal((5, 7))
        mine[1][...], theirs[1][...] = gradient, gradient
        total += rule.magnitudes(theirs)[0]
        core.update(rule.name, (rule.part(mine, step=step),))
        ref.update(rule.name, (rule.part(theirs, step=step),))
    # momentum hands each error on 1 / (1 - 0.9) times
    assert_within(mine[0], theirs[0], 10 * relative_step(np.float64) * total)


def test_a_gradient_that_is_the_parameter_itself_is_refused_or_comes_out_right(
    dtype: Any, rng: np.random.Generator
) -> None:
    """w -= rate * w as in NumPy: each entry is read before it is written."""
    w = rng.standard_normal((37, 3)).astype(dtype)
    expected = wider(w) * (1 - RATE)
    core.update("sgd", ((w, w, (), RATE, 0.0, 1, ()),))
    assert_within(w, expected, 3 * unit(dtype) * np.abs(expected) / (1 - RATE) * 2)


@pytest.mark.parametrize("shift", [1, 7, 16])
def test_overlapping_arrays_are_refused_or_come_out_right(shift: int, dtype: Any) -> None:
    """Views of one array, shifted against each other: as NumPy has it, or not at all."""
    for first, second in ((slice(shift, None), slice(-shift)), (slice(-shift), slice(shift, None))):
        block = np.arange(100, dtype=dtype)
        expected = block.copy()
        expected[first] -= dtype(0.5) * block[second]
        before = block.copy()
        try:
            core.update("sgd", ((block[first], block[second], (), 0.5, 0.0, 1, ()),))
        except (ValueError, core.ConversionNeeded):
            expected = before
        np.testing.assert_array_equal(block, expected)


def flat(part: tuple[Any, ...]) -> list[Any]:
    """The arrays of a part, one after the other."""
    return [part[0], part[1], *part[2]]


@by_rule
@pytest.mark.parametrize("before", [0, 1], ids=["alone", "after a good one"])
def test_a_refused_call_changes_nothing(
    rule: Rule, before: int, dtype: Any, rng: np.random.Generator
) -> None:
    """Wrong shape, other dtype, read-only, not an array: for each array argument in turn."""
    other = np.float64 if dtype is np.float32 else np.float32
    for position in range(2 + len(rule.states)):
        for spoil in (
            lambda a: np.zeros((4, 3), dtype=dtype),
            lambda a: np.zeros((3, 5), dtype=dtype),
            lambda a: a.astype(other),
            lambda a: np.asfortranarray(a),
            lambda a: a[:, ::2],
            lambda a: a.tolist(),
            lambda a: None,
        ):
            good = [rule.part(rule.operands(rng, (5, 2), dtype)) for _ in range(before)]
            arrays: list[Any] = rule.operands(rng, (3, 4), dtype)
            arrays[position] = spoil(arrays[position])
            parts = (*good, rule.part(arrays))
            held = [a for part in parts for a in flat(part) if isinstance(a, np.ndarray)]
            copies = [a.copy() for a in held]
            with pytest.raises((ValueError, core.ConversionNeeded)):
                core.update(rule.name, parts)
            for a, b in zip(held, copies, strict=True):
                np.testing.assert_array_equal(a, b)


@by_rule
def test_read_only_arrays_are_refused_unless_only_read(
    rule: Rule, dtype: Any, rng: np.random.Generator
) -> None:
    arrays = rule.operands(rng, (3, 4), dtype)
    arrays[1].flags.writeable = False
    core.update(rule.name, (rule.part(arrays),))
    for position in (0, *range(2, len(arrays))):
        arrays[position].flags.writeable = False
        copies = [a.copy() for a in arrays]
        with pytest.raises(core.ConversionNeeded):
            core.update(rule.name, (rule.part(arrays),))
        for a, b in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(a, b)
        arrays[position].flags.writeable = True


@by_rule
def test_shape_errors_name_the_array(rule: Rule, dtype: Any) -> None:
    names = ["gradient", *rule.states]
    for position, name in enumerate(names, 1):
        arrays = [np.zeros((3, 4), dtype=dtype) for _ in range(1 + len(names))]
        arrays[position] = np.zeros((3, 5), dtype=dtype)
        with pytest.raises(ValueError) as caught:
            core.update(rule.name, (rule.part(arrays),))
        assert str(caught.value) == f"{name}: expected (3, 4), got (3, 5)"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda part: ("none", (part,)), "rule: expected one of sgd, "),
        (lambda part: ("adam", [part]), "parts: expected a tuple"),
        (lambda part: ("adam", (part[:6],)), "part: expected a tuple of 7"),
        (lambda part: ("adam", ((*part[:2], (), *part[3:]),)), "states: expected a tuple of 2"),
        (lambda part: ("adam", ((*part[:6], (0.1,)),)), "settings: expected a tuple of 4"),
        (lambda part: ("adam", ((*part[:3], "x", *part[4:]),)), "rate: expected"),
        (lambda part: ("adam", ((*part[:4], None, *part[5:]),)), "decay: expected"),
    ],
)
def test_what_is_no_update_is_named(change: Any, text: str) -> None:
    arrays = [np.zeros(3) for _ in range(4)]
    part = (arrays[0], arrays[1], tuple(arrays[2:]), 0.1, 0.0, 1, (1e-7, 0.9, 0.999, 0.0))
    core.update("adam", (part,))
    with pytest.raises((TypeError, ValueError), match=text):
        core.update(*change(part))


# update_layer: the same, looked up in a layer


class Layer:
    """Three parameters, one of them absent, with all that the second step of Adam needs."""

    parameter_names = ("weights", "biases", "gain")

    def __init__(self, rng: np.random.Generator, dtype: Any = np.float64) -> None:
        self.optimizer_token = TOKEN
        self.optimizer_steps = {"weights": 1, "biases": 4, "gain": 7}
        self.biases = None
        for name, shape in (("weights", (3, 4)), ("gain", (5,))):
            for each in (name, f"d{name}", f"{name}_m", f"{name}_c"):
                setattr(self, each, np.square(rng.standard_normal(shape)).astype(dtype))


TOKEN = 2**63 + 1
ADAM = (1e-7, 0.9, 0.999, 0.0)
NAMES = ("weights", "biases", "gain")
RECIPES = {
    NAMES: tuple(
        (name, f"d{name}", (f"{name}_m", f"{name}_c"), index, name != "biases")
        for index, name in enumerate(NAMES)
    )
}


def update_layer(layer: Any, token: Any = TOKEN, recipes: Any = RECIPES) -> bool:
    return core.update_layer(layer, token, "adam", recipes, 0.25, 0.125, ADAM)


@pytest.mark.parametrize(
    "factors",
    [
        {},
        {"learning_rate_factor": 2},
        {"weight_decay_factor": (0.5, 1.0, 3.0)},
        {"epsilon_factor": 9},
    ],
    ids=str,
)
def test_a_layers_update_is_that_of_its_parts(
    factors: dict[str, Any], dtype: Any, rng: np.random.Generator
) -> None:
    layer = Layer(rng, dtype)
    for name, factor in factors.items():
        setattr(layer, name, factor)
    twin = copy.deepcopy(layer)
    rate = 0.25 * factors.get("learning_rate_factor", 1)
    decays = factors.get("weight_decay_factor", (1.0, 1.0, 1.0))
    adam = (1e-7 * factors.get("epsilon_factor", 1), *ADAM[1:])
    parts = tuple(
        (
            getattr(twin, name),
            getattr(twin, f"d{name}"),
            (getattr(twin, f"{name}_m"), getattr(twin, f"{name}_c")),
            rate,
            0.125 * decays[index],
            step,
            adam,
        )
        for index, name, step in ((0, "weights", 2), (2, "gain", 8))
    )
    assert update_layer(layer) is True
    core.update("adam", parts)
    for name, array in vars(twin).items():
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(getattr(layer, name), array)
    assert layer.optimizer_steps == {"weights": 2, "biases": 4, "gain": 8}


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: setattr(layer, "trainable", False),
        lambda layer: setattr(layer, "optimizer_token", TOKEN + 1),
        lambda layer: setattr(layer, "optimizer_token", int(str(TOKEN))),  # equal, another object
        lambda layer: delattr(layer, "optimizer_token"),
        lambda layer: delattr(layer, "optimizer_steps"),
        lambda layer: layer.optimizer_steps.pop("gain"),
        lambda layer: setattr(layer, "optimizer_steps", {"weights": 1.0, "gain": 1}),
        lambda layer: delattr(layer, "gain_c"),
        lambda layer: delattr(layer, "dgain"),
        lambda layer: delattr(layer, "gain"),
        lambda layer: setattr(layer, "parameter_names", list(NAMES)),
        lambda layer: setattr(layer, "parameter_names", ("weights",)),
        lambda layer: setattr(layer, "learning_rate_factor", -1.0),
        lambda layer: setattr(layer, "learning_rate_factor", float("nan")),
        lambda layer: setattr(layer, "weight_decay_factor", (1.0,)),
        lambda layer: setattr(layer, "epsilon_factor", "x"),
    ],
)
def test_what_goes_another_way_is_left_alone(change: Any, rng: np.random.Generator) -> None:
    layer = Layer(rng)
    change(layer)
    before = copy.deepcopy(vars(layer))
    assert update_layer(layer) is False
    assert vars(layer).keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(vars(layer)[name], value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gain", np.ones(5, dtype=np.float32)),
        ("dgain", np.ones(4)),
        ("dgain", [1.0] * 5),
        ("gain_c", np.ones((5, 1))),
        ("gain_m", None),
        ("weights", "x"),
    ],
)
def test_a_layer_that_is_refused_is_left_alone(
    name: str, value: Any, rng: np.random.Generator
) -> None:
    layer = Layer(rng)
    setattr(layer, name, value)
    before = copy.deepcopy(vars(layer))
    with pytest.raises((ValueError, core.ConversionNeeded)):
        update_layer(layer)
    for each, held in before.items():
        np.testing.assert_array_equal(vars(layer)[each], held)


def test_layers_without_attributes_or_with_many_parameters_go_another_way() -> None:
    class Slotted:
        __slots__ = ("weights",)

    names = tuple("abcde")
    many = Layer(np.random.default_rng(0))
    many.parameter_names = names  # type: ignore[assignment]
    recipes = {names: tuple((name, f"d{name}", (), 0, True) for name in names), None: ()}
    for layer in (Slotted(), object(), many, type("Own", (), {})()):
        assert update_layer(layer, recipes=recipes) is False


def test_a_layers_update_keeps_no_references(rng: np.random.Generator) -> None:
    layer = Layer(rng)
    held = [value for value in vars(layer).values() if isinstance(value, np.ndarray)]
    held += [layer.optimizer_steps, layer, TOKEN, RECIPES]

    def counts() -> list[int]:
        return [sys.getrefcount(each) for each in held]

    update_layer(layer)
    before = counts()
    for _ in range(100):
        update_layer(layer)
        layer.trainable = False  # type: ignore[attr-defined]
        update_layer(layer)
        del layer.trainable  # type: ignore[attr-defined]
        layer.dgain = layer.dgain[:4]
        with pytest.raises(ValueError, match="gradient: expected"):
            update_layer(layer)
        layer.dgain = held[5]
    assert counts() == before


def test_what_is_no_update_of_a_layer_is_named(rng: np.random.Generator) -> None:
    with pytest.raises(TypeError, match="update_layer: expected 7 arguments, got 1"):
        core.update_layer(Layer(rng))  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="recipes: expected a dict"):
        update_layer(Layer(rng), recipes=[])
    with pytest.raises(ValueError, match="rule: expected one of sgd"):
        core.update_layer(Layer(rng), TOKEN, "none", RECIPES, 0.1, 0.0, ADAM)
    with pytest.raises(TypeError, match="settings: expected a tuple of 4"):
        core.update_layer(Layer(rng), TOKEN, "adam", RECIPES, 0.1, 0.0, ())
