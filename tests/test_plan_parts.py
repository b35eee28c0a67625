"""A plan's step in two halves: gradients of parts add up to the batch's, and their sum is spent."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from chainrule.optimizers.state import claim_layers
from chainrule.training.network import counts_of, layers_of, network_of
from chainrule.training.plan_runner import arrays_of
from chainrule.training.request import TrainingRequest
from tolerance import gamma

ROWS, INPUTS, CLASSES = 70, 9, 3
WIDTHS = {"nano": (INPUTS, 6, CLASSES), "panels": (INPUTS, 150, 40, CLASSES)}


def samples(dtype: Any) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((ROWS, INPUTS)).astype(dtype)
    return X, rng.integers(0, CLASSES, ROWS), rng.uniform(0, 2, ROWS)


def network(widths: tuple[int, ...], dtype: Any, dropout: float = 0.3, scale: bool = True) -> Any:
    model = cr.mlp(*widths, output="softmax", dropout=dropout, dtype=np.dtype(dtype).name, seed=4)
    if scale:
        model.layers.insert(0, cr.Layer_Scale(INPUTS, dtype=dtype))
    rates = [layer for layer in model.layers if hasattr(layer, "weight_regularizer_l2")]
    rates[-1].weight_regularizer_l2 = rates[-1].bias_regularizer_l1 = 0.01
    model.set(optimizer=cr.Optimizer_Adam(0.01, amsgrad=True))
    model.finalize()
    return model


class Halves:
    """A plan for parts of one batch of all samples."""

    def __init__(self, model: Any, largest: int, weight: Any = None, clip: float = 0.0) -> None:
        self.model = model
        dtype = next(each.dtype for each in model.layers if isinstance(each, cr.Layer_Dense))
        self.X, self.y, _ = samples(dtype)
        self.weight = weight
        request = TrainingRequest(
            self.X, self.y, 1, ROWS, dtype=dtype, clip_norm=clip or None, sample_weight=weight
        )
        claim_layers(model.optimizer, model.trainable_layers)
        self.layers = layers_of(model)
        described = network_of(model, self.layers, request)
        self.network = described._replace(batch_size=largest, keeps_gradients=True)
        self.plan = _core.Plan(self.network)
        self.plan.begin((self.X, self.y, weight), None, 1, False, False, 0.0, ())
        self.arrays = arrays_of(model.optimizer.states, self.layers, self.network)
        self.plan.load(self.arrays)
        self.plan.set_counts(counts_of(self.layers))
        self.clip = clip
        self.schedule()

    def schedule(self) -> None:
        optimizer = self.model.optimizer
        self.plan.set_schedule(
            learning_rate=optimizer.learning_rate,
            decay=optimizer.decay,
            weight_decay=optimizer.weight_decay,
            iterations=optimizer.iterations,
            clip_norm=self.clip,
            settings=[float(each) for each in optimizer.hyper()],
        )

    def part(self, first: int, rows: int, order: Any = None) -> tuple[Any, Any]:
        total = float(ROWS if self.weight is None else self.weight.sum())
        flat = np.full(len(self.model.flat_parameters()), np.nan, dtype=self.X.dtype)
        place = (first, rows, first, ROWS, total, 0, 0, 0)
        return flat, np.array(self.plan.part_gradients(flat, place, order, None))

    def spend(self, flat: Any) -> Any:
        self.plan.spend(flat, None, 1)
        self.plan.store(self.arrays)
        return self.model.flat_parameters()


@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
def test_the_widths_stand_for_both_engines(widths: tuple[int, ...]) -> None:
    halves = Halves(network(widths, np.float32), ROWS)
    assert WIDTHS[_core.engine_for(halves.network._replace(engine="automatic"))] == widths


@pytest.mark.parametrize("clip", [0.0, 0.05])
@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
def test_one_part_of_all_samples_is_a_step_of_train(
    widths: tuple[int, ...], clip: float, dtype: Any, threads: int
) -> None:
    X, y, weight = samples(dtype)
    halves = Halves(network(widths, dtype), ROWS, weight, clip)
    flat, _ = halves.part(0, ROWS)
    found = halves.spend(flat)
    model = network(widths, dtype)
    model.train(X, y, sample_weight=weight, clip_norm=clip or None)
    assert np.array_equal(found, model.flat_parameters())
    assert halves.plan.iterations == 1 and halves.plan.forwards == 1


@pytest.mark.parametrize("cuts", [[0, 70], [0, 1, 33, 70], [0, 20, 40, 60, 70]])
@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
def test_gradients_of_parts_add_up_to_those_of_the_batch(
    widths: tuple[int, ...], cuts: list[int], dtype: Any
) -> None:
    """With the masks of the whole batch; each sum over samples is cut into as many sums.

    A sample's own gradient has the same bits in any part, so the sums alone differ: by the
    roundings of a chain over the samples, on the sum of the terms' sizes.
    """
    weight = samples(dtype)[2]
    order = np.random.default_rng(1).permutation(ROWS)
    halves = Halves(network(widths, dtype), ROWS, weight)
    whole, sums = halves.part(0, ROWS, order)
    parts = [halves.part(a, b - a, order) for a, b in pairwise(cuts)]
    each = [halves.part(k, 1, order)[0] for k in range(ROWS)]
    limit = 2 * gamma(2 * ROWS, dtype) * np.sum(np.abs(each), axis=0, dtype=np.float64)
    total = np.sum([flat for flat, _ in parts], axis=0, dtype=np.float64)
    assert (np.abs(total - whole) <= limit + np.finfo(dtype).tiny * ROWS).all()
    counted = np.sum([found for _, found in parts], axis=0)
    assert (np.abs(counted - sums) <= gamma(2 * ROWS, dtype) * np.abs(sums)).all()
    assert sums[3] == ROWS


@pytest.mark.parametrize("widths", WIDTHS.values(), ids=WIDTHS)
def test_frozen_layers_and_missing_biases_have_no_place(
    widths: tuple[int, ...], dtype: Any
) -> None:
    def frozen() -> Any:
        model = network(widths, dtype, scale=False)
        dense = [layer for layer in model.layers if isinstance(layer, cr.Layer_Dense)]
        dense[0].trainable = False
        return model

    X, y, _ = samples(dtype)
    halves, model = Halves(frozen(), ROWS), frozen()
    before = halves.model.layers[0].weights.copy()
    found = halves.spend(halves.part(0, ROWS)[0])
    model.train(X, y)
    assert np.array_equal(found, model.flat_parameters())
    assert np.array_equal(halves.model.layers[0].weights, before)


def test_factors_of_schedules_reach_the_second_half() -> None:
    X, y, _ = samples(np.float32)
    one, other = (network(WIDTHS["panels"], np.float32) for _ in range(2))
    for each in (one, other):
        each.optimizer.weight_decay = 0.1
    halves = Halves(one, ROWS)
    flat, _ = halves.part(0, ROWS)
    halves.plan.spend(flat, (np.array([0.25]), np.array([0.5]), None), 1)
    halves.plan.store(halves.arrays)
    other.optimizer.schedule = lambda t: np.full(len(t), 0.25)
    other.optimizer.weight_decay_schedule = lambda t: np.full(len(t), 0.5)
    other.train(X, y)
    assert np.array_equal(one.flat_parameters(), other.flat_parameters())


@pytest.mark.parametrize(
    "part",
    [
        (0, 0, 0, ROWS, 1.0, 0, 0, 0),
        (0, ROWS + 1, 0, ROWS, 1.0, 0, 0, 0),
        (1, ROWS, 0, ROWS, 1.0, 0, 0, 0),
        (-1, 5, 0, ROWS, 1.0, 0, 0, 0),
        (2**62, 5, 0, ROWS, 1.0, 0, 0, 0),
        (0, 5, -1, ROWS, 1.0, 0, 0, 0),
        (0, 5, 0, 0, 1.0, 0, 0, 0),
        (0, 5, 0, ROWS, 0.0, 0, 0, 0),
        (0, 5, 0, ROWS, float("nan"), 0, 0, 0),
        (0, 5, 0, ROWS, 1.0, 0, 60, 11),
        (0, 5, 0, ROWS, 1.0, 0, 0, -1),
    ],
)
def test_parts_that_are_not_there_are_refused(part: Any) -> None:
    halves = Halves(network(WIDTHS["panels"], np.float32), ROWS)
    flat = np.zeros(len(halves.model.flat_parameters()), dtype=np.float32)
    with pytest.raises(ValueError, match="part: expected rows among the samples"):
        halves.plan.part_gradients(flat, part, None, None)
    assert not flat.any()


def test_halves_of_a_plan_that_cannot_are_refused() -> None:
    halves = Halves(network(WIDTHS["panels"], np.float32), ROWS)
    flat = np.zeros(len(halves.model.flat_parameters()), dtype=np.float32)
    place = (0, 5, 0, ROWS, 1.0, 0, 0, 0)
    with pytest.raises(ValueError, match="flat"):
        halves.plan.part_gradients(flat[:-1], place, None, None)
    with pytest.raises(ValueError, match="flat"):
        halves.plan.spend(flat[:-1], None, 1)
    with pytest.raises(ValueError, match="factors"):
        halves.plan.spend(flat, (np.zeros(0), None, None), 1)
    plain = _core.Plan(halves.network._replace(keeps_gradients=False))
    fresh = _core.Plan(halves.network)
    for plan in (plain, fresh):
        for call in (
            lambda plan=plan: plan.part_gradients(flat, place, None, None),
            lambda plan=plan: plan.spend(flat, None, 1),
            plan.penalty,
        ):
            with pytest.raises(RuntimeError):
                call()
