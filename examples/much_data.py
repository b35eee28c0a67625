"""Samples that need not fit into memory: a memory map in shuffled blocks, and a generator.

Run:  python examples/much_data.py [--rows 200000]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.data import Blocks, Stream

ROWS = 20_000  # written, and read, at a time


def samples(start: int, stop: int) -> tuple[Any, Any]:
    """Return samples of a stream: inside or outside a ring in the first two of 16 columns."""
    X = np.random.default_rng(start).standard_normal((stop - start, 16)).astype(np.float32)
    radius = np.square(X[:, :2]).sum(axis=1)
    return X, ((radius > 0.5) & (radius < 2.5)).astype(np.uint8)


def pieces(n: int) -> Iterator[tuple[int, int]]:
    """Yield the rows of each piece."""
    for start in range(0, n, ROWS):
        yield start, min(start + ROWS, n)


def written(folder: Path, n: int) -> tuple[Any, Any]:
    """Write n samples, piece by piece, and return them as memory maps."""
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, (n, 16))
    y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.uint8, (n,))
    for start, stop in pieces(n):
        X[start:stop], y[start:stop] = samples(start, stop)
    X.flush()
    y.flush()
    return np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy", mmap_mode="r")


def net() -> cr.Model:
    """Return a net of 16 columns and two classes."""
    model = cr.mlp(16, 32, 2, output="softmax", seed=0)
    model.optimizer.learning_rate = 0.01
    return model


def trained(n: int) -> dict[str, Any]:
    """Train on maps and on a generator; return what came of it."""
    held = samples(n, n + 5000)
    mapped, streamed, ordered = net(), net(), net()
    with tempfile.TemporaryDirectory() as folder:
        X, y = written(Path(folder), n)
        source = Blocks(X, y, rows=4096)
        mapped.train(source, epochs=3, batch_size=256, shuffle=True, rng=0, validation_data=held)
        ordered.train(source, epochs=1, batch_size=256)
        del X, y, source
    stream = Stream(lambda: (samples(*rows) for rows in pieces(n)), n_rows=n)
    streamed.train(stream, epochs=1, batch_size=256)
    return {
        "accuracy": [float(each) for each in mapped.history.validation_accuracy],
        "same bits": ordered.fingerprint() == streamed.fingerprint(),
    }


def main() -> None:
    """Print the accuracies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    found = trained(parser.parse_args().rows)
    for epoch, accuracy in enumerate(found["accuracy"], 1):
        print(f"epoch {epoch}: {accuracy:.4f} of 5,000 other samples are right")
    agree = "agree" if found["same bits"] else "WRONG"
    print(f"the bits of an epoch by the generator, and by the memory map in order: {agree}")


if __name__ == "__main__":
    main()
