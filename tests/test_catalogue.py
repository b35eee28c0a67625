"""The two catalogues agree: what a class says of itself, and what the compiled core lists.

A part that is listed in one and missed by the other, or by the reference, is named here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import chainrule
import reference
from chainrule import _core, catalogue, schedules
from part_cases import examples, name_of
from plan_cases import RULES

CORE = _core.catalogue()
ACTIVATIONS, LOSSES, CORE_RULES, METRICS = (
    {row["name"]: row for row in CORE[kind]}
    for kind in ("activations", "losses", "rules", "metrics")
)
KINDS = ("activation", "loss", "joint", "optimizer", "accuracy", "schedule")
PREDICTIONS = ("values", "classes", "shares", "logits", "signs")
EVERY = [make for kind in KINDS for make in examples(kind)]
CLASSES = [cls for kind in ("layer", *KINDS) for cls in catalogue.classes(kind)]

each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
each_part = pytest.mark.parametrize("make", EVERY, ids=name_of)


def names_in_core(kind: str) -> set[str]:
    """What the parts of a kind are in the core, whatever their settings."""
    return {make().name_in_core() for make in examples(kind)}


def joint_names() -> set[str]:
    """The losses that include the last activation: of pairs of parts, and of joined classes."""
    pairs = {joint for make in examples("loss") for joint in make().joins.values()}
    return pairs | names_in_core("joint")


def metrics() -> Iterator[str | None]:
    for make in examples("accuracy"):
        for predicts in PREDICTIONS:
            yield make().core_metric(predicts)


def test_names_are_listed_once() -> None:
    for rows in CORE.values():
        names = [row["name"] for row in rows]
        assert len(set(names)) == len(names)


def test_every_activation_of_the_core_is_some_class_and_the_other_way_round() -> None:
    assert names_in_core("activation") == set(ACTIVATIONS)


def test_every_loss_of_the_core_is_some_class_and_the_other_way_round() -> None:
    joined = {name for name, row in LOSSES.items() if row["joins"]}
    assert names_in_core("loss") == set(LOSSES) - joined
    assert joint_names() == joined


def test_every_rule_of_the_core_is_some_optimizer_and_the_other_way_round() -> None:
    assert {make().rule for make in RULES.values()} == set(CORE_RULES)
    for cls in catalogue.classes("optimizer"):
        assert cls.core_name in CORE_RULES


def test_every_metric_of_the_core_is_some_accuracy_and_the_other_way_round() -> None:
    assert {"none", *(name for name in metrics() if name)} == set(METRICS)


def test_a_joint_loss_joins_the_activation_that_the_loss_says() -> None:
    for make in examples("loss"):
        for activation, joint in make().joins.items():
            assert LOSSES[joint]["joins"] == activation
            assert LOSSES[joint]["parameters"] == LOSSES[make().name_in_core()]["parameters"]
    for make in examples("joint"):
        part = make()
        assert LOSSES[part.core_name]["joins"] == part.activation.name_in_core()


@pytest.mark.parametrize(
    "make", [*examples("activation"), *examples("loss"), *examples("joint")], ids=name_of
)
def test_a_part_gives_the_numbers_that_its_compiled_functions_take(make: Callable[[], Any]) -> None:
    part = make()
    row = {**ACTIVATIONS, **LOSSES}[part.name_in_core()]
    if not row.get("parameter_per_output"):
        assert len(part.parameters()) == len(row["parameters"])
    assert all(type(number) in (int, float) for number in part.parameters())
    for direction in ("forward", "backward"):
        assert callable(getattr(_core, f"{part.name_in_core()}_{direction}"))


@pytest.mark.parametrize("name", list(RULES))
def test_an_optimizer_gives_the_numbers_that_its_rule_takes(name: str) -> None:
    optimizer = RULES[name]()
    row = CORE_RULES[optimizer.rule]
    assert optimizer.hyper() == tuple(getattr(optimizer, each) for each in row["parameters"])
    assert optimizer.states == row["states"]


def test_a_rules_epsilon_is_its_first_number() -> None:
    """A layer's factor multiplies it there."""
    for row in CORE_RULES.values():
        assert "epsilon" not in row["parameters"][1:]


# What a class says of itself


@each_part
def test_the_checks_take_the_settings_that_the_constructor_makes(make: Callable[[], Any]) -> None:
    part = make()
    for name, check in part.settings.items():
        assert check(getattr(part, name)), name
        assert check.__doc__, f"{name}: an error says what the check expects"


@each_part
def test_what_the_constructor_takes_is_a_setting(make: Callable[[], Any]) -> None:
    """Else a model file would not hold it."""
    parameters = inspect.signature(type(make())).parameters
    assert set(parameters) <= set(make().settings)


@pytest.mark.parametrize(
    "cls",
    [cls for cls in CLASSES if cls.kind not in ("layer", "schedule")],
    ids=lambda cls: cls.__name__,
)
def test_objects_of_older_versions_have_the_defaults(cls: type[Any]) -> None:
    """A setting with a default is an attribute of the class as well, with the same value.

    The learning rate every optimizer has had from the beginning.
    """
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.default is not parameter.empty and name != "learning_rate":
            assert getattr(cls, name) == parameter.default, name


@each_part
def test_a_text_names_class_and_settings_that_differ(make: Callable[[], Any]) -> None:
    part = make()
    text = repr(part)
    assert text.startswith(f"{type(part).__name__}(") and text.endswith(")")
    for name, value in getattr(make, "keywords", {}).items():
        assert f"{name}={value}" in text or f"{name}={value!r}" in text


@each_class
def test_the_mathematics_of_a_class_are_there(cls: type[Any]) -> None:
    for name in cls.mathematics:
        assert hasattr(cls, name), name
    assert catalogue.own_class(cls.__new__(cls)) is cls


@each_class
def test_the_classes_of_the_catalogue_are_public(cls: type[Any]) -> None:
    home = schedules if cls.kind == "schedule" else chainrule
    assert getattr(home, cls.__name__) is cls and cls.__name__ in home.__all__


def test_the_public_parts_are_those_of_the_catalogue() -> None:
    prefixes = ("Layer_", "Activation_", "Loss_", "Optimizer_", "Accuracy_")
    public = {name for name in chainrule.__all__ if name.startswith(prefixes)}
    assert public == {cls.__name__ for cls in CLASSES if cls.kind != "schedule"}


# The specification


def test_every_part_of_the_core_has_a_reference() -> None:
    """A function of the same name in tests/reference.py: first the formula, then the kernel."""
    wanted = [
        *(f"{name}_{way}" for name in {*ACTIVATIONS, *LOSSES} for way in ("forward", "backward")),
        *CORE_RULES,
    ]
    linear = {"linear_forward", "linear_backward"}  # output = inputs, which needs no function
    missing = [name for name in wanted if not hasattr(reference, name) and name not in linear]
    assert not missing, f"tests/reference.py lacks {', '.join(missing)}"
    assert set(reference.FORWARD) == set(ACTIVATIONS)
    assert set(reference.RULES) == set(CORE_RULES)
