"""Containers of other libraries: DLPack, Arrow, frames' interchange, and tensors, in and without
copies."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.arrays import as_real

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 3))
LABELS = RNG.integers(0, 2, 12)
NAMES = ("a", "b", "c")


class Once:
    """Hands out some protocols of another object, and an Arrow stream one time only."""

    def __init__(self, held: Any, *protocols: str) -> None:
        self.held, self.streams = held, 0
        for name in protocols:
            setattr(type(self), name, self._call(name))

    @staticmethod
    def _call(name: str) -> Any:
        def call(self: Any, *arguments: Any, **keywords: Any) -> Any:
            self.streams += "stream" in name
            assert self.streams < 2, "a stream was read twice"
            return getattr(self.held, name)(*arguments, **keywords)

        return call


def only(held: Any, *protocols: str) -> Any:
    """An object of a class of its own that knows these protocols alone."""
    return type("Only", (Once,), {})(held, *protocols)


def net() -> Any:
    model = cr.mlp(3, 4, 2, activation="tanh", output="softmax", dtype="float64", seed=0)
    model.finalize()
    return model


def trained(inputs: Any, labels: Any) -> Any:
    model = net()
    model.train(inputs, labels, epochs=2, batch_size=5)
    return model


def table() -> Any:
    return pytest.importorskip("pyarrow").table(dict(zip(NAMES, X.T, strict=True)))


def tensor(values: Array) -> Any:
    return pytest.importorskip("torch").from_numpy(values)


CONTAINERS: dict[str, tuple[Any, bool]] = {  # what makes it, whether its columns have names
    "tensor": (lambda: tensor(X), False),
    "dlpack": (lambda: only(tensor(X), "__dlpack__", "__dlpack_device__"), False),
    "dlpack of numpy": (lambda: only(X.copy(), "__dlpack__", "__dlpack_device__"), False),
    "arrow table": (table, True),
    "arrow batch": (lambda: table().to_batches()[0], True),
    "arrow stream": (lambda: only(table(), "__arrow_c_stream__"), True),
    "arrow array": (lambda: only(table().to_batches()[0], "__arrow_c_array__"), True),
    "interchange": (lambda: only(table(), "__dataframe__"), True),
    "polars": (lambda: pytest.importorskip("polars").DataFrame(X, list(NAMES), orient="row"), True),
    "pandas": (lambda: pytest.importorskip("pandas").DataFrame(X, columns=list(NAMES)), True),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_samples_from_any_container_train_and_predict(name: str) -> None:
    make, named = CONTAINERS[name]
    expected = trained(X, LABELS)
    model = trained(make(), LABELS)
    assert model.feature_names == (NAMES if named else None)
    assert model.fingerprint() == expected.fingerprint()
    np.testing.assert_array_equal(model.predict(make()), expected.predict(X))
    np.testing.assert_array_equal(model.forward(make()), expected.forward(X))
    found = model.evaluate(make(), LABELS, quiet=True)
    assert found == expected.evaluate(X, LABELS, quiet=True)
    assert model.train_on_batch(make(), LABELS) == expected.train_on_batch(X, LABELS)
    if named:
        model.feature_names = ("c", "b", "a")
        with pytest.raises(ValueError, match="the same in another order"):
            model.predict(make())


@pytest.mark.parametrize("kind", ["tensor", "dlpack", "arrow", "arrow stream"])
def test_targets_from_any_container(kind: str) -> None:
    make: Any = {
        "tensor": lambda: tensor(LABELS),
        "dlpack": lambda: only(tensor(LABELS), "__dlpack__", "__dlpack_device__"),
        "arrow": lambda: pytest.importorskip("pyarrow").array(LABELS),
        "arrow stream": lambda: only(
            pytest.importorskip("pyarrow").chunked_array([LABELS]), "__arrow_c_stream__"
        ),
    }[kind]
    assert trained(X, make()).fingerprint() == trained(X, LABELS).fingerprint()
    model = net()
    model.train(X, make(), class_weight="balanced", validation_data=(X, make()))
    assert model.history is not None and len(model.history) == 1


def test_memory_is_shared_where_the_layout_allows_it() -> None:
    held = X.copy()
    for values in (
        tensor(held),
        only(tensor(held), "__dlpack__", "__dlpack_device__"),
        only(held, "__dlpack__", "__dlpack_device__"),
    ):
        assert np.shares_memory(as_real(values, "X"), held)
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    by_columns = np.asfortranarray(held)
    for frame in (polars.DataFrame(by_columns, list(NAMES)), pandas.DataFrame(by_columns)):
        first, again = as_real(frame, "X"), as_real(frame, "X")
        assert np.shares_memory(first, again)  # views of one memory: the frame's own
        np.testing.assert_array_equal(first, held)


def test_one_column_of_arrow_is_not_copied() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    column = pyarrow.array(X[:, 0].copy())
    for values in (column, only(column, "__arrow_c_array__")):
        view = np.frombuffer(column.buffers()[1])
        assert np.shares_memory(as_real(values, "y"), view)


# --- what cannot be taken -------------------------------------------------------------------------


def test_tensors_that_numpy_cannot_read_are_named() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"X: expected what NumPy reads, got a Tensor: .*detach"):
        net().predict(torch.zeros((2, 3), requires_grad=True))
    half = only(torch.zeros((2, 3), dtype=torch.bfloat16), "__dlpack__", "__dlpack_device__")
    with pytest.raises(TypeError, match="X: expected numbers in the CPU's memory, got a Only"):
        net().predict(half)


def test_missing_cells_and_words_of_a_table_are_named() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    columns = {name: list(column) for name, column in zip(NAMES, X.T, strict=True)}
    columns["b"][4] = None
    model = net()
    with pytest.raises(ValueError, match=r"X: expected finite values, got nan at index \(4, 1\)"):
        model.train(only(pyarrow.table(columns), "__arrow_c_stream__"), LABELS)
    columns["b"] = ["word"] * len(X)
    with pytest.raises(TypeError, match="'word' in column 'b', row 0"):
        model.train(pyarrow.table(columns), LABELS)
    assert model.history is None


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    frame = only(object(), "__dataframe__")
    with pytest.raises(ImportError, match=r"X: a Only: expected pyarrow, .*chainrule\[arr"):
        net().predict(frame)


def test_an_object_without_a_protocol_is_refused_as_before() -> None:
    with pytest.raises(TypeError, match="X: expected real numbers, got object"):
        net().predict(object())
