"""The quick forms of the hard tests, each in a process of its own; see hard/run.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule

RUN = Path(__file__).parent / "hard" / "run.py"
QUICK = [
    *("allocations", "arrays", "determinism", "edits", "exits", "faults", "files"),
    *("floating_point", "forks", "guided", "kernels", "leaks", "limits", "nonfinite"),
    *("saves", "service", "signals", "threads", "workers"),
]
LONG_ONLY = ["emulated", "races", "sanitized"]


def run(*arguments: str) -> str:
    paths = [str(Path(chainrule.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    done = subprocess.run(
        [sys.executable, str(RUN), *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_hard_test_is_run() -> None:
    listed = {line.split()[0] for line in run("--list").splitlines()}
    assert listed == {*QUICK, *LONG_ONLY}


@pytest.mark.parametrize("name", QUICK)
def test_the_quick_form_holds(name: str) -> None:
    assert run(name).startswith(f"{name}: ")
