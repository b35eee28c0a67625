"""Whole trainings are the reference's, step by step.

A training of some epochs is followed by a second model that does each step in a call of its own
on that step's samples. Both end with the same bits, and each single step is within the derived
bounds of the reference's step from the same state: no chaos in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
import reference
from plan_cases import (
    CHOICES,
    ENDS,
    RULES,
    WAYS,
    Case,
    all_arrays,
    going,
    make_data,
    make_model,
    reference_of,
    rotation,
)
from rounding import Forward, Step, widened
from test_plan_engines import assert_step
from tolerance import gamma

Array = np.ndarray[Any, Any]
N = 23


@dataclass(frozen=True)
class Options:
    """How a case is trained."""

    batch_size: int = 9
    shuffle: bool = False
    weights: str = "none"  # "drawn", or "a batch of 0": in order, the second one takes no step
    clip_norm: float | None = None
    validation: str = "none"  # "plain" or "weighted"
    data: str = "float64"  # the dtype of X; targets are float64 but for "own", the model's
    drop_last: bool = False
    epochs: int = 2

    def arguments(self, case: Case, rng: np.random.Generator) -> dict[str, Any]:
        found: dict[str, Any] = {"clip_norm": self.clip_norm}
        if self.weights != "none":
            found["sample_weight"] = rng.uniform(0, 2, N)
        if self.weights == "a batch of 0" and self.batch_size < N:
            found["sample_weight"][self.batch_size : 2 * self.batch_size] = 0
        if self.validation != "none":
            found["validation_data"] = self.samples(case, 14, seed=8)
        if self.validation == "weighted":
            found["validation_data"] += (rng.uniform(0, 2, 14) * (np.arange(14) % 3 > 0),)
        return found

    def samples(self, case: Case, n: int, seed: int = 2) -> tuple[Array, Array]:
        """X and y as the option `data` says: whole numbers are small."""
        X, y = make_data(case, n, seed)
        if self.data == "own":
            return X.astype(case.dtype), y.astype(case.dtype) if y.dtype.kind == "f" else y
        kind = np.dtype(self.data)
        if kind.kind == "b":
            X = X > 0
        elif kind.kind != "f":
            X = np.rint(np.abs(X) if kind.kind == "u" else X)
        return X.astype(kind), y

    def batches(self, order: Array, weight: Array | None) -> Iterator[Array]:
        """The rows of each batch that takes a step."""
        size = min(self.batch_size, N)
        for first in range(0, N, size):
            rows = order[first : first + size]
            left_out = self.drop_last and len(rows) < size
            if not left_out and (weight is None or weight[rows].any()):
                yield rows


class Sums:
    """An epoch's loss and accuracy from the reference, with their bounds."""

    def __init__(self) -> None:
        self.loss = self.loss_bound = self.weight = self.hits = self.hits_bound = 0.0
        self.rows = 0

    def add(self, forward: Forward, y: Array, weight: Array | None, precision: float) -> None:
        losses, bounds = forward.sample_losses(y)
        weight = np.ones(len(y)) if weight is None else weight
        self.loss += float((losses * weight).sum())
        self.loss_bound += float((bounds * weight).sum())
        self.weight += float(weight.sum())
        self.rows += len(y)
        if forward.spec.accuracy:
            hits, doubt = forward.hits(y, precision)
            self.hits += float(hits.sum())
            self.hits_bound += float(doubt.sum())

    def assert_equal(self, loss: float, accuracy: float, accurate: bool) -> None:
        rounding = gamma(4 * self.rows + 16, np.float64)
        mean = self.loss / self.weight
        assert abs(loss - mean) <= self.loss_bound / self.weight + rounding * abs(mean)
        if accurate:
            assert abs(accuracy - self.hits / self.rows) <= self.hits_bound / self.rows + rounding
        else:
            assert np.isnan(accuracy)


def penalty_of(spec: reference.Spec) -> float:
    return float(widened(spec).regularization_loss())


def follow(case: Case, options: Options, way: str) -> None:
    """Train as a whole and step by step; compare with each other and with the reference."""
    X, y = options.samples(case, N)
    whole, single = make_model(case), make_model(case)
    arguments = options.arguments(case, np.random.default_rng(4))
    with going(way):
        history = whole.train(
            X,
            y,
            epochs=options.epochs,
            batch_size=options.batch_size,
            shuffle=options.shuffle,
            rng=np.random.default_rng(6),
            drop_last=options.drop_last,
            **arguments,
        )
        rng = np.random.default_rng(6)
        for layer in single.layers:
            if isinstance(layer, cr.Layer_Dropout):
                layer.draw_key(rng)
        if case.metric:
            single.accuracy.init(y)
        steps = 0
        for epoch in range(options.epochs):
            order = rng.permutation(N) if options.shuffle else np.arange(N)
            samples = (X, y, order)
            steps += follow_epoch(
                case, options, single, samples, arguments, history.epoch(epoch + 1)
            )
    assert len(history) == options.epochs
    assert whole.optimizer.iterations == single.optimizer.iterations == steps
    assert whole.optimizer.current_learning_rate == single.optimizer.current_learning_rate
    for one, other in zip(all_arrays(whole), all_arrays(single), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [vars(layer).get("step") for layer in whole.layers] == [
        vars(layer).get("step") for layer in single.layers
    ]


def follow_epoch(
    case: Case,
    options: Options,
    model: cr.Model,
    samples: tuple[Array, Array, Array],
    arguments: dict[str, Any],
    row: dict[str, float],
) -> int:
    """Do an epoch's steps one by one and compare; the number of steps comes back."""
    X, y, order = samples
    weights = arguments.get("sample_weight")
    precision = getattr(model.accuracy, "precision", None) or 0.0
    sums = Sums()
    count = 0
    for rows in options.batches(order, weights):
        weight = None if weights is None else weights[rows]
        step = Step(
            reference_of(model, case), X[rows], y[rows], case.dtype, weight, options.clip_norm
        )
        sums.add(step.forward, step.y, weight, precision)
        record = model.train(X[rows], y[rows], sample_weight=weight, clip_norm=options.clip_norm)
        assert_step(model, step, f"step {count} of {case}, {options}")
        assert model.optimizer.current_learning_rate == step.rate == record.learning_rate[0]
        count += 1
    spec = reference_of(model, case)
    penalty = penalty_of(spec)
    sums.assert_equal(row["data_loss"], row.get("accuracy", np.nan), case.metric is not None)
    assert row["loss"] == row["data_loss"] + row["regularization_loss"]
    rounding = gamma(200, case.dtype)  # fewer parameters than that, in either dtype's sums
    assert abs(row["regularization_loss"] - penalty) <= rounding * penalty
    assert row["learning_rate"] == model.optimizer.current_learning_rate
    assert row["seconds"] > 0
    if options.validation != "none":
        X_held, y_held, *weight = arguments["validation_data"]
        y_held = y_held.astype(case.dtype) if y_held.dtype.kind == "f" else y_held
        held = Sums()
        forward = Forward(widened(spec), X_held.astype(case.dtype), case.dtype, False)
        held.add(forward, y_held, weight[0] if weight else None, precision)
        accuracy = row.get("validation_accuracy", np.nan)
        held.assert_equal(row["validation_loss"], accuracy, case.metric is not None)
    return count


def drawn(count: int) -> list[tuple[Case, Options]]:
    """Choices of everything at once, each equally often."""
    kinds: dict[str, list[Any]] = {
        **CHOICES,
        "accuracy": [True, True, False],
        "sizes": [(4, 7, 3), (5, 3), (3, 17, 6, 4), (2, 33, 2)],
        "batch_size": [9, 8, 11, 4, 5, 3, 1, 32],
        "shuffle": [False, True],
        "weights": ["none", "drawn", "a batch of 0"],
        "clip_norm": [None, 0.3, 100.0],
        "validation": ["none", "plain", "weighted"],
        "data": ["float64", "own", "uint8", "int16", "int64", "bool"],
        "drop_last": [False, False, True],
    }
    names = set(Options.__dataclass_fields__)
    found = []
    for row in rotation(kinds, count):
        options = Options(**{name: value for name, value in row.items() if name in names})
        settings = {name: value for name, value in row.items() if name not in names}
        found.append((Case(**settings, further="tanh"), options))
    return found


COUNT = 120
DRAWN = drawn(COUNT)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("index", range(COUNT))
def test_every_step_of_a_training_is_the_references(index: int, way: str) -> None:
    follow(*DRAWN[index], way)


@pytest.mark.parametrize("way", WAYS)
def test_a_training_of_many_layers_is_the_references(way: str, dtype: Any) -> None:
    case = Case(ENDS[0], "relu", "adam", "l2", "hidden", dtype, sizes=(3, 8, 17, 5, 9, 4))
    follow(case, Options(5, True, "drawn", 1.0, "plain"), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "rule", [name for name, make in RULES.items() if hasattr(make(), "epsilon")]
)
def test_lanes_without_a_neuron_or_a_sample_stay_neutral(
    rule: str, way: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither 0 / 0 where epsilon is 0, nor what L1 makes of them, nor what memory held."""
    monkeypatch.setenv("CHAINRULE_MEMORY", "nan")
    case = Case(ENDS[5], "tanh", rule, "all", dtype=dtype, sizes=(5, 17, 19, 3))
    follow(case, Options(batch_size=3), way)


# The form of the data changes nothing


@pytest.mark.parametrize("way", WAYS)
def test_data_of_any_form_give_the_same_bits(way: str, dtype: Any) -> None:
    case = Case(ENDS[5], "relu", "momentum", dtype=dtype)
    X, y = (array.astype(np.float32).astype(np.float64) for array in make_data(case, N))
    strided = np.zeros((2 * N, 8))[::2, 1::2]
    strided[...] = X
    misaligned = np.zeros(X.nbytes + 1, dtype=np.uint8)[1:].view(np.float64).reshape(X.shape)
    misaligned[...] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    forms = {
        "float32": (X.astype(np.float32), y.astype(np.float32)),
        "mixed": (X.astype(np.float32), y),
        "lists": (X.tolist(), y.tolist()),
        "Fortran": (np.asfortranarray(X), np.asfortranarray(y)),
        "strided": (strided, y),
        "byte-swapped": (X.astype(">f8"), y.astype(">f4")),
        "misaligned": (misaligned, y),
        "read-only": (read_only, y),
    }
    plain = make_model(case)
    with going(way):
        plain.train(X, y, epochs=2, batch_size=9)
        for name, data in forms.items():
            model = make_model(case)
            model.train(*data, epochs=2, batch_size=9)
            for one, other in zip(all_arrays(plain), all_arrays(model), strict=True):
                np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("way", WAYS)
def test_labels_of_any_form_give_the_same_bits(way: str, dtype: Any) -> None:
    case = Case(ENDS[0], dtype=dtype)
    X, y = make_data(case, N)
    found = []
    for labels in (y, y.astype(np.uint8), y.tolist(), np.eye(3, dtype=np.float64)[y]):
        model = make_model(case)
        with going(way):
            model.train(X, labels, epochs=2, batch_size=9)
        found.append(all_arrays(model)[0])
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_printed_lines_change_no_bit(capsys: pytest.CaptureFixture[str]) -> None:
    for way in WAYS:
        case = Case(ENDS[0], "relu", "adam", "all", "hidden")
        plain, printed = make_model(case), make_model(case)
        with going(way):
            a = plain.train(*make_data(case, N), epochs=3, batch_size=5)
            b = printed.train(*make_data(case, N), epochs=3, batch_size=5, print_every=2)
        np.testing.assert_array_equal(a.loss, b.loss)
        for one, other in zip(all_arrays(plain), all_arrays(printed), strict=True):
            np.testing.assert_array_equal(one, other)
    lines = [line.split(", lr")[0] for line in capsys.readouterr().out.splitlines()]
    count = len(lines) // len(WAYS)
    assert lines[:count] == lines[count : 2 * count] == lines[2 * count :]
