"""Dense layer and regularisation: against the reference one precision up, exactly for integers,
bit for bit where bits are promised, and against central differences."""

from __future__ import annotations

import platform
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

import reference as ref
from chainrule import _core as core
from tolerance import (
    assert_within,
    central_differences,
    difference_bound,
    gamma,
    smallest,
    unit,
    wider,
)

Array = np.ndarray[Any, Any]
Shape = tuple[int, int, int]
Team = Callable[..., Any]


def every_residue() -> list[Shape]:
    """16 triples (n, d, m): each of the three takes every residue modulo 16 once, up to 63."""
    return [
        (
            (5 * i + 1) % 16 + 16 * (i % 4),
            (7 * i + 3) % 16 + 16 * ((i + 1) % 4),
            (11 * i + 6) % 16 + 16 * ((i // 4) % 4),
        )
        for i in range(16)
    ]


EMPTY = [(0, 3, 5), (4, 0, 3), (4, 3, 0), (0, 0, 0)]
SMALL = [(1, 1, 1), (1, 67, 1), (67, 1, 65), (2, 1, 16), (65, 66, 67), (1, 33, 31), (64, 64, 64)]
# The last three: rows longer than a page, several blocks of the inner index, and of rows.
LARGE = [
    (300, 257, 129),
    (37, 784, 130),
    (513, 70, 1030),
    (37, 784, 1030),
    (29, 1030, 300),
    (1030, 260, 1027),
]
SHAPES = EMPTY + SMALL + every_residue() + LARGE


def shape_id(shape: Shape) -> str:
    return "x".join(map(str, shape))


def operands(shape: Shape, dtype: Any) -> tuple[Array, Array, Array, Array]:
    """inputs, weights, biases and dvalues, the same for the same shape."""
    n, d, m = shape
    rng = np.random.default_rng([n, d, m])
    shapes = ((n, d), (d, m), (1, m), (n, m))
    inputs, weights, biases, dvalues = (rng.standard_normal(s).astype(dtype) for s in shapes)
    return inputs, weights, biases, dvalues


@cache
def expected(shape: Shape, dtype: Any) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """(output, dweights, dbiases, dinputs) one precision up, and the magnitudes of their terms."""
    inputs, weights, biases, dvalues = operands(shape, dtype)
    exact = (
        ref.dense_forward(*map(wider, (inputs, weights, biases))),
        *ref.dense_backward(*map(wider, (inputs, dvalues, weights))),
    )
    inputs, weights, biases, dvalues = (
        np.abs(a).astype(np.float64) for a in (inputs, weights, biases, dvalues)
    )
    magnitudes = (
        ref.dense_forward(inputs, weights, biases),
        *ref.dense_backward(inputs, dvalues, weights),
    )
    return exact, magnitudes


def chain_bound(terms: int, magnitude: Array, dtype: Any) -> Array:
    """A product and a sum rounded for each term, fused or not, in any order."""
    return gamma(terms + 1, dtype) * magnitude + terms * smallest(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_forward_is_within_the_bound_of_its_chain(shape: Shape, dtype: Any, team: Team) -> None:
    inputs, weights, biases, _ = operands(shape, dtype)
    output = team(core.dense_forward, inputs, weights, biases)
    exact, magnitudes = expected(shape, dtype)
    assert output.dtype == dtype and output.flags.c_contiguous and output.flags.writeable
    assert_within(output, exact[0], chain_bound(shape[1], magnitudes[0], dtype))


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_backward_is_within_the_bound_of_its_chains(shape: Shape, dtype: Any, team: Team) -> None:
    n, _, m = shape
    inputs, weights, _, dvalues = operands(shape, dtype)
    results = team(core.dense_backward, inputs, dvalues, weights)
    exact, magnitudes = expected(shape, dtype)
    for result, target, magnitude, terms in zip(
        results, exact[1:], magnitudes[1:], (n, n, m), strict=True
    ):
        assert result.dtype == dtype and result.flags.c_contiguous
        assert_within(result, target, chain_bound(terms, magnitude, dtype))


@pytest.mark.parametrize("shape", [(65, 66, 67), (31, 97, 17), (300, 257, 129)], ids=shape_id)
def test_integers_come_out_exactly(shape: Shape, dtype: Any, team: Team) -> None:
    """Products of integers up to 8: all partial sums are below 2^24."""
    n, d, m = shape
    rng = np.random.default_rng(n)
    inputs, weights, biases, dvalues = (
        rng.integers(-8, 9, s) for s in ((n, d), (d, m), (1, m), (n, m))
    )
    floats = [a.astype(dtype) for a in (inputs, weights, biases, dvalues)]
    output = team(core.dense_forward, *floats[:3])
    np.testing.assert_array_equal(output, ref.dense_forward(inputs, weights, biases))
    results = team(core.dense_backward, floats[0], floats[3], floats[1])
    for result, target in zip(results, ref.dense_backward(inputs, dvalues, weights), strict=True):
        np.testing.assert_array_equal(result, target)


def is_fused() -> bool:
    """Only x86-64's baseline has no fused multiply-add."""
    return core.cpu_target() != "baseline" or platform.machine() in ("aarch64", "arm64")


def nearest(exact: Fraction, kind: Any) -> Any:
    """The exact number rounded once to float32 or float64, ties to even."""
    guess = kind(float(exact))
    bits = np.uint32 if kind is np.float32 else np.uint64
    around = (np.nextafter(guess, kind(-np.inf)), guess, np.nextafter(guess, kind(np.inf)))
    return min(around, key=lambda f: (abs(Fraction(float(f)) - exact), int(f.view(bits)) & 1))


def test_forward_is_one_chain_that_starts_at_the_bias(dtype: Any) -> None:
    """acc = bias, then acc = fma(input_k, weight_kj, acc) for k in order; no fma on baseline."""
    inputs, weights, biases, _ = operands((5, 37, 19), dtype)
    chain = np.repeat(biases, 5, axis=0)
    for k in range(37):
        if not is_fused():
            chain = chain + inputs[:, k : k + 1] * weights[k]
            continue
        for i, j in np.ndindex(chain.shape):
            exact = Fraction(float(inputs[i, k])) * Fraction(float(weights[k, j]))
            chain[i, j] = nearest(exact + Fraction(float(chain[i, j])), dtype)
    np.testing.assert_array_equal(core.dense_forward(inputs, weights, biases), chain)


@pytest.mark.parametrize(
    "shape",
    [(67, 33, 65), (130, 257, 17), (300, 64, 10), (66, 5, 1), (200, 300, 300)],
    ids=shape_id,
)
def test_a_row_has_the_same_bits_in_any_batch(shape: Shape, dtype: Any, team: Team) -> None:
    inputs, weights, biases, _ = operands(shape, dtype)
    whole = team(core.dense_forward, inputs, weights, biases)
    n = shape[0]
    for size in (1, 2, 3, 5, 6, 7, 16, 31, n - 1):
        for start in (0, 1, n // 2, n - size):
            rows = slice(start, start + size)
            part = core.dense_forward(inputs[rows], weights, biases)
            np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("offset", [1, 3, 7])
def test_bits_do_not_depend_on_where_arrays_stand_in_memory(dtype: Any, offset: int) -> None:
    def moved(array: Array) -> Array:
        block = np.empty(array.size + offset, dtype=dtype)
        block[offset:] = array.ravel()
        return block[offset:].reshape(array.shape)

    inputs, weights, biases, dvalues = operands((67, 35, 45), dtype)
    before = (
        core.dense_forward(inputs, weights, biases),
        *core.dense_backward(inputs, dvalues, weights),
    )
    inputs, weights, biases, dvalues = map(moved, (inputs, weights, biases, dvalues))
    after = (
        core.dense_forward(inputs, weights, biases),
        *core.dense_backward(inputs, dvalues, weights),
    )
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_special_value_stays_in_its_row_and_column(value: float, dtype: Any) -> None:
    """Nothing leaks through padding or tails: all other results keep their bits."""
    inputs, weights, biases, dvalues = operands((35, 19, 37), dtype)
    clean = core.dense_forward(inputs, weights, biases)
    clean_back = core.dense_backward(inputs, dvalues, weights)
    for row in (0, 17, 34):
        spoiled = inputs.copy()
        spoiled[row, 18] = value
        output = core.dense_forward(spoiled, weights, biases)
        assert not np.isfinite(output[row]).any()
        np.testing.assert_array_equal(np.delete(output, row, 0), np.delete(clean, row, 0))
    for column in (0, 15, 16, 36):
        spoiled = weights.copy()
        spoiled[3, column] = value
        output = core.dense_forward(inputs, spoiled, biases)
        assert not np.isfinite(output[:, column]).any()
        np.testing.assert_array_equal(np.delete(output, column, 1), np.delete(clean, column, 1))
    spoiled = dvalues.copy()
    spoiled[34, 36] = value
    dweights, dbiases, dinputs = core.dense_backward(inputs, spoiled, weights)
    assert not np.isfinite(dweights[:, 36]).any() and not np.isfinite(dbiases[0, 36])
    assert not np.isfinite(dinputs[34]).any()
    np.testing.assert_array_equal(dweights[:, :36], clean_back[0][:, :36])
    np.testing.assert_array_equal(dbiases[:, :36], clean_back[1][:, :36])
    np.testing.assert_array_equal(dinputs[:34], clean_back[2][:34])


def test_layer_calls_keep_subnormal_numbers(dtype: Any) -> None:
    """Multiples of the smallest subnormal add up exactly; the caller keeps its own mode."""
    tiny = dtype(smallest(dtype))
    inputs = np.arange(1, 36, dtype=dtype).reshape(5, 7) * tiny
    output = core.dense_forward(inputs, np.ones((7, 3), dtype), np.zeros((1, 3), dtype))
    np.testing.assert_array_equal(output, np.repeat(inputs.sum(axis=1, keepdims=True), 3, axis=1))
    assert (output > 0).all() and tiny * dtype(1) > 0


def test_arguments_are_not_written_to(dtype: Any) -> None:
    arrays = operands((9, 8, 7), dtype)
    copies = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    inputs, weights, biases, dvalues = arrays
    core.dense_forward(inputs, weights, biases)
    core.dense_backward(inputs, dvalues, weights)
    for a, b in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_array_may_be_several_arguments(dtype: Any) -> None:
    square = operands((12, 12, 12), dtype)[0]
    biases = np.zeros((1, 12), dtype=dtype)
    copies = [square.copy() for _ in range(3)]
    np.testing.assert_array_equal(
        core.dense_forward(square, square, biases),
        core.dense_forward(copies[0], copies[1], biases),
    )
    for a, b in zip(
        core.dense_backward(square, square, square), core.dense_backward(*copies), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_dense_gradients_agree_with_central_differences(rng: np.random.Generator) -> None:
    inputs, weights, biases, direction = (
        rng.standard_normal(s) for s in ((5, 4), (4, 3), (1, 3), (5, 3))
    )

    def forward() -> Array:
        return core.dense_forward(inputs, weights, biases)

    bound = difference_bound(0, direction, forward())
    gradients = core.dense_backward(inputs, direction, weights)
    for array, gradient in zip((weights, biases, inputs), gradients, strict=True):
        assert np.abs(gradient - central_differences(forward, array, direction)).max() <= bound


# Regularisation


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (17, 3), (67, 65), (1, 1000)])
def test_regularize(shape: tuple[int, int], dtype: Any, rng: np.random.Generator) -> None:
    gradient, parameter = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    expected_gradient, l1, l2 = wider(gradient), 0.3, 0.07
    ref.regularize(expected_gradient, wider(parameter), l1, l2)
    magnitude = np.abs(gradient) + l1 + 2 * l2 * np.abs(parameter)
    assert core.regularize(gradient, parameter, l1, l2) is None
    assert_within(gradient, expected_gradient, 4 * unit(dtype) * magnitude.astype(np.float64))


def test_regularize_takes_the_sign_of_zero_as_one(dtype: Any) -> None:
    gradient = np.zeros((1, 4), dtype=dtype)
    parameter = np.array([[2.0, -3.0, 0.0, -0.0]], dtype=dtype)
    core.regularize(gradient, parameter, 0.5, 0.25)
    np.testing.assert_array_equal(gradient, [[1.5, -2.0, 0.5, 0.5]])


def test_regularize_of_strength_zero_changes_no_bit(dtype: Any, rng: np.random.Generator) -> None:
    gradient, parameter = (rng.standard_normal((5, 37)).astype(dtype) for _ in range(2))
    before = gradient.copy()
    core.regularize(gradient, parameter, 0.0, 0.0)
    np.testing.assert_array_equal(gradient, before)
