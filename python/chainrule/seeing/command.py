"""``chainrule explain``: a model file and samples to a table and a page."""

from __future__ import annotations

import zipfile
import zlib
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
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{expected}, got one of another kind")
        file.seek(0)
        try:
            with np.load(file) as archive:
                arrays = {name: archive[name] for name in archive}
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
            raise ValueError(f"{expected}: {error}") from None
    if not set(NEEDED) <= set(arrays) <= set(POSSIBLE):
        names = ", ".join(arrays) or "none"
        raise ValueError(f"{expected}, and sample_weight if any, got {names}")
    return arrays
