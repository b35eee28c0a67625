"""Parts of the package that are imported where they are first asked for.

`chainrule.sklearn` needs scikit-learn, which takes a second to import.
"""

from __future__ import annotations

import importlib
from types import ModuleType

LATE = ("sklearn",)


def __getattr__(name: str) -> ModuleType:
    """Import and return a part of the package; it is an attribute of the package from then on."""
    if name in LATE:
        return importlib.import_module(f".{name}", __package__)
    raise AttributeError(f"module {__package__!r} has no attribute {name!r}")
