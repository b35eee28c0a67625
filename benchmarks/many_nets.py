"""Many nets at once: `fit_many` on one core and on all, beside processes and scikit-learn.

    python benchmarks/many_nets.py [--nets 200] [--epochs 10] [--batch 200] [--turns 5]

Nets 20-32-32-1 in float32 on 4,096 rows, Adam, shuffled. Each way takes its turn, round after
round, and the ratios are those of one round: of times by the clock, so that nothing else may run
meanwhile. Two processes without a common lock show what the cores can give at most.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as cr

ROWS, COLUMNS = 4096, 20
SIZES = (COLUMNS, 32, 32, 1)


def samples() -> tuple[Any, Any]:
    """Return float32 samples and values of a smooth function."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, COLUMNS), dtype=np.float32)
    return X, np.sin(X[:, :1]) + X[:, 1:2] * X[:, 2:3]


def fit(seeds: range, threads: int, epochs: int, batch: int) -> None:
    """Train a net for each seed on so many cores."""
    cr.set_num_threads(threads)
    models = [cr.mlp(*SIZES, seed=seed, dtype="float32") for seed in seeds]
    X, y = samples()
    cr.fit_many(
        models, X, y, epochs=epochs, batch_size=batch, shuffle=True, rng=seeds, progress=False
    )


def fit_theirs(seed: int, epochs: int, batch: int) -> None:
    """Train one net of scikit-learn's for as many epochs."""
    from sklearn.neural_network import MLPRegressor

    X, y = samples()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPRegressor(
            hidden_layer_sizes=SIZES[1:-1],
            alpha=0,
            batch_size=batch,
            max_iter=epochs,
            n_iter_no_change=epochs,
            random_state=seed,
        ).fit(X, y.ravel())


def seconds(call: Callable[[], Any]) -> float:
    """Return the time of a call by the clock."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print the rounds' medians, lowest and highest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    n, epochs, batch = options.nets, options.epochs, options.batch
    cores = len(os.sched_getaffinity(0))
    shares = [(range(k, n, cores), 1, epochs, batch) for k in range(cores)]
    theirs = max(cores, n // 10)  # scikit-learn's nets are counted by the net

    from joblib import Parallel, delayed

    workers = Parallel(n_jobs=cores)
    with multiprocessing.get_context("forkserver").Pool(cores) as pool:
        ways: dict[str, Callable[[], Any]] = {
            "one core": lambda: fit(range(n), 1, epochs, batch),
            f"{cores} cores": lambda: fit(range(n), cores, epochs, batch),
            f"{cores} processes": lambda: pool.starmap(fit, shares, chunksize=1),
            f"scikit-learn, n_jobs={cores}": lambda: workers(
                delayed(fit_theirs)(seed, epochs, batch) for seed in range(theirs)
            ),
        }
        for call in ways.values():
            call()  # what comes once: imports, plans, workers
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.turns):
            for name, call in ways.items():
                count = theirs if name.startswith("scikit") else n
                found[name].append(seconds(call) / count)
    ours = found[f"{cores} cores"]
    print(f"nets {'-'.join(map(str, SIZES))}, {epochs} epochs, batch {batch}; ms a net")
    for name, times in found.items():
        ratios = sorted(one / own for one, own in zip(times, ours, strict=True))
        print(
            f"  {name:26} {1e3 * statistics.median(times):8.2f}   {cores} cores are faster by "
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
