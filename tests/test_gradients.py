"""Gradients as values: those that a step spends; flat parameters; steps from several batches."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.parameters import slots_of
from chainrule.training.passes import learning
from plan_cases import (
    ENDS,
    WAYS,
    Case,
    all_arrays,
    few_of_all,
    going,
    layers_with_parameters,
    make_data,
    make_model,
)
from teams import HEAVY, TEAM, assert_equal
from tolerance import gamma, unit

CASES = few_of_all(sizes=(4, 7, 5, 3))
N = 23


def dropouts_of(model: cr.Model) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, cr.Layer_Dropout)]


def without_dropout(model: cr.Model) -> cr.Model:
    model.layers = [each for each in model.layers if not isinstance(each, cr.Layer_Dropout)]
    return model


def weights_for(n: int) -> Any:
    return np.random.default_rng(5).random(n) * np.r_[0.0, np.ones(n - 1)]


def assert_same_state(one: cr.Model, other: cr.Model) -> None:
    assert_equal(all_arrays(one), all_arrays(other))
    for a, b in zip(layers_with_parameters(one), layers_with_parameters(other), strict=True):
        assert getattr(a, "optimizer_steps", None) == getattr(b, "optimizer_steps", None)
    assert [each.step for each in dropouts_of(one)] == [each.step for each in dropouts_of(other)]
    assert one.optimizer.iterations == other.optimizer.iterations


# --- gradients and steps --------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", range(len(CASES)))
def test_a_gradient_that_is_applied_is_a_step_of_train(way: str, place: int) -> None:
    case = CASES[place]
    X, y = make_data(case, N)
    weight = weights_for(N) if place % 2 else None
    trained, applied = make_model(case), make_model(case)
    with going(way):
        for _ in range(3):
            trained.train(X, y, sample_weight=weight)
            before = applied.flat_parameters()
            _, flat = applied.gradients(X, y, sample_weight=weight)
            np.testing.assert_array_equal(applied.flat_parameters(), before)
            applied.apply_gradients(flat)
            assert_same_state(applied, trained)


@pytest.mark.parametrize("case", [TEAM, HEAVY], ids=["team", "heavy"])
def test_gradients_have_the_same_bits_for_any_number_of_threads(
    case: Case, restore_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_TEAM", "always")
    X, y = make_data(case, 700)
    found = []
    for threads in (1, 2, 3, 8):
        cr.set_num_threads(threads)
        found.append(make_model(case).gradients(X, y))
    for loss, flat in found[1:]:
        assert loss == found[0][0]
        np.testing.assert_array_equal(flat, found[0][1])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES[::3])
def test_the_loss_is_that_of_the_step_with_its_penalties(way: str, case: Case) -> None:
    X, y = make_data(case, N)
    weight = weights_for(N)
    model = make_model(case)
    before = copy.deepcopy(model)
    before.finalize()
    penalty = float(before.loss.regularization_loss())
    with going(way):
        loss, _ = model.gradients(X, y, sample_weight=weight)
        data_loss = before.train(X, y, sample_weight=weight)["data_loss"][0]
    sizes = sum(np.size(array) for array in model.flat_parameters())
    tolerance = gamma(sizes + 2, case.dtype) * abs(penalty) + 4 * unit(np.float64) * abs(data_loss)
    assert abs(loss - (data_loss + penalty)) <= tolerance


def test_gradients_are_those_of_backward() -> None:
    """An outside view: the classes of the notebook, one after the other."""
    case = Case(ENDS[0], "tanh", regulariser="all", sizes=(4, 7, 3))
    X, y = make_data(case, N)
    model = make_model(case)
    twin = copy.deepcopy(model)
    _, flat = model.gradients(X, y)
    twin.backward(twin.forward(X, training=True), y)
    for place in model.parameter_layout():
        number, name = place.name.split(".")
        expected = getattr(layers_with_parameters(twin)[int(number) - 1], f"d{name}")
        assert place.shape == expected.shape
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            flat[place.slice].reshape(place.shape), expected, rtol=0, atol=1e-13 * scale
        )


@pytest.mark.parametrize("way", WAYS)
def test_one_call_advances_dropout_once(way: str) -> None:
    case = Case(ENDS[0], "relu", dropout="both")
    X, y = make_data(case, N)
    model = make_model(case)
    with going(way):
        first, second = (model.gradients(X, y)[1] for _ in range(2))
        assert [each.step for each in dropouts_of(model)] == [2, 2]
        assert not np.array_equal(first, second)
        for layer in dropouts_of(model):
            layer.step = 0
        np.testing.assert_array_equal(model.gradients(X, y)[1], first)


def test_gradients_need_no_optimizer_and_no_accuracy() -> None:
    case = Case(ENDS[6], "tanh")
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    model.optimizer = model.accuracy = None
    loss, flat = model.gradients(X, y)
    expected = twin.gradients(X, y)
    assert loss == expected[0]
    np.testing.assert_array_equal(flat, expected[1])
    with pytest.raises(ValueError, match="optimizer: expected one, got none"):
        model.apply_gradients(flat)


def test_a_loss_that_is_not_finite_is_returned() -> None:
    case = Case(ENDS[6], "linear", dtype=np.float32)
    X, y = make_data(case, N)
    model = make_model(case)
    layers_with_parameters(model)[0].weights[...] = 3e38
    with np.errstate(all="ignore"):
        assert not np.isfinite(model.gradients(X, y)[0])


def test_frozen_layers_are_left_out() -> None:
    case = Case(ENDS[0], "tanh", frozen=0, scale=True)
    model = make_model(case)
    X, y = make_data(case, N)
    names = [place.name for place in model.parameter_layout()]
    assert names == ["1.weights", "3.weights", "3.biases"]
    assert model.gradients(X, y)[1].shape == (4 + 21 + 3,)
    model.layers[-1].trainable = True
    for layer in layers_with_parameters(model):
        layer.trainable = False
    loss, flat = model.gradients(X, y)
    assert flat.shape == (0,) and np.isfinite(loss)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_that_learns_has_a_gradient_of_no_values(way: str, dtype: Any) -> None:
    case = Case(ENDS[0], "tanh", dtype=dtype)
    model = make_model(case)
    X, y = make_data(case, N)
    for layer in layers_with_parameters(model):
        layer.trainable = False
    with going(way):
        loss, flat = model.gradients(X, y)
    assert flat.shape == (0,) and flat.dtype == dtype and np.isfinite(loss)
    assert model.flat_parameters().dtype == dtype
    model.apply_gradients(flat)
    model.set_flat_parameters([])


def test_the_gradient_goes_into_out() -> None:
    case = Case(ENDS[0], "tanh", dtype=np.float32)
    model = make_model(case)
    X, y = make_data(case, N)
    out = np.empty(model.flat_parameters().shape, np.float32)
    assert model.gradients(X, y, out=out)[1] is out
    np.testing.assert_array_equal(out, model.gradients(X, y)[1])
    overlapping = model.flatten_()
    for wrong, error, match in (
        (list(out), TypeError, "out: expected an ndarray, got list"),
        (out[:-1], ValueError, r"out: expected \(59,\) of float32, got \(58,\)"),
        (out.astype(np.float64), ValueError, "of float32, got .* of float64"),
        (np.repeat(out, 2)[::2], ValueError, "out: expected a C-contiguous"),
        (overlapping, ValueError, "out: expected memory of its own"),
    ):
        with pytest.raises(error, match=match):
            model.gradients(X, y, out=wrong)


def test_bad_samples_change_nothing() -> None:
    case = Case(ENDS[0], "tanh", dropout="hidden")
    model = make_model(case)
    X, y = make_data(case, N)
    before = copy.deepcopy(model)
    for samples in ((X[:, :2], y), (X, y[:3]), (X * np.nan, y), (X[:0], y[:0])):
        with pytest.raises(ValueError, match="expected"):
            model.gradients(*samples)
    assert_equal(all_arrays(model), all_arrays(before))
    assert dropouts_of(model)[0].step == 0


class Layer_Affine:
    """A layer of the user's own, whose parameters have other names."""

    parameter_names = ("kernel", "offset")

    def __init__(self, d: int, m: int) -> None:
        self.kernel = np.random.default_rng(3).standard_normal((d, m))
        self.offset = np.zeros(m)

    def forward(self, inputs: Any) -> Any:
        self.inputs = inputs
        self.output = inputs @ self.kernel + self.offset
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dkernel = self.inputs.T @ dvalues
        self.doffset = dvalues.sum(axis=0)
        self.dinputs = dvalues @ self.kernel.T
        return self.dinputs


def own_model() -> cr.Model:
    model = cr.Model()
    for layer in (Layer_Affine(4, 5), cr.Activation_Tanh(), cr.Layer_Dense(5, 3, rng=1)):
        model.add(layer)
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(0.1))
    return model


def test_layers_of_the_users_own_take_part() -> None:
    model, twin = own_model(), own_model()
    X, y = np.random.default_rng(2).standard_normal((2, N, 4))
    names = [place.name for place in model.parameter_layout()]
    assert names == ["1.kernel", "1.offset", "2.weights", "2.biases"]
    twin.train(X, y[:, :3])
    model.apply_gradients(model.gradients(X, y[:, :3])[1])
    np.testing.assert_array_equal(model.flat_parameters(), twin.flat_parameters())
    np.testing.assert_array_equal(model.layers[0].kernel, twin.layers[0].kernel)


def test_a_gradient_may_be_clipped_on_its_way() -> None:
    case = Case(ENDS[6], "tanh", regulariser="all")
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    _, flat = model.gradients(X, y)
    norm = float(np.linalg.norm(flat))
    model.apply_gradients(flat, clip_norm=norm / 8)
    twin.apply_gradients(flat / 8)
    np.testing.assert_allclose(model.flat_parameters(), twin.flat_parameters(), rtol=1e-13)
    with pytest.raises(ValueError, match="clip_norm: expected a number above 0"):
        model.apply_gradients(flat, clip_norm=0)


def test_a_gradient_that_does_not_fit_changes_nothing() -> None:
    case = Case(ENDS[6], "tanh")
    model = make_model(case)
    before = all_arrays(model)
    flat = model.flat_parameters()
    for wrong, error, match in (
        (flat[:-1], ValueError, r"flat: expected \(59,\), as many values as learn, got \(58,\)"),
        (flat.reshape(1, -1), ValueError, r"got \(1, 59\)"),
        (["a"] * len(flat), TypeError, "flat: expected"),
        (np.where(flat == flat[3], np.nan, flat), ValueError, "flat: expected finite"),
    ):
        for take in (model.apply_gradients, model.set_flat_parameters):
            with pytest.raises(error, match=match):
                take(wrong)
    assert_equal(all_arrays(model), before)
    assert model.optimizer.iterations == 0


# --- parameters as one array ----------------------------------------------------------------------


def test_flat_parameters_are_copied_and_set() -> None:
    case = Case(ENDS[0], "tanh", dtype=np.float32, scale=True)
    model, other = make_model(case), make_model(case, seed=9)
    flat = model.flat_parameters()
    assert flat.dtype == np.float32
    for place, array in zip(
        model.parameter_layout(),
        [
            getattr(each, s.name)
            for each in learning(model.trainable_layers)
            for s in slots_of(each)
        ],
        strict=True,
    ):
        np.testing.assert_array_equal(flat[place.slice].reshape(place.shape), array)
    arrays = [layer.weights for layer in layers_with_parameters(other)]
    other.set_flat_parameters(flat.astype(np.float64).tolist())
    assert_equal(all_arrays(other), all_arrays(model))
    assert all(
        layer.weights is array
        for layer, array in zip(layers_with_parameters(other), arrays, strict=True)
    )
    flat[...] = 0
    assert other.flat_parameters().any()


def test_set_flat_parameters_takes_what_overlaps_them() -> None:
    model = make_model(Case(ENDS[0], "tanh"))
    flat = model.flatten_()
    expected = flat[::-1].copy()
    model.set_flat_parameters(flat[::-1])
    np.testing.assert_array_equal(flat, expected)


@pytest.mark.parametrize("way", WAYS)
def test_a_flattened_model_trains_to_the_same_bits(way: str) -> None:
    case = Case(ENDS[0], "tanh", "adam", "all", "hidden", dtype=np.float32)
    X, y = make_data(case, N)
    model, twin = make_model(case), make_model(case)
    flat = model.flatten_()
    assert model.flatten_() is flat
    np.testing.assert_array_equal(flat, twin.flat_parameters())
    with going(way):
        for each in (model, twin):
            each.train(X, y, epochs=3, batch_size=8)
    assert_same_state(model, twin)
    np.testing.assert_array_equal(flat, twin.flat_parameters())
    flat[...] = 0.5
    assert (model.layers[0].weights == 0.5).all()
    apart = pickle.loads(pickle.dumps(model))
    apart.layers[0].weights[...] = 2
    assert (flat == 0.5).all()
    np.testing.assert_array_equal(copy.deepcopy(model).flat_parameters(), flat)


def test_parameters_of_several_dtypes_are_not_flattened() -> None:
    model = cr.Model()
    model.add(cr.Layer_Dense(3, 2, dtype=np.float32))
    model.add(cr.Layer_Dense(2, 2, dtype=np.float64))
    with pytest.raises(ValueError, match="one dtype, got float32, float64"):
        model.flatten_()
    assert model.flat_parameters().dtype == np.float64


# --- one step from several batches ----------------------------------------------------------------


def rounding(case: Case, batches: int) -> float:
    """What sums in another order, of gradients scaled otherwise, may differ by."""
    return 64 * batches * unit(case.dtype)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("clip", [None, 0.05])
def test_batches_that_make_one_step_are_one_batch(
    way: str, dtype: Any, weighted: bool, clip: float | None
) -> None:
    """The last group is of two batches, the last of them smaller."""
    case = Case(ENDS[0], "tanh", "momentum", "all", dtype=dtype, scale=True)
    X, y = make_data(case, 3 * 8 + 5 + 4)
    weight = weights_for(len(X)) if weighted else None
    model, twin = make_model(case), make_model(case)
    with going(way):
        found = model.train(
            X, y, epochs=2, batch_size=8, accumulate=3, sample_weight=weight, clip_norm=clip
        )
        twin.train(X, y, epochs=2, batch_size=24, sample_weight=weight, clip_norm=clip)
    assert model.optimizer.iterations == twin.optimizer.iterations == 4
    assert len(found) == 2
    for a, b in zip(all_arrays(model), all_arrays(twin), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=rounding(case, 3) * np.abs(b).max())


@pytest.mark.parametrize("way", WAYS[:-1])
def test_accumulation_has_the_same_bits_for_any_number_of_threads(
    way: str, restore_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_TEAM", "always")
    case = Case(ENDS[0], "tanh", "adam", "all", "both", dtype=np.float32, sizes=(40, 70, 33))
    X, y = make_data(case, 200)
    results = []
    for threads in (1, 2, 3, 8):
        cr.set_num_threads(threads)
        model = make_model(case)
        with going(way):
            model.train(X, y, epochs=2, batch_size=32, accumulate=4, shuffle=True, rng=3)
        results.append(all_arrays(model))
    for each in results[1:]:
        assert_equal(each, results[0])


@pytest.mark.parametrize("case", CASES[::2])
def test_plan_and_classes_accumulate_alike(case: Case) -> None:
    """With dropout too, whose streams go on with each batch, and with schedules."""
    X, y = make_data(case, 31)
    models = []
    for way in WAYS:
        model = make_model(case)
        with going(way):
            model.train(X, y, epochs=2, batch_size=5, accumulate=3)
        models.append(model)
    for model in models[:-1]:
        assert model.optimizer.iterations == models[-1].optimizer.iterations == 6
        assert [d.step for d in dropouts_of(model)] == [d.step for d in dropouts_of(models[-1])]
        for a, b in zip(model.get_parameters(), models[-1].get_parameters(), strict=True):
            for one, other in zip(a, b, strict=True):
                if one is not None:
                    size = max(1.0, np.abs(other).max())
                    tolerance = 1e-3 if case.dtype == np.float32 else 1e-9
                    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("way", WAYS)
def test_accumulated_dropout_draws_a_mask_for_each_batch(way: str) -> None:
    case = Case(ENDS[0], "relu", dropout="hidden")
    X, y = make_data(case, 20)
    model, twin = make_model(case), make_model(case)
    with going(way):
        model.train(X, y, batch_size=5, accumulate=2)
        assert dropouts_of(model)[0].step == 4
        for start in (0, 10):
            flats = []
            for rows in (slice(start, start + 5), slice(start + 5, start + 10)):
                flats.append(twin.gradients(X[rows], y[rows])[1])
            twin.apply_gradients((flats[0] + flats[1]) / 2)
    np.testing.assert_allclose(model.flat_parameters(), twin.flat_parameters(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("way", WAYS)
def test_a_group_that_explodes_leaves_the_last_whole_step(way: str) -> None:
    case = Case(ENDS[6], "linear", dropout="hidden", dtype=np.float32)
    X, y = make_data(case, 20)
    X[13] = 1e30  # third batch: the second group's first, with its second still to come
    model, twin = make_model(case), make_model(case)
    with going(way), np.errstate(all="ignore"):
        with pytest.raises(FloatingPointError, match="epoch 1, step 2: expected a finite loss"):
            model.train(X, y, batch_size=5, accumulate=2)
        twin.train(X[:10], y[:10], batch_size=5, accumulate=2)
    assert_same_state(model, twin)


@pytest.mark.parametrize("accumulate", [0, -1, 1.5, True, "2"])
def test_accumulate_is_a_count(accumulate: Any) -> None:
    model = make_model(Case(ENDS[0]))
    X, y = make_data(Case(ENDS[0]), 4)
    with pytest.raises((TypeError, ValueError), match="accumulate: expected an int of at least 1"):
        model.train(X, y, accumulate=accumulate)


@pytest.mark.parametrize("engine", ["nano", "panels"])
@pytest.mark.parametrize("value", [None, 1.0, 1.1, 1.3, 1.5, 1.9])
def test_float32_sums_of_a_thousand_batches_keep_their_accuracy(
    value: float | None, engine: str
) -> None:
    """``|error| <= 1e-6 sum |a b|``: the batches' gradients are added with what each sum loses.

    Of equal values a sum that loses it is off by ten times as much: all roundings go one way.
    """
    n, size = 1000, 8
    model = cr.Model()
    model.add(cr.Layer_Dense(1, 1, weights=[[0.0]], biases=[[0.0]], dtype=np.float32))
    model.set(loss=cr.Loss_MeanSquaredError(), optimizer=cr.Optimizer_SGD(1.0))
    if value is None:
        X = np.random.default_rng(1).random((n * size, 1)).astype(np.float32) + np.float32(0.5)
    else:
        X = np.full((n * size, 1), value, np.float32)
    y = np.ones((n * size, 1), np.float32)
    with going(engine):
        model.train(X, y, batch_size=size, accumulate=n)
    expected = 2 * np.mean(X, dtype=np.float64)
    assert abs(model.layers[0].weights[0, 0] - expected) <= 1e-6 * expected
