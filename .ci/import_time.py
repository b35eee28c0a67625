"""Time ``import chainrule`` beyond NumPy's import; 1 above a bound.

The processor's time, the least of new processes: what else the machine does is no part of it.
"""

from __future__ import annotations

import subprocess
import sys

RUNS = 11
PROMISE = 50.0  # ms
CODE = """
import time, numpy
start = time.process_time()
import chainrule
print((time.process_time() - start) * 1e3)
"""


def main() -> int:
    command = [sys.executable, "-c", CODE]
    times = [
        float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(RUNS)
    ]
    least = min(times)
    verdict = "within" if least <= PROMISE else "ABOVE"
    print(f"import chainrule after NumPy: {least:.0f} ms, {verdict} the promised {PROMISE:.0f} ms")
    return int(least > PROMISE)


if __name__ == "__main__":
    sys.exit(main())
