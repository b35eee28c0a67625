"""Where a plan stops the classes can go on, and the other way round, with the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from plan_cases import (
    ENDS,
    ENGINES,
    RULES,
    Case,
    all_arrays,
    going,
    make_data,
    make_model,
    reference_of,
)
from rounding import Step
from test_plan_engines import assert_step

N = 19


def step_by_hand(model: cr.Model, X: Any, y: Any) -> None:
    """The notebook's loop body over the model's own layers."""
    output = model.forward(X, training=True)
    model.backward(output, y)
    model.optimizer.pre_update_params()
    for layer in model.trainable_layers:
        model.optimizer.update_params(layer)
    model.optimizer.post_update_params()


def cast(case: Case, arrays: tuple[Any, Any]) -> tuple[Any, Any]:
    X, y = arrays
    return X.astype(case.dtype), y.astype(case.dtype) if y.dtype.kind == "f" else y


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("end", [ENDS[0], ENDS[3], ENDS[6]], ids=["softmax", "sigmoid", "linear"])
def test_training_goes_on_by_hand_and_in_the_plan(
    engine: str, rule: str, end: tuple[str, str, str], dtype: Any
) -> None:
    """Two steps each way in turn: every step is the reference's from the state before."""
    case = Case(end, "relu", rule, "all", "both", dtype)
    model = make_model(case)
    samples = cast(case, make_data(case, N))
    with going(engine):
        for number in range(8):
            step = Step(reference_of(model, case), *samples, dtype)
            if number // 2 % 2:
                step_by_hand(model, *samples)
            else:
                model.train(*samples)
            assert_step(model, step, None, f"step {number}")
    assert model.optimizer.iterations == 8
    assert [layer.step for layer in model.layers if isinstance(layer, cr.Layer_Dropout)] == [8, 8]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_plan_leaves_outputs_and_gradients_of_the_last_python_call(engine: str) -> None:
    case = Case(ENDS[0], "relu", "adam")
    model = make_model(case)
    X, y = make_data(case, N)
    output = model.forward(X)
    model.backward(output, y)
    names = ("output", "dinputs", "dweights", "dbiases")
    kept = [
        (layer, name, vars(layer)[name])
        for layer in model.layers
        for name in names
        if name in vars(layer)
    ]
    copies = [array.copy() for _, _, array in kept]
    with going(engine):
        model.train(X, y, epochs=3)
    for (layer, name, array), values in zip(kept, copies, strict=True):
        assert vars(layer)[name] is array
        np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("engine", ENGINES)
def test_optimizer_arrays_of_another_kind_are_converted(engine: str) -> None:
    """What a script put on the layer: another dtype, order or a list's worth of zeros."""
    case = Case(ENDS[0], rule="adam")
    X, y = make_data(case, N)
    plain, odd = make_model(case), make_model(case)
    with going(engine):
        for model in (plain, odd):
            model.train(X, y, epochs=2)
        layer = odd.layers[0]
        layer.weight_momentums = np.asfortranarray(layer.weight_momentums)
        layer.weight_cache = np.ma.asarray(layer.weight_cache)
        layer.bias_cache = layer.bias_cache.astype(np.longdouble)
        frozen = layer.bias_momentums.copy()
        frozen.flags.writeable = False
        layer.bias_momentums = frozen
        for model in (plain, odd):
            model.train(X, y, epochs=2)
    for one, other in zip(all_arrays(plain), all_arrays(odd), strict=True):
        np.testing.assert_array_equal(one, other)
