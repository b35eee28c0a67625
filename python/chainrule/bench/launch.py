"""First lines of a measured process: pin it to its cores, then serve.

The benchmark's own modules are loaded under another name than ``chainrule.bench``, so that a
peer's process holds nothing of chainrule's: no compiled module, no OpenMP runtime.
Arguments: the contestant's name, and the cores (comma separated, empty: not pinned).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

ALIAS = "chainrule_bench"


def pin(cores: str) -> None:
    """Restrict this process to the cores, where the system can do that."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})


def load_alias(folder: Path) -> None:
    """Make `folder` importable as the package ``chainrule_bench``."""
    spec = importlib.util.spec_from_file_location(
        ALIAS, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    sys.modules[ALIAS] = importlib.util.module_from_spec(spec)


def main() -> None:
    name, cores = sys.argv[1:]
    pin(cores)
    folder = Path(__file__).resolve().parent
    del sys.path[0]  # this folder, which a script's start puts there
    sys.path.append(str(folder.parent.parent))
    load_alias(folder)
    importlib.import_module(f"{ALIAS}.worker").serve(name)


if __name__ == "__main__":
    main()
