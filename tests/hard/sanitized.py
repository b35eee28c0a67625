"""The calls of `arrays`, and whole trainings, in a build with sanitizers: no report.

AddressSanitizer and UndefinedBehaviorSanitizer, GCC or Clang, the baseline's kernels.
"""

from __future__ import annotations

import os
import subprocess
import sys

from hard import builds

QUICK, LONG = 0, 1_000_000  # the build takes minutes

OPTIONS = {
    # CPython frees little at its end; a refused allocation is a MemoryError, as it should be, but
    # not for AddressSanitizer's operator new: so nothing may be too large for it
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=4096",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "CHAINRULE_TEAM": "always",
    "HARD_HUGE": "65536",
}


def preloaded() -> str:
    """Return the libraries that must come before Python: the sanitizer's, and that it watches."""
    compiler = os.environ.get("CXX", "c++")
    names = [[compiler, f"-print-file-name={name}.so"] for name in ("libasan", "libstdc++")]
    found = [subprocess.run(each, capture_output=True, text=True, check=True) for each in names]
    return " ".join(each.stdout.strip() for each in found)


def check(count: int, seed: int) -> str:
    folder = builds.package(builds.cmake("asan"))
    variables = builds.environment(folder, LD_PRELOAD=preloaded(), **OPTIONS)
    for name in ("arrays", "edits"):
        tries = count if name == "arrays" else max(1, count // 100)
        command = [sys.executable, str(builds.ROOT / "tests/hard/run.py"), name]
        command += ["--count", str(tries), "--seed", str(seed)]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
    return f"{count} calls and {count // 100} edits of models: no report"
