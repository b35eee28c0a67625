"""model.explain: the step of the engine itself, observed bit for bit, and a model left as it is."""

from __future__ import annotations

import copy
import pickle
import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.catalogue import own_class
from chainrule.layers.parameters import slots_of
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
from teams import HEAVY, Each, assert_equal
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
    for (_, above), (below, _) in pairwise(gradients):
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


# --- batches, threads, halves ---------------------------------------------------------------------


@pytest.mark.parametrize("way", ["nano", "panels"])
@pytest.mark.parametrize("n", [1, 3, 4, 5, 64, 385, 1500])
def test_batches_of_every_size(way: str, n: int) -> None:
    case = Case(ENDS[0], "relu", "adam", dropout="hidden", dtype=np.float32, sizes=(5, 20, 9, 3))
    model = make_model(case)
    X, y = make_data(case, n)
    with going(way):
        e = model.explain(X, y)
        _, flat = model.gradients(X, y)
        for layer in model.layers:
            if isinstance(layer, cr.Layer_Dropout):
                layer.step -= 1
        model.train(X, y)
    for k in (0, 3, 6):
        assert_same_bits(e[k].weights_after, model.layers[k].weights, f"{k}")
    found = [getattr(e[k], name).ravel() for k in (0, 3, 6) for name in ("dweights", "dbiases")]
    assert_same_bits(np.concatenate(found), flat, "gradients")
    product = e[0].inputs.astype(np.float64).T @ e[0].dvalues
    sizes = np.abs(e[0].inputs.astype(np.float64)).T @ np.abs(e[0].dvalues)
    assert (np.abs(e[0].dweights - product) <= gamma(n + 1, np.float32) * sizes).all()


def test_any_number_of_threads_shows_the_same(
    restore_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_TEAM", "always")
    X, y = make_data(HEAVY, 300)
    found = []
    for threads in (1, 2, 3):
        cr.set_num_threads(threads)
        e = make_model(HEAVY).explain(X, y)
        names = ("inputs", "output", "dvalues", "dinputs", "dweights", "weights_after")
        found.append([getattr(entry, name) for entry in e for name in names])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert_same_bits(one, two, "threads")


def test_without_an_optimizer_there_are_gradients_and_no_step() -> None:
    model = cr.mlp(4, 6, 3, output="softmax", seed=0)
    model.optimizer = None
    X, y = np.random.default_rng(0).standard_normal((9, 4)), np.arange(9) % 3
    e = model.explain(X, y)
    assert e[0].dweights is not None
    assert e[0].step_weights is e[0].weights_after is None
    assert np.isnan(e.loss_after) and np.isnan(e.predicted_decrease)
    assert np.isnan(e.rows[0].ratio)
    assert "after the step" not in str(e)
    assert e.findings == ()


def test_a_small_step_does_what_first_order_predicts() -> None:
    case = Case(ENDS[0], regulariser="all", sizes=(4, 7, 3))
    model = make_model(case)
    X, y = make_data(case, N)
    model.set(optimizer=cr.Optimizer_SGD(1e-5))
    e = model.explain(X, y)
    assert e.decrease > 0
    np.testing.assert_allclose(e.decrease, e.predicted_decrease, rtol=1e-3)
    for row in e.rows[::2]:
        np.testing.assert_allclose(row.cosine, 1, atol=1e-9)
        np.testing.assert_allclose(row.step_weights, 1e-5 * row.dweights, rtol=1e-6)


def test_a_loss_that_is_not_finite_is_shown() -> None:
    model = cr.mlp(4, 6, 2, activation="exponential", seed=0, dtype="float64")
    model.layers[0].biases += 1e3
    X, y = np.ones((5, 4)), np.ones((5, 2))
    e = model.explain(X, y)
    assert not np.isfinite(e.loss)
    assert "exploding" in [each.kind for each in e.findings]


# --- layers of the user's own ---------------------------------------------------------------------

SHARED = np.random.default_rng(3)


class Layer_Noise:
    """Adds noise from three generators: its own, a global one and numpy's."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)

    def forward(self, inputs: Any, training: bool = False) -> Any:
        noise = self.rng.standard_normal(inputs.shape) + SHARED.standard_normal(inputs.shape)
        self.output = inputs + 0.1 * noise + 0.1 * np.random.standard_normal(inputs.shape)  # noqa: NPY002
        self.output += random.random()
        return self.output

    def backward(self, dvalues: Any) -> Any:
        self.dinputs = dvalues
        return dvalues


class Layer_Affine:
    """Parameters by names of its own."""

    parameter_names = ("kernel", "offset")

    def __init__(self) -> None:
        self.kernel, self.offset = np.full((1, 7), 1.5), np.zeros((1, 7))

    def forward(self, inputs: Any) -> Any:
        self.inputs = inputs
        return inputs * self.kernel + self.offset

    def backward(self, dvalues: Any) -> Any:
        self.dkernel = (dvalues * self.inputs).sum(axis=0, keepdims=True)
        self.doffset = dvalues.sum(axis=0, keepdims=True)
        return dvalues * self.kernel


def with_own_layers() -> tuple[cr.Model, Any, Any]:
    case = Case(ENDS[0], hidden="relu", rule="adam", dropout="hidden", sizes=(4, 7, 3))
    model = make_model(case)
    model.layers[1:1] = [Layer_Noise(), Layer_Affine()]
    return model, *make_data(case, N)


def states_of_generators() -> tuple[Any, ...]:
    legacy: Any = np.random.get_state()  # noqa: NPY002
    return SHARED.bit_generator.state, legacy[1].tolist(), legacy[2], random.getstate()


def test_own_layers_are_explained_layer_by_layer_and_no_generator_moves() -> None:
    model, X, y = with_own_layers()
    model.train(X, y, epochs=2)
    before = pickle.dumps(model)
    states = states_of_generators()
    e = model.explain(X, y)
    assert e.plan == "layer by layer: layer 2, Layer_Noise, has methods of its own"
    assert e.plan in str(e)
    assert pickle.dumps(model) == before
    assert states_of_generators() == states
    model.train(X, y)
    own = e[2]
    assert_same_bits(own.after["kernel"], model.layers[2].kernel, "kernel")
    assert_same_bits(own.steps["offset"], own.after["offset"] - own.before["offset"], "offset")
    assert_same_bits(e[0].weights_after, model.layers[0].weights, "weights")
    assert own.dweights is None
    assert set(own.gradients) == {"kernel", "offset"}
    assert "Affine" in str(e)


def test_the_loss_after_is_that_with_the_same_noise() -> None:
    model, X, y = with_own_layers()
    model.set(optimizer=cr.Optimizer_SGD(1e-6))
    e = model.explain(X, y)
    np.testing.assert_allclose(e.decrease, e.predicted_decrease, rtol=1e-2)


# --- frozen layers, and where the plan needs no gradients -----------------------------------------


def test_below_the_lowest_layer_that_learns_the_classes_go_on() -> None:
    model = cr.mlp(5, 8, 6, 3, output="softmax", seed=0, dropout=0.2)
    for layer in model.layers[:3]:
        layer.trainable = False
    X, y = np.random.default_rng(0).standard_normal((20, 5)), np.arange(20) % 3
    e = model.explain(X, y)
    assert e[0].dweights is None
    assert e[0].dinputs.shape == X.shape
    whole = copy.deepcopy(model)
    for layer in whole.layers:
        layer.trainable = True
    for one, other in zip(e, whole.explain(X, y), strict=True):
        sizes = np.abs(other.dinputs).max()
        np.testing.assert_allclose(one.dinputs, other.dinputs, atol=1e-5 * sizes)


def test_a_model_of_which_nothing_learns() -> None:
    model = cr.mlp(5, 8, 3, output="softmax", seed=0)
    for layer in model.trainable_layers:
        layer.trainable = False
    X, y = np.random.default_rng(0).standard_normal((20, 5)), np.arange(20) % 3
    e = model.explain(X, y)
    assert e[0].dweights is None
    assert e.decrease == e.predicted_decrease == 0
    assert e.findings == ()


# --- what it looks like ---------------------------------------------------------------------------


def digits_explained() -> tuple[cr.Model, Any]:
    X, y = cr.datasets.load_digits()
    model = cr.mlp(64, 12, 10, output="softmax", seed=0)
    return model, model.explain(X[:50], y[:50])


def test_the_table_has_a_line_for_each_layer() -> None:
    model, e = digits_explained()
    lines = str(e).split("\n")
    assert lines[0] == f"One step on 50 samples: {e.plan}"
    assert len(lines) == 3 + len(model.layers) + 2
    assert f"{e.rows[0].ratio:.3g}" in lines[3]
    assert f"loss {e.loss:.6g}, after the step {e.loss_after:.6g}" in lines[-2]
    html = e._repr_html_()
    assert len(html.encode()) <= 30_000
    assert f">{e.rows[0].ratio:.3g}</td>" in html
    assert len(e) == len(model.layers) == len(list(e))


def test_one_unit_and_one_weight() -> None:
    model, e = digits_explained()
    unit, weight = e.unit(0, 3), e.weight(0, 20, 3)
    np.testing.assert_array_equal(unit.output, e[0].output[:, 3])
    sizes = np.sqrt(np.mean(np.square(e[0].inputs, dtype=np.float64), axis=0))
    best = np.argmax(sizes * np.abs(model.layers[0].weights[:, 3]))
    assert unit.terms[0].place == best
    assert f"input {best}:" in str(unit)
    terms = e[0].inputs[:, 20].astype(np.float64) * e[0].dvalues[:, 3]
    bound = gamma(51, np.float32) * np.abs(terms).sum()
    assert abs(weight.samples - weight.gradient) <= bound
    assert [each.place for each in weight.terms] == list(
        np.argsort(-np.abs(terms), kind="stable")[:5]
    )
    assert weight.after == e[0].weights_after[20, 3]
    assert weight.penalty == 0
    assert "output = max(inputs, 0)" in str(e.unit(1, 0))
    assert "output = sum of inputs[i] * weights[i, 3] + biases[0, 3]" in str(unit)


def test_penalties_are_told_apart_from_samples() -> None:
    case = Case(ENDS[0], regulariser="l2", sizes=(4, 7, 3))
    model = make_model(case)
    e = model.explain(*make_data(case, N))
    weight = e.weight(0, 1, 2)
    np.testing.assert_allclose(weight.penalty, 2 * 0.02 * model.layers[0].weights[1, 2], rtol=1e-9)
    assert "penalties" in str(weight)


@pytest.mark.parametrize(
    "ask, error, text",
    [
        (lambda e: e[4], IndexError, "layer: expected 0 to 3, got 4"),
        (lambda e: e.unit(0, 12), IndexError, "j: expected 0 to 11, got 12"),
        (lambda e: e.weight(0, 64, 0), IndexError, "i: expected 0 to 63, got 64"),
        (
            lambda e: e.weight(1, 0, 0),
            ValueError,
            r"Activation_ReLU 2: expected a layer with weights",
        ),
        (lambda e: e.unit(0.5, 0), TypeError, "float"),
    ],
)
def test_what_is_not_there_is_refused(ask: Any, error: Any, text: str) -> None:
    _, e = digits_explained()
    with pytest.raises(error, match=text):
        ask(e)


def test_samples_that_do_not_fit_are_refused() -> None:
    model = cr.mlp(4, 3, output="softmax", seed=0)
    with pytest.raises(ValueError, match=r"inputs: expected \(n, 4\), got \(5, 3\)"):
        model.explain(np.ones((5, 3)), np.zeros(5, int))
    with pytest.raises(ValueError, match="finite"):
        model.explain(np.full((5, 4), np.nan), np.zeros(5, int))
    with pytest.raises(ValueError, match="clip_norm: expected a number above 0, got 0"):
        model.explain(np.ones((5, 4)), np.zeros(5, int), clip_norm=0)
    with pytest.raises(ValueError, match="sample_weight"):
        model.explain(np.ones((5, 4)), np.zeros(5, int), sample_weight=np.zeros(5))


def test_check_is_gradcheck() -> None:
    _, e = digits_explained()
    report = e.check()
    assert report
    assert report.rows


def test_a_callback_may_explain() -> None:
    model = cr.mlp(4, 6, 3, output="softmax", seed=0)
    X, y = np.random.default_rng(0).standard_normal((9, 4)), np.arange(9) % 3
    plain = copy.deepcopy(model)
    found = []
    model.train(X, y, epochs=3, callbacks=[Each(lambda m, epoch: found.append(m.explain(X, y)))])
    plain.train(X, y, epochs=3)
    assert_equal(all_arrays(model), all_arrays(plain))
    for k, layer in enumerate(model.layers[::2]):
        assert_same_bits(found[1][2 * k].weights_after, layer.weights, "the step that came next")


def test_a_layer_shows_itself_in_a_line() -> None:
    X, y = cr.datasets.load_digits()
    shown = repr(cr.mlp(64, 5, 10, output="softmax", seed=0).explain(X[:8], y[:8])[0])
    assert "\n" not in shown and shown.startswith("Layer_Dense 1: inputs (8, 64), output (8, 5)")
    assert "dweights (64, 5)" in shown and "weights_after (64, 5)" in shown
