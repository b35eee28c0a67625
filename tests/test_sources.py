"""Sources: the bits of training on one array, whatever the blocks are; what goes wrong in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from chainrule.data import Arrow, Blocks, Files, Source, Stream
from chainrule.training import source_preflight
from chainrule.training.network import layers_of, network_of
from chainrule.training.reader import Reader
from chainrule.training.request import TrainingRequest
from chainrule.training.source_request import Block, parts_of

N = 500
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 6))
LABELS = (X[:, 0] > 0) * 1 + (X[:, 1] > 0)
VALUES = np.sin(X[:, :1]) + X[:, 1:2]
WEIGHTS = RNG.random(N)
ONE_HOT = np.eye(3)[LABELS]
COLUMNS = ("loss", "data_loss", "accuracy", "learning_rate", "validation_loss")


def classifier(seed: int = 1, **settings: Any) -> cr.Model:
    return cr.mlp(6, 16, 3, output="softmax", seed=seed, **settings)


def regressor(seed: int = 1) -> cr.Model:
    model = cr.mlp(6, 8, 1, seed=seed)
    model.set(accuracy=cr.Accuracy_Regression())
    return model


def pieces(rows: int, *arrays: Any) -> Callable[[], Iterator[Any]]:
    """A function that makes a generator of blocks."""
    n = len(arrays[0])
    return lambda: (tuple(a[i : i + rows] for a in arrays) for i in range(0, n, rows))


def assert_same(one: cr.Model, other: cr.Model) -> None:
    assert one.fingerprint() == other.fingerprint()
    for column in COLUMNS:
        np.testing.assert_array_equal(one.history[column], other.history[column])


# --- the bits of an array -------------------------------------------------------------------------

WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "drop_last": {"drop_last": True},
    "accumulate": {"accumulate": 3},
    "clip_norm": {"clip_norm": 0.1},
    "class_weight": {"class_weight": {0: 2.0, 2: 0.5}},
    "best epoch": {"validation_data": (X[:90], LABELS[:90]), "best_epoch": "loss"},
    "lines": {"print_every": 3},
    "record": {"record": cr.Record(every=2)},
    "classes": {"engine": "classes"},
    "classes, accumulate": {"engine": "classes", "accumulate": 3, "drop_last": True},
}


@pytest.mark.parametrize("rows", [1, 7, 64, 100, 192, N, 2 * N])
@pytest.mark.parametrize("way", WAYS)
def test_a_source_in_order_gives_the_bits_of_the_array(
    way: str, rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {"epochs": 3, "batch_size": 64, **WAYS[way]}
    one, blocks, stream = (classifier(dropout=0.2) for _ in range(3))
    one.train(X, LABELS, **arguments)
    expected = capsys.readouterr().out
    blocks.train(Blocks(X, LABELS, rows=rows), **arguments)
    assert capsys.readouterr().out == expected
    stream.train(pieces(rows, X, LABELS), **arguments)
    assert capsys.readouterr().out == expected
    assert_same(one, blocks)
    assert_same(one, stream)
    if way == "record":
        for key, values in one.history.layers.items():
            np.testing.assert_array_equal(values, blocks.history.layers[key])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, ">f8"])
@pytest.mark.parametrize("targets", ["labels", "one-hot", "weights"])
def test_numbers_of_any_kind_and_weights(dtype: Any, targets: str) -> None:
    data = [(X * 20).astype(np.uint8 if dtype is np.uint8 else np.float64).astype(dtype)]
    data += [LABELS.astype(np.uint8) if targets == "labels" else ONE_HOT]
    weight = {"sample_weight": WEIGHTS} if targets == "weights" else {}
    one, other = classifier(), classifier()
    one.train(*data, batch_size=32, epochs=2, **weight)
    other.train(Blocks(*data, *weight.values(), rows=45), batch_size=32, epochs=2)
    assert_same(one, other)


def test_an_accuracy_that_learns_from_targets_sees_all_of_them() -> None:
    one, other = regressor(), regressor()
    for values in (VALUES, VALUES[:, 0]):
        one.train(X, values, batch_size=32, epochs=2)
        other.train(Blocks(X, values, rows=40), batch_size=32, epochs=2)
        assert one.accuracy.precision == other.accuracy.precision
        assert_same(one, other)


def test_balanced_class_weights_need_all_targets() -> None:
    one, other = classifier(), classifier()
    arguments: dict[str, Any] = {"batch_size": 32, "epochs": 2, "class_weight": "balanced"}
    one.train(X, LABELS, **arguments)
    other.train(Blocks(X, LABELS, rows=40), **arguments)
    assert_same(one, other)
    with pytest.raises(ValueError, match="class_weight: expected a dict with a source"):
        other.train(pieces(40, X, LABELS), **arguments)


def test_schedules_go_by_the_rows_that_the_source_knows() -> None:
    def scheduled() -> cr.Model:
        model = classifier(dropout=0.2)
        model.optimizer = cr.Optimizer_Adam(0.01, schedule=cr.schedules.Cosine())
        return model

    one, blocks, stream, known = (scheduled() for _ in range(4))
    one.train(X, LABELS, batch_size=32, epochs=3)
    blocks.train(Blocks(X, LABELS, rows=50), batch_size=32, epochs=3)
    stream.train(Stream(pieces(50, X, LABELS), n_rows=N), batch_size=32, epochs=3)
    assert_same(one, blocks)
    assert_same(one, stream)
    before = known.fingerprint()
    with pytest.raises(ValueError, match=r"schedule: expected a source that knows its number"):
        known.train(pieces(50, X, LABELS), batch_size=32, epochs=3)
    assert known.fingerprint() == before
    known.optimizer.schedule_steps = 3 * 16
    known.train(pieces(50, X, LABELS), batch_size=32, epochs=3)
    assert_same(one, known)


def test_without_a_batch_size_blocks_are_batches() -> None:
    one, other, known = (classifier() for _ in range(3))
    one.train(X, LABELS, batch_size=60, epochs=2)
    other.train(pieces(60, X, LABELS), epochs=2)
    known.train(Blocks(X, LABELS, rows=60), epochs=2)
    assert_same(one, other)
    assert_same(one, known)


def test_callbacks_stop_change_the_rate_and_restore() -> None:
    def callbacks() -> list[Any]:
        rates = cr.LearningRateSchedule(lambda epoch: 0.01 / epoch)
        return [rates, cr.EarlyStopping("loss", patience=1, min_delta=0.02)]

    one, other = classifier(), classifier()
    one.train(X, LABELS, batch_size=64, epochs=60, callbacks=callbacks())
    other.train(Blocks(X, LABELS, rows=70), batch_size=64, epochs=60, callbacks=callbacks())
    assert len(one.history) < 60
    assert_same(one, other)


@pytest.mark.parametrize("change", ["rate", "optimizer", "penalty", "frozen"])
def test_callbacks_may_change_the_model_between_epochs(change: str) -> None:
    class Change(cr.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            if epoch != 2:
                return
            if change == "rate":
                self.model.optimizer.learning_rate = 0.02
            elif change == "optimizer":
                self.model.optimizer = cr.Optimizer_SGD(0.1, momentum=0.5)
            elif change == "penalty":
                self.model.layers[0].weight_regularizer_l2 = 0.01
            else:
                self.model.layers[0].trainable = False

    one, other = classifier(), classifier()
    one.train(X, LABELS, batch_size=64, epochs=4, callbacks=Change())
    other.train(Blocks(X, LABELS, rows=128), batch_size=64, epochs=4, callbacks=Change())
    assert_same(one, other)


def test_a_training_goes_on_where_it_was() -> None:
    one, other = classifier(), classifier()
    source = Blocks(X, LABELS, rows=70)
    one.train(source, batch_size=64, epochs=4, shuffle=True, rng=3)
    for _ in range(2):
        other.train(source, batch_size=64, epochs=2, shuffle=True, rng=other.rng or 3)
    assert one.fingerprint() == other.fingerprint()


# --- kinds of sources -----------------------------------------------------------------------------


def shuffled(rows: int, epochs: int, seed: int) -> list[Any]:
    """The order of the samples of each epoch, as the documentation has it."""
    outer, found = np.random.default_rng(seed), []
    for _ in range(epochs):
        rng = np.random.default_rng(int(outer.integers(2**63)))
        starts = np.arange(0, N, rows)
        order = []
        for start in starts[rng.permutation(len(starts))]:
            size = min(rows, N - start)
            order.append(start + rng.permutation(size))
        found.append(np.concatenate(order))
    return found


@pytest.mark.parametrize("rows", [64, 90, 1000])
def test_blocks_shuffle_blocks_and_rows_from_the_generator(rows: int) -> None:
    one, other = classifier(), classifier()
    orders = shuffled(rows, 3, 7)
    assert not np.array_equal(orders[0], orders[1])
    losses = []
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(N))
        losses += list(one.train(X[order], LABELS[order], batch_size=64).loss)
    source = Blocks(X, LABELS, rows=rows)
    other.train(source, batch_size=64, epochs=3, shuffle=True, rng=7)
    assert one.fingerprint() == other.fingerprint()
    np.testing.assert_array_equal(losses, other.history.loss)


def npy_files(folder: Path, sizes: list[int]) -> list[tuple[Path, Path, Path]]:
    ends, paths = np.cumsum(sizes), []
    for k, (size, end) in enumerate(zip(sizes, ends, strict=True)):
        names = tuple(folder / f"{kind}{k}.npy" for kind in ("X", "y", "w"))
        for name, array in zip(names, (X, LABELS, WEIGHTS), strict=True):
            np.save(name, array[end - size : end])
        paths.append(names)
    return paths  # type: ignore[return-value]


def test_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    source = Files(npy_files(tmp_path, [100, 0, 37, 363]), rows=64)
    assert source.n_rows == N
    one, other = classifier(), classifier()
    one.train(X, LABELS, batch_size=32, epochs=2, sample_weight=WEIGHTS)
    other.train(source, batch_size=32, epochs=2)
    assert_same(one, other)
    rows = np.concatenate([block[0] for block in source.blocks(np.random.default_rng(1))])
    assert not np.array_equal(rows, X) and np.array_equal(np.sort(rows, axis=0), np.sort(X, axis=0))


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    paths = npy_files(tmp_path, [100])[0]
    np.save(tmp_path / "long.npy", np.zeros(101))
    with pytest.raises(ValueError, match=r"Files: .*long.npy: expected 100 rows, as .* has"):
        Files([(paths[0], tmp_path / "long.npy")])
    with pytest.raises(TypeError, match="Files: expected pairs"):
        Files([paths[:1]])
    with pytest.raises(ValueError, match="Files: expected at least one row, got none"):
        Files([])
    with pytest.raises(FileNotFoundError):
        Files([(paths[0], tmp_path / "none.npy")])


def test_arrow_reads_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = [f"x{k}" for k in range(6)]
    columns = {name: X[:, k] for k, name in enumerate(names)}
    columns |= {"kind": LABELS, "weight": WEIGHTS}
    table = arrow.table(columns)
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    parquet.write_table(table.slice(0, 130), paths[0])
    parquet.write_table(table.slice(130), paths[1])
    source = Arrow([str(path) for path in paths], names, "kind", weight="weight", rows=50)
    assert source.n_rows == N
    one, other = classifier(), classifier()
    one.train(X, LABELS, batch_size=32, epochs=2, sample_weight=WEIGHTS)
    other.train(source, batch_size=32, epochs=2)
    assert_same(one, other)
    other.train(source, batch_size=32, epochs=2, shuffle=True, rng=1)
    several = Arrow(str(paths[0]), names[:4], ["x4", "x5"])
    block = next(iter(several.blocks()))
    np.testing.assert_array_equal(block[1], X[:130, 4:])
    with pytest.raises(ValueError, match=r"Arrow: expected columns among x0, .*; got 'none'"):
        Arrow(str(paths[0]), ["none"], "kind")


def test_a_list_and_a_class_of_the_users_own_are_sources() -> None:
    class Halves(Source):
        def blocks(self, rng: Any = None) -> Iterator[Any]:
            yield X[:250], LABELS[:250]
            yield X[250:], LABELS[250:]

    one, listed, own = (classifier() for _ in range(3))
    one.train(X, LABELS, batch_size=50, epochs=2)
    listed.train(list(pieces(120, X, LABELS)()), batch_size=50, epochs=2)
    own.train(Halves(), batch_size=50, epochs=2)
    assert_same(one, listed)
    assert_same(one, own)


def test_an_array_that_is_filled_anew_is_copied() -> None:
    """The generator is ahead of the core: what it has yielded must be its own by then."""

    def refilled() -> Iterator[Any]:
        held, labels = np.empty((50, 6)), np.empty(50, int)
        for start in range(0, N, 50):
            held[:], labels[:] = X[start : start + 50], LABELS[start : start + 50]
            yield held, labels
            held[:] = np.nan

    one, other = classifier(), classifier()
    one.train(X, LABELS, batch_size=50, epochs=2)
    other.train(refilled, batch_size=50, epochs=2)
    assert_same(one, other)


def test_a_block_in_order_is_no_copy_and_a_map_stays_one(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for array in (X, mapped):
        for block in Blocks(array, LABELS, rows=64).blocks():
            assert np.may_share_memory(block[0], array)


def test_empty_blocks_are_passed_over() -> None:
    one, other = classifier(), classifier()
    one.train(X, LABELS, batch_size=50)
    none = (X[:0], LABELS[:0])
    other.train([none, (X[:70], LABELS[:70]), none, (X[70:], LABELS[70:]), none], batch_size=50)
    assert_same(one, other)


def test_samples_without_weight_are_no_step() -> None:
    weight = np.repeat([0.0, 1.0, 0.0, 2.0, 0.0], 100)
    one, other = classifier(), classifier()
    one.train(X, LABELS, batch_size=50, sample_weight=weight, epochs=2)
    other.train(Blocks(X, LABELS, weight, rows=100), batch_size=50, epochs=2)
    assert_same(one, other)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "arguments", "text"),
    [
        (X, {}, "y: expected targets, got none"),
        (3, {}, "source: expected an iterable"),
        ([], {}, "source: expected at least one sample, got none"),
        ([X], {}, r"source: block 1: expected \(X, y\) or \(X, y, weights\), got"),
        ([(X[:, :5], LABELS)], {}, r"source: block 1: Layer_Dense 1: inputs: expected \(n, 6\)"),
        ([(X, LABELS[:9])], {}, "source: block 1: y: expected 500 samples, as X has"),
        ([(np.full((9, 6), np.nan), LABELS[:9])], {}, "source: block 1: X: expected finite"),
        ("list", {"sample_weight": WEIGHTS}, "sample_weight: expected None with a source"),
        ("list", {"validation_split": 0.1}, "validation_split: expected None with a source"),
        ("list", {"shuffle": True}, "shuffle: expected False with a source that has an order"),
        ("once", {"epochs": 2}, "epochs: expected 1 with an iterator"),
        ("few", {"drop_last": True, "batch_size": 99}, "expected a whole batch of 99 with drop"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(
    source: Any, arguments: dict[str, Any], text: str
) -> None:
    blocks = pieces(100, X, LABELS)
    few = Stream(pieces(50, X[:50], LABELS[:50]))
    found = {"list": list(blocks()), "once": blocks(), "few": few}
    model = classifier()
    before = model.fingerprint(), model.history
    given = found[source] if isinstance(source, str) else source
    with pytest.raises((TypeError, ValueError), match=text):
        model.train(given, **arguments)
    assert model.fingerprint() == before[0]


LATER: dict[str, tuple[Any, str]] = {
    "nan": ((np.full((50, 6), np.nan), LABELS[:50]), "X: expected finite values"),
    "width": ((X[:50, :5], LABELS[:50]), r"Layer_Dense 1: inputs: expected \(n, 6\), got"),
    "labels": ((X[:50], np.full(50, 9)), "y: label 9"),
    "form": ((X[:50], ONE_HOT[:50]), r"y: expected \(n,\), got \(n, 3\)"),
    "weights": ((X[:50], LABELS[:50], WEIGHTS[:50]), "expected no weights as in the first"),
    "kind": ("no", r"expected \(X, y\) or"),
}


@pytest.mark.parametrize("engine", [None, "classes"])
@pytest.mark.parametrize("fault", LATER)
def test_a_block_that_does_not_fit_leaves_the_last_whole_state(fault: str, engine: Any) -> None:
    """The steps of the blocks before it are done, and it is named."""
    block, text = LATER[fault]
    good = list(pieces(50, X, LABELS)())
    model, expected = classifier(), classifier()
    with pytest.raises((TypeError, ValueError), match=f"source: epoch 1, block 4: {text}"):
        model.train([*good[:3], block, *good[3:]], batch_size=50, epochs=2, engine=engine)
    assert len(model.history) == 0
    steps = model.optimizer.iterations
    assert 0 <= steps <= 3
    if steps:
        expected.train(X[: 50 * steps], LABELS[: 50 * steps], batch_size=50, engine=engine)
    assert model.fingerprint() == expected.fingerprint()


class Failure(OSError):
    pass


@pytest.mark.parametrize("engine", [None, "classes"])
def test_a_source_that_raises_in_mid_epoch_leaves_the_last_whole_state(engine: Any) -> None:
    """Its class is kept; finished epochs stay in the history; a training after it is whole."""
    epochs: list[int] = []

    def fails() -> Iterator[Any]:
        epochs.append(1)
        for k, block in enumerate(pieces(50, X, LABELS)()):
            if len(epochs) == 3 and k == 4:
                raise Failure(5, "the disk is gone")
            yield block

    model, expected = classifier(), classifier()
    with pytest.raises(Failure, match=r"source: epoch 2, block 5: the disk is gone") as caught:
        epochs.append(1)  # so that the second epoch is the third call
        model.train(fails, batch_size=50, epochs=5, engine=engine)
    assert caught.value.errno == 5 and len(model.history) == 1
    steps = model.optimizer.iterations - 10
    expected.train(X, LABELS, batch_size=50, engine=engine)
    if steps:
        expected.train(X[: 50 * steps], LABELS[: 50 * steps], batch_size=50, engine=engine)
    assert model.fingerprint() == expected.fingerprint()
    assert threads_that_read() == 0
    model.train(X, LABELS, batch_size=50)


def test_batches_larger_than_a_source_are_one() -> None:
    """What cannot be known before the epoch is over need not be: but for memory."""
    one, other, joined = (classifier() for _ in range(3))
    one.train(X, LABELS, batch_size=50, accumulate=2**61)
    other.train(pieces(50, X, LABELS), batch_size=50, accumulate=2**61)
    assert_same(one, other)
    joined.train(Stream(pieces(50, X, LABELS), n_rows=N), batch_size=2**61)
    assert joined.optimizer.iterations == 1
    before = other.fingerprint()
    with pytest.raises((MemoryError, ValueError)):
        other.train(pieces(50, X, LABELS), batch_size=2**61)
    assert other.fingerprint() == before


@pytest.mark.parametrize(("n_rows", "text"), [(400, "got more"), (600, "got 500")])
def test_rows_are_as_many_as_the_source_says(n_rows: int, text: str) -> None:
    with pytest.raises(ValueError, match=f"expected {n_rows} rows in all, as n_rows says, {text}"):
        classifier().train(Stream(pieces(50, X, LABELS), n_rows=n_rows), batch_size=50)


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="weights: expected a sum above 0, got 0"):
        classifier().train(Blocks(X, LABELS, np.zeros(N), rows=50), batch_size=50)


def test_a_function_that_gives_its_blocks_once_is_found_out() -> None:
    blocks = pieces(50, X, LABELS)()
    model = classifier()
    with pytest.raises(ValueError, match=r"source: epoch 2: expected at least one sample"):
        model.train(lambda: blocks, batch_size=50, epochs=2)
    assert len(model.history) == 1


@pytest.mark.parametrize("rows", [0, 2.5, True])
def test_rows_of_a_block_are_a_count(rows: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="Blocks: rows: expected an int of at least"):
        Blocks(X, LABELS, rows=rows)


def test_arrays_of_blocks_are_as_long_as_each_other() -> None:
    with pytest.raises(ValueError, match=r"Blocks: y: expected 500 rows, as X has, got \(9,\)"):
        Blocks(X, LABELS[:9])
    with pytest.raises(ValueError, match=r"Blocks: X: expected rows, got \(0, 6\)"):
        Blocks(X[:0], LABELS[:0])


# --- reading ahead --------------------------------------------------------------------------------


def threads_that_read() -> int:
    return sum(thread.name == "chainrule-reader" for thread in threading.enumerate())


def test_finite_values_are_looked_for_in_the_first_epoch_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []
    before = source_preflight.checked_samples

    def look(model: Any, X: Any, y: Any, finite: bool) -> Any:
        seen.append(finite)
        return before(model, X, y, finite)

    monkeypatch.setattr(source_preflight, "checked_samples", look)
    classifier().train(Blocks(X, LABELS, rows=100), batch_size=50, epochs=3)
    assert seen == [True] * 6 + [False] * 10  # the first block twice: before anything changes
    seen.clear()
    classifier().train(Blocks(X, LABELS, rows=100), batch_size=50, check_finite=False)
    assert not any(seen)


def test_the_next_block_is_read_while_the_core_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for the core's first step is served: the core does not wait for it."""
    monkeypatch.setattr("chainrule.training.source_request.LEAST_BYTES", 1)  # none are joined
    model = classifier()
    stepped = threading.Event()

    def waits() -> Iterator[Any]:
        yield X[:250], LABELS[:250]
        yield X[250:400], LABELS[250:400]
        assert stepped.wait(20)  # the second block is held back until it is known not to be last
        yield X[400:], LABELS[400:]

    class Look(cr.Layer_Scale):
        def forward(self, inputs: Any, training: bool = False) -> Any:
            stepped.set()
            return super().forward(inputs)

    model.layers.insert(0, Look(6))
    model.train(waits, batch_size=50)
    assert stepped.is_set()


def test_ctrl_c_acts_while_a_source_keeps_the_core_waiting() -> None:
    released = threading.Event()

    def hangs() -> Iterator[Any]:
        yield from pieces(50, X, LABELS)()
        os.kill(os.getpid(), signal.SIGINT)
        released.wait(20)

    model = classifier()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model.train(hangs, batch_size=50, epochs=3)
    assert time.monotonic() - started < 15
    released.set()
    while threads_that_read():
        time.sleep(0.01)
    assert len(model.history) == 0


def test_a_generator_is_closed_when_training_ends_early() -> None:
    closed: list[bool] = []

    def endless() -> Iterator[Any]:
        try:
            while True:
                yield X[:50], LABELS[:50]
        finally:
            closed.append(True)

    model = classifier()
    model.optimizer = cr.Optimizer_SGD(1e30)
    with pytest.raises(FloatingPointError, match="epoch 1, step"):
        model.train(endless, batch_size=50)
    assert closed == [True] and threads_that_read() == 0


def test_a_reader_gives_items_in_order_and_then_the_error() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("no")

    reader = Reader(items())
    assert [reader.take(20), reader.take(20)] == [1, 2]
    with pytest.raises(KeyError, match="no"):
        reader.take(20)
    reader.close()
    blocked: Reader[int] = Reader(iter(lambda: threading.Event().wait(0.2) or 1, None))
    assert blocked.take(0.0) is None and blocked.take(20) == 1
    blocked.close()


@pytest.mark.parametrize("unit", [1, 4, 10])
@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("least", [1, 1000])
def test_parts_are_whole_steps_in_order(
    unit: int, batches: int, drops: bool, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.training.source_request.LEAST_BYTES", least)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(0, 25, rng.integers(1, 12))
        column = np.arange(sizes.sum()).reshape(-1, 1)
        ends = np.cumsum(sizes)
        blocks = (
            Block(column[end - size : end], column[end - size : end, 0], None)
            for size, end in zip(sizes, ends, strict=True)
        )
        tail = unit if drops else 1
        parts = list(parts_of(blocks, batches * unit, tail))
        rows = [part.samples.X for part in parts] or [column[:0]]
        kept = len(column) - len(column) % tail
        np.testing.assert_array_equal(np.concatenate(rows), column[:kept])
        assert all(len(part.samples.X) % (batches * unit) == 0 for part in parts[:-1])
        assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True] * bool(parts)


def test_a_plan_takes_whole_steps_and_only_when_it_waits_for_them() -> None:
    """The core's own checks, which the package does not run into."""
    model = classifier()
    model.train(X[:64], LABELS[:64])
    whole = (X.astype(np.float32)[:128], LABELS[:128], None)
    request = TrainingRequest(*whole[:2], epochs=1, batch_size=64)
    plan = _core.Plan(network_of(model, layers_of(model), request))
    begin = {"epochs": 1, "stop_on_nonfinite": True, "drops_last": False, "precision": 0.0}
    plan.begin(whole, None, monitors=(), **begin)
    assert not plan.waits_for_samples
    with pytest.raises(RuntimeError, match="expected a training in parts whose samples are used"):
        plan.next_samples(whole, False)
    plan.begin(whole, None, monitors=(), in_parts=True, **begin)
    some = (whole[0][:65], whole[1][:65], None)
    with pytest.raises(ValueError, match="expected whole steps before the last part"):
        plan.next_samples(some, False)
    assert plan.waits_for_samples
    plan.next_samples(some, True)
    with pytest.raises(RuntimeError, match="expected a training in parts whose samples are used"):
        plan.next_samples(whole, False)
    with pytest.raises(ValueError, match="limit: expected an int >= 0, got -1"):
        _core.limit_threads_here(-1)


# --- memory ---------------------------------------------------------------------------------------

SMALL = """
import sys
import numpy as np
import chainrule as cr
from chainrule.data import Blocks

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

X = np.memmap(sys.argv[1], np.float32, "r", shape=(1 << 20, 64))
y = np.zeros(len(X), np.uint8)
y[::3] = 1
model = cr.mlp(64, 8, 2, output="softmax", seed=0)
model.train(X[:4096], y[:4096], batch_size=512)
before = anonymous()
peak = 0

source = Blocks(X, y, rows=1 << 16)
blocks = source.blocks

def watched(rng=None):
    global peak
    for block in blocks(rng):
        peak = max(peak, anonymous())
        yield block

source.blocks = watched
model.train(source, batch_size=512, epochs=2, shuffle=sys.argv[2] == "shuffled", rng=1)
print((max(peak, anonymous()) - before) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("order", ["in order", "shuffled"])
def test_a_memory_map_needs_the_memory_of_some_blocks(tmp_path: Path, order: str) -> None:
    """256 MB of samples in blocks of 16 MB; in order they are views, and not even two are copied.

    Shuffled they are copies, at most five: the one in use, one that has been read, one held back
    until it is known not to be the last, one in the making, and room for one more.

    The long form, with 8 GB, is benchmarks/much_data.py.
    """
    path = tmp_path / "X"
    with open(path, "wb") as file:
        file.truncate((1 << 20) * 64 * 4)
    words = [sys.executable, "-c", SMALL, str(path), order]
    found = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    assert int(found.stdout) < (2 if order == "in order" else 2 + 5) * 16
