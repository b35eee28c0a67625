"""Time ``import chainrule`` beyond NumPy's import, the median of new processes; 1 above a bound."""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 11
PROMISE = 50.0  # ms
CODE = """
import time, numpy
start = time.perf_counter()
import chainrule
print((time.perf_counter() - start) * 1e3)
"""


def main() -> int:
    command = [sys.executable, "-c", CODE]
    times = [
        float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(RUNS)
    ]
    median = statistics.median(times)
    verdict = "within" if median <= PROMISE else "ABOVE"
    print(f"import chainrule after NumPy: {median:.0f} ms, {verdict} the promised {PROMISE:.0f} ms")
    return int(median > PROMISE)


if __name__ == "__main__":
    sys.exit(main())
