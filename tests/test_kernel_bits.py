"""The same bits for any number of threads, for every fused CPU target, and in every run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule
import kernel_hashes
from chainrule import _core as core

FUSED = ("x86_64_v3", "x86_64_v4")


def differences(a: dict[str, str], b: dict[str, str]) -> list[str]:
    assert a.keys() == b.keys()
    return [name for name in a if a[name] != b[name]]


def test_bits_do_not_depend_on_the_number_of_threads(restore_threads: None) -> None:
    chainrule.set_num_threads(1)
    alone = kernel_hashes.hashes(large=True)
    for threads in (2, 3, 8):
        chainrule.set_num_threads(threads)
        shared = kernel_hashes.hashes(large=True)
        assert differences(alone, shared) == []


def hashes_of_target(target: str, caches: str = "", large: bool = False) -> dict[str, str]:
    """Hashes from a new process that is forced to use one target."""
    environment = {**os.environ, "CHAINRULE_TARGET": target, "CHAINRULE_CACHES": caches}
    paths = [str(Path(chainrule.__file__).parents[1]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(p for p in paths if p)
    run = subprocess.run(
        [sys.executable, kernel_hashes.__file__, *(["large"] if large else [])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert answer["target"] == target
    found: dict[str, str] = answer["hashes"]
    return found


def test_bits_do_not_depend_on_the_fused_target() -> None:
    fused = [target for target in FUSED if target in core.available_targets()]
    if len(fused) < 2:
        pytest.skip(f"needs a CPU with both {FUSED[0]} and {FUSED[1]}; here: {fused}")
    first, second = map(hashes_of_target, fused)
    assert differences(first, second) == []


def test_bits_are_the_same_in_another_process() -> None:
    assert differences(kernel_hashes.hashes(), hashes_of_target(core.cpu_target())) == []


@pytest.mark.parametrize("caches", ["4,16", "512,65536"])
def test_bits_do_not_depend_on_the_caches(caches: str) -> None:
    other = hashes_of_target(core.cpu_target(), caches, large=True)
    assert differences(kernel_hashes.hashes(large=True), other) == []
