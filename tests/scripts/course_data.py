"""Where the scripts beside this file get data and random numbers, and leave their results.

    python SCRIPT.py [--nnfs] [--seed N] [--epochs N] [--out FILE.npz]

With --nnfs both come from the package nnfs, whose init() patches NumPy (float32 by default,
np.dot through float64); without, from chainrule.datasets and numpy.random.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Any

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--nnfs", action="store_true")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int)
parser.add_argument("--out")
options = parser.parse_args()
source: Any = importlib.import_module("nnfs.datasets" if options.nnfs else "chainrule.datasets")
spiral_data, vertical_data, sine_data = source.spiral_data, source.vertical_data, source.sine_data


def start(epochs: int = 1) -> int:
    """Seed the random numbers, and with --nnfs patch NumPy; return the number of epochs."""
    if options.nnfs:
        import nnfs

        nnfs.init(random_seed=options.seed)
    else:
        np.random.seed(options.seed)  # noqa: NPY002
    return epochs if options.epochs is None else options.epochs


def finish(**results: Any) -> None:
    """Write the results for whoever asked for them."""
    if options.out is not None:
        np.savez(options.out, **results)
