"""Tabular estimators beside others: errors and log losses on nine public tables, docs/tabular.md.

    python benchmarks/tabular.py [--sets telescope,adult] [--seeds 3] [--rows 10000]
                                 [--ours default,small,default*5,default+refit]
                                 [--only "NAME;NAME"]
                                 [--results benchmarks/tabular.json] [--page docs/tabular.md]

Each fit's result is written to the file of results at once, and what stands there is not measured
again: a run that was broken off goes on, and another one adds seeds, tables or estimators. The page
is made of all that the file holds; ``--sets ''`` only writes it. tabular_tables.py fetches the
tables; LightGBM, CatBoost and pytabkit take part where they are installed.

For each seed a fifth of the rows is for tests, the same for all; what an estimator holds back to
choose its epoch comes from the others. One thread: the script starts itself anew with
OMP_NUM_THREADS=1 and a BLAS of one thread.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tabular_contestants import Contestant, as_wanted, contestants, held_back
from tabular_page import cpu, written
from tabular_tables import SOURCES, load

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TEST_SHARE = 0.2
PACKAGES = ("numpy", "scikit-learn", "lightgbm", "catboost", "pytabkit", "torch")

# --- results --------------------------------------------------------------------------------------


class Results:
    """The file of results: a list of what each fit gave, by table, rows, seed and estimator."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[dict[str, Any]] = []
        if path.exists():
            self.found = json.loads(path.read_text(encoding="utf-8"))

    def has(self, key: dict[str, Any]) -> bool:
        """Tell whether a fit was made."""
        return any(key.items() <= each.items() for each in self.found)

    def add(self, result: dict[str, Any]) -> None:
        """Keep a result; the file is whole at every moment."""
        self.found.append(result)
        lines = ",\n".join(json.dumps(each) for each in self.found)
        beside = self.path.with_suffix(".new")
        beside.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        beside.replace(self.path)


# --- measurement ----------------------------------------------------------------------------------


def fitted(contestant: Contestant, seed: int, X: Any, y: Any, classes: bool) -> Any:
    """Return an estimator for the training rows."""
    estimator = contestant.make(seed, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not contestant.held:
            return estimator.fit(X, y)
        kept, held = held_back(y, seed, classes)
        return estimator.fit(X.iloc[kept], y[kept], X_val=X.iloc[held], y_val=y[held])


def measured(contestant: Contestant, seed: int, parts: Any, classes: bool) -> dict[str, Any]:
    """Return what a fit to the training rows is worth on the test rows."""
    from sklearn.metrics import log_loss

    X, X_test, y, y_test = parts
    start = time.process_time()
    estimator = fitted(contestant, seed, X, y, classes)
    middle = time.process_time()
    predicted = np.asarray(estimator.predict(X_test)).reshape(len(y_test))
    seconds = {"fit_seconds": middle - start, "predict_seconds": time.process_time() - middle}
    if hasattr(estimator, "validation_curve_"):  # which presets are chosen by
        best = [int(epoch) - 1 for epoch in estimator.best_epoch_]
        curves = zip(estimator.validation_curve_, best, strict=True)
        seconds["validation"] = float(np.mean([curve[epoch] for curve, epoch in curves]))
    if not classes:
        return {"error": math.sqrt(np.mean((predicted - y_test) ** 2)), **seconds}
    found: dict[str, Any] = {"error": float(np.mean(predicted != y_test))}
    probabilities = np.asarray(estimator.predict_proba(X_test), dtype=float)
    found["log_loss"] = float(log_loss(y_test, probabilities, labels=estimator.classes_))
    return {**found, **seconds}


def compare(name: str, arguments: Any, results: Results) -> None:
    """Fit each estimator to a table for each seed, where that is not done."""
    from sklearn.model_selection import train_test_split

    classes = SOURCES[name].task == "classes"
    X, y = load(name, arguments.wheels)
    known = contestants(SOURCES[name].task, arguments.ours)
    versions = {each: version(each) for each in PACKAGES if find_spec(module_of(each))}
    for seed in range(arguments.seeds):
        stratify = y if classes else None
        kept, held = train_test_split(
            np.arange(len(y)), test_size=TEST_SHARE, random_state=seed, stratify=stratify
        )
        kept = kept[: arguments.rows]
        for label, contestant in known.items():
            key = {"set": name, "rows": len(kept), "seed": seed, "estimator": label}
            if results.has(key) or (arguments.only and label not in arguments.only):
                continue
            frame = as_wanted(X, contestant.words)
            parts = frame.iloc[kept], frame.iloc[held], y[kept], y[held]
            found = measured(contestant, seed, parts, classes)
            about = {"tests": len(held), "columns": X.shape[1], "cpu": cpu(), "versions": versions}
            results.add({**key, **found, **about})
            print(f"{name}, seed {seed}, {label}: {found}", file=sys.stderr, flush=True)


def module_of(package: str) -> str:
    """Return the name by which a package is imported."""
    return "sklearn" if package == "scikit-learn" else package


def with_one_thread() -> None:
    """Start the script anew where the libraries would take more threads."""
    wanted = dict.fromkeys(ONE_THREAD, "1")
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        command = [sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, env={**os.environ, **wanted}, check=False).returncode)


def main() -> None:
    """Measure what is missing, and write the page."""
    with_one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=",".join(SOURCES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ours", default="default,small,default*5,default+refit")
    parser.add_argument("--only", default="", help="of all estimators these, by their names")
    parser.add_argument("--rows", type=int, default=None, help="at most so many to train on")
    parser.add_argument("--wheels", type=Path, default=Path("build/wheels"))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/tabular.json"))
    parser.add_argument("--page", type=Path, default=None, help="none is written without it")
    arguments = parser.parse_args()
    arguments.ours = arguments.ours.split(",")
    arguments.only = [each for each in arguments.only.split(";") if each]
    results = Results(arguments.results)
    for name in filter(None, arguments.sets.split(",")):
        compare(name, arguments, results)
    if arguments.page is not None:
        written(results.found, arguments.page)


if __name__ == "__main__":
    main()
