"""``chainrule predict``: a model file and a table to predictions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..runtime import threads_limited_to
from .columns import features_for, text_columns
from .scores import levels_of
from .table_files import (
    add_options,
    check_table_name,
    check_writable,
    pandas,
    read_table,
    write_table,
)

HELP = "predict the rows of a table with a model file"
DESCRIPTION = (
    "Reads a table with the columns that the model was trained on, in any order, and writes a "
    "prediction for each row: the class and the probability of each, the value, or the quantiles. "
    "Without -o it is printed. CSV is written with the delimiter and the decimal mark of the data."
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", type=Path, help="a file of 'chainrule train', or of save")
    parser.add_argument("data", type=Path, help="a CSV file (.gz too) or a .parquet file")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="a .csv or .parquet file")
    parser.add_argument("--append", action="store_true", help="the columns of the data as well")
    parser.add_argument(
        "--std", action="store_true", help="how far an ensemble's members are apart"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="at most so many")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Write the predictions."""
    from ..sklearn import load_estimator

    check_writable(options.output)
    check_table_name(options.output)
    check_threads(options.threads)
    estimator = load_estimator(options.model)
    frame, dialect = read_table(options.data, options, text_columns(estimator))
    X = features_for(estimator, frame, [])
    with threads_limited_to(options.threads):
        found = predictions(estimator, X, options.std)
    table = pandas().DataFrame(found)
    if options.append:
        clash = [name for name in table.columns if name in frame.columns]
        if clash:
            raise ValueError(f"--append: expected data without a column {clash[0]!r}, got one")
        table = pandas().concat([frame, table], axis=1)
    print(write_table(table, options.output, dialect), end="")
    return 0


def check_threads(count: int | None) -> None:
    """Refuse a number of threads below 1."""
    if count is not None and count < 1:
        raise ValueError(f"--threads: expected an int of at least 1, got {count}")


def predictions(estimator: Any, X: Any, std: bool) -> dict[str, Any]:
    """Return the columns of predictions.

    Raises
    ------
    ValueError
        `std` of a model with one member.
    """
    if std and not hasattr(estimator, "predict_std"):
        raise ValueError("--std: expected a model with several members (train --ensemble 5)")
    if hasattr(estimator, "classes_"):
        return class_predictions(estimator, X, std)
    predicted, levels = estimator.predict(X), levels_of(estimator)
    if levels is not None:
        names = [f"quantile_{level:g}" for level in levels]
    elif predicted.ndim == 1:
        names = ["prediction"]
    else:
        names = [f"prediction_{k}" for k in range(predicted.shape[1])]
    predicted = predicted.reshape(len(predicted), -1)
    found = dict(zip(names, predicted.T, strict=True))
    if std:
        spread = estimator.predict_std(X).reshape(len(predicted), -1)
        found.update({f"std_{name}": each for name, each in zip(names, spread.T, strict=True)})
    return found


def class_predictions(estimator: Any, X: Any, std: bool) -> dict[str, Any]:
    """Return the columns of a classifier: the class, the probability of each, its deviation."""
    predicted = estimator.predict(X)
    if predicted.ndim == 2:  # several labels a sample
        found = {f"prediction_{k}": each for k, each in enumerate(predicted.T)}
    else:
        found = {"prediction": predicted}
    if hasattr(estimator, "predict_proba"):
        shares = estimator.predict_proba(X)
        names = [f"probability_{each}" for each in estimator.classes_]
        found.update(dict(zip(names, shares.T, strict=True)))
    if std:
        spread = estimator.predict_std(X)
        found.update(
            {f"std_{each}": part for each, part in zip(estimator.classes_, spread.T, strict=True)}
        )
    return found
