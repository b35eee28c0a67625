"""``chainrule train``: a table to a model file and a report."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from .columns import check_there, checked_features, holds_texts, listed, weights_in
from .dialect import Dialect
from .picture import check_picture, save_picture
from .report import Report, curve_of, table
from .scores import guess_of, importance_of, levels_of, outcome_of
from .table_files import add_options, check_writable, pandas, read_table
from .tasks import Target, target_of

HELP = "train a net on a table (CSV or Parquet), score it, write it to a file"
DESCRIPTION = (
    "Reads a table, holds some rows back, trains a net for tables on the others, prints how good "
    "it is on the rows that it has not seen, and writes model and preprocessing to one file, for "
    "'chainrule predict' or for chainrule.sklearn.load_estimator."
)
INTERRUPTED = 130
OF_NAMES = "X: column .* a word of its own"  # a warning
Say = Callable[[str], None]


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("data", type=Path, help="a CSV file (.gz too) or a .parquet file")
    parser.add_argument(
        "-t", "--target", required=True, metavar="COLUMN", help="the column to predict"
    )
    parser.add_argument(
        "--task", choices=("auto", "classify", "regress"), default="auto",
        help="auto: texts, truth values and up to 20 different whole numbers are classes",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("model.safetensors"), metavar="FILE",
        help="the model file (default: model.safetensors)",
    )  # fmt: skip
    parser.add_argument(
        "--plot", type=Path, metavar="PICTURE", help="also draw the report (.png, .svg, .pdf)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing")
    columns = parser.add_argument_group("columns (names with commas between; may be repeated)")
    columns.add_argument(
        "--categorical", action="append", metavar="NAMES", help="numbers that are names of kinds"
    )
    columns.add_argument("--drop", action="append", metavar="NAMES", help="leave these out")
    columns.add_argument("--sample-weight", metavar="COLUMN", help="weights of the rows")
    net = parser.add_argument_group("the net (see TabularClassifier and TabularRegressor)")
    net.add_argument("--preset", help="the estimators' preset")
    net.add_argument("--epochs", type=int, metavar="N", help="all are run, the best is kept")
    net.add_argument("--ensemble", type=int, metavar="N", help="nets that are averaged")
    net.add_argument(
        "--quantiles", type=numbers_in, metavar="A,B,...", help="predict these instead of the mean"
    )
    net.add_argument("--metric", choices=("log_loss", "accuracy"), help="chooses the epoch")
    net.add_argument(
        "--balanced", action="store_true", help="give rare classes the weight of frequent ones"
    )
    net.add_argument("--calibrate", action="store_true", help="fit a temperature to held-out rows")
    net.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    net.add_argument("--threads", type=int, metavar="N", help="at most so many; no bit changes")
    net.add_argument(
        "--mpi", action="store_true",
        help="'mpiexec -n N chainrule train ... --mpi': N processes share the members of an "
        "ensemble, or the batches of one net",
    )  # fmt: skip
    rows = parser.add_argument_group("rows")
    rows.add_argument(
        "--test-fraction", type=float, default=0.2, metavar="SHARE",
        help="held back for the scores; 0: train on all, and score by the rows that choose the "
        "epoch (default: 0.2)",
    )  # fmt: skip
    rows.add_argument(
        "--validation-fraction", type=float, metavar="SHARE", help="choose the epoch (default: 0.2)"
    )
    add_options(parser)


def numbers_in(text: str) -> list[float]:
    """Return numbers with commas between."""
    try:
        return [float(each) for each in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected numbers with commas between, got {text!r}"
        ) from None


Fit = Callable[[Any, "Rows", bool], tuple[float, list[str]]]  # estimator, rows, quiet


class Rows(NamedTuple):
    """Features, targets and weights of some rows."""

    X: Any
    y: Array
    weight: Array | None

    def some(self, places: Array) -> Rows:
        """Return some of them."""
        weight = None if self.weight is None else self.weight[places]
        return Rows(self.X.iloc[places], self.y[places], weight)


def run(options: argparse.Namespace) -> int:
    """Train, write the model, report; 130 where Ctrl-C came and left a model."""
    if not options.mpi:
        return session(options, trained)
    from .ranks import run_on_ranks

    return run_on_ranks(lambda fit: session(options, fit), trained)


def session(options: argparse.Namespace, fit: Fit) -> int:
    """Do what the command does, with a fit that may be many processes' work."""
    say: Say = (lambda text: None) if options.quiet else (lambda text: print(text, flush=True))
    check_writable(options.output)
    check_writable(options.plot)
    check_picture(options.plot)
    share = options.test_fraction
    if not 0 <= share < 1:
        raise ValueError(f"--test-fraction: expected a share from 0 to below 1, got {share!r}")
    rows, target, facts = prepared(options)
    for line in table(facts):
        say(line)
    train, test = split(rows, target, share, options.seed)
    estimator = new_estimator(options, target.classifies, rows.X)
    say("")
    seconds, notes = fit(estimator, train, options.quiet)
    stopped = [note for note in notes if "interrupted" in note]
    estimator.save(options.output)
    size = options.output.stat().st_size
    say(f"trained   {seconds:.1f} s, {len(train.y):,} rows{', interrupted' if stopped else ''}")
    say(f"saved     {options.output} ({size / 1000:,.0f} kB)")
    for note in notes:
        if note not in stopped:
            say(f"note      {note}")
    report = reported(options, estimator, train, test, importance=not stopped)
    say("")
    for line in report.lines():
        say(line)
    if options.plot is not None:
        save_picture(report, options.plot)
        say(f"\npicture   {options.plot}")
    return INTERRUPTED if stopped else 0


def prepared(options: argparse.Namespace) -> tuple[Rows, Target, list[tuple[str, str]]]:
    """Read the table and choose its columns; return the rows that have a target, and facts."""
    categorical = listed(options.categorical)
    frame, dialect = read_table(options.data, options, categorical)
    names, drop = list(frame.columns), listed(options.drop)
    check_there([options.target], names, "--target")
    check_there(drop, names, "--drop")
    check_there(categorical, names, "--categorical")
    weights = [] if options.sample_weight is None else [options.sample_weight]
    check_there(weights, names, "--sample-weight")
    target = target_of(frame[options.target], options.target, options.task)
    for option, given in (("--drop", drop), ("--categorical", categorical)):
        if {options.target, *weights} & set(given):
            raise ValueError(f"{option}: expected features, got the target or the weights")
    X = frame.drop(columns=[*drop, *weights, options.target])[target.there]
    if not X.shape[1]:
        raise ValueError(f"{options.data}: expected a column beside the target, got none")
    X = X.reset_index(drop=True)
    for name in categorical:
        if name in drop:
            raise ValueError(f"--categorical: {name!r} is left out by --drop")
        X[name] = pandas().Categorical(X[name])
    notes = checked_features(X)
    if len(X) < len(frame):
        notes.append(f"{len(frame) - len(X):,} rows without a target are left out")
    empty = [name for name in X.columns if not X[name].notna().any()]
    notes += [f"column {name!r} is empty" for name in empty]
    weight = weights_in(frame, options.sample_weight)
    rows = Rows(X, target.values, None if weight is None else weight[target.there])
    facts = facts_of(options, frame, dialect, rows, target)
    return rows, target, facts + [("note", note) for note in notes]


def facts_of(
    options: argparse.Namespace, frame: Any, dialect: Dialect | None, rows: Rows, target: Target
) -> list[tuple[str, str]]:
    """Return what was read, as pairs of a word and a text."""
    kind = "Parquet" if dialect is None else str(dialect)
    words = sum(is_words(rows.X[name]) for name in rows.X.columns)
    missing = int(rows.X.isna().to_numpy().sum())
    columns = f"{rows.X.shape[1] - words} of numbers, {words} of words"
    if missing:
        columns += f"; {missing:,} missing cells"
    if target.classifies:
        values, counts = np.unique(target.values, return_counts=True)
        shown = ", ".join(f"{a}: {n:,}" for a, n in list(zip(values, counts, strict=True))[:6])
        what = f"{len(values)} classes ({shown}{', ...' if len(values) > 6 else ''})"
    else:
        what = f"values from {target.values.min():g} to {target.values.max():g}"
    found = [
        ("data", f"{options.data}: {frame.shape[0]:,} rows, {frame.shape[1]} columns ({kind})"),
        ("target", f"{options.target}: {what}"),
        ("columns", columns),
    ]
    if target.why:
        task = "classes" if target.classifies else "values"
        found.insert(2, ("task", f"{task}, as the target has {target.why}"))
    return found


def is_words(cells: Any) -> bool:
    """Tell whether a column will be read as words."""
    return str(cells.dtype) in ("bool", "boolean", "category") or holds_texts(cells)


def split(rows: Rows, target: Target, share: float, seed: int) -> tuple[Rows, Rows | None]:
    """Return the rows to train on, and those held back; classes are divided alike.

    Of each class at least one row is trained on: without it the estimator would not know the class,
    and nothing could be said of its probability.

    Raises
    ------
    ValueError
        Too few rows, or none that can be held back.
    """
    if not share:
        return rows, None
    from ..sklearn.tabular.folds import held_back

    if len(rows.y) < 3:
        raise ValueError(f"expected at least 3 rows with a target, got {len(rows.y)}")
    labels = np.unique(rows.y, return_inverse=True)[1] if target.classifies else None
    rng = np.random.RandomState(seed % 2**32)
    kept, held = held_back(len(rows.y), labels, share, rng)
    if labels is not None:
        _, firsts = np.unique(labels[held], return_index=True)
        needed = firsts[~np.isin(labels[held[firsts]], labels[kept])]
        kept, held = np.concatenate([kept, held[needed]]), np.delete(held, needed)
        if not len(held):
            raise ValueError(
                f"--test-fraction: expected classes of several rows, got {len(np.unique(labels))} "
                f"classes in {len(labels)} rows: is the target the right column? Else "
                "--task regress, or --test-fraction 0"
            )
        if len(np.unique(labels[kept])) < 2:
            raise ValueError("--test-fraction: expected two classes among the other rows, got one")
    return rows.some(np.sort(kept)), rows.some(np.sort(held))


def new_estimator(options: argparse.Namespace, classifies: bool, X: Any) -> Any:
    """Return an estimator with the parameters that were given.

    Raises
    ------
    ValueError
        One that the other task has.
    """
    from ..sklearn import TabularClassifier, TabularRegressor

    given = {
        "preset": options.preset,
        "epochs": options.epochs,
        "ensemble": options.ensemble,
        "validation_fraction": options.validation_fraction,
        "n_threads": options.threads,
    }
    of_classes = {
        "metric": options.metric,
        "class_weight": "balanced" if options.balanced else None,
        "calibration": "temperature" if options.calibrate else None,
    }
    of_values = {"quantiles": options.quantiles}
    names = {"class_weight": "balanced", "calibration": "calibrate"}
    for name, value in (of_values if classifies else of_classes).items():
        if value is not None:
            task = "values" if classifies else "classes"
            raise ValueError(f"--{names.get(name, name)}: expected a target of {task}")
    given.update(of_classes if classifies else of_values)
    chosen = {name: value for name, value in given.items() if value is not None}
    kind = TabularClassifier if classifies else TabularRegressor
    check_ranks(options)
    several = options.ensemble is not None and options.ensemble > 1
    return kind(random_state=options.seed, verbose=int(several and not options.quiet), **chosen)


def check_ranks(options: argparse.Namespace) -> None:
    """Refuse one net that processes cannot share.

    Raises
    ------
    ValueError
        Its preset has layers that no plan trains.
    """
    if options.mpi and (options.ensemble or 1) == 1 and options.preset == "tabm-mini":
        raise ValueError(
            "--mpi: expected --ensemble of at least 2, whose members the processes share, or "
            f"another preset, got one net of the preset {options.preset!r}"
        )


def trained(estimator: Any, rows: Rows, quiet: bool) -> tuple[float, list[str]]:
    """Fit the estimator; return the seconds it took, and what it warned of."""
    start = time.perf_counter()
    with ExitStack() as stack:
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always", UserWarning)
        warnings.filterwarnings("ignore", OF_NAMES, UserWarning)  # the columns' notes tell of them
        if quiet:
            stack.enter_context(redirect_stderr(StringIO()))  # no terminal, so no bar
        estimator.fit(rows.X, rows.y, sample_weight=rows.weight)
    sys.stderr.flush()
    notes = [" ".join(str(each.message).split()) for each in caught]
    return time.perf_counter() - start, list(dict.fromkeys(notes))


def reported(
    options: argparse.Namespace,
    estimator: Any,
    train: Rows,
    test: Rows | None,
    *,
    importance: bool,
) -> Report:
    """Return the report on the rows held back, or on those that chose the epochs."""
    classes = getattr(estimator, "classes_", None)
    guess = guess_of(train.y, classes, levels_of(estimator))
    if test is not None:
        rows = test
        outcome = outcome_of(estimator, rows.X, rows.y, rows.weight, guess)
        what = f"{len(rows.y):,} rows that the net has not seen"
    else:
        rows, outcome = held_out(estimator, train, guess)
        what = f"{len(rows.y):,} held-out rows, which chose the epochs: a little too good"
    found = None
    if importance:
        found = importance_of(estimator, rows.X, rows.y, rows.weight, guess, options.seed)
    name = type(estimator).__name__
    return Report(f"{options.target}, {name}", what, outcome, curve_of(estimator), found)


def held_out(estimator: Any, rows: Rows, guess: Array) -> tuple[Rows, Any]:
    """Return rows that some member did not train on, and what that member says of them."""
    if estimator._classifies:
        shares = estimator.oof_predict_proba_
        places = np.flatnonzero(~np.isnan(shares[:, 0]))
        shares = shares[places]
        predicted = estimator.classes_[shares.argmax(axis=1)]
    else:
        found = estimator.oof_prediction_
        places = np.flatnonzero(~np.isnan(found.reshape(len(found), -1)[:, 0]))
        shares, predicted = None, found[places]
    chosen = rows.some(places)
    blank = outcome_of(estimator, chosen.X[:1], chosen.y[:1], None, guess)
    return chosen, blank._replace(
        truth=chosen.y, predicted=predicted, weight=chosen.weight, probabilities=shares
    )
