"""Other libraries, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any


def library(name: str, caller: str, install: str) -> Any:
    """Return a module of another library.

    Parameters
    ----------
    name : str
    caller : str
        Who needs it.
    install : str
        What ``pip install`` takes.

    Raises
    ------
    ImportError
        It is not installed, or cannot be imported; says why, and what brings it.
    """
    top = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError)
        absent = absent and error.name is not None and error.name.partition(".")[0] == top
        why = "is not installed" if absent else f"cannot be imported ({error})"
        text = f"{caller}: expected {top}, which {why}: pip install {install}"
        raise ImportError(text) from (None if absent else error)
