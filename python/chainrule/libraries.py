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
        It is not installed; says what brings it.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        top = name.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != top:
            raise  # the library is there, and lacks something of its own
        raise ImportError(
            f"{caller}: expected {top}, which is not installed: pip install {install}"
        ) from None
