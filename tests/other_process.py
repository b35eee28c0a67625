"""Hashes that a program prints in a new process, and what differs between two sets of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import chainrule

FUSED = ("x86_64_v3", "x86_64_v4")  # targets with fused multiply-add: they give the same bits


def both_fused_targets() -> tuple[str, str]:
    """Skips the test where this CPU lacks one."""
    here = chainrule.available_targets()
    if not set(FUSED) <= set(here):
        pytest.skip(f"needs a CPU with both {FUSED[0]} and {FUSED[1]}; here: {here}")
    return FUSED


def differences(a: dict[str, str], b: dict[str, str]) -> list[str]:
    """Names whose hashes differ."""
    assert a.keys() == b.keys() and a
    return [name for name in a if a[name] != b[name]]


def hashes_of_target(
    program: ModuleType, target: str, *arguments: str, timeout: float = 300, **environment: str
) -> Any:
    """What ``program`` prints in a process that is forced to use one target."""
    variables = {**os.environ, "CHAINRULE_TARGET": target, **environment}
    variables.pop("CHAINRULE_ENGINE", None)
    paths = [str(Path(chainrule.__file__).parents[1]), variables.get("PYTHONPATH", "")]
    variables["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    run = subprocess.run(
        [sys.executable, str(program.__file__), *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert answer["target"] == target
    return answer["hashes"]
