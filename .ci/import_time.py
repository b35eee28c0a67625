"""Time ``import chainrule`` beside NumPy's own import; 1 above a bound of their ratio.

The time of the importing thread, the least of new processes: NumPy's OpenBLAS keeps its other
threads spinning for a while, which the process's time would count as ours. The bound is a ratio
within one process, so that a slow or busy machine moves both sides; the promised milliseconds are
told, and are a figure of a quiet machine.
"""

from __future__ import annotations

import subprocess
import sys

RUNS = 11
PROMISE = 50.0  # ms, where NumPy itself takes 57
BOUND = PROMISE / 57.0
CODE = """
import time
start = time.thread_time()
import numpy
between = time.thread_time()
import chainrule
print((between - start) * 1e3, (time.thread_time() - between) * 1e3)
"""


def main() -> int:
    command = [sys.executable, "-c", CODE]
    numpy_ms, chainrule_ms = (
        min(times)
        for times in zip(
            *(
                map(float, subprocess.run(command, capture_output=True, check=True).stdout.split())
                for _ in range(RUNS)
            ),
            strict=True,
        )
    )
    promise = "within" if chainrule_ms <= PROMISE else "ABOVE"
    print(
        f"import chainrule after NumPy: {chainrule_ms:.0f} ms, {promise} the promised "
        f"{PROMISE:.0f} ms, {chainrule_ms / numpy_ms:.2f} of NumPy's own import"
    )
    return int(chainrule_ms > BOUND * numpy_ms)


if __name__ == "__main__":
    sys.exit(main())
