"""``chainrule explain``: a model file and samples to a table and a page."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..model import Model

NEEDED, POSSIBLE = ("X", "y"), ("X", "y", "sample_weight")


def explain(model: Path, data: Path, page: Path) -> None:
    """Print the explanation of one step of the model on the samples, and write its page."""
    samples = arrays_in(data)
    explanation = Model.load(model).explain(
        samples["X"], samples["y"], sample_weight=samples.get("sample_weight")
    )
    explanation.save_html(page)
    print(explanation)
    print(f"page: {page}")


def arrays_in(path: Path) -> dict[str, Any]:
    """Return the arrays of a file of `np.savez` with X and y.

    Raises
    ------
    ValueError
        It is no such file, or has other arrays.
    OSError
        It cannot be read.
    """
    expected = f"{path}: expected a file of np.savez with the arrays X and y"
    try:
        with np.load(path) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError(f"{expected}, got one array")
            if not set(NEEDED) <= set(file) <= set(POSSIBLE):
                raise ValueError(
                    f"{expected}, and sample_weight if any, got {', '.join(file) or 'none'}"
                )
            return {name: file[name] for name in file}
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{expected}: {error}") from None
