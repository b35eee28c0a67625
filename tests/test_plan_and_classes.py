"""Where a plan stops the classes can go on, and the other way round, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from plan_cases import (
    ENDS,
    ENGINES,
    RULES,
    WAYS,
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
            assert_step(model, step, f"step {number}")
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


# What the plan leaves to the classes


def by_hand(model: cr.Model, X: Any, y: Any, steps: int) -> None:
    for _ in range(steps):
        step_by_hand(model, X, y)


def test_samples_that_are_a_parameter_are_trained_layer_by_layer() -> None:
    """Each update then changes the samples of the next step."""
    case = Case(ENDS[6], "tanh", "momentum", sizes=(4, 4, 3))
    y = np.ones((4, 3))
    model, hand = make_model(case), make_model(case)
    model.train(model.layers[0].weights, y, epochs=3)
    by_hand(hand, hand.layers[0].weights, y, 3)
    for one, other in zip(all_arrays(model), all_arrays(hand), strict=True):
        np.testing.assert_array_equal(one, other)


SPOILT: dict[str, tuple[int, str, Any, type[Exception]]] = {
    "no share kept": (0, "rate", 0.0, ValueError),
    "more than everything kept": (0, "rate", 1.5, ValueError),
    "no number kept": (0, "rate", float("nan"), ValueError),
    "a word kept": (3, "rate", "all", TypeError),
    "a key too large": (3, "key", 2**64, TypeError),
    "a negative step": (3, "step", -1, TypeError),
    "a strength that is no number": (1, "weight_regularizer_l2", float("nan"), FloatingPointError),
    "a word as a strength": (1, "weight_regularizer_l1", "strong", TypeError),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", list(SPOILT))
def test_attributes_spoilt_by_hand_raise_and_change_nothing(name: str, way: str) -> None:
    position, attribute, value, error = SPOILT[name]
    case = Case(ENDS[0], "relu", "adam", "all", "both")
    model = make_model(case)
    setattr(model.layers[position], attribute, value)
    before = [array for pair in model.get_parameters() for array in pair]
    with going(way):
        assert model.plan.startswith("layer by layer: ")
        with pytest.raises(error):
            model.train(*make_data(case, N), epochs=3)
    after = [array for pair in model.get_parameters() for array in pair]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.optimizer.iterations == 0


def replace_weights(model: cr.Model) -> None:
    model.layers[1].weights = model.layers[1].weights * 0.5


CHANGES: dict[str, Callable[[cr.Model], Any]] = {
    "nothing": lambda model: None,
    "a weight in place": lambda model: model.layers[1].weights.__imul__(0.5),
    "another array of weights": replace_weights,
    "a momentum": lambda model: model.layers[1].weight_momentums.__imul__(0.5),
    "the count of steps": lambda model: setattr(model.optimizer, "iterations", 40),
    "the rate": lambda model: setattr(model.optimizer, "learning_rate", 0.01),
    "a strength": lambda model: setattr(model.layers[1], "weight_regularizer_l2", 0.05),
    "a dropout's share": lambda model: setattr(model.layers[3], "rate", 0.5),
    "a dropout's step": lambda model: setattr(model.layers[0], "step", 7),
    "a dropout's key": lambda model: setattr(model.layers[3], "key", 7),
    "the dropouts by a forward": lambda model: model.forward(np.ones((2, 5)), training=True),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("batch_size", [None, 6])
@pytest.mark.parametrize("name", [*CHANGES, "the samples"])
def test_what_a_callback_changes_is_seen(name: str, batch_size: int | None, engine: str) -> None:
    """A training with the callback and trainings of one epoch with the change in between agree."""

    class Change:
        model: cr.Model

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            change(self.model, X)

    def change(model: cr.Model, X: Any) -> None:
        if name == "the samples":
            X *= 1.5
        else:
            CHANGES[name](model)

    case = Case(ENDS[0], "tanh", "adam", "all", "both", sizes=(5, 4, 3))
    whole, parts = make_model(case), make_model(case)
    with going(engine):
        X, y = make_data(case, N)
        whole.train(X, y, epochs=4, batch_size=batch_size, callbacks=Change())
        X, y = make_data(case, N)
        for _ in range(4):
            parts.train(X, y, batch_size=batch_size)
            change(parts, X)
    for one, other in zip(all_arrays(whole), all_arrays(parts), strict=True):
        np.testing.assert_array_equal(one, other)
    for position in (0, 3):
        assert whole.layers[position].step == parts.layers[position].step


@pytest.mark.filterwarnings("ignore:train. the loss has grown:RuntimeWarning")
@pytest.mark.parametrize("on_nonfinite", ["stop", "raise", "ignore"])
@pytest.mark.parametrize("batch_size", [None, 6])
def test_dropouts_count_the_steps_alike_after_a_divergence(
    batch_size: int | None, on_nonfinite: str
) -> None:
    case = Case(ENDS[6], "relu", "sgd", "none", "both")
    X, y = make_data(case, N)
    counts = set()
    for way in WAYS:
        model = make_model(case)
        model.optimizer.learning_rate = 1e30
        with going(way), np.errstate(all="ignore"), suppress(FloatingPointError):
            model.train(X, y, epochs=6, batch_size=batch_size, on_nonfinite=on_nonfinite)
        steps = {model.layers[0].step, model.layers[3].step, model.optimizer.iterations}
        counts.add((*steps, len(model.history)))
    assert len(counts) == 1


@pytest.mark.parametrize("way", WAYS)
def test_targets_of_one_class_are_no_labels_in_any_way(way: str) -> None:
    case = Case(ENDS[0], sizes=(4, 1))
    with going(way):
        make_model(case).train(np.ones((5, 4)), np.zeros(5, dtype=int))
        with pytest.raises(ValueError, match=r"flatten the labels: y\.ravel\(\)"):
            make_model(case).train(np.ones((5, 4)), np.ones((5, 1)))


def test_a_number_of_epochs_beyond_64_bits_is_a_number() -> None:
    class Stop:
        model: Any

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            self.model.stop_training = epoch == 3

    case = Case(ENDS[0])
    assert len(make_model(case).train(*make_data(case, N), epochs=10**25, callbacks=Stop())) == 3
