"""Old and middling CPUs, emulated: the package is imported there, and has this machine's bits.

qemu-user runs Python on a CPU without AVX, and on one with AVX2 and no more; kernels and whole
trainings must give the hashes that the same target gives here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import chainrule as cr
from hard.builds import ROOT

QUICK, LONG = 0, 2  # programs

CPUS = {"Nehalem": "baseline", "Haswell": "x86_64_v3"}
PROGRAMS = (("kernel_hashes.py",), ("training_hashes.py", "2"))


def printed(program: tuple[str, ...], before: list[str], **variables: str) -> Any:
    """Return what a program of the tests prints; `before` is what runs Python."""
    name, *arguments = program
    command = [*before, sys.executable, str(ROOT / "tests" / name), *arguments]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CHAINRULE_")}
    variables = {**kept, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr[-3000:])
    return json.loads(done.stdout)


def check(count: int, seed: int) -> str:
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        return "not tried: needs qemu-user"
    compared = 0
    for cpu, target in CPUS.items():
        if target not in cr.available_targets():
            return f"not tried: this CPU has no {target}"
        for program in PROGRAMS[:count]:
            there = printed(program, [emulator, "-cpu", cpu])
            here = printed(program, [], CHAINRULE_TARGET=target)
            assert there["target"] == here["target"] == target, (cpu, there["target"])
            assert there == here, f"{program[0]} on {cpu}: other bits"
            groups = there["hashes"].values()
            compared += sum(len(each) if isinstance(each, dict) else 1 for each in groups)
    return f"{compared} hashes on emulated {' and '.join(CPUS)}: those of the same targets here"
