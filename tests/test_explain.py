"""model.explain: the step of the engine itself, observed bit for bit, and a model left as it is."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.catalogue import own_class
from chainrule.parameters import slots_of
from chainrule.training.passes import joint_loss, learning
from plan_cases import (
    CHOICES,
    ENDS,
    WAYS,
    Case,
    all_arrays,
    covering,
    few_of_all,
    going,
    make_data,
    make_model,
)
from teams import HEAVY, TEAM
from tolerance import gamma

N = 23
CASES = few_of_all(sizes=(4, 7, 5, 3)) + [
    Case(**row, sizes=(3, 19, 4)) for row in covering(CHOICES)
]


def weights_for(place: int) -> Any:
    if place % 3:
        return None
    return np.random.default_rng(5).random(N) * np.r_[0.0, np.ones(N - 1)]


def clip_for(place: int) -> float | None:
    return 0.05 if place % 4 == 1 else None


def started(case: Case, way: str) -> tuple[cr.Model, Any, Any]:
    """A model in mid-training, with momentum and steps counted, and samples of another batch."""
    model = make_model(case)
    X, y = make_data(case, N)
    with going(way):
        model.train(X, y, epochs=2)
    return model, *make_data(case, N, seed=3)


def assert_same_bits(one: Any, other: Any, what: str) -> None:
    assert np.asarray(one).dtype == np.asarray(other).dtype, what
    np.testing.assert_array_equal(one, other, err_msg=what)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", range(len(CASES)))
def test_the_step_is_that_of_train_and_the_model_stays_as_it_is(way: str, place: int) -> None:
    case, weight, clip = CASES[place], weights_for(place), clip_for(place)
    model, X, y = started(case, way)
    before = pickle.dumps(model)
    with going(way):
        e = model.explain(X, y, sample_weight=weight, clip_norm=clip)
        assert pickle.dumps(model) == before
        trained = copy.deepcopy(model)
        trained.train(X, y, sample_weight=weight, clip_norm=clip)
        loss, flat = model.gradients(X, y, sample_weight=weight)
    assert e.loss == loss
    found, learners = [], {id(layer) for layer in learning(model.trainable_layers)}
    for k, layer in enumerate(trained.layers):
        entry = e[k]
        for slot in slots_of(layer):
            after = getattr(layer, slot.name)
            assert_same_bits(getattr(entry, f"{slot.name}_after"), after, f"{k} {slot.name}")
            held = getattr(model.layers[k], slot.name)
            assert_same_bits(getattr(entry, slot.name), held, f"{k} {slot.name} before")
            step = getattr(entry, f"step_{slot.name}")
            if id(model.layers[k]) in learners:
                assert_same_bits(step, after - held, f"{k} step of {slot.name}")
                found.append(getattr(entry, f"d{slot.name}").ravel())
            else:
                assert step is None and getattr(entry, f"d{slot.name}") is None
    assert_same_bits(np.concatenate(found), flat, "gradients")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", range(0, len(CASES), 2))
def test_what_lies_between_the_layers_is_what_they_make_of_it(way: str, place: int) -> None:
    case = CASES[place]
    model, X, y = started(case, way)
    with going(way):
        e = model.explain(X, y)
    steps = {id(layer): layer.step for layer in model.layers if isinstance(layer, cr.Layer_Dropout)}
    values, gradients = X.astype(case.dtype), []
    for k, layer in enumerate(model.layers):
        entry = e[k]
        assert_same_bits(entry.inputs, values, f"{k} inputs")
        values = entry.output
        twin = copy.copy(layer)
        if isinstance(layer, cr.Layer_Dropout):
            twin.training_share = shares(model)
            assert twin.step == steps[id(layer)]
        expected = flushed(twin.forward(entry.inputs, True))
        if isinstance(layer, cr.Layer_Dense):
            sizes = np.abs(np.asarray(entry.inputs, np.float64)) @ np.abs(layer.weights)
            sizes += 0 if layer.biases is None else np.abs(layer.biases)
            bound = 2 * gamma(layer.weights.shape[0] + 1, case.dtype) * sizes
            assert (np.abs(entry.output - expected) <= bound).all()
        else:
            assert_same_bits(flushed(entry.output), expected, f"{k} output")
        gradients.append((entry.dinputs, entry.dvalues))
        joint = k == len(model.layers) - 1 and joint_loss(layer, model.loss) is not None
        assert (entry.dvalues is None) == (joint and own_class(layer) is not None)
        if entry.dvalues is None:
            continue
        twin.output = entry.output
        expected = flushed(twin.backward(entry.dvalues))
        if isinstance(layer, cr.Layer_Dense):
            sizes = np.abs(np.asarray(entry.dvalues, np.float64)) @ np.abs(layer.weights.T)
            bound = 2 * gamma(layer.weights.shape[1], case.dtype) * sizes
            assert (np.abs(entry.dinputs - expected) <= bound).all()
        else:
            assert_same_bits(flushed(entry.dinputs), expected, f"{k} dinputs")
    for (_, above), (below, _) in zip(gradients, gradients[1:], strict=False):
        assert_same_bits(above, below, "dvalues of a layer are the dinputs of the next one")


def flushed(values: Any) -> Any:
    """Subnormal numbers as 0: plans flush them, layers keep them."""
    return np.where(np.abs(values) < np.finfo(values.dtype).tiny, values.dtype.type(0), values)


def shares(model: cr.Model) -> float:
    """How far the optimizer's schedule is."""
    from chainrule.multipliers import shares_of

    if model.optimizer.schedule_start is None:
        return 0.0
    return float(shares_of(model.optimizer, model.optimizer.iterations, 1)[0])
