"""Learned features and shares of activations in a plan: the bits of the layers' own methods.

Factors of columns stand still or are not there, where bits are compared: their layer sums its
gradient in float64, the plan in its own dtype.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core, catalogue
from chainrule.layers.activation import CompiledActivation
from chainrule.layers.parameters import slots_of
from chainrule.training.network import layers_of, network_of
from plan_cases import FACTORS, KINDS, REGULARISERS, RULES, going, refuse_plans, rotation

Array = np.ndarray[Any, Any]
Part = dict[str, Any]
SIZES = (4, 3, 9)
NUMBERS = 3
SHARED = [
    kind.core_name
    for kind in catalogue.classes("activation")
    if issubclass(kind, CompiledActivation) and kind.codomain != "probabilities"
]
CHOICES: dict[str, list[Any]] = {
    "periodic": [0, 2, NUMBERS],
    "tables": [True, True, False],
    "scale": ["", "frozen"],
    "activation": SHARED,
    "shared": [(True, True), (True, False), (False, True)],
    "dropout": [0.0, 0.3],
    "rule": list(RULES),
    "regulariser": list(REGULARISERS),
    "factors": list(FACTORS),
    "frozen": ["", "", "features", "dense", "shares", "below", "all but shares"],
    "dtype": [np.float32, np.float64],
    "batch_size": [1, 7, 64, 400],
}
CASES = [case for case in rotation(CHOICES, 72) if case["periodic"] or case["tables"]]


def name_of(case: Part) -> str:
    return "-".join(str(getattr(each, "__name__", each)) for each in case.values())


def samples(n: int = 450, tables: bool = True, dtype: Any = np.float64) -> tuple[Array, Array]:
    """Numbers, codes behind them where there are tables, and a target of two columns."""
    rng = np.random.default_rng(3)
    columns = [rng.standard_normal((n, NUMBERS))]
    if tables:
        columns += [rng.integers(0, size, (n, 1)) for size in SIZES]
    X, y = np.concatenate(columns, axis=1), rng.standard_normal((n, 2))
    return X.astype(dtype), y.astype(dtype)


def factors_for(layer: type, name: str) -> Part:
    """The factors of a case; periodic features take four in place of a pair."""
    given = FACTORS[name]
    if layer is not cr.Layer_PeriodicFeatures or name != "pairs":
        return given
    return {key: (*pair, *(2 * each for each in pair)) for key, pair in given.items()}


def model_of(
    periodic: int = 2,
    tables: bool = True,
    scale: str = "",
    activation: str = "mish",
    shared: tuple[bool, bool] = (True, True),
    dropout: float = 0.0,
    rule: str = "adam",
    regulariser: str = "none",
    factors: str = "none",
    frozen: str = "",
    dtype: Any = np.float64,
    batch_size: int = 64,
) -> cr.Model:
    """Features, factors, two hidden layers of 19 and 18, and two outputs."""
    rng = np.random.default_rng(1)
    given: Part = {"dtype": dtype, "rng": rng}
    front: list[Any] = []
    width = NUMBERS + (len(SIZES) if tables else 0)

    def add(kind: Any, *sizes: Any, **more: Any) -> int:
        front.append(kind(width, *sizes, **given, **factors_for(kind, factors), **more))
        return int(front[-1].n_neurons)

    if periodic:
        width = add(cr.Layer_PeriodicFeatures, periodic, n_frequencies=5, frequency_scale=0.3)
    if tables:
        width = add(cr.Layer_Embedding, SIZES, 3)
    layers = list(front)
    if scale:
        layers.append(cr.Layer_Scale(width, dtype=dtype, **FACTORS[factors]))
        layers[-1].weights *= np.linspace(0.5, 1.5, width).astype(dtype)
        layers[-1].trainable = scale != "frozen"
    sizes = (width, 19, 18, 2)
    for k, (d, m) in enumerate(pairwise(sizes)):
        layers.append(cr.Layer_Dense(d, m, weight_scale=0.6 / d**0.5, **given, **FACTORS[factors]))
        if k == 2:
            break
        if shared[k]:
            layers.append(
                cr.Layer_ParametricActivation(m, activation, dtype=dtype, **FACTORS[factors])
            )
            layers[-1].weights *= np.linspace(0.5, 1.5, m).astype(dtype)
        else:
            layers.append(cr.Activation_ReLU())
        if dropout:
            layers.append(cr.Layer_Dropout(dropout, rng=rng))
    l1, l2 = REGULARISERS[regulariser][:2]
    for layer in layers:
        if slots_of(layer):
            layer.weight_regularizer_l1, layer.weight_regularizer_l2 = l1 / 5, l2 / 5
    denses = [layer for layer in layers if isinstance(layer, cr.Layer_Dense)]
    shares = [layer for layer in layers if isinstance(layer, cr.Layer_ParametricActivation)]
    kinds: dict[str, list[Any]] = {
        "": [],
        "features": front[:1],
        "dense": denses[:1],
        "shares": shares[:1],
        "below": [*front, denses[0]],
        "all but shares": [*front, *denses],
    }
    for layer in kinds[frozen]:
        layer.trainable = False
    model = cr.Model()
    for layer in layers:
        model.add(layer)
    model.set(loss=cr.Loss_HalfSquaredError(), optimizer=RULES[rule]())
    model.finalize()
    return model


def state_of(model: cr.Model) -> dict[str, Array]:
    """Every parameter and optimizer array, by layer and name."""
    found = {}
    for place, layer in enumerate(model.layers, 1):
        for slot in slots_of(layer):
            for name in (slot.name, *map(slot.state, KINDS)):
                if name in vars(layer):
                    found[f"{place} {name}"] = np.array(vars(layer)[name])
        if hasattr(layer, "optimizer_steps"):
            found[f"{place} steps"] = np.array(list(layer.optimizer_steps.values()))
    return found


def both(make: Callable[[], Any], act: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
    """What a fresh model is after `act`, and what that returns: by a plan, layer by layer."""
    found = []
    for way in ("panels", "layers"):
        with going(way):
            model = make()
            assert model.plan.startswith("layer by layer") == (way == "layers"), model.plan
            found.append((model, act(model)))
    return found


def assert_same(one: cr.Model, other: cr.Model, ulps: int = 0) -> None:
    """Equal bits but for subnormal numbers, which are 0 in a plan; or near, where that is asked."""
    first, second = state_of(one), state_of(other)
    assert first.keys() == second.keys()
    for name, values in first.items():
        if values.dtype.kind != "f":
            np.testing.assert_array_equal(values, second[name], err_msg=name)
            continue
        near = ulps * np.finfo(values.dtype).eps
        flushed = [
            np.where(np.abs(each) < np.finfo(each.dtype).tiny, 0, each)
            for each in (values, second[name])
        ]
        np.testing.assert_allclose(*flushed, near, near, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_plan_has_the_bits_of_the_layers(case: Part) -> None:
    """Three epochs, shuffled, the last batch a short one; then three more, in order."""
    X, y = samples(450 if case["batch_size"] > 1 else 30, case["tables"], case["dtype"])
    held = (X[:70], y[:70])

    def trained(model: cr.Model) -> Any:
        common = {"epochs": 3, "batch_size": case["batch_size"]}
        first = model.train(X, y, shuffle=True, rng=5, validation_data=held, **common)
        return first, model.train(X, y, **common)

    (plan, records), (layers, others) = both(lambda: model_of(**case), trained)
    assert_same(plan, layers)
    for record, other in zip(records, others, strict=True):
        for name in ("loss", "data_loss", "validation_loss"):
            near = 8 * np.finfo(case["dtype"]).eps  # of means in another order
            np.testing.assert_allclose(record[name], other[name], near * 8, err_msg=name)


def test_weighted_samples_reach_all_parameters(dtype: Any) -> None:
    """Weights of powers of 2, 64 in each batch: the layers divide by it without rounding."""
    X, y = samples(448, dtype=dtype)
    weight = np.tile([0.0, 1.0, 1.0, 2.0], 112)
    (plan, _), (layers, _) = both(
        lambda: model_of(dtype=dtype),
        lambda model: model.train(X, y, epochs=3, batch_size=64, sample_weight=weight),
    )
    assert_same(plan, layers)


@pytest.mark.parametrize("activation", SHARED)
def test_shares_of_every_activation_have_the_bits_of_the_layers(
    activation: str, dtype: Any
) -> None:
    X, y = samples(dtype=dtype)
    make = lambda: model_of(activation=activation, dropout=0.2, dtype=dtype)  # noqa: E731
    (plan, _), (layers, _) = both(make, lambda model: model.train(X, y, epochs=2, batch_size=100))
    assert_same(plan, layers)


@pytest.mark.parametrize(
    "more", [{"clip_norm": 0.02}, {"accumulate": 3}, {"accumulate": 2, "clip_norm": 0.05}], ids=str
)
def test_gradients_that_are_kept_are_those_of_the_layers(more: Part, dtype: Any) -> None:
    """The norm is a sum in another order, and so one unit in the last place of each step off."""
    X, y = samples(dtype=dtype)
    make = lambda: model_of(rule="momentum", regulariser="all", dtype=dtype)  # noqa: E731
    steps = 2 * -(-len(X) // 50)
    (plan, _), (layers, _) = both(
        make, lambda model: model.train(X, y, epochs=2, batch_size=50, **more)
    )
    assert_same(plan, layers, ulps=8 * steps)


def test_gradients_stand_in_the_order_of_the_layers(dtype: Any) -> None:
    """All are the layers' bits but those of factors: sums over n samples, each way in its order."""
    n = 40
    X, y = samples(n, dtype=dtype)
    make = lambda: model_of(scale="learns", dropout=0.2, dtype=dtype)  # noqa: E731
    (plan, (loss, flat)), (layers, (other_loss, other_flat)) = both(
        make, lambda model: model.gradients(X, y)
    )
    assert loss == pytest.approx(other_loss, rel=n * float(np.finfo(dtype).eps))
    start = 0
    for layer, other in zip(plan.layers, layers.layers, strict=True):
        for slot in slots_of(layer):
            size = getattr(layer, slot.name).size
            found, expected = flat[start : start + size], other_flat[start : start + size]
            start += size
            if not isinstance(layer, cr.Layer_Scale):
                np.testing.assert_array_equal(found, expected, err_msg=f"{layer!r} {slot.name}")
                continue
            sizes = np.abs(np.asarray(other.inputs) * other.dinputs / other.weights).sum(axis=0)
            assert np.all(np.abs(found - expected) <= n * np.finfo(dtype).eps * sizes)
    assert start == flat.size
    for model in (plan, layers):
        model.apply_gradients(flat)
    assert_same(plan, layers)


def test_schedules_and_the_best_epoch_reach_all_parameters() -> None:
    X, y = samples(dtype=np.float32)

    def trained(model: cr.Model) -> Any:
        model.optimizer.schedule = cr.schedules.CosineLog(2)
        model.optimizer.weight_decay = 0.05
        model.optimizer.weight_decay_schedule = cr.schedules.FlatCosine()
        history = model.train(X[100:], y[100:], epochs=9, batch_size=64, shuffle=True, rng=2,
                              validation_data=(X[:100], y[:100]),
                              best_epoch="validation_loss")  # fmt: skip
        return history.best_epoch

    make = lambda: model_of(dtype=np.float32, dropout=0.2, factors="pairs")  # noqa: E731
    (plan, epoch), (layers, other_epoch) = both(make, trained)
    assert 1 <= epoch == other_epoch
    assert_same(plan, layers)


def test_early_stopping_restores_every_parameter() -> None:
    X, y = samples(200)

    def trained(model: cr.Model) -> Any:
        stop = cr.EarlyStopping("loss", patience=2, restore_best_weights=True, min_delta=10.0)
        model.train(X, y, epochs=20, callbacks=[stop])
        return stop.best_epoch

    (plan, epoch), (layers, other_epoch) = both(model_of, trained)
    assert epoch == other_epoch == 1
    assert_same(plan, layers)


def test_a_training_goes_on_by_plan_and_by_layers_in_turn() -> None:
    X, y = samples(90)
    alone, mixed = model_of(), model_of()
    alone.train(X, y, epochs=4, batch_size=32)
    for way in ("panels", "layers", "panels", "layers"):
        with going(way):
            mixed.train(X, y, epochs=1, batch_size=32)
    assert_same(alone, mixed)


def test_batches_one_by_one_are_the_steps_of_a_training() -> None:
    X, y = samples(96)
    alone, single = model_of(), model_of()
    alone.train(X, y, epochs=2, batch_size=32)
    for _ in range(2):
        for start in range(0, 96, 32):
            single.train_on_batch(X[start : start + 32], y[start : start + 32])
    assert_same(alone, single)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.uint64, np.float32, np.float64])
def test_samples_of_any_kind_are_taken_as_they_are(kind: Any) -> None:
    X, y = samples(64)
    X = np.abs(np.rint(X)).astype(kind)
    (plan, _), (layers, _) = both(model_of, lambda model: model.train(X, y, epochs=2))
    assert_same(plan, layers)


# What is refused


@pytest.mark.parametrize("value", [3.0, -1.0, 0.5, np.nan])
def test_a_wrong_code_is_refused_before_anything_has_changed(value: float) -> None:
    X, y = samples()
    model = model_of()
    before = copy.deepcopy(model)
    X[417, -2] = value
    position = 2
    for given in ({}, {"validation_data": (X, y)}):
        data = samples() if given else (X, y)
        with pytest.raises(ValueError, match=f"^Layer_Embedding {position}: inputs: .* row 417$"):
            model.train(*data, batch_size=50, check_finite=False, **given)
    assert_same(model, before)
    assert model.optimizer.iterations == 0


def test_a_code_that_a_callback_spoils_is_refused_by_the_next_epoch() -> None:
    X, y = samples(60)

    class Spoils(cr.Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            X[7, -1] = 9

    with pytest.raises(ValueError, match="expected a code from 0 to 8 in column 11, got"):
        model_of().train(X, y, epochs=3, batch_size=20, callbacks=[Spoils()])


def test_layers_out_of_place_are_trained_layer_by_layer() -> None:
    features = cr.Layer_PeriodicFeatures(3, rng=1)
    tables = cr.Layer_Embedding(4, (3,), 2, rng=1)
    dense = cr.Layer_Dense(12, 12, rng=1)
    shares = cr.Layer_ParametricActivation(12, "elu")
    wrong = {
        "follows other learned features": [tables, cr.Layer_PeriodicFeatures(5, rng=1)],
        "does not stand in front": [cr.Layer_Dense(3, 3, rng=1), features],
        "follows a scale layer or learned": [features, cr.Layer_Dropout(0.1), dense],
        "does not follow a dense layer": [features, shares, dense],
        "the last activation has learned": [features, dense, shares],
        "takes 4 columns, not 12": [features, tables, dense],
    }
    for words, layers in wrong.items():
        model = cr.Model()
        for layer in layers:
            model.add(layer)
        with pytest.raises(cr.training.network.NoPlan, match=words):
            layers_of(model)


def test_the_core_refuses_a_network_whose_features_do_not_fit() -> None:
    model = model_of()
    found = network_of(model, layers_of(model))
    features, first = found.features, found.stages[0]
    assert features is not None
    assert _core.engine_for(found._replace(engine="nano")) == "panels"
    _core.Plan(found)
    spoilt: dict[str, Any] = {
        "n_columns": [0, 2, 7, 2**50],
        "n_periodic": [-1, 9, 2**40],
        "n_frequencies": [0, -1, 2**60],
        "n_mixed": [0, 2**47],
        "sizes": [(), (4, 3, 0), (4, 3, 2**49), (1,) * 9],
        "width": [0, -3, 2**47],
        "parameters": [(), features.parameters[:4], (None, *features.parameters[1:])],
    }
    for name, values in spoilt.items():
        for value in values:
            with pytest.raises((ValueError, TypeError)):
                _core.Plan(found._replace(features=features._replace(**{name: value})))
    with pytest.raises(ValueError, match="shares: expected an activation"):
        _core.Plan(found._replace(stages=(first._replace(activation="linear"), *found.stages[1:])))
    with pytest.raises(ValueError, match="expected none of the last stage"):
        last = found.stages[-1]._replace(activation="elu", activation_parameters=(1.0,))
        _core.Plan(found._replace(stages=(*found.stages[:-1], last._replace(shares=first.shares))))
    for name in ("noted", "observed"):
        with pytest.raises(ValueError, match=f"{name}: expected no features"):
            _core.Plan(found._replace(**{name: True}))


def test_a_record_and_an_explanation_are_taken_layer_by_layer() -> None:
    X, y = samples(50)
    model = model_of()
    explained = model.explain(X, y)
    assert "layer by layer" in str(explained.plan)
    history = model.train(X, y, epochs=2, record=cr.Record(every=1))
    twin = model_of()
    with pytest.MonkeyPatch.context() as patch:
        refuse_plans(patch)
        other = twin.train(X, y, epochs=2, record=cr.Record(every=1))
    assert_same(model, twin)
    assert history.layers.keys() == other.layers.keys()
