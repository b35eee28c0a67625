"""chainrule's estimators beside scikit-learn's: seconds, microseconds, and scores over seeds.

    python benchmarks/estimators.py [--seeds 20] [--repeats 5] [--sets wine,digits] > table.md

Equal settings, the same splits and seeds for both, one thread (the script starts itself anew with
OMP_NUM_THREADS=1 and a BLAS of one thread). Times are process times of the fastest repeat.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SETS = ("wine", "breast_cancer", "diabetes", "digits")


def load(name: str) -> tuple[Any, Any]:
    """Return a set of scikit-learn's, columns scaled."""
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if name == "diabetes":
        y = (y - y.mean()) / y.std()
    return StandardScaler().fit_transform(X), y


def kinds(name: str) -> tuple[Any, Any]:
    """Return scikit-learn's class and ours."""
    import sklearn.neural_network

    import chainrule.sklearn

    kind = "MLPRegressor" if name == "diabetes" else "MLPClassifier"
    return getattr(sklearn.neural_network, kind), getattr(chainrule.sklearn, kind)


def fastest(call: Callable[[], Any], repeats: int) -> float:
    """Return the process time of the fastest call, in seconds."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def fits(names: list[str], repeats: int) -> None:
    """Print the seconds of fits with defaults."""
    print("| set | dtype | epochs | scikit-learn, ms | chainrule, ms | faster by |")
    print("|---|---|---:|---:|---:|---:|")
    for name in names:
        X, y = load(name)
        for dtype in ("float64", "float32"):
            samples = X.astype(dtype)
            theirs, ours = (kind(random_state=0) for kind in kinds(name))
            slow = fastest(lambda est=theirs, X=samples, y=y: est.fit(X, y), max(1, repeats // 2))
            fast = fastest(lambda est=ours, X=samples, y=y: est.fit(X, y), repeats)
            print(
                f"| {name} | {dtype} | {ours.n_iter_} | {1e3 * slow:.1f} | {1e3 * fast:.1f} "
                f"| {slow / fast:.1f} |",
                flush=True,
            )


def calls(repeats: int) -> None:
    """Print the microseconds of calls with one row of wine."""
    X, y = load("wine")
    row, label = X[:1].copy(), y[:1]
    theirs, ours = (kind(random_state=0, max_iter=5).fit(X, y) for kind in kinds("wine"))
    print("\n| call with one row | scikit-learn, us | chainrule, us |\n|---|---:|---:|")
    for name, arguments in (("predict", ()), ("predict_proba", ()), ("partial_fit", (label,))):
        cells = []
        for estimator in (theirs, ours):
            method = getattr(estimator, name)
            call = lambda method=method, arguments=arguments: [  # noqa: E731
                method(row, *arguments) for _ in range(100)
            ]
            cells.append(1e4 * fastest(call, repeats))
        print(f"| {name} | {cells[0]:.0f} | {cells[1]:.1f} |", flush=True)


def scores(names: list[str], seeds: int) -> None:
    """Print mean scores of test samples over seeds, and how far apart the two are."""
    from sklearn.model_selection import train_test_split

    print(
        "\n| set | scikit-learn | chainrule | standard error | apart |\n|---|---:|---:|---:|---:|"
    )
    for name in names:
        X, y = load(name)
        found: list[list[float]] = [[], []]
        for seed in range(seeds):
            split = train_test_split(
                X, y, random_state=seed, stratify=None if name == "diabetes" else y
            )
            for place, kind in enumerate(kinds(name)):
                estimator = kind(random_state=seed).fit(split[0], split[2])
                found[place].append(estimator.score(split[1], split[3]))
        means = [statistics.fmean(each) for each in found]
        error = statistics.stdev(found[0]) / seeds**0.5
        apart = max(abs(one - other) for one, other in zip(*found, strict=True))
        print(
            f"| {name} | {means[0]:.4f} | {means[1]:.4f} | {error:.4f} | {apart:.1e} |", flush=True
        )


def main() -> None:
    """Run what was asked for, in a process of one thread."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="of the scores; 0 leaves them out")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sets", default=",".join(SETS))
    arguments = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in ONE_THREAD):
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=environment).returncode)
    warnings.simplefilter("ignore")
    names = arguments.sets.split(",")
    fits(names, arguments.repeats)
    calls(arguments.repeats)
    if arguments.seeds > 1:
        scores(names, arguments.seeds)


if __name__ == "__main__":
    main()
