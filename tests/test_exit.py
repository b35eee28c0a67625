"""The interpreter ends while a daemon thread computes: the process ends with code 0."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from hard.exits import TARGETS, ended


@pytest.mark.parametrize("target", list(TARGETS))
def test_a_daemon_thread_does_not_abort_the_process(target: str) -> None:
    """Ten moments, three processes at a time: a thread is then often caught without the lock."""

    with ThreadPoolExecutor(3) as pool:
        moments = [0.1 + 0.0137 * moment for moment in range(10)]
        found = set(pool.map(ended, [target] * len(moments), moments))
    assert found == {(0, "")}
