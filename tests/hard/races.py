"""Teams of the core's runtime under ThreadSanitizer: no report.

crew.cpp and workers.cpp, built by clang with libomp and its Archer tool, which tells the sanitizer
of OpenMP's own barriers; GCC's libgomp is not made for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from test_crew import PARTS, ROOT

QUICK, LONG = 0, 20

SCENARIOS = ("divided", "slower", "mixed", "at_once", "ended_by_clock")


def compiler() -> str | None:
    """Return clang; None where there is none."""
    names = ["clang++", *(f"clang++-{version}" for version in range(21, 13, -1))]
    return next((path for name in names if (path := shutil.which(name))), None)


def archer(clang: str) -> str:
    """Return the path of libomp's tool for ThreadSanitizer, beside its library."""
    found = subprocess.run(
        [clang, "-print-file-name=libomp.so"], capture_output=True, text=True, check=True
    )
    library = Path(found.stdout.strip()).resolve()
    return str(next(iter(library.parent.glob("libarcher.so*")), library))


def built(clang: str, folder: Path, source: Path, virtual: bool) -> Path:
    program = folder / source.stem
    parts = [ROOT / f"cpp/runtime/{part}.cpp" for part in PARTS]
    front = [f"-I{ROOT / 'tests/virtual'}"] if virtual else []
    flags = ["-std=c++17", "-O1", "-g", "-fopenmp", "-fsanitize=thread", *front]
    command = [clang, *flags, f"-I{ROOT / 'cpp'}", source, *parts, "-o", program]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def check(count: int, seed: int) -> str:
    clang = compiler()
    if clang is None:
        return "not tried: needs clang with libomp"
    variables = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "CHAINRULE_"))},
        "OMP_TOOL_LIBRARIES": archer(clang),
        "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:exitcode=66",
    }
    runs = 0
    with tempfile.TemporaryDirectory() as name:
        crew = built(clang, Path(name), ROOT / "tests/crew.cpp", True)
        workers = built(clang, Path(name), ROOT / "tests/hard/workers.cpp", False)
        for _ in range(count):
            commands = [[str(crew), each, str(threads)] for each in SCENARIOS for threads in (2, 3)]
            for command in [*commands, [str(workers), "1"]]:
                done = subprocess.run(
                    command, env=variables, capture_output=True, text=True, timeout=900, check=False
                )
                assert done.returncode == 0, (command, done.stderr[-6000:])
                runs += 1
    return f"{runs} runs of crews and teams under ThreadSanitizer: no report"
