"""Every engine does the reference's step: all optimizers, losses, activations, and sizes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from plan_cases import (
    ACTIVATIONS,
    ARRAYS,
    CHOICES,
    ENDS,
    ENGINES,
    STATE,
    WALKED_ENDS,
    WAYS,
    Case,
    End,
    covering,
    dense_layers,
    end_name,
    going,
    layers_with_parameters,
    make_data,
    make_model,
    reference_of,
)
from rounding import Step
from tolerance import assert_within


def lay_out(model: cr.Model, case: Case) -> None:
    """Give every layer optimizer arrays in mid-training: momentums, and caches of squares."""
    rng = np.random.default_rng(3)
    for layer in layers_with_parameters(model):
        for name in STATE:
            like = getattr(layer, "weights" if name.startswith("weight") else "biases", None)
            if like is not None:
                values = 0.05 * rng.standard_normal(like.shape)
                values = values if name.endswith("momentums") else values * values
                setattr(layer, name, values.astype(case.dtype))


def assert_step(model: cr.Model, step: Step, label: str) -> None:
    """The layers' arrays are within the bounds of the reference's after `step`."""
    spec = step.after
    steps = [[getattr(layer, "step", 0) for layer in every.layers] for every in (model, spec)]
    assert steps[0] == steps[1], f"{label}: dropout's steps"
    assert model.optimizer.iterations == spec.optimizer.iterations
    expected = [layer for layer in spec.layers if hasattr(layer, "weights")]
    layers = layers_with_parameters(model)
    for layer, twin, bounds in zip(layers, expected, step.bounds, strict=True):
        for kind, parameter in zip(("weight", "bias"), ARRAYS, strict=True):
            if kind not in bounds:  # frozen, or a parameter that is not there
                assert getattr(layer, parameter, None) is None or layer.trainable is False
                np.testing.assert_array_equal(
                    getattr(layer, parameter, None), getattr(twin, parameter)
                )
            for name, bound in bounds.get(kind, {}).items():
                own = name == "parameter"
                actual = vars(layer)[parameter if own else f"{kind}_{name}"]
                wanted = getattr(twin, parameter) if own else twin.state[f"{kind}_{name}"]
                try:
                    assert_within(actual, wanted, bound)
                except AssertionError as error:
                    raise AssertionError(f"{label}, {layer!r}, {kind} {name}: {error}") from None


ROWS = covering({**CHOICES, "n": [1, 3, 4, 5, 19, 32], "first": [True, False]})


@pytest.mark.filterwarnings("ignore:.*units are 0 for all:RuntimeWarning")
@pytest.mark.parametrize("end", WALKED_ENDS, ids=end_name)
def test_a_step_of_every_part_is_the_references(end: End) -> None:
    """Each pair of choices; the first step of a training, or one in the middle."""
    for row in ROWS:
        if row["end"] == end:
            check_steps({**row})


def check_steps(row: dict[str, Any]) -> None:
    n, first = row.pop("n"), row.pop("first")
    case = Case(**row, accuracy=False)

    def model_in_training() -> cr.Model:
        model = make_model(case)
        if not first:
            lay_out(model, case)
            model.optimizer.iterations = 3
        return model

    X, y = make_data(case, n)
    step = Step(reference_of(model_in_training(), case), X, y, case.dtype)
    for way in WAYS:
        model = model_in_training()
        with going(way):
            assert model.plan.startswith("compiled plan") == (way != "layers"), model.plan
            model.train(X, y)
        assert_step(model, step, f"{way}, {n} samples, first {first}, {case}")


def test_the_bounds_are_small_beside_the_steps(dtype: Any) -> None:
    for rule in ("sgd", "nesterov", "adagrad", "adam"):
        case = Case(ENDS[0], "relu", rule, "all", "hidden", dtype)
        model = make_model(case)
        before = dense_layers(model)[0].weights.copy()
        step = Step(reference_of(model, case), *make_data(case, 19), dtype)
        moved = np.abs(step.after.layers[0].weights - before)
        share = step.bounds[0]["weight"]["parameter"] / moved
        assert np.median(share) < 2000 * np.finfo(dtype).eps


# Sizes round the lengths of vectors, tiles and blocks; the last ones give work to threads.
SHAPES = [
    (25, (1, 10, 1)),
    (1, (3, 2, 2)),
    (16, (5, 16, 8)),
    (17, (15, 17, 33, 3)),
    (33, (7, 13, 29, 3)),
    (9, (33, 65, 17)),
    (5, (64, 9)),
    (4, (1030, 20, 5)),
    (3, (6, 1025, 520, 4)),
    (200, (31, 47, 45)),
    (521, (20, 45, 49, 6)),
    (130, (130, 260, 290, 10)),
    (9, (24, 1100, 330, 3)),
]


@pytest.mark.parametrize("rule", ["sgd", "adam, settings"])
@pytest.mark.parametrize(("n", "sizes"), SHAPES)
@pytest.mark.parametrize("end", [ENDS[0], ENDS[6]], ids=["softmax", "linear"])
def test_a_step_of_every_size_is_the_references(
    n: int,
    sizes: tuple[int, ...],
    end: tuple[str, str, str],
    rule: str,
    dtype: Any,
    restore_threads: None,
) -> None:
    dropout = "both" if n in (33, 200) else "none"
    case = Case(
        end,
        "tanh",
        rule,
        "all",
        dropout,
        dtype,
        sizes=sizes,
        scale=n in (9, 17, 130, 521),
        bias=n not in (5, 130),
    )
    X, y = make_data(case, n)
    step = Step(reference_of(make_model(case), case), X, y, dtype)
    for way, threads in product(("automatic", *WAYS), (1, 2)):
        cr.set_num_threads(threads)
        model = make_model(case)
        with going(way):
            model.train(X, y)
        assert_step(model, step, f"{way}, {threads} threads")


CHECKED = covering(
    {
        name: CHOICES[name]
        for name in ("end", "regulariser", "dtype", "bias", "scale", "factors", "frozen")
    }
    | {"engine": list(ENGINES), "dropout": ["none", "both"]}
)


@pytest.mark.parametrize("end", WALKED_ENDS, ids=end_name)
def test_gradcheck_passes_with_each_engine(end: End) -> None:
    """Of every loss and last layer; hidden activations in turn."""
    for place, row in enumerate(CHECKED):
        if row["end"] == end:
            hidden = CHOICES["hidden"][place % len(ACTIVATIONS)]
            settings = {name: value for name, value in row.items() if name != "engine"}
            case = Case(**settings, hidden=hidden, accuracy=False)
            model, samples = make_model(case), make_data(case, 11)
            with going(row["engine"]):
                report = cr.gradcheck(model, *samples)
            assert report, f"{case}\n{report}"
            assert f"engine {row['engine']}" in str(report)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forced_engine_is_named_in_the_plan(engine: str) -> None:
    for sizes in ((1, 2), (64, 128, 10), (900, 1000, 900)):
        case = Case(ENDS[6], sizes=sizes)
        model = make_model(case)
        with going(engine):
            model.train(*make_data(case, 3))
            assert f"engine {engine} for batches of 3" in model.plan


def test_an_unknown_engine_is_refused_before_anything_changes() -> None:
    case = Case(ENDS[0])
    model = make_model(case)
    before = dense_layers(model)[0].weights.copy()
    expected = "CHAINRULE_ENGINE: expected one of automatic, .*got 'steam'"
    with going("steam"), pytest.raises(ValueError, match=expected):
        model.train(*make_data(case, 9))
    np.testing.assert_array_equal(dense_layers(model)[0].weights, before)
    model.train(*make_data(case, 9))


def test_the_automatic_engine_depends_on_shapes_alone(restore_threads: None) -> None:
    for sizes, batch in product(((1, 10, 1), (20, 30, 5), (64, 128, 10)), (8, 64, 600)):
        texts = set()
        for threads in (1, 2, 8):
            cr.set_num_threads(threads)
            case = Case(ENDS[6], sizes=sizes)
            model = make_model(case)
            model.train(*make_data(case, batch))
            texts.add(model.plan)
        assert len(texts) == 1 and f"batches of {batch}" in texts.pop()
