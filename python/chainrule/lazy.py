"""Submodules that are imported when they are first asked for: `import chainrule` stays fast.

Type checkers see plain imports of them in ``__init__.py``.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

SUBMODULES = ("plot",)


def __getattr__(name: str) -> Any:
    """Return the submodule `name` of the package, imported now."""
    if name in SUBMODULES:
        return importlib.import_module(f"{__package__}.{name}")
    raise AttributeError(f"module {__package__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names in the package, those of the submodules included."""
    return sorted({*vars(sys.modules[str(__package__)]), *SUBMODULES})
