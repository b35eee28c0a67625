"""What a file keeps of an estimator: for each class its attributes, each with its kind of value.

A new attribute of an encoding, a reader or a member gets its line here and nowhere else; a test
compares these tables with the attributes that fits leave.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import Array
from ...layers import Layer_Dense
from ...settings import is_count, is_flag, is_positive, is_size, one_of
from ...shapes import first_columns, output_width
from ..classifier import MLPClassifier
from ..heads import Head
from ..labels import Labels
from ..regressor import MLPRegressor
from ..tabular.classifier import TabularClassifier
from ..tabular.encoding import Encoding
from ..tabular.member import Member
from ..tabular.regressor import TabularRegressor
from ..tabular.table import TableReader, codes_of
from ..tabular.units import Units
from .arrays import Floats, FloatsOfLevels, Ints, LabelArray, Levels, Texts, WordMask
from .fields import Cell, Field, ListOf, Maybe, OrNone, Plain
from .objects import Net, Record

Fields = dict[str, Field | Maybe]


def finish_labels(labels: Any) -> None:
    """Set the labels' places; refuse a kind that does not fit their number."""
    count = len(labels.classes)
    several = labels.kind == "multilabel" and labels.classes.tolist() == list(range(count))
    if not several and labels.kind != ("binary" if count <= 2 else "multiclass"):
        raise ValueError(f"kind: expected one that fits {count} labels, got {labels.kind!r}")
    labels._keys = {label: place for place, label in enumerate(labels.classes.tolist())}


def finish_reader(reader: Any) -> None:
    """Set the codes of the levels."""
    reader.categorical = None  # serves fits alone, which make a new reader
    reader._codes = [codes_of(levels) for levels in reader.levels]


def check_encoding(encoding: Any) -> None:
    """Refuse codes that a table of the said number of rows does not have."""
    for size, levels in zip(encoding.sizes, encoding.words, strict=True):
        if size == 0:
            continue
        known = (levels == np.floor(levels)) & (levels >= 0) & (levels < size)
        if levels.shape[1] != 1 or not known.all():
            raise ValueError(f"words: expected codes from 0 to {size - 1} in one column")


def check_member(member: Any) -> None:
    """Refuse nets that do not take what the encoding gives."""
    if not member.models:
        raise ValueError("models: expected at least one, got none")
    for model in member.models:
        check_columns(model, member.encoding.width, "encoding")


def check_columns(model: Any, width: int, what: str) -> None:
    """Refuse a net for another number of inputs."""
    found = first_columns(model.layers)
    if found != width:
        raise ValueError(f"model: expected {width} inputs, as {what} says, got {found}")


ENCODING = Record(
    Encoding,
    {
        "medians": Floats("numbers"),
        "marked": Ints("marked", below="numbers"),
        "_centers": Floats("numbers+marked"),
        "_scales": Floats("numbers+marked"),
        "words": FloatsOfLevels(),
        "sizes": Ints("words"),
    },
    check_encoding,
)
READER = Record(
    TableReader,
    {"words": WordMask(), "names": Texts("columns"), "levels": Levels()},
    finish_reader,
)
UNITS = Record(Units, {name: Floats("outputs") for name in ("mean", "std", "least", "largest")})
MEMBER = Record(
    Member,
    {
        "encoding": ENCODING,
        "models": ListOf(Net()),
        "units": OrNone(UNITS),
        "best_epoch": Plain(is_count),
        "curve": Floats(""),
    },
    check_member,
)
LABELS = Record(
    Labels,
    {"classes": LabelArray(), "kind": Plain(one_of("binary", "multiclass", "multilabel"))},
    finish_labels,
)

# --- estimators -----------------------------------------------------------------------------------

COLUMNS: Fields = {
    "n_features_in_": Plain(is_size, "columns"),
    "feature_names_in_": Maybe(Texts("columns", in_array=True)),
}
NUMBERS = Floats("", as_list=True)
PERCEPTRON: Fields = {
    **COLUMNS,
    "model_": Net(),
    "n_iter_": Plain(is_count),
    "t_": Plain(is_count),
    "loss_": Maybe(Cell()),
    "loss_curve_": Maybe(NUMBERS),
    "validation_loss_curve_": Maybe(NUMBERS),
    "validation_scores_": Maybe(OrNone(NUMBERS)),
    "best_loss_": Maybe(OrNone(Cell())),
    "best_validation_score_": Maybe(OrNone(Cell())),
    "_idle_epochs": Maybe(Plain(is_count)),
    "_incremental": Maybe(Plain(is_flag)),
}
TABULAR: Fields = {
    **COLUMNS,
    "_reader": READER,
    "members_": ListOf(MEMBER, "members"),
    "seeds_": ListOf(Plain(is_count), "members"),
    "best_epoch_": Ints("members"),
    "validation_curve_": Floats("members", ""),
}
CLASSES: Fields = {"_labels": LABELS}


def finish_perceptron(estimator: Any, head: dict[str, Any]) -> None:
    """Set what follows from the net; refuse one that does not fit columns or targets."""
    model = estimator.model_
    found = Head.of_model(model, model.layers[-1])._replace(**head)
    hidden = sum(isinstance(layer, Layer_Dense) for layer in model.layers) - 1
    if hidden < 0:
        raise ValueError("model_: expected a dense layer, got none")
    check_columns(model, estimator.n_features_in_, "n_features_in_")
    kept = dict(vars(estimator))
    estimator._begin(model, found, hidden)
    vars(estimator).update(kept)
    if estimator._classifies:
        finish_classes(estimator)
        count = len(estimator.classes_)
        widths = {1, 2} if count <= 2 else {count}
        widths = {count} if estimator._labels.kind == "multilabel" else widths
        check_outputs(model, widths)


def finish_tabular(estimator: Any) -> None:
    """Refuse nets that do not fit the targets; set the classes."""
    if not estimator.members_:
        raise ValueError("members_: expected at least one, got none")
    classifies = estimator._classifies
    if classifies:
        finish_classes(estimator)
        widths = {len(estimator.classes_)}
    else:
        given = estimator.quantiles
        widths = {estimator._n_columns if given is None else len(given)}
    for member in estimator.members_:
        for model in member.models:
            check_outputs(model, widths)
        if (member.units is None) != classifies:
            raise ValueError("units: expected those of values alone")
        if member.units is not None and len(member.units.mean) != estimator._n_columns:
            raise ValueError(f"units: expected {estimator._n_columns}, as there are columns of y")


def finish_classes(estimator: Any) -> None:
    """Set the classes of the labels."""
    classes: Array = estimator._labels.classes
    estimator.classes_ = classes


def check_outputs(model: Any, widths: set[int]) -> None:
    """Refuse a net with another number of outputs."""
    found = output_width(model.layers)
    if found is None or found[1] not in widths:
        got = "none" if found is None else found[1]
        raise ValueError(f"model: expected {' or '.join(map(str, widths))} outputs, got {got}")


ESTIMATORS: dict[type, Record] = {
    MLPClassifier: Record(MLPClassifier, {**PERCEPTRON, **CLASSES}),
    MLPRegressor: Record(MLPRegressor, {**PERCEPTRON, "_n_columns": Plain(is_size)}),
    TabularClassifier: Record(
        TabularClassifier, {**TABULAR, **CLASSES, "temperature_": Plain(is_positive)}
    ),
    TabularRegressor: Record(
        TabularRegressor, {**TABULAR, "_n_columns": Plain(is_size), "_flat": Plain(is_flag)}
    ),
}
