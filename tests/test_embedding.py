"""Embeddings: rows in place of codes, sums over samples in their order, codes that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference as ref
from chainrule import Layer_Embedding
from tolerance import assert_within, gamma, unit, wider

Array = np.ndarray[Any, Any]


def operands(n: int, q: int, sizes: tuple[int, ...], width: int, dtype: Any) -> tuple[Array, Array]:
    """inputs and dvalues; every code of the first column comes up where there are enough rows."""
    rng = np.random.default_rng([n, q, *sizes, width])
    codes = np.stack([rng.integers(0, size, n) for size in sizes], axis=1)
    codes[: sizes[0], 0] = np.arange(min(n, sizes[0]))
    inputs = np.concatenate([rng.standard_normal((n, q)), codes], axis=1)
    dvalues = rng.standard_normal((n, q + len(sizes) * width))
    return inputs.astype(dtype), dvalues.astype(dtype)


CASES = [
    (1, 0, (1,), 1),
    (7, 2, (3, 5), 8),
    (400, 1, (2, 30, 1), 3),
    (33, 0, (1000, 2), 17),
    (0, 2, (4,), 8),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_the_references(case: Any, dtype: Any, team: Any) -> None:
    """A compensated sum is off by two roundings and n^2 u^2 (Higham, 4.3)."""
    n, q, sizes, width = case
    inputs, dvalues = operands(*case, dtype)
    layer = Layer_Embedding(q + len(sizes), sizes, width, dtype=dtype, rng=1)
    output, dinputs = team(layer.forward, inputs), team(layer.backward, dvalues)
    np.testing.assert_array_equal(output, ref.embedding_forward(inputs, layer.weights, sizes, q))
    g, tables = wider(dvalues), wider(layer.weights)
    expected, passed = ref.embedding_backward(inputs, g, tables, sizes, q)
    magnitude, _ = ref.embedding_backward(inputs, abs(g), tables, sizes, q)
    bound = (gamma(2, dtype) + (n * unit(dtype)) ** 2) * magnitude
    assert_within(layer.dweights, expected, bound)
    np.testing.assert_array_equal(dinputs, passed)
    assert layer.dweights.dtype == dinputs.dtype == output.dtype == dtype
    layer.backward_parameters(dvalues)
    assert not hasattr(layer, "dinputs")


def test_many_rows_leave_a_float32_gradient_exact() -> None:
    """Its exact value is about 1: a chain of float32 additions would be off by 1e-3."""
    n = 100_000
    layer = Layer_Embedding(1, [2], 1, dtype=np.float32, rng=0)
    layer.forward(np.ones((n, 1), np.float32))
    layer.backward(np.full((n, 1), 1 / n, np.float32))
    exact = n * float(np.float32(1 / n))
    assert layer.dweights[0, 0] == 0
    bound = (gamma(2, np.float32) + (n * unit(np.float32)) ** 2) * exact
    assert abs(float(layer.dweights[1, 0]) - exact) <= bound


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        (-1, "-1"),
        (0.5, "0.5"),
        (np.nan, "nan"),
        (np.inf, "inf"),
        (2.0**100, "1.26765"),
        (-0.5, "-0.5"),
    ],
)
def test_a_value_that_is_no_code_is_named_with_its_place(
    value: float, shown: str, dtype: Any
) -> None:
    layer = Layer_Embedding(4, (7, 3), dtype=dtype, rng=0)
    inputs = np.zeros((5, 4), dtype)
    layer.forward(inputs)
    kept = layer.output
    inputs[2, 3] = value
    words = (
        rf"^Layer_Embedding\(10, 8\): inputs: expected a code from 0 to 2 in column 3, got {shown}"
    )
    with pytest.raises(ValueError, match=rf"{words}.* in row 2"):
        layer.forward(inputs)
    assert layer.output is kept
    with pytest.raises(ValueError, match=words):  # the caller's array was changed in between
        layer.backward(np.zeros((5, 2 + 16), dtype))


def test_codes_of_any_number_type_and_minus_zero() -> None:
    layer = Layer_Embedding(2, (3, 2), 4, rng=0)
    codes = np.array([[0, 1], [2, 0]])
    expected = layer.forward(codes.astype(float))
    for kind in (np.uint8, np.int64, np.float32):
        np.testing.assert_array_equal(layer.forward(codes.astype(kind)), expected)
    np.testing.assert_array_equal(layer.forward(np.array([[-0.0, 1.0], [2.0, -0.0]])), expected)


def test_tables_are_views_of_the_weights() -> None:
    layer = Layer_Embedding(5, [3, 4], 2, dtype=np.float32, rng=0)
    assert [table.shape for table in layer.tables] == [(3, 2), (4, 2)]
    layer.tables[1][0] = 7
    np.testing.assert_array_equal(layer.weights[3], [7, 7])
    assert (layer.n_inputs, layer.n_passed, layer.n_neurons) == (5, 3, 3 + 4)
    assert (layer.n_levels, layer.width, layer.sizes) == (7, 2, (3, 4))
    assert repr(layer) == "Layer_Embedding(5, (3, 4), 2, dtype=float32)"
    (weights,) = layer.get_parameters()
    layer.set_parameters(-weights)
    np.testing.assert_array_equal(layer.weights, -weights)


def test_initial_rows_are_standard_normal() -> None:
    layer = Layer_Embedding(1, [3000], 8, rng=2)
    n = layer.weights.size
    assert abs(layer.weights.mean()) < 5 / np.sqrt(n)
    assert abs(layer.weights.std() - 1) < 5 / np.sqrt(2 * n)
    np.testing.assert_array_equal(layer.weights, Layer_Embedding(1, [3000], 8, rng=2).weights)


def test_the_layer_refuses_by_name() -> None:
    for sizes, error, words in (
        ([], ValueError, "sizes: expected from 1 to n_inputs, 3, of them, got 0"),
        ([2, 2, 2, 2], ValueError, "sizes: expected from 1 to n_inputs, 3, of them, got 4"),
        ([2, 0], ValueError, r"sizes\[1\]: expected an int of at least 1, got 0"),
        ([2, 1.5], TypeError, r"sizes\[1\]: expected an int of at least 1, got 1.5"),
        ([2**24 + 1], ValueError, r"sizes\[0\]: expected at most 16777216, got 16777217"),
        (3, TypeError, "sizes: expected a sequence of ints, got 3"),
        ("ab", TypeError, "sizes: expected a sequence of ints, got 'ab'"),
    ):
        with pytest.raises(error, match=f"^Layer_Embedding: {words}"):
            Layer_Embedding(3, sizes)
    with pytest.raises(ValueError, match="width: expected an int of at least 1, got 0"):
        Layer_Embedding(3, [2], 0)
    layer = Layer_Embedding(3, [2, 2], rng=0)
    for columns in (1, 2, 4):
        words = rf"inputs: expected \(n, 3\), got \(2, {columns}\)"
        with pytest.raises(ValueError, match=words):
            layer.forward(np.zeros((2, columns)))
    with pytest.raises(ValueError, match="backward: expected a forward call before it"):
        layer.backward(np.ones((2, 17)))
    layer.forward(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"dvalues: expected \(2, 17\), got \(2, 3\)"):
        layer.backward(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"weights: expected \(4, 8\), got \(8, 4\)"):
        layer.weights = np.ones((8, 4))
    layer.sizes = (2, 3)  # somebody's edit
    with pytest.raises(ValueError, match=r"weights: expected \(5, width\), got \(4, 8\)"):
        layer.forward(np.zeros((2, 3)))
