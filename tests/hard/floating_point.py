"""The floating-point environment: the same bytes before and after import and compiled calls.

Control word (rounding, traps, subnormals) and flags, in the main thread and in others.
"""

from __future__ import annotations

import ctypes
import random
import subprocess
import sys
import threading
import warnings
from typing import Any

import numpy as np

import chainrule as cr
from hard import arrays

QUICK, LONG = 2_000, 200_000

LIBRARY = ctypes.CDLL("libm.so.6") if sys.platform == "linux" else None
BYTES = 32  # of a fenv_t; on x86-64 28 of x87, then MXCSR
FLAGS = 0x3D  # all of x86's
SUBNORMAL = np.float64(5e-324)

IMPORT = """
import ctypes, numpy
library, before, after = ctypes.CDLL("libm.so.6"), bytearray(32), bytearray(32)
place = lambda array: (ctypes.c_char * 32).from_buffer(array)
library.fegetenv(place(before))
import chainrule
library.fegetenv(place(after))
assert before[28:30] == after[28:30] or before[29] == after[29], (before, after)
"""


def control_word() -> int:
    """Return MXCSR without its flags."""
    found = (ctypes.c_ubyte * BYTES)()
    assert LIBRARY is not None
    LIBRARY.fegetenv(found)
    return int.from_bytes(bytes(found[28:32]), "little") & ~0x3F


def look(call: Any, arguments: list[Any], named: dict[str, Any], compiled: bool) -> str | None:
    """Make a call; return what it has left behind. Python's own arithmetic raises flags."""
    assert LIBRARY is not None
    before = control_word()
    LIBRARY.feclearexcept(FLAGS)
    try:
        call(*arguments, **named)
    except Exception:
        raised = 0  # how an error is made is Python's affair
    else:
        raised = LIBRARY.fetestexcept(FLAGS)
    if control_word() != before:
        return "another control word"
    return f"flags {raised:#x}" if compiled and raised else None


def series(count: int, seed: int, found: list[str]) -> None:
    """Make calls of `arrays`, in this thread."""
    stream = arrays.calls(random.Random(seed))
    for _ in range(count):
        name, call, arguments, named = next(stream)
        compiled = name.startswith("_core.") and name not in QUIET
        left = look(call, arguments, named, compiled)
        if left is not None:
            found.append(f"{name}: {left}")


# they look at parts by Python's own ways
QUIET = ("_core.short_step", "_core.predict_few", "_core.update_layer")


def check(count: int, seed: int) -> str:
    if LIBRARY is None or sys.maxsize < 2**32:
        return "not tried: needs the C library of Linux"
    subprocess.run([sys.executable, "-c", IMPORT], check=True)
    found: list[str] = []
    cr.set_num_threads(2)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        series(count // 2, seed, found)
        threads = [
            threading.Thread(target=series, args=(count // 4, seed + k, found)) for k in (1, 2)
        ]
        for thread in threads:  # one by one: a flag is the thread's own, an error text is not
            thread.start()
            thread.join()
    assert not found, f"{len(found)}: {sorted(set(found))[:10]}"
    assert SUBNORMAL / 1 > 0
    return f"{count} calls in three threads, and the import: control word and flags as before"
