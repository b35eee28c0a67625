"""Exceptions in a team: each worker throws in turn; what was thrown comes out, once.

workers.cpp is the core's runtime without a net, built here; with `--long` by ThreadSanitizer too
where the compiler brings an OpenMP library that it knows.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from test_crew import COMPILER, PARTS, ROOT

QUICK, LONG = 2, 1_000

SOURCE = Path(__file__).resolve().parent / "workers.cpp"


def built(folder: Path, *flags: str) -> Path:
    """Return the program."""
    runtime = [str(ROOT / f"cpp/runtime/{part}.cpp") for part in PARTS if part != "crew"]
    program = folder / "workers"
    options = ["-std=c++17", "-O1", "-fopenmp", f"-I{ROOT / 'cpp'}", *flags]
    command = [str(COMPILER), *options, str(SOURCE), *runtime, "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def check(count: int, seed: int) -> str:
    if COMPILER is None:
        return "not tried: needs a C++ compiler"
    with tempfile.TemporaryDirectory() as name:
        program = built(Path(name))
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "CHAINRULE"))}
        done = subprocess.run(
            [str(program), str(count)], env=variables, capture_output=True, text=True, timeout=3600
        )
    assert done.returncode == 0, done.stderr
    return f"{int(done.stdout)} exceptions in teams of 1 to 8: all came out, the next teams whole"
