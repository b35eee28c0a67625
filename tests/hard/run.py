"""Hard tests, by name or all; each prints one line: what was tried, how often, what came.

    python tests/hard/run.py                 the quick forms, some seconds each
    python tests/hard/run.py --long NAME     the long form of one
    python tests/hard/run.py --list

A hard test is a module of this folder with ``QUICK`` and ``LONG``, how often it tries (0: it has no
such form), and ``check(count, seed)``, which returns the line, or raises.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the tests' own modules, and these as `hard`


def hard_tests() -> dict[str, ModuleType]:
    """Return the modules of this folder that are hard tests, by their names."""
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("run", "built"))
    modules = {name: importlib.import_module(f"hard.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "check")}


def main() -> int:
    """Run what was asked for; 1 where something has failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="all without one")
    parser.add_argument("--long", action="store_true", help="the long forms")
    parser.add_argument("--list", action="store_true", help="name them and stop")
    parser.add_argument("--count", type=int, help="try so often")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = hard_tests()
    unknown = set(arguments.names) - set(found)
    if unknown:
        parser.error(f"expected names of {', '.join(found)}, got {', '.join(sorted(unknown))}")
    failed = 0
    for name in arguments.names or found:
        module = found[name]
        if arguments.list:
            print(f"{name:16}{(module.__doc__ or '').splitlines()[0]}")
            continue
        count = module.LONG if arguments.long else module.QUICK
        count = count if arguments.count is None else arguments.count
        if count == 0:
            continue
        started = time.perf_counter()
        try:
            line = module.check(count, arguments.seed)
        except Exception:
            traceback.print_exc()
            line, failed = "FAILED", 1
        print(f"{name}: {line} ({time.perf_counter() - started:.0f} s)", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
