"""Training on a memory map: the memory that it needs, and what it costs beside an array in memory.

Run:  python benchmarks/much_data.py [--gigabytes 8] [--speed-gigabytes 0.5] [--folder /tmp]

The map is a sparse file: the system reads zeros for it, through the same pages as for real data.
Memory is anonymous memory (RssAnon): that of the map's pages is the system's, which takes it back
when it needs it. Speed is compared on warm pages of a smaller file of real numbers, one thread, in
CPU seconds of the whole process, so that what the reading thread does counts in full.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.data import Blocks

COLUMNS = 64
BATCH = 512


def anonymous() -> int:
    """Return the process's anonymous memory in bytes."""
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))


class Peak:
    """The largest anonymous memory within a block, over that at its begin."""

    def __enter__(self) -> Peak:
        self.begin = anonymous()
        self.bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            self.bytes = max(self.bytes, anonymous() - self.begin)

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def net() -> cr.Model:
    """Return a small net: reading weighs as much as it can."""
    return cr.mlp(COLUMNS, 32, 2, output="softmax", activation="tanh", seed=0)


def show_memory(path: Path, gigabytes: float) -> None:
    """Train an epoch in order and one that is shuffled on a sparse file."""
    rows = int(gigabytes * 2**30) // (4 * COLUMNS)
    with open(path, "wb") as file:
        file.truncate(rows * COLUMNS * 4)
    X = np.memmap(path, np.float32, "r", shape=(rows, COLUMNS))
    y = np.memmap(path, np.uint8, "r", shape=(rows,))
    print(f"{gigabytes:g} GB, {rows:,} rows; anonymous memory over the interpreter:")
    for shuffle in (False, True):
        started = time.perf_counter()
        with Peak() as peak:
            net().train(Blocks(X, y), batch_size=BATCH, shuffle=shuffle, rng=1, progress=False)
        seconds = time.perf_counter() - started
        order = "shuffled" if shuffle else "in order"
        print(f"  {order}: {peak.bytes / 2**20:.0f} MB, {seconds:.0f} s")


def seconds_of(X: Any, y: Any, epochs: int, **arguments: Any) -> float:
    """Return CPU seconds of an epoch."""
    started = time.process_time()
    net().train(X, y, epochs=epochs, batch_size=BATCH, progress=False, **arguments)
    return (time.process_time() - started) / epochs


def show_speed(path: Path, gigabytes: float, turns: int = 3, epochs: int = 2) -> None:
    """Compare epochs on an array in memory with epochs on a warm map."""
    rows = int(gigabytes * 2**30) // (4 * COLUMNS)
    array = np.random.default_rng(0).standard_normal((rows, COLUMNS), np.float32)
    y = (array[:, 0] > 0).astype(np.uint8)
    array.tofile(path)
    X = np.memmap(path, np.float32, "r", shape=array.shape)
    X.max()  # warm
    cr.set_num_threads(1)
    times: dict[str, list[float]] = {}
    for _ in range(turns):
        for shuffle in (False, True):
            options: dict[str, Any] = {"shuffle": shuffle, "rng": 1}
            order = "shuffled" if shuffle else "in order"
            memory = seconds_of(array, y, epochs, **options)
            times.setdefault(f"{order}: memory", []).append(memory)
            source = seconds_of(Blocks(X, y), None, epochs, **options)
            times.setdefault(f"{order}: map", []).append(source)
    best = {name: min(each) for name, each in times.items()}
    print(f"\n{gigabytes:g} GB warm, one thread, CPU seconds an epoch:")
    for order in ("in order", "shuffled"):
        memory, source = best[f"{order}: memory"], best[f"{order}: map"]
        print(f"  {order}: memory {memory:.3f}, map {source:.3f}, speed {memory / source:.2f}")


def main() -> None:
    """Show both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=8.0)
    parser.add_argument("--speed-gigabytes", type=float, default=0.5)
    parser.add_argument("--folder", type=Path, default=None, help="where the files are written")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "samples")
        if options.speed_gigabytes > 0:
            show_speed(path, options.speed_gigabytes)
        path.unlink(missing_ok=True)
        if options.gigabytes > 0:
            show_memory(path, options.gigabytes)


if __name__ == "__main__":
    main()
