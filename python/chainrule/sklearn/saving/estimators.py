"""An estimator <-> a document of plain values, and tensors.

``{"kind": "estimator", "class": ..., "parameters": {...}, "fitted": {...}, "head": ...,
"shared": {...}}``: parameters.py and records.py tell what stands in them; ``head`` is how a
perceptron's loss counts; ``shared`` names tensors that are the memory of another one, as those of
nets that share weights.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from sklearn.utils.validation import check_is_fitted

from ...arrays import Array
from ...saving import model_file
from ...saving.architecture import without_copies, without_shared
from ...saving.model_file import Document, Tensor, shown
from ...saving.parts import Custom, require
from ...saving.saving import as_custom, as_path, reading
from ...settings import is_flag, is_positive
from ...training.precision import recall_accuracy
from ..base import BasePerceptron
from ..settings import CHECKS as PERCEPTRON_CHECKS
from ..tabular.settings import CHECKS as TABULAR_CHECKS
from .fields import Source
from .objects import Record
from .parameters import LEFT_OUT, build_parameters, check_parameters, check_values
from .parameters import describe_parameters as described_parameters
from .records import ESTIMATORS, finish_perceptron, finish_tabular

FIELDS = {"format", "version", "kind", "class", "parameters", "fitted", "head", "shared"}
HEAD = {"loss_factor": is_positive, "labels": is_flag}


def save_estimator(estimator: Any, path: Any) -> None:
    """Write a fitted estimator to a file; see its method `save`."""
    target, record = as_path(path), ESTIMATORS.get(type(estimator))
    if record is None:
        known = ", ".join(kind.__name__ for kind in ESTIMATORS)
        raise TypeError(f"save: expected one of {known}, got {type(estimator).__name__}")
    check_is_fitted(estimator)
    check_values(estimator, checks_of(estimator))
    tensors: dict[str, Array] = {}
    with ExitStack() as stack:
        for model in models_of(estimator):
            stack.enter_context(model._used_by("save"))
            model._prepare(parts=())
            recall_accuracy(model)
        document = {
            "kind": "estimator",
            "class": type(estimator).__name__,
            "parameters": described_parameters(estimator, tensors),
            "fitted": record.describe(estimator, "", tensors),
            "head": None,
        }
        if is_perceptron(estimator):
            document["head"] = {name: getattr(estimator._head, name) for name in HEAD}
        tensors, document["shared"] = without_copies(tensors)
        model_file.write(target, document, tensors)


def load_estimator(path: Any, custom: Any = (), kind: type | None = None) -> Any:
    """Return the estimator that a file holds, of any class or of class `kind`.

    Parameters
    ----------
    path : str or path-like
    custom : sequence of classes
        Classes of the user's own that the nets may name, as in `chainrule.Model.load`.
    kind : type, optional
        MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor.

    Raises
    ------
    ModelFileError
        The file is damaged, holds something else, was written by a later version, or names a class
        that `custom` does not have.
    OSError
        The file cannot be read.
    """
    source, classes = as_path(path), as_custom(custom)
    if kind is not None and kind not in ESTIMATORS:
        known = ", ".join(each.__name__ for each in ESTIMATORS)
        raise TypeError(f"load: expected one of {known}, got {kind.__name__}")
    with reading(source):
        document, tensors = model_file.read(source, lambda found: promises(found, kind, classes))
        return built(document, tensors, classes)


def promises(document: Document, kind: type | None, custom: Custom) -> dict[str, Tensor]:
    """Return the tensors of an estimator's document, after checking the document."""
    if document.get("kind") != "estimator":
        got = shown(document.get("kind"))
        hint = "; use chainrule.Model.load" if got == "'model'" else ""
        raise ValueError(f"document: kind: expected 'estimator', got {got}{hint}")
    if set(document) != FIELDS:
        wrong = ", ".join(shown(name) for name in sorted(set(document) ^ FIELDS))
        raise ValueError(f"document: expected {', '.join(sorted(FIELDS))}; check {wrong}")
    record = record_of(document)
    if kind not in (None, record.kind):
        assert kind is not None
        raise ValueError(f"class: expected {kind.__name__}, got {record.kind.__name__}")
    check_head(document["head"], issubclass(record.kind, BasePerceptron))
    names = [name for name in record.kind().get_params(deep=False) if name not in LEFT_OUT]
    pairs = list(check_parameters(document["parameters"], names, custom))
    pairs += record.check(document["fitted"], "", {}, custom)
    tensors = dict(pairs)
    if len(tensors) != len(pairs):
        raise ValueError("tensors: expected each name once, got one twice")
    return without_shared(tensors, document["shared"])


def record_of(document: Document) -> Record:
    """Return the record of the class that a document names."""
    for kind, record in ESTIMATORS.items():
        if kind.__name__ == document["class"]:
            return record
    raise ValueError(f"class: expected an estimator's, got {shown(document['class'])}")


def check_head(head: Any, there: bool) -> None:
    """Refuse what does not say how a perceptron's loss counts."""
    if head is None and not there:
        return
    if not there or not isinstance(head, dict) or set(head) != set(HEAD):
        raise ValueError(f"head: expected {', '.join(HEAD) if there else 'none'}")
    for name, check in HEAD.items():
        require(check, head[name], f"head: {name}")


def built(document: Document, tensors: dict[str, Array], custom: Custom) -> Any:
    """Return the estimator of a checked document."""
    record = record_of(document)
    tensors = {**tensors, **{name: tensors[of] for name, of in document["shared"].items()}}
    estimator = record.kind(**build_parameters(document["parameters"], tensors, custom))
    check_values(estimator, checks_of(estimator))
    vars(estimator).update(record.attributes(document["fitted"], "", Source(tensors, custom)))
    if is_perceptron(estimator):
        finish_perceptron(estimator, document["head"])
    else:
        finish_tabular(estimator)
    return estimator


def is_perceptron(estimator: Any) -> bool:
    """Tell the estimators with one net from those with members."""
    return isinstance(estimator, BasePerceptron)


def models_of(estimator: Any) -> list[Any]:
    """Return the nets of a fitted estimator."""
    if is_perceptron(estimator):
        return [estimator.model_]
    return [model for member in estimator.members_ for model in member.models]


def checks_of(estimator: Any) -> Any:
    """Return the checks of the constructor's parameters."""
    return PERCEPTRON_CHECKS if is_perceptron(estimator) else TABULAR_CHECKS
