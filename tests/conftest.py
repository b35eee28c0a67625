"""Fixtures shared by all tests: dtype, threads, and random numbers seeded by the test's name.

The CPU target is fixed for a process by CHAINRULE_TARGET, so the suite runs once for each target.
"""

from __future__ import annotations

import signal
import zlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

Team = Callable[..., Any]

# Their oracle is scikit-learn 1.9, which needs Python 3.11; the test extra says so
ESTIMATORS = [
    "test_commands.py",
    "test_estimator_*.py",
    "test_tabular*.py",
    "test_smooth_scaler.py",
    "test_feature_transformers.py",
]
collect_ignore_glob = [] if find_spec("sklearn") else ESTIMATORS


def pytest_configure(config: pytest.Config) -> None:
    """Sigmoids before the categorical loss are tried on purpose; their warning has its own test."""
    config.addinivalue_line("filterwarnings", "ignore:.*do not add up to 1:UserWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs several threads where the core was built without OpenMP."""
    from chainrule.runtime import config

    if config()["openmp"]:
        return
    for item in items:
        if item.get_closest_marker("several_threads"):
            item.add_marker(pytest.mark.skip(reason="the core was built without OpenMP"))


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_interrupts() -> None:
    """A shell's background job ignores SIGINT, and with it every Ctrl-C a test would send."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def restore_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For a test that sets the number of threads itself: even the smallest call uses them all."""
    import chainrule

    monkeypatch.setenv("CHAINRULE_TEAM", "always")
    before = chainrule.get_num_threads()
    yield
    chainrule.set_num_threads(before)


@pytest.fixture(params=[1, 2, 3], ids=["1-thread", "2-threads", "3-threads"])
def threads(request: pytest.FixtureRequest, restore_threads: None) -> int:
    """Run the test with this number of threads, then put the former number back."""
    import chainrule

    chainrule.set_num_threads(request.param)
    count: int = request.param
    return count


@pytest.fixture
def team(threads: int) -> Team:
    """Calls a function on 1, 2 and 3 threads: ``team(core.tanh_forward, inputs)``."""
    return lambda function, *arguments: function(*arguments)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """The same numbers in every run, other numbers in every test."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))
