"""``chainrule evaluate``: a model file and a table with its target to a report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..arrays import Array
from .columns import check_there, features_for, text_columns, weights_in
from .picture import check_picture, save_picture
from .report import Report, curve_of
from .scores import guess_of, importance_of, levels_of, outcome_of
from .table_files import add_options, check_writable, read_table
from .tasks import known_labels, target_of

HELP = "score a model file on a table"
DESCRIPTION = (
    "Predicts the rows of a table, compares with the target, and prints scores, confusion matrix "
    "or residuals, the training's learning curve, and how much each column matters."
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", type=Path, help="a file of 'chainrule train', or of save")
    parser.add_argument("data", type=Path, help="a CSV file (.gz too) or a .parquet file")
    parser.add_argument("-t", "--target", required=True, metavar="COLUMN", help="what is true")
    parser.add_argument("--sample-weight", metavar="COLUMN", help="weights of the rows")
    parser.add_argument(
        "--plot", type=Path, metavar="PICTURE", help="also draw the report (.png, .svg, .pdf)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the shuffled columns")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print the report."""
    from ..sklearn import load_estimator

    check_writable(options.plot)
    check_picture(options.plot)
    estimator = load_estimator(options.model)
    frame, _ = read_table(options.data, options, text_columns(estimator))
    names = list(frame.columns)
    check_there([options.target], names, "--target")
    weights = [] if options.sample_weight is None else [options.sample_weight]
    check_there(weights, names, "--sample-weight")
    y, there = truth_of(estimator, frame[options.target], options.target)
    X = features_for(estimator, frame, [options.target, *weights])[there]
    weight = weights_in(frame, options.sample_weight)
    weight = None if weight is None else weight[there]
    guess = guess_of(y, getattr(estimator, "classes_", None), levels_of(estimator))
    outcome = outcome_of(estimator, X, y, weight, guess)
    report = Report(
        f"{options.target}, {type(estimator).__name__}",
        f"{len(y):,} rows of {options.data}",
        outcome,
        curve_of(estimator),
        importance_of(estimator, X, y, weight, guess, options.seed),
    )
    if len(y) < len(frame):
        print(f"note      {len(frame) - len(y):,} rows without a target are left out\n")
    for line in report.lines():
        print(line)
    if options.plot is not None:
        save_picture(report, options.plot)
        print(f"\npicture   {options.plot}")
    return 0


def truth_of(estimator: Any, cells: Any, name: str) -> tuple[Array, Array]:
    """Return a target's values as the estimator has them, and which rows have one.

    Raises
    ------
    ValueError
        Labels that it does not know, or it predicts several columns.
    """
    if hasattr(estimator, "classes_"):
        if estimator._labels.kind == "multilabel":
            raise ValueError("model: expected one that predicts one column, got several labels")
        return known_labels(cells, name, estimator.classes_)
    if estimator._n_columns > 1:
        raise ValueError(
            f"model: expected one that predicts one column, got {estimator._n_columns} columns"
        )
    target = target_of(cells, name, "regress")
    return target.values, target.there
