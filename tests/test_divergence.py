"""A loss that is not finite: named, stopped at or ignored; parameters of the last whole step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from plan_cases import ENDS, WAYS, Case, all_arrays, dense_layers, going, make_data, make_model

N, BATCH = 23, 9
pytestmark = pytest.mark.filterwarnings("ignore:train. the loss has grown:RuntimeWarning")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Any:
    """Force one engine, or the classes, for the whole test."""
    with going(request.param):
        yield request.param


class Spoil:
    """After epoch 2 one weight becomes so large that the loss of the next step overflows."""

    model: Any

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 2:
            weights = self.model.layers[0].weights
            weights[0, 0] = np.finfo(weights.dtype).max / 4


def overflowing(case: Case) -> tuple[Any, Any]:
    """Finite data whose squared error overflows in the third batch of the first epoch."""
    X, y = make_data(case, N)
    X[20] = np.sqrt(np.finfo(case.dtype).max) * 1000
    return X, y


def assert_equal_bits(one: cr.Model, other: cr.Model) -> None:
    for a, b in zip(all_arrays(one), all_arrays(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.optimizer.iterations == other.optimizer.iterations


@pytest.mark.parametrize("rule", ["momentum", "adam"])
@pytest.mark.parametrize("mode", ["raise", "stop"])
def test_training_ends_before_the_update(way: str, mode: str, rule: str, dtype: Any) -> None:
    case = Case(ENDS[6], "linear", rule, dtype=dtype)
    X, y = overflowing(case)
    model, twin = make_model(case), make_model(case)
    with np.errstate(all="ignore"):
        if mode == "raise":
            with pytest.raises(FloatingPointError, match=r"^epoch 1, step 2: expected a finite"):
                model.train(X, y, epochs=4, batch_size=BATCH)
        else:
            model.train(X, y, epochs=4, batch_size=BATCH, on_nonfinite="stop")
    twin.train(X[: 2 * BATCH], y[: 2 * BATCH], batch_size=BATCH)
    assert_equal_bits(model, twin)
    assert model.history is not None and len(model.history) == 0
    assert len(model.train(*make_data(case, N), epochs=2)) == 2  # usable


@pytest.mark.parametrize("mode", ["raise", "stop"])
def test_the_epochs_before_are_kept(way: str, mode: str, dtype: Any) -> None:
    case = Case(ENDS[6], "linear", "adam", dtype=dtype)
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    arguments: dict[str, Any] = {"epochs": 9, "batch_size": BATCH, "callbacks": Spoil()}
    with np.errstate(all="ignore"):
        if mode == "raise":
            with pytest.raises(FloatingPointError, match=r"^epoch 3, step 0: "):
                model.train(X, y, **arguments)
        else:
            model.train(X, y, on_nonfinite="stop", **arguments)
    expected = twin.train(X, y, epochs=2, batch_size=BATCH)
    callback = Spoil()
    callback.model = twin
    callback.on_epoch_end(2, {})
    assert_equal_bits(model, twin)
    assert model.history is not None
    np.testing.assert_array_equal(model.history.loss, expected.loss)


def test_ignoring_goes_on(way: str, dtype: Any) -> None:
    case = Case(ENDS[6], "linear", "momentum", dtype=dtype)
    model = make_model(case)
    with np.errstate(all="ignore"):
        history = model.train(*overflowing(case), epochs=3, batch_size=BATCH, on_nonfinite="ignore")
    assert len(history) == 3 and not np.isfinite(history.loss).any()
    assert model.optimizer.iterations == 9
    assert not np.isfinite(dense_layers(model)[0].weights).all()


@pytest.mark.parametrize("end", ENDS[:6], ids=["-".join(filter(None, end)) for end in ENDS[:6]])
def test_nan_parameters_are_noticed_with_every_loss(
    way: str, end: tuple[str, str, str], dtype: Any
) -> None:
    case = Case(end, "tanh", dtype=dtype)
    model = make_model(case)
    dense_layers(model)[1].weights[2, 1] = np.nan
    before = all_arrays(model)
    with pytest.raises(FloatingPointError, match=r"^epoch 1, step 0: "):
        model.train(*make_data(case, N), batch_size=BATCH)
    for one, other in zip(before, all_arrays(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_values_beyond_the_last_sample_never_leak(way: str, dtype: Any) -> None:
    """A full batch of infinities, then a small batch: what is left in memory counts for nothing."""
    case = Case(ENDS[5], "relu", dtype=dtype)
    X, y = make_data(case, 20)
    held = make_data(case, 16)
    held[0][9:] = np.inf
    model, twin = make_model(case), make_model(case)
    arguments: dict[str, Any] = {"batch_size": 16, "epochs": 3, "check_finite": False}
    with np.errstate(all="ignore"):
        model.train(X, y, validation_data=held, **arguments)
    twin.train(X, y, **arguments)
    assert_equal_bits(model, twin)


@pytest.mark.parametrize("threads", [2, 3])
def test_a_team_leaves_together(threads: int, restore_threads: None) -> None:
    """Steps heavy enough to wait for the whole team; the loss overflows in its third one."""
    cr.set_num_threads(threads)
    case = Case(ENDS[6], "linear", dtype=np.float32, sizes=(600, 1024, 500))
    X, y = make_data(case, 900)
    X[700] = 1e30
    model, twin = make_model(case), make_model(case)
    for layer in (*dense_layers(model), *dense_layers(twin)):
        layer.weights *= np.float32(0.01)
    for one in (model, twin):
        one.optimizer.learning_rate = 1e-3
    with pytest.raises(FloatingPointError, match=r"^epoch 1, step 2: "):
        model.train(X, y, epochs=2, batch_size=300)
    twin.train(X[:600], y[:600], batch_size=300)
    assert_equal_bits(model, twin)
