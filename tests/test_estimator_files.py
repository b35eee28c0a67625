"""Files of estimators: what is loaded predicts with the same bits; what was changed is refused."""

from __future__ import annotations

import json
import os
import random
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import chainrule
import tabular_cases as cases
from chainrule import Loss_Huber, Loss_Quantile, Model, ModelFileError, Optimizer_SGD, schedules
from chainrule.sklearn import (
    MLPClassifier,
    MLPRegressor,
    TabularClassifier,
    TabularRegressor,
    load_estimator,
)
from chainrule.sklearn.saving import records
from chainrule.sklearn.saving.objects import Record
from forgery import joined, places, split

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y3 = np.repeat(["ash", "birch", "cedar"], 20)
SHORT: dict[str, Any] = {"hidden_layer_sizes": (6, 5), "max_iter": 4, "random_state": 0}
TABLE: dict[str, Any] = {"hidden_layer_sizes": (6,), "epochs": 3, "random_state": 0}
LEFT_OUT = {"oof_predict_proba_", "oof_prediction_", "callbacks", "_steps"}


def fitted(estimator: Any, X: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y)


def saved(estimator: Any, folder: Path) -> Any:
    estimator.save(folder / "file")
    return load_estimator(folder / "file")


def saved_bytes(estimator: Any, folder: Path) -> bytes:
    estimator.save(folder / "file")
    return (folder / "file").read_bytes()


def assert_same(one: Any, two: Any, X: Any) -> None:
    """The same class, attributes and bits of predictions."""
    assert type(one) is type(two)
    assert set(vars(one)) - LEFT_OUT == set(vars(two)) - LEFT_OUT
    for method in ("predict", "predict_proba", "predict_std"):
        if hasattr(one, method):
            a, b = getattr(one, method)(X), getattr(two, method)(X)
            assert a.dtype == b.dtype and a.shape == b.shape
            assert a.tobytes() == b.tobytes() or (a.dtype == object and a.tolist() == b.tolist())
    assert repr(one) == repr(two)


LABELS: dict[str, Any] = {
    "texts": Y3,
    "texts in wide cells": Y3.astype("U40"),
    "objects": Y3.astype(object),
    "odd texts": np.array(["", "\ud800", 'a"\n\u2028é'])[np.arange(60) % 3],
    "ints": np.arange(60) % 4 - 2,
    "small ints": (np.arange(60) % 3).astype(np.int8),
    "unsigned": (2**63 + np.arange(60, dtype=np.uint64) % 2),
    "truth values": np.arange(60) % 2 == 0,
    "floats": np.arange(60) % 3 / 1.0,
    "single": (np.arange(60) % 2).astype(np.float32),
    "big-endian": (np.arange(60) % 3).astype(">i4"),
}


@pytest.mark.parametrize("kind", [MLPClassifier, TabularClassifier])
@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_type_come_back(kind: Any, name: str, tmp_path: Path) -> None:
    estimator = fitted(kind(**(TABLE if kind is TabularClassifier else SHORT)), X, LABELS[name])
    twin = saved(estimator, tmp_path)
    assert_same(estimator, twin, X)
    # the core's byte order is the machine's
    assert twin.classes_.dtype == estimator.classes_.dtype.newbyteorder("=")
    assert twin.classes_.tolist() == estimator.classes_.tolist()


CASES: dict[str, tuple[Any, Any, Any]] = {
    "members, calibrated": (
        TabularClassifier(ensemble=3, calibration="temperature", class_weight="balanced", **TABLE),
        cases.frame,
        cases.labels,
    ),
    "a regressor": (TabularRegressor(**TABLE), cases.objects, cases.values),
    "refitted": (TabularRegressor(ensemble=2, combine="refit", **TABLE), cases.frame, cases.values),
    "the small preset": (TabularClassifier(preset="small", **TABLE), cases.frame, cases.labels),
    "learned tables": (
        TabularClassifier(preset="default", max_onehot=2, **TABLE), cases.frame, cases.labels,
    ),
    "members that share": (
        TabularRegressor(preset="tabm-mini", ensemble=2, **TABLE), cases.frame, cases.values,
    ),
    "quantiles": (
        TabularRegressor(quantiles=[0.1, 0.5, 0.9], ensemble=2, **TABLE),
        cases.frame,
        cases.values,
    ),
    "a column of y": (TabularRegressor(**TABLE), X, X[:, :1]),
    "two columns of y": (TabularRegressor(**TABLE), X, X[:, :2]),
    "words alone": (TabularClassifier(**TABLE), Y3[:, None], Y3),
    "named words": (
        TabularClassifier(categorical_features=[0, 2], dropout=0.1, **TABLE), np.round(X), Y3,
    ),
    "mixed levels": (
        TabularRegressor(**TABLE),
        np.array([["a", 1, 2.5, True, None, np.int64(7), np.str_("b"), float("inf")][k % 8]
                  for k in range(60)], dtype=object)[:, None],
        X[:, 0],
    ),
    "classes": (MLPClassifier(**SHORT), X, Y3),
    "float32": (MLPClassifier(**SHORT), X.astype(np.float32), Y3),
    "two classes": (MLPClassifier(class_weight={"no": 1.0, "yes": 2.0}, **SHORT),
                    cases.frame()[["count"]], cases.labels),
    "keys of floats": (MLPClassifier(class_weight={0.0: 1, 1.0: 2.5}, **SHORT), X,
                       np.arange(60) % 2 / 1.0),
    "several labels": (MLPClassifier(**SHORT), X, (X > 0).astype(int)),
    "a binary softmax": (
        MLPClassifier(loss=chainrule.Loss_CategoricalCrossentropy(label_smoothing=0.1), **SHORT),
        X, np.arange(60) % 2,
    ),
    "early stopping": (MLPClassifier(early_stopping="roc_auc", **SHORT), X, np.arange(60) % 2),
    "one class": (MLPClassifier(**SHORT), X, np.zeros(60, dtype=int)),
    "values": (MLPRegressor(**SHORT), X, X[:, 0]),
    "several values": (MLPRegressor(**SHORT), X, X[:, :3]),
    "parts": (
        MLPRegressor(Loss_Huber(2.0), activation=[chainrule.Activation_GELU, "mish"],
                     optimizer=Optimizer_SGD(0.01, momentum=0.9), schedule=schedules.Cosine(),
                     dropout=[0.1, 0.0], clip_norm=1.0, **SHORT),
        X, X[:, 0],
    ),
    "quantiles of a perceptron": (MLPRegressor(Loss_Quantile([0.2, 0.8]), **SHORT), X, X[:, 0]),
    "counts": (MLPRegressor("poisson", **SHORT), X, np.arange(60) % 5),
    "l-bfgs": (MLPRegressor(solver="lbfgs", **SHORT), X, X[:, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_loaded_has_the_same_attributes_and_bits(name: str, tmp_path: Path) -> None:
    estimator, samples, targets = CASES[name]
    samples = samples() if callable(samples) else samples
    targets = targets() if callable(targets) else targets
    estimator = fitted(estimator, samples, targets)
    twin = saved(estimator, tmp_path)
    assert_same(estimator, twin, samples)
    twin.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "file").read_bytes()
    assert_same(estimator, type(estimator).load(tmp_path / "again"), samples)


def test_new_words_and_missing_cells_are_read_as_before(tmp_path: Path) -> None:
    estimator = fitted(TabularClassifier(**TABLE), cases.frame(), cases.labels())
    twin = saved(estimator, tmp_path)
    table = cases.frame(50, seed=1).astype({"colour": object})
    table.loc[::3, "colour"], table.loc[1::3, "length"] = "mauve", None
    assert_same(estimator, twin, table)
    with pytest.raises(ValueError, match="feature names"):
        twin.predict(table[table.columns[::-1]])


def test_a_fit_goes_on_from_a_file_with_the_same_bits(tmp_path: Path) -> None:
    for solver in ("adam", "sgd"):
        net = MLPClassifier(solver=solver, warm_start=True, early_stopping=False, **SHORT)
        net = fitted(net, X, Y3)
        twin = saved(net, tmp_path)
        for each in (net, twin):
            each.partial_fit(X, Y3)
            fitted(each, X, Y3)
        assert_same(net, twin, X)
        assert net.loss_curve_ == twin.loss_curve_ and net.t_ == twin.t_


def test_a_net_of_the_users_own_activation_needs_its_class(tmp_path: Path) -> None:
    class Halved:
        def __init__(self) -> None:
            self.factor = 0.5

        def forward(self, inputs: Any) -> None:
            self.output = inputs * self.factor

        def backward(self, dvalues: Any) -> None:
            self.dinputs = dvalues * self.factor

    net = fitted(MLPClassifier(activation=Halved(), **SHORT), X, Y3)
    net.save(tmp_path / "file")
    with pytest.raises(ModelFileError, match=r"pass custom=\[Halved\]"):
        load_estimator(tmp_path / "file")
    twin = MLPClassifier.load(tmp_path / "file", custom=[Halved])
    assert twin.predict_proba(X).tobytes() == net.predict_proba(X).tobytes()


def test_estimators_around_models_are_saved(tmp_path: Path) -> None:
    net = fitted(MLPClassifier(**SHORT), X, Y3)
    around = MLPClassifier.from_model(net.model_, classes=net.classes_)
    twin = saved(around, tmp_path)
    assert twin.predict_proba(X).tobytes() == net.predict_proba(X).tobytes()


def test_nets_that_share_memory_share_it_in_the_file_and_again(tmp_path: Path) -> None:
    net = fitted(TabularClassifier(ensemble=2, **TABLE), X, Y3)
    one, two = (member.models[0].layers[0] for member in net.members_)
    apart = len(saved_bytes(net, tmp_path))
    two.weights, two.biases = one.weights, one.biases
    together = len(saved_bytes(net, tmp_path))
    assert apart - together > 0.9 * one.weights.nbytes
    twin = load_estimator(tmp_path / "file")
    first, second = (member.models[0].layers[0] for member in twin.members_)
    assert first.weights is second.weights
    assert saved_bytes(twin, tmp_path) == saved_bytes(net, tmp_path)
    assert twin.predict_proba(X).tobytes() == net.predict_proba(X).tobytes()


def test_the_nets_own_file_needs_no_scikit_learn(tmp_path: Path) -> None:
    net = fitted(MLPClassifier(**SHORT), X, Y3)
    net.model_.save(tmp_path / "net")
    assert Model.load(tmp_path / "net").predict(X).tobytes() == net.predict_proba(X).tobytes()


def test_every_attribute_of_a_fit_has_its_line_in_records() -> None:
    """A new attribute that no table names would be lost in a file."""
    follows = {"_codes", "categorical", "_keys"}  # from the others
    net = fitted(TabularClassifier(ensemble=2, **TABLE), cases.frame(), cases.labels())
    member = net.members_[0]
    value = fitted(TabularRegressor(**TABLE), X, X[:, 0]).members_[0].units
    for record, thing in (
        (records.READER, net._reader),
        (records.ENCODING, member.encoding),
        (records.LABELS, net._labels),
        (records.MEMBER, member),
        (records.UNITS, value),
    ):
        assert isinstance(record, Record)
        names = set(thing._fields) if isinstance(thing, tuple) else set(vars(thing)) - follows
        assert names == set(record.fields)


# Refusals


def test_what_cannot_be_saved_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(NotFittedError):
        TabularClassifier().save(path)
    scored = fitted(MLPClassifier(early_stopping=lambda net, X, y: net.score(X, y), **SHORT), X, Y3)
    with pytest.raises(TypeError, match=r"early_stopping: .*set_params\(early_stopping=\.\.\.\)"):
        scored.save(path)
    scored.set_params(early_stopping=True).save(path)
    drawn = MLPClassifier(**{**SHORT, "random_state": np.random.RandomState(0)})
    with pytest.raises(TypeError, match=r"random_state: .*got a RandomState"):
        fitted(drawn, X, Y3).save(path)
    before = path.read_bytes()
    days = np.array([np.datetime64("2020-01-01").item(), "a", "b"], dtype=object)[np.arange(60) % 3]
    with pytest.raises(TypeError, match=r"levels/0: expected texts, .*datetime"):
        fitted(TabularClassifier(**TABLE), days[:, None], Y3).save(path)
    with pytest.raises(ValueError, match="epochs"):
        fitted(TabularClassifier(**TABLE), X, Y3).set_params(epochs=0).save(path)

    class Mine(TabularClassifier):
        pass

    with pytest.raises(TypeError, match=r"expected one of MLPClassifier, .* got Mine"):
        fitted(Mine(**TABLE), X, Y3).save(path)
    with pytest.raises(TypeError, match="got Mine"):
        Mine.load(path)
    assert path.read_bytes() == before


def test_files_of_other_kinds_are_named(tmp_path: Path) -> None:
    net = fitted(MLPClassifier(**SHORT), X, Y3)
    net.save(tmp_path / "estimator")
    net.model_.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"got 'model'; use chainrule\.Model\.load"):
        load_estimator(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"use chainrule\.sklearn\.load_estimator"):
        Model.load(tmp_path / "estimator")
    with pytest.raises(ModelFileError, match="class: expected TabularClassifier, got MLPCl"):
        TabularClassifier.load(tmp_path / "estimator")
    with pytest.raises(FileNotFoundError):
        load_estimator(tmp_path / "absent")


@pytest.mark.skipif(os.name != "posix", reason="modes and full disks are POSIX's")
def test_files_are_replaced_as_a_whole(tmp_path: Path, monkeypatch: Any) -> None:
    net = fitted(TabularClassifier(**TABLE), X, Y3)
    path = tmp_path / "file"
    net.save(path)
    path.chmod(0o640)
    before = path.read_bytes()

    def full(*arguments: Any) -> None:
        raise OSError(28, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space left"):
            net.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["file"]
    net.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# Mutants

NAMES = ("members, calibrated", "quantiles", "parts", "two classes", "learned tables")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, Any]]:
    """Files of some estimators, each with samples for it."""
    path, found = tmp_path_factory.mktemp("files") / "file", {}
    for name in NAMES:
        estimator, samples, targets = CASES[name]
        samples = samples() if callable(samples) else samples
        targets = targets() if callable(targets) else targets
        fitted(estimator, samples, targets).save(path)
        found[name] = path.read_bytes(), samples[:5]
    return found


def works_or_says_why(estimator: Any, X: Any) -> None:
    """Predict; columns or units that were forged may be refused then."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names of columns that are gone, or overflows
            estimator.predict(X)
    except (TypeError, ValueError):
        pass


def load(data: bytes, folder: Path) -> Any:
    (folder / "mutant").write_bytes(data)
    return load_estimator(folder / "mutant")


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_byte_is_found(name: str, files: Any, tmp_path: Path) -> None:
    data, draw = files[name][0], random.Random(0)
    header = 8 + int.from_bytes(data[:8], "little")
    for k in range(200):
        mutant = bytearray(data)
        mutant[draw.randrange(header if k % 3 else len(data))] ^= 1 << draw.randrange(8)
        with pytest.raises(ModelFileError):
            load(bytes(mutant), tmp_path)
    for _ in range(60):
        with pytest.raises(ModelFileError):
            load(data[: draw.randrange(len(data))], tmp_path)


LEAVES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 2**31, 2**63, 10**40, 0.5, -1e300, float("nan"),
    float("inf"),     "", "a", "weights", "Layer_Dense", "Activation_ReLU", "float32", "float64",
    "U9", "kind", [], {},
]  # fmt: skip


def some_value(draw: random.Random, depth: int = 0) -> Any:
    """A leaf, or a small list or object of values."""
    form = draw.random() + depth
    if form < 0.15:
        return [some_value(draw, 1) for _ in range(draw.randrange(4))]
    if form < 0.3:
        words = ["list", "tuple", "dict", "float", "part", "type", "class", "own", "x"]
        return {word: some_value(draw, 1) for word in draw.sample(words, draw.randrange(3))}
    return draw.choice(LEAVES)


def mutated(document: Any, draw: random.Random) -> Any:
    """A copy with one node replaced, removed or added."""
    document = json.loads(json.dumps(document))
    *way, last = draw.choice(places(document))
    node = document
    for key in way:
        node = node[key]
    action = draw.choice(["replace", "remove", "add"])
    if action == "replace":
        node[last] = some_value(draw)
    elif action == "remove":
        del node[last]
    elif isinstance(node, dict):
        node[draw.choice(["", "x", "own", "class", "part"])] = some_value(draw)
    else:
        node.append(some_value(draw))
    return document


@pytest.mark.parametrize("name", NAMES)
def test_a_signed_mutant_is_refused_or_taken_at_its_word(
    name: str, files: Any, tmp_path: Path
) -> None:
    """The checksum is right. What is loaded works, or says what is wrong with the samples."""
    assert loaded_of(250, mutated, 2, files[name], tmp_path) < 125


def loaded_of(count: int, change: Any, seed: int, file: Any, folder: Path) -> int:
    """Try changed documents in a file; all that load must work. Return how many do."""
    header, document, body = split(file[0])
    draw = random.Random(seed)
    loaded = 0
    for _ in range(count):
        try:
            estimator = load(joined(header, change(document, draw), body), folder)
        except ModelFileError:
            continue
        loaded += 1
        repr(estimator)
        estimator.save(folder / "again")
        works_or_says_why(estimator, file[1])
    return loaded


def swapped(document: Any, draw: random.Random) -> Any:
    """A copy in which one node stands where another one stood: what a plausible forgery has."""
    document = json.loads(json.dumps(document))
    found: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):
            found.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(document)
    (a, i), (b, j) = draw.sample(found, 2)
    if draw.random() < 0.3 and type(a[i]) in (int, float):
        a[i] = draw.choice([0, -1, a[i] + 1, 2**40, 1e300, True])
    else:
        a[i] = json.loads(json.dumps(b[j]))
    return document


@pytest.mark.parametrize("name", NAMES)
def test_nodes_that_change_places_are_refused_or_harmless(
    name: str, files: Any, tmp_path: Path
) -> None:
    assert loaded_of(300, swapped, 1, files[name], tmp_path) < 300


def forged(files: Any, name: str, change: Callable[[Any], Any]) -> bytes:
    header, document, body = split(files[name][0])
    change(document)
    return joined(header, document, body)


def member(document: Any) -> Any:
    return document["fitted"]["members_"][0]


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        (NAMES[0], lambda d: d.update({"class": "os.system"}), "class: expected an estimator's"),
        (NAMES[0], lambda d: d.update({"class": "MLPClassifier"}), "head: expected loss_factor"),
        (NAMES[0], lambda d: d.update(head={}), "head: expected none"),
        (NAMES[0], lambda d: d.pop("head"), "check 'head'"),
        (NAMES[0], lambda d: d.update(shared={"a": "b"}), "shared: expected names of tensors"),
        (NAMES[0], lambda d: d["parameters"].pop("epochs"), "parameters: expected"),
        (NAMES[0], lambda d: d["parameters"].update(epochs=0), "epochs: expected"),
        (NAMES[0], lambda d: d["parameters"].update(ensemble={"part": {}}), "ensemble: expected a"),
        (NAMES[0], lambda d: d["fitted"].update(more=1), "TabularClassifier has; check 'more'"),
        (NAMES[0], lambda d: d["fitted"].update(n_features_in_=4), "expected 4 entries, got 5"),
        (NAMES[0], lambda d: d["fitted"].update(members_=[]), "seeds_: expected 0"),
        (NAMES[0], lambda d: d["fitted"]["_reader"]["levels"][0].append("blue"), "got one twice"),
        (NAMES[0], lambda d: d["fitted"]["_reader"]["levels"][0].append("x"), "expected 5 entries"),
        (NAMES[0], lambda d: d["fitted"]["_reader"]["words"].pop(), "expected 5 entries"),
        (NAMES[0], lambda d: member(d)["encoding"].update(marked=[7]), "ints below 2, got 7"),
        (
            NAMES[0],
            lambda d: member(d)["models"][0].update(version=99),
            "models/0: .*version: expected",
        ),
        (NAMES[0], lambda d: member(d)["models"][0]["layers"].pop(), "expected"),
        (NAMES[0], lambda d: member(d)["models"].clear(), "expected none of this name"),
        (
            NAMES[0],
            lambda d: member(d)["encoding"]["sizes"].__setitem__(0, 2),
            "expected codes from",
        ),
        (NAMES[0], lambda d: member(d).update(units={}), "units: expected what a Units has"),
        (
            NAMES[0],
            lambda d: d["fitted"]["_labels"]["classes"]["values"].reverse(),
            "labels in ascending order",
        ),
        (
            NAMES[0],
            lambda d: d["fitted"]["_labels"]["classes"].update(dtype="U999999999"),
            "labels of one dtype",
        ),
        (NAMES[0], lambda d: d["fitted"]["_labels"]["classes"].update(dtype="O8"), "of one dtype"),
        (NAMES[0], lambda d: d["fitted"]["_labels"].update(kind="multiclass"), "kind: expected"),
        (
            NAMES[0],
            lambda d: d["fitted"]["_labels"]["classes"]["values"].append("z"),
            "kind: expected",
        ),
        (NAMES[1], lambda d: d["fitted"].update(_n_columns=2), "units: expected 2"),
        (NAMES[1], lambda d: d["parameters"].update(quantiles={"list": [0.5]}), "1 outputs, got 3"),
        (NAMES[2], lambda d: d["fitted"].update(_incremental=0), "_incremental: expected true"),
        (NAMES[2], lambda d: d["parameters"]["loss"]["part"].update({"class": "abs"}), "loss cl"),
        (NAMES[2], lambda d: d["parameters"].update(loss={"type": "abs"}), "loss class of"),
        (NAMES[2], lambda d: d["head"].update(loss_factor=0), "loss_factor: expected a finite"),
        (NAMES[3], lambda d: d["fitted"]["_labels"].update(kind="multilabel"), "kind: expected"),
    ],
)
def test_a_forgery_is_named(name: str, change: Any, text: str, files: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=text):
        load(forged(files, name, change), tmp_path)
