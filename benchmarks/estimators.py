"""chainrule's estimators beside scikit-learn's: seconds, microseconds, and scores over seeds.

    python benchmarks/estimators.py [--seeds 20] [--repeats 5] [--sets wine,digits]
                                    [--parts fits,calls,many_rows,tables,threads,search,scores]

Equal settings, the same splits and seeds for both, one thread (the script starts itself anew with
OMP_NUM_THREADS=1 and a BLAS of one thread). Times are process times of the fastest repeat; of
threads and of a search, which share cores, they are those of a clock. Run those on an idle machine.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tabular_tables

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SETS = ("wine", "breast_cancer", "diabetes", "digits", "diamonds", "flights")
VALUES = ("diabetes", "diamonds")
EPOCHS = {"diamonds": 20, "flights": 20}  # of large tables; elsewhere until it converges
WHEELS = Path(tempfile.gettempdir()) / "chainrule-tables"


@functools.cache
def load(name: str) -> tuple[Any, Any]:
    """Return samples of numbers, columns scaled: of a set of scikit-learn's or a public table."""
    from sklearn import datasets
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    if name in EPOCHS:
        frame, y = tabular_tables.load(name, WHEELS)
        words = frame.select_dtypes(exclude="number")
        levels = OneHotEncoder(sparse_output=False).fit_transform(words)
        X = np.hstack([frame.select_dtypes("number").to_numpy(dtype=float), levels])
    else:
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    if name in VALUES:
        y = (y - y.mean()) / y.std()
    return StandardScaler().fit_transform(X), y


def kinds(name: str) -> tuple[Any, ...]:
    """Return what makes scikit-learn's estimator, and ours."""
    import sklearn.neural_network

    import chainrule.sklearn

    kind = "MLPRegressor" if name in VALUES else "MLPClassifier"
    found = getattr(sklearn.neural_network, kind), getattr(chainrule.sklearn, kind)
    epochs = EPOCHS.get(name, 200)
    return tuple(functools.partial(each, max_iter=epochs) for each in found)


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


def many_rows(repeats: int) -> None:
    """Print the time and the memory of predictions of 1,000,000 rows of 26 columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 26), dtype=np.float32)
    y = (X[:, :3].sum(axis=1) > 0).astype(int)
    rows = rng.standard_normal((1_000_000, 26), dtype=np.float32)
    print("\n| 1,000,000 rows x 26 | seconds | memory above the labels', MB |\n|---|---:|---:|")
    theirs, ours = (kind((128, 64), random_state=0, max_iter=3) for kind in kinds("wine"))
    for name, estimator in (("chainrule", ours), ("scikit-learn", theirs)):
        estimator.fit(X, y).predict(rows[:10])
        # chainrule first: the largest memory of a process never falls
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        labels = estimator.predict(rows)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        seconds = fastest(lambda est=estimator: est.predict(rows), max(1, repeats // 2))
        print(
            f"| {name} | {seconds:.2f} | {grown / 1024 - labels.nbytes / 2**20:.0f} |", flush=True
        )


def threads(repeats: int, count: int = 8) -> None:
    """Print how much faster some threads predict with one estimator than one thread does."""
    X, y = load("digits")
    ours = kinds("digits")[1](random_state=0, max_iter=5).fit(X, y)
    rows = np.ascontiguousarray(np.tile(X, (20, 1)))

    def by_clock(workers: int) -> float:
        best = float("inf")
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for _ in range(repeats):
                start = time.perf_counter()
                for done in [pool.submit(ours.predict_proba, rows) for _ in range(16)]:
                    done.result()
                best = min(best, time.perf_counter() - start)
        return best

    alone, together = by_clock(1), by_clock(count)
    print(
        f"\n{count} threads predict with one estimator {alone / together:.2f} times as fast as one."
    )


def search(repeats: int) -> None:
    """Print the time of a grid search of 24 settings on digits with all cores."""
    from sklearn.model_selection import GridSearchCV

    X, y = load("digits")
    grid = {
        "hidden_layer_sizes": [(50,), (100,), (100, 50)],
        "alpha": [1e-5, 1e-4, 1e-3, 1e-2],
        "learning_rate_init": [1e-3, 3e-3],
    }
    seconds = []
    for kind in kinds("digits"):
        best = float("inf")
        for _ in range(max(1, repeats // 3)):
            start = time.perf_counter()
            GridSearchCV(kind(random_state=0, max_iter=50), grid, cv=3, n_jobs=-1).fit(X, y)
            best = min(best, time.perf_counter() - start)
        seconds.append(best)
    slow, fast = seconds
    print(
        f"\nA grid search of 24 settings on digits, `n_jobs=-1`: {slow:.1f} s with scikit-learn, "
        f"{fast:.1f} s with chainrule, {slow / fast:.1f} times faster."
    )


def prediction_of(thing: Any) -> Callable[[Any], Any]:
    """Return an estimator's probabilities, or a net's output."""
    return getattr(thing, "predict_proba", thing.predict)


def tables(repeats: int) -> None:
    """Print how long the tabular estimators' predictions take, by preset."""
    from chainrule.sklearn import TabularClassifier

    X, y = load("breast_cancer")
    rows = np.ascontiguousarray(np.tile(X, (2, 1))[:1000])
    print(
        "\n| 1,000 rows x 30, one row | five members, ms | one net, ms | one row, us "
        "| one row behind the preprocessing, us |\n|---|---:|---:|---:|---:|"
    )
    for preset in ("default", "small", "tabm-mini"):
        settings = {"preset": preset, "epochs": 2, "random_state": 0}
        five, one = (TabularClassifier(ensemble=k, **settings).fit(X, y) for k in (5, 1))
        member = one.members_[0]
        encoded = member.encoding(next(one._reader.tables(one, rows[:1])))
        cells = [
            1e3 * fastest(lambda est=est: est.predict_proba(rows), repeats) for est in (five, one)
        ]
        for nets, cells_of_row in (([one], rows[:1]), (member.models, encoded)):
            call = lambda nets=nets, row=cells_of_row: [  # noqa: E731
                predict(row) for predict in map(prediction_of, nets) for _ in range(100)
            ]
            cells.append(1e4 * fastest(call, repeats))
        print(f"| {preset} | {' | '.join(f'{cell:.1f}' for cell in cells)} |", flush=True)


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
                X, y, random_state=seed, stratify=None if name in VALUES else y
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
    parser.add_argument("--seeds", type=int, default=20, help="of the scores")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--parts", default="fits,calls,many_rows,tables,threads,search,scores")
    arguments = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in ONE_THREAD):
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=environment).returncode)
    warnings.simplefilter("ignore")
    names = arguments.sets.split(",")
    parts = {
        "fits": lambda: fits(names, arguments.repeats),
        "calls": lambda: calls(arguments.repeats),
        "many_rows": lambda: many_rows(arguments.repeats),
        "tables": lambda: tables(arguments.repeats),
        "threads": lambda: threads(arguments.repeats),
        "search": lambda: search(arguments.repeats),
        "scores": lambda: scores(names, arguments.seeds),
    }
    for part in arguments.parts.split(","):
        parts[part]()


if __name__ == "__main__":
    main()
