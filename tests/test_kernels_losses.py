"""Compiled losses against the reference one precision up, with derived bounds.

Every loss of the catalogue is tried by what the catalogue says of it; those whose rounding is
known better are judged more sharply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import reference as ref
from chainrule import _core as core
from part_cases import (
    loss_rows,
    numbers_for,
    predictions_for,
    row_id,
    sensitivity,
    slopes,
    targets_for,
)
from tolerance import assert_within, gamma, smallest, unit, wider

Array = np.ndarray[Any, Any]
Team = Callable[..., Any]
Row = dict[str, Any]

ROWS = loss_rows()
SQUARED = ["half_squared_error", "mean_squared_error"]
REAL = [*SQUARED, "mean_absolute_error"]
ALL = [*REAL, "binary_crossentropy", "categorical_crossentropy"]
SHAPES = [
    (0, 3),
    (1, 1),
    (25, 1),
    (67, 1),
    *(
        ((5 * i + 1) % 16 + 16 * (i % 4), (7 * i + 3) % 16 + 1 + 16 * ((i + 1) % 4))
        for i in range(16)
    ),
    (300, 129),
    (33, 1030),
    (2000, 10),
]
LOG = 8  # 4 ulp of log are at most 8 u of the value
# A term of at most 24 roundings beside two elementary functions of 4 ulp = 8 u each.
ROUNDINGS = 40

each_row = pytest.mark.parametrize("row", ROWS, ids=row_id)


def shape_id(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def call(name: str, direction: str, *arguments: Any) -> Any:
    """The compiled function; without label smoothing where none is given."""
    return getattr(core, f"{name}_{direction}")(*arguments, *missing_numbers(name, arguments))


def missing_numbers(name: str, arguments: tuple[Any, ...]) -> tuple[float, ...]:
    row = next(row for row in ROWS if row["name"] == name)
    return (0.0,) if "label_smoothing" in row["parameters"] and len(arguments) == 2 else ()


def exact(name: str, direction: str, *arguments: Any) -> Any:
    wide = [wider(each) if isinstance(each, np.ndarray) else each for each in arguments]
    return getattr(ref, f"{name}_{direction}")(*wide)


def drawn(row: Row, rng: np.random.Generator, shape: tuple[int, int], dtype: Any) -> list[Any]:
    """Predictions, targets and parameters for a row's functions."""
    y_pred = predictions_for(row, rng, shape, dtype)
    return [y_pred, targets_for(row, rng, shape, dtype), *numbers_for(row, shape[1])]


def test_the_reference_knows_what_is_compiled() -> None:
    names = {row["name"] for row in ROWS}
    assert {*ref.LOSSES, *ref.JOINT.values()} <= names
    for (loss, activation), joint in ref.JOINT.items():
        row = next(row for row in ROWS if row["name"] == joint)
        assert loss in names and row["joins"] == activation


each_shape = pytest.mark.parametrize("shape", [(0, 3), (1, 1), (25, 1), (67, 17)], ids=shape_id)


@each_row
@each_shape
def test_values(
    row: Row, shape: tuple[int, int], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    """Some roundings of the terms, of p, y and parameters, and m of their sum.

    Terms that cancel in a sum (p and y log p) are in what errors of y make of it. Where softmax
    gives 1, the clip 1 - 1e-7 is off by u.
    """
    name, arguments = row["name"], drawn(row, rng, shape, dtype)
    losses = team(call, name, "forward", *arguments)

    def exact_losses(*wide: Any) -> Array:
        result = getattr(ref, f"{name}_forward")(*wide)
        return result[1] if row["joins"] else result

    if row["joins"]:
        output, losses = losses
        separate = getattr(core, f"{row['joins']}_forward")(arguments[0])
        np.testing.assert_array_equal(output, separate)
    assert losses.shape == shape[:1] and losses.dtype == dtype
    wide = widened(arguments)
    expected = exact_losses(*wide)
    size = np.abs(expected) + 2 * sensitivity(exact_losses, wide)
    clip = unit(dtype) if row["joins"] == "softmax" else 0
    assert_within(losses, expected, gamma(ROUNDINGS + shape[1], dtype) * size + clip)


@each_row
@each_shape
def test_gradients(
    row: Row, shape: tuple[int, int], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    """Some roundings of the terms, of p, y and parameters, and m of the sum of a row's targets."""
    name, arguments = row["name"], drawn(row, rng, shape, dtype)
    if row["joins"]:
        arguments[0] = getattr(core, f"{row['joins']}_forward")(arguments[0])
    dinputs = team(call, name, "backward", *arguments)
    assert dinputs.shape == shape and dinputs.dtype == dtype
    exact_gradient, wide = getattr(ref, f"{name}_backward"), widened(arguments)
    with np.errstate(invalid="ignore"):
        expected = exact_gradient(*wide)
        size = np.abs(expected) + 2 * sensitivity(exact_gradient, wide)
    assert_within(dinputs, expected, gamma(ROUNDINGS + shape[1], dtype) * size)


@each_row
def test_labels_stand_for_one_hot_targets(row: Row, dtype: Any, rng: np.random.Generator) -> None:
    """But for the roundings of terms that are 0, and of a sum of targets that is 1."""
    if not row["labels"]:
        return
    y_pred, _, *numbers = drawn(row, rng, (25, 7), dtype)
    labels = rng.integers(0, 7, 25)
    one_hot = np.eye(7, dtype=dtype)[labels]
    results = [call(row["name"], "forward", y_pred, y, *numbers) for y in (labels, one_hot)]
    if row["joins"]:
        np.testing.assert_array_equal(results[0][0], results[1][0])
        results = [result[1] for result in results]
    np.testing.assert_allclose(*results, rtol=gamma(ROUNDINGS, dtype))
    gradients = [call(row["name"], "backward", y_pred, y, *numbers) for y in (labels, one_hot)]
    np.testing.assert_allclose(*gradients, rtol=0, atol=gamma(7, dtype) * abs(gradients[0]).max())


def widened(arguments: list[Any]) -> list[Any]:
    return [wider(each) if isinstance(each, np.ndarray) else each for each in arguments]


OUTSIDE = {
    "unit_interval": ([0.5, 1.5, -1.0], "values in [0, 1], got 1.5 at index (1, 0)"),
    "not_negative": ([0.5, -1.5, -1.0], "values of at least 0, got -1.5 at index (1, 0)"),
    "signs": ([-1.0, 0.5, 2.0], "-1 and 1, or 0 and 1, got 0.5 at index (1, 0)"),
}


@each_row
def test_targets_outside_the_domain_are_named(row: Row, dtype: Any) -> None:
    """Finite or not; NaN passes, and gives NaN."""
    y_pred, numbers = np.full((3, 1), 0.5, dtype=dtype), numbers_for(row, 1)
    for direction in ("forward", "backward"):
        if row["domain"] != "real":
            values, text = OUTSIDE[row["domain"]]
            y_true = np.array(values, dtype=dtype)[:, None]
            with pytest.raises(ValueError) as caught:
                call(row["name"], direction, y_pred, y_true, *numbers)
            assert str(caught.value) == f"y_true: expected {text}"
        y_true = np.array([[1.0], [np.nan], [1.0]], dtype=dtype)
        result = call(row["name"], direction, y_pred, y_true, *numbers)
        result = result[1] if isinstance(result, tuple) else result
        if row["domain"] != "signs":
            assert np.isnan(result.ravel()).tolist() == [False, True, False]


def test_minus_one_and_zero_are_not_both_labels(dtype: Any) -> None:
    y_true = np.array([[1, 0], [-1, 0]], dtype=dtype)
    with pytest.raises(ValueError, match=r"0 and 1, not both, got 0.0 at index \(0, 1\)"):
        core.hinge_forward(np.ones((2, 2), dtype=dtype), y_true)


@each_row
def test_arguments_are_counted(row: Row, dtype: Any) -> None:
    y_pred, numbers = np.full((2, 3), 0.5, dtype=dtype), numbers_for(row, 3)
    y_true = np.ones((2, 1 if row["one_target"] else 3), dtype=dtype)
    for direction in ("forward", "backward"):
        function = getattr(core, f"{row['name']}_{direction}")
        for wrong in ((*numbers, 0.5), numbers[1:] if numbers else ("none",)):
            with pytest.raises(TypeError, match=row["name"]):
                function(y_pred, y_true, *wrong)


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
@pytest.mark.parametrize("name", REAL)
def test_real_losses(
    name: str, shape: tuple[int, int], dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    """All terms are of one sign, so the bounds are relative: m terms of a few roundings each."""
    y_pred, y_true = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    y_true.ravel()[::5] = y_pred.ravel()[::5]
    losses = team(getattr(core, f"{name}_forward"), y_pred, y_true)
    assert losses.shape == shape[:1] and losses.dtype == dtype
    expected = exact(name, "forward", y_pred, y_true)
    assert_within(losses, expected, gamma(shape[1] + 5, dtype) * expected)
    dinputs = team(getattr(core, f"{name}_backward"), y_pred, y_true)
    expected = exact(name, "backward", y_pred, y_true)
    assert_within(dinputs, expected, gamma(6, dtype) * np.abs(expected))


def probabilities(rng: np.random.Generator, shape: tuple[int, int], dtype: Any) -> Array:
    """Evenly in p and close to both ends; some entries exactly 0 and 1."""
    p = rng.uniform(0, 1, shape)
    p = np.where(rng.random(shape) < 0.3, np.exp(-20 * p), p)
    p = np.where(rng.random(shape) < 0.3, 1 - p, p).astype(dtype)
    p.ravel()[3::17] = 0
    p.ravel()[5::19] = 1
    return p


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_binary_crossentropy(
    shape: tuple[int, int], soft: bool, dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    """1 - p rounds by u at most, which moves its logarithm by u / (1 - p) (1 - p) = u."""
    n, m = shape
    y_pred = probabilities(rng, shape, dtype)
    y_true = (rng.random(shape) if soft else rng.integers(0, 2, shape)).astype(dtype)
    y, p = wider(y_true), wider(ref.clip_probabilities(y_pred))
    losses = team(core.binary_crossentropy_forward, y_pred, y_true)
    size = y * np.abs(np.log(p)) + (1 - y) * np.abs(np.log1p(-p))
    bound = gamma(m + LOG + 4, dtype) * size + 2 * unit(dtype) * (1 - y)
    assert_within(losses, ref.binary_crossentropy_forward(p, y), bound.mean(axis=1))
    dinputs = team(core.binary_crossentropy_backward, y_pred, y_true)
    size = (y / p + (1 - y) / (1 - p)) / m / max(n, 1)
    assert_within(dinputs, ref.binary_crossentropy_backward(p, y), gamma(8, dtype) * size)


def class_targets(kind: str, rng: np.random.Generator, shape: tuple[int, int], dtype: Any) -> Array:
    n, m = shape
    labels = rng.integers(0, m, n)
    if kind == "labels":
        return labels
    if kind == "one-hot":
        return np.eye(m, dtype=dtype)[labels]
    return rng.dirichlet(np.ones(m), n).astype(dtype).reshape(n, m)


@pytest.mark.parametrize("kind", ["labels", "one-hot", "soft"])
@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_categorical_crossentropy(
    shape: tuple[int, int], kind: str, dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    n, m = shape
    y_pred, y_true = probabilities(rng, shape, dtype), class_targets(kind, rng, shape, dtype)
    p, y = wider(ref.clip_probabilities(y_pred)), wider(y_true)
    losses = team(core.categorical_crossentropy_forward, y_pred, y_true, 0.0)
    assert losses.shape == (n,) and losses.dtype == dtype
    expected = ref.categorical_crossentropy_forward(p, y)
    assert_within(losses, expected, gamma(m + LOG + 2, dtype) * expected)
    dinputs = team(core.categorical_crossentropy_backward, y_pred, y_true, 0.0)
    floor = np.maximum(y_pred, dtype(ref.CLIP))
    expected = ref.categorical_crossentropy_backward(wider(floor), y)
    assert_within(dinputs, expected, gamma(5, dtype) * np.abs(expected))


@pytest.mark.parametrize("kind", ["labels", "one-hot", "soft"])
@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_softmax_crossentropy(
    shape: tuple[int, int], kind: str, dtype: Any, team: Team, rng: np.random.Generator
) -> None:
    """The output is softmax_forward's, bit for bit; the loss is judged from that output."""
    _, m = shape
    inputs = (2 * rng.standard_normal(shape)).astype(dtype)
    y_true = class_targets(kind, rng, shape, dtype)
    kept = inputs.copy()
    output, losses = team(core.softmax_crossentropy_forward, inputs, y_true, 0.0)
    np.testing.assert_array_equal(inputs, kept)
    np.testing.assert_array_equal(output, core.softmax_forward(inputs))
    p, y = wider(ref.clip_probabilities(output)), wider(y_true)
    expected = ref.categorical_crossentropy_forward(p, y)
    assert_within(losses, expected, gamma(m + LOG + 2, dtype) * expected)
    dinputs = team(core.softmax_crossentropy_backward, output, y_true, 0.0)
    exact_dinputs = ref.softmax_crossentropy_backward(wider(output), y)
    targets = ref.one_hot(y, wider(output))
    size = np.abs(wider(output)) * targets.sum(axis=1, keepdims=True) + targets
    roundings = m + 4 if kind == "soft" else 4  # a sum of 1 and zeros is exact
    assert_within(dinputs, exact_dinputs, gamma(roundings, dtype) * size / max(shape[0], 1))


def test_joint_loss_is_the_loss_of_the_output(dtype: Any, rng: np.random.Generator) -> None:
    for columns in (1, 3, 10, 17):
        inputs = (5 * rng.standard_normal((37, columns))).astype(dtype)
        for kind in ("labels", "soft"):
            y_true = class_targets(kind, rng, inputs.shape, dtype)
            output, losses = core.softmax_crossentropy_forward(inputs, y_true, 0.0)
            separate = core.categorical_crossentropy_forward(output, y_true, 0.0)
            np.testing.assert_array_equal(losses, separate)


# Stability and special values


def test_crossentropies_take_probabilities_0_and_1(dtype: Any) -> None:
    """No log(0): the largest loss is -log(1e-7), the smallest -log(1 - 1e-7)."""
    y_pred = np.array([[0, 1], [1, 0], [1, 0]], dtype=dtype)
    largest, least = -np.log(wider(dtype(1e-7))), -np.log(wider(dtype(1 - 1e-7)))
    labels = np.array([0, 0, 1])
    losses = core.categorical_crossentropy_forward(y_pred, labels, 0.0)
    expected = np.array([largest, least, largest])
    assert_within(losses, expected, 2 * LOG * unit(dtype) * expected)
    assert np.isfinite(core.categorical_crossentropy_backward(y_pred, labels, 0.0)).all()
    targets = np.array([[0, 1], [0, 1], [1, 0]], dtype=dtype)
    assert np.isfinite(core.binary_crossentropy_forward(y_pred, targets)).all()
    assert np.isfinite(core.binary_crossentropy_backward(y_pred, targets)).all()


def test_softmax_crossentropy_takes_logits_of_ten_thousand(dtype: Any) -> None:
    inputs = np.array([[1e4, -1e4], [1e4, -1e4], [1e4, 1e4]], dtype=dtype)
    output, losses = core.softmax_crossentropy_forward(inputs, np.array([0, 1, 0]), 0.0)
    np.testing.assert_array_equal(output, [[1, 0], [1, 0], [0.5, 0.5]])
    kind = output.dtype.type
    expected = -np.log(wider(np.array([1 - 1e-7, 1e-7, 0.5]).astype(kind)))
    assert_within(losses, expected, 2 * LOG * unit(dtype) * expected)
    dinputs = core.softmax_crossentropy_backward(output, np.array([0, 1, 0]), 0.0)
    third = dtype(1) / dtype(3)
    np.testing.assert_allclose(
        dinputs, [[0, 0], [third, -third], [-third / 2, third / 2]], rtol=4 * unit(dtype)
    )


@pytest.mark.parametrize("columns", [2, 3, 8, 16, 17, 35, 67])
def test_softmax_crossentropy_finds_the_largest_logit_in_every_column(
    columns: int, dtype: Any
) -> None:
    """Row j: column j is so large that its exponential overflows if another one is subtracted."""
    logits, labels = 1e4 * np.eye(columns, dtype=dtype), np.arange(columns)
    output, losses = core.softmax_crossentropy_forward(logits, labels, 0.0)
    np.testing.assert_array_equal(output, np.eye(columns))
    np.testing.assert_array_equal(losses, np.full(columns, losses[0]))
    assert 0 <= losses[0] <= 2e-7


@pytest.mark.parametrize("n", [*range(68), 1001])
def test_sums_count_every_value_once(n: int, dtype: Any) -> None:
    """Integers whose sum is exact, and would be another one without any of them."""
    values = np.arange(1, n + 1, dtype=dtype)
    assert core.sum(values) == n * (n + 1) / 2


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("columns", [1, 3, 17])
def test_nan_prediction_gives_nan_loss_in_its_row_only(
    name: str, columns: int, dtype: Any, rng: np.random.Generator
) -> None:
    """A NaN loss is how a training notices that it diverged."""
    y_pred = rng.uniform(0.1, 0.9, (19, columns)).astype(dtype)
    y_true = np.ones_like(y_pred)
    y_pred[[2, 18], columns - 1] = np.nan
    losses = call(name, "forward", y_pred, y_true)
    assert np.flatnonzero(np.isnan(losses)).tolist() == [2, 18]
    if name != "mean_absolute_error":
        dinputs = call(name, "backward", y_pred, y_true)
        assert np.isnan(dinputs[[2, 18], columns - 1]).all()


def test_nan_logit_gives_nan_loss_in_its_row_only(dtype: Any) -> None:
    inputs = np.zeros((19, 5), dtype=dtype)
    inputs[[2, 18], 1] = np.nan
    for label in (1, 3):
        labels = np.full(19, label)
        output, losses = core.softmax_crossentropy_forward(inputs, labels, 0.0)
        assert np.flatnonzero(np.isnan(losses)).tolist() == [2, 18]
        assert np.isnan(output[[2, 18]]).all() and np.isfinite(output[3:18]).all()


def test_signs_of_the_absolute_error(dtype: Any) -> None:
    """sign(0) = 0, and the sign is that of p - y."""
    y_pred = np.array([[2.0, 1.0], [1.0, -1.0]], dtype=dtype)
    y_true = np.array([[1.0, 2.0], [1.0, -1.0]], dtype=dtype)
    dinputs = core.mean_absolute_error_backward(y_pred, y_true)
    np.testing.assert_array_equal(dinputs, [[0.25, -0.25], [0, 0]])


def test_integers_come_out_exactly(dtype: Any, rng: np.random.Generator) -> None:
    """Shapes that are powers of two: no rounding anywhere."""
    y_pred, y_true = (rng.integers(-8, 9, (32, 16)).astype(dtype) for _ in range(2))
    for name in REAL:
        for direction in ("forward", "backward"):
            np.testing.assert_array_equal(
                call(name, direction, y_pred, y_true), exact(name, direction, y_pred, y_true)
            )


def test_a_samples_loss_does_not_depend_on_the_batch(dtype: Any, rng: np.random.Generator) -> None:
    y_pred = rng.uniform(0, 1, (67, 7)).astype(dtype)
    y_true = rng.dirichlet(np.ones(7), 67).astype(dtype)
    for name in [*ALL, "softmax_crossentropy"]:
        whole = np.asarray(call(name, "forward", y_pred, y_true)[-1 if "soft" in name else ...])
        for rows in (slice(0, 1), slice(5, 21), slice(33, 67), slice(66, 67)):
            part = call(name, "forward", y_pred[rows].copy(), y_true[rows].copy())
            part = np.asarray(part[-1 if "soft" in name else ...])
            np.testing.assert_array_equal(part, whole[rows])


# Central differences


@each_row
def test_gradients_agree_with_central_differences(row: Row, rng: np.random.Generator) -> None:
    """Of the mean of the per-sample values, in the predictions or in a joint loss's inputs."""
    name, arguments = row["name"], drawn(row, rng, (6, 5), np.float64)
    y_pred, others = arguments[0], arguments[1:]
    direction = np.full(6, 1 / 6)

    def forward() -> Array:
        result = call(name, "forward", y_pred, *others)
        return result[1] if row["joins"] else result

    expected, error = slopes(forward, y_pred, direction)
    output = call(name, "forward", y_pred, *others)[0] if row["joins"] else y_pred
    actual = call(name, "backward", output, *others)
    assert (np.abs(actual - expected) <= error).all()


# Labels


@pytest.mark.parametrize("label", [5, -1, 2**40, -(2**63)])
@pytest.mark.parametrize("name", ["categorical_crossentropy", "softmax_crossentropy"])
def test_labels_out_of_range_are_named(name: str, label: int, dtype: Any) -> None:
    y_pred = np.full((4, 5), 0.2, dtype=dtype)
    labels = np.array([0, 4, 2, label])
    for direction in ("forward", "backward"):
        with pytest.raises(ValueError) as caught:
            call(name, direction, y_pred, labels)
        assert str(caught.value) == f"y_true: label {label} at index 3: expected 0 to 4"


def test_smallest_and_largest_label_are_taken(dtype: Any) -> None:
    y_pred = np.full((2, 5), 0.2, dtype=dtype)
    losses = core.categorical_crossentropy_forward(y_pred, np.array([0, 4]), 0.0)
    assert_within(
        losses,
        np.full(2, -np.log(wider(dtype(0.2)))),
        2 * LOG * unit(dtype) + smallest(dtype),
    )
