"""Schedules: their values, what they are given and give back, and any function in their place."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import reference
from chainrule import catalogue, schedules
from chainrule.schedules import multipliers
from part_cases import examples, name_of

CLASSES = {cls.__name__: cls for cls in catalogue.classes("schedule")}
T = np.concatenate([np.arange(0, 1, 1 / 64), [0.3, 0.05, 1 - 1e-12]])


@pytest.fixture(params=examples("schedule"), ids=name_of)
def schedule(request: pytest.FixtureRequest) -> Any:
    return request.param()


def snake(name: str) -> str:
    """CosineWarmup -> cosine_warmup."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def settings_of(schedule: Any) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in schedule.settings}


def test_the_vocabulary_is_that_of_the_contract() -> None:
    names = ["Constant", "Cosine", "CosineLog", "CosineWarmup", "Exponential", "FlatCosine"]
    assert set(CLASSES) >= {*names, "OneCycle", "Step"}
    assert [name for name in schedules.__all__ if name != "multipliers"] == sorted(CLASSES)


def test_values_are_those_of_the_reference(schedule: Any) -> None:
    """A cosine of up to 2 pi cycles, good to half an ulp, and a few roundings."""
    expected = getattr(reference, f"{snake(type(schedule).__name__)}_schedule")
    actual = schedule(T)
    assert actual.shape == T.shape and actual.dtype == np.float64
    np.testing.assert_allclose(actual, expected(T, **settings_of(schedule)), rtol=0, atol=1e-14)


def test_defaults_are_those_of_the_reference() -> None:
    for name, cls in CLASSES.items():
        twin = getattr(reference, f"{snake(name)}_schedule")
        found = list(inspect.signature(twin).parameters.values())[1:]
        assert settings_of(cls()) == {each.name: each.default for each in found}


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Constant", 1, 1), ("Cosine", 1, 0), ("CosineLog", 0, 0), ("CosineWarmup", 0, 0),
        ("Exponential", 1, 0.01), ("FlatCosine", 1, 0), ("OneCycle", 0.04, 1e-4), ("Step", 1, 0.01),
    ],
)  # fmt: skip
def test_ends(name: str, first: float, last: float) -> None:
    ends = CLASSES[name]()(np.array([0.0, 1.0]))
    np.testing.assert_allclose(ends, [first, last], rtol=0, atol=1e-15)


def test_peaks() -> None:
    assert schedules.CosineWarmup(0.25)(0.25) == schedules.OneCycle(0.25)(0.25) == 1.0
    assert schedules.CosineWarmup(0.25)(0.125) == 0.5
    np.testing.assert_array_equal(schedules.FlatCosine()(T[T <= 0.5]), 1.0)


def test_any_shape_of_shares(schedule: Any) -> None:
    values = schedule(T)
    np.testing.assert_array_equal(schedule(T[:66].reshape(6, 11)).ravel(), values[:66])
    np.testing.assert_array_equal(schedule(T.tolist()), values)
    assert schedule(np.zeros(0)).shape == (0,) and float(schedule(T[3])) == values[3]


def test_shares_are_left_alone(schedule: Any) -> None:
    t = T.copy()
    schedule(t)
    np.testing.assert_array_equal(t, T)


def test_multipliers_are_finite_and_not_negative(schedule: Any) -> None:
    t = np.random.default_rng(1).uniform(0, 1, 10_000)
    values = multipliers(schedule, t)
    assert values.min() >= 0 and values.max() <= max(1, values[0], *schedule(np.array([0.0, 1.0])))


def test_copies_and_repr(schedule: Any) -> None:
    shown = ", ".join(f"{name}={value!r}" for name, value in settings_of(schedule).items())
    assert repr(schedule) == f"{type(schedule).__name__}({shown})"
    for twin in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert repr(twin) == repr(schedule)
        np.testing.assert_array_equal(twin(T), schedule(T))


def test_settings_pass_their_own_checks(schedule: Any) -> None:
    assert all(check(getattr(schedule, name)) for name, check in schedule.settings.items())


@pytest.mark.parametrize(
    ("name", "settings", "error", "text"),
    [
        ("Step", {"factor": -1}, ValueError, "factor: expected a number of at least 0, got -1"),
        ("Step", {"at": (0.5, 1.5)}, ValueError, "at: expected numbers from 0 to 1, got"),
        ("Step", {"at": "half"}, TypeError, "at: expected a number of at least 0"),
        ("Exponential", {"end": np.nan}, ValueError, "end: expected a number of at least 0"),
        ("Cosine", {"end": np.inf}, ValueError, "end: expected a number of at least 0"),
        ("CosineWarmup", {"warmup": 1.0}, ValueError, "warmup: expected a number of at least 0 an"),
        ("OneCycle", {"peak": 1.0}, ValueError, "peak: expected a number of at least 0 and below"),
        ("OneCycle", {"start": -0.1}, ValueError, "start: expected a number of at least 0"),
        ("CosineLog", {"cycles": 0}, ValueError, "cycles: expected an int of at least 1, got 0"),
        ("CosineLog", {"cycles": 1.5}, TypeError, "cycles: expected an int of at least 1, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(
    name: str, settings: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=f"^{name}: {text}"):
        CLASSES[name](**settings)


def test_any_function_may_be_a_schedule() -> None:
    t = np.array([0.0, 0.5])
    assert multipliers(lambda t: (2 * t).astype(np.float32), t).tolist() == [0.0, 1.0]
    assert multipliers(lambda t: [1, 0], t).dtype == np.float64
    assert multipliers(np.ones_like, np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (lambda t: 1.0, ValueError, r"expected a multiplier for each share, \(2,\), got \(\)"),
        (lambda t: t[:1], ValueError, r"expected a multiplier for each share, \(2,\), got \(1,\)"),
        (lambda t: -t, ValueError, "multipliers of at least 0, got -0.5 at the share 0.5"),
        (lambda t: t * np.nan, ValueError, "multipliers of at least 0, got nan at the share 0"),
        (lambda t: t + np.inf, ValueError, "multipliers of at least 0, got inf at the share 0"),
        (lambda t: None, TypeError, "expected real numbers, got NoneType"),
        (lambda t: ["a", "b"], TypeError, "expected real numbers, got an array of dtype"),
    ],
)
def test_what_a_function_returns_is_checked(function: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=f"^weight_decay_schedule: .*{text}"):
        multipliers(function, np.array([0.0, 0.5]), "weight_decay_schedule")


def test_a_schedule_of_ones_own_is_not_the_packages() -> None:
    class Own(schedules.Cosine):
        def __call__(self, t: Any) -> Any:
            return super().__call__(t) ** 2

    class Renamed(schedules.Cosine):
        pass

    assert catalogue.own_class(Own()) is None
    assert catalogue.own_class(Renamed(0.5)) is schedules.Cosine
    assert catalogue.own_class(lambda t: t) is None
    with pytest.raises(NotImplementedError, match=r"Schedule: expected a __call__\(t\)"):
        schedules.Schedule()(T)
