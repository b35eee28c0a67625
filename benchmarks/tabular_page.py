"""The page of the tabular benchmark, docs/tabular.md: tables, a picture, and what the goals are.

Times are given over those of scikit-learn's perceptron, which was fitted in the same run: seconds
measured beside other work tell little.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tabular_contestants import BESIDE_PEER, CATBOOST, LIGHTGBM, MLP, PEER, REFITTED
from tabular_tables import SOURCES

Fits = list[dict[str, Any]]
PICTURE = "images/tabular.png"


def cpu() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


# --- one table ------------------------------------------------------------------------------------


class Measured:
    """What was measured on one table with one number of rows."""

    def __init__(self, name: str, fits: Fits) -> None:
        self.name = name
        self.fits = fits
        self.classes = SOURCES[name].task == "classes"
        self.rows, tests = fits[0]["rows"], fits[0]["tests"]
        self.whole = self.rows > 3 * tests  # else the rows to train on were cut
        self.title = f"{name}, {self.rows:,} rows"
        self.estimators = list(dict.fromkeys(each["estimator"] for each in fits))

    def of(self, estimator: str) -> dict[int, dict[str, Any]]:
        """Return an estimator's fits by seed."""
        return {each["seed"]: each for each in self.fits if each["estimator"] == estimator}

    def over(self, estimator: str, other: str, what: str = "error") -> float:
        """Return the ratio of two estimators' means over the seeds that both have; else NaN."""
        mine, others = self.of(estimator), self.of(other)
        seeds = sorted(mine.keys() & others.keys())
        if not seeds:
            return math.nan
        top, bottom = (sum(fits[seed][what] for seed in seeds) for fits in (mine, others))
        return float(top / bottom)


def all_measured(fits: Fits) -> list[Measured]:
    """Return the tables that were measured, whole ones first; one each for a number of rows."""
    found: dict[tuple[str, int], Fits] = {}
    for name in SOURCES:
        for each in fits:
            if each["set"] == name:
                found.setdefault((name, each["rows"]), []).append(each)
    tables = [Measured(name, of_table) for (name, _), of_table in found.items()]
    return sorted(tables, key=lambda table: not table.whole)


def mean_and_error(values: list[float]) -> str:
    """Return mean and standard error, as they are written."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.4g}"
    return f"{mean:.4g} ± {np.std(values, ddof=1) / math.sqrt(len(values)):.2g}"


def ratio(value: float, digits: int = 3) -> str:
    """Return a ratio as it is written; a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def section(table: Measured) -> list[str]:
    """Return a table's part of the page."""
    first = table.fits[0]
    what = "error" if table.classes else "RMSE"
    kind = "development set" if SOURCES[table.name].development else "only compared on"
    line = (
        f"{table.rows:,} rows to train on, {first['tests']:,} for tests, {first['columns']} "
        f"columns; {kind}."
    )
    head = ["", what, f"{what} over the MLP's", *(["log loss"] if table.classes else [])]
    head += ["CPU time of the fit over the MLP's", "seeds"]
    rows = [f"### {table.title}", "", line, ""]
    rows += [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    for name in table.estimators:
        fits = table.of(name).values()
        cells = [name, mean_and_error([each["error"] for each in fits])]
        cells.append(ratio(table.over(name, MLP)))
        if table.classes:
            cells.append(mean_and_error([each["log_loss"] for each in fits]))
        cells += [ratio(table.over(name, MLP, "fit_seconds"), 2), str(len(fits))]
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, ""]


# --- all tables -----------------------------------------------------------------------------------


def geometric_mean(values: Iterable[float]) -> tuple[float, int]:
    """Return the geometric mean of the numbers that there are, and their number."""
    there = [value for value in values if not math.isnan(value)]
    return (math.exp(float(np.mean(np.log(there)))) if there else math.nan), len(there)


def over_all(tables: list[Measured]) -> list[str]:
    """Return the geometric means over the tables."""
    names = list(dict.fromkeys(name for table in tables for name in table.estimators))
    rows = [
        "| | geometric mean of error or RMSE over the MLP's | tables |",
        "|---|---:|---:|",
    ]
    for name in names:
        mean, count = geometric_mean(table.over(name, MLP) for table in tables)
        rows.append(f"| {name} | {ratio(mean)} | {count} |")
    return [*rows, ""]


def goals(tables: list[Measured]) -> list[str]:
    """Return the goals, and how far they are reached on what was measured."""
    names = list(dict.fromkeys(name for table in tables for name in table.estimators))
    ours = [name for name in names if name.startswith("chainrule") and name != BESIDE_PEER]
    rows = ["| goal | | measured |", "|---|---|---|"]
    for name in ours:
        mean, count = geometric_mean(table.over(name, MLP) for table in tables)
        rows.append(
            f"| error at least 12 % below the MLP's | {name} | {100 * (1 - mean):.1f} %, "
            f"tables: {count} |"
        )
    for rival, goal in ((LIGHTGBM, "5 of 9"), (CATBOOST, "4 of 9")):
        for name in ours:
            if ("members" in name) != (rival == CATBOOST):
                continue
            found = [table.over(name, rival) for table in tables]
            found = [each for each in found if not math.isnan(each)]
            better = sum(each < 1 for each in found)
            rows.append(f"| better than {rival} on {goal} | {name} | {better} of {len(found)} |")
    for table in tables:
        value = table.over(BESIDE_PEER, PEER)
        if not math.isnan(value):
            rows.append(
                f"| within 1 % of pytabkit's small variant, on {table.name} | {BESIDE_PEER} | "
                f"{100 * (value - 1):+.1f} %, seeds: {len(table.of(PEER))} |"
            )
            seconds = table.over(BESIDE_PEER, PEER, "fit_seconds")
            rows.append(
                f"| trained in at most 0.7 times its time, on {table.name} | {BESIDE_PEER} | "
                f"{seconds:.2f} |"
            )
    return [*rows, ""]


def introduction(tables: list[Measured]) -> list[str]:
    """Return what the page says before its tables."""
    fits = [each for table in tables for each in table.fits]
    machines = sorted({each["cpu"] for each in fits})
    versions = {name: text for each in fits for name, text in each["versions"].items()}
    packages = ", ".join(f"{name} {text}" for name, text in versions.items())
    seeds = sorted({each["seed"] for each in fits})
    span = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    beside = ""
    if any(each["estimator"] == PEER for each in fits):
        beside = f"*{PEER}* and *{BESIDE_PEER}* choose their epoch by the same held rows. "
    if any(each["estimator"].endswith(REFITTED) for each in fits):
        beside += (
            "The nets hold back a fifth of the rows to train on, by which they choose their epoch; "
            f"*{REFITTED.strip(', ')}* are those that are trained once more on all of them "
            '(`combine="refit"`), as boosting is. '
        )
    return [
        "# Tabular estimators, measured",
        "",
        f"`python benchmarks/tabular.py`, {len({table.name for table in tables})} of "
        f"{len(SOURCES)} tables, {span}, on {', '.join(machines)}; {packages}.",
        "",
        "Means over the seeds, which choose split and estimator, ± their standard error. A fifth "
        "of the rows is for tests, the same for all, and nothing was chosen by them; classes are "
        "stratified. All estimators have their defaults. *scikit-learn's MLP* stands behind median "
        "imputation, standard scaling and one-hot encoding, its target standardised. One thread. "
        f"{beside}Times are those of the processor over the MLP's of the same table and seeds, "
        "not all fitted in one sitting, nor alone on the machine: they tell sizes.",
        "",
        f"![error over the MLP's]({PICTURE})",
        "",
    ]


def draw(tables: list[Measured], path: Path) -> None:
    """Draw error over the MLP's, a row a table, a dot an estimator."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = [name for name in dict.fromkeys(e for t in tables for e in t.estimators) if name != MLP]
    figure, axes = plt.subplots(figsize=(8, 1.5 + 0.6 * len(tables)), layout="constrained")
    for place, name in enumerate(names):
        values = [table.over(name, MLP) for table in tables]
        marker = "D" if name.startswith("chainrule") else "o"
        color = f"C{place % 10}"
        places = [row + 0.06 * (place - len(names) / 2) for row in range(len(tables))]
        axes.plot(values, places, marker, color=color, label=name, alpha=0.85)
    axes.axvline(1, color="gray", linewidth=1)
    axes.set_yticks(range(len(tables)), [table.title for table in tables])
    axes.invert_yaxis()
    axes.set_xlabel("error or RMSE over that of scikit-learn's MLP (left is better)")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def written(fits: Fits, path: Path) -> None:
    """Write the page and its picture."""
    tables = all_measured(fits)
    page = introduction(tables)
    for whole, title in ((True, "Whole tables"), (False, "Fewer rows to train on")):
        part = [table for table in tables if table.whole == whole]
        if part:
            page += [f"## {title}", "", *over_all(part), *goals(part)]
            page += [line for table in part for line in section(table)]
    draw(tables, path.parent / PICTURE)
    path.write_text("\n".join(page), encoding="utf-8")
