"""The compiled objects by themselves: a call gives a result or an exception, not foreign memory."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from chainrule.training.network import counts_of, layers_of, network_of
from chainrule.training.plan_runner import arrays_of
from chainrule.training.predicting import row_of
from chainrule.training.request import TrainingRequest
from chainrule.training.short_way import short_way
from plan_cases import going

N = 12


def samples() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    return rng.standard_normal((N, 4)), rng.integers(0, 3, N)


def net(width: int = 8) -> cr.Model:
    model = cr.Model()
    for layer in (
        cr.Layer_Dense(4, width, rng=1),
        cr.Activation_ReLU(),
        cr.Layer_Dense(width, 3, rng=2),
        cr.Activation_Softmax(),
    ):
        model.add(layer)
    model.set(loss=cr.Loss_CategoricalCrossentropy(), optimizer=cr.Optimizer_Adam(0.01))
    model.finalize()
    return model


class Parts:
    """A plan, and all that its calls need."""

    def __init__(self, width: int = 8, batch_size: int = N) -> None:
        self.model = net(width)
        self.X, self.y = samples()
        request = TrainingRequest(X=self.X, y=self.y, epochs=1, batch_size=batch_size)
        self.layers = layers_of(self.model)
        self.network = network_of(self.model, self.layers, request)
        self.plan = _core.Plan(self.network)

    def begin(self, **changes: Any) -> None:
        arguments = {
            "samples": (self.X, self.y, None),
            "validation": None,
            "epochs": 1,
            "stop_on_nonfinite": True,
            "drops_last": False,
            "precision": 0.0,
            "monitors": (),
        }
        self.plan.begin(**{**arguments, **changes})

    def load(self) -> None:
        self.plan.load(arrays_of(self.model.optimizer.states, self.layers, self.network))
        self.plan.set_counts(counts_of(self.layers))

    def schedule(self, **changes: Any) -> None:
        arguments = {
            "learning_rate": 0.01,
            "decay": 0.0,
            "weight_decay": 0.0,
            "iterations": 0,
            "clip_norm": 0.0,
            "settings": self.model.optimizer.hyper(),
        }
        self.plan.set_schedule(**{**arguments, **changes})


CLASSES = [_core.Plan, _core.ShortWay, _core.Predictor, _core.PackedNet, _core.InUse]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_object_without_init_refuses_everything(kind: Any) -> None:
    empty = kind.__new__(kind)
    names = [name for name in vars(kind) if not name.startswith("_")]
    names += [name for name in ("__enter__", "__exit__") if name in vars(kind)]
    assert names
    for name in names:
        with pytest.raises(TypeError):
            getattr(empty, name)()
    with pytest.raises(TypeError):
        _core.predict_few(empty, [], np.zeros((1, 4)), None)
    with pytest.raises(TypeError):
        _core.short_step(empty, [], [], None, None, None, None, None, None, 0.0)


def test_a_plan_runs_when_it_has_all_that_a_step_reads() -> None:
    parts = Parts()
    with pytest.raises(RuntimeError, match="run: expected begin and load before it"):
        parts.plan.run(1, 1.0, None, None)
    with pytest.raises(RuntimeError, match="store: expected load"):
        parts.plan.store(arrays_of(parts.model.optimizer.states, parts.layers, parts.network))
    parts.begin()
    with pytest.raises(RuntimeError, match="begin and load"):
        parts.plan.run(1, 1.0, None, None)
    parts.load()
    with pytest.raises(RuntimeError, match="set_schedule"):
        parts.plan.run(1, 1.0, None, None)
    parts.schedule()
    with pytest.raises(ValueError, match="seconds"):
        parts.plan.run(1, float("nan"), None, None)
    assert parts.plan.run(-5, 1.0, None, None) == 0
    assert parts.plan.run(2**62, 1.0, None, None) == 1
    parts.plan.end()
    with pytest.raises(RuntimeError, match="begin and load"):
        parts.plan.run(1, 1.0, None, None)


@pytest.mark.parametrize("engine", ["nano", "panels"])
def test_samples_held_in_one_order_are_not_those_of_the_next(engine: str) -> None:
    """One batch is all samples: an engine need not read it again, but for another order."""
    shuffled = np.random.default_rng(5).permutation(N)

    def trained(orders: list[Any]) -> list[Any]:
        with going(engine):
            parts = Parts()
        parts.begin(epochs=3)
        parts.load()
        parts.schedule()
        for order in orders:
            assert parts.plan.run(1, 60.0, order, None) == 1
        parts.plan.store(arrays_of(parts.model.optimizer.states, parts.layers, parts.network))
        return [layer.weights for layer in parts.model.layers if hasattr(layer, "weights")]

    in_order = np.arange(N)
    for orders in ([shuffled, None, None], [None, shuffled, None]):
        given = [in_order if order is None else order for order in orders]
        for kept, read in zip(trained(orders), trained(given), strict=True):
            np.testing.assert_array_equal(kept, read)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", 0),
        ("batch_size", -1),
        ("batch_size", 2**62),
        ("accumulate", 0),
        ("accumulate", 2**60),
        ("stages", ()),
        ("loss_parameters", (1.0,) * 9),
    ],
)
def test_sizes_that_no_memory_holds_are_refused(field: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        _core.Plan(Parts().network._replace(**{field: value}))


@pytest.mark.parametrize("size", [0, -3, 2**40, 2**62])
@pytest.mark.parametrize("field", ["n_inputs", "n_neurons"])
def test_widths_that_no_memory_holds_or_do_not_chain_are_refused(field: str, size: int) -> None:
    network = Parts().network
    for place in range(2):
        stages = list(network.stages)
        stages[place] = stages[place]._replace(**{field: size})
        with pytest.raises((ValueError, MemoryError), match=r"stage|bad_alloc"):
            _core.Plan(network._replace(stages=tuple(stages)))


def test_arrays_of_wrong_sizes_are_refused() -> None:
    parts, other = Parts(), Parts(width=9)
    parts.begin()
    arrays = arrays_of(other.model.optimizer.states, other.layers, other.network)
    for call in (parts.plan.load, parts.plan.store_best):
        with pytest.raises((ValueError, RuntimeError)):
            call(arrays)
    parts.load()
    with pytest.raises(ValueError, match="expected"):
        parts.plan.store(arrays)
    with pytest.raises(ValueError, match="y: label 3"):
        parts.begin(samples=(parts.X, np.full(N, 3), None))
    for X in (parts.X[:, :3].copy(), parts.X[0], np.empty((0, 4))):
        with pytest.raises(ValueError):
            parts.begin(samples=(X, parts.y, None))
    with pytest.raises(ValueError, match="iterations"):
        parts.schedule(iterations=2**63 - 1)
    with pytest.raises(ValueError, match="settings"):
        parts.schedule(settings=[0.0] * 30)


def test_samples_that_were_resized_are_refused() -> None:
    parts = Parts()
    parts.begin()
    parts.load()
    parts.schedule()
    parts.X.resize((2, 4), refcheck=False)
    with pytest.raises(ValueError, match="resized"):
        parts.plan.run(1, 1.0, None, None)


def test_a_plan_that_runs_is_nobody_elses() -> None:
    parts = Parts(width=64)
    parts.begin(epochs=2**40)
    parts.load()
    parts.schedule()
    started = threading.Event()

    def run() -> None:
        started.set()
        parts.plan.run(2**62, 0.5, None, None)

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    refusals = 0
    while thread.is_alive():
        for call in (
            lambda: parts.plan.run(1, 1.0, None, None),
            parts.begin,
            parts.plan.end,
            parts.load,
            lambda: parts.plan.steps_taken,
        ):
            if not thread.is_alive():
                break
            try:
                call()
            except RuntimeError as error:
                refusals += "another thread runs" in str(error)
        time.sleep(0.01)
    thread.join()
    assert refusals > 5


def test_a_short_way_takes_only_places_that_are_there() -> None:
    parts = Parts()
    model = parts.model
    model.train(parts.X, parts.y)
    assert short_way(model, parts.layers, parts.network, parts.plan) is not None
    found: dict[str, Any] = {}

    class Caught:
        def __new__(cls, *arguments: Any) -> Any:
            found["arguments"] = arguments
            return None

    before, _core.ShortWay = _core.ShortWay, Caught  # type: ignore[assignment,misc]
    try:
        short_way(model, parts.layers, parts.network, parts.plan)
    finally:
        _core.ShortWay = before  # type: ignore[misc]
    good = found["arguments"]
    _core.ShortWay(*good)
    parameters = good[3]
    bad = {
        1: [good[1][:3], ()],
        2: [[99]],
        3: [
            (),
            ((99, parameters[1][1]), *parameters[1:]),
            (None, (0, ("weights",) * 40), *parameters[2:]),
        ],
        4: [(), (99, None, None)],
        5: [[], [0.5] * 40],
    }
    for place, values in bad.items():
        for value in values:
            with pytest.raises(ValueError, match="short way"):
                _core.ShortWay(*good[:place], value, *good[place + 1 :])


def test_a_short_way_writes_only_to_the_arrays_that_it_has_read() -> None:
    parts = Parts()
    model = parts.model
    model.train(parts.X, parts.y)
    way = short_way(model, parts.layers, parts.network, parts.plan)
    assert way is not None
    things = (model.layers, model.trainable_layers, model.loss, model.optimizer, None, 0.0)
    with pytest.raises(RuntimeError, match="write: expected read before it"):
        way.write()
    with pytest.raises(RuntimeError, match="read: expected begin before it"):
        way.read(*things)
    parts.begin()
    assert way.read(*things)
    model.layers[0].weights.resize((1, 1), refcheck=False)
    with pytest.raises(ValueError, match="resized"):
        way.write()


def test_a_predictor_of_other_layers_answers_none() -> None:
    model, X = net(), samples()[0]
    predictor = _core.Predictor([row_of(layer) for layer in model.layers])
    for layers in ([], model.layers[::-1], model.layers[:2], tuple(model.layers), None):
        assert _core.predict_few(predictor, layers, X, None) is None
    packed = predictor.packed(model.layers)
    for bad in (X[:, :3], X[0, :2], X.astype(complex), None, np.empty((0, 5))):
        assert not packed.reads(bad)
        with pytest.raises(ValueError):
            packed.predict(bad, None)
    assert packed.predict(X[:0], None).shape == (0, 3)
    with pytest.raises(ValueError):
        packed.evaluate(X, np.full(N, 7), "categorical_crossentropy", [], "none", 0.0)
