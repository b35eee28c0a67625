"""Names that are imported when they are first asked for: `import chainrule` stays fast.

Type checkers see plain imports of them in ``__init__.py``.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

SUBMODULES = ("autograd", "checking", "data", "interop", "mpi", "plot", "sklearn")
NAMES = {  # name -> the module that has it
    "Variable": "autograd",
    "check_gradient": "checking",
    "compare": "checking",
    "fit_many": "model.many",
    "gradcheck": "checking",
    "no_grad": "autograd",
    "numerical_gradient": "checking",
}


def __getattr__(name: str) -> Any:
    """Return the submodule `name` of the package, or a name of one, imported now."""
    if name in SUBMODULES:
        return importlib.import_module(f"{__package__}.{name}")
    if name in NAMES:
        return getattr(importlib.import_module(f"{__package__}.{NAMES[name]}"), name)
    raise AttributeError(f"module {__package__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names in the package, those that are imported late included."""
    return sorted({*vars(sys.modules[str(__package__)]), *SUBMODULES, *NAMES})
